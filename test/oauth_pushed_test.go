package test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// push pushes a request and gives its URI.
func (c client) push(t testing.TB, changes ...string) string {
	t.Helper()
	r := c.post(t, "/oauth/v2/par", c.request(changes...))
	if r.Status != http.StatusCreated {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	got, _ := r.JSON(t).(map[string]any)
	uri, _ := got["request_uri"].(string)
	if !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") || got["expires_in"] != 60.0 || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s", r.Body)
	}
	return uri
}

// bring brings parameters as a browser, and gives where it is sent; nil: nowhere.
func bring(t testing.TB, s *testkit.Server, pairs ...string) (*url.URL, testkit.Reply) {
	t.Helper()
	r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + values(pairs...).Encode()})
	if to := r.Header.Get("Location"); to != "" {
		return mustParse(t, to), r
	}
	return nil, r
}

// TestPushedRequests: a client says what it asks for itself, and the browser brings no
// more than the name of that (RFC 9126).
func TestPushedRequests(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	public := newClient(t, s, "public", func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType = application.AuthNone, application.UserAgent
	})
	node := s.Sibling(t)
	node.Client.CheckRedirect = s.Client.CheckRedirect
	for name, c := range map[string]client{"with a secret": web, "public": public} {
		to, r := bring(t, node, "client_id", c.id, "request_uri", c.push(t, "scope", "openid"),
			"redirect_uri", "https://evil.com/", "response_type", "token", "scope", "email", "request", "x", "state", "another")
		if to == nil || to.Query().Get("authRequest") == "" {
			t.Fatalf("%s: %v %d %s", name, to, r.Status, r.Body)
		}
		s.Set("request", to.Query().Get("authRequest"))
		s.Run(t, testkit.Call{
			Name: name, As: "client", Do: "GET /v2/oidc/auth_requests/$request",
			Want: `{"authRequest":{"clientId":"` + c.id + `","scope":["openid"],"redirectUri":"` + redirectURI + `"}}`,
		})
		r = c.link(t, s.Var("request"), "login")
		back, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
		q := mustParse(t, back).Query()
		if got := c.redeem(t, q.Get("code")); got.status != http.StatusOK || q.Get("state") != "the state" {
			t.Errorf("%s: %+v %v", name, got, q)
		}
	}
}

// TestPushedOnce: a pushed request is for its client, once and for a minute, also where
// fifty bring it; with its URI nobody can do anything else.
func TestPushedOnce(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	other := newClient(t, s, "other")
	uri := web.push(t)
	refused := func(name string, pairs ...string) {
		t.Helper()
		if to, r := bring(t, s, pairs...); to != nil || r.Status != http.StatusBadRequest {
			t.Errorf("%s: %v %d %s", name, to, r.Status, r.Body)
		}
	}
	refused("no client", "request_uri", uri)
	refused("another URI", "client_id", web.id, "request_uri", uri+"x", "redirect_uri", redirectURI)
	var good atomic.Int64
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if to, r := bring(t, s, "client_id", web.id, "request_uri", uri); to != nil && to.Query().Get("authRequest") != "" {
				good.Add(1)
			} else if r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), "invalid_request_uri") {
				t.Errorf("%v %d %s", to, r.Status, r.Body)
			}
		})
	}
	wait.Wait()
	if n := good.Load(); n != 1 {
		t.Errorf("it was good %d times", n)
	}
	stolen := web.push(t)
	refused("another client", "client_id", other.id, "request_uri", stolen)
	if got := s.Events(t); got[len(got)-1] != "auth_request.refused" {
		t.Errorf("events %v", got)
	}
	refused("then the right one", "client_id", web.id, "request_uri", stolen)
	refused("another client again", "client_id", other.id, "request_uri", stolen)
	if got := s.Events(t); got[len(got)-2] == "auth_request.refused" {
		t.Error("it was refused as a stolen one twice")
	}
	late := web.push(t)
	s.Clock.Advance(61 * time.Second)
	refused("after a minute", "client_id", web.id, "request_uri", late)
	changed := web.push(t)
	s.Run(t, testkit.Call{
		Name: "the address is registered no more", Do: "PUT /management/v1/projects/$project/apps/" + web.app + "/oidc_config",
		Body:   `{"redirectUris":["https://app.example.com/new"],"responseTypes":[0],"grantTypes":[0]}`,
		Events: []string{"project.application.config.oidc.changed"},
	})
	refused("an address that is registered no more", "client_id", web.id, "request_uri", changed)
	if r := s.Send(t, testkit.Call{As: "client", Do: "GET /v2/oidc/auth_requests/pushed:" + user.HashToken(changed)}); r.Status != http.StatusNotFound {
		t.Errorf("as a request that waits: %d %s", r.Status, r.Body)
	}
}

