package policy

import (
	"strings"
	"testing"
)

// FuzzReadAsset: whatever is taken as a picture or a font is of a type that runs nothing.
func FuzzReadAsset(f *testing.F) {
	for _, seed := range []string{"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "wOF2", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, font bool) {
		of, kind := Logo, "image/"
		if font {
			of, kind = Font, "font/"
		}
		a, err := ReadAsset(of, data)
		if err == nil && (!strings.HasPrefix(a.MediaType, kind) || strings.Contains(a.MediaType, "svg") || len(a.Data) > MaxAsset) {
			t.Errorf("%q is taken as %s", data, a.MediaType)
		}
	})
}
