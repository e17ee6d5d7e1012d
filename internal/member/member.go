// Package member says who administers an instance or an organization, with one
// mechanism for both.
//
// It may import policy and what is under it, and no other aggregate.
package member

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("members", "instance_id, kind, object_id, user_id", "created, changed, sequence")
	eventstore.DeclareTable("member_roles", "instance_id, user_id, kind, object_id, role", "place")
}

type payload struct {
	UserID string   `json:"userId"`
	Roles  []string `json:"roles,omitempty"`
}

type events struct{ added, changed, removed, cascadeRemoved *eventstore.Kind[payload] }

// maxRoles is the most roles that a member can have.
const maxRoles = 50

var kinds = map[bool]events{false: declare("org."), true: declare("instance.")}

func declare(prefix string) events {
	return events{
		added:          eventstore.Declare(prefix+"member.added", set),
		changed:        eventstore.Declare(prefix+"member.changed", set),
		removed:        eventstore.Declare(prefix+"member.removed", unset),
		cascadeRemoved: eventstore.Declare(prefix+"member.cascade.removed", unset),
	}
}

func unset(f *eventstore.Fold, p payload) error {
	f.Exec("DELETE FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?", f.Instance, f.Aggregate.Type, f.ID, p.UserID)
	clearRoles(f, p.UserID)
	return nil
}

func set(f *eventstore.Fold, p payload) error {
	f.Exec(`INSERT INTO members (instance_id, kind, object_id, user_id, created, changed, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance_id, kind, object_id, user_id) DO UPDATE SET changed = excluded.changed, sequence = excluded.sequence`,
		f.Instance, f.Aggregate.Type, f.ID, p.UserID, f.Micros(), f.Micros(), f.Sequence)
	clearRoles(f, p.UserID)
	for i, role := range p.Roles {
		f.Exec("INSERT INTO member_roles (instance_id, user_id, kind, object_id, role, place) VALUES (?, ?, ?, ?, ?, ?)",
			f.Instance, p.UserID, f.Aggregate.Type, f.ID, role, i)
	}
	return nil
}

func clearRoles(f *eventstore.Fold, userID string) {
	f.Exec("DELETE FROM member_roles WHERE instance_id = ? AND user_id = ? AND kind = ? AND object_id = ?", f.Instance, userID, f.Aggregate.Type, f.ID)
}

func memberQuery(s eventstore.Scope, userID string, member *bool) database.Query {
	a := s.Aggregate()
	return database.Query{
		SQL:  "SELECT user_id FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?",
		Args: []any{s.Instance, a.Type, a.ID, userID},
		Row:  func(database.Scan) error { *member = true; return nil },
	}
}

// lock holds the scope, checks the caller and reads the user's present roles.
func lock(tx *eventstore.Tx, s eventstore.Scope, userID, verb string) (member bool, roles []string, err error) {
	a := s.Aggregate()
	_, err = tx.Lock(a,
		memberQuery(s, userID, &member),
		database.Query{
			SQL:  "SELECT role FROM member_roles WHERE instance_id = ? AND user_id = ? AND kind = ? AND object_id = ? ORDER BY place",
			Args: []any{s.Instance, userID, a.Type, a.ID},
			Row: func(scan database.Scan) error {
				var role string
				err := scan(&role)
				roles = append(roles, role)
				return err
			},
		})
	if err != nil {
		return false, nil, err
	}
	permission := "org.member." + verb
	if s.IsDefault() {
		permission = "iam.member." + verb
	}
	return member, roles, authz.Require(tx.Context(), permission, s.Org)
}

// fits reports whether a role can be given in the scope.
func fits(s eventstore.Scope, role string) bool {
	if s.IsDefault() {
		return strings.HasPrefix(role, "IAM_")
	}
	return strings.HasPrefix(role, "ORG_") || strings.HasPrefix(role, "SELF_")
}

// RolesOf lists the roles that a member of the scope can have.
func RolesOf(s eventstore.Scope, roles *authz.Roles) []string {
	return slices.DeleteFunc(roles.Names(), func(role string) bool { return !fits(s, role) })
}

// check says whether the roles are ones for the scope.
func check(s eventstore.Scope, roles []string) error {
	if len(roles) == 0 || len(roles) > maxRoles {
		return fault.Invalid("MEMBER-none", "Name 1 to %d roles.", maxRoles)
	}
	seen := map[string]bool{}
	for _, role := range roles {
		if !fits(s, role) || seen[role] {
			return fault.Invalid("MEMBER-role", "The role %s cannot be given here, or is named twice.", role)
		}
		seen[role] = true
	}
	return nil
}

