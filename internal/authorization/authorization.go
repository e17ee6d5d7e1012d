// Package authorization is user grants: who has which roles in a project. An
// organization gives roles of its own projects, and of those that others granted to
// it, to any user of the instance.
//
// It may import policy and what is under it, and no other aggregate. What a grant
// rests on is asked for by SQL: the user, the project, its roles and its grants.
package authorization

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("user_grants", "instance_id, grant_id",
		"org_id, user_id, project_id, project_grant_id, state, created, changed, sequence")
	eventstore.DeclareTable("user_grant_roles", "instance_id, grant_id, role_key", "role_lower, project_id, place")
	eventstore.DeclareStream("user.grant.", streamType)
}

// streamType is the type of the aggregate.
const streamType = "usergrant"

// The states, numbered as on the wire.
const (
	Active = iota + 1
	Inactive
)

const (
	maxRoles = 1000 // roles of a grant
	maxKey   = 200  // characters of the key of a role
)

// Grant is what a user is granted.
type Grant struct {
	ID, Org                           string // whose grant it is
	UserID, ProjectID, ProjectGrantID string // the last is empty for a project of Org
	Roles                             []string
	State                             int
	Details                           eventstore.Details
}

type added struct {
	ProjectGrantID string   `json:"grantId,omitempty"`
	ProjectID      string   `json:"projectId"`
	Roles          []string `json:"roleKeys,omitempty"`
	UserID         string   `json:"userId"`
}

type changed struct {
	Roles  []string `json:"roleKeys"`
	UserID string   `json:"userId,omitempty"`
}

type removed struct {
	ProjectGrantID string `json:"grantId,omitempty"`
	ProjectID      string `json:"projectId"`
	UserID         string `json:"userId"`
}

// The events of a grant. The cascading ones follow from what it rested on.
var (
	Added          = eventstore.Declare("user.grant.added", foldAdded)
	Changed        = eventstore.Declare("user.grant.changed", foldChanged)
	CascadeChanged = eventstore.Declare("user.grant.cascade.changed", foldChanged)
	Deactivated    = eventstore.Declare("user.grant.deactivated", setState(Inactive))
	Reactivated    = eventstore.Declare("user.grant.reactivated", setState(Active))
	Removed        = eventstore.Declare("user.grant.removed", func(f *eventstore.Fold, _ removed) error { return foldRemoved(f) })
	CascadeRemoved = eventstore.Declare("user.grant.cascade.removed", func(f *eventstore.Fold, _ eventstore.None) error { return foldRemoved(f) })
)

