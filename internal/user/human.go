package user

import (
	"cmp"
	"net/mail"
	"strings"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
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
	naming
}

const humanColumns = `first_name, first_name_lower, last_name, last_name_lower, nick_name, nick_name_lower,
	display_name, display_name_lower, preferred_language, gender, email, email_lower, email_verified,
	phone, phone_verified, password_hash, password_change_required, password_changed, mfa_init_skipped, invitation, avatar`

// The events of a human.
var (
	HumanAdded = eventstore.Declare("user.human.added", func(f *eventstore.Fold, h humanAdded) error {
		add(f, KindHuman, h.UserName, h.DisplayName, h.naming)
		changed, required := int64(0), 0
		if h.Hash != "" {
			changed = f.Micros()
		}
		if h.ChangeRequired {
			required = 1
		}
		lower := strings.ToLower
		f.Insert("humans", eventstore.Cells{
			"first_name": h.FirstName, "first_name_lower": lower(h.FirstName), "last_name": h.LastName, "last_name_lower": lower(h.LastName),
			"nick_name": h.NickName, "nick_name_lower": lower(h.NickName), "display_name": h.DisplayName, "display_name_lower": lower(h.DisplayName),
			"preferred_language": h.PreferredLanguage, "gender": int64(h.Gender), "email": h.Email, "email_lower": lower(h.Email), "email_verified": 0,
			"phone": h.Phone, "phone_verified": 0, "password_hash": h.Hash, "password_change_required": required, "password_changed": changed,
			"mfa_init_skipped": 0, "invitation": "", "avatar": "",
		})
		return nil
	}, "encodedHash")
)

var (
	errHuman    = fault.Invalid("USER-human", "A human needs a user name; it and the other names have %d characters at most.", maxName)
	errEmail    = fault.Invalid("USER-email", "An email address is like name@example.com, of %d bytes at most.", maxName)
	errLanguage = fault.Invalid("USER-language", "The preferred language must be a language tag, such as en or de-CH.")
	errPhone    = fault.Invalid("USER-phone", "A phone number is in international form, such as +41 44 668 18 00.")
	errGender   = fault.Invalid("USER-gender", "The gender must be one of those that the contract names, or left out.")
)

// maxGender is the highest number of a gender on the wire.
const maxGender = 3

// clean writes what was given in its canonical form and says what is wrong with it.
func (h *Human) clean() (err error) {
	if h.UserName = strings.TrimSpace(h.UserName); h.UserName == "" || utf8.RuneCountInString(h.UserName) > maxName {
		return errHuman
	}
	if h.Email, err = cleanEmail(h.Email); err != nil {
		return err
	}
	if h.Phone != "" {
		if h.Phone, err = cleanPhone(h.Phone); err != nil {
			return err
		}
	}
	return h.cleanProfile()
}

// cleanProfile is clean for what says who somebody is. Without a display name, one
// is made of the other names.
func (h *Human) cleanProfile() error {
	h.FirstName, h.LastName = strings.TrimSpace(h.FirstName), strings.TrimSpace(h.LastName)
	h.NickName, h.DisplayName = strings.TrimSpace(h.NickName), strings.TrimSpace(h.DisplayName)
	for _, name := range []string{h.FirstName, h.LastName, h.NickName, h.DisplayName} {
		if utf8.RuneCountInString(name) > maxName {
			return errHuman
		}
	}
	h.DisplayName = cmp.Or(h.DisplayName, strings.TrimSpace(h.FirstName+" "+h.LastName), h.UserName)
	if h.Gender < 0 || h.Gender > maxGender {
		return errGender
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

func cleanEmail(email string) (string, error) {
	email = strings.TrimSpace(email)
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > maxName {
		return "", errEmail
	}
	return email, nil
}

// cleanPhone gives a number in the form E.164.
func cleanPhone(phone string) (string, error) {
	n, err := phonenumbers.Parse(phone, phonenumbers.UNKNOWN_REGION)
	if err != nil || !phonenumbers.IsPossibleNumber(n) {
		return "", errPhone
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// AddHuman makes a human of an organization, whose id may be somebody's wish, and writes
// what h says in its canonical form. That the password, which may be absent, is good enough
// is settled before it is hashed. What becomes of the address and the number is for Email
// and Phone to say.
func AddHuman(tx *eventstore.Tx, instance, org, id string, h *Human, p Password) (eventstore.Details, error) {
	if err := authz.Require(tx.Context(), "user.write", org); err != nil {
		return eventstore.Details{}, err
	}
	if err := h.clean(); err != nil {
		return eventstore.Details{}, err
	}
	a := aggregate(instance, org, id)
	n, err := start(tx, a, h.UserName)
	if err != nil {
		return eventstore.Details{}, err
	}
	return HumanAdded.Emit(tx, a, humanAdded{*h, p, n})
}
