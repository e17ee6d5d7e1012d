package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// atAccount logs ann in and opens a page of her account.
func (b *browser) atAccount(t *testing.T) page {
	t.Helper()
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	p := b.open(t, "/ui/account/")
	if p.path != "/ui/account/" {
		t.Fatalf("the page is %s (%d):\n%s", p.path, p.status, p.body)
	}
	return p
}

// TestAccountPages opens every page that the account page leads to, in both languages.
func TestAccountPages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	for _, language := range []string{"en", "de"} {
		w := &walker{browser: newBrowser(t, s), prefix: "/ui/account/", seen: map[string]bool{}}
		w.header.Set("Accept-Language", language)
		w.atAccount(t)
		w.walk(t, "/ui/account/", "the login")
		if len(w.pages) < 9 {
			t.Errorf("there are %d pages only: %v", len(w.pages), w.pages)
		}
	}
	if got := newBrowser(t, s).open(t, "/ui/account/none"); got.path != "/ui/login/login" || got.status != http.StatusOK {
		t.Errorf("who is not logged in comes to %s (%d)", got.path, got.status)
	}
	b := newBrowser(t, s)
	b.atAccount(t)
	if got := b.open(t, "/ui/account/none"); got.status != http.StatusNotFound || !strings.Contains(got.body, "There is no page") {
		t.Errorf("a page that is not there: %d\n%s", got.status, got.body)
	}
}
