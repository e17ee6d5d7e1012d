// Package authz says who calls and what they may do. Permissions come from
// roles, roles from memberships of an instance, an organization, a project or a grant. A decision
// is made in three places only: by the permission option of an RPC, by Require
// in the verb once the object is locked, and by Where inside the SQL of a list.
//
// authz imports only fault. It reads nothing: whoever authenticates a call fills
// in the Caller.
package authz

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// Membership is a set of roles on an instance (Org is empty), on an organization or,
// where those are named, on a project of it or on a grant that it got.
type Membership struct {
	Org, Project, Grant string
	Roles               []string
	// OfSystem: the membership is of the installation, and so of every instance.
	OfSystem bool
}

// systemPermission begins the permissions that are about the installation. Only
// its own members can have them: what an instance gives ends with the instance.
const systemPermission = "system."

// Caller is an authenticated user, or a part of the system, in one instance.
type Caller struct {
	Instance string
	UserID   string
	// HomeOrg is the organization that the user belongs to.
	HomeOrg string
	// Org is the organization that the request is about: the one named by the
	// request's header, else HomeOrg.
	Org         string
	Memberships []Membership
	Roles       *Roles
	// System callers run the server's own work; nothing is refused to them.
	System bool
	// SystemUser is set for users from the configuration. Their memberships
	// without an organization hold on the system and on their instances.
	SystemUser bool
	// Elsewhere gives the memberships in another instance than Instance, or in the
	// installation as a whole where the id is empty. Only system users have any.
	Elsewhere func(instance string) []Membership
	// SessionID is the session whose token the call came with; empty: another token.
	SessionID string
	// Sure refuses where the session was not proved recently, or not by all that its
	// user has. See RequireSure.
	Sure func() error
	// LogSince is the time before which the caller sees no events; zero: all.
	LogSince time.Time
}

// The refusals of the wire.
var (
	errNoMembership = fault.NotFound("AUTHZ-cdgFk", "You are no member of this organization or instance.")
	errNoPermission = fault.Denied("AUTH-5mWD2", "Your roles do not include the permission that this call needs.")
	errNoCaller     = fault.Unauthenticated("", "This call needs a token.")
)

type callerKey struct{}

