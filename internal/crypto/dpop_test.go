package crypto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// sign makes a JWT with any header and claims.
func sign(t testing.TB, key any, alg jose.SignatureAlgorithm, header map[jose.HeaderKey]any, claims any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCheckProof(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	const address, token = "https://id.example.com/oauth/v2/token", "a token"
	header := func(change map[jose.HeaderKey]any) map[jose.HeaderKey]any {
		out := map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: key.Public()}}
		maps.Copy(out, change)
		return out
	}
	claims := func(change map[string]any) map[string]any {
		out := map[string]any{"jti": "1", "htm": "POST", "htu": address, "iat": now.Unix(), "ath": proofDigest(token)}
		maps.Copy(out, change)
		for k, v := range out {
			if v == nil {
				delete(out, k)
			}
		}
		return out
	}
	right := sign(t, key, jose.ES256, header(nil), claims(nil))
	first, err := CheckProof(right, "POST", address, token, now)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Thumbprint(jose.JSONWebKey{Key: key.Public()})
	if err != nil || first.Thumbprint != want || !first.Ends.After(now) {
		t.Errorf("the proof shows %+v, want the thumbprint %s, %v", first, want, err)
	}
	second, err := CheckProof(sign(t, key, jose.ES256, header(nil), claims(map[string]any{"jti": "2"})), "POST", address, token, now)
	if err != nil || second.ID == first.ID {
		t.Errorf("two proofs have the ids %q and %q, %v", first.ID, second.ID, err)
	}
	for name, c := range map[string]struct {
		header map[jose.HeaderKey]any
		claims map[string]any
		key    any
		ok     bool
	}{
		"the form of an address differs": {claims: map[string]any{"htu": "HTTPS://ID.example.com:443/oauth/v2/token?x=1#y"}, ok: true},
		"a clock ahead":                  {claims: map[string]any{"iat": now.Add(10 * time.Second).Unix()}, ok: true},
		"a clock behind":                 {claims: map[string]any{"iat": now.Add(-70 * time.Second).Unix()}, ok: true},
		"the future":                     {claims: map[string]any{"iat": now.Add(11 * time.Second).Unix()}},
		"the past":                       {claims: map[string]any{"iat": now.Add(-71 * time.Second).Unix()}},
		"no time":                        {claims: map[string]any{"iat": nil}},
		"another method":                 {claims: map[string]any{"htm": "GET"}},
		"a method in lower case":         {claims: map[string]any{"htm": "post"}},
		"another path":                   {claims: map[string]any{"htu": "https://id.example.com/oauth/v2/Token"}},
		"another host":                   {claims: map[string]any{"htu": "https://id.example.org/oauth/v2/token"}},
		"another port":                   {claims: map[string]any{"htu": "https://id.example.com:8443/oauth/v2/token"}},
		"another scheme":                 {claims: map[string]any{"htu": "http://id.example.com/oauth/v2/token"}},
		"a user in the address":          {claims: map[string]any{"htu": "https://id.example.com@evil.example/oauth/v2/token"}},
		"another token":                  {claims: map[string]any{"ath": proofDigest("another")}},
		"no token":                       {claims: map[string]any{"ath": nil}},
		"no id":                          {claims: map[string]any{"jti": nil}},
		"a long id":                      {claims: map[string]any{"jti": strings.Repeat("x", maxProofID+1)}},
		"another type":                   {header: map[jose.HeaderKey]any{"typ": "JWT"}},
		"no key":                         {header: map[jose.HeaderKey]any{"jwk": nil}},
		"somebody else's key":            {header: map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: other.Public()}}},
		"a private key":                  {header: map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: key}}},
		"something critical":             {header: map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}},
	} {
		proof := sign(t, key, jose.ES256, header(c.header), claims(c.claims))
		if _, err := CheckProof(proof, "POST", address, token, now); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	parts := strings.Split(right, ".")
	for name, proof := range map[string]string{
		"empty": "", "no signature": parts[0] + "." + parts[1] + ".", "twice": right + right, "long": strings.Repeat("x", maxProof+1),
		"symmetric": sign(t, []byte(strings.Repeat("k", 32)), jose.HS256, map[jose.HeaderKey]any{"typ": "dpop+jwt"}, claims(nil)),
	} {
		if _, err := CheckProof(proof, "POST", address, token, now); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := CheckProof(sign(t, key, jose.ES256, header(nil), claims(map[string]any{"ath": nil})), "POST", address, "", now); err != nil {
		t.Errorf("without a token: %v", err)
	}
}
