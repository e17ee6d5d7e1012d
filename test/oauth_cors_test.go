package test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestOriginsOfApplications: what a client or a token gives, pages of the application
// read and those of others do not; nothing ever goes with cookies (T-82).
func TestOriginsOfApplications(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	spa := newClient(t, s, "spa", func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType = application.AuthNone, application.UserAgent
		c.RedirectURIs = []string{redirectURI, "https://port.example.com:443/cb", "com.example.app:/cb"}
		c.AdditionalOrigins = []string{"https://admin.example.com"}
	})
	newClient(t, s, "another", func(c *application.OIDC) { c.RedirectURIs = []string{"https://another.example.com/cb"} })
	own := []string{"https://app.example.com", "https://admin.example.com", "https://port.example.com"}
	others := []string{
		"null", "https://evil.com", "https://another.example.com", "http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.com", "https://evil-app.example.com",
		"com.example.app:", "com.example.app://", "*",
	}
	form := func(pairs ...string) func() string {
		return func() string { return values(append(pairs, "client_id", spa.id)...).Encode() }
	}
	calls := map[string]struct {
		do     string
		body   func() string
		status int
	}{
		"token": {"POST /oauth/v2/token", func() string {
			return form("grant_type", "authorization_code", "code", spa.code(t), "redirect_uri", redirectURI, "code_verifier", verifier)()
		}, 200},
		"revoke":   {"POST /oauth/v2/revoke", form("token", "x"), 200},
		"par":      {"POST /oauth/v2/par", func() string { return spa.request().Encode() }, 201},
		"userinfo": {"GET /oidc/v1/userinfo", nil, 200},
	}
	access := spa.login(t).Access
	ask := func(do string, body func() string, token, origin string) testkit.Reply {
		t.Helper()
		c := testkit.Call{As: "nobody", Do: do, Header: map[string]string{"Origin": origin}}
		if token != "" {
			c.Header["Authorization"] = "Bearer " + token
		}
		if body != nil {
			c.Body, c.Header["Content-Type"] = body(), "application/x-www-form-urlencoded"
		}
		r := s.Send(t, c)
		if r.Header.Get("Access-Control-Allow-Credentials") != "" || !slices.Contains(r.Header.Values("Vary"), "Origin") {
			t.Errorf("%s from %s: %v", do, origin, r.Header)
		}
		return r
	}
	for name, c := range calls {
		token := ""
		if name == "userinfo" {
			token = access
		}
		for _, origin := range slices.Concat(own, others) {
			want := ""
			if slices.Contains(own, origin) {
				want = origin
			}
			if r := ask(c.do, c.body, token, origin); r.Status != c.status || r.Header.Get("Access-Control-Allow-Origin") != want {
				t.Errorf("%s from %s: %d %q", name, origin, r.Status, r.Header.Get("Access-Control-Allow-Origin"))
			}
		}
	}
	for name, do := range map[string]string{
		"discovery": "GET /.well-known/openid-configuration", "keys": "GET /oauth/v2/keys", "an expired token": "GET /oidc/v1/userinfo", "the API": "GET /auth/v1/users/me",
	} {
		if r := ask(do, nil, "x", own[0]); r.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %q", name, r.Header.Get("Access-Control-Allow-Origin"))
		}
	}
	for _, do := range []string{"GET /oauth/v2/authorize", "GET /oauth/v2/authorize/answer?id=x", "GET /oidc/v1/end_session"} {
		if r := ask(do, nil, "", own[0]); r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s can be read by scripts", do)
		}
	}
	before := s.Trips()
	for _, c := range calls {
		_, path, _ := strings.Cut(c.do, " ")
		r := s.Send(t, testkit.Call{As: "nobody", Do: "OPTIONS " + path, Header: map[string]string{
			"Origin": own[0], "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,dpop,content-type",
		}})
		h := r.Header
		if r.Status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "DPoP") ||
			h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Access-Control-Max-Age") == "" {
			t.Errorf("the preflight of %s: %d %v", path, r.Status, h)
		}
	}
	if n := s.Trips() - before; n > 0 {
		t.Errorf("preflights took %d round trips", n)
	}
}