func foldAdded(f *eventstore.Fold, e added) error {
	f.Claim(claimGrant, grantClaim(f.Owner, e.UserID, e.ProjectID), errExists)
	f.Exec(`INSERT INTO user_grants (instance_id, grant_id, org_id, user_id, project_id, project_grant_id, state, created, changed, sequence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, f.ID, f.Owner, e.UserID, e.ProjectID, e.ProjectGrantID, Active, f.Micros(), f.Micros(), f.Sequence)
	setRoles(f, e.Roles)
	return nil
}

func foldChanged(f *eventstore.Fold, e changed) error {
	f.Exec("DELETE FROM user_grant_roles WHERE instance_id = ? AND grant_id = ?", f.Instance, f.ID)
	setRoles(f, e.Roles)
	f.Exec("UPDATE user_grants SET changed = ?, sequence = ? WHERE instance_id = ? AND grant_id = ?", f.Micros(), f.Sequence, f.Instance, f.ID)
	return nil
}

func setRoles(f *eventstore.Fold, keys []string) {
	for place, key := range keys {
		f.Exec(`INSERT INTO user_grant_roles (instance_id, grant_id, project_id, role_key, role_lower, place)
			SELECT g.instance_id, g.grant_id, g.project_id, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT) FROM user_grants g
			WHERE g.instance_id = ? AND g.grant_id = ? ON CONFLICT DO NOTHING`, key, strings.ToLower(key), place, f.Instance, f.ID)
	}
}

func setState(state int) func(*eventstore.Fold, eventstore.None) error {
	return func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("UPDATE user_grants SET state = ?, changed = ?, sequence = ? WHERE instance_id = ? AND grant_id = ?",
			state, f.Micros(), f.Sequence, f.Instance, f.ID)
		return nil
	}
}

func foldRemoved(f *eventstore.Fold) error {
	f.Exec("DELETE FROM user_grants WHERE instance_id = ? AND grant_id = ?", f.Instance, f.ID)
	f.Exec("DELETE FROM user_grant_roles WHERE instance_id = ? AND grant_id = ?", f.Instance, f.ID)
	f.ReleaseAll()
	return nil
}

// claimGrant is the kind of claims on grants: an organization gives a user one grant
// of a project.
const claimGrant = "user.grant"

func grantClaim(org, userID, projectID string) string { return org + " " + userID + " " + projectID }

// ErrMissing says that there is no such grant, or none that the caller may know of.
var ErrMissing = fault.NotFound("USERGRANT-missing", "There is no such user grant.")

var (
	errExists      = fault.AlreadyExists("USERGRANT-exists", "The user has a grant of this project in the organization already.")
	errUser        = fault.Precondition("USERGRANT-user", "There is no such user.")
	errProject     = fault.Precondition("USERGRANT-project", "The organization has no such project, neither its own nor one that was granted to it.")
	errGrant       = fault.Precondition("USERGRANT-project-grant", "The project was not granted to the organization by this project grant.")
	errRoles       = fault.Invalid("USERGRANT-roles", "Name each role once, %d of them at most, by keys of 1 to %d characters.", maxRoles, maxKey)
	errSame        = fault.Precondition("USERGRANT-unchanged", "The user grant has these roles already.")
	errInactive    = fault.Precondition("USERGRANT-state", "The user grant is inactive already.")
	errNotInactive = fault.Precondition("USERGRANT-state", "The user grant is not inactive.")
)

// Unchanged reports whether err says that the grant is as wanted already.
func Unchanged(err error) bool {
	return errors.Is(err, errSame) || errors.Is(err, errInactive) || errors.Is(err, errNotInactive)
}

func (g Grant) aggregate(instance string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: streamType, ID: g.ID, Owner: g.Org}
}

// checkRoles refuses keys that no role can have, and those that are named twice.
func checkRoles(keys []string) error {
	if len(keys) > maxRoles {
		return errRoles
	}
	seen := map[string]bool{}
	for _, k := range keys {
		if k == "" || utf8.RuneCountInString(k) > maxKey || seen[k] {
			return errRoles
		}
		seen[k] = true
	}
	return nil
}

// Add grants roles of a project to a user. Where the project is granted to the
// organization, the grant need not be named.
func Add(tx *eventstore.Tx, instance string, g Grant) (eventstore.Details, error) {
	if err := authz.RequireInside(tx.Context(), "user.grant.write", g.Org); err != nil {
		return eventstore.Details{}, err
	}
	if err := checkRoles(g.Roles); err != nil {
		return eventstore.Details{}, err
	}
	found := false
	_, err := tx.Lock(eventstore.Aggregate{Instance: instance, Type: "user", ID: g.UserID}, database.One(&found,
		"SELECT u.user_id FROM users u JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id WHERE u.instance_id = ? AND u.user_id = ?",
		[]any{instance, g.UserID}, new(string)))
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case !found:
		return eventstore.Details{}, errUser
	}
	if g.ProjectGrantID, err = lockProject(tx, instance, g); err != nil {
		return eventstore.Details{}, err
	}
	tx.Create(g.aggregate(instance))
	return Added.Emit(tx, g.aggregate(instance), added{g.ProjectGrantID, g.ProjectID, g.Roles, g.UserID})
}

// on is what the permission to deal with a grant is asked on: the organization, and
// its project or the project grant that it got.
func (g Grant) on() authz.Object {
	if g.ProjectGrantID == "" {
		return authz.Object{Org: g.Org, Project: g.ProjectID}
	}
	return authz.Object{Org: g.Org, Grant: g.ProjectGrantID}
}

// lockProject holds the project of a grant, with its roles and its grants, and gives
// the project grant that the organization has it by. It refuses callers who lack the
// permission, and roles that are not the organization's to give.
func lockProject(tx *eventstore.Tx, instance string, g Grant) (projectGrant string, err error) {
	var owned, granted bool
	own, lent := map[string]bool{}, map[string]bool{}
	_, err = tx.Lock(eventstore.Aggregate{Instance: instance, Type: "project", ID: g.ProjectID},
		database.One(&owned, "SELECT project_id FROM projects WHERE instance_id = ? AND project_id = ? AND org_id = ?",
			[]any{instance, g.ProjectID, g.Org}, new(string)),
		database.One(&granted, "SELECT grant_id FROM project_grants WHERE instance_id = ? AND project_id = ? AND granted_org_id = ?",
			[]any{instance, g.ProjectID, g.Org}, &projectGrant),
		keys(own, database.From("r.role_key", "project_roles r").Where("r.instance_id = ? AND r.project_id = ?", instance, g.ProjectID).In("r.role_key", g.Roles)),
		keys(lent, database.From("r.role_key", `project_grants pg JOIN project_grant_roles r ON r.instance_id = pg.instance_id AND r.grant_id = pg.grant_id`).
			Where("pg.instance_id = ? AND pg.project_id = ? AND pg.granted_org_id = ?", instance, g.ProjectID, g.Org).In("r.role_key", g.Roles)))
	if err != nil {
		return "", err
	}
	wanted := g.ProjectGrantID
	if g.ProjectGrantID = projectGrant; owned {
		g.ProjectGrantID = ""
	}
	if err := authz.RequireOn(tx.Context(), "user.grant.write", g.on()); err != nil {
		return "", err
	}
	switch {
	case !owned && !granted:
		return "", errProject
	case wanted != "" && wanted != g.ProjectGrantID:
		return "", errGrant
	case !owned:
		own = lent
	}
	for _, k := range g.Roles {
		if !own[k] {
			return "", fault.Precondition("USERGRANT-role", "The organization has no role %q of this project to give.", k)
		}
	}
	return g.ProjectGrantID, nil
}

// keys is the query that puts what it selects into a set.
func keys(set map[string]bool, s *database.Select) database.Query {
	return s.Rows(func(scan database.Scan) error {
		var k string
		err := scan(&k)
		set[k] = true
		return err
	})
}

// At says where a caller looks for a grant. What is empty is not looked at.
type At struct{ Instance, Org, UserID string }

// lock holds a grant and checks the caller's permission in its organization.
// Outsiders learn nothing: they are told the same as about a grant that never was.
func lock(tx *eventstore.Tx, at At, id, permission string) (Grant, error) {
	var g Grant
	found := false
	_, err := tx.Lock(Grant{ID: id}.aggregate(at.Instance), byID(at.Instance, id, &found, &g), rolesOf(at.Instance, id, &g.Roles))
	switch {
	case err != nil:
		return g, err
	case !found || at.Org != "" && at.Org != g.Org || at.UserID != "" && at.UserID != g.UserID || !authz.From(tx.Context()).Knows(g.on()):
		return g, ErrMissing
	}
	return g, authz.RequireOn(tx.Context(), permission, g.on())
}

// Change gives a grant other roles.
func Change(tx *eventstore.Tx, at At, id string, roles []string) (eventstore.Details, error) {
	if err := checkRoles(roles); err != nil {
		return eventstore.Details{}, err
	}
	// The project is locked before the grant, as everybody does: a project never changes.
	found, g := false, Grant{}
	if err := tx.Read(byID(at.Instance, id, &found, &g)); err != nil {
		return eventstore.Details{}, err
	}
	var refused error
	if found && authz.From(tx.Context()).CanOn("user.grant.write", g.on()) {
		g.Roles = roles
		_, refused = lockProject(tx, at.Instance, g)
	}
	g, err := lock(tx, at, id, "user.grant.write")
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case slices.Equal(g.Roles, roles):
		return g.Details, errSame
	case refused != nil:
		return eventstore.Details{}, refused
	}
	return Changed.Emit(tx, g.aggregate(at.Instance), changed{append([]string{}, roles...), g.UserID})
}

// Deactivate makes a grant count for nothing until it is reactivated.
func Deactivate(tx *eventstore.Tx, at At, id string) (eventstore.Details, error) {
	return turn(tx, at, id, Deactivated, Active, errInactive)
}

// Reactivate ends a deactivation.
func Reactivate(tx *eventstore.Tx, at At, id string) (eventstore.Details, error) {
	return turn(tx, at, id, Reactivated, Inactive, errNotInactive)
}

func turn(tx *eventstore.Tx, at At, id string, event *eventstore.Kind[eventstore.None], from int, refusal error) (eventstore.Details, error) {
	g, err := lock(tx, at, id, "user.grant.write")
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case g.State != from:
		return g.Details, refusal
	}
	return event.Emit(tx, g.aggregate(at.Instance), eventstore.None{})
}

// Remove ends a grant.
func Remove(tx *eventstore.Tx, at At, id string) (eventstore.Details, error) {
	g, err := lock(tx, at, id, "user.grant.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, g.aggregate(at.Instance), removed{g.ProjectGrantID, g.ProjectID, g.UserID})
}
