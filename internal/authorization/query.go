package authorization

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Columns are what Scan reads of the grant g.
const Columns = "g.grant_id, g.org_id, g.user_id, g.project_id, g.project_grant_id, g.state, g.created, g.changed, g.sequence"

// Into gives the destinations of Columns in a grant and a function to call once they are
// filled in.
func Into(g *Grant) (dest []any, done func()) {
	var created, changed int64
	return []any{&g.ID, &g.Org, &g.UserID, &g.ProjectID, &g.ProjectGrantID, &g.State, &created, &changed, &g.Details.Sequence}, func() {
		g.Details = eventstore.Details{
			Owner: g.Org, Sequence: g.Details.Sequence, Created: time.UnixMicro(created).UTC(), Changed: time.UnixMicro(changed).UTC(),
		}
	}
}

func byID(instance, id string, found *bool, g *Grant) database.Query {
	return database.From(Columns, "user_grants g").Where("g.instance_id = ? AND g.grant_id = ?", instance, id).Rows(func(scan database.Scan) error {
		*found = true
		dest, done := Into(g)
		err := scan(dest...)
		done()
		return err
	})
}

func rolesOf(instance, id string, roles *[]string) database.Query {
	*roles = nil
	return database.From("r.role_key", "user_grant_roles r").Where("r.instance_id = ? AND r.grant_id = ?", instance, id).Order("r.place").
		Rows(func(scan database.Scan) error {
			var k string
			err := scan(&k)
			*roles = append(*roles, k)
			return err
		})
}

// The filters of lists of grants, and of the roles that count.
var (
	WithID         = func(ids ...string) database.Filter { return database.OneOf("g.grant_id", ids) }
	OfOrg          = func(ids ...string) database.Filter { return database.OneOf("g.org_id", ids) }
	OfUser         = func(ids ...string) database.Filter { return database.OneOf("g.user_id", ids) }
	OfProject      = func(ids ...string) database.Filter { return database.OneOf("g.project_id", ids) }
	OfProjectGrant = func(id string) database.Filter { return database.Is("g.project_grant_id", id) }
	InState        = func(state int) database.Filter { return database.Is("g.state", state) }
)

// ByRole is the filter of a list of grants for those of whose roles one has a key
// that matches.
func ByRole(m database.TextMethod, key string) database.Filter {
	return func(s *database.Select) {
		s.InSelect("g.grant_id", database.From("r.grant_id", "user_grant_roles r").Where("r.instance_id = g.instance_id").
			Filter(roleKey.Match(m, key)))
	}
}

var roleKey = database.Text{Exact: "r.role_key", Lower: "r.role_lower"}

// Role is a role that a user has in a project.
type Role struct {
	ProjectID, Key string
	// Org is the organization that gave it, and Domain the primary one of its domains.
	Org, Domain string
}

// Roles is the query for the roles that count now, of the grants g that the filters
// leave: those whose grant, project, project grant and organizations are active, and
// which the project still has. It is meant to travel with what a request reads
// anyway; the filters must name the instance and the user, by texts or by SQL.
func Roles(roles *[]Role, filters ...database.Filter) database.Query {
	*roles = nil
	return database.From("g.project_id, r.role_key, g.org_id, o.primary_domain", `user_grants g
		JOIN user_grant_roles r ON r.instance_id = g.instance_id AND r.grant_id = g.grant_id
		JOIN projects p ON p.instance_id = g.instance_id AND p.project_id = g.project_id AND p.state = 1
		JOIN project_roles k ON k.instance_id = g.instance_id AND k.project_id = g.project_id AND k.role_key = r.role_key
		JOIN orgs o ON o.instance_id = g.instance_id AND o.org_id = g.org_id AND o.state = 1
		JOIN orgs po ON po.instance_id = p.instance_id AND po.org_id = p.org_id AND po.state = 1
		LEFT JOIN project_grants pg ON pg.instance_id = g.instance_id AND pg.grant_id = g.project_grant_id
			AND pg.project_id = g.project_id AND pg.granted_org_id = g.org_id AND pg.state = 1
		LEFT JOIN project_grant_roles pr ON pr.instance_id = pg.instance_id AND pr.grant_id = pg.grant_id AND pr.role_key = r.role_key`).
		Where("g.state = ? AND (g.project_grant_id = '' AND p.org_id = g.org_id OR pr.role_key IS NOT NULL)", Active).
		Filter(filters...).Order("g.project_id, r.role_key, g.org_id").Rows(func(scan database.Scan) error {
		var r Role
		err := scan(&r.ProjectID, &r.Key, &r.Org, &r.Domain)
		*roles = append(*roles, r)
		return err
	})
}
