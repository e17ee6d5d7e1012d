package flow

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/oauth"
)

// FuzzScopes: what is kept of scopes is kept again, and a narrower request never has more.
func FuzzScopes(f *testing.F) {
	f.Add("openid email", "openid")
	f.Add("openid urn:zitadel:iam:org:id:1", "urn:zitadel:iam:org:id:2")
	f.Fuzz(func(t *testing.T, text, narrower string) {
		scopes, err := ParseScopes(text)
		if err != nil {
			return
		}
		if again, err := ParseScopes(strings.Join(scopes, " ")); err != nil || !slices.Equal(again, scopes) {
			t.Errorf("%q is %q, and then %q (%v)", text, scopes, again, err)
		}
		less, err := scopes.Narrow(narrower)
		if err != nil {
			return
		}
		for _, s := range less {
			if !scopes.Has(s) {
				t.Errorf("%q narrowed to %q has %q", text, narrower, s)
			}
		}
	})
}

// FuzzAnswerURL: whatever a client sends along comes back to it as it was, and leads nowhere
// else.
func FuzzAnswerURL(f *testing.F) {
	f.Add("s1", "code", false)
	f.Add("a&error=x#y?z", "c d", true)
	f.Fuzz(func(t *testing.T, state, code string, fragment bool) {
		mode := "query"
		if fragment {
			mode = ModeFragment
		}
		for _, at := range []string{"https://app.example/back", "https://app.example/back?tenant=1"} {
			u, err := url.Parse(AnswerURL(oauth.Answer{URI: at, Mode: mode, Parameters: [][2]string{{"code", code}, {"state", state}}}))
			if err != nil || u.Host != "app.example" || u.Path != "/back" {
				t.Fatalf("the answer leads to %v (%v)", u, err)
			}
			given := u.RawQuery
			if fragment {
				given = u.EscapedFragment()
			}
			q, err := url.ParseQuery(given)
			if err != nil || q.Get("state") != state || q.Get("code") != code || len(q["error"]) != 0 {
				t.Errorf("%q and %q come back as %v (%v)", code, state, q, err)
			}
		}
	})
}
