// Package project is what applications belong to: projects of an organization,
// the roles that they know, and their grants to other organizations. The events
// of all of them are on the stream of the project.
//
// It may import policy and what is under it, and no other aggregate.
package project

import (
	"errors"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("projects", "instance_id, project_id",
		"org_id, state, name, name_lower, role_assertion, role_check, org_check, private_labeling, created, changed, sequence")
	eventstore.DeclareTable("project_roles", "instance_id, project_id, role_key",
		"role_key_lower, display_name, display_name_lower, role_group, created, changed, sequence")
	eventstore.DeclareTable("project_grants", "instance_id, grant_id", "project_id, org_id, granted_org_id, state, created, changed, sequence")
	eventstore.DeclareTable("project_grant_roles", "instance_id, grant_id, role_key", "place")
}

// The states of a project and of a grant, numbered as on the wire.
const (
	Active   = 1
	Inactive = 2
)

// Settings are what a project says about itself and its applications.
type Settings struct {
	Name string
	// RoleAssertion puts the roles of users into tokens and userinfo.
	RoleAssertion bool
	// RoleCheck lets only users in who have a role in the project.
	RoleCheck bool
	// OrgCheck lets only users in whose organization has the project.
	OrgCheck bool
	// PrivateLabeling says whose branding login pages show, numbered as on the wire.
	PrivateLabeling int
}

// Project is a project as it is stored.
type Project struct {
	ID, Org string
	State   int
	Settings
	Details eventstore.Details
}

type added struct {
	Name            string `json:"name"`
	RoleAssertion   bool   `json:"projectRoleAssertion,omitempty"`
	RoleCheck       bool   `json:"projectRoleCheck,omitempty"`
	OrgCheck        bool   `json:"hasProjectCheck,omitempty"`
	PrivateLabeling int    `json:"privateLabelingSetting,omitempty"`
}

// changed holds what changed; the rest stayed.
type changed struct {
	Name            *string `json:"name,omitempty"`
	RoleAssertion   *bool   `json:"projectRoleAssertion,omitempty"`
	RoleCheck       *bool   `json:"projectRoleCheck,omitempty"`
	OrgCheck        *bool   `json:"hasProjectCheck,omitempty"`
	PrivateLabeling *int    `json:"privateLabelingSetting,omitempty"`
}

const claimName = "project.name"

// nameClaim makes names unique within an organization, in any case.
func nameClaim(org, name string) string { return org + "/" + strings.ToLower(name) }

