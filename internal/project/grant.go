package project

import (
	"slices"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// maxGrants is the most organizations that a project can be granted to.
const maxGrants = 10_000

// Grant gives another organization roles of a project, to give to its own users.
type Grant struct {
	ID, Project, ProjectName string
	Org, OrgName             string // whose project it is
	GrantedOrg, GrantedName  string
	State                    int
	Roles                    []string
	Details                  eventstore.Details
}

type grantEvent struct {
	GrantID    string   `json:"grantId"`
	GrantedOrg string   `json:"grantedOrgId,omitempty"`
	Roles      []string `json:"roleKeys,omitempty"`
}

// The events of a project's grants.
var (
	GrantAdded = eventstore.Declare("project.grant.added", func(f *eventstore.Fold, e grantEvent) error {
		f.ExecUnique(errGrantTaken, `INSERT INTO project_grants (instance_id, grant_id, project_id, org_id, granted_org_id, state, created, changed, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, e.GrantID, f.ID, f.Owner, e.GrantedOrg, Active, f.Micros(), f.Micros(), f.Sequence)
		setGrantRoles(f, e)
		return nil
	})
	GrantChanged        = eventstore.Declare("project.grant.changed", foldGrantRoles)
	GrantCascadeChanged = eventstore.Declare("project.grant.cascade.changed", foldGrantRoles)
	GrantDeactivated    = eventstore.Declare("project.grant.deactivated", setGrantState(Inactive))
	GrantReactivated    = eventstore.Declare("project.grant.reactivated", setGrantState(Active))
	GrantRemoved        = eventstore.Declare("project.grant.removed", func(f *eventstore.Fold, e grantEvent) error {
		for _, sql := range []string{
			"DELETE FROM members WHERE instance_id = ? AND kind = 'project_grant' AND object_id = ?",
			"DELETE FROM member_roles WHERE instance_id = ? AND kind = 'project_grant' AND object_id = ?",
			"DELETE FROM project_grant_roles WHERE instance_id = ? AND grant_id = ?",
			"DELETE FROM project_grants WHERE instance_id = ? AND grant_id = ?",
		} {
			f.Exec(sql, f.Instance, e.GrantID)
		}
		return nil
	})
)

func foldGrantRoles(f *eventstore.Fold, e grantEvent) error {
	f.Exec("UPDATE project_grants SET changed = ?, sequence = ? WHERE instance_id = ? AND grant_id = ?", f.Micros(), f.Sequence, f.Instance, e.GrantID)
	setGrantRoles(f, e)
	return nil
}

func setGrantRoles(f *eventstore.Fold, e grantEvent) {
	f.Exec("DELETE FROM project_grant_roles WHERE instance_id = ? AND grant_id = ?", f.Instance, e.GrantID)
	for i, role := range e.Roles {
		f.Exec("INSERT INTO project_grant_roles (instance_id, grant_id, role_key, place) VALUES (?, ?, ?, ?)", f.Instance, e.GrantID, role, i)
	}
}

func setGrantState(state int) func(*eventstore.Fold, grantEvent) error {
	return func(f *eventstore.Fold, e grantEvent) error {
		f.Exec("UPDATE project_grants SET state = ?, changed = ?, sequence = ? WHERE instance_id = ? AND grant_id = ?",
			state, f.Micros(), f.Sequence, f.Instance, e.GrantID)
		return nil
	}
}

var (
	errGrantMissing  = fault.NotFound("PROJECT-grant-missing", "There is no such grant of the project.")
	errGrantTaken    = fault.AlreadyExists("PROJECT-grant-id", "A grant with this id exists already.")
	errGrantExists   = fault.AlreadyExists("PROJECT-grant-exists", "The project is granted to this organization already.")
	errGrantSelf     = fault.Precondition("PROJECT-grant-self", "The project belongs to this organization. Grant it to another one.")
	errGrantRole     = fault.Precondition("PROJECT-grant-role", "A grant can have roles of its project, each once.")
	errGrantSame     = fault.Precondition("PROJECT-grant-unchanged", "The grant has these roles already.")
	errGrantActive   = fault.Precondition("PROJECT-grant-active", "The grant is active already.")
	errGrantInactive = fault.Precondition("PROJECT-grant-inactive", "The grant is inactive already.")
)

// Which says which grant of a project a call is about: by its id or, where that is
// empty, by the organization that the project is granted to.
type Which struct{ Grant, GrantedOrg string }

// Sides are the two that a grant is between, as what permissions are asked on:
// the project, and the organization that it is granted to.
func (g Grant) Sides() []authz.Object {
	return []authz.Object{{Org: g.Org, Project: g.Project}, {Org: g.GrantedOrg, Grant: g.ID}}
}

func (w Which) filter() database.Filter {
	if w.Grant != "" {
		return database.Is("g.grant_id", w.Grant)
	}
	return database.Is("g.granted_org_id", w.GrantedOrg)
}

// HoldGrant locks a grant by its project and gives it as it is until the commit. Who
// is on neither side of it is told that there is none. Where s names an
// organization, it is one of the two.
func HoldGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w Which) (Grant, error) {
	var grants []Grant
	q := database.From(grantColumns, grantTables).Where("g.instance_id = ? AND g.project_id = ?", s.Instance, projectID).Filter(w.filter())
	if _, err := tx.Lock(aggregate(s, projectID), q.Rows(func(scan database.Scan) error {
		var g Grant
		err := scanGrant(scan, &g)
		grants = append(grants, g)
		return err
	})); err != nil {
		return Grant{}, err
	}
	if len(grants) == 0 {
		return Grant{}, errGrantMissing
	}
	g := grants[0]
	if s.Org != "" && g.Org != s.Org && g.GrantedOrg != s.Org || !authz.From(tx.Context()).Knows(g.Sides()...) {
		return Grant{}, errGrantMissing
	}
	return g, nil
}

// lockGrant is HoldGrant for a caller who needs the permission on the project.
func lockGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w Which, permission string) (Grant, eventstore.Aggregate, error) {
	g, err := HoldGrant(tx, s, projectID, w)
	if err != nil {
		return g, eventstore.Aggregate{}, err
	}
	if s.Org != "" && g.Org != s.Org { // The other side may know of it and change nothing.
		return g, eventstore.Aggregate{}, errGrantMissing
	}
	err = authz.RequireOn(tx.Context(), permission, g.Sides()[0])
	return g, aggregate(eventstore.Scope{Instance: s.Instance, Org: g.Org}, projectID), err
}

// checkRoles says whether the project has the roles.
func checkRoles(tx *eventstore.Tx, s eventstore.Scope, id string, keys []string) error {
	roles, err := rolesOf(tx, s, id)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if _, found := roles[key]; !found {
			return errGrantRole
		}
		delete(roles, key)
	}
	return nil
}

// AddGrant grants a project to another organization, under an id that may be
// somebody's wish. That there is such an organization is the caller's to know.
func AddGrant(tx *eventstore.Tx, s eventstore.Scope, projectID, grantID, grantedOrg string, roles []string) (d eventstore.Details, err error) {
	p, err := lock(tx, s, projectID, "project.grant.write")
	if err != nil {
		return d, err
	}
	if p.Org == grantedOrg {
		return d, errGrantSelf
	}
	if err := eventstore.CheckID(grantID); err != nil {
		return d, err
	}
	var exists, taken, haunted bool
	var n int
	if err := tx.Read(
		database.One(&exists, "SELECT state FROM project_grants WHERE instance_id = ? AND project_id = ? AND granted_org_id = ?", []any{s.Instance, projectID, grantedOrg}, new(int)),
		database.One(new(bool), "SELECT count(*) FROM project_grants WHERE instance_id = ? AND project_id = ?", []any{s.Instance, projectID}, &n),
		database.One(&taken, "SELECT state FROM project_grants WHERE instance_id = ? AND grant_id = ?", []any{s.Instance, grantID}, new(int)),
		database.From("grant_id", "user_grants").Where("instance_id = ? AND project_id = ? AND project_grant_id = ?", s.Instance, projectID, grantID).Page(0, 1).
			Rows(func(database.Scan) error { haunted = true; return nil }),
	); err != nil {
		return d, err
	}
	switch {
	case exists:
		return d, errGrantExists
	case taken: // Also where the fold would find out: a replay must not meet the row of one who comes later.
		return d, errGrantTaken
	case haunted: // What users were granted of it would become grants of the new one.
		return d, errIDBusy
	case n >= maxGrants:
		return d, fault.Precondition("PROJECT-grants", "A project can be granted to %d organizations.", maxGrants)
	}
	if err := checkRoles(tx, s, projectID, roles); err != nil {
		return d, err
	}
	d, err = GrantAdded.Emit(tx, p.aggregate(s), grantEvent{grantID, grantedOrg, roles})
	d.Created = d.Changed
	return d, err
}

// ChangeGrant gives the grant other roles instead.
func ChangeGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w Which, roles []string) (eventstore.Details, error) {
	g, a, err := lockGrant(tx, s, projectID, w, "project.grant.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if err := checkRoles(tx, s, projectID, roles); err != nil {
		return eventstore.Details{}, err
	}
	if slices.Equal(g.Roles, roles) {
		return g.Details, errGrantSame
	}
	return GrantChanged.Emit(tx, a, grantEvent{GrantID: g.ID, Roles: roles})
}

// DeactivateGrant makes the grant count for nothing until it is reactivated.
func DeactivateGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w Which) (eventstore.Details, error) {
	g, a, err := lockGrant(tx, s, projectID, w, "project.grant.write")
	if err == nil && g.State == Inactive {
		err = errGrantInactive
	}
	if err != nil {
		return g.Details, err
	}
	return GrantDeactivated.Emit(tx, a, grantEvent{GrantID: g.ID})
}

// ReactivateGrant ends a deactivation.
func ReactivateGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w Which) (eventstore.Details, error) {
	g, a, err := lockGrant(tx, s, projectID, w, "project.grant.write")
	if err == nil && g.State == Active {
		err = errGrantActive
	}
	if err != nil {
		return g.Details, err
	}
	return GrantReactivated.Emit(tx, a, grantEvent{GrantID: g.ID})
}

// RemoveGrant ends the grant with its members. What else hangs on it is flow's to
// remove, in the same transaction.
func RemoveGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w Which) (eventstore.Details, error) {
	g, a, err := lockGrant(tx, s, projectID, w, "project.grant.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	return GrantRemoved.Emit(tx, a, grantEvent{GrantID: g.ID})
}

// withdraw takes a role that the project has no more from its grants.
func withdraw(tx *eventstore.Tx, s eventstore.Scope, p Project, key string) error {
	var grants []Grant
	if err := tx.Read(database.From(grantColumns, grantTables).Where("g.instance_id = ? AND g.project_id = ?", s.Instance, p.ID).
		Where("EXISTS (SELECT 1 FROM project_grant_roles x WHERE x.instance_id = g.instance_id AND x.grant_id = g.grant_id AND x.role_key = ?)", key).Order("g.grant_id").Rows(func(scan database.Scan) error {
		var g Grant
		err := scanGrant(scan, &g)
		grants = append(grants, g)
		return err
	})); err != nil {
		return err
	}
	for _, g := range grants {
		left := slices.DeleteFunc(g.Roles, func(role string) bool { return role == key })
		if _, err := GrantCascadeChanged.Emit(tx, p.aggregate(s), grantEvent{GrantID: g.ID, Roles: left}); err != nil {
			return err
		}
	}
	return nil
}

// RemoveSomeOf ends projects of an organization that is gone and grants that it got, at
// most n altogether. It gives how many.
func RemoveSomeOf(tx *eventstore.Tx, instance, org string, n int) (removed int, err error) {
	type found struct{ project, owner, grant string }
	var all []found
	row := func(scan database.Scan) error {
		var f found
		err := scan(&f.project, &f.owner, &f.grant)
		all = append(all, f)
		return err
	}
	if err := tx.Read(
		database.From("project_id, org_id, ''", "projects").Where("instance_id = ? AND org_id = ?", instance, org).
			Order("project_id").Page(0, uint64(n)).Rows(row), //nolint:gosec // a small number
		database.From("project_id, org_id, grant_id", "project_grants").Where("instance_id = ? AND granted_org_id = ? AND org_id <> ?", instance, org, org).
			Order("grant_id").Page(0, uint64(n)).Rows(row), //nolint:gosec // a small number
	); err != nil {
		return 0, err
	}
	if len(all) > n {
		all = all[:n]
	}
	for _, f := range all {
		a := aggregate(eventstore.Scope{Instance: instance, Org: f.owner}, f.project)
		if f.grant == "" {
			_, err = Removed.Emit(tx, a, eventstore.None{})
		} else {
			_, err = GrantRemoved.Emit(tx, a, grantEvent{GrantID: f.grant})
		}
		if err != nil {
			return 0, err
		}
	}
	return len(all), nil
}
