package user

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

type hashUpdated struct {
	Hash string `json:"encodedHash"`
}

// The events of passwords.
var (
	PasswordChanged = eventstore.Declare("user.human.password.changed", func(f *eventstore.Fold, p Password) error {
		required := 0
		if p.ChangeRequired {
			required = 1
		}
		setHuman(f, eventstore.Cells{"password_hash": p.Hash, "password_change_required": required, "password_changed": f.Micros()})
		return nil
	}, "encodedHash")
	// PasswordHashUpdated stores the same password in another way: nothing has changed
	// for anybody.
	PasswordHashUpdated = eventstore.Declare("user.human.password.hash.updated", func(f *eventstore.Fold, h hashUpdated) error {
		f.Update("humans", eventstore.Cells{"password_hash": h.Hash})
		return nil
	}, "encodedHash")
	PasswordCheckSucceeded = eventstore.Declare("user.human.password.check.succeeded", noRow)
	PasswordCheckFailed    = eventstore.Declare("user.human.password.check.failed", noRow)
)

// noRow is the fold of what is only to be read in the log.
func noRow(*eventstore.Fold, eventstore.None) error { return nil }

var errNoPassword = fault.Precondition("USER-no-password", "The user has no password.")

// HashNew holds a new password against the policy of the organization and gives the
// hash to store. It takes a while: whether the caller may set it is asked before.
func HashNew(ctx context.Context, r database.Reader, s eventstore.Scope, password string) (string, error) {
	rules, err := policy.PasswordComplexity.Resolve(ctx, r, s)
	if err == nil {
		err = rules.Doc.Check(password)
	}
	if err != nil {
		return "", err
	}
	return crypto.HashPassword(ctx, password)
}

// SetPassword gives a human of the organization another password, which needs no
// proof but the permission.
func SetPassword(tx *eventstore.Tx, v *crypto.Vault, instance, org, id string, p Password) (eventstore.Details, error) {
	u, err := lock(tx, instance, org, id, "user.write")
	if err == nil {
		err = sure(tx.Context(), id)
	}
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case u.kind != KindHuman:
		return eventstore.Details{}, ErrNoHuman
	}
	return replace(tx, v, aggregate(instance, org, id), p)
}

// NewPassword is another password for a human. Together with it, once it is set and
// in the same transaction, And runs where it is not nil.
type NewPassword struct {
	Plain          string
	Hash           string // in place of Plain; only who has the permission may give one
	ChangeRequired bool
	And            func(*eventstore.Tx) error
}

// stored is the hash to store. It takes a while.
func (n NewPassword) stored(ctx context.Context, r database.Reader, s eventstore.Scope) (string, error) {
	if n.Hash == "" {
		return HashNew(ctx, r, s, n.Plain)
	}
	err := authz.Require(ctx, "user.write", s.Org)
	if err == nil {
		err = crypto.CheckHash(n.Hash)
	}
	return n.Hash, err
}

// set replaces the password by the one that is stored as p, and does the rest.
func (n NewPassword) set(tx *eventstore.Tx, v *crypto.Vault, a eventstore.Aggregate, p Password) (eventstore.Details, error) {
	d, err := replace(tx, v, a, p)
	if err == nil && n.And != nil {
		err = n.And(tx)
	}
	return d, err
}

// GivePassword is SetPassword for a password that is not hashed yet.
func GivePassword(ctx context.Context, store *eventstore.Store, v *crypto.Vault, s eventstore.Scope, id string, n NewPassword) (d eventstore.Details, err error) {
	if err := authz.Require(ctx, "user.write", s.Org); err != nil {
		return d, err
	}
	hash, err := n.stored(ctx, store, s)
	if err != nil {
		return d, err
	}
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		if d, err = SetPassword(tx, v, s.Instance, s.Org, id, Password{Hash: hash, ChangeRequired: n.ChangeRequired}); err == nil && n.And != nil {
			err = n.And(tx)
		}
		return err
	})
	return d, err
}

