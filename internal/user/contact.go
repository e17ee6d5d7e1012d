package user

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Verification is how it is made sure that an address or a number is a human's. The zero
// value sends a code there.
type Verification struct {
	// Vouched: the caller knows it.
	Vouched bool
	// Return gives the code to the caller, who brings it to the human.
	Return bool
	// URLTemplate is the link of the message; empty: our own page.
	URLTemplate string
}

// permission is what the verification asks for. Humans may have a code sent to them. To see it, or
// to need none, would let them claim what is not theirs.
func (p Verification) permission() string {
	if p.Vouched || p.Return {
		return "user.write"
	}
	return writeOrSelf
}

// codeAdded says that a code was made; it is in no event.
type codeAdded struct {
	Expiry      time.Duration `json:"expiry,omitempty"`
	Returned    bool          `json:"code_returned,omitempty"`
	URLTemplate string        `json:"url_template,omitempty"`
}

// nothing is the fold of what changes no row.
func nothing[P any](*eventstore.Fold, P) error { return nil }

// Contact is where a human can be reached: there is one mechanism for the address
// and for the number. A code proves the one that it was made for: it ends with it.
type Contact struct {
	title    *fault.Phrase
	purpose  Purpose
	code     policy.SecretGeneratorType
	message  message.Kind
	channel  message.Channel
	clean    func(string) (string, error)
	of       func(person) (value string, verified bool)
	change   func(tx *eventstore.Tx, a eventstore.Aggregate, value string) (eventstore.Details, error)
	verified *eventstore.Kind[eventstore.None]
	added    *eventstore.Kind[codeAdded]
	failed   *eventstore.Kind[eventstore.None]
}

type emailChanged struct {
	Email string `json:"email"`
}

type phoneChanged struct {
	Phone string `json:"phone"`
}

// The events of an address and a number.
var (
	EmailChanged = eventstore.Declare("user.human.email.changed", func(f *eventstore.Fold, e emailChanged) error {
		setHuman(f, eventstore.Cells{"email": e.Email, "email_lower": strings.ToLower(e.Email), "email_verified": 0})
		return nil
	})
	EmailVerified = eventstore.Declare("user.human.email.verified", func(f *eventstore.Fold, _ eventstore.None) error {
		setHuman(f, eventstore.Cells{"email_verified": 1})
		return nil
	})
	EmailCodeAdded          = eventstore.Declare("user.human.email.code.added", nothing[codeAdded])
	EmailVerificationFailed = eventstore.Declare("user.human.email.verification.failed", nothing[eventstore.None])

	PhoneChanged = eventstore.Declare("user.human.phone.changed", func(f *eventstore.Fold, e phoneChanged) error {
		setHuman(f, eventstore.Cells{"phone": e.Phone, "phone_verified": 0})
		return nil
	})
	PhoneVerified = eventstore.Declare("user.human.phone.verified", func(f *eventstore.Fold, _ eventstore.None) error {
		setHuman(f, eventstore.Cells{"phone_verified": 1})
		return nil
	})
	PhoneRemoved = eventstore.Declare("user.human.phone.removed", func(f *eventstore.Fold, _ eventstore.None) error {
		setHuman(f, eventstore.Cells{"phone": "", "phone_verified": 0})
		return nil
	})
	PhoneCodeAdded          = eventstore.Declare("user.human.phone.code.added", nothing[codeAdded])
	PhoneVerificationFailed = eventstore.Declare("user.human.phone.verification.failed", nothing[eventstore.None])
)

// Email is where mail reaches a human.
var Email = &Contact{
	title: fault.Say("email address"), purpose: ToVerifyEmail, code: policy.SecretVerifyEmailCode, message: message.VerifyEmail, channel: message.Email,
	clean: cleanEmail, of: func(p person) (string, bool) { return p.Email, p.emailVerified },
	change: func(tx *eventstore.Tx, a eventstore.Aggregate, value string) (eventstore.Details, error) {
		return EmailChanged.Emit(tx, a, emailChanged{value})
	},
	verified: EmailVerified, added: EmailCodeAdded, failed: EmailVerificationFailed,
}

