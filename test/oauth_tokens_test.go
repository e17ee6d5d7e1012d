package test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

func userinfo(t testing.TB, s *testkit.Server, token string) (int, map[string]any) {
	t.Helper()
	r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/userinfo", Header: map[string]string{"Authorization": "Bearer " + token}})
	var out map[string]any
	if err := json.Unmarshal(r.Body, &out); err != nil {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return r.Status, out
}

// TestJWTAccessToken: an application can have access tokens that say what they are
// worth, signed with a published key; they end like the others.
func TestJWTAccessToken(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	web := newClient(t, s, "jwts", func(c *application.OIDC) { c.AccessTokenType = 1 })
	got := web.login(t, "scope", "openid profile "+apiScope)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/keys"}).Body, &set); err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(got.Access, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	h := parsed.Headers[0]
	var claims map[string]any
	if err := parsed.Claims(set.Key(h.KeyID)[0].Key, &claims); err != nil {
		t.Fatal(err)
	}
	if h.ExtraHeaders["typ"] != "at+jwt" || claims["iss"] != "http://localhost" || claims["sub"] != s.Var("ada") || claims["client_id"] != web.id || claims["jti"] == "" ||
		claims["scope"] != "openid profile "+apiScope || claims["exp"].(float64)-claims["iat"].(float64) != float64(got.Expires) {
		t.Errorf("%v %v", h.ExtraHeaders, claims)
	}
	aud, _ := json.Marshal(claims["aud"])
	if !strings.Contains(string(aud), web.id) || !strings.Contains(string(aud), s.Var("project")) || !strings.Contains(string(aud), "http://localhost") {
		t.Errorf("aud is %s", aud)
	}
	if said := web.introspect(t, got.Access); said["jti"] != claims["jti"] {
		t.Errorf("introspection says %v", said)
	}
	s.SetToken("jwt", got.Access)
	s.Run(t, me("our own API", "jwt", 200))
	web.post(t, "/oauth/v2/revoke", values("token", got.Access))
	s.Run(t, me("no longer", "jwt", 401))
	if web.active(t, got.Access) {
		t.Error("a revoked JWT counts")
	}
}

// TestForgedTokens: what is not issued here is no token, whatever it says of itself; nor
// is a token of one kind one of another.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	web := newClient(t, s, "jwts", func(c *application.OIDC) { c.AccessTokenType = 1 })
	got := web.login(t, "scope", "openid "+apiScope)
	jwks := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/keys"}).Body
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(jwks, &set); err != nil {
		t.Fatal(err)
	}
	parts, idParts := strings.Split(got.Access, "."), strings.Split(got.ID, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	idPayload, _ := base64.RawURLEncoding.DecodeString(idParts[1])
	kid := set.Keys[0].KeyID
	enc := func(v map[string]any) string {
		data, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(data)
	}
	own := rsaKey(t)
	sign := func(alg jose.SignatureAlgorithm, key any, headers map[string]any, payload []byte) string {
		var claims map[string]any
		_ = json.Unmarshal(payload, &claims)
		return assertion(t, alg, key, kid, headers, claims)
	}
	publicPEM, _ := json.Marshal(set.Keys[0])
	forged := func(payload []byte, typ string) map[string]string {
		p := base64.RawURLEncoding.EncodeToString(payload)
		return map[string]string{
			"alg none":                enc(map[string]any{"alg": "none", "typ": typ, "kid": kid}) + "." + p + ".",
			"alg none, signed":        enc(map[string]any{"alg": "none", "typ": typ, "kid": kid}) + "." + p + "." + parts[2],
			"HS256, the public key":   sign(jose.HS256, publicPEM, map[string]any{"typ": typ}, payload),
			"another key":             sign(jose.RS256, own, map[string]any{"typ": typ}, payload),
			"its own key in jwk":      sign(jose.RS256, own, map[string]any{"typ": typ, "jwk": jose.JSONWebKey{Key: own.Public(), KeyID: kid}}, payload),
			"a jku":                   sign(jose.RS256, own, map[string]any{"typ": typ, "jku": "https://evil.com/keys"}, payload),
			"an x5u":                  sign(jose.RS256, own, map[string]any{"typ": typ, "x5u": "https://evil.com/cert"}, payload),
			"a path as kid":           assertion(t, jose.RS256, own, "../../etc/passwd", map[string]any{"typ": typ}, map[string]any{"iss": "http://localhost"}),
			"crit":                    sign(jose.RS256, own, map[string]any{"typ": typ, "crit": []string{"exp"}}, payload),
			"two signatures":          `{"payload":"` + p + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"},{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`,
			"JWE":                     "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d",
			"another payload":         parts[0] + "." + base64.RawURLEncoding.EncodeToString(append([]byte(" "), payload...)) + "." + parts[2],
			"the signature of others": parts[0] + "." + p + "." + idParts[2],
		}
	}
	for name, token := range forged(payload, "at+jwt") {
		if status, _ := userinfo(t, s, token); status != http.StatusUnauthorized && status != http.StatusBadRequest {
			t.Errorf("%s: userinfo %d", name, status)
		}
		if said := web.introspect(t, token); said["active"] != false {
			t.Errorf("%s: %v", name, said)
		}
		s.SetToken("forged", token)
		s.Run(t, me(name, "forged", 401))
	}
	hints := forged(idPayload, "JWT")
	hints["an access token"] = got.Access
	for name, token := range hints {
		if name == "the signature of others" { // Here it is the ID token itself.
			token = idParts[0] + "." + idParts[1] + "." + parts[2]
		}
		if to, _ := web.authorize(t, "id_token_hint", token); to == nil || to.Query().Get("error") != "invalid_request" {
			t.Errorf("%s as a hint: %v", name, to)
		}
		if r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/end_session?id_token_hint=" + strings.ReplaceAll(token, `"`, "%22")}); r.Status != http.StatusBadRequest {
			t.Errorf("%s as a hint to end: %d %s", name, r.Status, r.Body)
		}
	}
	web.begin(t, "id_token_hint", got.ID)
	s.SetToken("id", got.ID)
	s.Run(t, me("an ID token at our API", "id", 401))
	if status, _ := userinfo(t, s, got.ID); status != http.StatusUnauthorized {
		t.Errorf("an ID token at userinfo: %d", status)
	}
	refusedWith(t, "an access token as refresh token", web.refresh(t, got.Access), "invalid_grant", "OIDC-refresh")
	refusedWith(t, "an ID token as code", web.redeem(t, got.ID), "invalid_grant", "OIDC-code")
}

// TestOurOwnAudience: our API takes a token that is meant for it, for as long as a
// session with the same checks would do, and gives no power over the session.
func TestOurOwnAudience(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	s.SetToken("meant", web.login(t, "scope", "openid "+apiScope).Access)
	s.SetToken("other", web.login(t, "scope", "openid").Access)
	s.Run(t,
		testkit.Call{Name: "meant for it", As: "meant", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"$ada"}}`},
		me("not meant for it", "other", 401),
		testkit.Call{Name: "no power over the session", As: "meant", Do: "PATCH /v2/sessions/$login", Body: `{"metadata":{"a":"Yg=="}}`, Status: 404},
		testkit.Call{Name: "of one's own, of course", As: "meant", Do: "GET /v2/sessions/$login", Want: `{"session":{"id":"$login"}}`},
		testkit.Call{Name: "deactivate the application", Do: "POST /management/v1/projects/$project/apps/" + web.app + "/_deactivate", Body: `{}`, Events: []string{"project.application.deactivated"}},
		me("of an application that is not active", "meant", 401),
		testkit.Call{Name: "reactivate", Do: "POST /management/v1/projects/$project/apps/" + web.app + "/_reactivate", Body: `{}`, Events: []string{"project.application.reactivated"}},
		me("active again", "meant", 200),
	)
	demandSecond(t, s)
	s.Run(t,
		testkit.Call{Name: "the policy demands more", As: "meant", Do: "GET /auth/v1/users/me", Status: 401, Want: `{"details":[{"id":"AUTH-assurance"}]}`},
		testkit.Call{Name: "back", Do: "DELETE " + loginPath, Events: []string{"org.policy.login.removed"}},
		me("again", "meant", 200),
		testkit.Call{Name: "end the session", As: "client", Do: "DELETE /v2/sessions/$login", Body: `{"sessionToken":"` + s.TokenOf(t, "login") + `"}`, Events: []string{"session.terminated", "oidc_session.access_token.revoked", "oidc_session.access_token.revoked"}},
		me("of a session that ended", "meant", 401),
	)
}

