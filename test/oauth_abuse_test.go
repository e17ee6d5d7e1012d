package test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// refusedWith reports that tokens were refused as the protocol wants it.
func refusedWith(t *testing.T, name string, got tokens, code, id string) {
	t.Helper()
	want := http.StatusBadRequest
	if code == "invalid_client" {
		want = http.StatusUnauthorized
	}
	if got.status != want || got.Error != code || !strings.Contains(got.Text, id) || got.Access != "" || got.Refresh != "" || got.ID != "" {
		t.Errorf("%s: %+v, want %s %s", name, got, code, id)
	}
}

// TestPKCE: a code is for who made its challenge.
func TestPKCE(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	public := newClient(t, s, "public", func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType = application.AuthNone, application.UserAgent
	})
	for _, app := range []client{web, public} {
		for name, c := range map[string]struct{ verifier, want string }{
			"no verifier":       {"", "OIDC-code-verifier-missing"},
			"another verifier":  {strings.Repeat("x", 43), "OIDC-code-verifier"},
			"the challenge":     {challengeOf(verifier), "OIDC-code-verifier"},
			"a short verifier":  {strings.Repeat("x", 42), "OIDC-code-verifier"},
			"a long verifier":   {strings.Repeat("x", 129), "OIDC-code-verifier"},
			"a strange one":     {verifier + " ", "OIDC-code-verifier"},
			"in the other case": {strings.ToUpper(verifier), "OIDC-code-verifier"},
		} {
			code := app.code(t)
			refusedWith(t, name, app.redeem(t, code, "code_verifier", c.verifier), "invalid_grant", c.want)
			refusedWith(t, name+", and then the right one", app.redeem(t, code), "invalid_grant", "OIDC-code")
		}
	}
	for _, v := range []string{strings.Repeat("x", 42), strings.Repeat("x", 129)} {
		refusedWith(t, "the right one of a wrong length", web.redeem(t, web.code(t, "code_challenge", challengeOf(v)), "code_verifier", v), "invalid_grant", "OIDC-code-verifier")
	}
	for _, v := range []string{strings.Repeat("x", 43), strings.Repeat("~", 128)} {
		if got := web.redeem(t, web.code(t, "code_challenge", challengeOf(v)), "code_verifier", v); got.status != http.StatusOK {
			t.Errorf("%d characters: %+v", len(v), got)
		}
	}
	without := []string{"code_challenge", "", "code_challenge_method", ""}
	refusedWith(t, "a verifier without a challenge", web.redeem(t, web.code(t, without...)), "invalid_grant", "OIDC-code-challenge")
	if got := web.redeem(t, web.code(t, without...), "code_verifier", ""); got.status != http.StatusOK {
		t.Errorf("a client with a secret needs none: %+v", got)
	}
}

// TestCodeOnce: a code works once, for a minute, for its client and its address; a
// second use ends what the first one gave.
func TestCodeOnce(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	other := newClient(t, s, "other")
	code := web.code(t)
	first := web.redeem(t, code)
	if first.status != http.StatusOK || !web.active(t, first.Access) {
		t.Fatalf("%+v", first)
	}
	refusedWith(t, "again", web.redeem(t, code), "invalid_grant", "OIDC-code")
	if web.active(t, first.Access) {
		t.Error("the token of a code that was used twice counts")
	}
	refusedWith(t, "its refresh token", web.refresh(t, first.Refresh), "invalid_grant", "OIDC-refresh")
	if got := s.Events(t); got[len(got)-1] != "oidc_session.refresh_token.revoked" {
		t.Errorf("events %v", got)
	}

	code = web.code(t)
	refusedWith(t, "another client", other.redeem(t, code), "invalid_grant", "OIDC-code-client")
	if got := s.Events(t); got[len(got)-1] != "oidc_session.code.refused" {
		t.Errorf("events %v", got)
	}
	refusedWith(t, "then the right one", web.redeem(t, code), "invalid_grant", "OIDC-code")
	refusedWith(t, "another address", web.redeem(t, web.code(t), "redirect_uri", redirectURI+"/"), "invalid_grant", "OIDC-code-redirect")
	refusedWith(t, "no address", web.redeem(t, web.code(t), "redirect_uri", ""), "invalid_request", "redirect_uri")
	refusedWith(t, "no code", web.redeem(t, ""), "invalid_request", "code")
	refusedWith(t, "an invented code", web.redeem(t, "gatehouse_code_x"), "invalid_grant", "OIDC-code")
	refusedWith(t, "a token as code", web.redeem(t, first.Refresh), "invalid_grant", "OIDC-code")

	code = web.code(t)
	s.Clock.Advance(59 * time.Second)
	if got := web.redeem(t, code); got.status != http.StatusOK {
		t.Errorf("after 59 seconds: %+v", got)
	}
	code = web.code(t)
	s.Clock.Advance(60 * time.Second)
	refusedWith(t, "after a minute", web.redeem(t, code), "invalid_grant", "OIDC-code")
}

