package flow

import (
	"fmt"
	"slices"

	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/project"
)

// RoleGrant is the roles that a user has in a project.
type RoleGrant struct {
	ProjectID string
	// OrgID is the organization whose grant it is, by which the roles are known, and
	// PrimaryDomain is that one's.
	OrgID, PrimaryDomain string
	Roles                []string
}

// grantSQL gives the roles of a source's user that count now, one a row: a grant
// counts while it, its project, their organizations and, where the project is another
// organization's, the project grant are active, and a role while the project has it
// and the project grant gives it.
const grantSQL = `SELECT ug.project_id, ug.org_id, giver.primary_domain, r.role_key FROM user_grants ug
	JOIN user_grant_roles r ON r.instance_id = ug.instance_id AND r.grant_id = ug.grant_id
	JOIN project_roles pr ON pr.instance_id = ug.instance_id AND pr.project_id = ug.project_id AND pr.role_key = r.role_key
	JOIN projects p ON p.instance_id = ug.instance_id AND p.project_id = ug.project_id
	JOIN orgs po ON po.instance_id = p.instance_id AND po.org_id = p.org_id
	JOIN orgs giver ON giver.instance_id = ug.instance_id AND giver.org_id = ug.org_id
	LEFT JOIN project_grants pg ON pg.instance_id = ug.instance_id AND pg.grant_id = ug.project_grant_id AND pg.project_id = ug.project_id
		AND pg.granted_org_id = ug.org_id
	LEFT JOIN project_grant_roles pgr ON pgr.instance_id = pg.instance_id AND pgr.grant_id = pg.grant_id AND pgr.role_key = r.role_key
	WHERE %s AND ug.state = ? AND p.state = ? AND po.state = ? AND giver.state = ?
	AND (ug.project_grant_id = '' AND ug.org_id = p.org_id OR pg.state = ? AND pgr.role_key IS NOT NULL)
	ORDER BY ug.project_id, ug.org_id, r.place, r.role_key`

// grantQuery asks for the roles that the user of a source has now. This is the one
// place where tokens learn of them: what it leaves out is in no token, no
// introspection and no userinfo.
func (st *Standing) grantQuery(s source) database.Query {
	return database.Query{
		SQL:  fmt.Sprintf(grantSQL, s.in("ug", "instance_id", "user_id")),
		Args: append(slices.Clone(s.args), authorization.Active, project.Active, org.Active, org.Active, project.Active),
		Row: func(scan database.Scan) error {
			var g RoleGrant
			var role string
			err := scan(&g.ProjectID, &g.OrgID, &g.PrimaryDomain, &role)
			if last := len(st.Grants) - 1; last >= 0 && st.Grants[last].ProjectID == g.ProjectID && st.Grants[last].OrgID == g.OrgID {
				st.Grants[last].Roles = append(st.Grants[last].Roles, role)
				return err
			}
			g.Roles = []string{role}
			st.Grants = append(st.Grants, g)
			return err
		},
	}
}

// hasRole reports whether the user has a role in a project.
func (st *Standing) hasRole(projectID string) bool {
	return slices.ContainsFunc(st.Grants, func(g RoleGrant) bool { return g.ProjectID == projectID && len(g.Roles) > 0 })
}

// RolesIn gives the user's roles in projects that the scopes ask for: in those of
// the audience where the scopes want them all, and else in the client's own, where
// the project asserts roles or the scopes name them. asserted says that the client
// is told without asking.
func (st *Standing) RolesIn(s Scopes, audience []string, asserted bool) (out []RoleGrant) {
	named, all, orgs := s.roles(), s.Has(ScopeRoles), s.values(scopeRolesOf)
	for _, g := range st.Grants {
		own := g.ProjectID == st.project.id && g.ProjectID != ""
		switch {
		case len(orgs) > 0 && !slices.Contains(orgs, g.OrgID), !own && !slices.Contains(audience, g.ProjectID):
			continue
		case all, own && (asserted || st.project.roleAssertion == 1):
		default:
			g.Roles = slices.DeleteFunc(slices.Clone(g.Roles), func(role string) bool { return !own || !slices.Contains(named, role) })
		}
		if len(g.Roles) > 0 {
			out = append(out, g)
		}
	}
	return out
}
