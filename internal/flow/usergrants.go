package flow

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/job"
)

// UserGrant is what a user is granted, with the names of what it is about.
type UserGrant struct {
	authorization.Grant
	User Person
	// Roles are those of the grant, with what the project calls them.
	Roles                   []GrantedRole
	OrgName, OrgDomain      string
	ProjectName, ProjectOrg string
}

// GrantedRole is a role of a user grant.
type GrantedRole struct{ Key, DisplayName, Group string }

// userGrantJoins goes with personJoins: they describe the grant g and its user u.
const userGrantJoins = `user_grants g
	JOIN users u ON u.instance_id = g.instance_id AND u.user_id = g.user_id
	LEFT JOIN projects p ON p.instance_id = g.instance_id AND p.project_id = g.project_id
	LEFT JOIN orgs giver ON giver.instance_id = g.instance_id AND giver.org_id = g.org_id` + personJoins

// The columns that user grants are sorted by.
const (
	SortUserGrantCreated = "g.created"
	SortUserGrantChanged = "g.changed"
	SortUserGrantID      = "g.grant_id"
	SortUserGrantUser    = "g.user_id"
	SortUserGrantProject = "g.project_id"
	SortUserGrantOrg     = "g.org_id"
	SortUserGrantUserOrg = "u.org_id"
)

// The filters of lists of user grants by what they are about. The filters of lists
// of users narrow them too.
var (
	UserGrantByProject = database.Text{Exact: "p.name", Lower: "p.name_lower"}.Match
	UserGrantByOrg     = database.Text{Exact: "giver.name", Lower: "giver.name_lower"}.Match
	UserGrantByDomain  = database.Text{Exact: "giver.primary_domain", Lower: "giver.primary_domain"}.Match
)

// UserGrantGivenBy is the filter of a list of user grants for those of an
// organization that the caller may read; withGranted also for those that others give
// of its projects, where the caller has the permission on the project.
func UserGrantGivenBy(ctx context.Context, org string, withGranted bool) database.Filter {
	given := database.AllOf(database.Is("g.org_id", org), ReadableUserGrants(ctx))
	if !withGranted {
		return given
	}
	where, args := authz.WhereOn(ctx, "user.grant.read", authz.Object{Org: "p.org_id", Project: "p.project_id"})
	return database.AnyOf(given, database.AllOf(database.Is("p.org_id", org), func(s *database.Select) { s.Where(where, args...) }))
}

// ReadableUserGrants is the filter for the user grants that the caller has the
// permission to read: on the organization that gave it, or on its project or the
// project grant that it got.
func ReadableUserGrants(ctx context.Context) database.Filter {
	where, args := authz.WhereOn(ctx, "user.grant.read", authz.Object{
		Org: "g.org_id", Project: "CASE WHEN g.project_grant_id = '' THEN g.project_id ELSE '' END", Grant: "g.project_grant_id",
	})
	return func(s *database.Select) { s.Where(where, args...) }
}

// VisibleUserGrants is the filter for the user grants that the caller may see: those
// that they may read, and their own.
func VisibleUserGrants(ctx context.Context) database.Filter {
	return database.AnyOf(ReadableUserGrants(ctx), authorization.OfUser(authz.From(ctx).UserID))
}

// UserGrants lists user grants of the caller's instance. Which of them the caller may
// see is for the filters to say.
func UserGrants(ctx context.Context, r database.Reader, p database.Page, by string, filters ...database.Filter) (database.Listing[UserGrant], error) {
	q := database.From(authorization.Columns+`, COALESCE(giver.name, ''), COALESCE(giver.primary_domain, ''), COALESCE(p.name, ''), COALESCE(p.org_id, ''), `+personColumns, userGrantJoins).
		Where("g.instance_id = ?", authz.From(ctx).Instance).Filter(filters...)
	roles := map[string][]GrantedRole{}
	l, err := database.List(ctx, r, q, p, []string{by, SortUserGrantID}, func(scan database.Scan, g *UserGrant) error {
		dest, done := authorization.Into(&g.Grant)
		person, named := personDest(&g.User)
		dest = append(dest, &g.OrgName, &g.OrgDomain, &g.ProjectName, &g.ProjectOrg)
		if err := scan(append(dest, person...)...); err != nil {
			return err
		}
		done()
		_, err := named()
		return err
	}, func(page *database.Select) database.Query { return grantedRoles(authz.From(ctx).Instance, page, roles) })
	for i := range l.Rows {
		g := &l.Rows[i]
		g.Roles = roles[g.ID]
	}
	return l, err
}