// TestClientsProveThemselves: each by the way that it registered, and a signed proof
// once.
func TestClientsProveThemselves(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	post := newClient(t, s, "post", func(c *application.OIDC) { c.AuthMethod = application.AuthPost })
	signed := newClient(t, s, "signed", func(c *application.OIDC) { c.AuthMethod = application.AuthPrivateKeyJWT })
	public := newClient(t, s, "public", func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType = application.AuthNone, application.UserAgent
	})
	key := rsaKey(t)
	addAppKey(t, s, signed, "appKey", key)
	bare := func(c client) client {
		c.secret, c.public = "", false
		return c
	}
	const jwtType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	proof := func(changes map[string]any, headers map[string]any) string {
		now := s.Clock.Now().Unix()
		c := map[string]any{"iss": signed.id, "sub": signed.id, "aud": "http://localhost", "iat": now, "exp": now + 300, "jti": t.Name() + s.Clock.Now().String()}
		for name, value := range changes {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
		return assertion(t, jose.RS256, key, s.Var("appKey"), headers, c)
	}
	good := func(name string, got tokens) {
		t.Helper()
		if got.status != http.StatusOK {
			t.Errorf("%s: %+v", name, got)
		}
	}
	good("basic", web.redeem(t, web.code(t)))
	good("post", bare(post).redeem(t, post.code(t), "client_id", post.id, "client_secret", post.secret))
	good("none", public.redeem(t, public.code(t)))
	good("signed", signed.redeem(t, signed.code(t), "client_assertion_type", jwtType, "client_assertion", proof(nil, nil)))
	good("signed, for the endpoint", signed.redeem(t, signed.code(t), "client_id", signed.id, "client_assertion_type", jwtType, "client_assertion", proof(map[string]any{"aud": "http://localhost/oauth/v2/token"}, nil)))
	for _, c := range []struct {
		name string
		got  tokens
	}{
		{"no secret", bare(web).redeem(t, web.code(t), "client_id", web.id)},
		{"an empty secret", bare(web).redeem(t, web.code(t), "client_id", web.id, "client_secret", " ")},
		{"the other way", bare(web).redeem(t, web.code(t), "client_id", web.id, "client_secret", web.secret)},
		{"the other way round", post.redeem(t, post.code(t))},
		{"a signed proof of who has a secret", bare(web).redeem(t, web.code(t), "client_id", web.id, "client_assertion_type", jwtType, "client_assertion", proof(map[string]any{"iss": web.id, "sub": web.id}, nil))},
		{"another's name", bare(web).redeem(t, web.code(t), "client_id", public.id, "client_secret", web.secret)},
		{"nobody", bare(web).redeem(t, web.code(t))},
		{"a public client, with a secret", bare(public).redeem(t, public.code(t), "client_id", public.id, "client_secret", web.secret)},
		{"signed, but shows nothing", bare(signed).redeem(t, signed.code(t), "client_id", signed.id)},
	} {
		refusedWith(t, c.name, c.got, "invalid_client", "OIDC-client-proof")
	}
	refusedWith(t, "two ways", web.redeem(t, web.code(t), "client_id", web.id, "client_secret", web.secret), "invalid_request", "one way")
	now := s.Clock.Now().Unix()
	for name, p := range map[string]string{
		"no id":             proof(map[string]any{"jti": nil}, nil),
		"a list":            proof(map[string]any{"aud": []string{"http://localhost"}}, nil),
		"another audience":  proof(map[string]any{"aud": "http://evil.com"}, nil),
		"no audience":       proof(map[string]any{"aud": nil}, nil),
		"another issuer":    proof(map[string]any{"iss": web.id}, nil),
		"no end":            proof(map[string]any{"exp": nil}, nil),
		"ended":             proof(map[string]any{"exp": now - 60}, nil),
		"ends late":         proof(map[string]any{"exp": now + 7200}, nil),
		"no beginning":      proof(map[string]any{"iat": nil}, nil),
		"begins later":      proof(map[string]any{"nbf": now + 60}, nil),
		"made long ago":     proof(map[string]any{"iat": now - 7200}, nil),
		"an end that is no": proof(map[string]any{"exp": "soon"}, nil),
		"another key":       assertion(t, jose.RS256, rsaKey(t), s.Var("appKey"), nil, map[string]any{"iss": signed.id, "sub": signed.id, "aud": "http://localhost", "iat": now, "exp": now + 60, "jti": "x"}),
		"no such key":       assertion(t, jose.RS256, key, "1", nil, map[string]any{"iss": signed.id, "sub": signed.id, "aud": "http://localhost", "iat": now, "exp": now + 60, "jti": "y"}),
		"another type":      proof(nil, map[string]any{"typ": "at+jwt"}),
		"not a JWT":         "abc",
	} {
		refusedWith(t, name, signed.redeem(t, signed.code(t), "client_assertion_type", jwtType, "client_assertion", p), "invalid_client", "")
	}
	once := proof(map[string]any{"jti": "once"}, nil)
	good("the first time", signed.redeem(t, signed.code(t), "client_assertion_type", jwtType, "client_assertion", once))
	node := signed
	node.s = s.Sibling(t)
	node.s.Client.CheckRedirect = s.Client.CheckRedirect
	refusedWith(t, "the second time, on another node", node.redeem(t, signed.code(t), "client_assertion_type", jwtType, "client_assertion", once), "invalid_client", "OIDC-assertion-used")
}

