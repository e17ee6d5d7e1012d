//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// prover adds to each request the proof that the client holds a key (RFC 9449).
type prover struct {
	t      *testing.T
	signer jose.Signer
}

func newProver(t *testing.T) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	return &prover{t, signer}
}

func (p *prover) RoundTrip(r *http.Request) (*http.Response, error) {
	claims := map[string]any{"jti": rand.Text(), "htm": r.Method, "htu": r.URL.Scheme + "://" + r.URL.Host + r.URL.Path, "iat": time.Now().Unix()}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); scheme == "DPoP" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	proof, err := jwt.Signed(p.signer).Claims(claims).Serialize()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("DPoP", proof)
	return client.Transport.RoundTrip(r)
}

// testBound logs in with tokens that are bound to a key: they are good for nobody else.
func (r *relying) testBound(t *testing.T) {
	own := oidc.ClientContext(r.Context, &http.Client{Timeout: client.Timeout, Transport: newProver(t)})
	other := oidc.ClientContext(r.Context, &http.Client{Timeout: client.Timeout, Transport: newProver(t)})
	verifier := oauth2.GenerateVerifier()
	token, err := r.Exchange(own, r.code(t, verifier), oauth2.VerifierOption(verifier))
	if err != nil || token.Type() != "DPoP" {
		t.Fatalf("%+v %v", token, err)
	}
	if info, err := r.provider.UserInfo(own, oauth2.StaticTokenSource(token)); err != nil || info.Subject != r.ada {
		t.Errorf("userinfo: %+v %v", info, err)
	}
	if _, err := r.provider.UserInfo(other, oauth2.StaticTokenSource(token)); err == nil {
		t.Error("a token is good for who has another key")
	}
	if _, err := r.provider.UserInfo(r.Context, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token.AccessToken})); err == nil {
		t.Error("a token is good for who has no key")
	}
	if renewed, err := r.TokenSource(own, &oauth2.Token{RefreshToken: token.RefreshToken}).Token(); err != nil || renewed.Type() != "DPoP" {
		t.Errorf("refresh: %+v %v", renewed, err)
	}
}

// testPushed makes an authorization request out of the browser's sight (RFC 9126).
func (r *relying) testPushed(t *testing.T) {
	verifier := oauth2.GenerateVerifier()
	status, said := r.form(t, r.endpoints(t).Push, "redirect_uri", callback, "response_type", "code", "scope", "openid", "state", "the state", "nonce", "the nonce",
		"code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256")
	uri, _ := said["request_uri"].(string)
	if status != http.StatusCreated || uri == "" {
		t.Fatalf("push: %d %v", status, said)
	}
	at := r.Endpoint.AuthURL + "?" + url.Values{"client_id": {r.ClientID}, "request_uri": {uri}}.Encode()
	token, err := r.Exchange(r.Context, r.answered(t, at), oauth2.VerifierOption(verifier))
	if err != nil || !r.active(t, token.AccessToken) {
		t.Errorf("%+v %v", token, err)
	}
	res, err := browser.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode == http.StatusSeeOther && strings.Contains(res.Header.Get("Location"), "authRequest") {
		t.Error("a pushed request is good twice")
	}
}
