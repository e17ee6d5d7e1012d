package user

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// The events of codes that are sent.
var (
	OTPSMSAdded     = eventstore.Declare("user.human.mfa.otp.sms.added", foldReady(OTPSMS))
	OTPSMSRemoved   = eventstore.Declare("user.human.mfa.otp.sms.removed", foldGone(OTPSMS))
	OTPEmailAdded   = eventstore.Declare("user.human.mfa.otp.email.added", foldReady(OTPEmail))
	OTPEmailRemoved = eventstore.Declare("user.human.mfa.otp.email.removed", foldGone(OTPEmail))
)

// foldReady writes a factor that needs nothing to be kept.
func foldReady(kind FactorKind) func(*eventstore.Fold, eventstore.None) error {
	return andSet(func(f *eventstore.Fold, _ eventstore.None) error {
		return foldFactor(f, factor{Factor: Factor{ID: string(kind), Kind: kind, State: FactorReady}})
	})
}

var (
	errPhoneUnverified = fault.Precondition("USER-phone-unverified", "The user has no verified phone number. Verify one first.")
	errEmailUnverified = fault.Precondition("USER-email-unverified", "The user has no verified email address. Verify it first.")
)

// AddOTPSMS lets a user prove themselves with codes that are sent to their phone.
func AddOTPSMS(tx *eventstore.Tx, r Ref) (eventstore.Details, error) {
	return addOTP(tx, r, OTPSMS, OTPSMSAdded, errPhoneUnverified)
}

// AddOTPEmail lets a user prove themselves with codes that are sent by mail.
func AddOTPEmail(tx *eventstore.Tx, r Ref) (eventstore.Details, error) {
	return addOTP(tx, r, OTPEmail, OTPEmailAdded, errEmailUnverified)
}

func addOTP(tx *eventstore.Tx, r Ref, kind FactorKind, event *eventstore.Kind[eventstore.None], unreachable error) (eventstore.Details, error) {
	e, err := lockFactors(tx, r, toEnrol)
	if err == nil {
		err = requireEnrols(tx, r, kind)
	}
	if err != nil {
		return eventstore.Details{}, err
	}
	if _, ok := e.one(kind); ok {
		return eventstore.Details{}, errFactorExists
	}
	if !e.usable(factor{Factor: Factor{Kind: kind, State: FactorReady}}) {
		return eventstore.Details{}, unreachable
	}
	return event.Emit(tx, r.aggregate(), eventstore.None{})
}

// RemoveOTPSMS ends codes by SMS.
func RemoveOTPSMS(tx *eventstore.Tx, r Ref) (eventstore.Details, error) {
	return removeKind(tx, r, OTPSMS, OTPSMSRemoved)
}

// RemoveOTPEmail ends codes by mail.
func RemoveOTPEmail(tx *eventstore.Tx, r Ref) (eventstore.Details, error) {
	return removeKind(tx, r, OTPEmail, OTPEmailRemoved)
}

type recoveryAdded struct {
	Hashes []string `json:"codes"`
}

type recoveryUsed struct {
	Hash string `json:"codeChecked"`
}

// The events of recovery codes. Each code is a row that goes when it is used.
var (
	RecoveryAdded = eventstore.Declare("user.human.mfa.recoverycode.added", andSet(func(f *eventstore.Fold, e recoveryAdded) error {
		for _, hash := range e.Hashes {
			if err := foldFactor(f, factor{Factor: Factor{ID: hash, Kind: Recovery, State: FactorReady}}); err != nil {
				return err
			}
		}
		return nil
	}), "codes")
	RecoveryRemoved = eventstore.Declare("user.human.mfa.recoverycode.removed", foldGone(Recovery))
	RecoveryChecked = eventstore.Declare("user.human.mfa.recoverycode.check.succeeded", andSet(func(f *eventstore.Fold, e recoveryUsed) error {
		f.Exec("DELETE FROM user_factors WHERE instance_id = ? AND user_id = ? AND factor_id = ? AND kind = ?", f.Instance, f.ID, e.Hash, string(Recovery))
		return nil
	}), "codeChecked")
	RecoveryFailed = eventstore.Declare("user.human.mfa.recoverycode.check.failed", foldNothing[eventstore.None])
)

// maxRecoveryCodes is the most recovery codes of a user, by the contract.
const maxRecoveryCodes = 50

// GenerateRecoveryCodes gives a user new recovery codes, which nobody can see
// again. Those from before are void.
func GenerateRecoveryCodes(ctx context.Context, store *eventstore.Store, r Ref, n int) (codes []string, d eventstore.Details, err error) {
	if n < 1 || n > maxRecoveryCodes {
		return nil, d, fault.Invalid("USER-recovery-count", "Ask for 1 to %d recovery codes.", maxRecoveryCodes)
	}
	if codes, err = crypto.NewRecoveryCodes(n); err != nil {
		return nil, d, err
	}
	added := recoveryAdded{Hashes: make([]string, n)}
	for i, code := range codes {
		added.Hashes[i] = crypto.HashCode(code)
	}
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		e, err := lockFactors(tx, r, toEnrol)
		if err == nil {
			err = requireEnrols(tx, r, Recovery)
		}
		if err != nil {
			return err
		}
		if _, ok := e.one(Recovery); ok {
			if _, err := RecoveryRemoved.Emit(tx, r.aggregate(), eventstore.None{}); err != nil {
				return err
			}
		}
		d, err = RecoveryAdded.Emit(tx, r.aggregate(), added)
		return err
	})
	if err != nil {
		codes = nil
	}
	return codes, d, err
}

// RemoveRecoveryCodes voids what is left of the recovery codes of a user.
func RemoveRecoveryCodes(tx *eventstore.Tx, r Ref) (eventstore.Details, error) {
	return removeKind(tx, r, Recovery, RecoveryRemoved)
}
