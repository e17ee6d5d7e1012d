package crypto

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"math/big"
	"strings"
	"unicode/utf8"
)

// The characters of codes. Letters and digits that look alike are left out.
const (
	LowerLetters = "abcdefghijkmnpqrstuvwxyz"
	UpperLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	Digits       = "0123456789"
	Symbols      = "~!@#$^&*()_+`-={}|[]:<>?,./"
)

// NewCode makes a random code of length characters of the alphabet, each as
// likely as the others.
func NewCode(alphabet string, length int) (string, error) {
	var b strings.Builder
	most := big.NewInt(int64(len(alphabet)))
	for range length {
		i, err := rand.Int(rand.Reader, most)
		if err != nil {
			return "", err
		}
		b.WriteByte(alphabet[i.Int64()])
	}
	return b.String(), nil
}

// The form of recovery codes: 80 bits in groups that are easy to copy.
const (
	recoveryGroups = 4
	recoveryGroup  = 4
)

// NewRecoveryCodes makes n codes for the day when every other factor is lost.
func NewRecoveryCodes(n int) ([]string, error) {
	out := make([]string, n)
	for i := range out {
		groups := make([]string, recoveryGroups)
		for j := range groups {
			group, err := NewCode("abcdefghijklmnopqrstuvwxyz234567", recoveryGroup)
			if err != nil {
				return nil, err
			}
			groups[j] = group
		}
		out[i] = strings.Join(groups, "-")
	}
	return out, nil
}

// HashCode is what is kept of a code that nobody can guess: one of at least 64
// random bits. Case, spaces and dashes, with which people copy codes, do not matter.
func HashCode(code string) string {
	sum := sha256.Sum256([]byte(plainCode(code)))
	return hex.EncodeToString(sum[:])
}

// IsCodeHash reports whether a text has the form that HashCode gives.
func IsCodeHash(hash string) bool {
	sum, err := hex.DecodeString(hash)
	return err == nil && len(sum) == sha256.Size && hash == strings.ToLower(hash)
}

// CodeLength counts the characters of a code that matter.
func CodeLength(code string) int { return utf8.RuneCountInString(plainCode(code)) }

func plainCode(code string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(code))
}

// SameCode compares without telling by its time how much is equal.
func SameCode(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