// WithCaller puts the caller into the context.
func WithCaller(ctx context.Context, c *Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// AsSystem runs what follows as the server itself, in an instance.
func AsSystem(ctx context.Context, instance string) context.Context {
	return WithCaller(ctx, &Caller{Instance: instance, System: true})
}

// From is the context's caller, or nil where nobody is authenticated.
func From(ctx context.Context) *Caller {
	c, _ := ctx.Value(callerKey{}).(*Caller)
	return c
}

// Object is what a permission is asked on: an organization or, where those are
// named, a project of it or a grant that it got.
type Object struct{ Org, Project, Grant string }

// holds reports whether what the membership gives holds on the object: on an
// organization, also for its projects and grants, but not the other way round.
func (m Membership) holds(o Object) bool {
	switch {
	case m.Grant != "":
		return m.Grant == o.Grant
	case m.Project != "":
		return m.Project == o.Project
	}
	return m.Org == "" || m.Org == o.Org
}

// Can reports whether the caller has permission on org, or on the instance
// where org is empty. What holds on the instance holds on its organizations.
func (c *Caller) Can(permission, org string) bool { return c.CanOn(permission, Object{Org: org}) }

// CanOn reports whether the caller has permission on one of the objects.
func (c *Caller) CanOn(permission string, on ...Object) bool {
	return c.has(permission, func(m Membership) bool { return slices.ContainsFunc(on, m.holds) })
}

// has reports whether one of the memberships that count gives the permission.
func (c *Caller) has(permission string, counts func(Membership) bool) bool {
	if c == nil {
		return false
	}
	if c.System {
		return true
	}
	system := strings.HasPrefix(permission, systemPermission)
	for _, m := range c.Memberships {
		if counts(m) && (m.OfSystem || !system) && c.Roles.grant(m.Roles, permission, c.SystemUser) {
			return true
		}
	}
	return false
}

// Permissions lists what the caller may do on org and on the instance, sorted. What they may
// do on a project of org, or on a grant that it got, has its id behind it, after a colon.
func (c *Caller) Permissions(org string) []string {
	set := map[string]bool{}
	for _, m := range c.Memberships {
		whole := m.holds(Object{Org: org})
		if !whole && !m.inside(org) {
			continue
		}
		for _, r := range m.Roles {
			for p := range c.Roles.of(c.SystemUser)[r] {
				switch {
				case whole && (m.OfSystem || !strings.HasPrefix(p, systemPermission)):
					set[p] = true
				case !whole && ofProjects(p):
					set[p+":"+cmp.Or(m.Grant, m.Project)] = true
				}
			}
		}
	}
	out := make([]string, 0, len(set))
	for p := range set {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// Require refuses unless the context's caller has permission on org, or on the
// instance where org is empty. Who has no membership there at all is told that
// there is nothing, who has one is told what is missing.
func Require(ctx context.Context, permission, org string) error {
	c := From(ctx)
	return c.refuse(c.Can(permission, org), org)
}

// refuse is the refusal of what is not allowed on org or on something of it.
func (c *Caller) refuse(allowed bool, org string) error {
	switch {
	case c == nil:
		return errNoCaller
	case allowed:
		return nil
	}
	if c.Within(org) || org == "" && len(c.Memberships) > 0 || c.inside(org) {
		return errNoPermission
	}
	return errNoMembership
}

// RequireOn refuses unless the context's caller has permission on one of the
// objects. That the caller may know of them is to be asked before, see Knows.
func RequireOn(ctx context.Context, permission string, on ...Object) error {
	c := From(ctx)
	switch {
	case c == nil:
		return errNoCaller
	case c.CanOn(permission, on...):
		return nil
	}
	return errNoPermission
}

// RequireInside refuses unless the context's caller has permission on org or, where
// it is one on projects, on something of org: a project, or a grant that it got. On which
// is for RequireOn and Where to say, once that is known.
func RequireInside(ctx context.Context, permission, org string) error {
	c := From(ctx)
	return c.refuse(c.Can(permission, org) || ofProjects(permission) && c.has(permission, func(m Membership) bool { return m.inside(org) }), org)
}

// ofProjects reports whether a permission is about projects and what hangs on them,
// so that members of a project can have it.
func ofProjects(permission string) bool {
	return strings.HasPrefix(permission, "project.") && permission != "project.create" || strings.HasPrefix(permission, "user.grant.")
}

// inside reports whether the membership is of a project of org or of a grant.
func (m Membership) inside(org string) bool {
	return org != "" && m.Org == org && (m.Project != "" || m.Grant != "")
}

func (c *Caller) inside(org string) bool {
	return slices.ContainsFunc(c.Memberships, func(m Membership) bool { return m.inside(org) })
}

// Orgs lists the organizations in which the caller is a member of anything; all where
// that is the instance.
func (c *Caller) Orgs() (ids []string, all bool) {
	for _, m := range c.Memberships {
		all = all || m.Org == ""
		ids = append(ids, m.Org)
	}
	return ids, all || c.System
}

// Within reports whether the caller has any membership on org or on its instance,
// and so may know of it.
func (c *Caller) Within(org string) bool { return c.Knows(Object{Org: org}) }

// Knows reports whether the caller has any membership that holds on one of the
// objects, and so may know of it.
func (c *Caller) Knows(on ...Object) bool {
	return c != nil && (c.System || slices.ContainsFunc(c.Memberships, func(m Membership) bool { return slices.ContainsFunc(on, m.holds) }))
}

// RequireInstance is Require on the instance as a whole.
func RequireInstance(ctx context.Context, permission string) error {
	return Require(ctx, permission, "")
}

// at is the caller in an instance or, where it is empty, in the installation.
func (c *Caller) at(instance string) *Caller {
	if c == nil || c.System || instance == c.Instance {
		return c
	}
	other := *c
	other.Instance, other.Memberships = instance, nil
	if c.Elsewhere != nil {
		other.Memberships = c.Elsewhere(instance)
	}
	return &other
}

// RequireAt refuses unless the context's caller has the permission own on the
// instance, or other where that is not the one that the call came to. Nobody but
// system users is anybody in another instance: to others it does not exist.
func RequireAt(ctx context.Context, instance, own, other string) error {
	c := From(ctx)
	here := c.at(instance)
	switch {
	case here != c:
		return Require(WithCaller(ctx, here), other, "")
	case c != nil && c.SystemUser && c.Can(other, ""):
		return nil
	}
	return Require(ctx, own, "")
}

// RequireSystem refuses unless the context's caller has permission on the
// installation as a whole.
func RequireSystem(ctx context.Context, permission string) error {
	return RequireAt(ctx, "", permission, permission)
}

// errUnsure refuses a session that nobody can say more about.
var errUnsure = fault.Precondition("AUTH-reauth", "Prove again who you are before you do this: begin a new session.")

// RequireSure refuses a caller with a session who has not just proved who they are:
// what a person does to the ways in which they log in asks for more than a token
// that somebody may have found. Other tokens are not about a moment.
func RequireSure(ctx context.Context) error {
	switch c := From(ctx); {
	case c == nil || c.SessionID == "":
		return nil
	case c.Sure == nil:
		return errUnsure
	default:
		return c.Sure()
	}
}

// Where gives the SQL condition that column names an organization on which the
// caller has permission, with its arguments.
func Where(ctx context.Context, permission, column string) (string, []any) {
	return WhereOn(ctx, permission, Object{Org: column})
}

// WhereOn is Where for rows that are about one of several objects, each given by
// its columns. A column that is not named is one that the rows do not have.
func WhereOn(ctx context.Context, permission string, columns ...Object) (string, []any) {
	c := From(ctx)
	if c.Can(permission, "") {
		return "1 = 1", nil
	}
	if c == nil {
		return "1 = 0", nil
	}
	conditions, args := []string{"1 = 0"}, []any(nil)
	add := func(column string, id func(Membership) string) {
		var ids []any
		for _, m := range c.Memberships {
			if column != "" && id(m) != "" && c.Roles.grant(m.Roles, permission, c.SystemUser) {
				ids = append(ids, id(m))
			}
		}
		if len(ids) > 0 {
			conditions = append(conditions, column+" IN ("+strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", ")+")")
			args = append(args, ids...)
		}
	}
	for _, column := range columns {
		add(column.Org, func(m Membership) string {
			if m.Project != "" || m.Grant != "" {
				return ""
			}
			return m.Org
		})
		add(column.Project, func(m Membership) string { return m.Project })
		add(column.Grant, func(m Membership) string { return m.Grant })
	}
	return "(" + strings.Join(conditions, " OR ") + ")", args
}

// The roles of those to whom an instance or an organization belongs.
const (
	InstanceOwner = "IAM_OWNER"
	OrgOwner      = "ORG_OWNER"
	ProjectOwner  = "PROJECT_OWNER"
	GrantOwner    = "PROJECT_GRANT_OWNER"
)

// owner is the role of those to whom what the membership is of belongs.
func (m Membership) owner() string {
	switch {
	case m.Grant != "":
		return GrantOwner
	case m.Project != "":
		return ProjectOwner
	case m.Org != "":
		return OrgOwner
	}
	return InstanceOwner
}

// MayGive refuses roles that do not exist, and those that are above the caller's
// own: who owns one of the objects, or what it is in, may give any of the roles there,
// others only those that hold no permission which they lack themselves.
func (c *Caller) MayGive(roles []string, on ...Object) error {
	if c == nil {
		return errNoCaller
	}
	for _, role := range roles {
		if c.System {
			continue
		}
		permissions, ok := c.Roles.member[role]
		switch {
		case !ok:
			return fault.Invalid("MEMBER-unknown", "There is no role %s.", role)
		case c.owns(on):
			continue
		}
		for p := range permissions {
			if !c.CanOn(p, on...) {
				return fault.Denied("MEMBER-more", "The role %s holds %s, which you do not have.", role, p)
			}
		}
	}
	return nil
}

// owns reports whether one of the objects, or what it is in, is the caller's: users from
// the configuration own whatever they may give members to.
func (c *Caller) owns(on []Object) bool {
	if c.SystemUser {
		return c.CanOn("iam.member.write", on...)
	}
	return slices.ContainsFunc(c.Memberships, func(m Membership) bool {
		return slices.Contains(m.Roles, m.owner()) && slices.ContainsFunc(on, m.holds)
	})
}
