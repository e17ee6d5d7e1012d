package user

import (
	"slices"

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
	errTOTPSecret = fault.Invalid("USER-totp-secret", "The secret of an authenticator app is 10 to 64 bytes in base32.")
	errRecoveries = fault.Invalid("USER-recovery-import", "Give at most %d recovery codes, all different, of at least %d letters and digits each.", maxRecoveryCodes, minRecoveryCode)
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

// ImportRecoveryCodes gives a human who was just made the recovery codes that they have
// elsewhere, in clear.
func ImportRecoveryCodes(tx *eventstore.Tx, r Ref, codes []string) (d eventstore.Details, err error) {
	added := recoveryAdded{}
	for _, code := range codes {
		hash := crypto.HashCode(code)
		if crypto.CodeLength(code) < minRecoveryCode || slices.Contains(added.Hashes, hash) || len(added.Hashes) == maxRecoveryCodes {
			return d, errRecoveries
		}
		added.Hashes = append(added.Hashes, hash)
	}
	return RecoveryAdded.Emit(tx, r.aggregate(), added)
}
