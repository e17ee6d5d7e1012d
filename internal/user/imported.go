package user

import (
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// What another system knew of the factors of a human counts like what is set up here: as
// far as the login policy lists the factor.

// minRecoveryCode is the fewest letters and digits of a recovery code: what can be
// guessed must not be kept as a plain hash.
const minRecoveryCode = 12

var (
	errTOTPSecret   = fault.Invalid("USER-totp-secret", "The secret of an authenticator app is 10 to 64 bytes in base32.")
	errRecoveryHash = fault.Invalid("USER-recovery-hash", "A hash of a recovery code is its SHA-256 in hexadecimal, of the code in lower case without dashes and spaces, or a password hash of another system that names its scheme, such as $2b$ or $argon2id$.")
	errRecoveries   = fault.Invalid("USER-recovery-import", "Give at most %d recovery codes, all different, of at least %d letters and digits each.", maxRecoveryCodes, minRecoveryCode)
)

// ImportTOTP gives a human who was just made the authenticator app that they have
// elsewhere, by its secret. It is ready at once: it was set up there.
func ImportTOTP(tx *eventstore.Tx, v *crypto.Vault, r Ref, secret string) (d eventstore.Details, err error) {
	secret, ok := crypto.CleanTOTPSecret(secret)
	if !ok {
		return d, errTOTPSecret
	}
	sealed, err := v.Seal([]byte(secret), r.totpPlace())
	if err == nil {
		_, err = TOTPAdded.Emit(tx, r.aggregate(), totpAdded{sealed})
	}
	if err != nil {
		return d, err
	}
	return TOTPVerified.Emit(tx, r.aggregate(), totpStep{})
}

// RecoveryCodes are recovery codes that a human has elsewhere: in clear, or as hashes of them.
type RecoveryCodes struct{ Plain, Hashed []string }

// Any reports whether there are any.
func (c RecoveryCodes) Any() bool { return len(c.Plain)+len(c.Hashed) > 0 }

// ImportRecoveryCodes gives a human who was just made the recovery codes that they have
// elsewhere.
func ImportRecoveryCodes(tx *eventstore.Tx, r Ref, codes RecoveryCodes) (d eventstore.Details, err error) {
	added := recoveryAdded{}
	for _, code := range codes.Plain {
		if crypto.CodeLength(code) < minRecoveryCode {
			return d, errRecoveries
		}
		added.Hashes = append(added.Hashes, crypto.HashCode(code))
	}
	for _, hash := range codes.Hashed {
		if !crypto.IsCodeHash(hash) && (!isSlow(hash) || crypto.CheckHash(hash) != nil) {
			return d, errRecoveryHash
		}
		added.Hashes = append(added.Hashes, hash)
	}
	if slices.Sort(added.Hashes); len(added.Hashes) > maxRecoveryCodes || len(slices.Compact(slices.Clone(added.Hashes))) < len(added.Hashes) {
		return d, errRecoveries
	}
	return RecoveryAdded.Emit(tx, r.aggregate(), added)
}

// isSlow reports whether what is kept of a recovery code is a hash as of a password, which
// another system made, and not one of HashCode.
func isSlow(hash string) bool { return strings.HasPrefix(hash, "$") }
