package notify

import (
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/user"
)

// events say for each kind of message which event it is about, as endpoints are
// told, and which one says that it went out.
var events = map[message.Kind]struct {
	about string
	sent  *eventstore.Kind[eventstore.None]
}{
	message.Init:                     {"user.human.initialization.code.added", user.InitCodeSent},
	message.PasswordReset:            {"user.human.password.code.added", user.PasswordCodeSent},
	message.PasswordChange:           {"user.human.password.changed", user.PasswordChangeSent},
	message.VerifyEmail:              {"user.human.email.code.added", user.EmailCodeSent},
	message.VerifyPhone:              {"user.human.phone.code.added", user.PhoneCodeSent},
	message.VerifyEmailOTP:           {"user.human.mfa.otp.email.code.added", user.OTPEmailCodeSent},
	message.VerifySMSOTP:             {"user.human.mfa.otp.sms.code.added", user.OTPSMSCodeSent},
	message.DomainClaimed:            {"user.domain.claimed", user.DomainClaimedSent},
	message.PasswordlessRegistration: {"user.human.passwordless.initialization.code.added", user.PasskeyCodeSent},
	message.InviteUser:               {"user.human.invite.code.added", user.InviteCodeSent},
}

// sessionSent are the events of a one-time code for a session.
var sessionSent = map[message.Kind]*eventstore.Kind[eventstore.None]{
	message.VerifyEmailOTP: ofSession("session.otp.email.sent"),
	message.VerifySMSOTP:   ofSession("session.otp.sms.sent"),
}

func ofSession(name string) *eventstore.Kind[eventstore.None] {
	return eventstore.Declare(name, func(*eventstore.Fold, eventstore.None) error { return nil })
}

// sent says that the message went out: on the session that it is for, or on the
// user.
func sent(tx *eventstore.Tx, instance string, m message.Message) error {
	if m.SessionID == "" {
		return user.NoteSent(tx, instance, m.UserID, events[m.Kind].sent)
	}
	a := eventstore.Aggregate{Instance: instance, Type: "session", ID: m.SessionID, Owner: instance}
	there, err := tx.Lock(a)
	if err != nil || !there {
		return err
	}
	_, err = sessionSent[m.Kind].Emit(tx, a, eventstore.None{})
	return err
}
