// Package webkey is the pairs of keys that sign what an instance issues: ID tokens,
// access tokens that are JWTs, logout tokens. One of them is active and signs. All
// are published, so that clients know a key before it signs, and can check what it
// signed after another one took over, until it is deleted.
//
// It may import policy, crypto and what is under them, and no other aggregate.
// Private keys are sealed for their place, in events too.
package webkey

import (
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("web_keys", "instance_id, key_id",
		"state, kind, config, algorithm, private_key, public_key, created, changed, sequence")
}

// State is what a key is for, numbered as on the wire.
type State int

// The states: a key is published from the beginning, signs while it is active, and
// is published until it is deleted.
const (
	Initial State = iota + 1
	Active
	Inactive
)

// maxKeys is the most keys of an instance: clients load all of them.
const maxKeys = 100

var (
	errMissing  = fault.NotFound("WEBKEY-missing", "There is no such web key.")
	errActive   = fault.Precondition("WEBKEY-active", "The web key is active. Activate another one first.")
	errMany     = fault.Exhausted("WEBKEY-many", "An instance can have %d web keys at most. Delete one that is not needed any more.", maxKeys)
	errInstance = fault.NotFound("INSTANCE-missing", "There is no such instance.")
)

type added struct {
	Kind       string          `json:"configType"`
	Config     Config          `json:"config"`
	PrivateKey string          `json:"privateKey"`
	PublicKey  json.RawMessage `json:"publicKey"`
}

// The events of a key.
var (
	Added       = eventstore.Declare("web_key.added", foldAdded, "privateKey")
	Activated   = eventstore.Declare("web_key.activated", setState(Active))
	Deactivated = eventstore.Declare("web_key.deactivated", setState(Inactive))
	Removed     = eventstore.Declare("web_key.removed", func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("DELETE FROM web_keys WHERE instance_id = ? AND key_id = ?", f.Instance, f.ID)
		return nil
	})
)

func foldAdded(f *eventstore.Fold, e added) error {
	config, err := json.Marshal(e.Config)
	if err != nil {
		return err
	}
	var public jose.JSONWebKey
	if err := json.Unmarshal(e.PublicKey, &public); err != nil {
		return err
	}
	f.Exec(`INSERT INTO web_keys (instance_id, key_id, state, kind, config, algorithm, private_key, public_key, created, changed, sequence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		f.Instance, f.ID, int(Initial), e.Kind, string(config), public.Algorithm, e.PrivateKey, string(e.PublicKey), f.Micros(), f.Micros(), f.Sequence)
	return nil
}

func setState(s State) func(*eventstore.Fold, eventstore.None) error {
	return func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("UPDATE web_keys SET state = ?, changed = ?, sequence = ? WHERE instance_id = ? AND key_id = ?",
			int(s), f.Micros(), f.Sequence, f.Instance, f.ID)
		return nil
	}
}

func aggregate(instance, id string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "web_key", ID: id, Owner: instance}
}

func place(instance, id string) crypto.Place {
	return crypto.Place{Instance: instance, Table: "web_keys", Row: id, Column: "private_key"}
}

// lock holds all keys of an instance, by the instance itself: which of them is
// active is about all. It asks first, so that nobody else can hold it up.
func lock(tx *eventstore.Tx, instance, permission string) (Keys, error) {
	if err := authz.RequireInstance(tx.Context(), permission); err != nil {
		return nil, err
	}
	var keys Keys
	exists := false
	_, err := tx.Lock(eventstore.Scope{Instance: instance}.Aggregate(), database.One(&exists,
		"SELECT 1 FROM instances WHERE instance_id = ?", []any{instance}, new(int)), all(instance, &keys))
	if err == nil && !exists {
		err = errInstance
	}
	return keys, err
}

// Add gives an instance a pair of keys. It is published at once and does not sign.
func Add(tx *eventstore.Tx, v *crypto.Vault, instance string, p Pair) (id string, d eventstore.Details, err error) {
	keys, err := lock(tx, instance, "iam.web_key.write")
	if err != nil {
		return "", d, err
	}
	if len(keys) >= maxKeys {
		return "", d, errMany
	}
	return add(tx, v, instance, p)
}

func add(tx *eventstore.Tx, v *crypto.Vault, instance string, p Pair) (id string, d eventstore.Details, err error) {
	id = tx.NewID()
	sealed, err := v.Seal(p.private, place(instance, id))
	if err != nil {
		return "", d, err
	}
	public, err := json.Marshal(jose.JSONWebKey{Key: p.public, KeyID: id, Algorithm: string(p.algorithm), Use: "sig"})
	if err != nil {
		return "", d, err
	}
	tx.Create(aggregate(instance, id))
	d, err = Added.Emit(tx, aggregate(instance, id), added{Kind: p.config.Kind, Config: p.config, PrivateKey: sealed, PublicKey: public})
	return id, d, err
}

// First gives an instance that has no active key its first ones. That it has one
// already is fine: somebody else was faster.
func First(tx *eventstore.Tx, v *crypto.Vault, instance string, pairs []Pair) error {
	keys, err := lock(tx, instance, "iam.web_key.write")
	if err != nil || keys.active() != nil {
		return err
	}
	for i, p := range pairs {
		id, _, err := add(tx, v, instance, p)
		if err == nil && i == 0 {
			_, err = Activated.Emit(tx, aggregate(instance, id), eventstore.None{})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Activate makes a key the one that signs. The one that did is published until it
// is deleted. That the key is active already is fine.
func Activate(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	keys, err := lock(tx, instance, "iam.web_key.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	k := keys.byID(id)
	switch {
	case k == nil:
		return eventstore.Details{}, errMissing
	case k.State == Active:
		return k.Details, nil
	}
	return activate(tx, instance, keys, id)
}

func activate(tx *eventstore.Tx, instance string, keys Keys, id string) (eventstore.Details, error) {
	if now := keys.active(); now != nil {
		if _, err := Deactivated.Emit(tx, aggregate(instance, now.ID), eventstore.None{}); err != nil {
			return eventstore.Details{}, err
		}
	}
	return Activated.Emit(tx, aggregate(instance, id), eventstore.None{})
}

// Delete forgets a key that is not active: nothing that it signed is valid any
// more. That there is none is fine, and the details are empty then.
func Delete(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	keys, err := lock(tx, instance, "iam.web_key.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	k := keys.byID(id)
	switch {
	case k == nil:
		return eventstore.Details{}, nil
	case k.State == Active:
		return eventstore.Details{}, errActive
	}
	return Removed.Emit(tx, aggregate(instance, id), eventstore.None{})
}
