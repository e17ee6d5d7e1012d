package flow

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/user"
)

// verification names, for browsers, how much the key shall verify its user, by the
// numbers of the wire. Nothing said is like preferred.
var verification = map[int32]string{1: "required", 2: "preferred", 3: "discouraged"}

// UserChecks look at what users prove, each try counted, and refuse what is proved
// for nobody like what is wrong.
func UserChecks(store *eventstore.Store, v *crypto.Vault) Checks {
	guard := func(s Subject) func(context.Context, func(context.Context) (bool, error)) error {
		return func(ctx context.Context, check func(context.Context) (bool, error)) error {
			return user.Guard(ctx, store, s, user.CodeTries, check)
		}
	}
	somebody := func(check func(context.Context, Subject, string) error) func(context.Context, Subject, string) error {
		return func(ctx context.Context, s Subject, code string) error {
			if s.UserID == "" {
				return user.ErrWrongCode
			}
			return check(ctx, s, code)
		}
	}
	return Checks{
		Password: func(ctx context.Context, s Subject, password string) error {
			return user.CheckPassword(ctx, store, s, password)
		},
		TOTP: somebody(func(ctx context.Context, s Subject, code string) error {
			return user.CheckTOTP(ctx, store, v, guard(s), s, code)
		}),
		RecoveryCode: somebody(func(ctx context.Context, s Subject, code string) error {
			return user.CheckRecoveryCode(ctx, store, guard(s), s, code)
		}),
		BeginAssertion: func(ctx context.Context, s Subject, r AssertionRequest) (options, state []byte, err error) {
			return user.BeginAssertion(ctx, store, s, r.Domain, verification[r.Verification])
		},
		Assertion: func(ctx context.Context, s Subject, state, credential []byte) (bool, error) {
			return user.CheckAssertion(ctx, store, s, state, credential)
		},
		Guard: func(ctx context.Context, s Subject, check func(context.Context) (bool, error)) error {
			return guard(s)(ctx, check)
		},
	}
}
