package test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

const (
	webKeyService = "POST /zitadel.webkey.v2.WebKeyService/"
	webKeysPath   = "/v2/web_keys"
	rotationPath  = "/gatehouse/v1/web_keys/rotation"
)

func TestWebKeys(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	machine(t, s, s.OrgID, "reader", "IAM_OWNER_VIEWER")
	added, turned := []string{"web_key.added"}, []string{"web_key.deactivated", "web_key.activated"}
	s.Run(t,
		testkit.Call{
			Name: "the first ones", As: "reader", Do: "GET " + webKeysPath,
			Want: `{"webKeys":[{"id":"*","creationDate":"*","changeDate":"*","state":"STATE_ACTIVE","rsa":{"bits":"RSA_BITS_2048","hasher":"RSA_HASHER_SHA256"}},
				{"id":"*","state":"STATE_INITIAL","rsa":{"bits":"RSA_BITS_2048","hasher":"RSA_HASHER_SHA256"}}]}`,
			Keep: map[string]string{"first": "webKeys.0.id", "spare": "webKeys.1.id"},
		},
		testkit.Call{Name: "ECDSA", Do: webKeyService + "CreateWebKey", Body: `{"ecdsa":{"curve":"ECDSA_CURVE_P512"}}`, Want: `{"id":"*","creationDate":"*"}`, Keep: map[string]string{"ec": "id"}, Events: added},
		testkit.Call{Name: "Ed25519", Do: webKeyService + "CreateWebKey", Body: `{"ed25519":{}}`, Keep: map[string]string{"ed": "id"}, Events: added},
		testkit.Call{Name: "RSA", Do: webKeyService + "CreateWebKey", Body: `{"rsa":{"bits":"RSA_BITS_2048","hasher":"RSA_HASHER_SHA512"}}`, Keep: map[string]string{"rsa": "id"}, Events: added},
		testkit.Call{Name: "nothing named", Do: webKeyService + "CreateWebKey", Body: `{}`, Keep: map[string]string{"plain": "id"}, Events: added},
		testkit.Call{Name: "a curve that is none", Do: webKeyService + "CreateWebKey", Body: `{"ecdsa":{}}`, Status: 400},
		testkit.Call{Name: "not by who only looks", As: "reader", Do: webKeyService + "CreateWebKey", Body: `{"ed25519":{}}`, Status: 403},
		testkit.Call{Name: "activate", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$ec"}`, Want: `{"changeDate":"*"}`, Keep: map[string]string{"since": "changeDate"}, Events: turned},
		testkit.Call{Name: "again", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$ec"}`, Want: `{"changeDate":"$since"}`},
		testkit.Call{Name: "the one that signed", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$first"}`, Events: turned},
		testkit.Call{Name: "one that is none", Do: webKeyService + "ActivateWebKey", Body: `{"id":"1"}`, Status: 404},
		testkit.Call{Name: "not by who only looks", As: "reader", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$ec"}`, Status: 403},
		testkit.Call{
			Name: "list", Do: "GET " + webKeysPath,
			Want: `{"webKeys":[{"id":"$first","state":"STATE_ACTIVE"},{"id":"$spare","state":"STATE_INITIAL"},
				{"id":"$ec","state":"STATE_INACTIVE","ecdsa":{"curve":"ECDSA_CURVE_P512"},"rsa":null},{"id":"$ed","state":"STATE_INITIAL","ed25519":{}},
				{"id":"$rsa","rsa":{"bits":"RSA_BITS_2048","hasher":"RSA_HASHER_SHA512"}},{"id":"$plain","rsa":{"hasher":"RSA_HASHER_SHA256"}}]}`,
		},
		testkit.Call{Name: "the active one stays", Do: "DELETE " + webKeysPath + "/$first", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "delete", Do: "DELETE " + webKeysPath + "/$ec", Want: `{"deletionDate":"*"}`, Events: []string{"web_key.removed"}},
		testkit.Call{Name: "once", Do: "DELETE " + webKeysPath + "/$ec", Want: `{"deletionDate":null}`},
		testkit.Call{Name: "a new one", Do: "DELETE " + webKeysPath + "/$ed", Events: []string{"web_key.removed"}},
		testkit.Call{Name: "not by who only looks", As: "reader", Do: "DELETE " + webKeysPath + "/$rsa", Status: 403},
		testkit.Call{Name: "it is gone for good", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$ec"}`, Status: 404},
	)
	r := s.Send(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"event_types":["web_key.added"]}`})
	if r.Status != http.StatusOK || strings.Contains(string(r.Body), "privateKey") || !strings.Contains(string(r.Body), "publicKey") {
		t.Errorf("the log shows %d %s", r.Status, r.Body)
	}
}

// TestWebKeysOfInstances: a key is of its instance, and can be neither used nor named
// in another one.
func TestWebKeysOfInstances(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, "acme")
	s.Run(t,
		testkit.Call{Name: "the other's", As: "acme", Host: "acme.example", Do: "GET " + webKeysPath, Want: `{"webKeys":[{"state":"STATE_ACTIVE"},{"state":"STATE_INITIAL"}]}`, Keep: map[string]string{"theirs": "webKeys.1.id"}},
		testkit.Call{Name: "cannot be activated", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$theirs"}`, Status: 404},
		testkit.Call{Name: "nor deleted", Do: "DELETE " + webKeysPath + "/$theirs", Want: `{"deletionDate":null}`},
		testkit.Call{Name: "it is there", As: "acme", Host: "acme.example", Do: "GET " + webKeysPath, Want: `{"webKeys":[{},{"id":"$theirs"}]}`},
	)
	signer := webkey.NewSigner(s.Store, s.Vault)
	verify(t, s, signed(t, s, signer, s.InstanceID), s.InstanceID, jose.RS256)
	ours := published(t, s, s.InstanceID)
	if _, ok := ours.Key(s.Var("theirs")); ok {
		t.Error("the instance publishes another's key")
	}
	// Whoever can write to the database can move the row of a key, and cannot sign with it.
	move := database.Statement{SQL: "UPDATE web_keys SET private_key = (SELECT k.private_key FROM web_keys k WHERE k.key_id = ?) WHERE instance_id = ? AND state = 2", Args: []any{s.Var("theirs"), s.InstanceID}}
	tamper(t, s, move, func() {
		var k webkey.Signing
		if err := s.Store.Read(t.Context(), webkey.SigningIn(&k, "k.instance_id = ?", s.InstanceID)); err != nil {
			t.Fatal(err)
		}
		if token, err := signer.Sign(t.Context(), s.InstanceID, k, "JWT", jwt.Claims{}); err == nil {
			t.Errorf("a key of another instance signs %s", token)
		}
	})
}

// tamper writes to the database behind everybody's back while look runs.
func tamper(t *testing.T, s *testkit.Server, st database.Statement, look func()) {
	t.Helper()
	var before string
	row := func(dest *string) database.Query {
		return database.Query{SQL: "SELECT private_key FROM web_keys WHERE instance_id = ? AND state = 2", Args: []any{s.InstanceID}, Row: func(scan database.Scan) error { return scan(dest) }}
	}
	write := func(st database.Statement) {
		if err := s.DB.Write(t.Context(), func(tx *database.Tx) error { tx.Exec(st); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Store.Read(t.Context(), row(&before)); err != nil {
		t.Fatal(err)
	}
	write(st)
	look()
	write(database.Statement{SQL: "UPDATE web_keys SET private_key = ? WHERE instance_id = ? AND state = 2", Args: []any{before, s.InstanceID}})
}

func published(t testing.TB, s *testkit.Server, instance string) *webkey.Published {
	t.Helper()
	p := &webkey.Published{}
	if err := s.Store.Read(t.Context(), webkey.PublishedIn(p, "k.instance_id = ?", instance)); err != nil {
		t.Fatal(err)
	}
	return p
}

// signed is a JWT of the instance, signed as a request would.
func signed(t testing.TB, s *testkit.Server, signer *webkey.Signer, instance string) string {
	t.Helper()
	var k webkey.Signing
	if err := s.Store.Read(t.Context(), webkey.SigningIn(&k, "k.instance_id = ?", instance)); err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(t.Context(), instance, k, "at+jwt", jwt.Claims{Subject: "ada"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// verify checks a JWT as a client would: with the set of keys alone.
func verify(t *testing.T, s *testkit.Server, token, instance string, algorithm jose.SignatureAlgorithm) {
	t.Helper()
	document, etag := published(t, s, instance).JSON()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(document, &set); err != nil || etag == "" {
		t.Fatalf("%s: %v", document, err)
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{algorithm})
	if err != nil {
		t.Fatal(err)
	}
	if typ := parsed.Headers[0].ExtraHeaders[jose.HeaderType]; typ != "at+jwt" {
		t.Errorf("typ is %v", typ)
	}
	var claims jwt.Claims
	if err := parsed.Claims(&set, &claims); err != nil || claims.Subject != "ada" {
		t.Errorf("%s: %v %v", algorithm, claims, err)
	}
	for _, k := range set.Keys {
		if !k.IsPublic() || k.Use != "sig" || k.Algorithm == "" {
			t.Errorf("published: %s", document)
		}
	}
}

// TestSigning signs with every kind of key, and goes on with the new one at once.
func TestSigning(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	signer := webkey.NewSigner(s.Store, s.Vault)
	old := signed(t, s, signer, s.InstanceID)
	for body, algorithm := range map[string]jose.SignatureAlgorithm{
		`{"rsa":{"bits":1,"hasher":2}}`: jose.RS384, `{"rsa":{"bits":1,"hasher":3}}`: jose.RS512,
		`{"ecdsa":{"curve":1}}`: jose.ES256, `{"ecdsa":{"curve":2}}`: jose.ES384, `{"ecdsa":{"curve":3}}`: jose.ES512, `{"ed25519":{}}`: jose.EdDSA,
	} {
		_, before := published(t, s, s.InstanceID).JSON()
		s.Check(t, testkit.Call{Do: webKeyService + "CreateWebKey", Body: body, Keep: map[string]string{"key": "id"}, Events: []string{"web_key.added"}})
		if _, after := published(t, s, s.InstanceID).JSON(); after == before {
			t.Error("the entity tag stays although the keys change")
		}
		s.Check(t, testkit.Call{Do: webKeyService + "ActivateWebKey", Body: `{"id":"$key"}`, Events: []string{"web_key.deactivated", "web_key.activated"}})
		token := signed(t, s, signer, s.InstanceID)
		verify(t, s, token, s.InstanceID, algorithm)
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{algorithm})
		if err != nil || parsed.Headers[0].KeyID != s.Var("key") {
			t.Errorf("%s: signed with another key: %v", algorithm, err)
		}
	}
	verify(t, s, old, s.InstanceID, jose.RS256) // The first key is published still.
}

// TestOldInstance: an instance that is older than keys gets them when it first signs,
// once, however many requests need them.
func TestOldInstance(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	old, err := flow.Setup(context.Background(), s.Store, nil, "Old", "old.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	signers := []*webkey.Signer{webkey.NewSigner(s.Store, s.Vault), webkey.NewSigner(s.Store, s.Vault)}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			if _, err := signers[i%2].Sign(t.Context(), old.InstanceID, webkey.Signing{}, "at+jwt", jwt.Claims{Subject: "ada"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.SetToken("old", old.Token)
	s.Check(t, testkit.Call{As: "old", Host: "old.example", Do: "GET " + webKeysPath, Want: `{"webKeys":[{"state":"STATE_ACTIVE"},{"state":"STATE_INITIAL"}]}`})
	verify(t, s, signed(t, s, signers[0], old.InstanceID), old.InstanceID, jose.RS256)
	if _, err := signers[0].Sign(t.Context(), "1", webkey.Signing{}, "JWT", jwt.Claims{}); err == nil {
		t.Error("an instance that there is not signs")
	}
}

// TestActivationRace: however many keys are activated at once, one is active.
func TestActivationRace(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ids := []string{"a", "b", "c", "d"}
	for _, name := range ids {
		s.Check(t, testkit.Call{Do: webKeyService + "CreateWebKey", Body: `{"ed25519":{}}`, Keep: map[string]string{name: "id"}, Events: []string{"web_key.added"}})
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			do, body := webKeyService+"ActivateWebKey", `{"id":"$`+ids[i%4]+`"}`
			if i%4 == 3 {
				do, body = "DELETE "+webKeysPath+"/$a", ""
			}
			if r := s.Send(t, testkit.Call{Do: do, Body: body}); r.Status >= 500 {
				t.Errorf("%s: %d %s", do, r.Status, r.Body)
			}
		})
	}
	all.Wait()
	r := s.Send(t, testkit.Call{Do: "GET " + webKeysPath})
	if n := strings.Count(string(r.Body), "STATE_ACTIVE"); n != 1 {
		t.Errorf("%d keys are active: %s", n, r.Body)
	}
}

// TestKeyRotation moves the clock and looks at the keys, on two nodes.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	other := s.Sibling(t, func(o *server.Options) { o.Clock = s.Clock.Now })
	signer := webkey.NewSigner(s.Store, s.Vault)
	set := []string{"instance.web_key.rotation.set"}
	s.Run(t,
		testkit.Call{Name: "off", Do: "GET " + rotationPath, Want: `{"rotation":{"enabled":null},"changeDate":null}`},
		testkit.Call{Name: "too often", Do: "PUT " + rotationPath, Body: `{"rotation":{"enabled":true,"interval":"60s","retention":"86400s"}}`, Status: 400},
		testkit.Call{Name: "nothing", Do: "PUT " + rotationPath, Body: `{}`, Status: 400},
		testkit.Call{Name: "off is off", Do: "PUT " + rotationPath, Body: `{"rotation":{}}`},
		testkit.Call{Name: "quick keys", Do: webKeyService + "CreateWebKey", Body: `{"ecdsa":{"curve":1}}`, Keep: map[string]string{"ec": "id"}, Events: []string{"web_key.added"}},
		testkit.Call{Name: "at work", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$ec"}`, Events: []string{"web_key.deactivated", "web_key.activated"}},
	)
	s.Check(t, testkit.Call{Do: "PUT " + rotationPath, Body: `{"rotation":{"enabled":true,"interval":"604800s","retention":"3600s"}}`, Want: `{"changeDate":"*"}`, Events: set})
	s.Settle(t)
	s.Run(t,
		testkit.Call{Name: "on", Do: "GET " + rotationPath, Want: `{"rotation":{"enabled":true,"interval":"604800s","retention":"3600s"},"changeDate":"*"}`},
		testkit.Call{Name: "nothing is due", Do: "GET " + webKeysPath, Want: `{"webKeys":[{"state":"STATE_INACTIVE"},{"state":"STATE_INITIAL"},{"id":"$ec","state":"STATE_ACTIVE"}]}`, Keep: map[string]string{"spare": "webKeys.1.id"}},
	)
	token := signed(t, s, signer, s.InstanceID)
	pass(t, s, other, 11*time.Hour)
	s.Check(t, testkit.Call{Do: "GET " + webKeysPath, Want: `{"webKeys":[{},{},{}]}`}) // Tokens of the first key may be valid for 12 hours.
	pass(t, s, other, 2*time.Hour)
	s.Check(t, testkit.Call{Do: "GET " + webKeysPath, Want: `{"webKeys":[{"id":"$spare","state":"STATE_INITIAL"},{"id":"$ec","state":"STATE_ACTIVE"}]}`})
	pass(t, s, other, 7*24*time.Hour-13*time.Hour)
	s.Check(t, testkit.Call{
		Do:   "GET " + webKeysPath,
		Want: `{"webKeys":[{"id":"$spare","state":"STATE_ACTIVE"},{"id":"$ec","state":"STATE_INACTIVE"},{"state":"STATE_INITIAL","ecdsa":{"curve":"ECDSA_CURVE_P256"}}]}`,
		Keep: map[string]string{"next": "webKeys.2.id"},
	})
	verify(t, s, token, s.InstanceID, jose.ES256)
	pass(t, s, other, 13*time.Hour)
	s.Check(t, testkit.Call{Do: "GET " + webKeysPath, Want: `{"webKeys":[{"id":"$spare"},{"id":"$next"}]}`})
	s.Check(t, testkit.Call{Do: "DELETE " + webKeysPath + "/$next", Events: []string{"web_key.removed"}})
	// The job that this leaves behind may be done before anybody looks at the events.
	if r := s.Send(t, testkit.Call{Do: "PUT " + rotationPath, Body: `{"rotation":{"enabled":true,"interval":"7200s","retention":"3600s"}}`}); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	s.Settle(t)
	// It is late, but the new key has to be known first.
	s.Check(t, testkit.Call{Do: "GET " + webKeysPath, Want: `{"webKeys":[{"id":"$spare","state":"STATE_ACTIVE"},{"state":"STATE_INITIAL"}]}`, Keep: map[string]string{"new": "webKeys.1.id"}})
	pass(t, s, other, time.Hour)
	s.Check(t, testkit.Call{Do: "GET " + webKeysPath, Want: `{"webKeys":[{"id":"$spare","state":"STATE_INACTIVE"},{"id":"$new","state":"STATE_ACTIVE"},{"state":"STATE_INITIAL"}]}`})
	s.Check(t, testkit.Call{Do: "PUT " + rotationPath, Body: `{"rotation":{}}`, Events: set})
	pass(t, s, other, 1000*time.Hour)
	s.Check(t, testkit.Call{Do: "GET " + webKeysPath, Want: `{"webKeys":[{},{"id":"$new","state":"STATE_ACTIVE"},{}]}`})
	var left uint64
	if err := s.Store.Read(t.Context(), database.From("id", "jobs").Where("kind = 'web_key.rotate'").Count(&left)); err != nil || left != 0 {
		t.Errorf("%d jobs are left of rotations that ended, %v", left, err)
	}
}

// pass lets time pass on both nodes, and waits for what is due then.
func pass(t *testing.T, s, other *testkit.Server, d time.Duration) {
	t.Helper()
	s.Clock.Advance(d)
	other.Clock.Advance(d)
	s.Settle(t)
}

// BenchmarkSign signs with a key that was unsealed before, as most requests do.
func BenchmarkSign(b *testing.B) {
	s := testkit.Start(b)
	signer := webkey.NewSigner(s.Store, s.Vault)
	r := s.Send(b, testkit.Call{Do: webKeyService + "CreateWebKey", Body: `{"ecdsa":{"curve":1}}`})
	id, _ := r.JSON(b).(map[string]any)["id"].(string)
	s.Send(b, testkit.Call{Do: webKeyService + "ActivateWebKey", Body: `{"id":"` + id + `"}`})
	var k webkey.Signing
	if err := s.Store.Read(b.Context(), webkey.SigningIn(&k, "k.instance_id = ?", s.InstanceID)); err != nil || k.Algorithm() != "ES256" {
		b.Fatal(k.Algorithm(), err)
	}
	for b.Loop() {
		if _, err := signer.Sign(b.Context(), s.InstanceID, k, "at+jwt", jwt.Claims{Issuer: "http://localhost", Subject: s.OwnerID}); err != nil {
			b.Fatal(err)
		}
	}
}