// Phone is where text messages reach a human.
var Phone = &Contact{
	title: fault.Say("phone number"), purpose: ToVerifyPhone, code: policy.SecretVerifyPhoneCode, message: message.VerifyPhone, channel: message.SMS,
	clean: cleanPhone, of: func(p person) (string, bool) { return p.Phone, p.phoneVerified },
	change: func(tx *eventstore.Tx, a eventstore.Aggregate, value string) (eventstore.Details, error) {
		return PhoneChanged.Emit(tx, a, phoneChanged{value})
	},
	verified: PhoneVerified, added: PhoneCodeAdded, failed: PhoneVerificationFailed,
}

func (c *Contact) key(s eventstore.Scope, id string) CodeKey {
	return CodeKey{Instance: s.Instance, UserID: id, Purpose: c.purpose}
}

// Set gives a human another address or number and begins to prove it. To name the
// one that is there is fine where it is vouched for and was not proved; it is
// refused with Unchanged otherwise.
func (c *Contact) Set(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id, value string, how Verification) (code string, d eventstore.Details, err error) {
	p, err := lockHuman(tx, s, id, how.permission())
	if err == nil {
		err = sure(tx.Context(), id)
	}
	if err != nil {
		return "", d, err
	}
	if value, err = c.clean(value); err != nil {
		return "", d, err
	}
	old, proved := c.of(p)
	if value == old && (proved || !how.Vouched) {
		return "", d, errSame
	}
	if value != old {
		if d, err = c.change(tx, aggregate(s.Instance, s.Org, id), value); err != nil {
			return "", d, err
		}
		c.dropCodes(tx, s, id)
	}
	if how.Vouched {
		DropCode(tx, c.key(s, id))
	}
	p.Email, p.Phone = c.placed(p, value)
	code, proof, err := c.prove(tx, v, s, id, p, how)
	return code, last(d, proof), err
}

// dropCodes ends the codes that were sent to an address or a number that is no
// longer the human's.
func (c *Contact) dropCodes(tx *eventstore.Tx, s eventstore.Scope, id string) {
	purposes := []Purpose{ToVerifyPhone}
	if c.channel == message.Email {
		purposes = []Purpose{ToVerifyEmail, ToAcceptInvite, ToInitialize, ToResetPassword}
	}
	for _, p := range purposes {
		DropCode(tx, CodeKey{Instance: s.Instance, UserID: id, Purpose: p})
	}
}

// placed gives the human's address and number with value in its place.
func (c *Contact) placed(p person, value string) (email, phone string) {
	if c.channel == message.Email {
		return value, p.Phone
	}
	return p.Email, value
}

// last is the later one of two changes, of which each may not have happened.
func last(a, b eventstore.Details) eventstore.Details {
	if b.Sequence > a.Sequence {
		return b
	}
	return a
}

// Prove begins to prove what a human was made with in the same transaction, or marks it as proved.
func (c *Contact) Prove(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string, h Human, how Verification) (code string, d eventstore.Details, err error) {
	if err := allow(tx.Context(), how.permission(), s.Org, id); err != nil {
		return "", d, err
	}
	return c.prove(tx, v, s, id, person{Human: h}, how)
}

// Resend makes another code for an address or a number that is not proved yet. The
// code before is void then.
func (c *Contact) Resend(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string, how Verification) (code string, d eventstore.Details, err error) {
	p, err := lockHuman(tx, s, id, how.permission())
	if err != nil {
		return "", d, err
	}
	switch value, verified := c.of(p); {
	case value == "":
		return "", d, c.missing()
	case verified:
		return "", d, fault.Precondition("USER-verified", "The %s is verified already.", c.title)
	}
	return c.prove(tx, v, s, id, p, how)
}

func (c *Contact) missing() error {
	return fault.Precondition("USER-no-contact", "The user has no %s.", c.title)
}

