package policy

import (
	"strings"
	"testing"
)

// FuzzMessageText: a text that is taken does nothing but to name values, once, whatever
// the values are.
func FuzzMessageText(f *testing.F) {
	for _, seed := range []string{"Hello {{.FirstName}}, {{ .Code }}", "{{{{.Code}}.OTP}}", "{{.Code}}}", "{{.Nothing}}", "{{template \"x\"}}", "{{.Co{{.Code}}de}}"} {
		f.Add(seed, "{{.OTP}}")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if checkPlaceholders(text) != nil {
			return
		}
		if empty := Fill(text, nil); strings.Contains(empty, "{{") || strings.Contains(empty, "}}") {
			t.Errorf("%q leaves %q", text, empty)
		}
		values := map[string]string{}
		for _, name := range MessagePlaceholders {
			values[name] = value
		}
		names := len(placeholder.FindAllString(text, -1))
		if got, least := Fill(text, values), Fill(text, nil); len(got) != len(least)+names*len(value) {
			t.Errorf("%q with %q %d times is %q", text, value, names, got)
		}
	})
}

// FuzzLanguage: the one form of a language is its own, and names no text of another sort.
func FuzzLanguage(f *testing.F) {
	for _, seed := range []string{"en", "de-CH", "zh-Hans-CN", "EN_us", "und", "x-private", "i-klingon", "de-u-co-phonebk", "a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		one, err := canonicalLanguage(name)
		if err != nil {
			return
		}
		if two, err := canonicalLanguage(one); err != nil || two != one {
			t.Errorf("%q is %q and then %q (%v)", name, one, two, err)
		}
		if strings.ContainsAny(one, ".\x00 ") || len(one) > 2*maxTag {
			t.Errorf("%q is %q", name, one)
		}
	})
}
