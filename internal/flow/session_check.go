package flow

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

// What is kept for a session until it is answered, beside the other codes of its
// user.
const (
	toCheckSMS       user.Purpose = "session.sms"
	toCheckEmail     user.Purpose = "session.email"
	toCheckAssertion user.Purpose = "session.assertion"
)

// assertionLifetime is how long a key may take to sign.
const assertionLifetime = 10 * time.Minute

var (
	errUnnamed    = fault.Precondition("SESSION-no-user", "Name the user first, by id or login name: a factor is checked for somebody.")
	errUserState  = fault.Precondition("SESSION-user-state", "The user is not active.")
	errNoPhone    = fault.Precondition("SESSION-phone", "The user has no verified phone number.")
	errNoEmail    = fault.Precondition("SESSION-email", "The user has no verified email address.")
	errTwoOfCodes = fault.Invalid("SESSION-user-twice", "Name the user by id or by login name, not both.")
)

// proving is the part of a change that runs before its transaction.
type proving struct {
	*Sessions
	session *session.Session // as it was before
	subject Subject
	person  Person
	rules   rules
	known   bool // the session has, or now gets, a user
	notes   []func(*eventstore.Tx, *session.Session) error
	// discreet: see SessionChange.
	discreet bool
}

func (p *proving) note(f func(*eventstore.Tx, *session.Session) error) { p.notes = append(p.notes, f) }

// identify finds whose proofs they are: the session's user, or the one that is
// named now.
func (p *proving) identify(ctx context.Context, proof Proof) error {
	instance := p.session.Instance
	p.subject = Subject{Instance: instance, Org: p.session.UserOrg, UserID: p.session.UserID}
	p.known = !p.session.UserChecked.IsZero()
	named := proof.UserID != "" || proof.LoginName != ""
	if !named && !p.known {
		return p.store.Read(ctx, rulesOf(eventstore.Scope{Instance: instance}, &p.rules))
	}
	if proof.UserID != "" && proof.LoginName != "" {
		return errTwoOfCodes
	}
	filter, by := UserWithID(cmp.Or(proof.UserID, p.subject.UserID)), SortUserCreated
	if proof.LoginName != "" {
		filter, by = UserByLogin(database.EqualsFold, proof.LoginName), sortLogin
	}
	active, err := p.find(ctx, instance, filter, by, proof.LoginName)
	if err != nil {
		return err
	}
	there := active && (named || p.person.Details.Created.Equal(p.session.UserSince))
	switch {
	case !there && p.hides():
		p.person = Person{}
	case p.person.ID == "":
		return errNoPerson
	case !there:
		return errUserState
	}
	if !named {
		return nil
	}
	p.known, p.subject.Org, p.subject.UserID = true, p.person.OrgID, p.person.ID
	u := session.User{ID: p.person.ID, Org: p.person.OrgID, Since: p.person.Details.Created, PreferredLanguage: p.person.Human.PreferredLanguage}
	p.note(func(tx *eventstore.Tx, s *session.Session) error { return s.CheckUser(tx, u) })
	return nil
}

// find reads the first user that the filter leaves, and the rules for them, in one round
// trip, and reports whether the user and their organization are active. For a login name
// that nobody has, the rules are those of the organization whose domain it ends in, where
// the instance lets that decide: who looks at the clock learns nothing.
func (p *proving) find(ctx context.Context, instance string, filter database.Filter, by, loginName string) (active bool, err error) {
	first := database.From(personColumns+", COALESCE(o.state, 0)", "users u").With(personJoins).
		Where("u.instance_id = ?", instance).Filter(filter).Order(by+" DESC, u.user_id DESC").Page(0, 1)
	orgState := 0
	queries := []database.Query{first.Rows(func(scan database.Scan) error {
		dest, done := personDest(&p.person)
		if err := scan(append(dest, &orgState)...); err != nil {
			return err
		}
		_, err := done()
		return err
	}), rulesOfFirst(instance, first.Only("u.org_id"), &p.rules)}
	_, domain := cutLast(strings.ToLower(loginName), "@")
	var byDomain rules
	if domain != "" {
		queries = append(queries, rulesOfFirst(instance, orgOf(instance, domain), &byDomain))
	}
	err = p.store.Read(ctx, queries...)
	if p.person.ID == "" && domain != "" && p.rules.login.AllowDomainDiscovery {
		p.rules = byDomain
	}
	return p.person.State == user.Active && orgState == org.Active, err
}

