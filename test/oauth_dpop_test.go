package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func thumbprint(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	sum, err := crypto.Thumbprint(jose.JSONWebKey{Key: key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// athOf is how a proof names the token that it protects.
func athOf(token string) map[string]any {
	sum := sha256.Sum256([]byte(token))
	return map[string]any{"ath": base64.RawURLEncoding.EncodeToString(sum[:])}
}

// proof is a DPoP proof for a request.
func proof(t testing.TB, s *testkit.Server, key *ecdsa.PrivateKey, method, path string, changes map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": "http://localhost" + path, "iat": s.Clock.Now().Unix()}
	maps.Copy(claims, changes)
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// show makes a call with a token under a scheme and, where there is one, a proof.
func show(t testing.TB, s *testkit.Server, do, scheme, token, proof string) testkit.Reply {
	t.Helper()
	header := map[string]string{"Authorization": scheme + " " + token}
	if proof != "" {
		header["DPoP"] = proof
	}
	c := testkit.Call{As: "nobody", Do: do, Header: header}
	if strings.HasPrefix(do, "POST") {
		c.Body = "{}"
	}
	return s.Send(t, c)
}

// TestBoundTokens: a token that was asked for with a proof of a key is bound to the key,
// and says so (RFC 9449).
func TestBoundTokens(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	signed := newClient(t, s, "signed", func(c *application.OIDC) { c.AccessTokenType = 1 })
	addMachine(t, s, s.OrgID, "robot", "")
	s.Run(t, testkit.Call{
		Name: "secret", Do: "PUT /management/v1/users/$robot/secret", Body: `{}`, Keep: map[string]string{"name": "clientId", "secret": "clientSecret"},
		Events: []string{"user.machine.secret.set"},
	})
	robot := client{s: s, id: s.Var("name"), secret: s.Var("secret"), key: ecKey(t)}
	web.key, signed.key = ecKey(t), ecKey(t)
	for name, c := range map[string]struct {
		client
		got tokens
	}{
		"opaque":  {web, web.login(t, "scope", "openid "+apiScope)},
		"JWT":     {signed, signed.login(t, "scope", "openid "+apiScope)},
		"machine": {robot, robot.ask(t, "grant_type", "client_credentials", "scope", "openid "+apiScope+" urn:zitadel:iam:org:project:id:"+s.Var("project")+":aud")},
	} {
		if c.got.status != http.StatusOK || c.got.Type != "DPoP" {
			t.Errorf("%s: %+v", name, c.got)
		}
		said := web.introspect(t, c.got.Access)
		cnf, _ := said["cnf"].(map[string]any)
		if said["active"] != true || said["token_type"] != "DPoP" || cnf["jkt"] != thumbprint(t, c.key) {
			t.Errorf("%s: introspection says %v", name, said)
		}
		for _, do := range []string{"GET /oidc/v1/userinfo", "GET /auth/v1/users/me", "POST /zitadel.auth.v1.AuthService/GetMyUser"} {
			method, path, _ := strings.Cut(do, " ")
			if r := show(t, s, do, "DPoP", c.got.Access, proof(t, s, c.key, method, path, athOf(c.got.Access))); r.Status != http.StatusOK {
				t.Errorf("%s, %s: %d %s", name, do, r.Status, r.Body)
			}
		}
	}
	if cnf, _ := claimsOf(t, signed.login(t).Access)["cnf"].(map[string]any); cnf["jkt"] != thumbprint(t, signed.key) {
		t.Errorf("the JWT is bound to %v", cnf)
	}
	if got := web.refresh(t, web.login(t).Refresh); got.Type != "DPoP" {
		t.Errorf("refreshed with a proof: %+v", got)
	}
	plain := web
	plain.key = nil
	if got := plain.refresh(t, web.login(t).Refresh); got.Type != "Bearer" || plain.introspect(t, got.Access)["cnf"] != nil {
		t.Errorf("refreshed without a proof by who has a secret: %+v", got)
	}
}

// TestBoundTokensNeedTheirKey: whoever has such a token and not the key has nothing, on
// each node and at each resource.
func TestBoundTokensNeedTheirKey(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	plain := web
	web.key = ecKey(t)
	node := s.Sibling(t)
	bound, unbound := web.login(t, "scope", "openid "+apiScope).Access, plain.login(t, "scope", "openid "+apiScope).Access
	for _, do := range []string{"GET /oidc/v1/userinfo", "GET /auth/v1/users/me", "POST /zitadel.auth.v1.AuthService/GetMyUser"} {
		method, path, _ := strings.Cut(do, " ")
		good := func(changes map[string]any) string {
			all := athOf(bound)
			maps.Copy(all, changes)
			return proof(t, s, web.key, method, path, all)
		}
		used := good(nil)
		if r := show(t, s, do, "dpop", bound, used); r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", do, r.Status, r.Body)
		}
		for name, c := range map[string]struct {
			scheme, token, proof, code string
			at                         *testkit.Server
		}{
			"as Bearer":                 {"Bearer", bound, "", "invalid_token", s},
			"as Bearer, with a proof":   {"Bearer", bound, good(nil), "invalid_token", s},
			"no proof":                  {"DPoP", bound, "", "invalid_dpop_proof", s},
			"another key":               {"DPoP", bound, proof(t, s, ecKey(t), method, path, athOf(bound)), "invalid_token", s},
			"for another token":         {"DPoP", bound, good(athOf(unbound)), "invalid_dpop_proof", s},
			"for no token":              {"DPoP", bound, proof(t, s, web.key, method, path, nil), "invalid_dpop_proof", s},
			"for another method":        {"DPoP", bound, good(map[string]any{"htm": "PUT"}), "invalid_dpop_proof", s},
			"for another path":          {"DPoP", bound, good(map[string]any{"htu": "http://localhost" + path + "/x"}), "invalid_dpop_proof", s},
			"for another host":          {"DPoP", bound, good(map[string]any{"htu": "http://evil.com" + path}), "invalid_dpop_proof", s},
			"old":                       {"DPoP", bound, good(map[string]any{"iat": s.Clock.Now().Unix() - 120}), "invalid_dpop_proof", s},
			"used":                      {"DPoP", bound, used, "invalid_dpop_proof", s},
			"used, on another node":     {"DPoP", bound, used, "invalid_dpop_proof", node},
			"no proof at all":           {"DPoP", bound, "x", "invalid_dpop_proof", s},
			"one that is bound to none": {"DPoP", unbound, proof(t, s, web.key, method, path, athOf(unbound)), "invalid_token", s},
		} {
			r := show(t, c.at, do, c.scheme, c.token, c.proof)
			h := r.Header.Get("WWW-Authenticate")
			if r.Status != http.StatusUnauthorized || !strings.HasPrefix(h, "DPoP ") || !strings.Contains(h, `error="`+c.code+`"`) || !strings.Contains(h, `algs="ES256 `) {
				t.Errorf("%s, %s: %d %q %s", do, name, r.Status, h, r.Body)
			}
		}
		if r := show(t, s, do, "Bearer", unbound, "x"); r.Status != http.StatusOK {
			t.Errorf("%s: a header that nobody needs: %d %s", do, r.Status, r.Body)
		}
	}
	if r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/userinfo"}); len(r.Header.Values("WWW-Authenticate")) != 2 {
		t.Errorf("the challenges are %q", r.Header.Values("WWW-Authenticate"))
	}
	if r := s.Send(t, testkit.Call{As: "nobody", Do: "POST /oidc/v1/userinfo", Body: "access_token=" + bound, Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}); r.Status != http.StatusUnauthorized {
		t.Errorf("in a form: %d", r.Status)
	}
}

// TestProofsForTokens: a proof for the token endpoint is for one request, and a bad one
// costs the client nothing but the request.
func TestProofsForTokens(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	key := ecKey(t)
	const path = "/oauth/v2/token"
	redeem := func(c client, code, proof string) tokens {
		t.Helper()
		form := values("grant_type", "authorization_code", "code", code, "redirect_uri", c.redirect, "code_verifier", verifier, "client_id", c.id, "client_secret", c.secret)
		r := c.s.Send(t, testkit.Call{
			As: "nobody", Do: "POST " + path, Body: form.Encode(),
			Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "DPoP": proof},
		})
		out := tokens{status: r.Status}
		if err := json.Unmarshal(r.Body, &out); err != nil {
			t.Fatalf("%s", r.Body)
		}
		return out
	}
	post := newClient(t, s, "post", func(c *application.OIDC) { c.AuthMethod = application.AuthPost })
	code := post.code(t)
	for name, bad := range map[string]string{
		"nothing":        "",
		"not a JWT":      "x",
		"another path":   proof(t, s, key, "POST", path+"/", nil),
		"another method": proof(t, s, key, "GET", path, nil),
		"long ago":       proof(t, s, key, "POST", path, map[string]any{"iat": s.Clock.Now().Unix() - 120}),
		"two":            proof(t, s, key, "POST", path, nil) + ", " + proof(t, s, key, "POST", path, nil),
	} {
		refusedWith(t, name, redeem(post, code, bad), "invalid_dpop_proof", "OIDC-dpop")
	}
	once := proof(t, s, key, "POST", path, nil)
	if got := redeem(post, code, once); got.status != http.StatusOK || got.Type != "DPoP" {
		t.Fatalf("%+v", got)
	}
	there := post
	there.s = s.Sibling(t)
	code = post.code(t)
	refusedWith(t, "again, on another node", redeem(there, code, once), "invalid_dpop_proof", "OIDC-dpop-used")
	if got := redeem(there, code, proof(t, s, key, "POST", path, nil)); got.status != http.StatusOK {
		t.Errorf("the code is used up: %+v", got)
	}
	kept := func() (n uint64) {
		t.Helper()
		if err := s.DB.Read(t.Context(), database.From("hash", "oauth_proofs").Count(&n)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if kept() == 0 {
		t.Error("no proof is kept")
	}
	s.Clock.Advance(2 * time.Minute)
	s.Store.ExpireNow(t.Context())
	if n := kept(); n > 0 {
		t.Errorf("%d proofs are kept for ever", n)
	}
}

// TestBoundGrants: refresh tokens of who has no secret, and codes whose request named a
// key, are for who has the key.
func TestBoundGrants(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	key := ecKey(t)
	public := newClient(t, s, "public", func(c *application.OIDC) {
		c.AuthMethod, c.ApplicationType = application.AuthNone, application.UserAgent
	})
	public.key = key
	thief, plain := public, public
	thief.key, plain.key = ecKey(t), nil
	first := public.login(t)
	refusedWith(t, "refresh with another key", thief.refresh(t, first.Refresh), "invalid_grant", "OIDC-refresh-key")
	refusedWith(t, "refresh without a key", plain.refresh(t, first.Refresh), "invalid_grant", "OIDC-refresh-key")
	second := public.refresh(t, first.Refresh)
	if second.status != http.StatusOK || second.Type != "DPoP" {
		t.Fatalf("%+v", second)
	}
	refusedWith(t, "the next one with another key", thief.refresh(t, second.Refresh), "invalid_grant", "OIDC-refresh-key")
	if third := public.refresh(t, second.Refresh); third.status != http.StatusOK {
		t.Errorf("%+v", third)
	}
	for name, c := range map[string]client{"public": public, "with a secret": web} {
		c.key = nil
		named := []string{"dpop_jkt", thumbprint(t, key)}
		refusedWith(t, name+": a code without the key", c.redeem(t, c.code(t, named...)), "invalid_grant", "OIDC-code-key")
		c.key = thief.key
		code := c.code(t, named...)
		refusedWith(t, name+": a code with another key", c.redeem(t, code), "invalid_grant", "OIDC-code-key")
		c.key = key
		refusedWith(t, name+": which is void then", c.redeem(t, code), "invalid_grant", "OIDC-code")
		if got := c.login(t, named...); got.Type != "DPoP" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if to, _ := web.authorize(t, "dpop_jkt", "x"); to.Query().Get("error") != "invalid_request" {
		t.Errorf("no thumbprint: %s", to)
	}
}

// TestBoundRoundTrips: what is bound to no key costs what it did, and a proof one write.
func TestBoundRoundTrips(t *testing.T) {
	testdb.Once(t)
	t.Parallel()
	s, web := startOAuth(t)
	unbound := web.login(t, "scope", "openid "+apiScope).Access
	web.key = ecKey(t)
	bound := web.login(t, "scope", "openid "+apiScope).Access
	for do, most := range map[string]int64{"GET /oidc/v1/userinfo": 1, "GET /auth/v1/users/me": 2} {
		method, path, _ := strings.Cut(do, " ")
		before := s.Trips()
		show(t, s, do, "Bearer", unbound, "")
		between := s.Trips()
		show(t, s, do, "DPoP", bound, proof(t, s, web.key, method, path, athOf(bound)))
		without, with := between-before, s.Trips()-between
		if without > most || with > without+2 { // A transaction of SQLite begins and commits.
			t.Errorf("%s: %d round trips, and with a proof %d", do, without, with)
		}
	}
}

// TestBoundTokensInExchanges: who has a bound token and not its key gets no other token
// for it.
func TestBoundTokensInExchanges(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	web := newClient(t, s, "owner", exchanging)
	web.key = ecKey(t)
	mine := web.login(t, "scope", "openid "+apiScope)
	thief := web
	for name, key := range map[string]*ecdsa.PrivateKey{"no key": nil, "another key": ecKey(t)} {
		if thief.key = key; thief.exchange(t, mine.Access).status != http.StatusBadRequest {
			t.Errorf("a token was exchanged with %s", name)
		}
	}
	if got := web.exchange(t, mine.Access); got.status != http.StatusOK || got.Type != "DPoP" {
		t.Errorf("with the key: %+v", got)
	}
}
