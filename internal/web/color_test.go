package web

import (
	"math/rand/v2"
	"testing"
)

// TestReadable: whatever colors an organization chooses, texts can be read.
func TestReadable(t *testing.T) {
	t.Parallel()
	for range 2000 {
		c, on := rgb{rand.Float64(), rand.Float64(), rand.Float64()}, rgb{rand.Float64(), rand.Float64(), rand.Float64()}
		if got := contrast(ink(on), on); got < contrastLeast {
			t.Fatalf("%v on %v has a contrast of %.2f", ink(on), on, got)
		}
		if got := readable(c, on); contrast(got, on) < contrastLeast {
			t.Fatalf("%v for %v on %v has a contrast of %.2f", got, c, on, contrast(got, on))
		}
	}
	if got := readable(black, white); got != black {
		t.Errorf("black on white becomes %v", got)
	}
}

// TestParseColor takes the forms of label policies.
func TestParseColor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"#5469d4": "#5469d4", "#5469D4ff": "#5469d4", "#fa0": "#ffaa00", "red": "", "#12345": "", "": ""} {
		got := ""
		if c, ok := parseColor(text); ok {
			got = c.String()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
