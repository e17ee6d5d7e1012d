package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// likeRegistered is like https://app.example.com/cb, with a=b as its query or without
// one, and is not the same.
var likeRegistered = []string{
	"https://app.example.com/CB", "https://APP.example.com/cb", "https://app.example.com/%63b", "https://app.example.com/cb/", "https://app.example.com//cb",
	"https://app.example.com/./cb", "https://app.example.com/%2e/cb", "https://app.example.com/x/../cb", "https://app.example.com:443/cb", "https://app.example.com:8443/cb",
	"https://app.example.com./cb", "https://evil.example.com/cb", "https://app.example.com.evil.com/cb", "https://user@app.example.com/cb", "https://app.example.com@evil.com/cb",
	"https://app.example.com/cb#fragment", "https://app.example.com/cb?x=1", "https://app.example.com/cb?a=b&x=1", "https://app.example.com/cb?", "https://app.example.com\\@evil.com/cb",
	"https:\\\\app.example.com\\cb", "https:/app.example.com/cb", "//app.example.com/cb", "/cb", "http://app.example.com/cb", "https://app.example.com/cb\t", " https://app.example.com/cb",
	"https://app.exam\tple.com/cb", "https://app.example.com/cb%00", "https://app.example.com/cb;x", "https://[::1]/cb", "javascript:alert(1)", "data:text/html,x", "vbscript:x", "ftp://app.example.com/cb", "",
	"https://app.example.com/c",
}

// TestRedirectIsExact: of all that is like a registered address only that one counts,
// letter by letter, and for others nobody is sent anywhere.
func TestRedirectIsExact(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	web := newClient(t, s, "exact", func(c *application.OIDC) {
		c.RedirectURIs = []string{"https://app.example.com/cb?a=b", "https://app.example.com/cb"}
	})
	native := newClient(t, s, "native", func(c *application.OIDC) {
		c.ApplicationType, c.AuthMethod = application.Native, application.AuthNone
		c.RedirectURIs = []string{"http://127.0.0.1/cb", "http://[::1]:8000/cb", "com.example.app:/cb"}
	})
	for _, bad := range likeRegistered {
		to, r := web.authorize(t, "redirect_uri", bad)
		if to != nil || r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), "OIDC-redirect") {
			t.Errorf("%q: sent to %v, %d %s", bad, to, r.Status, r.Body)
		}
	}
	for _, bad := range []string{
		"http://127.0.0.1/other", "http://127.0.0.1:80a/cb", "http://127.0.0.2:9000/cb", "http://localhost:9000/cb", "https://127.0.0.1:9000/cb", "http://127.0.0.1:9000/cb?x",
		"http://evil.com:9000/cb", "http://127.0.0.1@evil.com:9000/cb", "com.example.other:/cb", "com.example.app:/cb/x", "javascript:/cb",
	} {
		if to, r := native.authorize(t, "redirect_uri", bad); to != nil || r.Status != http.StatusBadRequest {
			t.Errorf("native %q: sent to %v, %d", bad, to, r.Status)
		}
	}
	for _, good := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", "http://[::1]:8000/cb", "http://[::1]:9/cb", "com.example.app:/cb"} {
		native.begin(t, "redirect_uri", good)
	}
	web.begin(t, "redirect_uri", "https://app.example.com/cb?a=b")
	if to, _ := web.authorize(t, "redirect_uri", "https://app.example.com/cb?a=b", "scope", ""); to == nil || to.Query().Get("a") != "b" || to.Query().Get("error") != "invalid_scope" {
		t.Errorf("the query of the address: %v", to)
	}
	r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + web.request("redirect_uri", "https://evil.com/").Encode(), Header: map[string]string{"Accept": "text/html"}})
	policy := r.Header.Get("Content-Security-Policy")
	if r.Status != http.StatusBadRequest || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(string(r.Body), "evil") {
		t.Errorf("the page: %d %q %s", r.Status, policy, r.Body)
	}
	twice := web.request()
	twice.Add("redirect_uri", "https://evil.com/")
	if r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + twice.Encode()}); r.Status != http.StatusBadRequest {
		t.Errorf("two addresses: %d %s", r.Status, r.Header.Get("Location"))
	}
}