// fiftyTimes asks fifty times at once, and gives the answers that are good.
func fiftyTimes(t *testing.T, ask func() tokens) (good []tokens) {
	t.Helper()
	var wait sync.WaitGroup
	answers := make([]tokens, 50)
	for i := range answers {
		wait.Go(func() { answers[i] = ask() })
	}
	wait.Wait()
	for _, a := range answers {
		switch {
		case a.status == http.StatusOK:
			good = append(good, a)
		case a.Error != "invalid_grant":
			t.Errorf("%+v", a)
		}
	}
	return good
}

// TestFiftyAtOnce: of fifty who use one code, or one refresh token, at once a single one
// succeeds, and then nothing of it is left.
func TestFiftyAtOnce(t *testing.T) {
	t.Parallel()
	_, web := startOAuth(t)
	code := web.code(t)
	good := fiftyTimes(t, func() tokens { return web.redeem(t, code) })
	if len(good) != 1 || web.active(t, good[0].Access) {
		t.Errorf("a code gave tokens %d times", len(good))
	}
	for _, g := range good {
		refusedWith(t, "refresh", web.refresh(t, g.Refresh), "invalid_grant", "OIDC-refresh")
	}
	first := web.login(t)
	good = fiftyTimes(t, func() tokens { return web.refresh(t, first.Refresh) })
	if len(good) != 1 || web.active(t, good[0].Access) || web.active(t, first.Access) {
		t.Errorf("a refresh token gave tokens %d times", len(good))
	}
}

// TestRefreshRotates: each refresh token works once; an old one ends them all.
func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	other := newClient(t, s, "other")
	first := web.login(t)
	second := web.refresh(t, first.Refresh)
	third := web.refresh(t, second.Refresh)
	if third.status != http.StatusOK || !web.active(t, third.Access) || !web.active(t, first.Access) {
		t.Fatalf("%+v", third)
	}
	id := claimsOf(t, third.ID)
	if id["sub"] != s.Var("ada") || id["nonce"] != nil || id["auth_time"] != claimsOf(t, first.ID)["auth_time"] {
		t.Errorf("the ID token of a refresh: %v", id)
	}
	refusedWith(t, "the first again", web.refresh(t, first.Refresh), "invalid_grant", "OIDC-refresh")
	for name, token := range map[string]string{"first": first.Access, "second": second.Access, "third": third.Access} {
		if web.active(t, token) {
			t.Errorf("the %s access token counts", name)
		}
	}
	refusedWith(t, "the newest", web.refresh(t, third.Refresh), "invalid_grant", "OIDC-refresh")

	first = web.login(t)
	refusedWith(t, "another client", other.refresh(t, first.Refresh), "invalid_grant", "OIDC-refresh")
	if web.active(t, first.Access) {
		t.Error("a refresh token in other hands is good")
	}

	first = web.login(t)
	refusedWith(t, "more scopes", web.refresh(t, first.Refresh, "scope", "openid phone"), "invalid_scope", "OIDC-scope-broadened")
	fewer := web.refresh(t, first.Refresh, "scope", "openid")
	if fewer.status != http.StatusOK || fewer.Scope != "openid" || web.introspect(t, fewer.Access)["email"] != nil {
		t.Errorf("fewer scopes: %+v", fewer)
	}
	if again := web.refresh(t, fewer.Refresh); again.Scope != "openid profile email offline_access" {
		t.Errorf("all of them again: %+v", again)
	}
	if got := web.login(t, "scope", "openid"); got.Refresh != "" {
		t.Errorf("nobody asked for a refresh token: %+v", got)
	}
	never := newClient(t, s, "never", func(c *application.OIDC) { c.GrantTypes = []int32{application.GrantCode} })
	if got := never.login(t); got.Refresh != "" || got.Scope != "openid profile email" {
		t.Errorf("the client has no refresh tokens: %+v", got)
	}
	refusedWith(t, "nor the grant", never.refresh(t, first.Refresh), "unauthorized_client", "OIDC-grant-type")
}

