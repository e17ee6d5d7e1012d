package project

import (
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// maxRoles is the most roles that a project can have.
const maxRoles = 1000

// Role is what users can be in a project.
type Role struct {
	Project, Key, DisplayName, Group string
	Details                          eventstore.Details
}

type roleEvent struct {
	Key         string `json:"key"`
	DisplayName string `json:"displayName,omitempty"`
	Group       string `json:"group,omitempty"`
}

// roleChange holds what changed; the rest stayed.
type roleChange struct {
	Key         string  `json:"key"`
	DisplayName *string `json:"displayName,omitempty"`
	Group       *string `json:"group,omitempty"`
}

// The events of a project's roles.
var (
	RoleAdded = eventstore.Declare("project.role.added", func(f *eventstore.Fold, e roleEvent) error {
		f.Exec(`INSERT INTO project_roles (instance_id, project_id, role_key, role_key_lower, display_name, display_name_lower, role_group, created, changed, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			f.Instance, f.ID, e.Key, strings.ToLower(e.Key), e.DisplayName, strings.ToLower(e.DisplayName), e.Group, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	RoleChanged = eventstore.Declare("project.role.changed", func(f *eventstore.Fold, e roleChange) error {
		const where = ", changed = ?, sequence = ? WHERE instance_id = ? AND project_id = ? AND role_key = ?"
		if e.DisplayName != nil {
			f.Exec("UPDATE project_roles SET display_name = ?, display_name_lower = ?"+where,
				*e.DisplayName, strings.ToLower(*e.DisplayName), f.Micros(), f.Sequence, f.Instance, f.ID, e.Key)
		}
		if e.Group != nil {
			f.Exec("UPDATE project_roles SET role_group = ?"+where, *e.Group, f.Micros(), f.Sequence, f.Instance, f.ID, e.Key)
		}
		return nil
	})
	RoleRemoved = eventstore.Declare("project.role.removed", func(f *eventstore.Fold, e roleEvent) error {
		f.Exec("DELETE FROM project_roles WHERE instance_id = ? AND project_id = ? AND role_key = ?", f.Instance, f.ID, e.Key)
		return nil
	})
)

var (
	errRole        = fault.Invalid("PROJECT-role", "A role needs a key of 1 to 200 bytes without white space, a display name of 1 to 200 characters, and a group of 200 at most.")
	errRoleExists  = fault.AlreadyExists("PROJECT-role-exists", "The project has this role already, or it is named twice.")
	errRoleMissing = fault.NotFound("PROJECT-role-missing", "The project has no such role.")
	errRoleSame    = fault.Precondition("PROJECT-role-unchanged", "The role is like this already.")
	errRoleBusy    = fault.New(fault.KindAborted, "PROJECT-role-busy", "The role was removed, and not all users are rid of it yet. Try again.")
)

// check says whether the role is well formed. Keys are written into scopes and
// claims, where white space separates.
func (r Role) check() error {
	name := len([]rune(r.DisplayName))
	if r.Key == "" || len(r.Key) > 200 || strings.ContainsAny(r.Key, " \t\r\n") || name == 0 || name > 200 || len([]rune(r.Group)) > 200 {
		return errRole
	}
	return nil
}

// rolesOf reads the roles of a project by key.
func rolesOf(tx *eventstore.Tx, s eventstore.Scope, id string) (map[string]Role, error) {
	roles := map[string]Role{}
	err := tx.Read(database.From(roleColumns, "project_roles r JOIN projects p ON p.instance_id = r.instance_id AND p.project_id = r.project_id").
		Where("r.instance_id = ? AND r.project_id = ?", s.Instance, id).
		Rows(func(scan database.Scan) error {
			var r Role
			err := scanRole(scan, &r)
			roles[r.Key] = r
			return err
		}))
	return roles, err
}

// AddRoles adds roles to a project, all or none.
func AddRoles(tx *eventstore.Tx, s eventstore.Scope, id string, roles ...Role) (d eventstore.Details, err error) {
	p, err := lock(tx, s, id, "project.role.write")
	if err != nil {
		return d, err
	}
	has, err := rolesOf(tx, s, id)
	if err != nil {
		return d, err
	}
	if len(roles) == 0 || len(has)+len(roles) > maxRoles {
		return d, fault.Invalid("PROJECT-roles", "Name at least one role. A project can have %d.", maxRoles)
	}
	if err := notHaunted(tx, s, id, roles); err != nil {
		return d, err
	}
	for _, r := range roles {
		if err := r.check(); err != nil {
			return d, err
		}
		if _, exists := has[r.Key]; exists {
			return d, errRoleExists
		}
		has[r.Key] = r
		if d, err = RoleAdded.Emit(tx, p.aggregate(s), roleEvent{r.Key, r.DisplayName, r.Group}); err != nil {
			return d, err
		}
	}
	// What is new was created with its first event, and not with the project's.
	d.Created = tx.Now()
	return d, nil
}

// notHaunted refuses roles like those that were removed and that users have still: they
// would have the new ones.
func notHaunted(tx *eventstore.Tx, s eventstore.Scope, id string, roles []Role) error {
	var keys []string
	for _, r := range roles {
		keys = append(keys, r.Key)
	}
	haunted := false
	err := tx.Read(database.From("grant_id", "user_grant_roles").Where("instance_id = ? AND project_id = ?", s.Instance, id).In("role_key", keys).Page(0, 1).
		Rows(func(database.Scan) error { haunted = true; return nil }))
	if err == nil && haunted {
		err = errRoleBusy
	}
	return err
}

// ChangeRole gives a role another name or group: edit changes them.
func ChangeRole(tx *eventstore.Tx, s eventstore.Scope, id, key string, edit func(*Role)) (eventstore.Details, error) {
	p, r, err := lockRole(tx, s, id, key, "project.role.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	n := r
	edit(&n)
	if err := n.check(); err != nil {
		return eventstore.Details{}, err
	}
	e := roleChange{key, diff(r.DisplayName, n.DisplayName), diff(r.Group, n.Group)}
	if e.DisplayName == nil && e.Group == nil {
		return r.Details, errRoleSame
	}
	return RoleChanged.Emit(tx, p.aggregate(s), e)
}

func lockRole(tx *eventstore.Tx, s eventstore.Scope, id, key, permission string) (Project, Role, error) {
	p, err := lock(tx, s, id, permission)
	if err != nil {
		return p, Role{}, err
	}
	roles, err := rolesOf(tx, s, id)
	if err != nil {
		return p, Role{}, err
	}
	r, found := roles[key]
	if !found {
		return p, r, errRoleMissing
	}
	return p, r, nil
}

// RemoveRole ends a role, also in the grants of the project.
func RemoveRole(tx *eventstore.Tx, s eventstore.Scope, id, key string) (eventstore.Details, error) {
	p, _, err := lockRole(tx, s, id, key, "project.role.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	d, err := RoleRemoved.Emit(tx, p.aggregate(s), roleEvent{Key: key})
	if err != nil {
		return d, err
	}
	return d, withdraw(tx, s, p, key)
}
