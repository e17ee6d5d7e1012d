// Package user is whoever can call: machine users with their personal access
// tokens and keys, and humans.
//
// It may import policy and what is under it, and no other aggregate.
package user

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/logout"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func init() {
	eventstore.DeclareTable("user_counts", "instance_id, org_id, kind, part", "n")
	eventstore.DeclareTable("users", "instance_id, user_id",
		"org_id, kind, state, user_name, user_name_lower, display_lower, login_scope, login_domain, created, changed, sequence")
	eventstore.DeclareGuard("users_login")
	eventstore.DeclareTable("machines", "instance_id, user_id", "name, name_lower, description, access_token_type, secret_hash")
	eventstore.DeclareTable("humans", "instance_id, user_id", humanColumns)
	eventstore.DeclareTable("access_tokens", "instance_id, token_hash", "token_id, user_id, source, expires, scopes, key_thumbprint, created, sequence")
	eventstore.DeclareTable("assertions", "instance_id, user_id, hash", "expires")
	eventstore.DeclareTable("machine_keys", "instance_id, key_id", "user_id, kind, expires, public_key, created, sequence")
}

// The states of a user, numbered as on the wire. Only active ones may call.
const (
	Active   = 1
	Inactive = 2
	Locked   = 4
	// Initial is how lists show an active human who can neither log in nor has proved
	// the address.
	Initial = 5
)

// Named is the payload of events that end a name or begin one.
type Named struct {
	UserName string `json:"userName"`
}

// removed is the payload of the end of a user. Where users are erased it has no name.
type removed struct {
	UserName string `json:"userName,omitempty"`
}

