package authz_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// table are the roles of these tests: three of their own beside the built-in ones.
func table(t *testing.T) *authz.Roles {
	t.Helper()
	r, err := authz.Builtin(map[string][]string{
		"READER": {"org.read", "system.instance.read"}, "WRITER": {"org.read", "org.write"}, "ON_PROJECTS": {"project.read", "project.create", "org.read"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func member(t *testing.T, m ...authz.Membership) (context.Context, *authz.Caller) {
	t.Helper()
	c := &authz.Caller{Instance: "i", UserID: "ada", Roles: table(t), Memberships: m}
	return authz.WithCaller(t.Context(), c), c
}

// is reports what a refusal is, as the id of its fault; "" is none.
func is(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.ID
	}
	return ""
}

const nothing, missing = "AUTHZ-cdgFk", "AUTH-5mWD2" // that there is nothing; what is missing

func TestRequire(t *testing.T) {
	t.Parallel()
	reader := func(m authz.Membership) authz.Membership { m.Roles = []string{"READER"}; return m }
	for _, c := range []struct {
		name, permission, org, want string
		of                          []authz.Membership
	}{
		{"on its organization", "org.read", "a", "", []authz.Membership{reader(authz.Membership{Org: "a"})}},
		{"what the role lacks", "org.write", "a", missing, []authz.Membership{reader(authz.Membership{Org: "a"})}},
		{"on another organization", "org.read", "b", nothing, []authz.Membership{reader(authz.Membership{Org: "a"})}},
		{"on the instance, of an organization", "org.read", "", missing, []authz.Membership{reader(authz.Membership{Org: "a"})}},
		{"on the instance, of nothing", "org.read", "", nothing, nil},
		{"on an organization, of the instance", "org.read", "b", "", []authz.Membership{reader(authz.Membership{})}},
		{"on an organization, of its project", "org.read", "a", missing, []authz.Membership{reader(authz.Membership{Org: "a", Project: "p"})}},
		{"on an organization, of a grant that it got", "org.read", "a", missing, []authz.Membership{reader(authz.Membership{Org: "a", Grant: "g"})}},
		{"on an organization, of another one's project", "org.read", "b", nothing, []authz.Membership{reader(authz.Membership{Org: "a", Project: "p"})}},
		{"on the system, of an instance", "system.instance.read", "", missing, []authz.Membership{reader(authz.Membership{})}},
		{"on the system, of it", "system.instance.read", "", "", []authz.Membership{reader(authz.Membership{OfSystem: true})}},
		{"of two, the second", "org.write", "a", "", []authz.Membership{reader(authz.Membership{Org: "a"}), {Org: "a", Roles: []string{"WRITER"}}}},
	} {
		ctx, _ := member(t, c.of...)
		if got := is(authz.Require(ctx, c.permission, c.org)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	ctx := t.Context()
	for name, err := range map[string]error{
		"Require": authz.Require(ctx, "org.read", "a"), "RequireOn": authz.RequireOn(ctx, "org.read", authz.Object{Org: "a"}),
		"RequireInside": authz.RequireInside(ctx, "project.read", "a"), "RequireAt": authz.RequireAt(ctx, "i", "org.read", "org.read"), "MayGive": authz.From(ctx).MayGive([]string{"READER"}),
	} {
		if fault.KindOf(err) != fault.KindUnauthenticated {
			t.Errorf("%s without a caller: %v", name, err)
		}
	}
	if err := authz.Require(authz.AsSystem(ctx, "i"), "whatever", "a"); err != nil {
		t.Errorf("the server itself: %v", err)
	}
}

func TestRequireOnAndInside(t *testing.T) {
	t.Parallel()
	ctx, c := member(t, authz.Membership{Org: "a", Project: "p", Roles: []string{"ON_PROJECTS"}}, authz.Membership{Org: "a", Grant: "g", Roles: []string{"READER"}})
	for _, x := range []struct {
		name string
		got  error
		want string
	}{
		{"its project", authz.RequireOn(ctx, "project.read", authz.Object{Org: "a", Project: "p"}), ""},
		{"one of two", authz.RequireOn(ctx, "project.read", authz.Object{Org: "b", Project: "q"}, authz.Object{Org: "a", Project: "p"}), ""},
		{"another project", authz.RequireOn(ctx, "project.read", authz.Object{Org: "a", Project: "q"}), missing},
		{"a grant", authz.RequireOn(ctx, "org.read", authz.Object{Org: "a", Grant: "g"}), ""},
		{"what hangs on projects", authz.RequireInside(ctx, "project.read", "a"), ""},
		{"to make projects", authz.RequireInside(ctx, "project.create", "a"), missing},
		{"what does not hang on projects", authz.RequireInside(ctx, "org.read", "a"), missing},
		{"inside another organization", authz.RequireInside(ctx, "project.read", "b"), nothing},
		{"inside no organization", authz.RequireInside(ctx, "project.read", ""), missing},
	} {
		if got := is(x.got); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
	if c.Within("a") || !c.Knows(authz.Object{Org: "b"}, authz.Object{Project: "p"}) || c.Knows() {
		t.Error("what the caller may know of")
	}
	if ids, all := c.Orgs(); !slices.Equal(ids, []string{"a", "a"}) || all {
		t.Errorf("the organizations are %v, %v", ids, all)
	}
}

func TestRequireAt(t *testing.T) {
	t.Parallel()
	ctx, c := member(t, authz.Membership{Roles: []string{"WRITER"}})
	if err := authz.RequireAt(ctx, "i", "org.write", "none"); err != nil {
		t.Errorf("at home: %v", err)
	}
	if got := is(authz.RequireAt(ctx, "i", "none", "org.write")); got != missing {
		t.Errorf("at home, by the permission of others: %q", got)
	}
	if got := is(authz.RequireAt(ctx, "j", "org.write", "org.write")); got != nothing {
		t.Errorf("elsewhere: %q", got)
	}
	c.Elsewhere = func(instance string) []authz.Membership {
		if instance == "" {
			return []authz.Membership{{Roles: []string{"READER"}, OfSystem: true}}
		}
		return []authz.Membership{{Roles: []string{"READER"}}}
	}
	for _, x := range []struct {
		name string
		got  error
		want string
	}{
		{"elsewhere, with a membership", authz.RequireAt(ctx, "j", "none", "org.read"), ""},
		{"elsewhere, what it lacks", authz.RequireAt(ctx, "j", "org.read", "org.write"), missing},
		{"on the system", authz.RequireSystem(ctx, "system.instance.read"), ""},
		{"on the system, what it lacks", authz.RequireSystem(ctx, "org.write"), missing},
		{"the instance", authz.RequireInstance(ctx, "org.write"), ""},
	} {
		if got := is(x.got); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
	c.SystemUser, c.Memberships = true, []authz.Membership{{Roles: []string{"SYSTEM_OWNER"}, OfSystem: true}}
	if err := authz.RequireAt(ctx, "i", "none", "system.instance.read"); err != nil {
		t.Errorf("a system user at home, by the other permission: %v", err)
	}
	if got := is(authz.RequireAt(ctx, "i", "none", "no.permission")); got != missing {
		t.Errorf("a system user at home, by neither: %q", got)
	}
}

func TestRequireSure(t *testing.T) {
	t.Parallel()
	ctx, c := member(t)
	unsure := errors.New("unsure")
	if err := authz.RequireSure(t.Context()); err != nil {
		t.Errorf("nobody: %v", err)
	}
	c.Sure = func() error { return unsure }
	if err := authz.RequireSure(ctx); err != nil {
		t.Errorf("a token without a session: %v", err)
	}
	c.SessionID = "s"
	if err := authz.RequireSure(ctx); !errors.Is(err, unsure) {
		t.Errorf("a session: %v", err)
	}
	if c.Sure = nil; is(authz.RequireSure(ctx)) != "AUTH-reauth" {
		t.Error("a session of which nobody can say more")
	}
}

func TestWhere(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, want string
		args       []any
		of         []authz.Membership
	}{
		{"the instance", "1 = 1", nil, []authz.Membership{{Roles: []string{"READER"}}}},
		{"nothing", "(1 = 0)", nil, nil},
		{"the wrong role", "(1 = 0)", nil, []authz.Membership{{Org: "a", Roles: []string{"ON_PROJECTS"}}}},
		{
			"organizations, a project and a grant", "(1 = 0 OR o IN (?, ?) OR p IN (?) OR g IN (?))", []any{"a", "b", "x", "y"},
			[]authz.Membership{{Org: "a", Roles: []string{"WRITER"}}, {Org: "b", Roles: []string{"WRITER"}}, {Org: "c", Project: "x", Roles: []string{"WRITER"}}, {Org: "c", Grant: "y", Roles: []string{"WRITER"}}},
		},
	} {
		permission := "org.write"
		if x.name == "the instance" {
			permission = "org.read"
		}
		ctx, _ := member(t, x.of...)
		if sql, args := authz.WhereOn(ctx, permission, authz.Object{Org: "o", Project: "p", Grant: "g"}); sql != x.want || !reflect.DeepEqual(args, x.args) {
			t.Errorf("%s: %s %v", x.name, sql, args)
		}
	}
	if sql, _ := authz.Where(t.Context(), "org.read", "o"); sql != "1 = 0" {
		t.Errorf("nobody: %s", sql)
	}
	ctx, _ := member(t, authz.Membership{Org: "a", Project: "x", Roles: []string{"READER"}})
	if sql, _ := authz.Where(ctx, "org.read", "o"); sql != "(1 = 0)" {
		t.Errorf("rows without a column of projects: %s", sql)
	}
}

func TestMayGive(t *testing.T) {
	t.Parallel()
	on := authz.Object{Org: "a"}
	for _, x := range []struct {
		name, give, want string
		of               authz.Membership
		on               authz.Object
	}{
		{"no more than it has", "READER", "MEMBER-more", authz.Membership{Org: "a", Roles: []string{"ON_PROJECTS"}}, on},
		{"as much as it has", "WRITER", "", authz.Membership{Org: "a", Roles: []string{"WRITER"}}, on},
		{"as much as it has, elsewhere", "WRITER", "MEMBER-more", authz.Membership{Org: "b", Roles: []string{"WRITER"}}, on},
		{"what is no role", "NO_ROLE", "MEMBER-unknown", authz.Membership{Roles: []string{authz.InstanceOwner}}, on},
		{"all that there is, who owns the instance", "READER", "", authz.Membership{Roles: []string{authz.InstanceOwner}}, on},
		{"all that there is, who owns the organization", "READER", "", authz.Membership{Org: "a", Roles: []string{authz.OrgOwner}}, on},
		{"who owns another organization", "READER", "MEMBER-more", authz.Membership{Org: "b", Roles: []string{authz.OrgOwner}}, on},
		{"an owner's role of less", "READER", "MEMBER-more", authz.Membership{Org: "a", Roles: []string{authz.ProjectOwner}}, on},
		{"who owns the project", "WRITER", "", authz.Membership{Org: "a", Project: "p", Roles: []string{authz.ProjectOwner}}, authz.Object{Org: "a", Project: "p"}},
		{"who owns the grant", "WRITER", "", authz.Membership{Org: "a", Grant: "g", Roles: []string{authz.GrantOwner}}, authz.Object{Org: "a", Grant: "g"}},
	} {
		_, c := member(t, x.of)
		if got := is(c.MayGive([]string{x.give}, x.on)); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
	if err := authz.From(authz.AsSystem(t.Context(), "i")).MayGive([]string{"NO_ROLE"}, on); err != nil {
		t.Errorf("the server itself: %v", err)
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	r := table(t)
	if !r.Known("READER") || r.Known("NO_ROLE") || !r.KnownSystem("SYSTEM_OWNER") || r.KnownSystem("READER") {
		t.Error("which roles are known")
	}
	if !r.KnownPermission("project.create") || !r.KnownPermission("system.instance.read") || r.KnownPermission("none") {
		t.Error("which permissions are known")
	}
	if got := r.WithPrefix("ON_"); !slices.Equal(got, []string{"ON_PROJECTS"}) {
		t.Errorf("with a prefix: %v", got)
	}
	if names := r.Names(); !slices.IsSorted(names) || !slices.Contains(names, "WRITER") {
		t.Errorf("the roles are %v", names)
	}
	_, c := member(t, authz.Membership{Org: "a", Roles: []string{"READER", "WRITER"}}, authz.Membership{Org: "b", Roles: []string{"ON_PROJECTS"}})
	if got := c.Permissions("a"); !slices.Equal(got, []string{"org.read", "org.write"}) {
		t.Errorf("the permissions are %v", got)
	}
	c.Memberships[0].OfSystem = true
	if got := c.Permissions("a"); !slices.Equal(got, []string{"org.read", "org.write", "system.instance.read"}) {
		t.Errorf("of the system, they are %v", got)
	}
}
