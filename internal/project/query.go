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
