package oauth

import (
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Exchange is what tokens rest on that were given for other tokens (RFC 8693), besides
// what all tokens rest on.
type Exchange struct {
	// LoggedIn is when the login was that the subject's token comes from: the lifetimes
	// of checks are measured for that time.
	LoggedIn time.Time `json:"loggedIn"`
	// Actor is who acts; nil: the subject themselves.
	Actor *Actor `json:"actor,omitempty"`
	// Bases must all stand, also those of tokens that were exchanged before.
	Bases []Basis `json:"bases"`
}

// Actor is who acts for somebody else, as the claim act has it, with whoever acts for
// them (RFC 8693, section 4.1).
type Actor struct {
	Subject string `json:"sub"`
	Issuer  string `json:"iss"`
	Actor   *Actor `json:"act,omitempty"`
}

// Basis is a token that was shown for an exchange.
type Basis struct {
	UserID string `json:"userID"`
	// Family is that of a login's token, and Token the token's id: one of them is empty
	// for a machine user's token, or for an ID token.
	Family string `json:"family,omitempty"`
	Token  string `json:"token,omitempty"`
	// Right is by which the user may act for the subject; nil: it is not asked for.
	Right *Right `json:"right,omitempty"`
}

// Right is a role of an actor that lets them act for somebody.
type Right struct {
	For    string `json:"for"`
	Kind   string `json:"kind"` // of the object that it is a role on
	Object string `json:"object"`
	Role   string `json:"role"`
	// Admin: also for somebody who has roles of their own.
	Admin bool `json:"admin,omitempty"`
}

// column is an exchange as tables keep it; none is empty.
func (x *Exchange) column() (string, error) {
	if x == nil {
		return "", nil
	}
	data, err := json.Marshal(x)
	return string(data), err
}

// ReadExchange reads what tables keep.
func ReadExchange(column string) (*Exchange, error) {
	if column == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	var x Exchange
	err := json.Unmarshal([]byte(column), &x)
	return &x, err
}

// BeginExchange makes a family with its only token, for others.
func BeginExchange(tx *eventstore.Tx, instance, id string, g Grant, x Exchange, a Access) error {
	return begin(tx, instance, id, added{Grant: g, Exchange: &x}, a, nil)
}

// FamilyByID asks for a family.
func FamilyByID(instance, id string, f *Family) database.Query {
	return familyBy("family_id", instance, id, f)
}