// TestRefreshEnds: a refresh token ends when nobody uses it, and at last in any case.
func TestRefreshEnds(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	s.Run(t, testkit.Call{
		Name: "settings", Do: "PUT /admin/v1/settings/oidc",
		Body:   `{"accessTokenLifetime":"600s","idTokenLifetime":"900s","refreshTokenIdleExpiration":"3600s","refreshTokenExpiration":"7200s"}`,
		Events: []string{"instance.oidc.settings.changed"},
	})
	last := web.login(t)
	if id := claimsOf(t, last.ID); last.Expires != 600 || id["exp"].(float64)-id["iat"].(float64) != 900 {
		t.Errorf("the lifetimes: %+v %v", last, id)
	}
	s.Clock.Advance(10*time.Minute - time.Second)
	if !web.active(t, last.Access) {
		t.Error("the access token ended too early")
	}
	s.Clock.Advance(time.Second)
	if web.active(t, last.Access) {
		t.Error("the access token goes on")
	}
	for range 2 {
		s.Clock.Advance(49 * time.Minute)
		if last = web.refresh(t, last.Refresh); last.status != http.StatusOK {
			t.Fatalf("%+v", last)
		}
	}
	s.Clock.Advance(13 * time.Minute)
	refusedWith(t, "after two hours", web.refresh(t, last.Refresh), "invalid_grant", "OIDC-refresh")
	last = web.login(t)
	s.Clock.Advance(time.Hour)
	refusedWith(t, "after an idle hour", web.refresh(t, last.Refresh), "invalid_grant", "OIDC-refresh")
}

