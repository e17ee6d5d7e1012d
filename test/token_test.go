package test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const (
	jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	apiScope  = "urn:zitadel:iam:org:project:id:zitadel:aud"
)

// tokenCall asks the token endpoint with parameters, given as pairs.
func tokenCall(name string, parameters ...string) testkit.Call {
	form := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	return testkit.Call{
		Name: name, As: "nobody", Do: "POST /oauth/v2/token", Body: form.Encode(),
		Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
	}
}

// gives is a tokenCall that succeeds and keeps the token.
func gives(c testkit.Call, as string) testkit.Call {
	c.Want, c.Token, c.KeepAs, c.Events = `{"access_token":"*","token_type":"Bearer","id_token":null,"refresh_token":null}`, "access_token", as, []string{"user.token.added"}
	return c
}

// fails is a tokenCall that is refused.
func fails(c testkit.Call, status int, code string) testkit.Call {
	c.Status, c.Want = status, `{"error":"`+code+`","error_description":"*","access_token":null}`
	return c
}

// me asks the API who has the token.
func me(name, as string, status int) testkit.Call {
	return testkit.Call{Name: name, As: as, Do: "GET /auth/v1/users/me", Status: status}
}

// addKey gives robot the public part of a key and keeps its id as name.
func addKey(t *testing.T, s *testkit.Server, name string, key crypto.Signer, expires string) {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	s.Run(t, testkit.Call{
		Name: name, Do: "POST /v2/users/$robot/keys", Body: fmt.Sprintf(`{"expirationDate":%q,"publicKey":%q}`, expires, public),
		Want: `{"keyContent":null}`, Keep: map[string]string{name: "keyId"}, Events: []string{"user.machine.key.added"},
	})
}

const never = "9999-12-31T23:59:59Z"

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// claims are those of a good assertion of robot, changed.
func claims(s *testkit.Server, changes map[string]any) map[string]any {
	now := s.Clock.Now().Unix()
	c := map[string]any{"iss": s.Var("robot"), "sub": s.Var("robot"), "aud": "http://localhost", "iat": now, "exp": now + 3600}
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// assertion signs claims with more headers.
func assertion(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, headers, claims map[string]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithHeader(jose.HeaderKey("kid"), kid)
	for name, value := range headers {
		o.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, signer, payload)
}

func compact(t *testing.T, signer jose.Signer, payload []byte) string {
	t.Helper()
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

// TestTokenForKey: a token that was given for a key works as long as the key, the
// user and the organization do.
func TestTokenForKey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, testkit.Call{Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded})
	addMachine(t, s, "$acme", "robot", "")
	key := rsaKey(t)
	addKey(t, s, "key", key, never)
	addKey(t, s, "hourly", key, s.Clock.Now().Add(time.Hour+time.Minute).UTC().Format(time.RFC3339))
	ask := func(name, kid string) testkit.Call {
		return tokenCall(name, "grant_type", jwtBearer, "scope", "openid profile email "+apiScope,
			"assertion", assertion(t, jose.RS256, key, s.Var(kid), nil, claims(s, nil)))
	}
	t.Run("the answer", func(t *testing.T) {
		r := s.Send(t, ask("", "key"))
		var got struct {
			AccessToken string  `json:"access_token"`
			ExpiresIn   float64 `json:"expires_in"`
			Scope       string  `json:"scope"`
		}
		if err := json.Unmarshal(r.Body, &got); err != nil || r.Status != http.StatusOK {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
		if got.ExpiresIn != 43200 || got.Scope != "openid profile "+apiScope || !strings.HasPrefix(got.AccessToken, "gatehouse_at_") ||
			r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("the answer is %s, %v", r.Body, r.Header)
		}
	})
	user := func(name, verb, event string) testkit.Call {
		return testkit.Call{Name: name, Do: "POST /v2/users/$robot/" + verb, Body: `{}`, Events: []string{event}}
	}
	s.Run(t,
		gives(ask("a token", "key"), "one"), gives(ask("of another key", "hourly"), "other"),
		testkit.Call{Name: "says who it is", As: "one", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"$robot"}}`},
		testkit.Call{Name: "is no personal access token", Do: "POST /v2/users/pats/search", Body: `{"filters":[{"userIdFilter":{"id":"$robot"}}]}`, Want: `{"pagination":{"totalResult":"1"},"result":[{"id":"$robot_pat"}]}`},
		testkit.Call{Name: "nor in v1", In: "$acme", Do: "POST /management/v1/users/$robot/pats/_search", Body: `{}`, Want: `{"details":{"totalResult":"1"}}`},
		testkit.Call{
			Name: "its hash is told to nobody", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.token.added"],"limit":1}`,
			Want: `{"events":[{"editor":{"userId":"$robot"},"payload":{"tokenId":"*","hash":null,"source":"$hourly"}}]}`,
		},
		user("lock", "lock", "user.locked"), me("refused", "one", 401), fails(ask("none is given", "key"), 400, "invalid_grant"),
		user("unlock", "unlock", "user.unlocked"), me("back", "one", 200),
		user("deactivate", "deactivate", "user.deactivated"), me("refused", "one", 401), fails(ask("none is given", "key"), 400, "invalid_grant"),
		user("reactivate", "reactivate", "user.reactivated"), me("back", "one", 200),
		testkit.Call{Name: "deactivate the organization", Do: "POST /management/v1/orgs/me/_deactivate", In: "$acme", Body: `{}`, Events: []string{"org.deactivated"}},
		me("refused", "one", 401), fails(ask("none is given", "key"), 400, "invalid_grant"),
		testkit.Call{Name: "reactivate it", Do: "POST /management/v1/orgs/me/_reactivate", In: "$acme", Body: `{}`, Events: []string{"org.reactivated"}},
		me("back", "one", 200),
		testkit.Call{Name: "remove the key", Do: "DELETE /v2/users/$robot/keys/$key", Events: []string{"user.machine.key.removed"}},
		me("refused", "one", 401), fails(ask("none is given", "key"), 400, "invalid_grant"), me("the other stands", "other", 200),
	)
	s.Clock.Advance(time.Hour + 30*time.Second)
	s.Run(t, me("until its key ends", "other", 200), gives(ask("a last token", "hourly"), "last"))
	s.Clock.Advance(31 * time.Second)
	s.Run(t, me("and no longer", "other", 401), me("however young", "last", 401), fails(ask("none is given", "hourly"), 400, "invalid_grant"))
	addKey(t, s, "third", key, never)
	s.Run(t, gives(ask("a token", "third"), "third"))
	s.Clock.Advance(12*time.Hour - time.Second)
	s.Run(t, me("for twelve hours", "third", 200))
	s.Clock.Advance(2 * time.Second)
	s.Run(t,
		me("and no longer", "third", 401), gives(ask("another", "third"), "third"), me("works", "third", 200),
		testkit.Call{Name: "remove the user", Do: "DELETE /v2/users/$robot", Events: []string{"user.removed"}},
		me("refused", "third", 401), fails(ask("none is given", "third"), 400, "invalid_grant"),
	)
	s.Set("id", s.Var("robot"))
	s.Run(t,
		testkit.Call{Name: "the same id again", Do: "POST /v2/users/new", Body: `{"organizationId":"$org","userId":"$id","machine":{"name":"x"}}`, Events: []string{"user.machine.added"}},
		me("has no token of the old one", "third", 401), fails(ask("and no key", "third"), 400, "invalid_grant"),
	)
}

