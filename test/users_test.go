package test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestMachineUsers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const path = "/management/v1/users"
	s.Run(t,
		testkit.Call{Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
		testkit.Call{Name: "another", Do: "POST /management/v1/orgs", Body: `{"name":"Other"}`, Keep: map[string]string{"other": "id"}, Events: orgAdded},
		testkit.Call{
			Name: "a machine of a chosen id", Do: "POST " + path + "/machine", In: "$acme", Want: `{"userId":"build-robot","details":{"resourceOwner":"$acme"}}`, Events: []string{"user.machine.added"},
			Body: `{"userName":"Robot","name":"Build robot","description":"It builds.","accessTokenType":"ACCESS_TOKEN_TYPE_JWT","userId":"build-robot"}`,
		},
		testkit.Call{
			Name: "get", Do: "GET " + path + "/build-robot", In: "$acme",
			Want: `{"user":{"id":"build-robot","state":"USER_STATE_ACTIVE","userName":"Robot","loginNames":["Robot"],"preferredLoginName":"Robot",
				"details":{"sequence":"1","creationDate":"*","changeDate":"*","resourceOwner":"$acme"},
				"machine":{"name":"Build robot","description":"It builds.","accessTokenType":"ACCESS_TOKEN_TYPE_JWT"}}}`,
		},
		testkit.Call{Name: "not from elsewhere", Do: "GET " + path + "/build-robot", Status: 404},
		testkit.Call{Name: "the id is taken", Do: "POST " + path + "/machine", In: "$other", Body: `{"userName":"x","name":"x","userId":"build-robot"}`, Status: 409},
		testkit.Call{Name: "the name is taken", Do: "POST " + path + "/machine", In: "$acme", Body: `{"userName":"ROBOT","name":"x"}`, Status: 409},
		testkit.Call{Name: "an id that no path can name", Do: "POST " + path + "/machine", In: "$acme", Body: `{"userName":"x","name":"x","userId":"a/b"}`, Status: 400},
		testkit.Call{Name: "no name", Do: "POST " + path + "/machine", In: "$acme", Body: `{"userName":"x"}`, Status: 400},
		testkit.Call{Name: "change", Do: "PUT " + path + "/build-robot/machine", In: "$acme", Body: `{"name":"Robot 2"}`, Events: []string{"user.machine.changed"}},
		testkit.Call{Name: "is changed", Do: "GET " + path + "/build-robot", In: "$acme", Want: `{"user":{"machine":{"name":"Robot 2","description":null,"accessTokenType":null}}}`},
		testkit.Call{Name: "change nothing", Do: "PUT " + path + "/build-robot/machine", In: "$acme", Body: `{"name":"Robot 2"}`, Status: 400, Want: `{"code":9}`},
	)
	setDomainPolicy(t, s, func(p *policy.DomainPolicy) { p.UserLoginMustBeDomain = true })
	s.Run(t,
		testkit.Call{Name: "a domain", Do: "POST /management/v1/orgs/me/domains", In: "$acme", Body: `{"domain":"acme.example"}`, Events: []string{"org.domain.added", "org.domain.verified"}},
		testkit.Call{
			Name: "are part of login names", Do: "GET " + path + "/build-robot", In: "$acme",
			Want: `{"user":{"userName":"Robot","loginNames":["Robot@acme.localhost","Robot@acme.example"],"preferredLoginName":"Robot@acme.localhost"}}`,
		},
		testkit.Call{Name: "a token", Do: "POST " + path + "/build-robot/pats", In: "$acme", Body: `{}`, Want: `{"tokenId":"*","token":"*"}`, Token: "token", KeepAs: "robot", Keep: map[string]string{"pat": "tokenId"}, Events: []string{"user.pat.added"}},
		testkit.Call{Name: "says who it is", As: "robot", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"build-robot","machine":{"name":"Robot 2"}}}`},
		testkit.Call{Name: "auth healthz", As: "nobody", Do: "GET /auth/v1/healthz", Want: `{}`},
		testkit.Call{Name: "deactivate", Do: "POST " + path + "/build-robot/_deactivate", In: "$acme", Body: `{}`, Events: []string{"user.deactivated"}},
		testkit.Call{Name: "the token is refused", As: "robot", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "deactivate again", Do: "POST " + path + "/build-robot/_deactivate", In: "$acme", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "shows", Do: "GET " + path + "/build-robot", In: "$acme", Want: `{"user":{"state":"USER_STATE_INACTIVE"}}`},
		testkit.Call{Name: "reactivate", Do: "POST " + path + "/build-robot/_reactivate", In: "$acme", Body: `{}`, Events: []string{"user.reactivated"}},
		testkit.Call{Name: "reactivate again", Do: "POST " + path + "/build-robot/_reactivate", In: "$acme", Body: `{}`, Status: 400},
		testkit.Call{Name: "the token works", As: "robot", Do: "GET /auth/v1/users/me"},
		testkit.Call{Name: "not from elsewhere", Do: "DELETE " + path + "/build-robot", In: "$other", Status: 404},
		testkit.Call{Name: "remove", Do: "DELETE " + path + "/build-robot", In: "$acme", Events: []string{"user.removed"}},
		testkit.Call{Name: "the token is gone", As: "robot", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "remove again", Do: "DELETE " + path + "/build-robot", In: "$acme", Status: 404},
		testkit.Call{Name: "the id is free for another organization", Do: "POST " + path + "/machine", In: "$other", Body: `{"userName":"x","name":"x","userId":"build-robot"}`, Want: `{"details":{"resourceOwner":"$other"}}`, Events: []string{"user.machine.added"}},
		testkit.Call{Name: "it is there", Do: "GET " + path + "/build-robot", In: "$other", Want: `{"user":{"details":{"resourceOwner":"$other"}}}`},
		testkit.Call{Name: "and not here", Do: "GET " + path + "/build-robot", In: "$acme", Status: 404},
		testkit.Call{Name: "old tokens stay dead", As: "robot", Do: "GET /auth/v1/users/me", Status: 401},
	)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addMachine(t, s, "$org", "robot", "")
	const path = "/management/v1/users/$robot"
	s.Set("soon", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	s.Run(t,
		testkit.Call{Name: "of the past", Do: "POST " + path + "/pats", Body: `{"expirationDate":"2020-01-01T00:00:00Z"}`, Status: 400},
		testkit.Call{
			Name: "a token for an hour", Do: "POST " + path + "/pats", Body: `{"expirationDate":"$soon"}`,
			Keep: map[string]string{"pat": "tokenId"}, Token: "token", KeepAs: "hourly", Events: []string{"user.pat.added"},
		},
		testkit.Call{Name: "get it", Do: "GET " + path + "/pats/$pat", Want: `{"token":{"id":"$pat","expirationDate":"$soon","details":{"creationDate":"*"}}}`},
		testkit.Call{
			Name: "list", Do: "POST " + path + "/pats/_search", Body: `{"query":{"asc":true}}`,
			Want: `{"details":{"totalResult":"2"},"result":[{"id":"$robot_pat","expirationDate":"9999-12-31T23:59:59Z"},{"id":"$pat"}]}`,
		},
		testkit.Call{Name: "no such token", Do: "GET " + path + "/pats/1", Status: 404},
		testkit.Call{Name: "no such user", Do: "GET /management/v1/users/1/pats/$pat", Status: 404},
		testkit.Call{Name: "it works", As: "hourly", Do: "GET /auth/v1/users/me"},
		testkit.Call{
			Name: "a key", Do: "POST " + path + "/keys", Body: `{"type":"KEY_TYPE_JSON","expirationDate":"$soon"}`,
			Keep: map[string]string{"key": "keyId", "file": "keyDetails"}, Events: []string{"user.machine.key.added"},
		},
		testkit.Call{Name: "get the key", Do: "GET " + path + "/keys/$key", Want: `{"key":{"id":"$key","type":"KEY_TYPE_JSON","expirationDate":"$soon"}}`},
		testkit.Call{Name: "no type", Do: "POST " + path + "/keys", Body: `{}`, Status: 400},
		testkit.Call{Name: "not a key", Do: "POST " + path + "/keys", Body: `{"type":1,"publicKey":"` + base64.StdEncoding.EncodeToString([]byte("x")) + `"}`, Status: 400},
	)
	s.Set("public", base64.StdEncoding.EncodeToString(publicKey(t, s)))
	s.Run(t,
		testkit.Call{
			Name: "a key of one's own", Do: "POST " + path + "/keys", Body: `{"type":1,"publicKey":"$public"}`,
			Want: `{"keyId":"*","keyDetails":null}`, Keep: map[string]string{"own": "keyId"}, Events: []string{"user.machine.key.added"},
		},
		testkit.Call{
			Name: "list the keys", Do: "POST " + path + "/keys/_search", Body: `{"query":{"asc":true}}`,
			Want: `{"details":{"totalResult":"2"},"result":[{"id":"$key","type":"KEY_TYPE_JSON"},{"id":"$own","expirationDate":"9999-12-31T23:59:59Z"}]}`,
		},
		testkit.Call{Name: "remove a key", Do: "DELETE " + path + "/keys/$own", Events: []string{"user.machine.key.removed"}},
		testkit.Call{Name: "once", Do: "DELETE " + path + "/keys/$own", Status: 404},
	)
	s.Clock.Advance(time.Hour + time.Second)
	s.Run(t, testkit.Call{Name: "the hour is over", As: "hourly", Do: "GET /auth/v1/users/me", Status: 401})
}

// publicKey gives the public part of the key file that was kept, after a look at
// its form.
func publicKey(t *testing.T, s *testkit.Server) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(s.Var("file"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Type, KeyID, Key, UserID string }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if file.Type != "serviceaccount" || file.KeyID != s.Var("key") || file.UserID != s.Var("robot") {
		t.Errorf("the key file is %s", data)
	}
	block, _ := pem.Decode([]byte(file.Key))
	if block == nil {
		t.Fatalf("the key is no PEM: %s", file.Key)
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return publicPEM(t, &key.PublicKey)
}

func publicPEM(t *testing.T, key *rsa.PublicKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}
