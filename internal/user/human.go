package user

import (
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Human is a user who is a person.
type Human struct {
	UserName          string `json:"userName"`
	FirstName         string `json:"firstName,omitempty"`
	LastName          string `json:"lastName,omitempty"`
	NickName          string `json:"nickName,omitempty"`
	DisplayName       string `json:"displayName,omitempty"`       // none: made of the names
	PreferredLanguage string `json:"preferredLanguage,omitempty"` // BCP 47; none: the instance's
	Gender            int32  `json:"gender,omitempty"`            // numbered as on the wire
	Email             string `json:"email,omitempty"`
	Phone             string `json:"phone,omitempty"` // E.164
}

// Password is a password as it is stored.
type Password struct {
	Hash string `json:"encodedHash,omitempty"` // a PHC string; none: there is no password
	// ChangeRequired asks for another password at the next login.
	ChangeRequired bool `json:"changeRequired,omitempty"`
}

type humanAdded struct {
	Human
	Password
}

const humanColumns = `first_name, first_name_lower, last_name, last_name_lower, nick_name, nick_name_lower,
	display_name, display_name_lower, preferred_language, gender, email, email_lower, email_verified,
	phone, phone_verified, password_hash, password_change_required, password_changed`

// The events of a human.
var (
	HumanAdded = eventstore.Declare("user.human.added", func(f *eventstore.Fold, h humanAdded) error {
		add(f, KindHuman, h.UserName)
		changed, required := int64(0), 0
		if h.Hash != "" {
			changed = f.Micros()
		}
		if h.ChangeRequired {
			required = 1
		}
		lower := strings.ToLower
		f.Exec("INSERT INTO humans (instance_id, user_id, "+humanColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?)",
			f.Instance, f.ID, h.FirstName, lower(h.FirstName), h.LastName, lower(h.LastName), h.NickName, lower(h.NickName),
			h.DisplayName, lower(h.DisplayName), h.PreferredLanguage, int64(h.Gender), h.Email, lower(h.Email),
			h.Phone, h.Hash, required, changed)
		return nil
	}, "encodedHash")
	EmailVerified = eventstore.Declare("user.human.email.verified", func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("UPDATE humans SET email_verified = 1 WHERE instance_id = ? AND user_id = ?", f.Instance, f.ID)
		f.Exec("UPDATE users SET changed = ?, sequence = ? WHERE instance_id = ? AND user_id = ?", f.Micros(), f.Sequence, f.Instance, f.ID)
		return nil
	})
)

var (
	errHuman    = fault.Invalid("USER-human", "A human needs a user name; it and the other names have %d characters at most.", maxName)
	errEmail    = fault.Invalid("USER-email", "An email address is like name@example.com, of %d bytes at most.", maxName)
	errLanguage = fault.Invalid("USER-language", "The preferred language must be a language tag, such as en or de-CH.")
	errNoHuman  = fault.Precondition("USER-no-human", "This is not a human user.")
	errPassword = fault.Precondition("USER-password", "Give a password: this version cannot mail a code by which to set one.")
)

// clean writes what was given in its canonical form and says what is wrong with it.
func (h *Human) clean() error {
	h.UserName, h.Email = strings.TrimSpace(h.UserName), strings.TrimSpace(h.Email)
	h.FirstName, h.LastName = strings.TrimSpace(h.FirstName), strings.TrimSpace(h.LastName)
	if h.DisplayName == "" {
		h.DisplayName = strings.TrimSpace(h.FirstName + " " + h.LastName)
	}
	if h.DisplayName == "" {
		h.DisplayName = h.UserName
	}
	for _, name := range []string{h.UserName, h.FirstName, h.LastName, h.NickName} {
		if utf8.RuneCountInString(name) > maxName {
			return errHuman
		}
	}
	if h.UserName == "" || utf8.RuneCountInString(h.DisplayName) > 2*maxName+1 {
		return errHuman
	}
	if a, err := mail.ParseAddress(h.Email); err != nil || a.Address != h.Email || len(h.Email) > maxName {
		return errEmail
	}
	if h.PreferredLanguage != "" {
		tag, err := language.Parse(h.PreferredLanguage)
		if err != nil {
			return errLanguage
		}
		h.PreferredLanguage = tag.String()
	}
	return nil
}

// AddHuman makes a human of an organization, whose id may be somebody's wish. That
// the password is good enough is settled before it is hashed.
func AddHuman(tx *eventstore.Tx, instance, org, id string, h Human, p Password) (eventstore.Details, error) {
	if err := authz.Require(tx.Context(), "user.write", org); err != nil {
		return eventstore.Details{}, err
	}
	if err := h.clean(); err != nil {
		return eventstore.Details{}, err
	}
	if p.Hash == "" {
		return eventstore.Details{}, errPassword
	}
	a := aggregate(instance, org, id)
	if err := start(tx, a); err != nil {
		return eventstore.Details{}, err
	}
	return HumanAdded.Emit(tx, a, humanAdded{h, p})
}

// VerifyEmail notes that a human's address is known to be theirs.
func VerifyEmail(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	u, err := lock(tx, instance, org, id, "user.write")
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case u.kind != KindHuman:
		return eventstore.Details{}, errNoHuman
	}
	return EmailVerified.Emit(tx, aggregate(instance, org, id), eventstore.None{})
}
