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

// Administrator is a member together with what they administer.
type Administrator struct {
	Member
	Of         member.Object
	ObjectName string // of the project, where it is a grant
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

// Administrators lists who administers the instance, the organizations, the projects and
// the grants, as far as the caller may read that.
func Administrators(ctx context.Context, r database.Reader, p database.Page, by string, filters ...database.Filter) (database.Listing[Administrator], error) {
	c := authz.From(ctx)
	visible, args := objectVisible(ctx, func(kind string) string { return member.Permission(kind, "read") })
	q := database.From(personColumns+", "+objectColumns+", "+roleList+", mb.created, mb.changed, mb.sequence",
		"members mb JOIN users u ON u.instance_id = mb.instance_id AND u.user_id = mb.user_id"+personJoins+objectJoins).
		Where("mb.instance_id = ?", c.Instance).Where(visible, args...).Filter(filters...)
	return database.List(ctx, r, q, p, []string{by, "mb.kind", memberObject, "mb.user_id"}, func(scan database.Scan, a *Administrator) error {
		var roles string
		var created, changed int64
		a.Of.Instance = c.Instance
		dest, done := personDest(&a.Person)
		on, placed := objectDest(&a.Of, &a.ObjectName)
		if err := scan(append(append(dest, on...), &roles, &created, &changed, &a.Details.Sequence)...); err != nil {
			return err
		}
		placed()
		a.Roles = strings.Fields(roles)
		a.Details.Owner, a.Details.Created, a.Details.Changed = a.Of.Aggregate().Owner, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		_, err := done()
		return err
	})
}

// AddAdministrator is AddMember for an object that the caller names.
func AddAdministrator(tx *eventstore.Tx, o member.Object, userID string, roles []string) (eventstore.Details, error) {
	d, err := AddMember(tx, o, userID, roles)
	if err == nil {
		err = orgExists(tx, o.Scope)
	}
	return d, err
}

// SetAdministrator is ChangeMember, but content to change nothing: then it answers
// with the last change.
func SetAdministrator(tx *eventstore.Tx, o member.Object, userID string, roles []string) (eventstore.Details, error) {
	d, err := ChangeMember(tx, o, userID, roles)
	if member.Unchanged(err) {
		return member.Details(tx, o, userID)
	}
	return d, err
}