// addAppKey gives an application the public part of a key and keeps its id as name.
func addAppKey(t *testing.T, s *testkit.Server, c client, name string, key crypto.Signer) {
	t.Helper()
	addAppKeyUntil(t, s, c, name, key, time.Time{})
}

func addAppKeyUntil(t *testing.T, s *testkit.Server, c client, name string, key crypto.Signer, expires time.Time) {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	err = s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		s.Set(name, tx.NewID())
		_, _, err := application.AddKey(tx, c.owner, c.project, c.app, application.NewKey{ID: s.Var(name), Public: string(public), Expires: expires})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestClaims: the scopes say what a client learns, and the application where.
func TestClaims(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	asserting := newClient(t, s, "asserting", func(c *application.OIDC) {
		c.AccessTokenType, c.AccessTokenRoleAssertion, c.IDTokenRoleAssertion, c.IDTokenUserinfoAssertion, c.FlatRolesClaim = 1, true, true, true, true
	})
	s.Run(t,
		testkit.Call{Name: "roles", Do: "POST /management/v1/projects/$project/roles/_bulk", Body: `{"roles":[{"key":"reader","displayName":"R"},{"key":"writer","displayName":"W"}]}`, Events: []string{"project.role.added", "project.role.added"}},
		testkit.Call{Name: "grant", Do: "POST /management/v1/users/$ada/grants", Body: `{"projectId":"$project","roleKeys":["writer","reader"]}`, Keep: map[string]string{"grant": "userGrantId"}, Events: []string{"user.grant.added"}},
		testkit.Call{Name: "metadata", Do: "POST /management/v1/users/$ada/metadata/team", Body: `{"value":"Ymx1ZT8/"}`, Events: []string{"user.metadata.set"}},
		testkit.Call{Name: "organization", Do: "GET /management/v1/orgs/me", Keep: map[string]string{"domain": "org.primaryDomain", "name": "org.name"}},
	)
	const roles, owner = "urn:zitadel:iam:org:project:roles", "urn:zitadel:iam:user:resourceowner:"
	given := map[string]any{"writer": map[string]any{s.OrgID: s.Var("domain")}, "reader": map[string]any{s.OrgID: s.Var("domain")}}
	said := func(c client, scope string) map[string]any {
		t.Helper()
		_, out := userinfo(t, s, c.login(t, "scope", scope).Access)
		return out
	}
	for scope, want := range map[string]map[string]any{
		"openid":                               {"sub": s.Var("ada"), "name": nil, "email": nil, "phone_number": nil, owner + "id": nil},
		"openid profile":                       {"name": "ada Example", "given_name": "ada", "family_name": "Example", "preferred_username": "ada", "locale": "de", "email": nil},
		"openid email":                         {"email": "ada@example.com", "email_verified": true, "name": nil},
		"openid phone":                         {"phone_number": "+41791234567", "phone_number_verified": false},
		"openid urn:zitadel:iam:user:metadata": {"urn:zitadel:iam:user:metadata": map[string]any{"team": "Ymx1ZT8_"}},
		"openid urn:zitadel:iam:user:resourceowner":                                    {owner + "id": s.OrgID, owner + "name": s.Var("name"), owner + "primary_domain": s.Var("domain")},
		"openid urn:zitadel:iam:org:domain:primary:" + s.Var("domain"):                 {"urn:zitadel:iam:org:domain:primary": s.Var("domain")},
		"openid urn:zitadel:iam:org:projects:roles":                                    {roles: given, "urn:zitadel:iam:org:project:" + s.Var("project") + ":roles": given, "roles": nil},
		"openid urn:zitadel:iam:org:project:role:reader":                               {roles: map[string]any{"reader": given["reader"]}},
		"openid urn:zitadel:iam:org:projects:roles urn:zitadel:iam:org:roles:id:other": {roles: nil},
	} {
		got := said(web, scope)
		for name, value := range want {
			if !reflect.DeepEqual(got[name], value) {
				t.Errorf("%s: %s is %v, want %v", scope, name, got[name], value)
			}
		}
	}
	tokens := asserting.login(t, "scope", "openid profile urn:zitadel:iam:org:projects:roles")
	for name, claims := range map[string]map[string]any{"access token": claimsOf(t, tokens.Access), "ID token": claimsOf(t, tokens.ID)} {
		if !reflect.DeepEqual(claims[roles], given) || !reflect.DeepEqual(claims["roles"], []any{"reader", "writer"}) {
			t.Errorf("%s: %v", name, claims)
		}
	}
	if id := claimsOf(t, tokens.ID); id["name"] != "ada Example" {
		t.Errorf("the ID token: %v", id)
	}
	if id := claimsOf(t, web.login(t).ID); id["name"] != nil || id["email"] != nil {
		t.Errorf("an ID token that nobody asked to say more: %v", id)
	}
	token := web.login(t, "scope", "openid urn:zitadel:iam:org:projects:roles").Access
	for _, step := range []struct{ name, off, body, on string }{
		{"deactivated grant", "POST /management/v1/users/$ada/grants/$grant/_deactivate", `{}`, "POST /management/v1/users/$ada/grants/$grant/_reactivate"},
		{"removed role", "DELETE /management/v1/projects/$project/roles/reader", ``, ""},
		{"removed grant", "DELETE /management/v1/users/$ada/grants/$grant", ``, ""},
	} {
		if r := s.Send(t, testkit.Call{Do: step.off, Body: step.body}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.name, r.Body)
		}
		_, info := userinfo(t, s, token)
		left, _ := info[roles].(map[string]any)
		if left["reader"] != nil || step.name != "removed role" && left != nil || !reflect.DeepEqual(web.introspect(t, token)[roles], info[roles]) {
			t.Errorf("%s: %v", step.name, info)
		}
		if step.on != "" {
			s.Send(t, testkit.Call{Do: step.on, Body: `{}`})
		}
	}
}

