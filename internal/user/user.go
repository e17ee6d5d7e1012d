// Package user is whoever can call: machine users with their personal access
// tokens.
//
// It may import policy and what is under it, and no other aggregate.
package user

import (
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("users", "instance_id, user_id",
		"org_id, kind, state, user_name, user_name_lower, created, changed, sequence")
	eventstore.DeclareTable("machines", "instance_id, user_id", "name, description, access_token_type")
	eventstore.DeclareTable("access_tokens", "instance_id, token_hash", "token_id, user_id, expires, scopes, created, sequence")
	eventstore.DeclareTable("machine_keys", "instance_id, key_id", "user_id, kind, expires, public_key, created, sequence")
	eventstore.DeclareTable("metadata", "instance_id, kind, object_id, meta_key", "value, created, changed, sequence")
}

// Active is the state of a user who may call.
const Active = 1

// Machine is a user that is a program.
type Machine struct {
	UserName        string `json:"userName"`
	Name            string `json:"name"`
	Description     string `json:"description,omitempty"`
	AccessTokenType int32  `json:"accessTokenType,omitempty"` // 0 opaque, 1 JWT
}

type patAdded struct {
	ID         string   `json:"tokenId"`
	Expiration string   `json:"expiration,omitempty"` // RFC 3339; empty: never
	Scopes     []string `json:"scopes"`
	Hash       string   `json:"hash"`
}

type patRemoved struct {
	ID string `json:"tokenId"`
}