// may refuses a factor of nobody, and one that the login policy does not list.
func (p *proving) may(methods ...assurance.Method) error {
	if !p.known {
		return errUnnamed
	}
	return p.rules.allow(p.store.Now(), methods...)
}

// conceals reports whether it is not told either that a factor is not listed. A key that is
// not is refused once it has answered, and other proofs are held against nobody's, which
// takes as long.
func (p *proving) conceals() bool { return p.known && p.discreet && p.hides() }

// prove looks at each proof that is given, and stops at the first that is wrong.
func (p *proving) prove(ctx context.Context, proof Proof) error {
	if err := p.proveAssertion(ctx, proof.Assertion, proof.answers); err != nil {
		return err
	}
	for _, t := range []struct {
		value  *string
		method assurance.Method
		check  func(context.Context, string) error
		note   func(*session.Session, *eventstore.Tx) error
	}{
		{proof.Password, assurance.Password, p.checkPassword, func(s *session.Session, tx *eventstore.Tx) error { return s.Check(tx, session.PasswordChecked) }},
		{proof.TOTP, assurance.TOTP, p.checkTOTP, func(s *session.Session, tx *eventstore.Tx) error { return s.Check(tx, session.TOTPChecked) }},
		{proof.SMSCode, assurance.OTPSMS, p.useCode(toCheckSMS), func(s *session.Session, tx *eventstore.Tx) error { return s.Check(tx, session.SMSChecked) }},
		{proof.EmailCode, assurance.OTPEmail, p.useCode(toCheckEmail), func(s *session.Session, tx *eventstore.Tx) error { return s.Check(tx, session.EmailChecked) }},
		{proof.RecoveryCode, assurance.RecoveryCode, p.checkRecoveryCode, func(s *session.Session, tx *eventstore.Tx) error { return s.Check(tx, session.RecoveryChecked) }},
	} {
		if t.value == nil {
			continue
		}
		if err := p.may(t.method); err != nil && !p.conceals() {
			return err
		} else if err != nil {
			p.subject.Org, p.subject.UserID = "", ""
		}
		if err := t.check(ctx, *t.value); err != nil {
			return err
		}
		if p.subject.UserID == "" { // A check that lets nobody pass has a mistake.
			return errNoPerson
		}
		p.note(func(tx *eventstore.Tx, s *session.Session) error { return t.note(s, tx) })
	}
	return nil
}

// key names what is kept of a challenge in the session.
func (p *proving) key(purpose user.Purpose, sessionID string) user.CodeKey {
	return user.CodeKey{Instance: p.subject.Instance, UserID: p.subject.UserID, Purpose: purpose, ID: sessionID}
}

// useCode checks a code that was sent, and ends it.
func (p *proving) useCode(purpose user.Purpose) func(context.Context, string) error {
	return func(ctx context.Context, code string) error {
		return p.guard(ctx, func(ctx context.Context) (bool, error) {
			err := user.UseCode(ctx, p.store, p.vault, p.key(purpose, p.session.ID), code, func(*eventstore.Tx) error { return nil }, nil)
			if errors.Is(err, user.ErrCode) {
				return false, nil
			}
			return err == nil, err
		})
	}
}

func (p *proving) proveAssertion(ctx context.Context, credential []byte, to *answered) error {
	if credential == nil {
		return nil
	}
	if err := p.may(assurance.Passkey, assurance.U2F); err != nil && !p.conceals() {
		return err
	}
	state, err := p.take(ctx, to)
	if err != nil {
		return err
	}
	verified, err := user.CheckAssertion(ctx, p.store, p.subject, state, credential)
	if err != nil {
		return p.wrongKey(err)
	}
	method := assurance.U2F
	if verified {
		method = assurance.Passkey
	}
	if err := p.rules.allow(p.store.Now(), method); err != nil {
		return err
	}
	p.note(func(tx *eventstore.Tx, s *session.Session) error { return s.CheckAssertion(tx, verified) })
	return nil
}

