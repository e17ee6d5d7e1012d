// Package session is what somebody proved about who they are, and when: a user,
// and a check for each factor. What the checks are worth is not said here but by
// package assurance, at every use anew.
//
// It may import policy and what is under it, and no other aggregate.
package session

import (
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("sessions", "instance_id, session_id", `creator, token_hash, by_hash, fingerprint, user_agent, user_id, user_org,
		user_since, user_checked, password_checked, webauthn_checked, webauthn_verified, totp_checked, sms_checked, email_checked,
		recovery_checked, expires, weakened, ended, created, changed, sequence`)
	eventstore.DeclareTable("session_metadata", "instance_id, session_id, meta_key", "value")
}

// UserAgent is what the client said about the browser or program that the session
// is in.
type UserAgent struct {
	FingerprintID string              `json:"fingerprint_id,omitempty"`
	IP            string              `json:"ip,omitempty"`
	Description   string              `json:"description,omitempty"`
	Header        map[string][]string `json:"header,omitempty"`
}

type added struct {
	UserAgent *UserAgent `json:"user_agent,omitempty"`
}

// User is whose session it is. Without an id it is nobody's: of a name that the
// instance shall not tell apart from those it knows.
type User struct {
	ID                string    `json:"userID"`
	Org               string    `json:"userResourceOwner"`
	Since             time.Time `json:"userSince"` // when the user was made
	PreferredLanguage string    `json:"preferredLanguage,omitempty"`
}

type userChecked struct {
	User
	At time.Time `json:"checkedAt"`
}

type checked struct {
	At time.Time `json:"checkedAt"`
}

type assertionChecked struct {
	At       time.Time `json:"checkedAt"`
	Verified bool      `json:"userVerified"`
}

type assertionChallenged struct {
	Domain       string `json:"rpid"`
	Verification int32  `json:"userVerification"`
}

type smsChallenged struct {
	Expiry   time.Duration `json:"expiry"`
	Returned bool          `json:"codeReturned,omitempty"`
}

type emailChallenged struct {
	Expiry      time.Duration `json:"expiry"`
	Returned    bool          `json:"returnCode,omitempty"`
	URLTemplate string        `json:"urlTmpl,omitempty"`
}

type tokenSet struct {
	ID   string `json:"tokenID"`
	Hash string `json:"hash"`
	// Named says that the token names its session. Else that is found by the hash.
	Named bool `json:"named,omitempty"`
}

type metadataSet struct {
	Metadata map[string][]byte `json:"metadata"` // a key without a value is taken away
}

type lifetimeSet struct {
	Lifetime time.Duration `json:"lifetime"`
}

