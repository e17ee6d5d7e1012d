package policy

import (
	"context"
	"encoding/json"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Setting is a document that only instances have and that one event changes:
// its payload holds the keys that are new. Without an event all of it is zero.
// It lives in the table of policies and shares their mechanism.
type Setting[D any] struct {
	kind *Kind[D]
	set  *eventstore.Kind[changes]
}

// DeclareSetting makes a setting. event is its only event, on the instance's
// aggregate of type aggregate; kind and title name it in the table and to
// people; who has permission+"write" on the instance may change it.
func DeclareSetting[D any](event, aggregate, kind, title, permission string, validate func(*D) error) *Setting[D] {
	k := &Kind[D]{name: kind, title: title, validate: validate, access: instanceAccess(permission)}
	k.stream = func(s Scope) eventstore.Aggregate {
		return eventstore.Aggregate{Instance: s.Instance, Type: aggregate, ID: s.Instance, Owner: s.Instance}
	}
	return &Setting[D]{kind: k, set: eventstore.Declare(event, func(f *eventstore.Fold, c changes) error {
		return k.upsert(f, patch[D](c))
	})}
}

// Change lets edit alter the setting, and refuses where it alters nothing.
func (s *Setting[D]) Change(tx *eventstore.Tx, instance string, edit func(*D)) (Details, error) {
	d, changed, err := s.apply(tx, instance, edit)
	if err == nil && !changed {
		return Details{}, s.kind.unchanged(Scope{Instance: instance})
	}
	return d, err
}

// Set lets edit alter the setting; to alter nothing is fine.
func (s *Setting[D]) Set(tx *eventstore.Tx, instance string, edit func(*D)) (Details, error) {
	d, _, err := s.apply(tx, instance, edit)
	return d, err
}

// Resolve gives the instance's setting.
func (s *Setting[D]) Resolve(ctx context.Context, store database.Reader, instance string) (State[D], error) {
	return s.kind.Resolve(ctx, store, Scope{Instance: instance})
}

func (s *Setting[D]) apply(tx *eventstore.Tx, instance string, edit func(*D)) (d Details, changed bool, err error) {
	scope := Scope{Instance: instance}
	r, err := s.kind.lock(tx, scope, "write")
	if err != nil {
		return Details{}, false, err
	}
	c, err := s.kind.edited(r.doc, edit)
	if err != nil || len(c) == 0 {
		return s.kind.details(r, scope), false, err
	}
	d, err = s.set.Emit(tx, s.kind.aggregate(scope), c)
	return d, true, err
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
