package instance

import (
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// SetDefaultLanguage sets the language of those who ask for none that the
// instance has. Whether it is one that the instance offers is flow's to say.
func SetDefaultLanguage(tx *eventstore.Tx, id, language string) (eventstore.Details, error) {
	if _, err := tx.Lock(aggregate(id)); err != nil {
		return eventstore.Details{}, err
	}
	if err := authz.RequireInstance(tx.Context(), "iam.write"); err != nil {
		return eventstore.Details{}, err
	}
	i, err := ByID(tx.Context(), tx.Reader(), id)
	if err != nil {
		return eventstore.Details{}, err
	}
	if i.DefaultLanguage == language {
		return eventstore.Details{}, fault.Precondition("INSTANCE-language", "This is the default language already.")
	}
	return DefaultLanguageSet.Emit(tx, aggregate(id), defaultLanguage{language})
}