// TestRefusedRequests: what is wrong with a request is told to the client, with what it
// needs to know whom it hears; also where the request is posted.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	public := newClient(t, s, "public", func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType, c.GrantTypes = application.AuthNone, application.UserAgent, []int32{application.GrantCode}
	})
	implicit := newClient(t, s, "implicit", func(c *application.OIDC) { c.ResponseTypes = []int32{application.ResponseIDToken} })
	noCode := newClient(t, s, "no code", func(c *application.OIDC) { c.GrantTypes = []int32{application.GrantRefresh} })
	plain := challengeOf("a verifier that looks like a challenge")
	for _, c := range []struct {
		name   string
		app    client
		change []string
		want   string
	}{
		{"no scope", web, []string{"scope", ""}, "invalid_scope"},
		{"scopes that mean nothing", web, []string{"scope", "foo bar"}, "invalid_scope"},
		{"two organizations", web, []string{"scope", "openid urn:zitadel:iam:org:id:1 urn:zitadel:iam:org:id:2"}, "invalid_scope"},
		{"no response type", web, []string{"response_type", ""}, "unsupported_response_type"},
		{"another response type", web, []string{"response_type", "token"}, "unsupported_response_type"},
		{"more than a code", web, []string{"response_type", "code id_token"}, "unsupported_response_type"},
		{"a type that the client has not", implicit, nil, "unauthorized_client"},
		{"a grant that the client has not", noCode, nil, "unauthorized_client"},
		{"another mode", web, []string{"response_mode", "jwt"}, "invalid_request"},
		{"plain", web, []string{"code_challenge_method", "plain", "code_challenge", plain}, "invalid_request"},
		{"plain by default", web, []string{"code_challenge_method", "", "code_challenge", plain}, "invalid_request"},
		{"a method without a challenge", web, []string{"code_challenge", ""}, "invalid_request"},
		{"no challenge of a public client", public, []string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		{"a short challenge", web, []string{"code_challenge", "abc"}, "invalid_request"},
		{"a long challenge", web, []string{"code_challenge", strings.Repeat("a", 44)}, "invalid_request"},
		{"prompt none and more", web, []string{"prompt", "none login"}, "invalid_request"},
		{"another prompt", web, []string{"prompt", "maybe"}, "invalid_request"},
		{"max_age that is none", web, []string{"max_age", "soon"}, "invalid_request"},
		{"max_age below zero", web, []string{"max_age", "-1"}, "invalid_request"},
		{"a hint that is none", web, []string{"id_token_hint", "a.b.c"}, "invalid_request"},
		{"a request by address", web, []string{"request_uri", "https://app.example.com/r"}, "request_uri_not_supported"},
		{"a request by another name", web, []string{"request_uri", "urn:example:request"}, "request_uri_not_supported"},
		{"a long state", web, []string{"nonce", strings.Repeat("n", 3000)}, "invalid_request"},
	} {
		for _, method := range []string{"GET", "POST"} {
			call := testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + c.app.request(c.change...).Encode()}
			if method == "POST" {
				call = testkit.Call{As: "nobody", Do: "POST /oauth/v2/authorize", Body: c.app.request(c.change...).Encode(), Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
			}
			r := s.Send(t, call)
			to := mustParse(t, r.Header.Get("Location"))
			q := to.Query()
			if r.Status != http.StatusSeeOther || to.Host != "app.example.com" || q.Get("error") != c.want || q.Get("error_description") == "" ||
				q.Get("state") != "the state" || q.Get("iss") != "http://localhost" {
				t.Errorf("%s %s: %d %v %s", method, c.name, r.Status, to, r.Body)
			}
		}
	}
	twice := web.request()
	twice.Add("scope", "email")
	if to := mustParse(t, s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + twice.Encode()}).Header.Get("Location")); to.Query().Get("error") != "invalid_request" {
		t.Errorf("a parameter twice: %v", to)
	}
	for name, change := range map[string][]string{"no client": {"client_id", ""}, "another client": {"client_id", "1"}, "a client that no text is like": {"client_id", "\x00\xff"}} {
		if to, r := web.authorize(t, change...); to != nil || r.Status != http.StatusBadRequest {
			t.Errorf("%s: %v %d", name, to, r.Status)
		}
	}
	r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + web.request().Encode(), Header: map[string]string{"Origin": "https://evil.com"}})
	if r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("scripts of other origins can read the answer")
	}
}

// loginPolicy gives the first organization a policy with these second factors.
func demandSecond(t *testing.T, s *testkit.Server) {
	t.Helper()
	ownPolicy(t, s, `,"forceMfa":true`, "1", "")
}

