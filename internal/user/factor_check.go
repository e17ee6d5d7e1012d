package user

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// guard runs a check as one of a bounded number of tries, which it counts before
// the check. Where the check says no, or may not run any more, it gives an error.
type guard = func(ctx context.Context, check func(context.Context) (bool, error)) error

var errRecovery = fault.Invalid("USER-recovery", "This is none of the recovery codes that are left.")

// CheckTOTP holds a code against the authenticator app of a user. Of all who use
// the same code at once, on any node, one succeeds; so does no earlier code
// afterwards. Whether the caller may know that the user exists is for them to know.
func CheckTOTP(ctx context.Context, store *eventstore.Store, v *crypto.Vault, try guard, r Ref, code string) error {
	return attempt(ctx, try, errTOTP, func(ctx context.Context) (bool, error) {
		e, err := readEnrolment(ctx, store, r, "")
		if err != nil {
			return false, err
		}
		before, ready := e.one(TOTP)
		if err := e.checkable(before, ready); err != nil {
			return false, err
		}
		secret, err := v.Unseal(ctx, before.secret, r.totpPlace())
		if err != nil {
			return false, err
		}
		step, right := crypto.CheckTOTP(string(secret), code, store.Now(), before.counter)
		return settle(ctx, store, r, TOTP, TOTPFailed, func(tx *eventstore.Tx, e *enrolment) (bool, error) {
			now, ready := e.one(TOTP)
			if err := e.checkable(now, ready); err != nil || !right || now.secret != before.secret || step <= now.counter {
				return false, err
			}
			_, err := TOTPChecked.Emit(tx, r.aggregate(), totpStep{step})
			return true, err
		})
	})
}

// CheckRecoveryCode uses up one of the recovery codes of a user.
func CheckRecoveryCode(ctx context.Context, store *eventstore.Store, try guard, r Ref, code string) error {
	return attempt(ctx, try, errRecovery, func(ctx context.Context) (bool, error) {
		hash, err := recoveryHash(ctx, store, r, code)
		if err != nil {
			return false, err
		}
		return settle(ctx, store, r, Recovery, RecoveryFailed, func(tx *eventstore.Tx, e *enrolment) (bool, error) {
			_, ready := e.one(Recovery)
			if err := e.checkable(factor{Factor: Factor{Kind: Recovery, State: FactorReady}}, ready); err != nil {
				return false, err
			}
			for _, f := range e.of(Recovery) {
				if crypto.SameCode(f.ID, hash) {
					_, err := RecoveryChecked.Emit(tx, r.aggregate(), recoveryUsed{hash})
					return true, err
				}
			}
			return false, nil
		})
	})
}

// recoveryHash is what is kept of a recovery code, where it is one that the user has left.
// Those that came as slow hashes are compared with it as it was typed, until one is found;
// not where no recovery code counts, which costs no try.
func recoveryHash(ctx context.Context, store *eventstore.Store, r Ref, code string) (string, error) {
	hash := crypto.HashCode(code)
	e, err := readEnrolment(ctx, store, r, "")
	if err != nil {
		return "", err
	}
	slow := slices.DeleteFunc(e.of(Recovery), func(f factor) bool { return !isSlow(f.ID) })
	if len(slow) > 0 {
		err = counts(ctx, store, store.Now(), r, Recovery)
	}
	for _, f := range slow {
		if err != nil {
			return "", err
		}
		var m crypto.Match
		if m, err = crypto.PasswordMatches(ctx, f.ID, strings.TrimSpace(code)); m.OK {
			return f.ID, nil
		}
	}
	return hash, err
}

// attempt runs a check under a guard. What a check did not accept is refused
// whatever the guard says.
func attempt(ctx context.Context, try guard, refusal error, check func(context.Context) (bool, error)) error {
	accepted := false
	err := try(ctx, func(ctx context.Context) (ok bool, err error) {
		accepted, err = check(ctx)
		return accepted, err
	})
	if err == nil && !accepted {
		err = refusal
	}
	return err
}

// settle decides about a check while it holds the user. A check that fails is an
// event also where the call is a dry run.
func settle(ctx context.Context, store *eventstore.Store, r Ref, kind FactorKind, failed *eventstore.Kind[eventstore.None],
	accept func(*eventstore.Tx, *enrolment) (bool, error),
) (ok bool, err error) {
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		e, err := lockFactors(tx, r, "")
		if err == nil {
			err = requireCounted(tx, r, kind)
		}
		if err == nil {
			ok, err = accept(tx, e)
		}
		return err
	})
	if err == nil && !ok {
		err = store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) error {
			_, err := failed.Emit(tx, r.aggregate(), eventstore.None{})
			return err
		})
	}
	return ok && err == nil, err
}

// checkable refuses users who are not active, and factors that are not set up.
func (e *enrolment) checkable(f factor, there bool) error {
	switch {
	case e.state != Active:
		return errAsleep
	case !there || !e.usable(f):
		return errFactorMissing
	}
	return nil
}
