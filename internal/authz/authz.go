// Package authz says who calls and what they may do. Permissions come from
// roles, roles from memberships of an instance or an organization. A decision
// is made in three places only: by the permission option of an RPC, by Require
// in the verb once the object is locked, and by Where inside the SQL of a list.
//
// authz imports only fault. It reads nothing: whoever authenticates a call fills
// in the Caller.
package authz

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// Membership is a set of roles on an instance (Org is empty) or on an
// organization.
type Membership struct {
	Org   string
	Roles []string
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

// Can reports whether the caller has permission on org, or on the instance
// where org is empty. What holds on the instance holds on its organizations.
func (c *Caller) Can(permission, org string) bool {
	if c == nil {
		return false
	}
	if c.System {
		return true
	}
	system := strings.HasPrefix(permission, systemPermission)
	for _, m := range c.Memberships {
		if (m.Org == "" || m.Org == org) && (m.OfSystem || !system) && c.Roles.grant(m.Roles, permission, c.SystemUser) {
			return true
		}
	}
	return false
}

// Permissions lists what the caller may do on org and on the instance, sorted.
func (c *Caller) Permissions(org string) []string {
	set := map[string]bool{}
	for _, m := range c.Memberships {
		if m.Org == "" || m.Org == org {
			for _, r := range m.Roles {
				for p := range c.Roles.of(c.SystemUser)[r] {
					if m.OfSystem || !strings.HasPrefix(p, systemPermission) {
						set[p] = true
					}
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
	switch {
	case c == nil:
		return errNoCaller
	case c.Can(permission, org):
		return nil
	}
	if c.Within(org) || org == "" && len(c.Memberships) > 0 {
		return errNoPermission
	}
	return errNoMembership
}

// Within reports whether the caller has any membership on org or on its instance,
// and so may know of it.
func (c *Caller) Within(org string) bool {
	return c.System || slices.ContainsFunc(c.Memberships, func(m Membership) bool { return m.Org == "" || m.Org == org })
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

// Where gives the SQL condition that column names an organization on which the
// caller has permission, with its arguments.
func Where(ctx context.Context, permission, column string) (string, []any) {
	c := From(ctx)
	if c.Can(permission, "") {
		return "1 = 1", nil
	}
	var args []any
	if c != nil {
		for _, m := range c.Memberships {
			if c.Roles.grant(m.Roles, permission, c.SystemUser) {
				args = append(args, m.Org)
			}
		}
	}
	if len(args) == 0 {
		return "1 = 0", nil
	}
	return column + " IN (" + strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ") + ")", args
}

// The roles of those to whom an instance or an organization belongs.
const (
	InstanceOwner = "IAM_OWNER"
	OrgOwner      = "ORG_OWNER"
)

// MayGive refuses roles that do not exist, and those that are above the caller's
// own: who owns org, or the instance where org is empty, may give any of its
// roles, others only those that hold no permission which they lack themselves.
func (c *Caller) MayGive(roles []string, org string) error {
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
		case c.owns(org):
			continue
		}
		for p := range permissions {
			if !c.Can(p, org) {
				return fault.Denied("MEMBER-more", "The role %s holds %s, which you do not have.", role, p)
			}
		}
	}
	return nil
}

// owns reports whether org, or the instance where org is empty, is the caller's:
// users from the configuration own whatever they may give members to.
func (c *Caller) owns(org string) bool {
	if c.SystemUser {
		return c.Can("iam.member.write", org)
	}
	return slices.ContainsFunc(c.Memberships, func(m Membership) bool {
		return m.Org == "" && slices.Contains(m.Roles, InstanceOwner) ||
			m.Org == org && org != "" && slices.Contains(m.Roles, OrgOwner)
	})
}