// TestTokensFollowTheTruth: what a token rests on is looked at with each use, on each
// node. Each row takes something away, and gives it back where that is possible.
func TestTokensFollowTheTruth(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	s.Run(t,
		testkit.Call{Name: "acme", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
	)
	person(t, s, s.Var("acme"), "bob")
	node := s.Sibling(t)
	node.Client.CheckRedirect = s.Client.CheckRedirect
	there := web
	there.s = node
	state := func(kind string, args ...string) func() {
		return func() {
			t.Helper()
			body := "{}"
			if len(args) > 2 {
				body = args[2]
			}
			if r := s.Send(t, testkit.Call{In: args[1], Do: args[0], Body: body}); r.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", kind, r.Status, r.Body)
			}
		}
	}
	rows := []struct {
		name      string
		off, on   func()
		authorize bool // also no new login
	}{
		{"deactivated user", state("off", "POST /management/v1/users/$bob/_deactivate", "$acme"), state("on", "POST /management/v1/users/$bob/_reactivate", "$acme"), false},
		{"locked user", state("off", "POST /management/v1/users/$bob/_lock", "$acme"), state("on", "POST /management/v1/users/$bob/_unlock", "$acme"), false},
		{"deactivated organization", state("off", "POST /management/v1/orgs/me/_deactivate", "$acme"), state("on", "POST /management/v1/orgs/me/_reactivate", "$acme"), false},
		{"deactivated project", state("off", "POST /management/v1/projects/$project/_deactivate", ""), state("on", "POST /management/v1/projects/$project/_reactivate", ""), true},
		{"project of its organization only", state("off", "PUT /management/v1/projects/$project", "", `{"name":"Shop","hasProjectCheck":true}`), state("on", "PUT /management/v1/projects/$project", "", `{"name":"Shop"}`), false},
		{"project for who has a role", state("off", "PUT /management/v1/projects/$project", "", `{"name":"Shop","projectRoleCheck":true}`), state("on", "PUT /management/v1/projects/$project", "", `{"name":"Shop"}`), false},
		{"policy that lists another factor", func() {
			state("policy", "POST "+loginPath, "$acme", `{"allowUsernamePassword":true,"forceMfa":true,"secondFactors":[2]}`)()
		}, state("on", "DELETE "+loginPath, "$acme"), false},
		{"changed password", state("off", "POST /v2/users/$bob/password", "", `{"newPassword":{"password":"Another-Horse-1"}}`), nil, false},
		{"ended session", func() {
			if r := s.Send(t, testkit.Call{As: "client", Do: "DELETE /v2/sessions/$bobs", Body: `{"sessionToken":"` + s.TokenOf(t, "bobs") + `"}`}); r.Status != http.StatusOK {
				t.Fatalf("%s", r.Body)
			}
		}, nil, false},
		{"removed user", state("off", "DELETE /management/v1/users/$bob", "$acme"), nil, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.name == "ended session" || row.name == "removed user" {
				s.Send(t, testkit.Call{Do: "POST /v2/users/$bob/password", Body: `{"newPassword":{"password":"` + password + `"}}`})
			}
			s.Run(t, newSession("bobs", with("bob"), "session.user.checked", "session.password.checked"))
			login := func() tokens {
				r := web.link(t, web.begin(t), "bobs")
				if r.Status != http.StatusOK {
					t.Fatalf("%d %s", r.Status, r.Body)
				}
				u, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
				return web.redeem(t, mustParse(t, u).Query().Get("code"))
			}
			before := login()
			if !there.active(t, before.Access) {
				t.Fatalf("before: %+v", before)
			}
			waiting, r := web.begin(t), web.link(t, web.begin(t), "bobs")
			u, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
			code := mustParse(t, u).Query().Get("code")
			row.off()
			if row.authorize {
				if to, r := there.authorize(t); to != nil || r.Status != http.StatusBadRequest {
					t.Errorf("authorize: %v", to)
				}
				r := there.post(t, "/oauth/v2/introspect", values("token", before.Access))
				if r.Status != http.StatusUnauthorized {
					t.Errorf("introspection by the client: %d %s", r.Status, r.Body)
				}
				refusedWith(t, "the code", there.redeem(t, code), "invalid_client", "OIDC-client-proof")
				refusedWith(t, "refresh", there.refresh(t, before.Refresh), "invalid_client", "OIDC-client-proof")
			} else {
				if there.active(t, before.Access) {
					t.Error("the token counts")
				}
				if got := there.redeem(t, code); got.Error != "invalid_grant" {
					t.Errorf("the code: %+v", got)
				}
				if got := there.refresh(t, before.Refresh); got.Error != "invalid_grant" {
					t.Errorf("refresh: %+v", got)
				}
			}
			if r := there.s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/userinfo", Header: map[string]string{"Authorization": "Bearer " + before.Access}}); r.Status != http.StatusUnauthorized {
				t.Errorf("userinfo: %d", r.Status)
			}
			if r := web.link(t, waiting, "bobs"); r.Status == http.StatusOK {
				t.Errorf("link: %s", r.Body)
			}
			if row.on == nil {
				return
			}
			row.on()
			if !there.active(t, before.Access) {
				t.Error("it does not come back")
			}
			if got := there.refresh(t, before.Refresh); got.status != http.StatusOK {
				t.Errorf("refresh afterwards: %+v", got)
			}
		})
	}
}

