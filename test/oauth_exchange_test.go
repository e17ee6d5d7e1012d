package test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	shownAccess   = "urn:ietf:params:oauth:token-type:access_token"
	shownID       = "urn:ietf:params:oauth:token-type:id_token"
	shownJWT      = "urn:ietf:params:oauth:token-type:jwt"
	shownUser     = "urn:zitadel:params:oauth:token-type:user_id"
)

// exchanging lets an application exchange tokens.
func exchanging(c *application.OIDC) {
	c.GrantTypes = append(c.GrantTypes, application.GrantTokenExchange)
}

// exchanged is an answer to an exchange.
type exchanged struct {
	tokens
	Issued string `json:"issued_token_type"`
}

// exchange exchanges an access token, with changes of the parameters.
func (c client) exchange(t testing.TB, token string, changes ...string) (out exchanged) {
	t.Helper()
	form := values(append([]string{"grant_type", exchangeGrant, "subject_token", token, "subject_token_type", shownAccess}, changes...)...)
	r := c.post(t, "/oauth/v2/token", form)
	if err := json.Unmarshal(r.Body, &out); err != nil {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	out.status = r.Status
	return out
}

// audOf is the scope that makes the project of the tests an audience.
func audOf(s *testkit.Server) string {
	return "urn:zitadel:iam:org:project:id:" + s.Var("project") + ":aud"
}

// addAgent adds a machine user with a secret, who has a token for the project, and keeps
// the token under the user's name.
func addAgent(t *testing.T, s *testkit.Server, name, role string) (agent client, token string) {
	t.Helper()
	addMachine(t, s, s.OrgID, name, role)
	s.Run(t, testkit.Call{
		Name: "secret", Do: "PUT /management/v1/users/$" + name + "/secret", Body: `{}`, Keep: map[string]string{"agentName": "clientId", "agentSecret": "clientSecret"},
		Events: []string{"user.machine.secret.set"},
	})
	agent = client{s: s, id: s.Var("agentName"), secret: s.Var("agentSecret")}
	got := agent.ask(t, "grant_type", "client_credentials", "scope", "openid profile email "+audOf(s)+" "+apiScope)
	if got.status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	return agent, got.Access
}

// impersonation sets the security setting.
func impersonation(t testing.TB, s *testkit.Server, on bool) {
	t.Helper()
	body := map[bool]string{true: `{"enableImpersonation":true}`, false: `{"enableImpersonation":false}`}[on]
	if r := s.Send(t, testkit.Call{Do: "PUT /admin/v1/policies/security", Body: body}); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// TestExchange: an API gets a token with less in it for one that it was shown.
func TestExchange(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	api := newClient(t, s, "api", exchanging)
	mine := web.login(t, "scope", "openid profile email offline_access "+apiScope)
	got := api.exchange(t, mine.Access)
	if got.status != http.StatusOK || got.Type != "Bearer" || got.Issued != shownAccess || got.Refresh != "" || got.Access == "" || got.Scope != "openid profile email "+apiScope {
		t.Fatalf("%+v", got)
	}
	if e := s.Events(t); !reflect.DeepEqual(e[len(e)-2:], []string{"oidc_session.added", "oidc_session.access_token.added"}) {
		t.Errorf("events %v", e[len(e)-3:])
	}
	said := api.introspect(t, got.Access)
	for name, want := range map[string]any{"active": true, "sub": s.Var("ada"), "client_id": api.id, "sid": s.Var("login"), "act": nil, "acr": "urn:gatehouse:acr:1fa"} {
		if !reflect.DeepEqual(said[name], want) {
			t.Errorf("introspection: %s is %v, want %v", name, said[name], want)
		}
	}
	if here := api.exchange(t, mine.Access, "audience", api.id); here.Scope != "openid profile email" {
		t.Errorf("an audience without our own API: %+v", here)
	}
	less := api.exchange(t, mine.Access, "scope", "openid", "audience", web.id, "requested_token_type", shownJWT)
	claims := claimsOf(t, less.Access)
	if less.Issued != shownJWT || less.Scope != "openid" || !reflect.DeepEqual(claims["aud"], []any{web.id}) || claims["client_id"] != api.id || claims["scope"] != "openid" || claims["sub"] != s.Var("ada") {
		t.Errorf("%+v %v", less, claims)
	}
	if web.introspect(t, less.Access)["active"] != true || api.introspect(t, less.Access)["active"] != false {
		t.Error("the token is not for whom it is meant")
	}
	if _, info := userinfo(t, s, less.Access); info["email"] != nil {
		t.Errorf("userinfo: %v", info)
	}
	id := api.exchange(t, mine.Access, "requested_token_type", shownID)
	if c := claimsOf(t, id.Access); id.Issued != shownID || id.Type != "N_A" || !reflect.DeepEqual(c["aud"], []any{api.id}) || c["sub"] != s.Var("ada") || c["at_hash"] != nil || c["sid"] != s.Var("login") {
		t.Errorf("%+v %v", id, c)
	}
	byID := newClient(t, s, "byID", exchanging)
	own := byID.login(t, "scope", "openid profile")
	if got := byID.exchange(t, own.ID, "subject_token_type", shownID); got.status != http.StatusOK || got.Scope != "openid profile" || !byID.active(t, got.Access) {
		t.Errorf("an ID token: %+v", got)
	}
	s.SetToken("api", got.Access)
	s.SetToken("less", less.Access)
	s.Run(t, me("our own API", "api", 200), me("not our own API", "less", 401))
	again := api.exchange(t, got.Access, "scope", "openid")
	if again.status != http.StatusOK || !api.active(t, again.Access) {
		t.Errorf("once more: %+v", again)
	}
	web.post(t, "/oauth/v2/revoke", values("token", mine.Access)) // The login goes on, by its refresh token.
	if web.refresh(t, mine.Refresh).status != http.StatusOK {
		t.Error("the login ended with one of its tokens")
	}
	for name, token := range map[string]string{"the token": got.Access, "with less": less.Access, "of that": again.Access} {
		if status, _ := userinfo(t, s, token); status != http.StatusUnauthorized {
			t.Errorf("%s outlives the one that it was exchanged for", name)
		}
	}
	s.Run(t, me("at our API neither", "api", 401))
}

// TestExchangeNarrows: an exchange gives less and never more, and takes only what stands
// and is for the application.
func TestExchangeNarrows(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	api := newClient(t, s, "api", exchanging)
	s.Run(t, testkit.Call{Name: "another project", Do: "POST /management/v1/projects", Body: `{"name":"Bank"}`, Keep: map[string]string{"bank": "id"}, Events: []string{"project.added", "project.member.added"}})
	shop := s.Var("project")
	s.Set("project", s.Var("bank"))
	bank := newClient(t, s, "bank-app", exchanging)
	s.Set("project", shop)
	mine := web.login(t, "scope", "openid profile offline_access")
	expired := web.login(t)
	old := api.login(t)
	s.Clock.Advance(13 * time.Hour)
	mine = web.refresh(t, mine.Refresh)
	parts := strings.Split(mine.ID, ".")
	for name, c := range map[string]struct {
		got      exchanged
		code, id string
	}{
		"a scope more":                  {api.exchange(t, mine.Access, "scope", "openid email"), "invalid_scope", "OIDC-scope-broadened"},
		"our own API":                   {api.exchange(t, mine.Access, "scope", apiScope), "invalid_scope", "OIDC-scope-broadened"},
		"another organization":          {api.exchange(t, mine.Access, "scope", "urn:zitadel:iam:org:id:1"), "invalid_scope", "OIDC-scope-broadened"},
		"another audience":              {api.exchange(t, mine.Access, "audience", bank.id), "invalid_target", "OIDC-exchange-audience"},
		"our own API as audience":       {api.exchange(t, mine.Access, "audience", "http://localhost"), "invalid_target", "OIDC-exchange-audience"},
		"a resource":                    {api.exchange(t, mine.Access, "resource", "https://x.example"), "invalid_target", "OIDC-exchange-resource"},
		"of another project":            {bank.exchange(t, mine.Access), "invalid_request", "OIDC-exchange-subject"},
		"an application that may not":   {web.exchange(t, mine.Access), "unauthorized_client", "OIDC-grant-type"},
		"expired":                       {api.exchange(t, expired.Access), "invalid_request", "OIDC-exchange-subject"},
		"an expired ID token":           {api.exchange(t, old.ID, "subject_token_type", shownID), "invalid_request", "OIDC-exchange-subject"},
		"a refresh token":               {api.exchange(t, mine.Refresh), "invalid_request", "OIDC-exchange-subject"},
		"a refresh token as such":       {api.exchange(t, mine.Refresh, "subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request", "OIDC-exchange-type"},
		"another's ID token":            {api.exchange(t, mine.ID, "subject_token_type", shownID), "invalid_request", "OIDC-exchange-subject"},
		"an ID token as access token":   {api.exchange(t, mine.ID), "invalid_request", "OIDC-exchange-subject"},
		"an access token as ID token":   {api.exchange(t, mine.Access, "subject_token_type", shownID), "invalid_request", "OIDC-exchange-subject"},
		"an ID token as JWT":            {api.exchange(t, mine.ID, "subject_token_type", shownJWT), "", ""},
		"a session's token":             {api.exchange(t, s.TokenOf(t, "login")), "invalid_request", "OIDC-exchange-subject"},
		"a personal access token":       {api.exchange(t, s.TokenOf(t, "client")), "invalid_request", "OIDC-exchange-subject"},
		"rubbish":                       {api.exchange(t, "rubbish"), "invalid_request", "OIDC-exchange-subject"},
		"a forged ID token":             {api.exchange(t, parts[0]+"."+parts[1]+".AAAA", "subject_token_type", shownID), "invalid_request", "OIDC-exchange-subject"},
		"nothing":                       {api.exchange(t, ""), "invalid_request", "subject_token"},
		"no type":                       {api.exchange(t, mine.Access, "subject_token_type", ""), "invalid_request", "subject_token_type"},
		"another type":                  {api.exchange(t, mine.Access, "subject_token_type", "x"), "invalid_request", "OIDC-exchange-type"},
		"a refresh token to be given":   {api.exchange(t, mine.Access, "requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request", "OIDC-exchange-requested"},
		"an actor without a type":       {api.exchange(t, mine.Access, "actor_token", mine.Access), "invalid_request", "OIDC-exchange-actor-type"},
		"the type of no actor":          {api.exchange(t, mine.Access, "actor_token_type", shownAccess), "invalid_request", "OIDC-exchange-actor-type"},
		"a user by their id, by nobody": {api.exchange(t, s.Var("ada"), "subject_token_type", shownUser), "invalid_request", "OIDC-exchange-no-actor"},
		"an actor of no use":            {api.exchange(t, mine.Access, "actor_token", "x", "actor_token_type", shownAccess), "invalid_request", "OIDC-exchange-actor"},
		"an actor by their id":          {api.exchange(t, mine.Access, "actor_token", s.Var("ada"), "actor_token_type", shownUser), "invalid_request", "OIDC-exchange-type"},
	} {
		if c.code == "" {
			if c.got.status != http.StatusBadRequest || c.got.Access != "" {
				t.Errorf("%s: %+v", name, c.got)
			}
			continue
		}
		refusedWith(t, name, c.got.tokens, c.code, c.id)
	}
	if got := api.exchange(t, mine.Access, "scope", "openid offline_access"); got.Refresh != "" || got.Scope != "openid" {
		t.Errorf("%+v", got)
	}
	s.Clock.Advance(11 * time.Hour)
	if got := api.exchange(t, mine.Access); got.status != http.StatusOK || got.Expires > 3600 {
		t.Errorf("the token lasts longer than the one that it is for: %+v", got)
	}
}

// TestExchangeFollowsTruth: an exchanged token rests on all that the first one rests on,
// and on its own application.
func TestExchangeFollowsTruth(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	api := newClient(t, s, "api", exchanging)
	mine := web.login(t, "scope", "openid "+apiScope)
	got := api.exchange(t, mine.Access)
	if got.status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	s.SetToken("got", got.Access)
	check := func(name string, want bool) {
		t.Helper()
		status, _ := userinfo(t, s, got.Access)
		atAPI := s.Send(t, me(name, "got", 0)).Status
		if (status == http.StatusOK) != want || (atAPI == http.StatusOK) != want {
			t.Errorf("%s: userinfo %d, our API %d", name, status, atAPI)
		}
	}
	for _, step := range []struct{ name, off, on string }{
		{"user", "POST /management/v1/users/$ada/_deactivate", "POST /management/v1/users/$ada/_reactivate"},
		{"own application", "POST /management/v1/projects/$project/apps/" + api.app + "/_deactivate", "POST /management/v1/projects/$project/apps/" + api.app + "/_reactivate"},
		{"the first one's application", "POST /management/v1/projects/$project/apps/" + web.app + "/_deactivate", "POST /management/v1/projects/$project/apps/" + web.app + "/_reactivate"},
		{"project", "POST /management/v1/projects/$project/_deactivate", "POST /management/v1/projects/$project/_reactivate"},
	} {
		check("before "+step.name, true)
		if r := s.Send(t, testkit.Call{Do: step.off, Body: `{}`}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.name, r.Body)
		}
		check(step.name, false)
		if r := s.Send(t, testkit.Call{Do: step.on, Body: `{}`}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.name, r.Body)
		}
	}
	demandSecond(t, s)
	check("a second factor is demanded", false)
	refusedWith(t, "and then exchanged", api.exchange(t, mine.Access).tokens, "invalid_request", "OIDC-exchange-subject")
	s.Run(t, testkit.Call{Name: "back", Do: "DELETE " + loginPath, Events: []string{"org.policy.login.removed"}})
	check("as before", true)
	if r := s.Send(t, testkit.Call{As: "client", Do: "DELETE /v2/sessions/$login", Body: `{"sessionToken":"` + s.TokenOf(t, "login") + `"}`}); r.Status != http.StatusOK {
		t.Fatalf("%s", r.Body)
	}
	check("the session ended", false)
}

// TestImpersonation: who has a role for it acts for somebody else, while the settings
// allow it; tokens say so, and so does the log.
func TestImpersonation(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	desk := newClient(t, s, "desk", exchanging)
	_, agent := addAgent(t, s, "agent", "ORG_END_USER_IMPERSONATOR")
	_, nobody := addAgent(t, s, "nobody", "")
	_, chief := addAgent(t, s, "chief", "ORG_ADMIN_IMPERSONATOR")
	mine := web.login(t, "scope", "openid profile "+apiScope)
	boss := person(t, s, s.OrgID, "bea")
	s.Set("bea", boss)
	s.Run(t,
		testkit.Call{Name: "an administrator", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$bea","roles":["ORG_USER_MANAGER"]}`, Events: []string{"org.member.added"}},
		testkit.Call{Name: "acme", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
	)
	s.Set("zoe", person(t, s, s.Var("acme"), "zoe"))
	actFor := func(subject, kind, actor string, more ...string) exchanged {
		t.Helper()
		return desk.exchange(t, subject, append([]string{"subject_token_type", kind, "actor_token", actor, "actor_token_type", shownAccess}, more...)...)
	}
	refusedWith403 := func(name string, got exchanged) {
		t.Helper()
		if got.status != http.StatusForbidden || got.Error != "access_denied" || !strings.Contains(got.Text, "OIDC-impersonation") || got.Access != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	refusedWith403("the settings do not allow it", actFor(s.Var("ada"), shownUser, agent))
	impersonation(t, s, true)
	refusedWith403("without a role", actFor(s.Var("ada"), shownUser, nobody))
	refusedWith403("without a role, with a token", actFor(mine.Access, shownAccess, nobody))
	refusedWith403("an administrator", actFor(s.Var("bea"), shownUser, agent))
	refusedWith403("another organization", actFor(s.Var("zoe"), shownUser, chief))
	refusedWith(t, "somebody who is not there", actFor("1", shownUser, agent).tokens, "invalid_request", "OIDC-exchange-subject")
	refusedWith(t, "a token that is not for the application", actFor(s.Var("ada"), shownUser, s.TokenOf(t, "agent")).tokens, "invalid_request", "OIDC-exchange-actor")

	before := len(s.Events(t))
	got := actFor(s.Var("ada"), shownUser, agent, "requested_token_type", shownJWT)
	if got.status != http.StatusOK || got.Refresh != "" {
		t.Fatalf("%+v", got)
	}
	if e := s.Events(t)[before:]; !reflect.DeepEqual(e, []string{"user.impersonated", "oidc_session.added", "oidc_session.access_token.added"}) {
		t.Errorf("events %v", e)
	}
	act := map[string]any{"sub": s.Var("agent"), "iss": "http://localhost"}
	claims := claimsOf(t, got.Access)
	if claims["sub"] != s.Var("ada") || !reflect.DeepEqual(claims["act"], act) || claims["auth_time"] != nil || claims["amr"] != nil {
		t.Errorf("%v", claims)
	}
	if said := desk.introspect(t, got.Access); said["sub"] != s.Var("ada") || !reflect.DeepEqual(said["act"], act) || said["given_name"] != "ada" {
		t.Errorf("introspection says %v", said)
	}
	s.SetToken("acting", got.Access)
	s.Run(t,
		testkit.Call{Name: "as ada", As: "acting", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"$ada"}}`},
		testkit.Call{Name: "the log says who", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.impersonated"]}`,
			Want: `{"events":[{"editor":{"userId":"$agent"},"aggregate":{"id":"$ada"},"payload":{"applicationId":"` + desk.app + `","actor":{"sub":"$agent","iss":"http://localhost"}}}]}`},
	)
	if got := actFor(s.Var("bea"), shownUser, chief); got.status != http.StatusOK {
		t.Errorf("an administrator, by who may: %+v", got)
	}
	both := actFor(mine.Access, shownAccess, agent, "scope", "openid")
	if said := desk.introspect(t, both.Access); both.status != http.StatusOK || !reflect.DeepEqual(said["act"], act) || said["sid"] != s.Var("login") {
		t.Errorf("delegated: %+v %v", both, said)
	}
	chained := actFor(both.Access, shownAccess, chief)
	if said := desk.introspect(t, chained.Access); !reflect.DeepEqual(said["act"], map[string]any{"sub": s.Var("chief"), "iss": "http://localhost", "act": act}) {
		t.Errorf("a chain: %+v %v", chained, said["act"])
	}
	own := desk.exchange(t, both.Access)
	if said := desk.introspect(t, own.Access); !reflect.DeepEqual(said["act"], act) {
		t.Errorf("the actor is forgotten: %v", said)
	}
	idToken := actFor(s.Var("ada"), shownUser, agent, "requested_token_type", shownID)
	if c := claimsOf(t, idToken.Access); c["sub"] != s.Var("ada") || !reflect.DeepEqual(c["act"], act) {
		t.Errorf("an ID token: %v", c)
	}
	refusedWith(t, "an ID token that says so", desk.exchange(t, idToken.Access, "subject_token_type", shownID).tokens, "invalid_request", "OIDC-exchange-subject")
	if e := s.Events(t); !slices.Contains(e[len(e)-2:], "user.impersonated") {
		t.Errorf("events %v", e[len(e)-3:])
	}
	loggedIn := desk.login(t, "scope", "openid")
	if got := desk.exchange(t, loggedIn.ID, "subject_token_type", shownID); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	acted := desk.exchange(t, loggedIn.Access, "actor_token", agent, "actor_token_type", shownAccess, "requested_token_type", shownID)
	refusedWith(t, "an ID token of a login that says who acts", desk.exchange(t, acted.Access, "subject_token_type", shownID).tokens, "invalid_request", "OIDC-exchange-subject")
	last := chained
	for range 8 {
		if last.status == http.StatusOK {
			last = actFor(last.Access, shownAccess, chief)
		}
	}
	refusedWith(t, "too long a chain", last.tokens, "invalid_request", "OIDC-exchange-chain")
}

// TestImpersonationFollowsTruth: what lets somebody act for others is looked at with each
// use of their token.
func TestImpersonationFollowsTruth(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	desk := newClient(t, s, "desk", exchanging)
	_, token := addAgent(t, s, "agent", "ORG_END_USER_IMPERSONATOR")
	impersonation(t, s, true)
	begin := func() string {
		t.Helper()
		got := desk.exchange(t, s.Var("ada"), "subject_token_type", shownUser, "actor_token", token, "actor_token_type", shownAccess)
		if got.status != http.StatusOK {
			t.Fatalf("%+v", got)
		}
		s.SetToken("acting", got.Access)
		return got.Access
	}
	acting := begin()
	check := func(name string, want bool) {
		t.Helper()
		atAPI := s.Send(t, me(name, "acting", 0)).Status
		if desk.active(t, acting) != want || (atAPI == http.StatusOK) != want {
			t.Errorf("%s: our API %d, active %v", name, atAPI, !want)
		}
	}
	for _, step := range []struct{ name, off, offBody, on, onBody string }{
		{"the actor", "POST /management/v1/users/$agent/_deactivate", `{}`, "POST /management/v1/users/$agent/_reactivate", `{}`},
		{"the subject", "POST /management/v1/users/$ada/_lock", `{}`, "POST /management/v1/users/$ada/_unlock", `{}`},
		{"the role", "PUT /management/v1/orgs/me/members/$agent", `{"roles":["ORG_USER_MANAGER"]}`, "PUT /management/v1/orgs/me/members/$agent", `{"roles":["ORG_END_USER_IMPERSONATOR"]}`},
		{"the setting", "PUT /admin/v1/policies/security", `{"enableImpersonation":false}`, "PUT /admin/v1/policies/security", `{"enableImpersonation":true}`},
		{"the subject administers", "POST /management/v1/orgs/me/members", `{"userId":"$ada","roles":["ORG_USER_MANAGER"]}`, "DELETE /management/v1/orgs/me/members/$ada", ``},
	} {
		check("before "+step.name, true)
		if r := s.Send(t, testkit.Call{Do: step.off, Body: step.offBody}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.name, r.Body)
		}
		check(step.name, false)
		if r := s.Send(t, testkit.Call{Do: step.on, Body: step.onBody}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.name, r.Body)
		}
	}
	check("as before", true)
	if r := s.Send(t, testkit.Call{Do: "DELETE /management/v1/users/$agent/secret"}); r.Status != http.StatusOK {
		t.Fatalf("%s", r.Body)
	}
	check("the actor's token ended with the secret", false)
}

// TestExchangeOfPeople: a person acts with the token of their own login, which ends with
// their session.
func TestExchangeOfPeople(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	desk := newClient(t, s, "desk", exchanging)
	impersonation(t, s, true)
	s.Set("bea", person(t, s, s.OrgID, "bea"))
	s.Run(t,
		testkit.Call{Name: "bea may", Do: "POST /admin/v1/members", Body: `{"userId":"$bea","roles":["IAM_END_USER_IMPERSONATOR"]}`, Events: []string{"instance.member.added"}},
		newSession("beas", with("bea"), "session.user.checked", "session.password.checked"),
	)
	r := desk.link(t, desk.begin(t), "beas")
	var back struct{ CallbackURL string }
	_ = json.Unmarshal(r.Body, &back)
	hers := desk.redeem(t, mustParse(t, back.CallbackURL).Query().Get("code"))
	mine := web.login(t, "scope", "openid")
	for name, actor := range map[string][]string{
		"access token": {"actor_token", hers.Access, "actor_token_type", shownAccess}, "ID token": {"actor_token", hers.ID, "actor_token_type", shownID},
	} {
		got := desk.exchange(t, mine.Access, actor...)
		if said := desk.introspect(t, got.Access); said["sub"] != s.Var("ada") || !reflect.DeepEqual(said["act"], map[string]any{"sub": s.Var("bea"), "iss": "http://localhost"}) {
			t.Errorf("%s: %+v %v", name, got, said)
		}
		s.SetToken(name, got.Access)
	}
	s.Clock.Advance(11 * time.Hour)
	late := web.login(t, "scope", "openid")
	if got := desk.exchange(t, late.Access, "actor_token", hers.Access, "actor_token_type", shownAccess); got.status != http.StatusOK || got.Expires > 3600 {
		t.Errorf("the token lasts longer than the actor's: %+v", got)
	}
	self := desk.exchange(t, mine.Access, "actor_token", mine.Access, "actor_token_type", shownAccess)
	if self.status != http.StatusOK {
		t.Errorf("one's own actor needs no role: %+v", self)
	}
	if r := s.Send(t, testkit.Call{As: "client", Do: "DELETE /v2/sessions/$beas", Body: `{"sessionToken":"` + s.TokenOf(t, "beas") + `"}`}); r.Status != http.StatusOK {
		t.Fatalf("%s", r.Body)
	}
	for _, name := range []string{"access token", "ID token"} {
		if desk.active(t, s.TokenOf(t, name)) {
			t.Errorf("%s: the token outlives the actor's session", name)
		}
	}
	if !desk.active(t, self.Access) {
		t.Error("ada's own ended with it")
	}
}

// TestExchangeOfAssertions: a machine user stands for itself with a JWT that it signs,
// once.
func TestExchangeOfAssertions(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	desk := newClient(t, s, "desk", exchanging)
	impersonation(t, s, true)
	addMachine(t, s, s.OrgID, "robot", "ORG_END_USER_IMPERSONATOR")
	key := rsaKey(t)
	addKey(t, s, "key", key, "2099-01-01T00:00:00Z")
	mine := web.login(t, "scope", "openid")
	signed := assertion(t, jose.RS256, key, s.Var("key"), nil, claims(s, map[string]any{"jti": "once"}))
	ask := func() exchanged {
		t.Helper()
		return desk.exchange(t, mine.Access, "actor_token", signed, "actor_token_type", shownJWT)
	}
	got := ask()
	if said := desk.introspect(t, got.Access); !reflect.DeepEqual(said["act"], map[string]any{"sub": s.Var("robot"), "iss": "http://localhost"}) {
		t.Fatalf("%+v %v", got, said)
	}
	refusedWith(t, "again", ask().tokens, "invalid_request", "OIDC-exchange-actor")
	refusedWith(t, "with another key", desk.exchange(t, mine.Access, "actor_token", assertion(t, jose.RS256, rsaKey(t), s.Var("key"), nil, claims(s, nil)), "actor_token_type", shownJWT).tokens, "invalid_request", "OIDC-exchange-actor")
	s.Run(t, testkit.Call{Name: "remove the key", Do: "DELETE /management/v1/users/$robot/keys/$key", Events: []string{"user.machine.key.removed"}})
	if desk.active(t, got.Access) {
		t.Error("the token outlives the actor's key")
	}
}
