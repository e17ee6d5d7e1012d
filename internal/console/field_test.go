package console

import (
	"testing"
	"time"
)

// TestDurations: what a form shows of a duration, it takes back as the same.
func TestDurations(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 45 * time.Second: "45s", 10 * time.Minute: "10m", 90 * time.Minute: "1h30m", 12 * time.Hour: "12h", 240 * time.Hour: "10d", 25 * time.Hour: "25h",
		time.Hour + time.Second: "1h0m1s", 18*time.Hour + 30*time.Minute: "18h30m",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%s is shown as %q, want %q", d, got, want)
		}
		if back, err := parseDuration(want); err != nil || back != d {
			t.Errorf("%q is %s, %v, want %s", want, back, err, d)
		}
	}
	for _, wrong := range []string{"", "d", "-1d", "-5m", "1.5d", "99999999d", "soon", "10"} {
		if d, err := parseDuration(wrong); err == nil {
			t.Errorf("%q is %s", wrong, d)
		}
	}
}

// FuzzDuration: no duration that is taken changes by being shown and taken again.
func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"10d", "1h30m", "0s", "1h0m1s", "3.5h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		d, err := parseDuration(typed)
		if err != nil {
			return
		}
		if back, err := parseDuration(durationText(d)); err != nil || back != d {
			t.Errorf("%q is %s, shown as %q and taken as %s (%v)", typed, d, durationText(d), back, err)
		}
	})
}
