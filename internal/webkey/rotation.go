package webkey

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Rotation says how the keys of an instance take turns by themselves.
type Rotation struct {
	Every time.Duration // how long a key signs
	Keep  time.Duration // how long a key is published after it signed
}

// lead is for how long a key must have been published before it signs: clients keep
// what they loaded for a while.
func (r Rotation) lead() time.Duration { return min(24*time.Hour, r.Every/2) }

// Plan is what is to be done with the keys of an instance now.
type Plan struct {
	// Spare is what to make a new pair from; nil: none is needed.
	Spare    *Config
	remove   []string
	activate string
	// Next is when to look again.
	Next time.Time
}

// Plan says what is due. An instance without an active key has nothing to rotate.
func (r Rotation) Plan(keys Keys, now time.Time) Plan {
	active := keys.active()
	p := Plan{Next: now.Add(r.Every)}
	if active == nil {
		return p
	}
	soon := func(at time.Time) (due bool) {
		if now.Before(at) {
			p.Next = earliest(p.Next, at)
			return false
		}
		return true
	}
	for _, k := range keys {
		if k.State == Inactive && soon(k.Details.Changed.Add(r.Keep)) {
			p.remove = append(p.remove, k.ID)
		}
	}
	if len(keys)-len(p.remove) >= maxKeys { // Nothing new until one may go.
		return p
	}
	spare := keys.find(func(k Key) bool { return k.State == Initial })
	switch {
	case spare == nil:
		p.Spare, p.Next = &active.Config, earliest(p.Next, now.Add(r.lead()))
	case soon(latest(active.Details.Changed.Add(r.Every), spare.Details.Created.Add(r.lead()))):
		p.activate = spare.ID
		p.Next = earliest(p.Next, now.Add(r.Keep))
		if keys.find(func(k Key) bool { return k.State == Initial && k.ID != spare.ID }) == nil {
			p.Spare = &active.Config
		}
	}
	return p
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Rotate does what is due with the keys of an instance and says when to look again.
// spare is a new pair for it; nil where none seemed to be needed.
func Rotate(tx *eventstore.Tx, v *crypto.Vault, instance string, r Rotation, spare *Pair) (next time.Time, err error) {
	keys, err := lock(tx, instance, "iam.web_key.write")
	if err != nil {
		return next, err
	}
	p := r.Plan(keys, tx.Now())
	for _, id := range p.remove {
		if _, err := Removed.Emit(tx, aggregate(instance, id), eventstore.None{}); err != nil {
			return next, err
		}
	}
	if p.activate != "" {
		if _, err := activate(tx, instance, keys, p.activate); err != nil {
			return next, err
		}
	}
	switch {
	case p.Spare == nil:
		return p.Next, nil
	case spare == nil: // The keys are others than they were: look again.
		return tx.Now(), nil
	}
	_, _, err = add(tx, v, instance, *spare)
	return p.Next, err
}
