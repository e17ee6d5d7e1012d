package database

import "testing"

func TestSuccessor(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"": "", "a": "b", "az": "a{", "é": "ê", "a\uD7FF": "a\uE000", "a\U0010FFFF": "b", "\U0010FFFF": "", "\u007F": "\u0080",
	} {
		if got := successor(prefix); got != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
}
