// Package user is whoever can call: machine users with their personal access
// tokens and keys, and humans.
//
// It may import policy and what is under it, and no other aggregate.
package user

import (
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("users", "instance_id, user_id",
		"org_id, kind, state, user_name, user_name_lower, created, changed, sequence")
	eventstore.DeclareTable("machines", "instance_id, user_id", "name, description, access_token_type")
	eventstore.DeclareTable("humans", "instance_id, user_id", humanColumns)
	eventstore.DeclareTable("access_tokens", "instance_id, token_hash", "token_id, user_id, expires, scopes, created, sequence")
	eventstore.DeclareTable("machine_keys", "instance_id, key_id", "user_id, kind, expires, public_key, created, sequence")
}

// The states of a user, numbered as on the wire. Only active ones may call.
const (
	Active   = 1
	Inactive = 2
)

type removed struct {
	UserName string `json:"userName"`
}

// The events that every user can have.
var (
	Deactivated = eventstore.Declare("user.deactivated", setState(Inactive))
	Reactivated = eventstore.Declare("user.reactivated", setState(Active))
	// Removed is the end of a user: nothing that could authenticate them is left.
	Removed = eventstore.Declare("user.removed", func(f *eventstore.Fold, _ removed) error {
		for _, table := range []string{"users", "machines", "humans", "machine_keys", "access_tokens"} {
			f.Exec("DELETE FROM "+table+" WHERE instance_id = ? AND user_id = ?", f.Instance, f.ID)
		}
		f.Exec("DELETE FROM metadata WHERE instance_id = ? AND kind = 'user' AND object_id = ?", f.Instance, f.ID)
		f.ReleaseAll()
		return nil
	})
)

// The kinds of users.
const (
	KindMachine = "machine"
	KindHuman   = "human"
)

// add writes the row that every user has, whose name is the claim of one user in
// an organization.
func add(f *eventstore.Fold, kind, userName string) {
	f.Claim("user.name", strings.ToLower(userName)+"@"+f.Owner, errTaken)
	f.Exec(`INSERT INTO users (instance_id, user_id, org_id, kind, state, user_name, user_name_lower, created, changed, sequence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, f.ID, f.Owner, kind, Active,
		userName, strings.ToLower(userName), f.Micros(), f.Micros(), f.Sequence)
}

// start begins the stream of a new user, whose id may be somebody's wish.
func start(tx *eventstore.Tx, a eventstore.Aggregate) error {
	if err := eventstore.CheckID(a.ID); err != nil {
		return err
	}
	taken, there := false, false
	err := tx.Start(a, database.Query{
		SQL: "SELECT user_id FROM users WHERE instance_id = ? AND user_id = ?", Args: []any{a.Instance, a.ID},
		Row: func(database.Scan) error { taken = true; return nil },
	}, database.Query{
		SQL: "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ?", Args: []any{a.Instance, a.Owner},
		Row: func(database.Scan) error { there = true; return nil },
	})
	switch {
	case err != nil:
		return err
	case !there:
		return errNoOrg
	case taken:
		return errIDTaken
	}
	return nil
}

func setState(state int) func(*eventstore.Fold, eventstore.None) error {
	return func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("UPDATE users SET state = ?, changed = ?, sequence = ? WHERE instance_id = ? AND user_id = ?",
			state, f.Micros(), f.Sequence, f.Instance, f.ID)
		return nil
	}
}

var (
	errTaken   = fault.AlreadyExists("USER-taken", "A user of this name exists already.")
	errIDTaken = fault.AlreadyExists("USER-id", "A user with this id exists already.")
	errNoOrg   = fault.NotFound("ORG-missing", "There is no such organization.")
	errMissing = fault.NotFound("USER-missing", "There is no such user.")
)

func aggregate(instance, org, id string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "user", ID: id, Owner: org}
}

// stored is what a verb knows of the user that it changes.
type stored struct {
	Machine
	state int
	kind  string
}

// lock holds a user of the organization and checks the caller's permission.
func lock(tx *eventstore.Tx, instance, org, id, permission string) (stored, error) {
	var s stored
	var found bool
	var tokenType int
	_, err := tx.Lock(aggregate(instance, org, id), database.One(&found,
		`SELECT u.state, u.kind, u.user_name, COALESCE(m.name, ''), COALESCE(m.description, ''), COALESCE(m.access_token_type, 0)
		FROM users u LEFT JOIN machines m ON m.instance_id = u.instance_id AND m.user_id = u.user_id
		WHERE u.instance_id = ? AND u.user_id = ? AND u.org_id = ?`,
		[]any{instance, id, org}, &s.state, &s.kind, &s.UserName, &s.Name, &s.Description, &tokenType))
	if err != nil {
		return s, err
	}
	s.AccessTokenType = int32(tokenType) //nolint:gosec // a small number
	if err := authz.Require(tx.Context(), permission, org); err != nil {
		return s, err
	}
	if !found {
		return s, errMissing
	}
	return s, nil
}

// Deactivate stops the user from calling, from the next request on.
func Deactivate(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	u, err := lock(tx, instance, org, id, "user.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if u.state == Inactive {
		return eventstore.Details{}, fault.Precondition("USER-inactive", "The user is inactive already.")
	}
	return Deactivated.Emit(tx, aggregate(instance, org, id), eventstore.None{})
}

// Reactivate ends a deactivation.
func Reactivate(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	u, err := lock(tx, instance, org, id, "user.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if u.state != Inactive {
		return eventstore.Details{}, fault.Precondition("USER-active", "The user is not inactive.")
	}
	return Reactivated.Emit(tx, aggregate(instance, org, id), eventstore.None{})
}

// Remove ends the user. The memberships are flow's to remove, in the same transaction.
func Remove(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	u, err := lock(tx, instance, org, id, "user.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, aggregate(instance, org, id), removed{u.UserName})
}

// RemoveSomeOf ends at most so many users of an organization that is gone, and
// reports how many it ended.
func RemoveSomeOf(tx *eventstore.Tx, instance, org string, most uint64) (n uint64, err error) {
	if err := authz.Require(tx.Context(), "org.delete", org); err != nil {
		return 0, err
	}
	var ids, names []string
	if err := tx.Read(database.From("user_id, user_name", "users").Where("instance_id = ? AND org_id = ?", instance, org).
		Order("user_id").Page(0, most).Rows(func(scan database.Scan) error {
		var id, name string
		err := scan(&id, &name)
		ids, names = append(ids, id), append(names, name)
		return err
	})); err != nil {
		return 0, err
	}
	for i, id := range ids {
		if _, err := Removed.Emit(tx, aggregate(instance, org, id), removed{names[i]}); err != nil {
			return 0, err
		}
	}
	return uint64(len(ids)), nil
}
