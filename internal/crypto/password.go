package crypto

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/process"
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

// MaxPassword is the most bytes that a password may have.
const MaxPassword = 1024

// room is the memory of the hashes that are computed at once, which bounds their number
// too: each takes a core, and more of them would only be slower together.
var (
	cores    = int64(process.Cores)
	roomSize = max(cores*memoryKiB<<10, maxHashMemory)
	room     = semaphore.NewWeighted(roomSize)
)

// maxWait is how long somebody waits for a place. Who would wait longer is sent
// away, so that what waits does not grow without end.
const maxWait = time.Second

// maxWaiting is how many wait at most: the rest would not get a place in time.
var maxWaiting = 32 * cores

var waiting atomic.Int64

// ErrBusy says that no place became free in time: nothing was compared.
var ErrBusy = fault.Exhausted("PASSWORD-busy", "Too many passwords are being checked at once. Try again.")

var errLong = fault.Invalid("PASSWORD-long", "A password has %d bytes at most.", MaxPassword)

// ours begins every hash that HashPassword makes.
var ours = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, memoryKiB, passes, lanes)

// HashPassword gives the hash to store for a password, as a PHC string. It takes a
// while, waits for its turn first, and must not run in a transaction.
func HashPassword(ctx context.Context, password string) (string, error) {
	if len(password) > MaxPassword {
		return "", errLong
	}
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	leave, err := enter(ctx, memoryKiB<<10)
	if err != nil {
		return "", err
	}
	defer leave()
	b64 := base64.RawStdEncoding.EncodeToString
	return ours + b64(salt) + "$" + b64(argon2.IDKey([]byte(password), salt, passes, memoryKiB, lanes, hashBytes)), nil
}

// Match is what holding a password against a stored hash gave.
type Match struct {
	OK bool
	// Renew: the hash is of another scheme, or of another cost, than ours. Who has
	// the right password at hand should store a new one.
	Renew bool
}

// PasswordMatches holds a password against a stored hash of any scheme that
// CheckHash accepts. Where there is none, as for a user who does not exist, stored
// is empty: that takes as long as a hash of ours, and nothing matches it. The same
// holds for it as for HashPassword.
func PasswordMatches(ctx context.Context, stored, password string) (Match, error) {
	there := stored != ""
	if !there && hurries() {
		return Match{}, nil
	}
	if !there {
		stored = nobodys
	}
	hash, err := parseHash(stored)
	if err != nil || len(password) > MaxPassword {
		return Match{}, err
	}
	leave, err := enter(ctx, hash.memory)
	if err != nil {
		return Match{}, err
	}
	defer leave()
	return Match{OK: hash.match(password) && there, Renew: !strings.HasPrefix(stored, ours)}, nil
}

// nobodys is a hash for those who have none.
var nobodys = ours + strings.Repeat("A", base64.RawStdEncoding.EncodedLen(saltBytes)) + "$" +
	strings.Repeat("A", base64.RawStdEncoding.EncodedLen(hashBytes))

// Busy is the error of who would be one too many to wait: nothing need be prepared for a
// comparison that would not be made.
func Busy() error {
	if waiting.Load() >= maxWaiting {
		return ErrBusy
	}
	return nil
}

// enter takes room for a hash of so much memory, and gives the function that frees it.
func enter(ctx context.Context, memory int64) (leave func(), err error) {
	defer waiting.Add(-1)
	if waiting.Add(1) > maxWaiting {
		return nil, ErrBusy
	}
	patient, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	size := max(memory, roomSize/cores)
	switch err := room.Acquire(patient, size); {
	case ctx.Err() != nil:
		if err == nil {
			room.Release(size)
		}
		return nil, ErrBusy.Because(ctx.Err())
	case err != nil:
		return nil, ErrBusy
	}
	return func() { room.Release(size) }, nil
}
