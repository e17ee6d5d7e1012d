package flow

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/user"
)

// verification names, for browsers, how much the key shall verify its user, by the
// numbers of the wire. Nothing said is like preferred.
var verification = map[int32]string{1: "required", 2: "preferred", 3: "discouraged"}

// guard runs the check of a code as one of a bounded number of tries of the user's
// codes.
func (p *proving) guard(ctx context.Context, check func(context.Context) (bool, error)) error {
	return user.Guard(ctx, p.store, p.subject, user.CodeTries, check)
}

// hides reports whether nothing may be told of the user, not even whether there is one:
// the login policy says so, and nothing is proved yet.
func (p *proving) hides() bool {
	return p.ignores() && len(checksOf(p.session)) == 0
}

// ignores reports whether unknown names are treated like others.
func (p *proving) ignores() bool { return p.discreet || p.rules.login.IgnoreUnknownUsernames }

// quiet is the context of a check that must not tell who exists: nobody asks, so
// nobody may know.
func (p *proving) quiet(ctx context.Context) context.Context {
	if p.subject.UserID == "" || p.ignores() {
		return authz.WithCaller(ctx, nil)
	}
	return ctx
}

// wrong makes who has no such factor look like somebody whose code is another one,
// where the login policy hides who exists.
func (p *proving) wrong(err error) error {
	if p.ignores() && fault.KindOf(err) == fault.KindNotFound {
		return user.ErrWrongCode
	}
	return err
}

// wrongKey is the same for the answer of a key.
func (p *proving) wrongKey(err error) error {
	if k := fault.KindOf(err); p.hides() && (k == fault.KindNotFound || k == fault.KindFailedPrecondition) {
		return user.ErrWrongKey
	}
	return err
}

func (p *proving) checkPassword(ctx context.Context, password string) error {
	return user.CheckPassword(p.quiet(ctx), p.store, p.subject, password)
}

func (p *proving) checkTOTP(ctx context.Context, code string) error {
	if p.subject.UserID == "" {
		return user.ErrWrongCode
	}
	return p.wrong(user.CheckTOTP(p.quiet(ctx), p.store, p.vault, p.guard, p.subject, code))
}

func (p *proving) checkRecoveryCode(ctx context.Context, code string) error {
	if p.subject.UserID == "" {
		return user.ErrWrongCode
	}
	return p.wrong(user.CheckRecoveryCode(p.quiet(ctx), p.store, p.guard, p.subject, code))
}