// TestIntrospectionIsForTheAudience: who is not meant by a token learns nothing about it.
func TestIntrospectionIsForTheAudience(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	resource := newApplication(t, s, "resource", &application.API{})
	public := newClient(t, s, "public", func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType = application.AuthNone, application.UserAgent
	})
	shop := s.Var("project")
	s.Run(t, testkit.Call{Name: "another project", Do: "POST /management/v1/projects", Body: `{"name":"Bank"}`, Keep: map[string]string{"project": "id"}, Events: projectAdded})
	foreign := newApplication(t, s, "foreign", &application.API{})
	bank := s.Var("project")
	s.Set("project", shop)
	got := web.login(t)
	if len(resource.introspect(t, got.Access)) < 10 {
		t.Error("an API of the project learns nothing")
	}
	if said := foreign.introspect(t, got.Access); len(said) != 1 || said["active"] != false {
		t.Errorf("another project's API learns %v", said)
	}
	meant := web.login(t, "scope", "openid urn:zitadel:iam:org:project:id:"+bank+":aud")
	if said := foreign.introspect(t, meant.Access); said["active"] != true || !slices.Contains(said["aud"].([]any), any(bank)) {
		t.Errorf("an API that is meant learns %v", said)
	}
	for name, token := range map[string]string{"a refresh token": got.Refresh, "an ID token": got.ID, "a session's": s.TokenOf(t, "login"), "nothing like one": "x", "no text": "\x00\xff"} {
		if said := resource.introspect(t, token); len(said) != 1 || said["active"] != false {
			t.Errorf("%s: %v", name, said)
		}
	}
	form := values("token", got.Access)
	if r := public.post(t, "/oauth/v2/introspect", form); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), "invalid_request") {
		t.Errorf("a client without a proof: %d %s", r.Status, r.Body)
	}
	wrong := resource
	wrong.secret += "x"
	if r := wrong.post(t, "/oauth/v2/introspect", values("token", got.Access)); r.Status != http.StatusUnauthorized || strings.Contains(string(r.Body), `"active"`) {
		t.Errorf("a wrong secret: %d %s", r.Status, r.Body)
	}
	if r := web.post(t, "/oauth/v2/introspect", values()); r.Status != http.StatusBadRequest {
		t.Errorf("no token: %d %s", r.Status, r.Body)
	}
	other := newClient(t, s, "other")
	if r := other.post(t, "/oauth/v2/revoke", values("token", got.Access)); r.Status != http.StatusForbidden || !web.active(t, got.Access) {
		t.Errorf("another client revokes: %d %s", r.Status, r.Body)
	}
	if r := other.post(t, "/oauth/v2/revoke", values("token", got.Refresh)); r.Status != http.StatusForbidden || !web.active(t, got.Access) {
		t.Errorf("another client revokes: %d %s", r.Status, r.Body)
	}
	if r := web.post(t, "/oauth/v2/revoke", values("token", "unknown")); r.Status != http.StatusOK {
		t.Errorf("revoke what is not there: %d %s", r.Status, r.Body)
	}
	if r := web.post(t, "/oauth/v2/revoke", values("token", got.Access)); r.Status != http.StatusOK || web.active(t, got.Access) {
		t.Errorf("revoke: %d %s", r.Status, r.Body)
	}
	if again := web.refresh(t, got.Refresh); again.status != http.StatusOK {
		t.Errorf("the family goes on: %+v", again)
	}
}

// TestAlteredTokens: no token that differs by a bit, or by its length, is one.
func TestAlteredTokens(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	jwts := newClient(t, s, "jwts", func(c *application.OIDC) { c.AccessTokenType = 1 })
	userinfo := func(token string) int {
		return s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/userinfo", Header: map[string]string{"Authorization": "Bearer " + token}}).Status
	}
	for _, token := range []string{web.login(t).Access, jwts.login(t).Access} {
		if userinfo(token) != http.StatusOK {
			t.Fatal("the token itself is refused")
		}
		for n := range len(token) {
			if userinfo(token[:n]) == http.StatusOK {
				t.Errorf("cut to %d characters it counts", n)
			}
			if n > 0 && len(token) < 200 && userinfo(token+token[:n]) == http.StatusOK {
				t.Errorf("longer by %d characters it counts", n)
			}
			for bit := range 7 {
				if len(token) > 200 && (n+bit)%7 != 0 { // A long one is altered in each place once.
					continue
				}
				altered := []byte(token)
				altered[n] ^= 1 << bit
				if altered[n] < '!' || altered[n] > '~' { // No header can hold it.
					continue
				}
				if userinfo(string(altered)) == http.StatusOK {
					t.Errorf("bit %d of character %d: it counts", bit, n)
				}
			}
		}
	}
	refresh := web.login(t).Refresh
	for n := range len(refresh) {
		altered := []byte(refresh)
		altered[n] ^= 1
		if got := web.refresh(t, string(altered)); got.status == http.StatusOK {
			t.Errorf("a refresh token, altered at %d, counts", n)
		}
	}
	if got := web.refresh(t, refresh); got.status != http.StatusOK {
		t.Errorf("an invented refresh token ended the family: %+v", got)
	}
}