// The events of a machine user.
var (
	MachineAdded = eventstore.Declare("user.machine.added", func(f *eventstore.Fold, m Machine) error {
		f.Claim("user.name", strings.ToLower(m.UserName)+"@"+f.Owner, errTaken)
		f.Exec(`INSERT INTO users (instance_id, user_id, org_id, kind, state, user_name, user_name_lower, created, changed, sequence)
			VALUES (?, ?, ?, 'machine', ?, ?, ?, ?, ?, ?)`, f.Instance, f.ID, f.Owner, Active,
			m.UserName, strings.ToLower(m.UserName), f.Micros(), f.Micros(), f.Sequence)
		f.Exec("INSERT INTO machines (instance_id, user_id, name, description, access_token_type) VALUES (?, ?, ?, ?, ?)",
			f.Instance, f.ID, m.Name, m.Description, int64(m.AccessTokenType))
		return nil
	})
	PATAdded = eventstore.Declare("user.pat.added", func(f *eventstore.Fold, p patAdded) error {
		var expires int64
		if t, err := time.Parse(time.RFC3339, p.Expiration); err == nil {
			expires = t.UnixMicro()
		}
		f.Exec(`INSERT INTO access_tokens (instance_id, token_hash, token_id, user_id, expires, scopes, created, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, p.Hash, p.ID, f.ID, expires, strings.Join(p.Scopes, " "), f.Micros(), f.Sequence)
		return nil
	})
	PATRemoved = eventstore.Declare("user.pat.removed", func(f *eventstore.Fold, p patRemoved) error {
		f.Exec("DELETE FROM access_tokens WHERE instance_id = ? AND user_id = ? AND token_id = ?", f.Instance, f.ID, p.ID)
		return nil
	})
)

var (
	errTaken   = fault.AlreadyExists("USER-taken", "A user of this name exists already.")
	errMissing = fault.NotFound("USER-missing", "There is no such user.")
)

func aggregate(instance, org, id string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "user", ID: id, Owner: org}
}

// AddMachine makes a machine user of an organization, with a new id.
func AddMachine(tx *eventstore.Tx, instance, org, id string, m Machine) (eventstore.Details, error) {
	if err := authz.Require(tx.Context(), "user.write", org); err != nil {
		return eventstore.Details{}, err
	}
	m.UserName = strings.TrimSpace(m.UserName)
	if m.UserName == "" || len(m.UserName) > 200 || m.Name == "" || len(m.Name) > 200 || len(m.Description) > 500 {
		return eventstore.Details{}, fault.Invalid("USER-machine",
			"A machine user needs a user name and a name of at most 200 bytes, and a description of at most 500.")
	}
	a := aggregate(instance, org, id)
	tx.Create(a)
	return MachineAdded.Emit(tx, a, m)
}

// lock holds a user of the organization and checks the caller's permission.
func lock(tx *eventstore.Tx, instance, org, id, permission string) error {
	var found bool
	var state int
	_, err := tx.Lock(aggregate(instance, org, id), database.One(&found,
		"SELECT state FROM users WHERE instance_id = ? AND user_id = ? AND org_id = ?", []any{instance, id, org}, &state))
	if err != nil {
		return err
	}
	if err := authz.Require(tx.Context(), permission, org); err != nil {
		return err
	}
	if !found {
		return errMissing
	}
	return nil
}

// AddPAT gives a user a personal access token, of which only the hash is kept.
// expires may be zero for a token that does not end.
func AddPAT(tx *eventstore.Tx, instance, org, userID, hash string, expires time.Time) (string, eventstore.Details, error) {
	if err := lock(tx, instance, org, userID, "user.write"); err != nil {
		return "", eventstore.Details{}, err
	}
	p := patAdded{ID: tx.NewID(), Scopes: []string{}, Hash: hash}
	if !expires.IsZero() {
		if !expires.After(tx.Now()) {
			return "", eventstore.Details{}, fault.Invalid("USER-expired", "The expiration date has passed already.")
		}
		p.Expiration = expires.UTC().Format(time.RFC3339)
	}
	d, err := PATAdded.Emit(tx, aggregate(instance, org, userID), p)
	return p.ID, d, err
}

// RemovePAT ends a token: the next call with it is refused.
func RemovePAT(tx *eventstore.Tx, instance, org, userID, tokenID string) (eventstore.Details, error) {
	if err := lock(tx, instance, org, userID, "user.write"); err != nil {
		return eventstore.Details{}, err
	}
	var found bool
	var id string
	if err := tx.Read(database.One(&found, "SELECT token_id FROM access_tokens WHERE instance_id = ? AND user_id = ? AND token_id = ?",
		[]any{instance, userID, tokenID}, &id)); err != nil {
		return eventstore.Details{}, err
	}
	if !found {
		return eventstore.Details{}, fault.NotFound("USER-pat", "The user has no such token.")
	}
	return PATRemoved.Emit(tx, aggregate(instance, org, userID), patRemoved{tokenID})
}

type removed struct {
	UserName string `json:"userName"`
}

// Removed is the end of a user: nothing that could authenticate them is left.
var Removed = eventstore.Declare("user.removed", func(f *eventstore.Fold, _ removed) error {
	for _, table := range []string{"users", "machines", "machine_keys", "access_tokens"} {
		f.Exec("DELETE FROM "+table+" WHERE instance_id = ? AND user_id = ?", f.Instance, f.ID)
	}
	f.Exec("DELETE FROM metadata WHERE instance_id = ? AND kind = 'user' AND object_id = ?", f.Instance, f.ID)
	f.ReleaseAll()
	return nil
})

// RemoveAllOf ends every user of an organization that is being removed.
func RemoveAllOf(tx *eventstore.Tx, instance, org string) error {
	if err := authz.Require(tx.Context(), "org.delete", org); err != nil {
		return err
	}
	var ids, names []string
	err := tx.Read(database.Query{
		SQL: "SELECT user_id, user_name FROM users WHERE instance_id = ? AND org_id = ? ORDER BY user_id", Args: []any{instance, org},
		Row: func(scan database.Scan) error {
			var id, name string
			err := scan(&id, &name)
			ids, names = append(ids, id), append(names, name)
			return err
		},
	})
	for i, id := range ids {
		if err == nil {
			_, err = Removed.Emit(tx, aggregate(instance, org, id), removed{names[i]})
		}
	}
	return err
}
