package user

import (
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// profileChange holds the keys that are new.
type profileChange struct {
	FirstName         *string `json:"firstName,omitempty"`
	LastName          *string `json:"lastName,omitempty"`
	NickName          *string `json:"nickName,omitempty"`
	DisplayName       *string `json:"displayName,omitempty"`
	PreferredLanguage *string `json:"preferredLanguage,omitempty"`
	Gender            *int32  `json:"gender,omitempty"`
}

// The events of who a human is.
var (
	ProfileChanged = eventstore.Declare("user.human.profile.changed", func(f *eventstore.Fold, c profileChange) error {
		cells := eventstore.Cells{}
		for column, value := range map[string]*string{
			"first_name": c.FirstName, "last_name": c.LastName, "nick_name": c.NickName, "display_name": c.DisplayName,
		} {
			if value != nil {
				cells[column], cells[column+"_lower"] = *value, strings.ToLower(*value)
			}
		}
		if c.PreferredLanguage != nil {
			cells["preferred_language"] = *c.PreferredLanguage
		}
		if c.Gender != nil {
			cells["gender"] = int64(*c.Gender)
		}
		if c.DisplayName != nil {
			show(f, *c.DisplayName)
		}
		setHuman(f, cells)
		return nil
	})
	// MFASkipped says that a human declined to set up a second factor.
	MFASkipped = eventstore.Declare("user.human.mfa.init.skipped", func(f *eventstore.Fold, _ eventstore.None) error {
		setHuman(f, eventstore.Cells{"mfa_init_skipped": f.Micros()})
		return nil
	})
)

// setHuman changes what is kept of a human, and notes that the user changed.
func setHuman(f *eventstore.Fold, cells eventstore.Cells) {
	f.Update("humans", cells)
	touch(f)
}

// show notes the name that the user is shown with.
func show(f *eventstore.Fold, display string) {
	f.Update("users", eventstore.Cells{"display_lower": strings.ToLower(display)})
}

// touch notes that the user changed.
func touch(f *eventstore.Fold) { f.Update("users", eventstore.Cells{}) }

// person is what a verb knows of the human that it changes.
type person struct {
	Human
	emailVerified, phoneVerified bool
	password                     bool
	invitation                   string
	avatar                       string
}

// ErrNoHuman refuses machine users.
var ErrNoHuman = fault.Precondition("USER-no-human", "This is not a human user.")

// lockHuman holds a human of the organization and checks the caller's permission.
func lockHuman(tx *eventstore.Tx, s eventstore.Scope, id, permission string) (p person, err error) {
	var found bool
	var kind, hash string
	var gender, emailVerified, phoneVerified int
	_, err = tx.Lock(aggregate(s.Instance, s.Org, id), database.One(&found,
		`SELECT u.kind, u.user_name, COALESCE(h.first_name, ''), COALESCE(h.last_name, ''), COALESCE(h.nick_name, ''), COALESCE(h.display_name, ''),
		COALESCE(h.preferred_language, ''), COALESCE(h.gender, 0), COALESCE(h.email, ''), COALESCE(h.email_verified, 0), COALESCE(h.phone, ''),
		COALESCE(h.phone_verified, 0), COALESCE(h.password_hash, ''), COALESCE(h.invitation, ''), COALESCE(h.avatar, '')
		FROM users u LEFT JOIN humans h ON h.instance_id = u.instance_id AND h.user_id = u.user_id
		WHERE u.instance_id = ? AND u.user_id = ? AND u.org_id = ?`, []any{s.Instance, id, s.Org},
		&kind, &p.UserName, &p.FirstName, &p.LastName, &p.NickName, &p.DisplayName, &p.PreferredLanguage, &gender,
		&p.Email, &emailVerified, &p.Phone, &phoneVerified, &hash, &p.invitation, &p.avatar))
	if err != nil {
		return p, err
	}
	if err := allow(tx.Context(), permission, s.Org, id); err != nil {
		return p, err
	}
	switch {
	case !found:
		return p, errMissing
	case kind != KindHuman:
		return p, ErrNoHuman
	}
	p.Gender = int32(gender) //nolint:gosec // a small number
	p.emailVerified, p.phoneVerified, p.password = emailVerified == 1, phoneVerified == 1, hash != ""
	return p, nil
}

// ChangeProfile edits who a human is: their names, language and gender. Users may
// do so themselves.
func ChangeProfile(tx *eventstore.Tx, s eventstore.Scope, id string, edit func(*Human)) (eventstore.Details, error) {
	old, err := lockHuman(tx, s, id, writeOrSelf)
	if err != nil {
		return eventstore.Details{}, err
	}
	h := old.Human
	edit(&h)
	if err := h.cleanProfile(); err != nil {
		return eventstore.Details{}, err
	}
	c := profileChange{
		FirstName: changed(old.FirstName, h.FirstName), LastName: changed(old.LastName, h.LastName),
		NickName: changed(old.NickName, h.NickName), DisplayName: changed(old.DisplayName, h.DisplayName),
		PreferredLanguage: changed(old.PreferredLanguage, h.PreferredLanguage), Gender: changed(old.Gender, h.Gender),
	}
	if c == (profileChange{}) {
		return eventstore.Details{}, errSame
	}
	return ProfileChanged.Emit(tx, aggregate(s.Instance, s.Org, id), c)
}

// changed is the new value, or nil where it is the old one.
func changed[T comparable](before, after T) *T {
	if before == after {
		return nil
	}
	return &after
}

// SkipMFA notes that a human does not want a second factor for now. Users may say
// so themselves.
func SkipMFA(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	if _, err := lockHuman(tx, s, id, writeOrSelf); err != nil {
		return eventstore.Details{}, err
	}
	return MFASkipped.Emit(tx, aggregate(s.Instance, s.Org, id), eventstore.None{})
}