// challenge makes what the user will be asked, and notes that it was made.
func (p *proving) challenge(ctx context.Context, c Challenges, out *SessionChanged) error {
	if c.Assertion != nil {
		if err := p.challengeAssertion(ctx, *c.Assertion, out); err != nil {
			return err
		}
	}
	if c.SMS != nil {
		to := message.Message{Kind: message.VerifySMSOTP, Channel: message.SMS, Recipient: p.person.Human.Phone}
		note := func(s *session.Session, tx *eventstore.Tx, expiry time.Duration) error {
			return s.ChallengeSMS(tx, expiry, c.SMS.Return)
		}
		err := p.challengeCode(ctx, *c.SMS, assurance.OTPSMS, policy.SecretOTPSMS, toCheckSMS, p.person.Human.PhoneVerified, errNoPhone, to, note, &out.SMSCode)
		if err != nil {
			return err
		}
	}
	if c.Email != nil {
		if err := message.CheckURLTemplate(c.Email.URLTemplate); err != nil {
			return err
		}
		to := message.Message{Kind: message.VerifyEmailOTP, Channel: message.Email, Recipient: p.person.Human.Email, URLTemplate: c.Email.URLTemplate}
		note := func(s *session.Session, tx *eventstore.Tx, expiry time.Duration) error {
			return s.ChallengeEmail(tx, expiry, c.Email.Return, c.Email.URLTemplate)
		}
		return p.challengeCode(ctx, *c.Email, assurance.OTPEmail, policy.SecretOTPEmail, toCheckEmail, p.person.Human.EmailVerified, errNoEmail, to, note, &out.EmailCode)
	}
	return nil
}

func (p *proving) challengeAssertion(ctx context.Context, r AssertionRequest, out *SessionChanged) error {
	if err := p.may(assurance.Passkey, assurance.U2F); err != nil && !p.conceals() {
		return err
	}
	options, state, err := p.assertion(ctx, r)
	if err != nil {
		return err
	}
	out.AssertionOptions = options
	p.note(func(tx *eventstore.Tx, s *session.Session) error {
		if err := user.KeepCode(tx, p.vault, p.key(toCheckAssertion, s.ID), string(state), assertionLifetime); err != nil {
			return err
		}
		return s.ChallengeAssertion(tx, r.Domain, r.Verification)
	})
	return nil
}

// assertion makes the challenge of a key.
func (p *proving) assertion(ctx context.Context, r AssertionRequest) (options, state []byte, err error) {
	if p.hides() {
		return user.BeginHiddenAssertion(ctx, p.store, p.subject, r.Domain)
	}
	return user.BeginAssertion(ctx, p.store, p.subject, r.Domain, verification[r.Verification])
}

// challengeCode makes a one-time code, which is returned or sent.
func (p *proving) challengeCode(ctx context.Context, r CodeRequest, m assurance.Method, generator policy.SecretGeneratorType, purpose user.Purpose,
	verified bool, unverified error, to message.Message, note func(*session.Session, *eventstore.Tx, time.Duration) error, returned *string,
) error {
	if err := p.may(m); err != nil {
		return err
	}
	if !verified {
		return unverified
	}
	g, err := policy.SecretGeneratorOf(ctx, p.store, p.subject.Instance, generator)
	if err != nil {
		return err
	}
	to.Code, err = g.Doc.Generate()
	if err != nil {
		return err
	}
	if r.Return {
		*returned = to.Code
	}
	to.Org, to.UserID, to.Language = p.subject.Org, p.subject.UserID, p.person.Human.PreferredLanguage
	expiry := cmp.Or(g.Doc.Expiry, assertionLifetime) // A code of eight digits must not last for ever.
	p.note(func(tx *eventstore.Tx, s *session.Session) error {
		if err := user.KeepCode(tx, p.vault, p.key(purpose, s.ID), to.Code, expiry); err != nil {
			return err
		}
		if !r.Return {
			send := to
			send.SessionID, send.Expires = s.ID, tx.Now().Add(expiry)
			if err := message.Queue(tx, p.vault, s.Instance, send); err != nil {
				return err
			}
		}
		return note(s, tx, expiry)
	})
	return nil
}
