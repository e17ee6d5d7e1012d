package user

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

// A personal access token is a prefix that secret scanners find, 43 base62
// characters of chance (256 bits) and 6 of checksum, by which a mistyped or
// invented token is refused without a look into the database.
const (
	tokenPrefix = "gatehouse_pat_"
	tokenRandom = 43
	tokenSum    = 6
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewToken makes a token and the hash under which it is stored.
func NewToken() (token, hash string) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 256))
	if err != nil { // crypto/rand does not fail on supported systems.
		panic(err)
	}
	body := encode62(n, tokenRandom)
	token = tokenPrefix + body + checksum(body)
	return token, HashToken(token)
}

// HashToken is the form in which a token is stored and looked up.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// LooksLikeToken reports whether token was made by NewToken, as far as its form
// tells.
func LooksLikeToken(token string) bool {
	body, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok || len(body) != tokenRandom+tokenSum {
		return false
	}
	return checksum(body[:tokenRandom]) == body[tokenRandom:]
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
