package test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// TestClientEnds: who an application belongs to, and what it proves itself with, count
// at each endpoint as they are now.
func TestClientEnds(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	s.Run(t,
		testkit.Call{Name: "acme", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
		testkit.Call{Name: "a project of it", In: "$acme", Do: "POST /management/v1/projects", Body: `{"name":"Bank"}`, Keep: map[string]string{"bank": "id"}, Events: projectAdded},
		testkit.Call{
			Name: "an application", In: "$acme", Do: "POST /management/v1/projects/$bank/apps/oidc", Events: oidcAdded, Keep: map[string]string{"id": "clientId", "app": "appId", "secret": "clientSecret"},
			Body: `{"name":"Web","redirectUris":["` + redirectURI + `"],"responseTypes":[0],"grantTypes":[0,2]}`,
		},
	)
	app := client{s: s, app: s.Var("app"), id: s.Var("id"), secret: s.Var("secret"), redirect: redirectURI}
	api := newApplication(t, s, "api", &application.API{})
	do := func(call testkit.Call) {
		t.Helper()
		if r := s.Send(t, call); r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", call.Do, r.Status, r.Body)
		}
	}
	for name, step := range map[string][2]string{
		"the organization": {"POST /management/v1/orgs/me/_deactivate", "POST /management/v1/orgs/me/_reactivate"},
		"the project":      {"POST /management/v1/projects/$bank/_deactivate", "POST /management/v1/projects/$bank/_reactivate"},
		"the application":  {"POST /management/v1/projects/$bank/apps/$app/_deactivate", "POST /management/v1/projects/$bank/apps/$app/_reactivate"},
	} {
		got := app.login(t, "scope", "openid offline_access urn:zitadel:iam:org:project:id:"+s.Var("project")+":aud")
		code := app.code(t)
		do(testkit.Call{In: "$acme", Do: step[0], Body: `{}`})
		if to, r := app.authorize(t); to != nil || r.Status != http.StatusBadRequest {
			t.Errorf("%s: authorize sends to %v", name, to)
		}
		refusedWith(t, name+": the code", app.redeem(t, code), "invalid_client", "OIDC-client-proof")
		refusedWith(t, name+": refresh", app.refresh(t, got.Refresh), "invalid_client", "OIDC-client-proof")
		if api.active(t, got.Access) {
			t.Errorf("%s: a token that others of the audience see counts", name)
		}
		if r := app.post(t, "/oauth/v2/introspect", values("token", got.Access)); r.Status != http.StatusUnauthorized {
			t.Errorf("%s: introspection: %d", name, r.Status)
		}
		do(testkit.Call{In: "$acme", Do: step[1], Body: `{}`})
		if !api.active(t, got.Access) {
			t.Errorf("%s: the token does not come back", name)
		}
	}
	do(testkit.Call{In: "$acme", Do: "POST /management/v1/projects/$bank/apps/$app/oidc_config/_generate_client_secret", Body: `{}`})
	refusedWith(t, "the secret before", app.redeem(t, "x"), "invalid_client", "OIDC-client-proof")
	if web.login(t).status != http.StatusOK {
		t.Error("another application is concerned")
	}
}

