// Package member says who administers an instance or an organization, with one
// mechanism for both.
//
// It may import policy and what is under it, and no other aggregate.
package member

import (
	"slices"
	"strings"

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

type events struct{ added, changed, removed *eventstore.Kind[payload] }

var kinds = map[bool]events{false: declare("org."), true: declare("instance.")}

func declare(prefix string) events {
	return events{
		added:   eventstore.Declare(prefix+"member.added", set),
		changed: eventstore.Declare(prefix+"member.changed", set),
		removed: eventstore.Declare(prefix+"member.removed", func(f *eventstore.Fold, p payload) error {
			f.Exec("DELETE FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?", f.Instance, f.Aggregate.Type, f.ID, p.UserID)
			clearRoles(f, p.UserID)
			return nil
		}),
	}
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

// lock holds the scope, checks the caller and reads the user's present roles.
func lock(tx *eventstore.Tx, s eventstore.Scope, userID, verb string) (member bool, roles []string, err error) {
	a := s.Aggregate()
	_, err = tx.Lock(a,
		database.Query{
			SQL:  "SELECT user_id FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?",
			Args: []any{s.Instance, a.Type, a.ID, userID},
			Row:  func(database.Scan) error { member = true; return nil },
		},
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

// check says whether the caller may give the roles in the scope: the roles exist,
// belong there, and hold no permission that the caller lacks.
func check(tx *eventstore.Tx, s eventstore.Scope, roles []string) error {
	if len(roles) == 0 {
		return fault.Invalid("MEMBER-none", "Name at least one role.")
	}
	seen := map[string]bool{}
	for _, role := range roles {
		fits := strings.HasPrefix(role, "IAM_")
		if !s.IsDefault() {
			fits = strings.HasPrefix(role, "ORG_") || strings.HasPrefix(role, "SELF_")
		}
		if !fits || seen[role] {
			return fault.Invalid("MEMBER-role", "The role %s cannot be given here, or is named twice.", role)
		}
		seen[role] = true
	}
	return authz.From(tx.Context()).MayGive(roles, s.Org)
}

// Add makes the user a member with the roles. That the user exists is the
// caller's to know.
func Add(tx *eventstore.Tx, s eventstore.Scope, userID string, roles []string) (eventstore.Details, error) {
	member, _, err := lock(tx, s, userID, "write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if member {
		return eventstore.Details{}, fault.AlreadyExists("MEMBER-exists", "The user is a member already.")
	}
	if err := check(tx, s, roles); err != nil {
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
	if err := check(tx, s, roles); err != nil {
		return eventstore.Details{}, err
	}
	if slices.Equal(old, roles) {
		return eventstore.Details{}, fault.Precondition("MEMBER-unchanged", "The member has these roles already.")
	}
	return kinds[s.IsDefault()].changed.Emit(tx, s.Aggregate(), payload{userID, roles})
}

var errMissing = fault.NotFound("MEMBER-missing", "The user is no member.")