// The events of a project.
var (
	Added = eventstore.Declare("project.added", func(f *eventstore.Fold, e added) error {
		f.Claim(claimName, nameClaim(f.Owner, e.Name), errTaken)
		f.Exec(`INSERT INTO projects (instance_id, project_id, org_id, state, name, name_lower, role_assertion, role_check, org_check, private_labeling, created, changed, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			f.Instance, f.ID, f.Owner, Active, e.Name, strings.ToLower(e.Name), number(e.RoleAssertion), number(e.RoleCheck), number(e.OrgCheck),
			e.PrivateLabeling, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	Changed = eventstore.Declare("project.changed", func(f *eventstore.Fold, e changed) error {
		if e.Name != nil {
			f.ReleaseKind(claimName)
			f.Claim(claimName, nameClaim(f.Owner, *e.Name), errTaken)
			update(f, "name = ?, name_lower = ?", *e.Name, strings.ToLower(*e.Name))
		}
		if e.PrivateLabeling != nil {
			update(f, "private_labeling = ?", *e.PrivateLabeling)
		}
		for column, value := range map[string]*bool{"role_assertion": e.RoleAssertion, "role_check": e.RoleCheck, "org_check": e.OrgCheck} {
			if value != nil {
				update(f, column+" = ?", number(*value))
			}
		}
		return nil
	})
	Deactivated = eventstore.Declare("project.deactivated", setState(Inactive))
	Reactivated = eventstore.Declare("project.reactivated", setState(Active))
	Removed     = eventstore.Declare("project.removed", func(f *eventstore.Fold, _ eventstore.None) error {
		const grants = " IN (SELECT grant_id FROM project_grants WHERE project_grants.instance_id = ? AND project_id = ?)"
		for _, sql := range []string{
			"DELETE FROM members WHERE kind = 'project_grant' AND instance_id = ? AND object_id" + grants,
			"DELETE FROM member_roles WHERE kind = 'project_grant' AND instance_id = ? AND object_id" + grants,
			"DELETE FROM project_grant_roles WHERE instance_id = ? AND grant_id" + grants,
		} {
			f.Exec(sql, f.Instance, f.Instance, f.ID)
		}
		for _, sql := range []string{
			"DELETE FROM members WHERE instance_id = ? AND kind = 'project' AND object_id = ?",
			"DELETE FROM member_roles WHERE instance_id = ? AND kind = 'project' AND object_id = ?",
			"DELETE FROM project_grants WHERE instance_id = ? AND project_id = ?",
			"DELETE FROM project_roles WHERE instance_id = ? AND project_id = ?",
			"DELETE FROM projects WHERE instance_id = ? AND project_id = ?",
		} {
			f.Exec(sql, f.Instance, f.ID)
		}
		f.ReleaseAll()
		return nil
	})
)

var (
	errTaken    = fault.AlreadyExists("PROJECT-name-taken", "The organization has a project of this name already.")
	errIDTaken  = fault.AlreadyExists("PROJECT-id", "A project with this id exists already.")
	errIDBusy   = fault.New(fault.KindAborted, "PROJECT-id-busy", "A project with this id was removed, and what users were granted of it is not all removed yet. Try again.")
	errMissing  = fault.NotFound("PROJECT-missing", "There is no such project.")
	errName     = fault.Invalid("PROJECT-name", "A project needs a name of 1 to 200 characters.")
	errSame     = fault.Precondition("PROJECT-unchanged", "The project is like this already.")
	errActive   = fault.Precondition("PROJECT-active", "The project is active already.")
	errInactive = fault.Precondition("PROJECT-inactive", "The project is inactive already.")
)

// Unchanged reports whether err says that a project, a role or a grant is already
// as the call wanted it.
func Unchanged(err error) bool {
	for _, same := range []error{errSame, errActive, errInactive, errRoleSame, errGrantSame, errGrantActive, errGrantInactive} {
		if errors.Is(err, same) {
			return true
		}
	}
	return false
}

// Missing reports whether err says that there is no such project, role or grant.
func Missing(err error) bool {
	return errors.Is(err, errMissing) || errors.Is(err, errRoleMissing) || errors.Is(err, errGrantMissing)
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func update(f *eventstore.Fold, what string, args ...any) {
	f.Exec("UPDATE projects SET "+what+", changed = ?, sequence = ? WHERE instance_id = ? AND project_id = ?",
		append(args, f.Micros(), f.Sequence, f.Instance, f.ID)...)
}

func setState(state int) func(*eventstore.Fold, eventstore.None) error {
	return func(f *eventstore.Fold, _ eventstore.None) error {
		update(f, "state = ?", state)
		return nil
	}
}

func aggregate(s eventstore.Scope, id string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: s.Instance, Type: "project", ID: id, Owner: s.Org}
}

// on is the project as what permissions are asked on.
func (p Project) on() authz.Object { return authz.Object{Org: p.Org, Project: p.ID} }

// Add makes a project of the organization s, whose id may be somebody's wish.
func Add(tx *eventstore.Tx, s eventstore.Scope, id string, p Settings) (eventstore.Details, error) {
	if err := authz.Require(tx.Context(), "project.create", s.Org); err != nil {
		return eventstore.Details{}, err
	}
	if err := eventstore.CheckID(id); err != nil {
		return eventstore.Details{}, err
	}
	name, err := cleanName(p.Name)
	if err != nil {
		return eventstore.Details{}, err
	}
	var found, haunted bool
	a := aggregate(s, id)
	former := database.From("grant_id", "user_grants").Where("instance_id = ? AND project_id = ?", s.Instance, id).Page(0, 1)
	if err := tx.Start(a, query(s.Instance, id, &found, new(Project)), former.Rows(func(database.Scan) error { haunted = true; return nil })); err != nil {
		return eventstore.Details{}, err
	}
	switch {
	case found:
		return eventstore.Details{}, errIDTaken
	case haunted: // What users were granted of it would become grants of the new one.
		return eventstore.Details{}, errIDBusy
	}
	return Added.Emit(tx, a, added{name, p.RoleAssertion, p.RoleCheck, p.OrgCheck, p.PrivateLabeling})
}

func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := len([]rune(name)); n == 0 || n > 200 {
		return "", errName
	}
	return name, nil
}

// Hold locks a project and gives it as it is until the commit. Where s names an
// organization it is one of that one. Who may not even know of it is told that
// there is none.
func Hold(tx *eventstore.Tx, s eventstore.Scope, id string) (Project, error) {
	var p Project
	var found bool
	if _, err := tx.Lock(aggregate(s, id), query(s.Instance, id, &found, &p)); err != nil {
		return p, err
	}
	if !found || s.Org != "" && p.Org != s.Org || !authz.From(tx.Context()).Knows(p.on()) {
		return p, errMissing
	}
	return p, nil
}

// lock is Hold for a caller who needs the permission on the project.
func lock(tx *eventstore.Tx, s eventstore.Scope, id, permission string) (Project, error) {
	p, err := Hold(tx, s, id)
	if err != nil {
		return p, err
	}
	return p, authz.RequireOn(tx.Context(), permission, p.on())
}

func (p Project) aggregate(s eventstore.Scope) eventstore.Aggregate {
	return aggregate(eventstore.Scope{Instance: s.Instance, Org: p.Org}, p.ID)
}

// Change gives the project other settings: edit changes them.
func Change(tx *eventstore.Tx, s eventstore.Scope, id string, edit func(*Settings)) (eventstore.Details, error) {
	p, err := lock(tx, s, id, "project.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	n := p.Settings
	edit(&n)
	if n.Name, err = cleanName(n.Name); err != nil {
		return eventstore.Details{}, err
	}
	if n == p.Settings {
		return p.Details, errSame
	}
	return Changed.Emit(tx, p.aggregate(s), changed{
		diff(p.Name, n.Name), diff(p.RoleAssertion, n.RoleAssertion), diff(p.RoleCheck, n.RoleCheck),
		diff(p.OrgCheck, n.OrgCheck), diff(p.PrivateLabeling, n.PrivateLabeling),
	})
}

// diff is the value now, or nil where it is the one before.
func diff[T comparable](before, now T) *T {
	if before == now {
		return nil
	}
	return &now
}

// Deactivate stops logins to the project's applications.
func Deactivate(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	p, err := lock(tx, s, id, "project.write")
	if err == nil && p.State == Inactive {
		err = errInactive
	}
	if err != nil {
		return p.Details, err
	}
	return Deactivated.Emit(tx, p.aggregate(s), eventstore.None{})
}

// Reactivate ends a deactivation.
func Reactivate(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	p, err := lock(tx, s, id, "project.write")
	if err == nil && p.State == Active {
		err = errActive
	}
	if err != nil {
		return p.Details, err
	}
	return Reactivated.Emit(tx, p.aggregate(s), eventstore.None{})
}

// Remove ends the project with its roles, grants and members. What else hangs on it
// is flow's to remove, in the same transaction.
func Remove(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	p, err := lock(tx, s, id, "project.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, p.aggregate(s), eventstore.None{})
}
