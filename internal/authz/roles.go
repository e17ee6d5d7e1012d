package authz

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed roles.yaml
var builtin []byte

// Roles is the table of what each role may do.
type Roles struct {
	member, system map[string]map[string]bool
}

// Builtin gives the roles that ship with Gatehouse, with each role in replace
// standing for its own list of permissions instead.
func Builtin(replace map[string][]string) (*Roles, error) {
	var file struct {
		Roles       map[string][]string `yaml:"roles"`
		SystemRoles map[string][]string `yaml:"system_roles"`
	}
	if err := yaml.Unmarshal(builtin, &file); err != nil {
		return nil, fmt.Errorf("roles: %w", err)
	}
	maps.Copy(file.Roles, replace)
	return &Roles{member: sets(file.Roles), system: sets(file.SystemRoles)}, nil
}

func sets(lists map[string][]string) map[string]map[string]bool {
	out := make(map[string]map[string]bool, len(lists))
	for role, permissions := range lists {
		set := make(map[string]bool, len(permissions))
		for _, p := range permissions {
			set[p] = true
		}
		out[role] = set
	}
	return out
}

func (r *Roles) of(systemUser bool) map[string]map[string]bool {
	if systemUser {
		return r.system
	}
	return r.member
}

func (r *Roles) grant(roles []string, permission string, systemUser bool) bool {
	table := r.of(systemUser)
	for _, role := range roles {
		if table[role][permission] {
			return true
		}
	}
	return false
}

// Known reports whether a member can have the role.
func (r *Roles) Known(role string) bool { return r.member[role] != nil }

// KnownSystem reports whether a system user can have the role.
func (r *Roles) KnownSystem(role string) bool { return r.system[role] != nil }

// KnownPermission reports whether any role holds the permission.
func (r *Roles) KnownPermission(name string) bool {
	for _, table := range []map[string]map[string]bool{r.member, r.system} {
		for _, permissions := range table {
			if permissions[name] {
				return true
			}
		}
	}
	return false
}

// WithPrefix lists the member roles whose names start with prefix, sorted.
func (r *Roles) WithPrefix(prefix string) []string {
	var out []string
	for role := range r.member {
		if strings.HasPrefix(role, prefix) {
			out = append(out, role)
		}
	}
	slices.Sort(out)
	return out
}

// Names lists every member role, sorted.
func (r *Roles) Names() []string { return slices.Sorted(maps.Keys(r.member)) }
