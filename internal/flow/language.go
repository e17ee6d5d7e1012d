package flow

import (
	"slices"

	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// SetDefaultLanguage sets an instance's default language: one of those that
// there are texts in, and that the instance's restrictions allow.
func SetDefaultLanguage(tx *eventstore.Tx, id, name string, supported []string) (eventstore.Details, error) {
	tag, err := language.Parse(name)
	if err != nil || !slices.Contains(supported, tag.String()) {
		return eventstore.Details{}, errUnsupported(supported)
	}
	// Both verbs of this file hold the instance, so that neither decides on what
	// the other is changing.
	if _, err := tx.Lock(eventstore.Scope{Instance: id}.Aggregate()); err != nil {
		return eventstore.Details{}, err
	}
	r, err := policy.Restrictions.Resolve(tx.Context(), tx.Reader(), id)
	if err != nil {
		return eventstore.Details{}, err
	}
	if allowed := r.Doc.AllowedLanguages; len(allowed) > 0 && !slices.Contains(allowed, tag.String()) {
		return eventstore.Details{}, fault.Invalid("LANG-restricted", "The restrictions do not allow this language. Choose one of %q.", []string(allowed))
	}
	return instance.SetDefaultLanguage(tx, id, tag.String())
}

// SetRestrictions changes what an instance offers. Its default language must
// stay among the allowed ones. To change nothing is fine.
func SetRestrictions(tx *eventstore.Tx, id string, edit func(*policy.RestrictionsDoc)) (eventstore.Details, error) {
	if _, err := tx.Lock(eventstore.Scope{Instance: id}.Aggregate()); err != nil {
		return eventstore.Details{}, err
	}
	d, err := policy.Restrictions.Set(tx, id, edit)
	if err != nil {
		return d, err
	}
	r, err := policy.Restrictions.Resolve(tx.Context(), tx.Reader(), id)
	if err != nil {
		return d, err
	}
	i, err := instance.ByID(tx.Context(), tx.Reader(), id)
	if err != nil {
		return d, err
	}
	if allowed := r.Doc.AllowedLanguages; len(allowed) > 0 && !slices.Contains(allowed, i.DefaultLanguage) {
		return d, fault.Invalid("LANG-default", "The allowed languages must include the default language, %s.", i.DefaultLanguage)
	}
	return d, nil
}