// TestSessionMustSuffice: no code for a session that lacks what the login policy or the
// client demands; the answer says what, and once that is there the request goes on.
func TestSessionMustSuffice(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	refused := func(name, request, session, want string) {
		t.Helper()
		if r := web.link(t, request, session); r.Status == http.StatusOK || !strings.Contains(string(r.Body), want) {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	accepted := func(name, request, session string) {
		t.Helper()
		if r := web.link(t, request, session); r.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	s.Run(t,
		newSession("empty", ""),
		newSession("named", `"user":{"loginName":"ada"}`, "session.user.checked"),
	)
	refused("a session without a user", web.begin(t), "empty", "OIDC-user")
	refused("nothing is proved", web.begin(t), "named", "check a first factor (passkey, password)")
	refused("the organization of the scope", web.begin(t, "scope", "openid urn:zitadel:iam:org:id:1"), "login", "OIDC-organization")
	refused("the domain of the scope", web.begin(t, "scope", "openid urn:zitadel:iam:org:domain:primary:evil.com"), "login", "OIDC-organization")
	accepted("its own organization", web.begin(t, "scope", "openid urn:zitadel:iam:org:id:"+s.OrgID), "login")
	refused("two factors", web.begin(t, "acr_values", "urn:gatehouse:acr:2fa"), "login", "urn:gatehouse:acr:2fa")
	refused("phishing", web.begin(t, "acr_values", "phr"), "login", "OIDC-acr")
	accepted("one of several", web.begin(t, "acr_values", "phr urn:gatehouse:acr:1fa"), "login")
	accepted("one that nobody knows", web.begin(t, "acr_values", "urn:example:gold"), "login")
	s.Clock.Advance(time.Minute)
	again := web.begin(t, "prompt", "login")
	refused("a new login", again, "login", "OIDC-prompt-login")
	refused("a younger login", web.begin(t, "max_age", "30"), "login", "OIDC-login-age")
	accepted("young enough", web.begin(t, "max_age", "300"), "login")
	s.Clock.Advance(time.Second)
	s.Run(t, newSession("anew", with("ada"), "session.user.checked", "session.password.checked"))
	accepted("after a new login", again, "anew")
	accepted("a login after the request is young", func() string { return web.begin(t, "max_age", "3600") }(), "anew")
	demandSecond(t, s)
	waiting := web.begin(t)
	refused("the policy demands more", waiting, "anew", "set up a second factor first")
	equip(t, s, "ada", user.TOTP, user.Recovery)
	demandSecond(t, s)
	s.Run(t, newSession("both", with("ada", withTOTP), "session.user.checked", "session.password.checked", "session.totp.checked"))
	accepted("with a second factor", waiting, "both")
	refused("the request was answered", waiting, "both", "OIDC-request")
	s.Run(t, testkit.Call{Name: "the factor goes", Do: "DELETE " + loginPath + "/second_factors/1", Events: []string{"org.policy.login.secondfactor.removed"}})
	refused("its credit counts no more", web.begin(t), "both", "OIDC-assurance")
}

// TestWhoMayLink: a session is linked by who has the permission, or has it at hand.
func TestWhoMayLink(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	person(t, s, s.OrgID, "eve")
	s.Run(t, newSession("eves", with("eve"), "session.user.checked", "session.password.checked"))
	link := func(name, as, session, token string, status int, want string) {
		t.Helper()
		r := s.Send(t, testkit.Call{As: as, Do: "POST /v2/oidc/auth_requests/" + web.begin(t), Body: `{"session":{"sessionId":"$` + session + `","sessionToken":"` + token + `"}}`})
		if r.Status != status || !strings.Contains(string(r.Body), want) {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	own, eves := s.TokenOf(t, "login"), s.TokenOf(t, "eves")
	link("the owner of the instance", "owner", "login", own, 403, "OIDC-link")
	link("another session", "eves", "login", own, 403, "OIDC-link")
	link("the session itself", "login", "login", own, 200, "callbackUrl")
	link("the login page", "client", "login", own, 200, "callbackUrl")
	link("the login page, without the token", "client", "login", "x", 404, "OIDC-session-token")
	link("the login page, with another's", "client", "login", eves, 404, "OIDC-session-token")
	link("a session that never was", "client", "nothing", own, 404, "OIDC-session-token")
	s.Run(t,
		testkit.Call{
			Name: "an error", As: "client", Do: "POST /v2/oidc/auth_requests/" + web.begin(t), Body: `{"error":{"error":"ERROR_REASON_LOGIN_REQUIRED","errorDescription":"nobody is there"}}`,
			Want: `{"callbackUrl":"` + redirectURI + `?error=login_required&error_description=nobody+is+there&state=the+state&iss=http%3A%2F%2Flocalhost"}`,
		},
		testkit.Call{Name: "an error by the owner", Do: "POST /v2/oidc/auth_requests/" + web.begin(t), Body: `{"error":{"error":"ERROR_REASON_LOGIN_REQUIRED"}}`, Status: 403},
		testkit.Call{Name: "no error", As: "client", Do: "POST /v2/oidc/auth_requests/" + web.begin(t), Body: `{"error":{}}`, Status: 400},
		testkit.Call{Name: "of nobody", As: "nobody", Do: "GET /v2/oidc/auth_requests/" + web.begin(t), Status: 401},
	)
	old := web.begin(t)
	s.Clock.Advance(time.Hour)
	link("later", "client", "login", own, 200, "callbackUrl")
	if r := web.link(t, old, "login"); r.Status != http.StatusNotFound {
		t.Errorf("a request that is too old: %d %s", r.Status, r.Body)
	}
}

// TestWaysBack: the answer comes in the way that the client asked for.
func TestWaysBack(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	back := func(mode string) string {
		t.Helper()
		r := web.link(t, web.begin(t, "response_mode", mode), "login")
		if r.Status != http.StatusOK {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		to, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
		return to
	}
	if to := mustParse(t, back("fragment")); to.RawQuery != "" {
		t.Errorf("fragment: %s", to)
	} else if q, err := url.ParseQuery(to.Fragment); err != nil || q.Get("code") == "" || q.Get("iss") == "" {
		t.Errorf("fragment: %s", to)
	}
	to := mustParse(t, back("form_post"))
	if to.Scheme+"://"+to.Host+to.Path != "http://localhost/oauth/v2/authorize/answer" || strings.Contains(to.RawQuery, "code") {
		t.Fatalf("form_post: %s", to)
	}
	page := testkit.Call{As: "nobody", Do: "GET " + to.RequestURI()}
	r := s.Send(t, page)
	policy := r.Header.Get("Content-Security-Policy")
	if r.Status != http.StatusOK || !strings.Contains(string(r.Body), `action="`+redirectURI+`"`) || !strings.Contains(string(r.Body), "gatehouse_code_") ||
		!strings.Contains(policy, "form-action https://app.example.com") || !strings.Contains(policy, "script-src 'sha256-") {
		t.Errorf("the page: %d %q %s", r.Status, policy, r.Body)
	}
	if r := s.Send(t, page); r.Status != http.StatusNotFound {
		t.Errorf("the page again: %d", r.Status)
	}
	r = s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + web.request("response_mode", "form_post", "scope", "", "state", `"><script>alert(1)</script>`).Encode()})
	if r.Status != http.StatusOK || strings.Contains(string(r.Body), "<script>alert") || !strings.Contains(string(r.Body), "invalid_scope") {
		t.Errorf("an error, posted: %d %s", r.Status, r.Body)
	}
}

// TestLoginPages: an instance can require its login application of all clients. Where it does
// not, those are led there that ask for it, and name no page of their own.
func TestLoginPages(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	asking := func(name string, l application.Login) client {
		return newClient(t, s, name, func(c *application.OIDC) { c.Login = l })
	}
	own := asking("own", application.Login{Version: application.LoginV2, BaseURI: "https://own.example.com/base/"})
	first, second := asking("first", application.Login{Version: application.LoginV1}), asking("second", application.Login{Version: application.LoginV2})
	const here, there = "http://localhost/ui/login/login", "https://login.example.com/login"
	lead := func(when string, want map[*client]string) {
		t.Helper()
		for c, page := range want {
			to, _ := c.authorize(t)
			if got, _, _ := strings.Cut(to.String(), "?"); got != page {
				t.Errorf("%s, %s is led to %s, want %s", when, c.id, got, page)
			}
		}
	}
	const ownPage = "https://own.example.com/base/login"
	lead("where nothing is set", map[*client]string{&web: here, &first: here, &second: here, &own: ownPage})
	set := func(body string) {
		t.Helper()
		s.Run(t, testkit.Call{Name: "set", Do: "PUT /v2/features/instance", Body: `{"loginV2":` + body + `}`, Events: []string{"feature.instance.login_v2.set"}})
	}
	set(`{"required":false,"baseUri":"https://login.example.com"}`)
	lead("where it is not required", map[*client]string{&web: here, &first: here, &second: there, &own: ownPage})
	set(`{"required":true,"baseUri":"https://login.example.com"}`)
	lead("where it is required", map[*client]string{&web: there, &first: there, &second: there, &own: there})
	set(`{"required":true}`)
	lead("where it is required and nowhere", map[*client]string{&web: here, &first: here, &second: here, &own: here})
}