// replace gives a human another password. What was tried before, and codes to reset
// the former one, count for nothing any more.
func replace(tx *eventstore.Tx, v *crypto.Vault, a eventstore.Aggregate, p Password) (eventstore.Details, error) {
	reset(tx, Ref{Instance: a.Instance, UserID: a.ID}, PasswordTries)
	DropCode(tx, CodeKey{Instance: a.Instance, UserID: a.ID, Purpose: ToResetPassword})
	told, err := policy.Notification.Resolve(tx.Context(), tx.Reader(), eventstore.Scope{Instance: a.Instance, Org: a.Owner})
	if err == nil && told.Doc.PasswordChange {
		err = tellChanged(tx, v, a)
	}
	if err != nil {
		return eventstore.Details{}, err
	}
	return PasswordChanged.Emit(tx, a, p)
}

// tellChanged leaves a message that the password is another one, for an address that
// is known to be the user's.
func tellChanged(tx *eventstore.Tx, v *crypto.Vault, a eventstore.Aggregate) error {
	c, err := contactOf(tx, a)
	if err != nil || !c.emailVerified {
		return err
	}
	return message.Queue(tx, v, a.Instance, message.Message{
		Kind: message.PasswordChange, Channel: message.Email, Org: a.Owner, UserID: a.ID, Recipient: c.email, Language: c.language,
	})
}

// contact is where a human can be told something.
type contact struct {
	email, phone, language string
	emailVerified          bool
}

func contactOf(tx *eventstore.Tx, a eventstore.Aggregate) (c contact, err error) {
	found, verified := false, 0
	err = tx.Read(database.One(&found, "SELECT email, email_verified, phone, preferred_language FROM humans WHERE instance_id = ? AND user_id = ?",
		[]any{a.Instance, a.ID}, &c.email, &verified, &c.phone, &c.language))
	c.emailVerified = verified == 1
	return c, err
}

// present is a password as it is stored, and since when.
type present struct {
	hash    string
	changed int64
}

func presentPassword(ctx context.Context, r database.Reader, ref Ref) (p present, err error) {
	found := false
	err = r.Read(ctx, database.One(&found, "SELECT password_hash, password_changed FROM humans WHERE instance_id = ? AND user_id = ?",
		[]any{ref.Instance, ref.UserID}, &p.hash, &p.changed))
	return p, err
}

// CheckPassword holds a password against the user's, as Guard says. A hash that is
// not as we make them today is renewed on the way.
func CheckPassword(ctx context.Context, store *eventstore.Store, ref Ref, password string) error {
	return checkPassword(ctx, store, ref, password, func(context.Context) error { return nil }, nil)
}

// checkPassword is CheckPassword with more to do: right runs once the password is
// found to be right, outside of transactions, and then in the transaction in which
// that counts.
func checkPassword(ctx context.Context, store *eventstore.Store, ref Ref, password string, right func(context.Context) error, then func(*eventstore.Tx, eventstore.Aggregate) error) error {
	if err := crypto.Busy(); err != nil { // A try would be recorded and taken back.
		return err
	}
	was, err := presentPassword(ctx, store, ref)
	if err != nil {
		return err
	}
	a := Attempt{Counter: PasswordTries}
	if was.hash == "" {
		a.Refusal = errNoPassword
	}
	renewed := ""
	a.Check = func(ctx context.Context) (bool, error) {
		m, err := crypto.PasswordMatches(ctx, was.hash, password)
		if err != nil || !m.OK {
			return false, err
		}
		if m.Renew {
			renewed, err = crypto.HashPassword(ctx, password)
			if errors.Is(err, crypto.ErrBusy) { // There will be another login.
				err = nil
			}
		}
		if err == nil {
			err = right(ctx)
		}
		return err == nil, err
	}
	a.Passed = func(tx *eventstore.Tx, user eventstore.Aggregate) error {
		now, err := presentPassword(tx.Context(), tx.Reader(), ref)
		switch {
		case err != nil:
			return err
		case now.changed != was.changed: // Somebody else just set another one.
			return ErrWrongPassword
		}
		if _, err := PasswordCheckSucceeded.Emit(tx, user, eventstore.None{}); err != nil {
			return err
		}
		if renewed != "" && now.hash == was.hash {
			if _, err := PasswordHashUpdated.Emit(tx, user, hashUpdated{renewed}); err != nil {
				return err
			}
		}
		if then == nil {
			return nil
		}
		return then(tx, user)
	}
	a.Failed = func(tx *eventstore.Tx, user eventstore.Aggregate) error {
		_, err := PasswordCheckFailed.Emit(tx, user, eventstore.None{})
		return err
	}
	return a.Run(ctx, store, ref)
}

