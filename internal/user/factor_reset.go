package user

import "github.com/gatehouse/gatehouse/internal/eventstore"

// RemoveSecondFactors ends all that a human is asked for besides the password. Passkeys stay:
// nobody is asked for one who does not choose to.
func RemoveSecondFactors(tx *eventstore.Tx, r Ref) error {
	e, err := lockFactors(tx, r, toRemoveFactor)
	if err != nil {
		return err
	}
	for _, second := range []struct {
		kind    FactorKind
		removed *eventstore.Kind[eventstore.None]
	}{{TOTP, TOTPRemoved}, {OTPSMS, OTPSMSRemoved}, {OTPEmail, OTPEmailRemoved}, {Recovery, RecoveryRemoved}} {
		if _, ok := e.one(second.kind); !ok {
			continue
		}
		if _, err := second.removed.Emit(tx, r.aggregate(), eventstore.None{}); err != nil {
			return err
		}
	}
	for _, f := range e.of(U2F) {
		if _, err := RemoveSecurityKey(tx, r, U2F, f.ID); err != nil {
			return err
		}
	}
	return nil
}
