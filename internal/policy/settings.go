package policy

import (
	"context"
	"encoding/json"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Setting is a document that one event changes: its payload holds the keys that
// are new. Without an event all of it is zero, or inherited. It lives in the
// table of policies and shares their mechanism.
type Setting[D any] struct {
	kind          *Kind[D]
	instance, org settingEvents // empty where the level cannot have the setting
}

type settingEvents struct {
	set     *eventstore.Kind[changes]
	removed *eventstore.Kind[eventstore.None] // nil where nobody can take it back
}

// DeclareSetting makes a setting that only instances have. event is its only
// event, on the instance's aggregate of type aggregate; kind and title name it
// in the table and to people; who has permission+"write" on the instance may
// change it.
func DeclareSetting[D any](event, aggregate, kind string, title *fault.Phrase, permission string, validate func(*D) error) *Setting[D] {
	k := &Kind[D]{name: kind, title: title, validate: validate, access: instanceAccess(permission)}
	k.stream = func(s Scope) eventstore.Aggregate {
		return eventstore.Aggregate{Instance: s.Instance, Type: aggregate, ID: s.Instance, Owner: s.Instance}
	}
	return &Setting[D]{kind: k, instance: settingEvents{set: k.declareSet(event)}}
}

func (k *Kind[D]) declareSet(event string) *eventstore.Kind[changes] {
	return eventstore.Declare(event, func(f *eventstore.Fold, c changes) error { return k.upsert(f, patch[D](c)) })
}

// declareResettable declares the events of a level that can take its setting back.
func (k *Kind[D]) declareResettable(event string) settingEvents {
	return settingEvents{set: k.declareSet(event + ".set"), removed: eventstore.Declare(event+".removed", k.foldRemoved)}
}

func (s *Setting[D]) events(at Scope) (settingEvents, error) {
	e := s.org
	if at.IsDefault() {
		e = s.instance
	}
	switch {
	case e.set != nil:
		return e, nil
	case at.IsDefault():
		return e, fault.Invalid("SETTINGS-scope", "Name the organization.")
	}
	return e, fault.Invalid("SETTINGS-scope", "Only an instance has a %s.", s.kind.title)
}

// Change lets edit alter the instance's setting, and refuses where it alters
// nothing.
func (s *Setting[D]) Change(tx *eventstore.Tx, instance string, edit func(*D)) (Details, error) {
	at := Scope{Instance: instance}
	d, changed, err := s.apply(tx, at, edit)
	if err == nil && !changed {
		return Details{}, s.kind.unchanged(at)
	}
	return d, err
}

// Set lets edit alter the instance's setting; to alter nothing is fine.
func (s *Setting[D]) Set(tx *eventstore.Tx, instance string, edit func(*D)) (Details, error) {
	return s.SetIn(tx, Scope{Instance: instance}, edit)
}

// SetIn is Set for any scope that can have the setting.
func (s *Setting[D]) SetIn(tx *eventstore.Tx, at Scope, edit func(*D)) (Details, error) {
	d, _, err := s.apply(tx, at, edit)
	return d, err
}

// Resolve gives the instance's setting.
func (s *Setting[D]) Resolve(ctx context.Context, store database.Reader, instance string) (State[D], error) {
	return s.ResolveIn(ctx, store, Scope{Instance: instance})
}

// Ask is the query of Resolve, for who has more to ask.
func (s *Setting[D]) Ask(instance string, out *State[D]) database.Query {
	return s.kind.Ask(Scope{Instance: instance}, out)
}

// ResolveIn gives the setting that holds in a scope: its own, else the instance's.
// Where nobody has set it, the details hold no sequence.
func (s *Setting[D]) ResolveIn(ctx context.Context, store database.Reader, at Scope) (State[D], error) {
	return s.kind.Resolve(ctx, store, at)
}

func (s *Setting[D]) apply(tx *eventstore.Tx, at Scope, edit func(*D)) (d Details, altered bool, err error) {
	d, err = s.kind.within(tx, at, func() (d Details, err error) {
		d, altered, err = s.alter(tx, at, edit)
		return d, err
	})
	return d, altered, err
}

func (s *Setting[D]) alter(tx *eventstore.Tx, at Scope, edit func(*D)) (d Details, altered bool, err error) {
	events, err := s.events(at)
	if err != nil {
		return Details{}, false, err
	}
	r, err := s.kind.lockLiving(tx, at, "write")
	if err != nil {
		return Details{}, false, err
	}
	changed := s.kind.edited
	if !r.exists && events.removed != nil { // To set a value that is inherited too is a change.
		changed = s.kind.whole
	}
	c, err := changed(r.doc, edit)
	if err != nil || len(c) == 0 {
		return s.kind.details(r, at), false, err
	}
	d, err = events.set.Emit(tx, s.kind.aggregate(at), c)
	return d, true, err
}

// ResetIn takes the scope's own setting back; without one there is nothing to do.
func (s *Setting[D]) ResetIn(tx *eventstore.Tx, at Scope) (Details, error) {
	return s.kind.within(tx, at, func() (Details, error) { return s.reset(tx, at) })
}

func (s *Setting[D]) reset(tx *eventstore.Tx, at Scope) (Details, error) {
	events, err := s.events(at)
	if err != nil {
		return Details{}, err
	}
	r, err := s.kind.lock(tx, at, "delete")
	if err != nil || !r.exists {
		return Details{}, err
	}
	return events.removed.Emit(tx, s.kind.aggregate(at), eventstore.None{})
}

// list is a slice whose JSON is [] where it is empty, so that none and empty
// are one value.
type list []string

// MarshalJSON implements json.Marshaler.
func (l list) MarshalJSON() ([]byte, error) {
	if len(l) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal([]string(l))
}