func (c *Contact) prove(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string, p person, how Verification) (code string, d eventstore.Details, err error) {
	a := aggregate(s.Instance, s.Org, id)
	if how.Vouched {
		d, err = c.verified.Emit(tx, a, eventstore.None{})
		return "", d, err
	}
	to, _ := c.of(p)
	m := message.Message{
		Kind: c.message, Channel: c.channel, Org: s.Org, UserID: id, Recipient: to, Language: p.PreferredLanguage, URLTemplate: how.URLTemplate,
	}
	code, lifetime, err := handOut(tx, v, c.key(s, id), c.code, m, how.Return)
	if err != nil {
		return "", d, err
	}
	d, err = c.added.Emit(tx, a, codeAdded{Expiry: lifetime, Returned: how.Return, URLTemplate: how.URLTemplate})
	return code, d, err
}

// Verify marks an address or a number as proved by a code. Users may do so
// themselves.
func (c *Contact) Verify(ctx context.Context, store *eventstore.Store, v *crypto.Vault, s eventstore.Scope, id, code string) (d eventstore.Details, err error) {
	if err := allow(ctx, writeOrSelf, s.Org, id); err != nil {
		return d, err
	}
	a := aggregate(s.Instance, s.Org, id)
	err = UseCode(ctx, store, v, c.key(s, id), code, func(tx *eventstore.Tx) error {
		if _, err := lockHuman(tx, s, id, writeOrSelf); err != nil {
			return err
		}
		d, err = c.verified.Emit(tx, a, eventstore.None{})
		return err
	}, func(tx *eventstore.Tx) error {
		_, err := c.failed.Emit(tx, a, eventstore.None{})
		return err
	})
	return d, err
}

// RemovePhone takes a human's number away. Users may do so themselves.
func RemovePhone(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	p, err := lockHuman(tx, s, id, writeOrSelf)
	if err == nil {
		err = sure(tx.Context(), id)
	}
	if err != nil {
		return eventstore.Details{}, err
	}
	if p.Phone == "" {
		return eventstore.Details{}, Phone.missing()
	}
	DropCode(tx, Phone.key(s, id))
	return PhoneRemoved.Emit(tx, aggregate(s.Instance, s.Org, id), eventstore.None{})
}

// VerifyEmail notes that the address of a human who was made in the same transaction is
// known to be theirs.
func VerifyEmail(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	_, d, err := Email.Prove(tx, nil, eventstore.Scope{Instance: instance, Org: org}, id, Human{}, Verification{Vouched: true})
	return d, err
}

// handOut makes a code as the instance's secret generator says, keeps it under the
// key, and sends it with the message or returns it, in place of sending it.
func handOut(tx *eventstore.Tx, v *crypto.Vault, k CodeKey, t policy.SecretGeneratorType, m message.Message, back bool) (code string, lifetime time.Duration, err error) {
	if err := message.CheckURLTemplate(m.URLTemplate); err != nil {
		return "", 0, err
	}
	g, err := policy.SecretGeneratorOf(authz.AsSystem(tx.Context(), k.Instance), tx.Reader(), k.Instance, t)
	if err != nil {
		return "", 0, err
	}
	if code, err = mint(g.Doc); err != nil {
		return "", 0, err
	}
	if lifetime = g.Doc.Expiry; lifetime == 0 {
		lifetime = forever
	}
	if err := KeepCode(tx, v, k, code, lifetime); err != nil {
		return "", 0, err
	}
	if back {
		return code, g.Doc.Expiry, nil
	}
	m.Code, m.Expires = code, tx.Now().Add(lifetime)
	return "", g.Doc.Expiry, message.Queue(tx, v, k.Instance, m)
}

// forever is how long codes live that do not expire.
const forever = 100 * 365 * 24 * time.Hour

// mint makes a code of the characters that a generator includes.
func mint(g policy.SecretGenerator) (string, error) {
	var alphabet strings.Builder
	for _, set := range []struct {
		included   bool
		characters string
	}{
		{g.IncludeLowerLetters, crypto.LowerLetters}, {g.IncludeUpperLetters, crypto.UpperLetters},
		{g.IncludeDigits, crypto.Digits}, {g.IncludeSymbols, crypto.Symbols},
	} {
		if set.included {
			alphabet.WriteString(set.characters)
		}
	}
	return crypto.NewCode(alphabet.String(), int(g.Length))
}