// Add makes the user a member with the roles. That the user exists is the
// caller's to know.
func Add(tx *eventstore.Tx, s eventstore.Scope, userID string, roles []string) (eventstore.Details, error) {
	member, _, err := lock(tx, s, userID, "write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if member {
		return eventstore.Details{}, errExists
	}
	if err := check(s, roles); err != nil {
		return eventstore.Details{}, err
	}
	if err := authz.From(tx.Context()).MayGive(roles, s.Org); err != nil {
		return eventstore.Details{}, err
	}
	return kinds[s.IsDefault()].added.Emit(tx, s.Aggregate(), payload{userID, roles})
}

// Change gives the member other roles instead.
func Change(tx *eventstore.Tx, s eventstore.Scope, userID string, roles []string) (eventstore.Details, error) {
	member, old, err := lock(tx, s, userID, "write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if !member {
		return eventstore.Details{}, errMissing
	}
	if err := check(s, roles); err != nil {
		return eventstore.Details{}, err
	}
	if err := authz.From(tx.Context()).MayGive(roles, s.Org); err != nil {
		return eventstore.Details{}, err
	}
	if slices.Equal(old, roles) {
		return eventstore.Details{}, errSame
	}
	return kinds[s.IsDefault()].changed.Emit(tx, s.Aggregate(), payload{userID, roles})
}

// AddFirst makes the user a member of an organization that the same transaction
// makes: who may make one may say who administers it.
func AddFirst(tx *eventstore.Tx, s eventstore.Scope, userID string, roles []string) (eventstore.Details, error) {
	if err := check(s, roles); err != nil {
		return eventstore.Details{}, err
	}
	for _, role := range roles {
		if c := authz.From(tx.Context()); c.Roles != nil && !c.Roles.Known(role) {
			return eventstore.Details{}, fault.Invalid("MEMBER-unknown", "There is no role %s.", role)
		}
	}
	a := s.Aggregate()
	member := false
	if _, err := tx.Lock(a, memberQuery(s, userID, &member)); err != nil {
		return eventstore.Details{}, err
	}
	if member {
		return eventstore.Details{}, errExists
	}
	return kinds[s.IsDefault()].added.Emit(tx, a, payload{userID, roles})
}

// Remove ends the membership.
func Remove(tx *eventstore.Tx, s eventstore.Scope, userID string) (eventstore.Details, error) {
	member, _, err := lock(tx, s, userID, "delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	if !member {
		return eventstore.Details{}, errMissing
	}
	return kinds[s.IsDefault()].removed.Emit(tx, s.Aggregate(), payload{UserID: userID})
}

// RemoveEverywhere ends all memberships of a user who is being removed, which is
// what the caller has the permission for.
func RemoveEverywhere(tx *eventstore.Tx, instance, userID string) error {
	var scopes []eventstore.Scope
	err := tx.Read(database.Query{
		SQL:  "SELECT kind, object_id FROM members WHERE instance_id = ? AND user_id = ? ORDER BY kind, object_id",
		Args: []any{instance, userID},
		Row: func(scan database.Scan) error {
			var kind string
			s := eventstore.Scope{Instance: instance}
			err := scan(&kind, &s.Org)
			if kind == "instance" {
				s.Org = ""
			}
			scopes = append(scopes, s)
			return err
		},
	})
	for _, s := range scopes {
		if err == nil {
			_, err = kinds[s.IsDefault()].cascadeRemoved.Emit(tx, s.Aggregate(), payload{UserID: userID})
		}
	}
	return err
}

var errExists = fault.AlreadyExists("MEMBER-exists", "The user is a member already.")

var (
	errMissing = fault.NotFound("MEMBER-missing", "The user is no member.")
	errSame    = fault.Precondition("MEMBER-unchanged", "The member has these roles already.")
)

// Unchanged reports whether err says that the member has the roles already.
func Unchanged(err error) bool { return errors.Is(err, errSame) }

// Missing reports whether err says that the user is no member.
func Missing(err error) bool { return errors.Is(err, errMissing) }

// Details tells a verb that changes a member when that happened last.
func Details(tx *eventstore.Tx, s eventstore.Scope, userID string) (eventstore.Details, error) {
	a, found := s.Aggregate(), false
	d := eventstore.Details{Owner: a.Owner}
	var created, changed int64
	err := tx.Read(database.One(&found, "SELECT created, changed, sequence FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?",
		[]any{s.Instance, a.Type, a.ID, userID}, &created, &changed, &d.Sequence))
	if err == nil && !found {
		err = errMissing
	}
	d.Created, d.Changed = time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
	return d, err
}
