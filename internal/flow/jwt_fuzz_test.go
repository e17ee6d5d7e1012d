package flow

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// jwtNow is the time of these tests.
var jwtNow = time.Unix(1_700_000_000, 0).UTC()

// signer is a key with what it signs.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(f *testing.F) signer {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	return signer{key}
}

// public is the key in PEM.
func (s signer) public(f *testing.F) string {
	f.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		f.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes a JWT of whatever the claims are.
func (s signer) sign(t *testing.T, typ string, claims []byte) string {
	t.Helper()
	j, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := j.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claimsOf reads what was signed, as another reader would; nil where that is no object.
func claimsOf(claims []byte) (out map[string]any) {
	_ = json.Unmarshal(claims, &out)
	return out
}

// within reports whether a claim is a time from least to most seconds after now.
func within(claim any, least, most time.Duration) bool {
	seconds, ok := claim.(float64)
	at := time.Duration(seconds-float64(jwtNow.Unix())) * time.Second
	return ok && at >= least && at <= most
}

// addClaims gives the seeds of those who sign for themselves.
func addClaims(f *testing.F) {
	f.Helper()
	for _, claims := range []string{
		`{"iss":"c1","sub":"c1","aud":"https://id.example","iat":1700000000,"exp":1700000600,"jti":"1"}`,
		`{"iss":"c1","sub":"other","aud":["https://id.example","https://evil.example"],"iat":1e9,"exp":1e300,"jti":"1"}`,
		`{"iss":"c1","client_id":"c1","aud":"https://id.example","exp":1700000600,"scope":"openid","max_age":5,"request":"x","state":null,"prompt":["a"]}`,
		`{"iss":"c1","client_id":"c1","aud":"https://id.example","exp":1700000600,"nbf":1700000000,"redirect_uri":"https://app.example","claims":{"a":1}}`,
		`[]`, `{"exp":"1700000600"}`, `{"iss":"c1","ISS":"c2","sub":"c1","exp":-1}`,
	} {
		f.Add([]byte(claims), "JWT", "x.y.z")
	}
	f.Add([]byte(`{}`), "oauth-authz-req+jwt", "eyJhbGciOiJub25lIn0.e30.")
}

// FuzzRequestObject: a request that another key signed is none of the client's, and one that
// the client signed counts only where it says for whom, by whom and until when.
func FuzzRequestObject(f *testing.F) {
	addClaims(f)
	ours, others := newSigner(f), newSigner(f)
	c := &Client{ID: "c1"}
	c.key.id, c.key.public = "k1", ours.public(f)
	const issuer = "https://id.example"
	open := func(text string) (map[string][]string, error) {
		o, err := ParseRequestObject(text)
		if err != nil {
			return nil, err
		}
		return c.Open(o, issuer, jwtNow)
	}
	f.Fuzz(func(t *testing.T, claims []byte, typ, text string) {
		if _, err := open(text); err == nil {
			t.Errorf("%q is a request", text)
		}
		if _, err := open(others.sign(t, typ, claims)); err == nil {
			t.Errorf("%q counts with the key of somebody else", claims)
		}
		form, err := open(ours.sign(t, typ, claims))
		if err != nil {
			return
		}
		named := func(name, value string) bool { return slices.Equal(form[name], []string{value}) }
		if !named("client_id", "c1") || form["request"] != nil || form["request_uri"] != nil || form["iss"] != nil || form["sub"] != nil {
			t.Errorf("%q gives %v", claims, form)
		}
		if said := claimsOf(claims); !within(said["exp"], -clockSkew, maxTokenAge+clockSkew) || said["iss"] != "c1" {
			t.Errorf("%q counts", claims)
		}
	})
}

// FuzzClientAssertion: nobody but the client proves to be it, once, and with what is for us
// alone.
func FuzzClientAssertion(f *testing.F) {
	addClaims(f)
	ours, others := newSigner(f), newSigner(f)
	store := eventstore.New(testdb.Open(f), func() time.Time { return jwtNow })
	c := &Client{ID: "c1"}
	c.key.id, c.key.public = "k1", ours.public(f)
	audience := []string{"https://id.example"}
	prove := func(text string) error {
		parsed, err := parseAssertion(text)
		if err != nil {
			return err
		}
		return c.checkAssertion(context.Background(), store, parsed, audience)
	}
	f.Fuzz(func(t *testing.T, claims []byte, typ, text string) {
		if prove(text) == nil || prove(others.sign(t, typ, claims)) == nil {
			t.Errorf("%q or %q of somebody else is a proof", text, claims)
		}
		if prove(ours.sign(t, typ, claims)) != nil {
			return
		}
		said := claimsOf(claims)
		if said["iss"] != "c1" || said["sub"] != "c1" || said["aud"] != audience[0] || said["jti"] == "" ||
			!within(said["exp"], -clockSkew, maxTokenAge+clockSkew) || !within(said["iat"], -maxTokenAge, clockSkew) {
			t.Errorf("%q is a proof", claims)
		}
		if prove(ours.sign(t, typ, claims)) == nil {
			t.Errorf("%q is a proof twice", claims)
		}
	})
}

// FuzzSystemToken: nobody but a system user is let in as one, and for a while only.
func FuzzSystemToken(f *testing.F) {
	addClaims(f)
	ours, others := newSigner(f), newSigner(f)
	store := eventstore.New(nil, func() time.Time { return jwtNow })
	g := NewGate(store, nil, "https://id.example/", []SystemUser{{Name: "c1", Key: ours.key.Public()}, {Name: "c2", Key: others.key.Public()}})
	f.Fuzz(func(t *testing.T, claims []byte, typ, text string) {
		if u, err := g.systemUser(text); err == nil {
			t.Errorf("%q lets %s in", text, u.Name)
		}
		if u, err := g.systemUser(others.sign(t, typ, claims)); err == nil && u.Name != "c2" {
			t.Errorf("%q lets %s in with the key of c2", claims, u.Name)
		}
		u, err := g.systemUser(ours.sign(t, typ, claims))
		if err != nil {
			return
		}
		said, aud := claimsOf(claims), ""
		switch list := said["aud"].(type) {
		case string:
			aud = list
		case []any:
			if slices.ContainsFunc(list, func(a any) bool { s, _ := a.(string); return strings.TrimSuffix(s, "/") == "https://id.example" }) {
				aud = "https://id.example"
			}
		}
		if u.Name != "c1" || said["iss"] != "c1" || said["sub"] != "c1" || strings.TrimSuffix(aud, "/") != "https://id.example" ||
			!within(said["iat"], -maxTokenAge, clockSkew) || said["exp"] == nil {
			t.Errorf("%q lets %s in", claims, u.Name)
		}
	})
}
