package user

import (
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Impersonation says by which application who acts for a user.
type Impersonation struct {
	Application string `json:"applicationId"`
	Actor       any    `json:"actor"` // as the claim act has it
}

// Impersonated says that somebody got a token with which they act for the user. It
// changes nothing about the user.
var Impersonated = eventstore.Declare("user.impersonated", func(*eventstore.Fold, Impersonation) error { return nil })

// NoteImpersonated writes that somebody acts for a user.
func NoteImpersonated(tx *eventstore.Tx, instance, id string, by Impersonation) error {
	org, found := "", false
	a := aggregate(instance, "", id)
	_, err := tx.Lock(a, database.One(&found, "SELECT org_id FROM users WHERE instance_id = ? AND user_id = ?", []any{instance, id}, &org))
	if err == nil && !found {
		err = errMissing
	}
	if err == nil {
		_, err = Impersonated.Emit(tx, a, by)
	}
	return err
}
