package flow

import (
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/application"
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

// FuzzRedirect: answers go nowhere but to an address that the application registered, letter
// by letter but for the port of a program on the machine itself.
func FuzzRedirect(f *testing.F) {
	f.Add("https://app.example/cb", "https://app.example/cb", int32(0), false)
	f.Add("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb", int32(2), false)
	f.Add("http://localhost/cb?x=1", "http://localhost:1@evil.example/cb?x=1", int32(2), true)
	f.Add("http://[::1]/cb", "http://[::1]:80/cb", int32(2), false)
	f.Add("com.example.app:/cb", "com.example.app:/cb", int32(2), false)
	f.Add("javascript:alert(1)", "javascript:alert(1)", int32(2), true)
	f.Fuzz(func(t *testing.T, registered, uri string, kind int32, dev bool) {
		c := &Client{}
		c.Config = application.OIDC{RedirectURIs: []string{registered}, ApplicationType: kind, DevMode: dev}
		if c.Redirect(uri) != nil {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.User != nil || strings.ContainsAny(uri, "#") || slices.Contains([]string{"", "javascript", "data", "vbscript", "file", "blob"}, u.Scheme) {
			t.Fatalf("an answer goes to %q", uri)
		}
		if uri == registered {
			return
		}
		r, err := url.Parse(registered)
		if err != nil || kind != application.Native || r.Hostname() != u.Hostname() || r.Path != u.Path || r.RawQuery != u.RawQuery || u.Scheme != "http" {
			t.Errorf("an answer goes to %q instead of %q", uri, registered)
		}
		if host := u.Hostname(); host != "localhost" && !strings.HasPrefix(host, "127.") && net.ParseIP(host).To4() == nil && host != "::1" && !net.ParseIP(host).IsLoopback() {
			t.Errorf("an answer goes to %q", uri)
		}
	})
}
