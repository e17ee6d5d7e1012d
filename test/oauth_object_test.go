package test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestRequestObjects: what a client signed counts, and nothing beside it (RFC 9101).
func TestRequestObjects(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	other := newClient(t, s, "other")
	key, now := rsaKey(t), s.Clock.Now().Unix()
	addAppKey(t, s, web, "appKey", key)
	addAppKey(t, s, other, "otherKey", key)
	claims := func(changes map[string]any) map[string]any {
		out := map[string]any{"iss": web.id, "aud": "http://localhost", "iat": now, "exp": now + 60, "max_age": 3600, "claims": map[string]any{"x": 1}}
		for name, list := range web.request("scope", "openid") {
			out[name] = list[0]
		}
		maps.Copy(out, changes)
		for name, value := range out {
			if value == nil {
				delete(out, name)
			}
		}
		return out
	}
	object := func(changes, headers map[string]any) string {
		return assertion(t, jose.RS256, key, s.Var("appKey"), headers, claims(changes))
	}
	good := object(nil, map[string]any{"typ": "oauth-authz-req+jwt"})
	for name, o := range map[string]string{
		"typed": good, "not typed": object(nil, nil), "an audience among others": object(map[string]any{"aud": []string{"x", "http://localhost"}}, nil),
	} {
		to, r := bring(t, s, "client_id", web.id, "request", o, "response_type", "token", "redirect_uri", "https://evil.com/", "scope", "openid email", "state", "x", "max_age", "0")
		if to == nil || to.Query().Get("authRequest") == "" {
			t.Fatalf("%s: %v %d %s", name, to, r.Status, r.Body)
		}
		s.Set("request", to.Query().Get("authRequest"))
		s.Run(t, testkit.Call{
			Name: name, As: "client", Do: "GET /v2/oidc/auth_requests/$request",
			Want: `{"authRequest":{"scope":["openid"],"redirectUri":"` + redirectURI + `","maxAge":"3600s"}}`,
		})
	}
	to, r := bring(t, s, "client_id", web.id, "request_uri", web.push(t, "request", good, "scope", "openid email"))
	if to == nil || to.Query().Get("authRequest") == "" {
		t.Errorf("pushed: %v %d %s", to, r.Status, r.Body)
	}
	if to, _ := bring(t, s, "client_id", web.id, "request", object(map[string]any{"scope": nil}, nil), "scope", "openid"); to == nil || to.Query().Get("error") != "invalid_scope" {
		t.Errorf("what the object lacks: %v", to)
	}
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"` + s.Var("appKey") + `"}`))
	for name, o := range map[string]string{
		"nothing":              "",
		"not a JWT":            "a.b.c",
		"alg none":             none + "." + parts[1] + ".",
		"alg none, signed":     none + "." + parts[1] + "." + parts[2],
		"a public key as HMAC": assertion(t, jose.HS256, []byte(strings.Repeat("k", 32)), s.Var("appKey"), nil, claims(nil)),
		"another key":          assertion(t, jose.RS256, rsaKey(t), s.Var("appKey"), nil, claims(nil)),
		"another's key":        assertion(t, jose.RS256, key, s.Var("otherKey"), nil, claims(nil)),
		"no key":               assertion(t, jose.RS256, key, "", nil, claims(nil)),
		"another type":         object(nil, map[string]any{"typ": "at+jwt"}),
		"something critical":   object(nil, map[string]any{"crit": []string{"x"}, "x": 1}),
		"another issuer":       object(map[string]any{"iss": other.id}, nil),
		"no issuer":            object(map[string]any{"iss": nil}, nil),
		"another audience":     object(map[string]any{"aud": "http://evil.com"}, nil),
		"no audience":          object(map[string]any{"aud": nil}, nil),
		"no end":               object(map[string]any{"exp": nil}, nil),
		"ended":                object(map[string]any{"exp": now - 60}, nil),
		"ends late":            object(map[string]any{"exp": now + 7200}, nil),
		"begins later":         object(map[string]any{"nbf": now + 60}, nil),
		"another client":       object(map[string]any{"client_id": other.id}, nil),
		"no client":            object(map[string]any{"client_id": nil}, nil),
		"a proof of who it is": object(map[string]any{"sub": web.id}, nil),
		"an object in it":      object(map[string]any{"request": good}, nil),
		"an address in it":     object(map[string]any{"request_uri": "https://app.example.com/r"}, nil),
	} {
		q := web.request()
		q.Set("request", o)
		r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + q.Encode()})
		to := r.Header.Get("Location")
		if got, _ := r.JSON(t).(map[string]any); to != "" || r.Status != http.StatusBadRequest || got["error"] != "invalid_request_object" {
			t.Errorf("%s: %s %d %s", name, to, r.Status, r.Body)
		}
	}
	if to, r := bring(t, s, "client_id", web.id, "request", object(map[string]any{"redirect_uri": "https://evil.com/"}, nil)); to != nil || r.Status != http.StatusBadRequest {
		t.Errorf("an address that nobody registered: %v", to)
	}
	if r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + web.request().Encode() + "&request=" + good + "&request=" + good}); r.Status != http.StatusBadRequest {
		t.Errorf("two objects: %d %s", r.Status, r.Header.Get("Location"))
	}
	asProof := web
	asProof.secret = ""
	signed := newClient(t, s, "signed", func(c *application.OIDC) { c.AuthMethod = application.AuthPrivateKeyJWT })
	refusedWith(t, "an object as proof of who the client is", asProof.ask(t, "grant_type", "authorization_code", "code", "x", "redirect_uri", redirectURI, "client_id", signed.id,
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", good), "invalid_client", "")
}

// TestRequirements: what an application demands of requests in its name, it gets from the
// next one on, also where its other settings change.
func TestRequirements(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	public := newImplicit(t, s, func(c *application.OIDC) {
		c.ResponseTypes, c.GrantTypes = append(c.ResponseTypes, application.ResponseCode), append(c.GrantTypes, application.GrantCode)
	})
	key := rsaKey(t)
	addAppKey(t, s, web, "appKey", key)
	demand := func(c client, what string) {
		t.Helper()
		s.Run(t, testkit.Call{
			Name: what, Do: "PUT /gatehouse/v1/projects/$project/applications/" + c.app + "/requirements", Body: `{` + what + `}`, Want: `{"changeDate":"*"}`,
			Events: []string{"project.application.config.oidc.changed"},
		})
	}
	pushed, plain, first := web.push(t), web.begin(t), web.login(t)
	demand(web, `"pushedRequests":true`)
	if to, _ := web.authorize(t); to.Query().Get("error") != "invalid_request" || !strings.Contains(to.Query().Get("error_description"), "OIDC-request-pushed") {
		t.Errorf("not pushed: %s", to)
	}
	for name, uri := range map[string]string{"before": pushed, "now": web.push(t)} {
		if to, _ := bring(t, s, "client_id", web.id, "request_uri", uri); to == nil || to.Query().Get("authRequest") == "" {
			t.Errorf("pushed %s: %v", name, to)
		}
	}
	if r := web.link(t, plain, "login"); r.Status != http.StatusOK {
		t.Errorf("a request that waited already: %d %s", r.Status, r.Body)
	}
	demand(web, `"signedRequests":true`)
	if to, r := web.authorize(t); to != nil || !strings.Contains(string(r.Body), "OIDC-request-signed") {
		t.Errorf("not signed: %v %s", to, r.Body)
	}
	if r := web.post(t, "/oauth/v2/par", web.request()); r.Status != http.StatusBadRequest {
		t.Errorf("not signed, but pushed: %d %s", r.Status, r.Body)
	}
	claims := map[string]any{"iss": web.id, "aud": "http://localhost", "exp": s.Clock.Now().Unix() + 60}
	for name, list := range web.request() {
		claims[name] = list[0]
	}
	object := assertion(t, jose.RS256, key, s.Var("appKey"), nil, claims)
	for name, pairs := range map[string][]string{"signed": {"client_id", web.id, "request", object}, "signed and pushed": {"client_id", web.id, "request_uri", web.push(t, "request", object)}} {
		if to, r := bring(t, s, pairs...); to == nil || to.Query().Get("authRequest") == "" {
			t.Errorf("%s: %v %s", name, to, r.Body)
		}
	}
	s.Run(t, testkit.Call{
		Name: "other settings", Do: "PUT /management/v1/projects/$project/apps/" + web.app + "/oidc_config",
		Body:   `{"redirectUris":["` + redirectURI + `"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE","OIDC_GRANT_TYPE_REFRESH_TOKEN"],"devMode":true}`,
		Events: []string{"project.application.config.oidc.changed"},
	})
	if to, _ := web.authorize(t); to != nil {
		t.Errorf("the requirement is lost: %s", to)
	}
	demand(web, `"boundTokens":true`)
	refusedWith(t, "refresh without a proof", web.refresh(t, first.Refresh), "invalid_dpop_proof", "OIDC-dpop-required")
	refusedWith(t, "a code without a proof", web.redeem(t, web.code(t)), "invalid_dpop_proof", "OIDC-dpop-required")
	web.key = ecKey(t)
	if got := web.refresh(t, first.Refresh); got.Type != "DPoP" {
		t.Errorf("refresh with a proof: %+v", got)
	}
	demand(public, `"boundTokens":true`)
	if to, _ := public.authorize(t, "response_type", "id_token token"); !strings.Contains(to.Fragment, "error=unauthorized_client") {
		t.Errorf("a token that cannot be bound: %s", to)
	}
	if r := public.front(t, "response_type", "id_token"); fragment(t, r).Get("id_token") == "" {
		t.Errorf("an ID token: %s", r.Body)
	}
}
