package crypto

import (
	"crypto/md5" //nolint:gosec // of hashes that others made
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // of hashes that others made
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/md5crypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// The most that checking a hash may cost: one that is imported must not be able
// to keep a core busy for seconds at every login, nor take the memory of the rest.
const (
	maxArgonPasses  = 16
	maxHashLanes    = 16
	maxHashMemory   = 128 << 20 // bytes at once
	maxHashFilled   = 1 << 30   // bytes of memory, each time that they are written
	maxBcryptCost   = 14
	maxPBKDF2Rounds = 2_000_000 // of all blocks together
	maxSHARounds    = 1_000_000
	maxPHPassLog2   = 20
	maxHashed       = 128 << 20 // bytes, over all rounds
	maxStoredHash   = 1 << 10   // bytes
)

// minSum is the fewest bytes of a hash: fewer are found by trying.
const minSum = 16

// matcher tells whether a password is the one of a stored hash.
type matcher struct {
	match  func(password string) bool
	memory int64 // bytes that it takes meanwhile
}

// cheap is a matcher that takes next to no memory.
func cheap(match func(password string) bool) matcher { return matcher{match: match} }

// rounds is a matcher that hashes the password so many times. A long one is not the
// password where that would take too long.
func rounds(n int, match func(password string) bool) matcher {
	const block = 64 // bytes that are hashed besides
	return cheap(func(password string) bool { return n*(block+len(password)) <= maxHashed && match(password) })
}

// costs reports whether memory that is written so often is within the bounds.
func costs(memory, times int64) bool {
	return memory <= maxHashMemory && times <= maxHashFilled && memory*times <= maxHashFilled
}

// schemes are the forms of stored hashes, by how they begin.
var schemes = []struct {
	prefix string
	parse  func(stored string) (matcher, bool)
}{
	{"$argon2id$", argon(argon2.IDKey)},
	{"$argon2i$", argon(argon2.Key)},
	{"$2a$", bcrypted}, {"$2b$", bcrypted}, {"$2y$", bcrypted},
	{"$scrypt$", scrypted},
	{"$pbkdf2$", pbkdf2ed(sha1.New)},
	{"$pbkdf2-sha1$", pbkdf2ed(sha1.New)},
	{"$pbkdf2-sha256$", pbkdf2ed(sha256.New)},
	{"$pbkdf2-sha512$", pbkdf2ed(sha512.New)},
	{"$5$", shaCrypted}, {"$6$", shaCrypted},
	{"$1$", md5Crypted},
	{"$md5salted-suffix$", md5Salted(func(salt, password string) string { return password + salt })},
	{"$md5salted-prefix$", md5Salted(func(salt, password string) string { return salt + password })},
	{"$P$", phpass(md5.New, 34)}, {"$H$", phpass(md5.New, 34)},
	{"$S$", phpass(sha512.New, 55)}, // Drupal 7 keeps the first 55 characters.
	{"", md5Plain},
}

var errHash = fault.Invalid("PASSWORD-hash",
	"This is no password hash that can be checked: known are argon2, bcrypt, scrypt, pbkdf2, SHA-2 and MD5 crypt, MD5, phpass and Drupal 7, at bounded cost.")

// CheckHash refuses a stored hash, made elsewhere, that passwords could not be
// compared with.
func CheckHash(stored string) error {
	_, err := parseHash(stored)
	return err
}

func parseHash(stored string) (matcher, error) {
	if len(stored) > maxStoredHash {
		return matcher{}, errHash
	}
	for _, s := range schemes {
		if strings.HasPrefix(stored, s.prefix) {
			if m, ok := s.parse(stored); ok {
				return m, nil
			}
			return matcher{}, errHash
		}
	}
	return matcher{}, errHash
}

// fields splits "$scheme$a$b" into its parts after the scheme.
func fields(stored string, n int) ([]string, bool) {
	parts := strings.Split(stored, "$")
	return parts[2:], len(parts) == n+2
}

// decode reads base64 in the alphabets that password hashes use, without padding.
func decode(text string) ([]byte, bool) {
	text = strings.TrimRight(strings.ReplaceAll(text, ".", "+"), "=")
	data, err := base64.RawStdEncoding.DecodeString(text)
	return data, err == nil && len(data) > 0
}

// minArgonMemory is the least that a lane takes, in KiB.
const minArgonMemory = 8

func argon(key func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte) func(string) (matcher, bool) {
	return func(stored string) (matcher, bool) {
		parts, ok := fields(stored, 4)
		if !ok || parts[0] != fmt.Sprintf("v=%d", argon2.Version) {
			return matcher{}, false
		}
		var memory, passes uint32
		var lanes uint8
		_, err := fmt.Sscanf(parts[1], "m=%d,t=%d,p=%d", &memory, &passes, &lanes)
		salt, ok1 := decode(parts[2])
		want, ok2 := decode(parts[3])
		bytes := max(int64(memory), minArgonMemory*int64(lanes)) << 10
		if err != nil || !ok1 || !ok2 || len(want) < minSum || passes < 1 || passes > maxArgonPasses || lanes < 1 || lanes > maxHashLanes || !costs(bytes, int64(passes)) {
			return matcher{}, false
		}
		return matcher{func(password string) bool {
			return same(key([]byte(password), salt, passes, memory, lanes, uint32(len(want))), want) //nolint:gosec // a few bytes
		}, bytes}, true
	}
}

func bcrypted(stored string) (matcher, bool) {
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || cost > maxBcryptCost || len(stored) != 60 {
		return matcher{}, false
	}
	return cheap(func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(stored), []byte(password)) == nil
	}), true
}

