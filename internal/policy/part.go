package policy

import (
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// PartKind is a change to one part of a policy's document, such as one entry of
// a list, with its own event and payload P.
type PartKind[D, P any] struct {
	policy        *Kind[D]
	instance, org *eventstore.Kind[P]
	guard         func(s Scope, doc *D, p P) error
	missing       func(s Scope) error
}

// Part declares a change with the event name.event. guard decides whether it is
// allowed, once, when the verb runs; fold makes it, also on replay. missing is
// the refusal where the scope has no policy of its own.
func Part[D, P any](k *Kind[D], event string, missing func(Scope) error, guard func(Scope, *D, P) error, fold func(*D, P)) *PartKind[D, P] {
	apply := func(f *eventstore.Fold, p P) error {
		return k.alter(f, func(doc *D) error {
			fold(doc, p)
			return nil
		})
	}
	return &PartKind[D, P]{
		policy: k, guard: guard, missing: missing,
		instance: eventstore.Declare("instance."+k.name+"."+event, apply),
		org:      eventstore.Declare("org."+k.name+"."+event, apply),
	}
}

// Apply makes the change in the scope's own policy.
func (p *PartKind[D, P]) Apply(tx *eventstore.Tx, s Scope, payload P) (Details, error) {
	r, err := p.policy.lock(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	if !r.exists {
		return Details{}, p.missing(s)
	}
	if err := p.guard(s, &r.doc, payload); err != nil {
		return Details{}, err
	}
	kind := p.org
	if s.IsDefault() {
		kind = p.instance
	}
	return kind.Emit(tx, s.Aggregate(), payload)
}

// noOwn is the usual refusal of a part where there is no policy of its own.
func noOwn(id string, title *fault.Phrase) func(Scope) error {
	return func(s Scope) error {
		return fault.NotFound(scopedID(s, id), "There is no own %s. Add one first.", title)
	}
}
