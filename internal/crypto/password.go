// Package crypto keeps secrets: it hashes passwords. It knows no table and
// imports only fault.
package crypto

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// The cost of a new hash: argon2id with 19 MiB, two passes and one lane, the first
// choice of the OWASP password storage guide.
const (
	memoryKiB = 19 << 10
	passes    = 2
	lanes     = 1
	saltBytes = 16
	hashBytes = 32
)

// The costs that a stored hash may ask for. More would let one that was imported
// keep a core busy at every login.
const (
	maxMemoryKiB = 256 << 10
	maxPasses    = 16
	maxLanes     = 16
)

// MaxPassword is the most bytes that a password may have.
const MaxPassword = 1024

// places bounds the hashes that are computed at once: each takes a core and much
// memory, and more of them would only be slower together.
var places = make(chan struct{}, runtime.GOMAXPROCS(0))

var (
	errLong = fault.Invalid("PASSWORD-long", "A password has %d bytes at most.", MaxPassword)
	errBusy = fault.Exhausted("PASSWORD-busy", "Too many passwords are being checked at once. Try again.")
)

// HashPassword gives the hash to store for a password, as a PHC string. It takes a
// while, waits for its turn as long as ctx lets it, and must not run in a
// transaction.
func HashPassword(ctx context.Context, password string) (string, error) {
	if len(password) > MaxPassword {
		return "", errLong
	}
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	h := phc{memory: memoryKiB, passes: passes, lanes: lanes, salt: salt}
	var err error
	h.hash, err = h.of(ctx, password, hashBytes)
	return h.String(), err
}

// PasswordMatches reports whether the stored hash is the password's. The same
// holds for it as for HashPassword.
func PasswordMatches(ctx context.Context, stored, password string) (bool, error) {
	h, err := parsePHC(stored)
	if err != nil || len(password) > MaxPassword {
		return false, err
	}
	got, err := h.of(ctx, password, len(h.hash))
	return err == nil && subtle.ConstantTimeCompare(got, h.hash) == 1, err
}

// phc is the content of a string in the PHC format for argon2id.
type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, hash     []byte
}

func (h phc) of(ctx context.Context, password string, size int) ([]byte, error) {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return nil, errBusy.Because(ctx.Err())
	}
	defer func() { <-places }()
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(size)), nil //nolint:gosec // a few bytes
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memory, h.passes, h.lanes, b64(h.salt), b64(h.hash))
}

func parsePHC(s string) (h phc, err error) {
	unknown := fmt.Errorf("crypto: no hash that this version can check: %.10q", s)
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, unknown
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return h, unknown
	}
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return h, unknown
	}
	if h.hash, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return h, unknown
	}
	if h.memory > maxMemoryKiB || h.passes < 1 || h.passes > maxPasses || h.lanes < 1 || h.lanes > maxLanes || len(h.hash) < 16 || len(h.hash) > 64 {
		return h, unknown
	}
	return h, nil
}
