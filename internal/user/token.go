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
	tokenRandom   = 43
	tokenSum      = 6
	base62        = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewToken makes a personal access token and the hash under which it is stored.
func NewToken() (token, hash string) { return newSecret(patPrefix) }

// NewAccessToken makes a token that is given for a key or a secret.
func NewAccessToken() (token, hash string) { return newSecret(accessPrefix) }

// NewSecret makes a machine's secret and the hash under which it is stored.
func NewSecret() (secret, hash string) { return newSecret(secretPrefix) }

// NewSessionToken makes a token of a session and the hash under which it is stored.
func NewSessionToken() (token, hash string) { return newSecret(sessionPrefix) }

func newSecret(prefix string) (secret, hash string) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 256))
	if err != nil { // crypto/rand does not fail on supported systems.
		panic(err)
	}
	body := encode62(n, tokenRandom)
	secret = prefix + body + checksum(body)
	return secret, HashToken(secret)
}

// HashToken is the form in which a token is stored and looked up.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// LooksLikeToken reports whether token is one of ours, as far as its form tells.
func LooksLikeToken(token string) bool {
	var body string
	ok := false
	for _, prefix := range []string{patPrefix, accessPrefix, sessionPrefix} {
		if !ok {
			body, ok = strings.CutPrefix(token, prefix)
		}
	}
	if !ok || len(body) != tokenRandom+tokenSum {
		return false
	}
	return checksum(body[:tokenRandom]) == body[tokenRandom:]
}

// LooksLikeSessionToken reports whether token is one of a session, as far as its
// form tells.
func LooksLikeSessionToken(token string) bool {
	return strings.HasPrefix(token, sessionPrefix) && LooksLikeToken(token)
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
