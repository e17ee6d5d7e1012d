package user

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// passwordCodeAdded says that a code was made, and not which.
type passwordCodeAdded struct {
	Expiry      time.Duration `json:"expiry"`
	Returned    bool          `json:"code_returned,omitempty"`
	URLTemplate string        `json:"url_template,omitempty"`
}

// PasswordCodeAdded is the event of a code with which a human can set a password.
var PasswordCodeAdded = eventstore.Declare("user.human.password.code.added", func(*eventstore.Fold, passwordCodeAdded) error { return nil })

// Delivery is how a code reaches the user: by mail, unless it says otherwise.
type Delivery struct {
	Return      bool   // to the caller, who passes it on
	SMS         bool   // by SMS
	URLTemplate string // empty: the link leads to our own page
}

var errNoPhone = fault.Precondition("USER-no-phone", "The user has no phone number. Send a mail instead, or ask for the code to be returned.")

// RequestPasswordReset makes a code with which the user can set a password, and
// sends or returns it. Those who ask for themselves get it sent only: to have the
// code is to be who reads the mail.
func RequestPasswordReset(tx *eventstore.Tx, v *crypto.Vault, instance, org, id string, how Delivery) (code string, d eventstore.Details, err error) {
	if err := message.CheckURLTemplate(how.URLTemplate); err != nil {
		return "", d, err
	}
	permission := "user.write"
	if !how.Return && isSelf(tx.Context(), Ref{Instance: instance, UserID: id}) {
		permission = ""
	}
	u, err := lock(tx, instance, org, id, permission)
	if err == nil && how.Return {
		err = sure(tx.Context(), id)
	}
	switch {
	case err != nil:
		return "", d, err
	case u.kind != KindHuman:
		return "", d, ErrNoHuman
	case u.state == Locked:
		return "", d, errLocked
	case u.state != Active:
		return "", d, errUnusable
	}
	g, err := policy.SecretGeneratorOf(tx.Context(), tx.Reader(), instance, policy.SecretPasswordResetCode)
	if err != nil {
		return "", d, err
	}
	if code, err = g.Doc.Generate(); err != nil {
		return "", d, err
	}
	lifetime := g.Doc.Lifetime()
	if err := KeepCode(tx, v, CodeKey{Instance: instance, UserID: id, Purpose: ToResetPassword}, code, lifetime); err != nil {
		return "", d, err
	}
	a := aggregate(instance, org, id)
	if !how.Return {
		if err := sendReset(tx, v, a, how, code, lifetime); err != nil {
			return "", d, err
		}
	}
	d, err = PasswordCodeAdded.Emit(tx, a, passwordCodeAdded{Expiry: lifetime, Returned: how.Return, URLTemplate: how.URLTemplate})
	return code, d, err
}

// sendReset leaves the message with the code.
func sendReset(tx *eventstore.Tx, v *crypto.Vault, a eventstore.Aggregate, how Delivery, code string, lifetime time.Duration) error {
	c, err := contactOf(tx, a)
	if err != nil {
		return err
	}
	channel, to := message.Email, c.email
	if how.SMS {
		channel, to = message.SMS, c.phone
	}
	if to == "" {
		return errNoPhone
	}
	return message.Queue(tx, v, a.Instance, message.Message{
		Kind: message.PasswordReset, Channel: channel, Org: a.Owner, UserID: a.ID, Recipient: to, Language: c.language,
		Code: code, Expires: tx.Now().Add(lifetime), URLTemplate: how.URLTemplate,
	})
}

// ResetPassword gives a human another password for a code. As with ChangePassword,
// the proof is the permission, and is looked at first. Who may not know of the user
// reads the same of every code that is not right.
func ResetPassword(ctx context.Context, store *eventstore.Store, v *crypto.Vault, ref Ref, code string, n NewPassword) (d eventstore.Details, err error) {
	if ref, err = ref.complete(ctx, store); err != nil {
		return d, err
	}
	p := Password{ChangeRequired: n.ChangeRequired}
	var weak error
	p.Hash, weak = n.stored(ctx, store, eventstore.Scope{Instance: ref.Instance, Org: ref.Org})
	if weak != nil && fault.KindOf(weak) != fault.KindInvalid {
		return d, weak
	}
	proven := false
	err = UseCode(ctx, store, v, CodeKey{Instance: ref.Instance, UserID: ref.UserID, Purpose: ToResetPassword}, code, func(tx *eventstore.Tx) error {
		proven = true
		t, err := lockTry(tx, ref, PasswordTries)
		if err == nil {
			err = t.standing()
		}
		if err == nil {
			err = weak
		}
		if err == nil {
			d, err = n.set(tx, v, t.ref.aggregate(), p)
		}
		return err
	}, nil)
	if err != nil && !proven && fault.KindOf(err) == fault.KindFailedPrecondition && !mayKnow(ctx, ref) {
		err = ErrCode
	}
	return d, err
}
