package user

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

// A token or secret is a prefix that secret scanners find, 43 base62 characters
// of chance (256 bits) and 6 of checksum, by which a mistyped or invented one is
// refused without a look into the database. So much chance needs no slow hash.
const (
	patPrefix    = "gatehouse_pat_"
	accessPrefix = "gatehouse_at_"
	secretPrefix = "gatehouse_secret_"
	// sessionPrefix begins the tokens of sessions, which packages below flow know as
	// hashes only.
	sessionPrefix = "gatehouse_session_"
	// Those of OpenID Connect, which package oauth knows as hashes only.
	oidcPrefix    = "gatehouse_oat_"
	refreshPrefix = "gatehouse_rt_"
	codePrefix    = "gatehouse_code_"
	tokenRandom   = 43
	tokenSum      = 6
	// The tokens of sessions name theirs before the chance, so that nobody has to look for
	// it: an id below 2^63.
	tokenID = 11
	base62  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewToken makes a personal access token and the hash under which it is stored.
func NewToken() (token, hash string) { return newSecret(patPrefix) }

// NewAccessToken makes a token that is given for a key or a secret.
func NewAccessToken() (token, hash string) { return newSecret(accessPrefix) }

// NewSecret makes a machine's secret and the hash under which it is stored.
func NewSecret() (secret, hash string) { return newSecret(secretPrefix) }

// NewSessionToken makes a token of the session with that id, which is a decimal number,
// and the hash that the session keeps of it.
func NewSessionToken(session string) (token, hash string) {
	id, ok := new(big.Int).SetString(session, 10)
	if !ok {
		panic("user: the session id " + session + " is no number")
	}
	return sealed(sessionPrefix, encode62(id, tokenID)+random62())
}

// SessionOfToken gives the id of the session that a token of one names. Those that were
// made before tokens did so name none: they are found by their hash.
func SessionOfToken(token string) string {
	body, ok := strings.CutPrefix(token, sessionPrefix)
	if !ok || len(body) != tokenID+tokenRandom+tokenSum {
		return ""
	}
	return decode62(body[:tokenID]).String()
}

// NewOIDCToken makes an access token of a client and the hash under which it is stored.
func NewOIDCToken() (token, hash string) { return newSecret(oidcPrefix) }

// NewCode makes an authorization code and the hash under which it is stored.
func NewCode() (code, hash string) { return newSecret(codePrefix) }

// NewRefreshToken makes a refresh token of two halves: the first stays the same in
// every one that takes the place of another, and is made where it is empty; the
// second is this one's own. It gives the hashes of both too.
func NewRefreshToken(family string) (token, familyPart, familyHash, hash string) {
	if family == "" {
		family = random62()
	}
	own := random62()
	return refreshPrefix + family + own + checksum(family+own), family, HashToken(family), HashToken(own)
}

// SplitRefreshToken gives the half that all of a family share, and the hashes of
// both; ok is false where the token has not the form of one.
func SplitRefreshToken(token string) (family, familyHash, hash string, ok bool) {
	body, ok := strings.CutPrefix(token, refreshPrefix)
	if !ok || len(body) != 2*tokenRandom+tokenSum || checksum(body[:2*tokenRandom]) != body[2*tokenRandom:] {
		return "", "", "", false
	}
	family = body[:tokenRandom]
	return family, HashToken(family), HashToken(body[tokenRandom : 2*tokenRandom]), true
}

func newSecret(prefix string) (secret, hash string) {
	return sealed(prefix, random62())
}

// sealed ends a token with its checksum.
func sealed(prefix, body string) (token, hash string) {
	token = prefix + body + checksum(body)
	return token, HashToken(token)
}

// random62 is 256 bits of chance.
func random62() string {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 256))
	if err != nil { // crypto/rand does not fail on supported systems.
		panic(err)
	}
	return encode62(n, tokenRandom)
}

// HashToken is the form in which a token is stored and looked up.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// LooksLikeToken reports whether token is one of ours, as far as its form tells.
func LooksLikeToken(token string) bool {
	for _, prefix := range []string{patPrefix, accessPrefix, sessionPrefix, oidcPrefix} {
		if body, ok := strings.CutPrefix(token, prefix); ok {
			n := len(body) - tokenSum
			return (n == tokenRandom || n == tokenID+tokenRandom && prefix == sessionPrefix) && checksum(body[:n]) == body[n:]
		}
	}
	return false
}

// LooksLikeSessionToken reports whether token is one of a session, as far as its
// form tells.
func LooksLikeSessionToken(token string) bool {
	return strings.HasPrefix(token, sessionPrefix) && LooksLikeToken(token)
}

// LooksLikeOIDCToken reports whether token is an access token of a client, as far as
// its form tells.
func LooksLikeOIDCToken(token string) bool {
	return strings.HasPrefix(token, oidcPrefix) && LooksLikeToken(token)
}

// LooksLikeCode reports whether code is an authorization code, as far as its form tells.
func LooksLikeCode(code string) bool {
	body, ok := strings.CutPrefix(code, codePrefix)
	return ok && len(body) == tokenRandom+tokenSum && checksum(body[:tokenRandom]) == body[tokenRandom:]
}

func checksum(body string) string {
	return encode62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(body)))), tokenSum)
}

func encode62(n *big.Int, width int) string {
	out := make([]byte, width)
	base, digit := big.NewInt(int64(len(base62))), new(big.Int)
	for i := width - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		out[i] = base62[digit.Int64()]
	}
	return string(out)
}

// decode62 undoes encode62. What has other characters than its is some number or other.
func decode62(text string) *big.Int {
	n, base := new(big.Int), big.NewInt(int64(len(base62)))
	for i := range len(text) {
		n.Add(n.Mul(n, base), big.NewInt(int64(strings.IndexByte(base62, text[i]))))
	}
	return n
}
