package test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestAssertions: every assertion that is not as it must be is refused (T-68, T-74).
func TestAssertions(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addMachine(t, s, "$org", "robot", "")
	addMachine(t, s, "$org", "other", "")
	key, stranger := rsaKey(t), rsaKey(t)
	addKey(t, s, "key", key, never)
	kid, now := s.Var("key"), s.Clock.Now().Unix()
	with := func(changes map[string]any) string {
		return assertion(t, jose.RS256, key, kid, nil, claims(s, changes))
	}
	header := func(headers map[string]any) string {
		return assertion(t, jose.RS256, key, kid, headers, claims(s, nil))
	}
	good := with(nil)
	parts := strings.Split(good, ".")
	raw := func(header string) string { return base64.RawURLEncoding.EncodeToString([]byte(header)) }
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	number := func(text string) json.Number { return json.Number(text) }
	for name, c := range map[string]struct{ assertion, code string }{
		"good":                           {good, ""},
		"an audience among others":       {with(map[string]any{"aud": []string{"x", "http://localhost"}}), ""},
		"of a fraction of a second":      {with(map[string]any{"exp": number(fmt.Sprintf("%d.5", now+60))}), ""},
		"typed":                          {header(map[string]any{"typ": "JWT"}), ""},
		"no iss":                         {with(map[string]any{"iss": nil}), "invalid_grant"},
		"another iss":                    {with(map[string]any{"iss": s.Var("other")}), "invalid_grant"},
		"no sub":                         {with(map[string]any{"sub": nil}), "invalid_grant"},
		"another sub":                    {with(map[string]any{"sub": s.Var("other")}), "invalid_grant"},
		"another iss and sub":            {with(map[string]any{"iss": s.Var("other"), "sub": s.Var("other")}), "invalid_grant"},
		"no aud":                         {with(map[string]any{"aud": nil}), "invalid_grant"},
		"another aud":                    {with(map[string]any{"aud": "http://localhost.example"}), "invalid_grant"},
		"another scheme":                 {with(map[string]any{"aud": "https://localhost"}), "invalid_grant"},
		"another port":                   {with(map[string]any{"aud": "http://localhost:1"}), "invalid_grant"},
		"other audiences":                {with(map[string]any{"aud": []string{"x", "y"}}), "invalid_grant"},
		"a number for aud":               {with(map[string]any{"aud": 1}), "invalid_grant"},
		"no exp":                         {with(map[string]any{"exp": nil}), "invalid_grant"},
		"expired":                        {with(map[string]any{"exp": now - 60}), "invalid_grant"},
		"for more than an hour":          {with(map[string]any{"exp": now + 3700}), "invalid_grant"},
		"exp as text":                    {with(map[string]any{"exp": fmt.Sprint(now + 60)}), "invalid_grant"},
		"exp 1e300":                      {with(map[string]any{"exp": number("1e300")}), "invalid_grant"},
		"exp -1e300":                     {with(map[string]any{"exp": number("-1e300")}), "invalid_grant"},
		"no iat":                         {with(map[string]any{"iat": nil}), "invalid_grant"},
		"old":                            {with(map[string]any{"iat": now - 3700}), "invalid_grant"},
		"of the future":                  {with(map[string]any{"iat": now + 60}), "invalid_grant"},
		"iat 1e300":                      {with(map[string]any{"iat": number("1e300")}), "invalid_grant"},
		"not yet":                        {with(map[string]any{"nbf": now + 60}), "invalid_grant"},
		"nbf 1e300":                      {with(map[string]any{"nbf": number("1e300")}), "invalid_grant"},
		"nbf as text":                    {with(map[string]any{"nbf": "0"}), "invalid_grant"},
		"signed by a stranger":           {assertion(t, jose.RS256, stranger, kid, nil, claims(s, nil)), "invalid_grant"},
		"no such key":                    {assertion(t, jose.RS256, key, "1", nil, claims(s, nil)), "invalid_grant"},
		"a path for kid":                 {assertion(t, jose.RS256, key, "../../"+kid, nil, claims(s, nil)), "invalid_grant"},
		"SQL for kid":                    {assertion(t, jose.RS256, key, "' OR 1=1 --", nil, claims(s, nil)), "invalid_grant"},
		"NUL for kid":                    {assertion(t, jose.RS256, key, "a\x00b", nil, claims(s, nil)), "invalid_grant"},
		"no kid":                         {assertion(t, jose.RS256, key, "", nil, claims(s, nil)), "invalid_request"},
		"a key of one's own in jwk":      {assertion(t, jose.RS256, stranger, kid, map[string]any{"jwk": jose.JSONWebKey{Key: stranger.Public()}}, claims(s, nil)), "invalid_grant"},
		"jku":                            {assertion(t, jose.RS256, stranger, kid, map[string]any{"jku": "http://localhost/keys"}, claims(s, nil)), "invalid_grant"},
		"x5u":                            {assertion(t, jose.RS256, stranger, kid, map[string]any{"x5u": "http://localhost/keys"}, claims(s, nil)), "invalid_grant"},
		"another sort of token":          {header(map[string]any{"typ": "at+jwt"}), "invalid_request"},
		"a logout token":                 {header(map[string]any{"typ": "logout+jwt"}), "invalid_request"},
		"typ is no text":                 {header(map[string]any{"typ": 1}), "invalid_request"},
		"crit":                           {raw(`{"alg":"RS256","kid":"`+kid+`","crit":["x"],"x":1}`) + "." + parts[1] + "." + parts[2], "invalid_request"},
		"b64":                            {raw(`{"alg":"RS256","kid":"`+kid+`","b64":false,"crit":["b64"]}`) + "." + parts[1] + "." + parts[2], "invalid_request"},
		"not signed":                     {raw(`{"alg":"none","kid":"`+kid+`"}`) + "." + parts[1] + ".", "invalid_request"},
		"not signed, in capitals":        {raw(`{"alg":"NONE","kid":"`+kid+`"}`) + "." + parts[1] + ".", "invalid_request"},
		"the public key as a secret":     {assertion(t, jose.HS256, public, kid, nil, claims(s, nil)), "invalid_request"},
		"the PEM of it":                  {assertion(t, jose.HS256, publicPEM(t, &key.PublicKey), kid, nil, claims(s, nil)), "invalid_request"},
		"another algorithm's name":       {raw(`{"alg":"RS512","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2], "invalid_grant"},
		"an algorithm of other keys":     {raw(`{"alg":"ES256","kid":"`+kid+`"}`) + "." + parts[1] + "." + parts[2], "invalid_grant"},
		"another signature":              {parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 256)), "invalid_grant"},
		"no signature":                   {parts[0] + "." + parts[1] + ".", "invalid_grant"},
		"two signatures":                 {`{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"},{"protected":"` + parts[0] + `","signature":"AA"}]}`, "invalid_request"},
		"encrypted":                      {good + ".a.b", "invalid_request"},
		"no token":                       {"x", "invalid_request"},
		"large":                          {with(map[string]any{"x": strings.Repeat("x", 8<<10)}), "invalid_request"},
		"no claims":                      {compactOf(t, key, kid, "[]"), "invalid_grant"},
		"a personal token":               {s.TokenOf(t, "robot"), "invalid_request"},
		"an iss that is twice something": {compactOf(t, key, kid, `{"iss":"`+s.Var("robot")+`","iss":"x"}`), "invalid_grant"},
	} {
		call := tokenCall(name, "grant_type", jwtBearer, "scope", apiScope, "assertion", c.assertion)
		if c.code == "" {
			s.Run(t, gives(call, "good"), me(name+" works", "good", 200))
		} else {
			t.Run(name, func(t *testing.T) { s.Check(t, fails(call, 400, c.code)) })
		}
	}
}

func compactOf(t *testing.T, key any, kid, payload string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, signer, []byte(payload))
}

// TestKeyAlgorithms: each key checks the signatures that are made for it, and no others.
func TestKeyAlgorithms(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addMachine(t, s, "$org", "robot", "")
	curve := func(c elliptic.Curve) crypto.Signer {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]crypto.Signer{
		"rsa": rsaKey(t), "p256": curve(elliptic.P256()), "p384": curve(elliptic.P384()), "p521": curve(elliptic.P521()), "ed25519": edwards,
	}
	for name, key := range keys {
		addKey(t, s, name, key, never)
	}
	made := map[jose.SignatureAlgorithm]string{
		jose.RS256: "rsa", jose.RS384: "rsa", jose.RS512: "rsa", jose.PS256: "rsa", jose.PS384: "rsa", jose.PS512: "rsa",
		jose.ES256: "p256", jose.ES384: "p384", jose.ES512: "p521", jose.EdDSA: "ed25519",
	}
	for alg, maker := range made {
		for name := range maps.Keys(keys) {
			call := tokenCall(fmt.Sprintf("%s by %s for %s", alg, maker, name), "grant_type", jwtBearer,
				"assertion", assertion(t, alg, keys[maker], s.Var(name), nil, claims(s, nil)))
			if name == maker {
				s.Run(t, gives(call, "token"))
			} else {
				s.Run(t, fails(call, 400, "invalid_grant"))
			}
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"a small key": small, "an old curve": curve(elliptic.P224())} {
		spki, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		s.Run(t, testkit.Call{
			Name: name, Do: "POST /v2/users/$robot/keys", Status: 400,
			Body: `{"expirationDate":"` + never + `","publicKey":"` + base64.StdEncoding.EncodeToString(spki) + `"}`,
		})
	}
}

// TestAssertionsWorkOnce: an assertion with an id of its own gives one token, on
// whichever node (T-72).
func TestAssertionsWorkOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	node := s.Sibling(t)
	addMachine(t, s, "$org", "robot", "")
	key := rsaKey(t)
	addKey(t, s, "key", key, never)
	ask := func(id any) testkit.Call {
		return tokenCall(fmt.Sprint("id ", id), "grant_type", jwtBearer, "scope", apiScope, "assertion", assertion(t, jose.RS256, key, s.Var("key"), nil, claims(s, map[string]any{"jti": id})))
	}
	once, other, anonymous := ask("1"), ask("2"), ask(nil)
	s.Run(t, gives(once, "one"), fails(once, 400, "invalid_grant"), gives(other, "two"), gives(anonymous, "three"), gives(anonymous, "four"), me("the first stays", "one", 200))
	node.Run(t, fails(once, 400, "invalid_grant"), fails(other, 400, "invalid_grant"))
	again := ask("3")
	var both sync.WaitGroup
	var status [6]int
	for i := range status {
		both.Go(func() { status[i] = []*testkit.Server{s, node}[i%2].Send(t, again).Status })
	}
	both.Wait()
	given := 0
	for _, code := range status {
		if code == http.StatusOK {
			given++
		}
	}
	if given != 1 {
		t.Errorf("one assertion at both nodes: %v, want one success", status)
	}
	s.Clock.Advance(2 * time.Hour)
	s.Run(t, fails(once, 400, "invalid_grant"), gives(ask("1"), "five"))
}
