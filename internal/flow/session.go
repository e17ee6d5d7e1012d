package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Subject is the user whose proof is looked at. Without an id it is nobody's:
// then every proof must be refused like one that is wrong, and take as long.
type Subject = user.Ref

// AssertionRequest asks a WebAuthn key to sign.
type AssertionRequest struct {
	Domain       string
	Verification int32 // of the user by the key, numbered as on the wire
}

// Sessions are the verbs on sessions.
type Sessions struct {
	store *eventstore.Store
	vault *crypto.Vault
}

// NewSessions makes the verbs on the sessions in store.
func NewSessions(store *eventstore.Store, vault *crypto.Vault) *Sessions {
	return &Sessions{store: store, vault: vault}
}

// Proof is what somebody proves in a session: what is nil or empty is not proved.
type Proof struct {
	UserID, LoginName                                string // one of them
	Password, TOTP, SMSCode, EmailCode, RecoveryCode *string
	Assertion                                        []byte // JSON
	answers                                          *answered
}

// Challenges are what shall be asked of the user for a later proof.
type Challenges struct {
	Assertion *AssertionRequest
	SMS       *CodeRequest
	Email     *CodeRequest
}

// CodeRequest asks for a one-time code.
type CodeRequest struct {
	Return      bool   // to the caller, instead of sending it
	URLTemplate string // of a mail; see message.Message
}

// SessionChange is what a call does to a session.
type SessionChange struct {
	Proof      Proof
	Challenges Challenges
	Metadata   map[string][]byte
	Lifetime   *time.Duration
	UserAgent  *session.UserAgent // of a new session
	// Discreet tells nothing of the user as long as nothing is proved, not even by what the
	// policy of their organization says.
	Discreet bool
}

// SessionChanged is a session after a change, with what is shown once.
type SessionChanged struct {
	ID, Token          string
	Details            eventstore.Details
	AssertionOptions   []byte // JSON; nil where no key was asked
	SMSCode, EmailCode string // of those that were to be returned
}

// Create makes a session.
func (s *Sessions) Create(ctx context.Context, c SessionChange) (SessionChanged, error) {
	if err := authz.Require(ctx, "session.write", ""); err != nil {
		return SessionChanged{}, err
	}
	return s.change(ctx, &session.Session{Instance: authz.From(ctx).Instance}, c, func(tx *eventstore.Tx) (session.Session, error) {
		return session.Add(tx, authz.From(ctx).Instance, c.UserAgent)
	})
}

// Set changes a session. token may be empty; see session.Session.Admit.
func (s *Sessions) Set(ctx context.Context, id, token string, c SessionChange) (SessionChanged, error) {
	instance, hash := authz.From(ctx).Instance, hashOf(token)
	var before session.Session
	err := s.store.Read(ctx, session.ByID(instance, id, &before)...)
	if err == nil {
		err = before.Admit(ctx, session.ToWrite, hash, s.store.Now())
	}
	if err == nil {
		err = before.Usable(s.store.Now())
	}
	if err != nil {
		return SessionChanged{}, err
	}
	return s.change(ctx, &before, c, func(tx *eventstore.Tx) (session.Session, error) {
		return session.Open(tx, instance, id, hash)
	})
}

// End ends a session, with the tokens that clients have from it; that it has ended
// already is fine.
func (s *Sessions) End(ctx context.Context, id, token string) (d eventstore.Details, err error) {
	err = s.store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		instance := authz.From(ctx).Instance
		if d, err = session.End(tx, instance, id, hashOf(token)); err != nil {
			return err
		}
		return oauth.EndOfSession(tx, instance, id, oauth.ReasonLogout)
	})
	return d, err
}

// hashOf is the hash of a token; none stays none.
func hashOf(token string) string {
	if token == "" {
		return ""
	}
	return user.HashToken(token)
}

