package test

import (
	"context"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// newImplicit adds an application of a browser that gets its tokens without a code.
func newImplicit(t *testing.T, s *testkit.Server, edits ...func(*application.OIDC)) client {
	t.Helper()
	return newClient(t, s, "implicit", append([]func(*application.OIDC){func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType = application.AuthNone, application.UserAgent
		c.ResponseTypes, c.GrantTypes = []int32{application.ResponseIDToken, application.ResponseIDTokenToken}, []int32{application.GrantImplicit, application.GrantRefresh}
	}}, edits...)...)
}

// front links ada's session to a request, and gives what her browser then gets here.
func (c client) front(t testing.TB, changes ...string) testkit.Reply {
	t.Helper()
	r := c.link(t, c.begin(t, append([]string{"code_challenge", "", "code_challenge_method", ""}, changes...)...), "login")
	to, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
	if !strings.HasPrefix(to, "http://localhost/oauth/v2/authorize/answer?id=") {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return c.fetch(t, to)
}

func (c client) fetch(t testing.TB, to string) testkit.Reply {
	t.Helper()
	return c.s.Send(t, testkit.Call{As: "nobody", Do: "GET " + mustParse(t, to).RequestURI()})
}

// fragment is what the browser brings to the client behind #.
func fragment(t testing.TB, r testkit.Reply) url.Values {
	t.Helper()
	to := mustParse(t, r.Header.Get("Location"))
	q, err := url.ParseQuery(to.Fragment)
	if err != nil || r.Status != http.StatusSeeOther || to.RawQuery != "" || to.Scheme+"://"+to.Host+to.Path != redirectURI {
		t.Fatalf("%d %s %s", r.Status, to, r.Body)
	}
	return q
}

// TestImplicit: an application that is set up for it gets its tokens by way of the
// browser, behind # or posted, for a login like any other.
func TestImplicit(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	c := newImplicit(t, s)
	ctx := oidc.ClientContext(context.Background(), s.Client)
	provider, err := oidc.NewProvider(ctx, "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	verify := func(q url.Values) *oidc.IDToken {
		t.Helper()
		id, err := provider.Verifier(&oidc.Config{ClientID: c.id, Now: s.Clock.Now}).Verify(ctx, q.Get("id_token"))
		if err != nil || id.Nonce != "the nonce" || id.Subject != s.Var("ada") || q.Get("state") != "the state" || q.Get("iss") != "http://localhost" || q.Has("code") || q.Has("refresh_token") {
			t.Fatalf("%v: %v %+v", q, err, id)
		}
		return id
	}
	for _, kind := range []string{"id_token token", "token id_token"} {
		q := fragment(t, c.front(t, "response_type", kind))
		id := verify(q)
		if err := id.VerifyAccessToken(q.Get("access_token")); err != nil || q.Get("token_type") != "Bearer" || q.Get("expires_in") == "" || q.Get("scope") != "openid profile email" || !web.active(t, q.Get("access_token")) {
			t.Errorf("%s: %v %v", kind, q, err)
		}
		if said := claimsOf(t, q.Get("id_token")); said["name"] != nil || said["c_hash"] != nil || said["sid"] != s.Var("login") || !reflect.DeepEqual(said["amr"], []any{"pwd"}) || said["acr"] == nil {
			t.Errorf("%s: %v", kind, said)
		}
	}
	if e := s.Events(t); !slices.Equal(e[len(e)-2:], []string{"oidc_session.added", "oidc_session.access_token.added"}) {
		t.Errorf("events %v", e)
	}
	q := fragment(t, c.front(t, "response_type", "id_token"))
	verify(q)
	if said := claimsOf(t, q.Get("id_token")); q.Has("access_token") || said["at_hash"] != nil || said["name"] != "ada Example" || said["email"] != "ada@example.com" {
		t.Errorf("an ID token alone: %v %v", q, said)
	}
	if e := s.Events(t); e[len(e)-1] != "oidc_session.added" {
		t.Errorf("events %v", e)
	}
	r := c.front(t, "response_type", "id_token token", "response_mode", "form_post")
	if r.Status != http.StatusOK || !strings.Contains(string(r.Body), `action="`+redirectURI+`"`) || !strings.Contains(string(r.Body), `name="id_token"`) || !strings.Contains(string(r.Body), `name="access_token"`) {
		t.Errorf("posted: %d %s", r.Status, r.Body)
	}
	r = c.link(t, c.begin(t, "response_type", "id_token"), "login")
	to, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
	if fragment(t, c.fetch(t, to)).Get("id_token") == "" {
		t.Error("with a challenge that nobody needs")
	}
	if r := c.fetch(t, to); r.Status != http.StatusNotFound {
		t.Errorf("a second time: %d %s", r.Status, r.Header.Get("Location"))
	}
}

// TestImplicitIsRefused: tokens go to nobody who is not set up for them, nor on a way on
// which they get lost, and rest on what all tokens rest on.
func TestImplicitIsRefused(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	c := newImplicit(t, s)
	noGrant := newClient(t, s, "no grant", func(c *application.OIDC) { c.ResponseTypes = append(c.ResponseTypes, application.ResponseIDToken) })
	idOnly := newClient(t, s, "ID only", func(c *application.OIDC) {
		c.ResponseTypes, c.GrantTypes = []int32{application.ResponseIDToken}, []int32{application.GrantImplicit}
	})
	for _, row := range []struct {
		name string
		app  client
		want string
		with []string
	}{
		{"a web application", web, "unauthorized_client", []string{"response_type", "id_token"}},
		{"without the grant", noGrant, "unauthorized_client", []string{"response_type", "id_token"}},
		{"more than it may have", idOnly, "unauthorized_client", []string{"response_type", "id_token token"}},
		{"a code", c, "unauthorized_client", []string{"response_type", "code"}},
		{"an access token alone", c, "unsupported_response_type", []string{"response_type", "token"}},
		{"hybrid", c, "unsupported_response_type", []string{"response_type", "code id_token"}},
		{"no nonce", c, "invalid_request", []string{"response_type", "id_token", "nonce", ""}},
		{"in the query", c, "invalid_request", []string{"response_type", "id_token", "response_mode", "query"}},
		{"no openid", c, "invalid_scope", []string{"response_type", "id_token token", "scope", "profile"}},
		{"bound to a key", c, "invalid_request", []string{"response_type", "id_token token", "dpop_jkt", challengeOf("x")}},
	} {
		to, r := row.app.authorize(t, row.with...)
		if to == nil {
			t.Fatalf("%s: %d %s", row.name, r.Status, r.Body)
		}
		said := to.Query()
		if to.Fragment != "" {
			said, _ = url.ParseQuery(to.Fragment)
		}
		if said.Get("error") != row.want || said.Get("state") != "the state" {
			t.Errorf("%s: %s", row.name, to)
		}
	}
	waiting := func() string {
		t.Helper()
		r := c.link(t, c.begin(t, "response_type", "id_token token"), "login")
		to, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
		return to
	}
	locked, config, moved, inactive := waiting(), waiting(), waiting(), waiting()
	s.Run(t, testkit.Call{Name: "lock", Do: "POST /management/v1/users/$ada/_lock", Body: `{}`, Events: []string{"user.locked"}})
	if q := fragment(t, c.fetch(t, locked)); q.Get("error") != "access_denied" || q.Has("id_token") || q.Get("state") != "the state" {
		t.Errorf("who is locked meanwhile: %v", q)
	}
	set := func(name, redirect string) testkit.Call {
		return testkit.Call{
			Name: name, Do: "PUT /management/v1/projects/$project/apps/" + c.app + "/oidc_config",
			Body:   `{"redirectUris":["` + redirect + `"],"responseTypes":["OIDC_RESPONSE_TYPE_ID_TOKEN"],"grantTypes":["OIDC_GRANT_TYPE_IMPLICIT"],"appType":"OIDC_APP_TYPE_USER_AGENT","authMethodType":"OIDC_AUTH_METHOD_TYPE_NONE"}`,
			Events: []string{"project.application.config.oidc.changed"},
		}
	}
	s.Run(t,
		testkit.Call{Name: "unlock", Do: "POST /management/v1/users/$ada/_unlock", Body: `{}`, Events: []string{"user.unlocked"}},
		set("it may have ID tokens only", redirectURI),
	)
	if q := fragment(t, c.fetch(t, config)); q.Get("error") != "unauthorized_client" || q.Has("access_token") {
		t.Errorf("what it may have no more: %v", q)
	}
	s.Run(t, set("its address is another one", redirectURI+"/new"))
	if r := c.fetch(t, moved); r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" {
		t.Errorf("an address that is registered no more: %d %s", r.Status, r.Header.Get("Location"))
	}
	s.Run(t, set("it is back", redirectURI), testkit.Call{Name: "deactivate", Do: "POST /management/v1/projects/$project/apps/" + c.app + "/_deactivate", Body: `{}`, Events: []string{"project.application.deactivated"}})
	if r := c.fetch(t, inactive); r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" {
		t.Errorf("an application that is not active: %d %s", r.Status, r.Header.Get("Location"))
	}
}
