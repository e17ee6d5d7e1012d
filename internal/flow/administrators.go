package flow

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/member"
)

// Administrator is a member together with what they administer: an organization
// or, where Resource is empty, the instance.
type Administrator struct {
	Member
	Resource, ResourceName string
}

// preferredLogin is the login name of the user u, joined with personJoins, that
// they are shown with.
var preferredLogin = database.Text{
	Exact: "CASE WHEN u.login_scope <> '' AND o.primary_domain <> '' THEN u.user_name || '@' || o.primary_domain ELSE u.user_name END",
	Lower: "CASE WHEN u.login_scope <> '' AND o.primary_domain <> '' THEN u.user_name_lower || '@' || o.primary_domain ELSE u.user_name_lower END",
}

// The filters of lists of administrators, besides those of lists of members.
var (
	AdministratorCreated = database.Time("mb.created")
	AdministratorChanged = database.Time("mb.changed")
	AdministratorAmong   = func(ids ...string) database.Filter { return database.OneOf("mb.user_id", ids) }
	AdministratorByLogin = preferredLogin.Match
	AdministratorByTitle = displayName.Match
)

// AdministratorWithRole is the filter for those who have a role.
func AdministratorWithRole(role string) database.Filter {
	return func(s *database.Select) {
		s.Where(`EXISTS (SELECT 1 FROM member_roles r WHERE r.instance_id = mb.instance_id AND r.user_id = mb.user_id
			AND r.kind = mb.kind AND r.object_id = mb.object_id AND r.role = ?)`, role)
	}
}

// Administrators lists who administers the instance and the organizations, as far
// as the caller may read that.
func Administrators(ctx context.Context, r database.Reader, p database.Page, by string, filters ...database.Filter) (database.Listing[Administrator], error) {
	c := authz.From(ctx)
	visible, args := authz.Where(ctx, "org.member.read", "mb.object_id")
	visible = "mb.kind = 'org' AND " + visible
	if c.Can("iam.member.read", "") {
		visible += " OR mb.kind = 'instance'"
	}
	q := database.From(personColumns+", mb.kind, mb.object_id, COALESCE(adm.name, ''), "+roleList+", mb.created, mb.changed, mb.sequence",
		"members mb JOIN users u ON u.instance_id = mb.instance_id AND u.user_id = mb.user_id"+personJoins+
			" LEFT JOIN orgs adm ON mb.kind = 'org' AND adm.instance_id = mb.instance_id AND adm.org_id = mb.object_id").
		Where("mb.instance_id = ?", c.Instance).Where("("+visible+")", args...).Filter(filters...)
	return database.List(ctx, r, q, p, []string{by, "mb.kind", "mb.object_id", "mb.user_id"}, func(scan database.Scan, a *Administrator) error {
		var kind, object, roles string
		var created, changed int64
		dest, done := personDest(&a.Person)
		if err := scan(append(dest, &kind, &object, &a.ResourceName, &roles, &created, &changed, &a.Details.Sequence)...); err != nil {
			return err
		}
		if kind == "org" {
			a.Resource = object
		}
		a.Roles = strings.Fields(roles)
		a.Details.Owner, a.Details.Created, a.Details.Changed = object, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		_, err := done()
		return err
	})
}

// AddAdministrator is AddMember for a scope that the caller names.
func AddAdministrator(tx *eventstore.Tx, s eventstore.Scope, userID string, roles []string) (eventstore.Details, error) {
	d, err := AddMember(tx, s, userID, roles)
	if err == nil {
		err = orgExists(tx, s)
	}
	return d, err
}

// SetAdministrator is ChangeMember, but content to change nothing: then it answers
// with the last change.
func SetAdministrator(tx *eventstore.Tx, s eventstore.Scope, userID string, roles []string) (eventstore.Details, error) {
	d, err := ChangeMember(tx, s, userID, roles)
	if member.Unchanged(err) {
		return member.Details(tx, s, userID)
	}
	return d, err
}