// TestAppKeysEnd: a signed proof counts until the key ends, or is taken away.
func TestAppKeysEnd(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	signed := newClient(t, s, "signed", func(c *application.OIDC) { c.AuthMethod = application.AuthPrivateKeyJWT })
	key := rsaKey(t)
	addAppKey(t, s, signed, "appKey", key)
	introspect := func(jti string) int {
		now := s.Clock.Now().Unix()
		proof := assertion(t, jose.RS256, key, s.Var("appKey"), nil, map[string]any{
			"iss": signed.id, "sub": signed.id, "aud": "http://localhost", "iat": now, "exp": now + 60, "jti": jti,
		})
		c := signed
		c.secret, c.public = "", false
		return c.post(t, "/oauth/v2/introspect", values("token", "x", "client_assertion", proof,
			"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")).Status
	}
	if got := introspect("1"); got != http.StatusOK {
		t.Fatalf("%d", got)
	}
	ends := s.Clock.Now().Add(time.Hour)
	err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := application.RemoveKey(tx, eventstore.Scope{Instance: s.InstanceID, Org: s.OrgID}, s.Var("project"), signed.app, s.Var("appKey"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := introspect("2"); got != http.StatusUnauthorized {
		t.Errorf("a key that was taken away: %d", got)
	}
	addAppKeyUntil(t, s, signed, "appKey", key, ends)
	s.Clock.Advance(time.Hour - time.Second)
	if got := introspect("3"); got != http.StatusOK {
		t.Errorf("a second before its end: %d", got)
	}
	s.Clock.Advance(time.Second)
	if got := introspect("4"); got != http.StatusUnauthorized {
		t.Errorf("at its end: %d", got)
	}
}

// TestRevocationIsTrue: a server that cannot write down a revocation does not say that
// it did, and the token goes on.
func TestRevocationIsTrue(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	got, lost := web.login(t), web
	lost.s = s.Lost(t)
	for name, token := range map[string]string{"access token": got.Access, "refresh token": got.Refresh} {
		if r := lost.post(t, "/oauth/v2/revoke", values("token", token)); r.Status != http.StatusServiceUnavailable {
			t.Errorf("%s, without the database: %d %s", name, r.Status, r.Body)
		}
	}
	if !web.active(t, got.Access) {
		t.Error("a revocation that failed ended the token")
	}
	if r := web.post(t, "/oauth/v2/revoke", values("token", got.Access)); r.Status != http.StatusOK || web.active(t, got.Access) {
		t.Errorf("revoke: %d %s", r.Status, r.Body)
	}
}

// TestLoginsGetNewerByFirstFactors: who is asked to log in again proves a first factor
// again: a second factor alone, or an attempt that fails, changes nothing.
func TestLoginsGetNewerByFirstFactors(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	e := equip(t, s, "ada", user.TOTP)
	patch := func(name, checks string, events ...string) testkit.Call {
		return testkit.Call{
			Name: name, As: "client", Do: "PATCH /v2/sessions/$own", Body: `{"checks":{` + checks + `}}`, Token: "sessionToken", KeepAs: "own", Events: events,
		}
	}
	s.Run(t, newSession("own", with("ada", withTOTP), "session.user.checked", "session.password.checked", "session.totp.checked"))
	before := claimsOf(t, web.ofSession(t, "own").ID)["auth_time"]
	s.Clock.Advance(time.Minute)
	request := web.begin(t, "prompt", "login")
	s.Clock.Advance(time.Second)
	refused := func(name string) {
		t.Helper()
		if r := web.link(t, request, "own"); !strings.Contains(string(r.Body), "OIDC-prompt-login") {
			t.Errorf("%s is a new login: %s", name, r.Body)
		}
	}
	refused("nothing")
	failed := s.Send(t, patch("", `"password":{"password":"wrong"}`))
	if failed.Status == http.StatusOK {
		t.Fatalf("%s", failed.Body)
	}
	refused("an attempt that failed")
	e.next(t)
	s.Run(t, patch("a second factor", withTOTP, "user.human.mfa.otp.check.succeeded", "session.totp.checked", "session.token.set"))
	refused("a second factor")
	s.Run(t, patch("the first one", `"password":{"password":"`+password+`"}`, "user.human.password.check.succeeded", "session.password.checked", "session.token.set"))
	if r := web.link(t, request, "own"); r.Status != http.StatusOK {
		t.Errorf("a new login: %d %s", r.Status, r.Body)
	}
	if after := claimsOf(t, web.ofSession(t, "own").ID)["auth_time"]; after.(float64) <= before.(float64) {
		t.Errorf("auth_time was %v and is %v", before, after)
	}
}

// ofSession logs in with a session that is kept under a name.
func (c client) ofSession(t *testing.T, session string) tokens {
	t.Helper()
	r := c.link(t, c.begin(t), session)
	if r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	u, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
	return c.redeem(t, mustParse(t, u).Query().Get("code"))
}

// TestPostLogoutIsExact is TestRedirectIsExact for where browsers go after a logout.
func TestPostLogoutIsExact(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	registered := []string{"https://app.example.com/cb?a=b", "https://app.example.com/cb"}
	web := newClient(t, s, "exact", func(c *application.OIDC) { c.PostLogoutRedirectURIs = registered })
	hint := web.login(t).ID
	for _, bad := range append(slices.Clone(likeRegistered), redirectURI) {
		if bad == "" { // Then there is nowhere to go to, which is fine.
			continue
		}
		r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/end_session?" + values("id_token_hint", hint, "post_logout_redirect_uri", bad).Encode()})
		if r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" {
			t.Errorf("%q: %d, sent to %q", bad, r.Status, r.Header.Get("Location"))
		}
	}
	r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/end_session?" + values("id_token_hint", hint, "post_logout_redirect_uri", registered[0], "state", "x").Encode()})
	if to := r.Header.Get("Location"); to != registered[0]+"&state=x" {
		t.Errorf("sent to %q", to)
	}
}

// TestPagesAreClosed: nobody frames what the protocol shows to browsers, leads scripts
// into it, keeps it, or learns where a browser came from.
func TestPagesAreClosed(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	hint := web.login(t).ID
	posted := web.request("response_mode", "form_post", "scope", "").Encode()
	for path, shown := range map[string]bool{
		"/oauth/v2/authorize?client_id=1":               true,
		"/oauth/v2/authorize?" + posted:                 true,
		"/oauth/v2/authorize?" + web.request().Encode(): false,
		"/oauth/v2/authorize/answer?id=1":               true,
		"/oidc/v1/end_session":                          false,
		"/oidc/v1/end_session?id_token_hint=" + hint:    true,
		"/oidc/v1/end_session?" + values("id_token_hint", hint, "post_logout_redirect_uri", "https://app.example.com/bye").Encode(): false,
	} {
		r := s.Send(t, testkit.Call{As: "nobody", Do: "GET " + path, Header: map[string]string{"Accept": "text/html", "Origin": "https://evil.com"}})
		if policy := r.Header.Get("Content-Security-Policy"); shown && (!strings.HasPrefix(policy, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; ") ||
			strings.Contains(policy, "unsafe") || !strings.Contains(policy, "form-action") || r.Header.Get("X-Frame-Options") != "DENY") {
			t.Errorf("%s: %d %q", path, r.Status, policy)
		}
		if shown == (r.Status == http.StatusSeeOther) {
			t.Errorf("%s: %d", path, r.Status)
		}
		for name, want := range map[string]string{
			"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "", "Set-Cookie": "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
}
