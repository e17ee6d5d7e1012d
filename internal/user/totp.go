package user

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

type totpAdded struct {
	Secret string `json:"otpSecret"` // sealed
}

// totpStep is the step of a code that was accepted: it and those before are good
// for nothing any more.
type totpStep struct {
	Step int64 `json:"step"`
}

// The events of an authenticator app.
var (
	TOTPAdded = eventstore.Declare("user.human.mfa.otp.added", andSet(func(f *eventstore.Fold, e totpAdded) error {
		return foldFactor(f, factor{Factor: Factor{ID: string(TOTP), Kind: TOTP, State: FactorNotReady}, secret: e.Secret})
	}), "otpSecret")
	TOTPVerified = eventstore.Declare("user.human.mfa.otp.verified", andSet(func(f *eventstore.Fold, e totpStep) error {
		f.Exec("UPDATE user_factors SET state = ?, counter = ?, changed = ?, sequence = ? WHERE instance_id = ? AND user_id = ? AND factor_id = ?",
			FactorReady, e.Step, f.Micros(), f.Sequence, f.Instance, f.ID, string(TOTP))
		return nil
	}))
	TOTPRemoved = eventstore.Declare("user.human.mfa.otp.removed", foldGone(TOTP))
	TOTPChecked = eventstore.Declare("user.human.mfa.otp.check.succeeded", func(f *eventstore.Fold, e totpStep) error {
		f.Exec("UPDATE user_factors SET counter = ? WHERE instance_id = ? AND user_id = ? AND factor_id = ?", e.Step, f.Instance, f.ID, string(TOTP))
		return nil
	})
	TOTPFailed = eventstore.Declare("user.human.mfa.otp.check.failed", foldNothing[eventstore.None])
)

// totpPlace binds the secret to the user. What one registration sealed opens where
// the next one is, so a verb compares the sealed text too.
func (r Ref) totpPlace() crypto.Place {
	return crypto.Place{Instance: r.Instance, Table: "user_factors", Row: r.UserID, Column: string(TOTP)}
}

// NewTOTP makes the secret of an authenticator app, and what is stored of it.
func NewTOTP(v *crypto.Vault, r Ref) (secret, sealed string, err error) {
	if secret, err = crypto.NewTOTPSecret(); err != nil {
		return "", "", err
	}
	sealed, err = v.Seal([]byte(secret), r.totpPlace())
	return secret, sealed, err
}

// OpenTOTP gives the secret of an authenticator app, from what is stored of it.
func OpenTOTP(ctx context.Context, v *crypto.Vault, r Ref, sealed string) (string, error) {
	secret, err := v.Unseal(ctx, sealed, r.totpPlace())
	return string(secret), err
}

// AddTOTP begins the registration of an authenticator app. A former one that was
// not finished is void.
func AddTOTP(tx *eventstore.Tx, r Ref, sealed string) (eventstore.Details, error) {
	e, err := lockFactors(tx, r, toEnrol)
	if err == nil {
		err = requireEnrols(tx, r, TOTP)
	}
	if err != nil {
		return eventstore.Details{}, err
	}
	if f, ok := e.one(TOTP); ok && f.State == FactorReady {
		return eventstore.Details{}, errFactorExists
	}
	return TOTPAdded.Emit(tx, r.aggregate(), totpAdded{sealed})
}

var (
	errTOTP         = fault.Invalid("USER-totp", "The code is not the one that the authenticator app shows now. Check the clock of the device.")
	errTOTPFinished = fault.Precondition("USER-totp-ready", "The authenticator app is set up already.")
)

// VerifyTOTP finishes the registration with a code of the app. The code counts as
// used.
func VerifyTOTP(ctx context.Context, store *eventstore.Store, v *crypto.Vault, r Ref, code string) (d eventstore.Details, err error) {
	e, err := readEnrolment(ctx, store, r, toEnrol)
	if err != nil {
		return d, err
	}
	f, err := e.pendingTOTP()
	if err != nil {
		return d, err
	}
	secret, err := v.Unseal(ctx, f.secret, r.totpPlace())
	if err != nil {
		return d, err
	}
	step, ok := crypto.CheckTOTP(string(secret), code, store.Now(), f.counter)
	if !ok {
		return d, errTOTP
	}
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		e, err := lockFactors(tx, r, toEnrol)
		if err == nil {
			err = requireEnrols(tx, r, TOTP)
		}
		if err != nil {
			return err
		}
		now, err := e.pendingTOTP()
		switch {
		case err != nil:
			return err
		case now.secret != f.secret: // The registration began anew meanwhile.
			return errTOTP
		}
		d, err = TOTPVerified.Emit(tx, r.aggregate(), totpStep{step})
		return err
	})
	return d, err
}

// pendingTOTP gives the registration that is not finished.
func (e *enrolment) pendingTOTP() (factor, error) {
	f, ok := e.one(TOTP)
	switch {
	case !ok:
		return factor{}, errFactorMissing
	case f.State == FactorReady:
		return factor{}, errTOTPFinished
	}
	return f, nil
}

// RemoveTOTP ends the authenticator app of a user.
func RemoveTOTP(tx *eventstore.Tx, r Ref) (eventstore.Details, error) {
	return removeKind(tx, r, TOTP, TOTPRemoved)
}

// removeKind ends the factors of a kind.
func removeKind(tx *eventstore.Tx, r Ref, kind FactorKind, event *eventstore.Kind[eventstore.None]) (eventstore.Details, error) {
	e, err := lockFactors(tx, r, toRemoveFactor)
	if err != nil {
		return eventstore.Details{}, err
	}
	if _, ok := e.one(kind); !ok {
		return eventstore.Details{}, errFactorMissing
	}
	return event.Emit(tx, r.aggregate(), eventstore.None{})
}