// TestTokenForSecret: so does one for a secret.
func TestTokenForSecret(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, testkit.Call{Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded})
	setDomainPolicy(t, s, func(p *policy.DomainPolicy) { p.UserLoginMustBeDomain = true }) // Two can have one name.
	addMachine(t, s, "$org", "robot", "")
	s.Run(t, testkit.Call{Name: "another of the name", Do: "POST /v2/users/new", Body: `{"organizationId":"$acme","username":"robot","machine":{"name":"x"}}`, Keep: map[string]string{"twin": "id"}, Events: []string{"user.machine.added"}})
	secret := func(name, id, keep string) testkit.Call {
		return testkit.Call{Name: name, Do: "POST /v2/users/$" + id + "/secret", Body: `{}`, Keep: map[string]string{keep: "clientSecret"}, Events: []string{"user.machine.secret.set"}}
	}
	s.Run(t, secret("a secret", "robot", "secret"), secret("a secret of the other", "twin", "twins"))
	post := func(name, id, secret string) testkit.Call {
		return tokenCall(name, "grant_type", "client_credentials", "client_id", id, "client_secret", secret, "scope", apiScope)
	}
	basic := func(name, id, secret string, more ...string) testkit.Call {
		c := tokenCall(name, append([]string{"grant_type", "client_credentials", "scope", apiScope}, more...)...)
		c.Header["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
		return c
	}
	right, twins := s.Var("secret"), s.Var("twins")
	unknown, wrong := s.Send(t, post("", "nobody", right)), s.Send(t, post("", "robot", right[:len(right)-1]))
	if !bytes.Equal(unknown.Body, wrong.Body) || unknown.Status != wrong.Status {
		t.Errorf("an unknown client is told %s, one with a wrong secret %s", unknown.Body, wrong.Body)
	}
	if got := wrong.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
		t.Errorf("WWW-Authenticate is %q", got)
	}
	s.Run(t,
		gives(post("in the body", "robot", right), "one"), gives(basic("in the header", "robot", right), "two"),
		gives(basic("named in both", "robot", right, "client_id", "robot"), "two"), gives(post("in any case", "ROBOT", right), "two"),
		testkit.Call{Name: "says who it is", As: "one", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"$robot"}}`},
		gives(post("the other", "robot", twins), "twin"),
		testkit.Call{Name: "is the other", As: "twin", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"$twin"}}`},
		fails(basic("twice", "robot", right, "client_secret", right), 400, "invalid_request"),
		fails(basic("two names", "robot", right, "client_id", "other"), 401, "invalid_client"),
		fails(post("an unknown client", "nobody", right), 401, "invalid_client"),
		fails(post("no secret", "robot", ""), 401, "invalid_client"),
		fails(post("who has none", "admin", ""), 401, "invalid_client"),
		fails(post("its hash", "robot", fmt.Sprintf("%x", sha256.Sum256([]byte(right)))), 401, "invalid_client"),
		fails(post("not even text", "robot\x00\xff", right), 401, "invalid_client"),
		fails(tokenCall("nothing", "grant_type", "client_credentials"), 401, "invalid_client"),
		testkit.Call{Name: "lock", Do: "POST /v2/users/$robot/lock", Body: `{}`, Events: []string{"user.locked"}},
		me("refused", "one", 401), fails(post("none is given", "robot", right), 401, "invalid_client"),
		testkit.Call{Name: "unlock", Do: "POST /v2/users/$robot/unlock", Body: `{}`, Events: []string{"user.unlocked"}},
		me("back", "one", 200), secret("another secret", "robot", "secret"), me("ends the token", "one", 401),
		fails(post("and the secret", "robot", right), 401, "invalid_client"),
	)
	right = s.Var("secret")
	s.Run(t,
		gives(post("the new one works", "robot", right), "one"), me("says the token", "one", 200),
		testkit.Call{Name: "rename", Do: "PATCH /v2/users/$robot", Body: `{"username":"robot 2"}`, Events: []string{"user.username.changed"}},
		fails(post("the old name", "robot", right), 401, "invalid_client"), gives(basic("the new name", "robot 2", right), "one"),
		testkit.Call{Name: "void it", Do: "DELETE /v2/users/$robot/secret", Events: []string{"user.machine.secret.removed"}},
		me("ends the token", "one", 401), fails(post("and the secret", "robot 2", right), 401, "invalid_client"), me("not the other", "twin", 200),
		testkit.Call{Name: "a personal one stays", As: "robot", Do: "GET /auth/v1/users/me"},
	)
}