// The events of a session.
var (
	Added = eventstore.Declare("session.added", func(f *eventstore.Fold, a added) error {
		agent, fingerprint := "", ""
		if a.UserAgent != nil {
			data, err := json.Marshal(a.UserAgent)
			if err != nil {
				return err
			}
			agent, fingerprint = string(data), a.UserAgent.FingerprintID
		}
		f.Insert("sessions", eventstore.Cells{
			"creator": f.Creator, "token_hash": "", "by_hash": 0, "fingerprint": fingerprint, "user_agent": agent, "user_id": "", "user_org": "",
			"user_since": 0, "user_checked": 0, "password_checked": 0, "webauthn_checked": 0, "webauthn_verified": 0,
			"totp_checked": 0, "sms_checked": 0, "email_checked": 0, "recovery_checked": 0, "expires": 0, "weakened": 0, "ended": 0,
			"created": f.Micros(), "changed": f.Micros(), "sequence": f.Sequence,
		})
		return nil
	}).Blank()
	UserChecked = eventstore.Declare("session.user.checked", func(f *eventstore.Fold, u userChecked) error {
		set(f, eventstore.Cells{"user_id": u.ID, "user_org": u.Org, "user_since": u.Since.UnixMicro(), "user_checked": u.At.UnixMicro()})
		return nil
	})
	WebAuthNChecked = eventstore.Declare("session.webAuthN.checked", func(f *eventstore.Fold, c assertionChecked) error {
		verified := 0
		if c.Verified {
			verified = 1
		}
		set(f, eventstore.Cells{"webauthn_checked": c.At.UnixMicro(), "webauthn_verified": verified})
		return nil
	})
	PasswordChecked = eventstore.Declare("session.password.checked", foldChecked("password_checked"))
	TOTPChecked     = eventstore.Declare("session.totp.checked", foldChecked("totp_checked"))
	SMSChecked      = eventstore.Declare("session.otp.sms.checked", foldChecked("sms_checked"))
	EmailChecked    = eventstore.Declare("session.otp.email.checked", foldChecked("email_checked"))
	RecoveryChecked = eventstore.Declare("session.recoveryCode.checked", foldChecked("recovery_checked"))

	// A challenge leaves a row that nobody audits; see user.KeepCode.
	WebAuthNChallenged = eventstore.Declare("session.webAuthN.challenged", touch[assertionChallenged])
	SMSChallenged      = eventstore.Declare("session.otp.sms.challenged", touch[smsChallenged])
	EmailChallenged    = eventstore.Declare("session.otp.email.challenged", touch[emailChallenged])

	TokenSet = eventstore.Declare("session.token.set", func(f *eventstore.Fold, t tokenSet) error {
		byHash := 1
		if t.Named {
			byHash = 0
		}
		set(f, eventstore.Cells{"token_hash": t.Hash, "by_hash": byHash})
		return nil
	}, "hash")
	MetadataSet = eventstore.Declare("session.metadata.set", func(f *eventstore.Fold, m metadataSet) error {
		for key, value := range m.Metadata {
			if len(value) == 0 {
				f.Exec("DELETE FROM session_metadata WHERE instance_id = ? AND session_id = ? AND meta_key = ?", f.Instance, f.ID, key)
				continue
			}
			f.Exec(`INSERT INTO session_metadata (instance_id, session_id, meta_key, value) VALUES (?, ?, ?, ?)
				ON CONFLICT (instance_id, session_id, meta_key) DO UPDATE SET value = excluded.value`,
				f.Instance, f.ID, key, encoding.EncodeToString(value))
		}
		set(f, eventstore.Cells{})
		return nil
	}).Blank()
	LifetimeSet = eventstore.Declare("session.lifetime.set", func(f *eventstore.Fold, l lifetimeSet) error {
		set(f, eventstore.Cells{"expires": f.Created.Add(l.Lifetime).UnixMicro()})
		return nil
	})
	// Weakened says that one factor was enough, where the user has others set up that
	// the login policy lists no more.
	Weakened = eventstore.Declare("session.assurance.weakened", func(f *eventstore.Fold, _ eventstore.None) error {
		set(f, eventstore.Cells{"weakened": 1})
		return nil
	})
	// Terminated is the end: what the session holds of a person goes. Whose it was stays,
	// for who ends it twice; the organization of theirs may be gone.
	Terminated = eventstore.Declare("session.terminated", func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("DELETE FROM session_metadata WHERE instance_id = ? AND session_id = ?", f.Instance, f.ID)
		set(f, eventstore.Cells{"ended": 1, "fingerprint": "", "user_agent": "", "user_org": ""})
		return nil
	})
)

// set changes the session's row.
func set(f *eventstore.Fold, cells eventstore.Cells) { f.Update("sessions", cells) }

func foldChecked(column string) func(*eventstore.Fold, checked) error {
	return func(f *eventstore.Fold, c checked) error {
		set(f, eventstore.Cells{column: c.At.UnixMicro()})
		return nil
	}
}

func touch[P any](f *eventstore.Fold, _ P) error {
	set(f, eventstore.Cells{})
	return nil
}

var (
	errMissing  = fault.NotFound("SESSION-missing", "There is no such session.")
	errExpired  = fault.Precondition("SESSION-expired", "The session has expired. Create another one.")
	errUser     = fault.Precondition("SESSION-user", "The session is another user's. Create another one.")
	errLifetime = fault.Invalid("SESSION-lifetime", "The lifetime of a session is longer than zero, and %d days at most.", maxDays)
)

func aggregate(instance, id string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "session", ID: id, Owner: instance}
}
