package oidc

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// The types of JWTs, so that none passes for another.
const (
	typeID     = "JWT"
	typeAccess = "at+jwt" // RFC 9068
)

// signingAlgorithms are those that an instance can sign with.
var signingAlgorithms = []jose.SignatureAlgorithm{jose.EdDSA, jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}

// halfHash is at_hash and c_hash of OpenID Connect Core, section 3.1.3.6: the first
// half of the digest that goes with the algorithm of the signature.
func halfHash(algorithm, value string) string {
	var sum []byte
	switch {
	case algorithm == string(jose.EdDSA), strings.HasSuffix(algorithm, "512"):
		d := sha512.Sum512([]byte(value))
		sum = d[:]
	case strings.HasSuffix(algorithm, "384"):
		d := sha512.Sum384([]byte(value))
		sum = d[:]
	default: // Also of the first key of an instance, which is RS256.
		d := sha256.Sum256([]byte(value))
		sum = d[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// hint is what an ID token says that a client shows to name somebody. It may have
// expired: nothing is given for it.
type hint struct {
	jwt.Claims
	SessionID string `json:"sid"`
	Client    string `json:"azp"`
	Actor     any    `json:"act"`
}

const maxHint = 16 << 10 // bytes

var errHint = fault.Invalid("OIDC-id-token-hint", "The id_token_hint must be an ID token of this issuer, signed with one of its keys.")

// readHint checks that an ID token is one of the issuer's.
func readHint(token, issuer string, keys *webkey.Published) (h hint, err error) {
	if len(token) > maxHint {
		return h, errHint
	}
	parsed, err := jwt.ParseSigned(token, signingAlgorithms)
	if err != nil {
		return h, errHint.Because(err)
	}
	header := parsed.Headers[0]
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	_, critical := header.ExtraHeaders["crit"]
	key, ok := keys.Key(header.KeyID)
	if !ok || typ != typeID || critical || key.Algorithm != "" && key.Algorithm != header.Algorithm {
		return h, errHint
	}
	if err := parsed.Claims(key.Key, &h); err != nil {
		return h, errHint.Because(err)
	}
	if h.Issuer != issuer || h.Subject == "" || h.Client == "" || !slices.Contains(h.Audience, h.Client) {
		return h, errHint
	}
	return h, nil
}