// TestRefusedPushes: what is wrong is told at once, to the client.
func TestRefusedPushes(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	signed := newClient(t, s, "signed", func(c *application.OIDC) { c.AuthMethod = application.AuthPrivateKeyJWT })
	bare, wrong := web, web
	bare.secret, wrong.secret = "", "x"
	for name, c := range map[string]struct {
		client
		change []string
		status int
		want   string
	}{
		"no proof":          {bare, nil, 401, "invalid_client"},
		"a wrong secret":    {wrong, nil, 401, "invalid_client"},
		"another address":   {web, []string{"redirect_uri", "https://evil.com/"}, 400, "invalid_request"},
		"another type":      {web, []string{"response_type", "token"}, 400, "unsupported_response_type"},
		"no scope":          {web, []string{"scope", ""}, 400, "invalid_scope"},
		"plain":             {web, []string{"code_challenge_method", "plain"}, 400, "invalid_request"},
		"a request_uri":     {web, []string{"request_uri", "urn:ietf:params:oauth:request_uri:x"}, 400, "invalid_request"},
		"a request object":  {web, []string{"request", "a.b.c"}, 400, "invalid_request_object"},
		"somebody's client": {web, []string{"client_id", signed.id}, 401, "invalid_client"},
	} {
		r := c.post(t, "/oauth/v2/par", c.request(c.change...))
		if got, _ := r.JSON(t).(map[string]any); r.Status != c.status || got["error"] != c.want {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	if r := web.post(t, "/oauth/v2/par?"+web.request().Encode(), web.request()); r.Status != http.StatusBadRequest {
		t.Errorf("in the address: %d", r.Status)
	}
	if r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/par"}); r.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.Status)
	}
	key := rsaKey(t)
	addAppKey(t, s, signed, "appKey", key)
	now := s.Clock.Now().Unix()
	for i, aud := range []string{"http://localhost", "http://localhost/oauth/v2/token", "http://localhost/oauth/v2/par"} {
		jwt := assertion(t, jose.RS256, key, s.Var("appKey"), nil, map[string]any{"iss": signed.id, "sub": signed.id, "aud": aud, "iat": now, "exp": now + 60, "jti": "p" + string(rune('0'+i))})
		uri := signed.push(t, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", jwt)
		if to, _ := bring(t, s, "client_id", signed.id, "request_uri", uri); to == nil || to.Query().Get("authRequest") == "" {
			t.Errorf("%s: %v", aud, to)
		}
	}
}

// TestPushedKey: a proof that comes with the request binds its code, as dpop_jkt does.
func TestPushedKey(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	web.key = ecKey(t)
	if r := web.post(t, "/oauth/v2/par", web.request("dpop_jkt", thumbprint(t, ecKey(t)))); r.Status != http.StatusBadRequest {
		t.Errorf("two keys: %d %s", r.Status, r.Body)
	}
	code := func() string {
		t.Helper()
		to, _ := bring(t, s, "client_id", web.id, "request_uri", web.push(t))
		r := web.link(t, to.Query().Get("authRequest"), "login")
		back, _ := r.JSON(t).(map[string]any)["callbackUrl"].(string)
		return mustParse(t, back).Query().Get("code")
	}
	other := web
	other.key = ecKey(t)
	refusedWith(t, "another key", other.redeem(t, code()), "invalid_grant", "OIDC-code-key")
	if got := web.redeem(t, code()); got.Type != "DPoP" {
		t.Errorf("%+v", got)
	}
}