// change looks at the proofs and prepares the challenges, which takes its time, and
// then notes all of it in one transaction, together with a new token.
func (s *Sessions) change(ctx context.Context, before *session.Session, c SessionChange, open func(*eventstore.Tx) (session.Session, error)) (out SessionChanged, err error) {
	p := &proving{Sessions: s, session: before, discreet: c.Discreet}
	if err := p.identify(ctx, c.Proof); err != nil {
		return out, err
	}
	if err := p.prove(ctx, c.Proof); err != nil {
		return out, err
	}
	if err := p.challenge(ctx, c.Challenges, &out); err != nil {
		return out, err
	}
	err = s.store.Write(ctx, func(tx *eventstore.Tx) error {
		now, err := open(tx)
		if err != nil {
			return err
		}
		if now.UserID != before.UserID { // Somebody else was quicker: the proofs are not theirs.
			return errSessionChanged
		}
		for _, note := range p.notes {
			if err := note(tx, &now); err != nil {
				return err
			}
		}
		if err := now.SetMetadata(tx, c.Metadata); err != nil {
			return err
		}
		if c.Lifetime != nil {
			if err := setLifetime(tx, &now, before.ID == "", *c.Lifetime); err != nil {
				return err
			}
		}
		token, hash := user.NewSessionToken(now.ID)
		out.ID, out.Token = now.ID, token
		out.Details, err = now.SetToken(tx, hash)
		return err
	})
	if err != nil {
		return SessionChanged{}, err
	}
	return out, nil
}

var errSessionChanged = fault.New(fault.KindAborted, "SESSION-changed", "The session got its user by another call just now. Try again.")

// SessionUser is what is shown of a session's user.
type SessionUser struct{ UserName, LoginName, DisplayName, Avatar string }

// SessionOf is a session with its user, who is empty where there is none.
type SessionOf struct {
	session.Session
	User SessionUser
}

// users asks for the users that the sessions of a list are of.
func usersOf(instance string, of *database.Select, into map[string]Person) database.Query {
	return database.From(personColumns, "users u"+personJoins).Where("u.instance_id = ?", instance).InSelect("u.user_id", of).
		Rows(func(scan database.Scan) error {
			var p Person
			dest, done := personDest(&p)
			if err := scan(dest...); err != nil {
				return err
			}
			_, err := done()
			into[p.ID] = p
			return err
		})
}

// with adds the user to a session. Another user of the same id is none of it.
func withUser(s session.Session, users map[string]Person) SessionOf {
	out := SessionOf{Session: s}
	if u, ok := users[s.UserID]; ok && u.OrgID == s.UserOrg && u.Details.Created.Equal(s.UserSince) {
		out.User = SessionUser{UserName: u.UserName, LoginName: u.LoginName, DisplayName: u.DisplayName(), Avatar: u.Human.Avatar}
	}
	return out
}

// SessionByID gives a session to who may read it or has its token.
func (s *Sessions) SessionByID(ctx context.Context, id, token string) (SessionOf, error) {
	instance := authz.From(ctx).Instance
	var found session.Session
	users := map[string]Person{}
	of := database.From("s.user_id", "sessions s").Where("s.instance_id = ? AND s.session_id = ?", instance, id)
	err := s.store.Read(ctx, append(session.ByID(instance, id, &found), usersOf(instance, of, users))...)
	if err == nil {
		err = found.Admit(ctx, session.ToRead, hashOf(token), s.store.Now())
	}
	if err != nil {
		return SessionOf{}, err
	}
	return withUser(found, users), nil
}

// List lists the sessions that the caller may see.
func (s *Sessions) List(ctx context.Context, p database.Page, by session.Column, filters ...database.Filter) (out database.Listing[SessionOf], err error) {
	instance, users := authz.From(ctx).Instance, map[string]Person{}
	l, err := session.List(ctx, s.store, instance, p, by, filters, func(page *database.Select) database.Query {
		return usersOf(instance, page.Only("s.user_id"), users)
	})
	out.Total = l.Total
	for _, row := range l.Rows {
		out.Rows = append(out.Rows, withUser(row, users))
	}
	return out, err
}