// The events that every user can have.
var (
	Deactivated = eventstore.Declare("user.deactivated", setState(Inactive))
	Reactivated = eventstore.Declare("user.reactivated", setState(Active))
	WasLocked   = eventstore.Declare("user.locked", setState(Locked))
	Unlocked    = eventstore.Declare("user.unlocked", setState(Active))
	Renamed     = eventstore.Declare("user.username.changed", foldRenamed)
	// Removed is the end of a user: nothing that could authenticate them is left.
	Removed = eventstore.Declare("user.removed", func(f *eventstore.Fold, _ removed) error {
		discount(f)
		for _, table := range []string{"users", "machines", "humans", "machine_keys", "access_tokens", "assertions", "user_factors", "user_factor_sets", "user_idp_links", "group_users", "assets"} {
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

// add writes the row that every user has; display is the name that they are shown with.
func add(f *eventstore.Fold, kind, userName, display string, n naming) {
	f.InsertUnique(errTaken, "users", eventstore.Cells{
		"org_id": f.Owner, "kind": kind, "state": Active, "user_name": userName, "user_name_lower": strings.ToLower(userName), "display_lower": strings.ToLower(display),
		"login_scope": n.scope(f.Owner), "login_domain": domainOf(userName), "created": f.Micros(), "changed": f.Micros(), "sequence": f.Sequence,
	})
	f.Tally("user_counts", 1, f.Instance, f.Owner, kind, f.Micros()%countParts)
}

// countParts is in how many parts users of a kind are counted: those who were made at once
// are of one, so that writers seldom wait for each other.
const countParts = 16

// discount takes the user from the part of the count that they belong to. A part of nobody
// has no row.
func discount(f *eventstore.Fold) {
	of := fmt.Sprintf("instance_id = ? AND (org_id, kind, part) IN (SELECT org_id, kind, created %% %d FROM users WHERE instance_id = ? AND user_id = ?)", countParts)
	f.Exec("UPDATE user_counts SET n = n - 1 WHERE "+of, f.Instance, f.Instance, f.ID)
	f.Exec("DELETE FROM user_counts WHERE n = 0 AND "+of, f.Instance, f.Instance, f.ID)
}

// start begins the stream of a new user, whose id may be somebody's wish. What
// names mean in the organization stays so until the user is there.
func start(tx *eventstore.Tx, a eventstore.Aggregate, userName string) (n naming, err error) {
	if err := eventstore.CheckID(a.ID); err != nil {
		return n, err
	}
	taken, there, haunted, completed, foreign := false, false, false, false, false
	s := eventstore.Scope{Instance: a.Instance, Org: a.Owner}
	tx.Ahead(eventstore.Share(s.Default(), s)...)
	err = tx.Start(a, policy.NamesCompleted(s, &completed), foreignDomain(s, userName, &foreign), database.Query{
		SQL: "SELECT user_id FROM users WHERE instance_id = ? AND user_id = ?", Args: []any{a.Instance, a.ID},
		Row: func(database.Scan) error { taken = true; return nil },
	}, database.Query{
		SQL: "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ?", Args: []any{a.Instance, a.Owner},
		Row: func(database.Scan) error { there = true; return nil },
	}, database.From("grant_id", "user_grants").Where("instance_id = ? AND user_id = ?", a.Instance, a.ID).Page(0, 1).
		Rows(func(database.Scan) error { haunted = true; return nil }))
	switch {
	case err != nil:
		return n, err
	case !there:
		return n, errNoOrg
	case taken:
		return n, errIDTaken
	case haunted: // What a former bearer of the id was granted would become the new one's.
		return n, errIDBusy
	case foreign && !completed:
		return n, errForeign
	}
	return naming{&completed}, nil
}

func setState(state int) func(*eventstore.Fold, eventstore.None) error {
	return func(f *eventstore.Fold, _ eventstore.None) error {
		f.Update("users", eventstore.Cells{"state": state})
		return nil
	}
}

// maxName is the most characters of each name of a user.
const maxName = 200

var (
	errName    = fault.Invalid("USER-name", "A user name has 1 to %d characters.", maxName)
	errTaken   = fault.AlreadyExists("USER-taken", "A user of this name exists already.")
	errIDTaken = fault.AlreadyExists("USER-id", "A user with this id exists already.")
	errIDBusy  = fault.New(fault.KindAborted, "USER-id-busy", "A user with this id was removed, and their grants are not all removed yet. Try again.")
	errNoOrg   = fault.NotFound("ORG-missing", "There is no such organization.")
	errMissing = fault.NotFound("USER-missing", "There is no such user.")
	errSame    = fault.Precondition("USER-unchanged", "The user is like this already.")

	errInactive    = fault.Precondition("USER-state", "The user is inactive already.")
	errNotInactive = fault.Precondition("USER-state", "The user is not inactive.")
	errNotActive   = fault.Precondition("USER-state", "The user is not active.")
	errNotLocked   = fault.Precondition("USER-state", "The user is not locked.")
)

// Unchanged reports whether err says that the user is as wanted already.
func Unchanged(err error) bool { return errors.Is(err, errSame) }

func aggregate(instance, org, id string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "user", ID: id, Owner: org}
}

// stored is what a verb knows of the user that it changes.
type stored struct {
	Machine
	state     int
	kind      string
	secret    bool
	completed bool // the name, by a domain of the organization
}

// lock holds a user of the organization and checks the caller's permission, where
// there is one to check.
func lock(tx *eventstore.Tx, instance, org, id, permission string) (stored, error) {
	var s stored
	var found bool
	var tokenType int
	var secret, scope string
	_, err := tx.Lock(aggregate(instance, org, id), database.One(&found,
		`SELECT u.state, u.kind, u.user_name, u.login_scope, COALESCE(m.name, ''), COALESCE(m.description, ''), COALESCE(m.access_token_type, 0), COALESCE(m.secret_hash, '')
		FROM users u LEFT JOIN machines m ON m.instance_id = u.instance_id AND m.user_id = u.user_id
		WHERE u.instance_id = ? AND u.user_id = ? AND u.org_id = ?`,
		[]any{instance, id, org}, &s.state, &s.kind, &s.UserName, &scope, &s.Name, &s.Description, &tokenType, &secret))
	if err != nil {
		return s, err
	}
	s.AccessTokenType, s.secret, s.completed = int32(tokenType), secret != "", scope != "" //nolint:gosec // a small number
	if err := allow(tx.Context(), permission, org, id); err != nil {
		return s, err
	}
	if !found {
		return s, errMissing
	}
	return s, nil
}

// Deactivate stops the user from calling, from the next request on.
func Deactivate(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	return stop(tx, instance, org, id, Deactivated, errInactive, Active, Locked)
}

// Reactivate ends a deactivation.
func Reactivate(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	return changeState(tx, instance, org, id, Reactivated, errNotInactive, Inactive)
}

// Lock stops the user from calling until they are unlocked. Who is inactive stays
// so: to unlock them would let them in.
func Lock(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	return stop(tx, instance, org, id, WasLocked, errNotActive, Active)
}

// Unlock ends a lock. The user can try every secret anew.
func Unlock(tx *eventstore.Tx, instance, org, id string) (eventstore.Details, error) {
	resetAll(tx, instance, id)
	return changeState(tx, instance, org, id, Unlocked, errNotLocked, Locked)
}

// changeState emits what leads out of one of the states from; in another state
// the call is refused.
func changeState(tx *eventstore.Tx, instance, org, id string, event *eventstore.Kind[eventstore.None], refusal error, from ...int) (eventstore.Details, error) {
	u, err := lock(tx, instance, org, id, "user.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if !slices.Contains(from, u.state) {
		return eventstore.Details{}, refusal
	}
	return event.Emit(tx, aggregate(instance, org, id), eventstore.None{})
}

// stop is changeState to a state in which the user cannot go on: applications are told.
func stop(tx *eventstore.Tx, instance, org, id string, event *eventstore.Kind[eventstore.None], refusal error, from ...int) (eventstore.Details, error) {
	var told logout.List
	tx.Ahead(told.OfUser(instance, id))
	d, err := changeState(tx, instance, org, id, event, refusal, from...)
	if err == nil {
		err = told.Queue(tx, instance)
	}
	return d, err
}

// Remove ends the user. The memberships are flow's to remove, in the same transaction.
// Where the user is erased too, the event does not name them.
func Remove(tx *eventstore.Tx, instance, org, id string, erased bool) (eventstore.Details, error) {
	return remove(tx, instance, org, id, "user.delete", erased)
}

// RemoveSelf is Remove for callers who end themselves.
func RemoveSelf(tx *eventstore.Tx, instance, org, id string, erased bool) (eventstore.Details, error) {
	if !IsSelf(tx.Context(), id) {
		return eventstore.Details{}, errMissing
	}
	return remove(tx, instance, org, id, "user.self.delete", erased)
}

func remove(tx *eventstore.Tx, instance, org, id, permission string, erased bool) (eventstore.Details, error) {
	u, err := lock(tx, instance, org, id, permission)
	if err != nil {
		return eventstore.Details{}, err
	}
	links, err := linksOf(tx, instance, id)
	if err != nil {
		return eventstore.Details{}, err
	}
	return end(tx, instance, org, id, u.UserName, links[id], erased)
}

// end emits the end of a user and of their links. What is kept of them besides the log
// goes: somebody else may get the id one day.
func end(tx *eventstore.Tx, instance, org, id, name string, links []linkRemoved, erased bool) (eventstore.Details, error) {
	for _, l := range links {
		if _, err := LinkCascaded.Emit(tx, aggregate(instance, org, id), l); err != nil {
			return eventstore.Details{}, err
		}
	}
	resetAll(tx, instance, id)
	codes.Exec(tx, "DELETE FROM user_codes WHERE instance_id = ? AND user_id = ?", instance, id)
	if erased {
		name = ""
	}
	return Removed.Emit(tx, aggregate(instance, org, id), removed{name})
}

// Ended is a user who is gone, and the last event of theirs.
type Ended struct {
	ID       string `json:"id"`
	Sequence uint64 `json:"sequence"`
}

// EraseSome takes the payload of at most so many events of users away who have ended,
// and reports whether there may be more.
func EraseSome(tx *eventstore.Tx, instance string, ended []Ended, most uint64) (more bool, err error) {
	ids, of := make([]string, len(ended)), make([]database.Filter, len(ended))
	for i, e := range ended {
		ids[i], of[i] = e.ID, func(s *database.Select) { s.Where("e.aggregate_id = ? AND e.sequence < ?", e.ID, e.Sequence) }
	}
	return tx.Erase(eventstore.Log(instance).Where("e.aggregate_type = 'user'").In("e.aggregate_id", ids).Filter(database.AnyOf(of...)), most)
}

// RemoveSomeOf ends at most so many users of an organization that is gone, and
// gives those that it ended.
func RemoveSomeOf(tx *eventstore.Tx, instance, org string, most uint64, erased bool) (ended []Ended, err error) {
	if err := authz.Require(tx.Context(), "org.delete", org); err != nil {
		return nil, err
	}
	var ids, names []string
	if err := tx.Read(database.From("user_id, user_name", "users").Where("instance_id = ? AND org_id = ?", instance, org).
		Order("user_id").Page(0, most).Rows(func(scan database.Scan) error {
		var id, name string
		err := scan(&id, &name)
		ids, names = append(ids, id), append(names, name)
		return err
	})); err != nil {
		return nil, err
	}
	links, err := linksOf(tx, instance, ids...)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		d, err := end(tx, instance, org, id, names[i], links[id], erased)
		if err != nil {
			return nil, err
		}
		ended = append(ended, Ended{id, d.Sequence})
	}
	return ended, nil
}