// grantedRoles is the query for the roles of a page of grants.
func grantedRoles(instance string, page *database.Select, roles map[string][]GrantedRole) database.Query {
	return database.From("r.grant_id, r.role_key, COALESCE(k.display_name, ''), COALESCE(k.role_group, '')",
		`user_grant_roles r JOIN user_grants ug ON ug.instance_id = r.instance_id AND ug.grant_id = r.grant_id
		LEFT JOIN project_roles k ON k.instance_id = r.instance_id AND k.project_id = ug.project_id AND k.role_key = r.role_key`).
		Where("r.instance_id = ?", instance).InSelect("r.grant_id", page.Only("g.grant_id")).Order("r.grant_id, r.place").
		Rows(func(scan database.Scan) error {
			var id string
			var role GrantedRole
			err := scan(&id, &role.Key, &role.DisplayName, &role.Group)
			roles[id] = append(roles[id], role)
			return err
		})
}

// OneUserGrant gives the user grant that the filters leave.
func OneUserGrant(ctx context.Context, r database.Reader, filters ...database.Filter) (UserGrant, error) {
	l, err := UserGrants(ctx, r, database.Page{Limit: 1}, SortUserGrantID, filters...)
	if err == nil && len(l.Rows) == 0 {
		err = authorization.ErrMissing
	}
	if err != nil {
		return UserGrant{}, err
	}
	return l.Rows[0], nil
}

// MyRoles lists the keys of the roles that the caller has now by grants of an
// organization.
func MyRoles(ctx context.Context, r database.Reader, org string) (keys []string, err error) {
	c := authz.From(ctx)
	var roles []authorization.Role
	err = r.Read(ctx, authorization.Roles(&roles, database.Is("g.instance_id", c.Instance), authorization.OfUser(c.UserID), authorization.OfOrg(org)))
	seen := map[string]bool{}
	for _, role := range roles {
		if !seen[role.Key] {
			seen[role.Key] = true
			keys = append(keys, role.Key)
		}
	}
	return keys, err
}

// maxBulkGrants is the most user grants that one call can remove.
const maxBulkGrants = 1000

// RemoveUserGrants ends grants of an organization, all or none.
func RemoveUserGrants(tx *eventstore.Tx, s eventstore.Scope, ids []string) error {
	if len(ids) == 0 || len(ids) > maxBulkGrants {
		return fault.Invalid("USERGRANT-bulk", "Name 1 to %d user grants at a time.", maxBulkGrants)
	}
	for _, id := range ids {
		if _, err := authorization.Remove(tx, authorization.At{Instance: s.Instance, Org: s.Org}, id); err != nil {
			return err
		}
	}
	return nil
}

// jobFollow is the job that takes away of user grants what rested on something that
// is gone, where there are many.
const jobFollow = "user.grant.cascade"

type follow struct {
	authorization.Lost
	Creator string `json:"creator"` // who removed it
}

// followBatch is the most user grants that one transaction looks at.
const followBatch = 200

// followLost takes away of user grants what rested on something that the transaction
// removes: at once or, where there are many, by a job. What has gone counts for
// nothing in any case.
func followLost(tx *eventstore.Tx, instance string, l authorization.Lost) error {
	more, err := authorization.Follow(tx, instance, &l, followBatch)
	if err == nil && more {
		err = tx.Job(instance, jobFollow, follow{l, tx.Creator()}, tx.Now())
	}
	return err
}

// followGrants is the work of jobFollow.
func followGrants(store *eventstore.Store) job.Work {
	return inBatches(store, func(p follow) string { return p.Creator }, func(tx *eventstore.Tx, instance string, p follow) (bool, error) {
		return authorization.Follow(tx, instance, &p.Lost, followBatch)
	})
}
