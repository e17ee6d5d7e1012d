package web

import "testing"

func TestFaces(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ann Lee": "AL", "ann": "A", "Ann-Marie von der Lee": "AL", "  ": "", "": "", "émile zola": "ÉZ", "<b> x": "BX", "李 小龍": "李小", "007": "0",
	} {
		if got := FaceOf("", name); got.Initials != want || got.Picture != "" {
			t.Errorf("%q: %+v", name, got)
		}
	}
	for _, picture := range []string{"abc.jpeg", "https://id.example.com/assets/v1/abc.jpeg"} {
		if got := FaceOf(picture, "x").Picture; got != "/assets/v1/abc.jpeg" {
			t.Errorf("%s: %s", picture, got)
		}
	}
}

// TestInsert: a text of anybody says what it says.
func TestInsert(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"at least %d characters", "at least 8 characters"}, {"no number", "no number"}, {"%d of %s", "8 of %s"}, {"%v %n %!d %%", "%v %n %!d %%"}, {"%[1]d", "%[1]d"},
	} {
		if got := insert(c.text, []any{8}); got != c.want {
			t.Errorf("%q: %q", c.text, got)
		}
	}
	if got := insert("%s", []any{"%s %d"}); got != "%s %d" {
		t.Errorf("what is inserted is read again: %q", got)
	}
}
