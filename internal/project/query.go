package project

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

const (
	columns = `p.project_id, p.org_id, p.state, p.name, p.role_assertion, p.role_check, p.org_check, p.private_labeling,
		p.created, p.changed, p.sequence`
	// A project counts as long as its organization exists.
	tables = "projects p JOIN orgs o ON o.instance_id = p.instance_id AND o.org_id = p.org_id"

	roleColumns = "r.project_id, r.role_key, r.display_name, r.role_group, p.org_id, r.created, r.changed, r.sequence"
	roleTables  = "project_roles r JOIN projects p ON p.instance_id = r.instance_id AND p.project_id = r.project_id"

	grantColumns = `g.grant_id, g.project_id, p.name, g.org_id, o.name, g.granted_org_id, go.name, g.state,
		COALESCE((SELECT string_agg(x.role_key, ' ' ORDER BY x.place) FROM project_grant_roles x
			WHERE x.instance_id = g.instance_id AND x.grant_id = g.grant_id), ''), g.created, g.changed, g.sequence`
	// A grant counts as long as both organizations exist.
	grantTables = `project_grants g
		JOIN projects p ON p.instance_id = g.instance_id AND p.project_id = g.project_id
		JOIN orgs o ON o.instance_id = g.instance_id AND o.org_id = g.org_id
		JOIN orgs go ON go.instance_id = g.instance_id AND go.org_id = g.granted_org_id`
)

func details(owner string, created, changed int64, sequence uint64) eventstore.Details {
	return eventstore.Details{
		Owner: owner, Sequence: sequence, Created: time.UnixMicro(created).UTC(), Changed: time.UnixMicro(changed).UTC(),
	}
}

func scanProject(scan database.Scan, p *Project) error {
	var roleAssertion, roleCheck, orgCheck int
	var created, changed int64
	err := scan(&p.ID, &p.Org, &p.State, &p.Name, &roleAssertion, &roleCheck, &orgCheck, &p.PrivateLabeling, &created, &changed, &p.Details.Sequence)
	p.RoleAssertion, p.RoleCheck, p.OrgCheck = roleAssertion == 1, roleCheck == 1, orgCheck == 1
	p.Details = details(p.Org, created, changed, p.Details.Sequence)
	return err
}

func scanRole(scan database.Scan, r *Role) error {
	var owner string
	var created, changed int64
	err := scan(&r.Project, &r.Key, &r.DisplayName, &r.Group, &owner, &created, &changed, &r.Details.Sequence)
	r.Details = details(owner, created, changed, r.Details.Sequence)
	return err
}

func scanGrant(scan database.Scan, g *Grant) error {
	var roles string
	var created, changed int64
	err := scan(&g.ID, &g.Project, &g.ProjectName, &g.Org, &g.OrgName, &g.GrantedOrg, &g.GrantedName, &g.State, &roles, &created, &changed, &g.Details.Sequence)
	g.Roles = strings.Fields(roles)
	g.Details = details(g.Org, created, changed, g.Details.Sequence)
	return err
}

func query(instance, id string, found *bool, p *Project) database.Query {
	return database.From(columns, tables).Where("p.instance_id = ? AND p.project_id = ?", instance, id).Rows(func(scan database.Scan) error {
		*found = true
		return scanProject(scan, p)
	})
}

// ByID gives a project that the caller has the permission to read. Where s names
// an organization, it is one of that one. Who may not even know of it is told that
// there is none.
func ByID(ctx context.Context, r database.Reader, s eventstore.Scope, id string) (Project, error) {
	var p Project
	var found bool
	switch err := r.Read(ctx, query(s.Instance, id, &found, &p)); {
	case err != nil:
		return p, err
	case !found || s.Org != "" && p.Org != s.Org || !authz.From(ctx).Knows(p.on()):
		return p, errMissing
	}
	return p, authz.RequireOn(ctx, "project.read", p.on())
}

