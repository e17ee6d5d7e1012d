package user

import (
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// sent declares the event of a message that went out to a user. It changes
// nothing about the user.
func sent(name string) *eventstore.Kind[eventstore.None] {
	return eventstore.Declare(name, func(*eventstore.Fold, eventstore.None) error { return nil })
}

// The events of messages that were handed to who carries them.
var (
	InitCodeSent       = sent("user.human.initialization.code.sent")
	PasswordCodeSent   = sent("user.human.password.code.sent")
	PasswordChangeSent = sent("user.human.password.change.sent")
	EmailCodeSent      = sent("user.human.email.code.sent")
	PhoneCodeSent      = sent("user.human.phone.code.sent")
	OTPEmailCodeSent   = sent("user.human.mfa.otp.email.code.sent")
	OTPSMSCodeSent     = sent("user.human.mfa.otp.sms.code.sent")
	DomainClaimedSent  = sent("user.domain.claimed.sent")
	PasskeyCodeSent    = sent("user.human.passwordless.initialization.code.sent")
	InviteCodeSent     = sent("user.human.invite.code.sent")
)

// NoteSent says that a message went out to the user, who may be gone by now.
func NoteSent(tx *eventstore.Tx, instance, id string, what *eventstore.Kind[eventstore.None]) error {
	org, found := "", false
	a := aggregate(instance, "", id)
	if _, err := tx.Lock(a, database.One(&found, "SELECT org_id FROM users WHERE instance_id = ? AND user_id = ?", []any{instance, id}, &org)); err != nil || !found {
		return err
	}
	_, err := what.Emit(tx, a, eventstore.None{})
	return err
}