// ChangePassword gives a human another password for the present one. The caller need
// not be anybody: the proof is the permission. It is looked at before the new
// password, so that nobody learns from the rules whose user it is.
func ChangePassword(ctx context.Context, store *eventstore.Store, v *crypto.Vault, ref Ref, current string, n NewPassword) (d eventstore.Details, err error) {
	p := Password{ChangeRequired: n.ChangeRequired}
	var weak error
	err = checkPassword(ctx, store, ref, current, func(ctx context.Context) error {
		if weak = errSamePassword; n.Plain != current {
			p.Hash, weak = n.storedFor(ctx, store, ref)
		}
		if weak != nil && fault.KindOf(weak) != fault.KindInvalid {
			return weak
		}
		return nil
	}, func(tx *eventstore.Tx, a eventstore.Aggregate) error {
		if weak != nil {
			return weak
		}
		d, err = n.set(tx, v, a, p)
		return err
	})
	return d, err
}

var errSamePassword error = fault.Invalid("PASSWORD-same", "The new password is the present one: choose another one.")

// storedFor is stored for a user who may not exist: then the rules are the instance's.
func (n NewPassword) storedFor(ctx context.Context, r database.Reader, ref Ref) (string, error) {
	ref, err := ref.complete(ctx, r)
	if err != nil {
		return "", err
	}
	return n.stored(ctx, r, eventstore.Scope{Instance: ref.Instance, Org: ref.Org})
}

// complete fills in the organization, if there is such a user.
func (r Ref) complete(ctx context.Context, store database.Reader) (Ref, error) {
	found := false
	err := store.Read(ctx, database.One(&found, "SELECT org_id FROM users WHERE instance_id = ? AND user_id = ?",
		[]any{r.Instance, r.UserID}, &r.Org))
	return r, err
}

// PasswordState is what a login tells about a password before it lets its user on.
type PasswordState struct {
	Set            bool
	ChangeRequired bool // somebody asked for another one
	Expired        bool // it is older than the policy allows
	// ExpiresInDays is when it expires, where Warn says that the time has come to say
	// so.
	ExpiresInDays int
	Warn          bool
}

// PasswordStateOf says how a human's password stands, by the policy as it is now.
func PasswordStateOf(ctx context.Context, store *eventstore.Store, s eventstore.Scope, id string) (PasswordState, error) {
	var out PasswordState
	found, required, changed, hash := false, 0, int64(0), ""
	if err := store.Read(ctx, database.One(&found, `SELECT h.password_hash, h.password_change_required, h.password_changed
		FROM humans h JOIN users u ON u.instance_id = h.instance_id AND u.user_id = h.user_id
		WHERE h.instance_id = ? AND h.user_id = ? AND u.org_id = ?`, []any{s.Instance, id, s.Org}, &hash, &required, &changed)); err != nil {
		return out, err
	}
	if out.Set, out.ChangeRequired = hash != "", required == 1; !out.Set {
		return out, nil
	}
	age, err := policy.PasswordAge.Resolve(ctx, store, s)
	if err != nil || age.Doc.MaxAgeDays == 0 {
		return out, err
	}
	const day = 24 * time.Hour
	left := time.UnixMicro(changed).Add(time.Duration(age.Doc.MaxAgeDays) * day).Sub(store.Now()) //nolint:gosec // the policy has bounds
	out.Expired = left <= 0
	out.Warn = !out.Expired && left <= time.Duration(age.Doc.ExpireWarnDays)*day //nolint:gosec // the policy has bounds
	if out.Warn {
		out.ExpiresInDays = int((left + day - 1) / day)
	}
	return out, nil
}
