package hostname_test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/hostname"
)

// FuzzCanonical: the one form of a name is its own, and what a label is made of is one.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"Example.COM.", "[::1]", "::ffff:1.2.3.4", "münchen.example", "xn--mnchen-3ya.example", "a..b", "-a", "fe80::1%eth0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		one := hostname.Canonical(name)
		if two := hostname.Canonical(one); two != one && hostname.IsHost(one) {
			t.Errorf("%q has the forms %q and %q", name, one, two)
		}
		if label := hostname.Label(name, 20); label != "" && (!hostname.IsDomain(label) || len(label) > 20) {
			t.Errorf("%q makes the label %q", name, label)
		}
	})
}
