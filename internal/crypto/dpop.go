package crypto

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// What a DPoP proof (RFC 9449) may be like.
const (
	maxProof   = 4 << 10 // bytes
	maxProofID = 128     // bytes of jti
	// ProofLifetime is for how long after iat a proof counts, and how far the clock
	// of its maker may be ahead or behind.
	ProofLifetime = 60 * time.Second
	proofSkew     = 10 * time.Second
)

// ProofAlgorithms are the algorithms that a proof may be signed with: those of
// private keys.
var ProofAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.EdDSA, jose.PS256, jose.PS384, jose.PS512, jose.RS256, jose.RS384, jose.RS512}

// ProofAlgorithmNames are the names of ProofAlgorithms.
func ProofAlgorithmNames() (out []string) {
	for _, a := range ProofAlgorithms {
		out = append(out, string(a))
	}
	return out
}

// ErrProof refuses a proof, and not why: whoever made it may not hold the key.
var ErrProof = fault.Unauthenticated("OIDC-dpop", "The DPoP proof is not valid for this request, or no longer.")

// Proof is what a DPoP proof shows: somebody holds the key with the thumbprint.
type Proof struct {
	// Thumbprint is the key's SHA-256 of RFC 7638, in base64url: the jkt of tokens.
	Thumbprint string
	// ID is the digest of jti: a proof is to be taken once, until Ends.
	ID   string
	Ends time.Time
}

// CheckProof holds a DPoP proof (RFC 9449, section 4.3) against the request that it
// came with: its method, its address without query, and the access token that it
// protects; empty where there is none yet. That it comes once is the caller's to know.
func CheckProof(proof, method, address, token string, now time.Time) (Proof, error) {
	if len(proof) > maxProof {
		return Proof{}, ErrProof
	}
	parsed, err := jwt.ParseSigned(proof, ProofAlgorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return Proof{}, ErrProof.Because(err)
	}
	h := parsed.Headers[0]
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	_, critical := h.ExtraHeaders["crit"]
	if !strings.EqualFold(typ, "dpop+jwt") || critical || h.JSONWebKey == nil {
		return Proof{}, ErrProof
	}
	var claims struct {
		ID       string           `json:"jti"`
		Method   string           `json:"htm"`
		Address  string           `json:"htu"`
		IssuedAt *jwt.NumericDate `json:"iat"`
		Token    string           `json:"ath"`
	}
	if err := parsed.Claims(h.JSONWebKey.Key, &claims); err != nil {
		return Proof{}, ErrProof.Because(err)
	}
	if claims.ID == "" || len(claims.ID) > maxProofID || claims.Method != method || !sameAddress(claims.Address, address) || claims.IssuedAt == nil {
		return Proof{}, ErrProof
	}
	made := claims.IssuedAt.Time()
	if made.After(now.Add(proofSkew)) || now.After(made.Add(ProofLifetime+proofSkew)) {
		return Proof{}, ErrProof
	}
	if token != "" && claims.Token != proofDigest(token) {
		return Proof{}, ErrProof
	}
	thumbprint, err := Thumbprint(*h.JSONWebKey)
	if err != nil {
		return Proof{}, ErrProof.Because(err)
	}
	return Proof{Thumbprint: thumbprint, ID: proofDigest(thumbprint + " " + claims.ID), Ends: made.Add(ProofLifetime + proofSkew)}, nil
}

// Thumbprint gives a key's SHA-256 of RFC 7638, in base64url.
func Thumbprint(key jose.JSONWebKey) (string, error) {
	sum, err := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

func proofDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameAddress compares what section 4.3 lets differ in form: case of scheme and
// host, a default port, query and fragment.
func sameAddress(a, b string) bool {
	x, err := url.Parse(a)
	if err != nil {
		return false
	}
	y, err := url.Parse(b)
	if err != nil {
		return false
	}
	return origin(x) == origin(y) && x.User == nil && x.EscapedPath() == y.EscapedPath()
}

func origin(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := u.Port(); scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return scheme + "://" + host
}
