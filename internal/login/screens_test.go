package login

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/web"
)

// TestScreens: the table of screens names texts and pages that there are, and gives a place
// to one text only.
func TestScreens(t *testing.T) {
	t.Parallel()
	texts := web.ReadTexts(files)["en"]
	var pages []string
	for pattern := range (&Server{}).routes() {
		_, path, _ := strings.Cut(pattern, prefix)
		pages = append(pages, path)
	}
	pages = append(pages, kindPasskey, "enrol/totp")
	taken := map[web.Place]string{}
	for key, places := range screens {
		for _, p := range places {
			if _, ok := texts[p.Key]; !ok {
				t.Errorf("%s: there is no text %s", key, p.Key)
			}
			if p.Page != "" && !slices.Contains(pages, p.Page) {
				t.Errorf("%s: there is no page %s", key, p.Page)
			}
			if other := taken[p]; other != "" {
				t.Errorf("%s and %s both stand in %+v", key, other, p)
			}
			taken[p] = key
		}
	}
}