// Listed is a project as one side sees it: its own organization or, where GrantedOrg is
// named, one that it is granted to.
type Listed struct {
	Project
	GrantedOrg, GrantedName string
	GrantState              int
}

// sides has a row for each project, and one for each grant of one.
const sides = `(SELECT p.instance_id, ` + columns + `, p.name_lower, '' AS grant_id, '' AS granted_org_id, '' AS granted_name, 0 AS grant_state
	FROM ` + tables + `
	UNION ALL
	SELECT p.instance_id, p.project_id, p.org_id, p.state, p.name, p.role_assertion, p.role_check, p.org_check, p.private_labeling,
		g.created, g.changed, g.sequence, p.name_lower, g.grant_id, g.granted_org_id, go.name, g.state
	FROM ` + grantTables + `) p`

// The columns that projects are sorted by.
const (
	SortID      = "p.project_id"
	SortCreated = "p.created"
	SortChanged = "p.changed"
	SortName    = "p.name_lower"
)

// The filters of lists of projects and, ByName and WithID, also of grants.
var (
	ByName = database.Text{Exact: "p.name", Lower: "p.name_lower"}.Match
	WithID = func(ids ...string) database.Filter { return database.OneOf("p.project_id", ids) }
	OfOrg  = func(id string) database.Filter { return database.Is("p.org_id", id) }
)

// Owned is the filter of All for the projects of an organization.
func Owned(org string) database.Filter {
	return func(s *database.Select) { s.Where("p.grant_id = '' AND p.org_id = ?", org) }
}

// Granted is the filter of All for the projects that an organization was granted.
func Granted(org string) database.Filter { return database.Is("p.granted_org_id", org) }

// The columns of a project p and of a grant g that permissions are asked on.
var (
	onOwner   = authz.Object{Org: "p.org_id", Project: SortID}
	onGranted = authz.Object{Org: "g.granted_org_id", Grant: grantID}
)

// grantID is the key of a grant g.
const grantID = "g.grant_id"

// List gives the projects of an organization that the caller may read.
func List(ctx context.Context, r database.Reader, s eventstore.Scope, p database.Page, filters ...database.Filter) (database.Listing[Project], error) {
	visible, args := authz.WhereOn(ctx, "project.read", onOwner)
	q := database.From(columns, tables).Where("p.instance_id = ? AND p.org_id = ?", s.Instance, s.Org).Where(visible, args...).Filter(filters...)
	return database.List(ctx, r, q, p, []string{SortCreated, SortID}, scanProject)
}

// All gives the projects of the instance that the caller may read, and a row more for
// each organization that one is granted to, to those who may read it there.
func All(ctx context.Context, r database.Reader, instance string, p database.Page, by string, filters ...database.Filter) (database.Listing[Listed], error) {
	own, args := authz.WhereOn(ctx, "project.read", onOwner)
	granted, more := authz.WhereOn(ctx, "project.read", authz.Object{Org: "p.granted_org_id", Grant: "p.grant_id"})
	q := database.From(columns+", p.granted_org_id, p.granted_name, p.grant_state", sides).Where("p.instance_id = ?", instance).
		Where("(p.grant_id = '' AND "+own+" OR p.grant_id <> '' AND "+granted+")", append(args, more...)...).Filter(filters...)
	return database.List(ctx, r, q, p, []string{by, SortID, "p.granted_org_id"}, func(scan database.Scan, l *Listed) error {
		return scanProject(func(dest ...any) error { return scan(append(dest, &l.GrantedOrg, &l.GrantedName, &l.GrantState)...) }, &l.Project)
	})
}

// The columns that roles are sorted by.
const (
	SortRoleKey     = "r.role_key"
	SortRoleCreated = "r.created"
	SortRoleChanged = "r.changed"
)

// The filters of lists of roles.
var (
	RoleByKey  = database.Text{Exact: "r.role_key", Lower: "r.role_key_lower"}.Match
	RoleByName = database.Text{Exact: "r.display_name", Lower: "r.display_name_lower"}.Match
)