func scrypted(stored string) (matcher, bool) {
	parts, ok := fields(stored, 3)
	if !ok {
		return matcher{}, false
	}
	var log2, r, p int
	_, err := fmt.Sscanf(parts[0], "ln=%d,r=%d,p=%d", &log2, &r, &p)
	salt, ok1 := decode(parts[1])
	want, ok2 := decode(parts[2])
	if err != nil || !ok1 || !ok2 || len(want) < minSum || log2 < 1 || log2 > 30 || r < 1 || p < 1 || p > maxHashLanes || r > maxHashMemory>>7>>log2 {
		return matcher{}, false
	}
	memory := int64(r) << 7 << log2
	return matcher{func(password string) bool {
		got, err := scrypt.Key([]byte(password), salt, 1<<log2, r, p, len(want))
		return err == nil && same(got, want)
	}, memory}, costs(memory, int64(p))
}

func pbkdf2ed(h func() hash.Hash) func(string) (matcher, bool) {
	return func(stored string) (matcher, bool) {
		parts, ok := fields(stored, 3)
		if !ok {
			return matcher{}, false
		}
		rounds, err := strconv.Atoi(parts[0])
		salt, ok1 := decode(parts[1])
		want, ok2 := decode(parts[2])
		if err != nil || !ok1 || !ok2 || len(want) < minSum || rounds < 1 || rounds > maxPBKDF2Rounds/blocks(len(want), h().Size()) {
			return matcher{}, false
		}
		return cheap(func(password string) bool {
			got, err := pbkdf2.Key(h, password, salt, rounds, len(want))
			return err == nil && same(got, want)
		}), true
	}
}

// blocks is how many blocks of a size make so many bytes: each is computed by itself.
func blocks(bytes, size int) int { return (bytes + size - 1) / size }

// shaCrypted is SHA-2 crypt, with "rounds=n$" or the 5000 that are the default.
func shaCrypted(stored string) (matcher, bool) {
	n := shacrypt.IterationsDefaultOmitted
	if rest, ok := strings.CutPrefix(stored[3:], "rounds="); ok {
		text, _, _ := strings.Cut(rest, "$")
		var err error
		if n, err = strconv.Atoi(text); err != nil || n > maxSHARounds {
			return matcher{}, false
		}
	}
	return digest(n)(shacrypt.Decode(stored))
}

const md5CryptRounds = 1000

func md5Crypted(stored string) (matcher, bool) {
	return digest(md5CryptRounds)(md5crypt.Decode(stored))
}

func digest(n int) func(algorithm.Digest, error) (matcher, bool) {
	return func(d algorithm.Digest, err error) (matcher, bool) {
		if err != nil {
			return matcher{}, false
		}
		return rounds(n, d.Match), true
	}
}

// md5Salted is MD5 in hexadecimal or base64 over password and salt.
func md5Salted(join func(salt, password string) string) func(string) (matcher, bool) {
	return func(stored string) (matcher, bool) {
		parts, ok := fields(stored, 2)
		if !ok {
			return matcher{}, false
		}
		want, ok := md5Sum(parts[1])
		return cheap(func(password string) bool {
			got := md5.Sum([]byte(join(parts[0], password))) //nolint:gosec // see above
			return same(got[:], want)
		}), ok
	}
}

func md5Plain(stored string) (matcher, bool) {
	want, ok := md5Sum(stored)
	return cheap(func(password string) bool {
		got := md5.Sum([]byte(password)) //nolint:gosec // see above
		return same(got[:], want)
	}), ok
}

func md5Sum(text string) ([]byte, bool) {
	if sum, err := hex.DecodeString(text); err == nil && len(sum) == md5.Size {
		return sum, true
	}
	sum, ok := decode(text)
	return sum, ok && len(sum) == md5.Size
}

const phpassDigits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// phpass is the portable hash of PHP applications: 2^n rounds over an 8 character
// salt. size is the length of the whole text.
func phpass(h func() hash.Hash, size int) func(string) (matcher, bool) {
	return func(stored string) (matcher, bool) {
		if len(stored) != size {
			return matcher{}, false
		}
		log2 := strings.IndexByte(phpassDigits, stored[3])
		if log2 < 1 || log2 > maxPHPassLog2 {
			return matcher{}, false
		}
		salt, want := stored[4:12], stored[12:]
		return rounds(1<<log2, func(password string) bool {
			sum := digestOf(h, salt, password)
			for range 1 << log2 {
				sum = digestOf(h, string(sum), password)
			}
			return SameCode(phpassText(sum)[:len(want)], want)
		}), true
	}
}

func digestOf(h func() hash.Hash, parts ...string) []byte {
	d := h()
	for _, p := range parts {
		_, _ = d.Write([]byte(p))
	}
	return d.Sum(nil)
}

// phpassText writes three bytes, the first one lowest, as four characters, the
// lowest six bits first.
func phpassText(data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		n := min(3, len(data))
		bits := 0
		for i, c := range data[:n] {
			bits |= int(c) << (8 * i)
		}
		for range n + 1 {
			b.WriteByte(phpassDigits[bits&63])
			bits >>= 6
		}
		data = data[n:]
	}
	return b.String()
}

func same(a, b []byte) bool { return SameCode(string(a), string(b)) }
