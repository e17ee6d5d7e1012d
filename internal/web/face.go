package web

import (
	"net/http"
	"strings"
	"unicode"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Face is how a page shows a person beside their name: their picture or, without one, their
// initials.
type Face struct{ Picture, Initials string }

// FaceOf is the face of a person by the address or the key of their picture, empty for none,
// and by their name.
func FaceOf(picture, name string) Face {
	_, key, whole := strings.Cut(picture, api.AssetPrefix)
	if !whole {
		key = picture
	}
	return Face{Picture: asset(key), Initials: initials(name)}
}

// initials are the first letters of the first and the last word of a name.
func initials(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) > 2 {
		words = []string{words[0], words[len(words)-1]}
	}
	var out strings.Builder
	for _, w := range words {
		for _, first := range w {
			out.WriteRune(unicode.ToUpper(first))
			break
		}
	}
	return out.String()
}

var errNoFile = fault.Invalid("PAGE-file", "Choose a file, of at most %d bytes.", policy.MaxAsset)

// ReadFile is FormFile for a page.
func ReadFile(r *http.Request) ([]byte, error) {
	data, err := FormFile(r)
	if err != nil {
		return nil, errNoFile.Because(err)
	}
	return data, nil
}