// RoleInGrant is the filter for the roles that a grant gives to an organization.
func RoleInGrant(grantID, grantedOrg string) database.Filter {
	return func(s *database.Select) {
		s.Where(`EXISTS (SELECT 1 FROM project_grant_roles x JOIN project_grants g ON g.instance_id = x.instance_id AND g.grant_id = x.grant_id
			WHERE x.instance_id = r.instance_id AND x.role_key = r.role_key AND g.project_id = r.project_id
			AND g.grant_id = ? AND g.granted_org_id = ?)`, grantID, grantedOrg)
	}
}

// Roles lists the roles of a project that the caller may read: on its side all, on that
// of a grant those that the grant has.
func Roles(ctx context.Context, r database.Reader, instance, projectID string, p database.Page, by string, filters ...database.Filter) (database.Listing[Role], error) {
	own, args := authz.WhereOn(ctx, "project.role.read", onOwner)
	granted, more := authz.WhereOn(ctx, "project.role.read", onGranted)
	q := database.From(roleColumns, roleTables).Where("r.instance_id = ? AND r.project_id = ?", instance, projectID).
		Where("("+own+` OR EXISTS (SELECT 1 FROM project_grant_roles x JOIN project_grants g ON g.instance_id = x.instance_id AND g.grant_id = x.grant_id
			WHERE x.instance_id = r.instance_id AND x.role_key = r.role_key AND g.project_id = r.project_id AND `+granted+"))", append(args, more...)...).
		Filter(filters...)
	columns := []string{by, SortRoleKey}
	if by == SortRoleKey {
		columns = columns[1:]
	}
	return database.List(ctx, r, q, p, columns, scanRole)
}

// The columns that grants are sorted by.
const (
	SortGrantProject = "g.project_id"
	SortGrantCreated = "g.created"
	SortGrantChanged = "g.changed"
)

// The filters of lists of grants.
var (
	GrantOfOrg   = func(id string) database.Filter { return database.Is("g.org_id", id) }
	GrantTo      = func(id string) database.Filter { return database.Is("g.granted_org_id", id) }
	GrantWithID  = func(id string) database.Filter { return database.Is(grantID, id) }
	GrantProject = func(id string) database.Filter { return database.Is("g.project_id", id) }
)

// GrantWithRole is the filter for grants with a role whose key matches.
func GrantWithRole(m database.TextMethod, key string) database.Filter {
	return func(s *database.Select) {
		s.InSelect(grantID, database.From("x.grant_id", "project_grant_roles x JOIN project_roles r ON r.instance_id = x.instance_id AND r.role_key = x.role_key").
			Where("x.instance_id = g.instance_id AND r.project_id = g.project_id").Filter(RoleByKey(m, key)))
	}
}

// Grants lists the grants of the instance that the caller has the permission on, on
// either side.
func Grants(ctx context.Context, r database.Reader, instance, permission string, p database.Page, by string, filters ...database.Filter) (database.Listing[Grant], error) {
	visible, args := authz.WhereOn(ctx, permission,
		authz.Object{Org: "g.org_id", Project: "g.project_id"}, onGranted)
	q := database.From(grantColumns, grantTables).Where("g.instance_id = ?", instance).Where(visible, args...).Filter(filters...)
	return database.List(ctx, r, q, p, []string{by, grantID}, scanGrant)
}

// OneGrant gives the grant that the filters leave.
func OneGrant(ctx context.Context, r database.Reader, instance, permission string, filters ...database.Filter) (Grant, error) {
	l, err := Grants(ctx, r, instance, permission, database.Page{Limit: 1}, SortGrantCreated, filters...)
	if err == nil && len(l.Rows) == 0 {
		err = errGrantMissing
	}
	if err != nil {
		return Grant{}, err
	}
	return l.Rows[0], nil
}