// TestUserinfo: by both methods, with the token in one place, for tokens that are for it.
func TestUserinfo(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	got := web.login(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	s.SetToken("ok", got.Access)
	s.SetToken("plain", web.login(t, "scope", "profile").Access)
	s.Run(t,
		testkit.Call{Name: "GET", As: "ok", Do: "GET /oidc/v1/userinfo", Want: `{"sub":"$ada","email":"ada@example.com","updated_at":"*"}`},
		testkit.Call{Name: "POST", As: "ok", Do: "POST /oidc/v1/userinfo", Want: `{"sub":"$ada"}`},
		testkit.Call{Name: "POST, in the form", As: "nobody", Do: "POST /oidc/v1/userinfo", Body: "access_token=" + got.Access, Header: form, Want: `{"sub":"$ada"}`},
		testkit.Call{Name: "twice", As: "ok", Do: "POST /oidc/v1/userinfo", Body: "access_token=" + got.Access, Header: form, Status: 400, Want: `{"error":"invalid_request"}`},
		testkit.Call{Name: "in the address", As: "nobody", Do: "GET /oidc/v1/userinfo?access_token=" + got.Access, Status: 401},
		testkit.Call{Name: "no token", As: "nobody", Do: "GET /oidc/v1/userinfo", Status: 401, Want: `{"error":"invalid_token"}`},
		testkit.Call{Name: "another scheme", As: "nobody", Do: "GET /oidc/v1/userinfo", Header: map[string]string{"Authorization": "Basic YTpi"}, Status: 400},
		testkit.Call{Name: "not for openid", As: "plain", Do: "GET /oidc/v1/userinfo", Status: 403, Want: `{"error":"insufficient_scope"}`},
		testkit.Call{Name: "a personal access token", As: "client", Do: "GET /oidc/v1/userinfo", Status: 403},
		testkit.Call{Name: "a session's token", As: "login", Do: "GET /oidc/v1/userinfo", Status: 401},
		testkit.Call{Name: "another method", As: "ok", Do: "PUT /oidc/v1/userinfo", Status: 405},
	)
	r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/userinfo", Header: map[string]string{"Authorization": "Bearer x"}})
	if h := r.Header.Get("WWW-Authenticate"); !strings.Contains(h, `error="invalid_token"`) {
		t.Errorf("WWW-Authenticate is %q", h)
	}
}

// TestEndSession: an ID token ends its session, and the browser goes where the
// application registered that it may; without one a page asks what is to end.
func TestEndSession(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	other := newClient(t, s, "other")
	got := web.login(t)
	const bye = "https://app.example.com/bye"
	end := func(pairs ...string) testkit.Reply {
		t.Helper()
		return s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/end_session?" + values(pairs...).Encode(), Header: map[string]string{"Accept": "text/html"}})
	}
	for name, pairs := range map[string][]string{
		"another address":       {"id_token_hint", got.ID, "post_logout_redirect_uri", bye + "/"},
		"an address of no hint": {"post_logout_redirect_uri", bye},
		"another client":        {"id_token_hint", got.ID, "client_id", other.id},
		"a redirect URI":        {"id_token_hint", got.ID, "post_logout_redirect_uri", redirectURI},
		"a script":              {"id_token_hint", got.ID, "post_logout_redirect_uri", "javascript:alert(1)"},
	} {
		r := end(pairs...)
		if r.Header.Get("Location") != "" || r.Status != http.StatusBadRequest || !web.active(t, got.Access) {
			t.Errorf("%s: %d %s", name, r.Status, r.Header.Get("Location"))
		}
	}
	if r := end(); r.Header.Get("Location") != "/ui/login/logout" || !web.active(t, got.Access) {
		t.Errorf("without a hint: %d %s", r.Status, r.Header.Get("Location"))
	}
	s.Clock.Advance(24 * time.Hour) // A hint may have expired.
	r := end("id_token_hint", got.ID, "client_id", web.id, "post_logout_redirect_uri", bye, "state", "a b")
	if r.Status != http.StatusSeeOther || r.Header.Get("Location") != bye+"?state=a+b" {
		t.Errorf("%d %s", r.Status, r.Header.Get("Location"))
	}
	if e := s.Events(t); e[len(e)-2] != "session.terminated" || e[len(e)-1] != "oidc_session.refresh_token.revoked" {
		t.Errorf("events %v", e)
	}
	refusedWith(t, "refresh", web.refresh(t, got.Refresh), "invalid_grant", "OIDC-refresh")
	if r := end("id_token_hint", got.ID); r.Status != http.StatusOK {
		t.Errorf("again: %d %s", r.Status, r.Body)
	}
	if r := end("id_token_hint", got.ID, "post_logout_redirect_uri", bye); r.Header.Get("Location") != bye {
		t.Errorf("back to the address as it is: %s", r.Header.Get("Location"))
	}
}

// TestDiscovery: each instance says what it offers, and clients need not load it twice.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	web.login(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth/v2/keys"} {
		call := testkit.Call{As: "nobody", Do: "GET " + path}
		r := s.Send(t, call)
		etag := r.Header.Get("ETag")
		if r.Status != http.StatusOK || etag == "" || r.Header.Get("Cache-Control") != "public, max-age=300" || r.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %v", path, r.Status, r.Header)
		}
		call.Header = map[string]string{"If-None-Match": `"x", W/` + etag}
		if r := s.Send(t, call); r.Status != http.StatusNotModified || len(r.Body) > 0 {
			t.Errorf("%s, known: %d %s", path, r.Status, r.Body)
		}
		if r := s.Send(t, testkit.Call{As: "nobody", Do: "GET " + path, Host: "evil.com"}); r.Status != http.StatusNotFound {
			t.Errorf("%s of another host: %d", path, r.Status)
		}
	}
	doc := s.Send(t, testkit.Call{As: "nobody", Do: "GET /.well-known/openid-configuration", Host: "LOCALHOST.:8080"}).JSON(t).(map[string]any)
	if doc["issuer"] != "http://localhost" || doc["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("%v", doc)
	}
	if !reflect.DeepEqual(doc["response_types_supported"], []any{"code", "id_token", "id_token token"}) || doc["request_parameter_supported"] != true || doc["request_uri_parameter_supported"] != false {
		t.Errorf("%v", doc)
	}
	for _, name := range []string{"dpop_signing_alg_values_supported", "request_object_signing_alg_values_supported"} {
		if algs, _ := doc[name].([]any); !slices.Contains(algs, any("ES256")) || slices.Contains(algs, any("none")) || slices.Contains(algs, any("HS256")) {
			t.Errorf("%s are %v", name, algs)
		}
	}
	for name, value := range doc {
		if at, ok := value.(string); ok && strings.HasSuffix(name, "_endpoint") {
			path := strings.TrimPrefix(at, "http://localhost")
			if r := s.Send(t, testkit.Call{As: "nobody", Do: "POST " + path}); r.Status == http.StatusNotFound {
				t.Errorf("%s: nothing is at %s", name, at)
			}
		}
	}
}