// TestNoTokenOutlivesItsKey: whoever comes first, the removal of a key or a request
// for a token, no token is left.
func TestNoTokenOutlivesItsKey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addMachine(t, s, "$org", "robot", "")
	key := rsaKey(t)
	for round := range 20 {
		addKey(t, s, "key", key, never)
		ask := tokenCall("ask", "grant_type", jwtBearer, "assertion", assertion(t, jose.RS256, key, s.Var("key"), nil, claims(s, nil)))
		var all sync.WaitGroup
		var given [4]testkit.Reply
		for i := range given {
			all.Go(func() { given[i] = s.Send(t, ask) })
		}
		all.Go(func() { s.Send(t, testkit.Call{Do: "DELETE /v2/users/$robot/keys/$key"}) })
		all.Wait()
		for i, r := range given {
			var token struct {
				AccessToken string `json:"access_token"`
			}
			if r.Status != http.StatusOK || json.Unmarshal(r.Body, &token) != nil {
				continue
			}
			s.SetToken("late", token.AccessToken)
			s.Run(t, me(fmt.Sprint("round ", round, " token ", i), "late", 401))
		}
	}
}

// TestTokenEndpoint: what is no proper request is refused with an error of OAuth.
func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	body := func(name, body string) testkit.Call {
		c := tokenCall(name)
		c.Body = body
		return c
	}
	edit := func(c testkit.Call, edit func(*testkit.Call)) testkit.Call { edit(&c); return c }
	s.Run(t,
		fails(tokenCall("no grant type"), 400, "invalid_request"),
		fails(tokenCall("another grant type", "grant_type", "password"), 400, "unsupported_grant_type"),
		fails(tokenCall("no assertion", "grant_type", jwtBearer), 400, "invalid_request"),
		fails(body("twice", "grant_type=client_credentials&grant_type=client_credentials"), 400, "invalid_request"),
		fails(body("not a form", "grant_type=%zz"), 400, "invalid_request"),
		fails(body("a large body", "grant_type=client_credentials&x="+strings.Repeat("x", 64<<10)), 413, "invalid_request"),
		fails(edit(tokenCall("another type"), func(c *testkit.Call) { c.Header["Content-Type"] = "application/json" }), 400, "invalid_request"),
		fails(edit(tokenCall("secrets in the URL", "grant_type", "password"), func(c *testkit.Call) { c.Do += "?client_secret=x" }), 400, "invalid_request"),
		fails(edit(tokenCall("GET"), func(c *testkit.Call) { c.Do = "GET /oauth/v2/token" }), 405, "invalid_request"),
		fails(edit(tokenCall("another path"), func(c *testkit.Call) { c.Do = "POST /oauth/v2/token/" }), 404, "invalid_request"),
		fails(edit(tokenCall("another scheme", "grant_type", "client_credentials"), func(c *testkit.Call) { c.Header["Authorization"] = "Bearer x" }), 401, "invalid_client"),
		fails(edit(tokenCall("no such host", "grant_type", "client_credentials", "client_id", "a", "client_secret", "b"), func(c *testkit.Call) { c.Host = "nowhere.example.com" }), 404, "invalid_request"),
	)
}
