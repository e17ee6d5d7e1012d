package web

import (
	"net/url"
	"strings"
	"testing"
)

// TestHere: what asks to be led somewhere is led to our own pages, however it is written.
func TestHere(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"/ui/console/", "/ui/console/orgs?q=a%2Fb", "/ui/account/security#keys"} {
		if !Here(address) {
			t.Errorf("%s is ours", address)
		}
	}
	for _, address := range []string{
		"", "/", "//evil.example/ui/console/", "https://evil.example/ui/console/", "/ui/console", "/ui/consoles/", "/ui/login/setup", "ui/console/",
		"/ui/console/../../oauth/v2/authorize", "/ui/console/%2e%2e/login/", `/ui/console/\evil.example`, `\\evil.example/ui/console/`, "/\\evil.example", "javascript:/ui/console/", "/ui/console/\n",
	} {
		if Here(address) {
			t.Errorf("%q is not ours", address)
		}
	}
}

// FuzzHere: wherever browsers end up at an address that is taken for ours, it is on the same
// host and below one of the two areas.
func FuzzHere(f *testing.F) {
	for _, seed := range []string{"/ui/console/", "//evil", "/ui/account/../x", "/ui/console/%2e%2e/", `/ui/console/\..\`, "http:/ui/console/"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://id.example/ui/login/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, address string) {
		if !Here(address) {
			return
		}
		to, err := base.Parse(address)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || !strings.HasPrefix(to.Path, Account) && !strings.HasPrefix(to.Path, Console) {
			t.Errorf("%q leads to %v (%v)", address, to, err)
		}
	})
}
