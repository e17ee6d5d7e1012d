// Package member says who administers an instance, an organization, a project or a
// grant of one, with one mechanism for all.
//
// It may import policy and what is under it, and no other aggregate.
package member

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("members", "instance_id, kind, object_id, user_id", "created, changed, sequence")
	eventstore.DeclareTable("member_roles", "instance_id, user_id, kind, object_id, role", "org_id, place")
}

// The kinds of what has members, as tables name them.
const (
	OfInstance = "instance"
	OfOrg      = "org"
	OfProject  = "project"
	OfGrant    = "project_grant"
)

// Object is what has members: the instance or the organization of its scope or, where
// those are named, a project of that organization, or a grant of that project.
type Object struct {
	eventstore.Scope
	Project, Grant string
	// GrantedOrg is to whom the grant gives the project.
	GrantedOrg string
}

// Of is the instance or the organization.
func Of(s eventstore.Scope) Object { return Object{Scope: s} }

// Kind is what sort of object it is.
func (o Object) Kind() string {
	switch {
	case o.Grant != "":
		return OfGrant
	case o.Project != "":
		return OfProject
	case o.IsDefault():
		return OfInstance
	}
	return OfOrg
}

// ID is the object's id among those of its kind.
func (o Object) ID() string {
	switch o.Kind() {
	case OfGrant:
		return o.Grant
	case OfProject:
		return o.Project
	}
	return o.Scope.Aggregate().ID
}

// Aggregate is the stream of the events of the object's members.
func (o Object) Aggregate() eventstore.Aggregate {
	if o.Project == "" {
		return o.Scope.Aggregate()
	}
	return eventstore.Aggregate{Instance: o.Instance, Type: "project", ID: o.Project, Owner: o.Org}
}

// On is the object as what permissions are asked on. A grant has two sides.
func (o Object) On() []authz.Object {
	on := []authz.Object{{Org: o.Org, Project: o.Project}}
	if o.Grant != "" {
		on = append(on, authz.Object{Org: o.GrantedOrg, Grant: o.Grant})
	}
	return on
}

// Above is what the object is in, without the object itself.
func (o Object) Above() []authz.Object {
	switch o.Kind() {
	case OfGrant:
		return []authz.Object{{Org: o.Org, Project: o.Project}, {Org: o.GrantedOrg}}
	case OfProject:
		return []authz.Object{{Org: o.Org}}
	}
	return []authz.Object{{}}
}

// Permission is the one that a verb on the object's members needs.
func (o Object) Permission(verb string) string { return Permission(o.Kind(), verb) }

// Permission is the one that a verb on the members of objects of a kind needs.
func Permission(kind, verb string) string {
	return map[string]string{OfInstance: "iam", OfOrg: "org", OfProject: "project", OfGrant: "project.grant"}[kind] + ".member." + verb
}

// Owner is the role of those to whom the object belongs.
func (o Object) Owner() string {
	return map[string]string{OfInstance: authz.InstanceOwner, OfOrg: authz.OrgOwner, OfProject: authz.ProjectOwner, OfGrant: authz.GrantOwner}[o.Kind()]
}

type payload struct {
	GrantID string   `json:"grantId,omitempty"`
	UserID  string   `json:"userId"`
	Roles   []string `json:"roles,omitempty"`
}

// object is the kind and the id of what an event's member is of.
func object(f *eventstore.Fold, p payload) (kind, id string) {
	if p.GrantID != "" {
		return OfGrant, p.GrantID
	}
	return f.Aggregate.Type, f.ID
}

type events struct{ added, changed, removed, cascadeRemoved *eventstore.Kind[payload] }

// maxRoles is the most roles that a member can have.
const maxRoles = 50

var kinds = map[string]events{
	OfInstance: declare("instance."), OfOrg: declare("org."), OfProject: declare("project."), OfGrant: declare("project.grant."),
}

func declare(prefix string) events {
	return events{
		added:          eventstore.Declare(prefix+"member.added", set),
		changed:        eventstore.Declare(prefix+"member.changed", set),
		removed:        eventstore.Declare(prefix+"member.removed", unset),
		cascadeRemoved: eventstore.Declare(prefix+"member.cascade.removed", unset),
	}
}

func unset(f *eventstore.Fold, p payload) error {
	kind, id := object(f, p)
	f.Exec("DELETE FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?", f.Instance, kind, id, p.UserID)
	clearRoles(f, p)
	return nil
}

func set(f *eventstore.Fold, p payload) error {
	kind, id := object(f, p)
	f.Exec(`INSERT INTO members (instance_id, kind, object_id, user_id, created, changed, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance_id, kind, object_id, user_id) DO UPDATE SET changed = excluded.changed, sequence = excluded.sequence`,
		f.Instance, kind, id, p.UserID, f.Micros(), f.Micros(), f.Sequence)
	clearRoles(f, p)
	org, args := "?", []any{f.Owner}
	switch kind {
	case OfInstance:
		args = []any{""}
	case OfGrant:
		org, args = "(SELECT granted_org_id FROM project_grants WHERE instance_id = ? AND grant_id = ?)", []any{f.Instance, id}
	}
	for i, role := range p.Roles {
		f.Exec("INSERT INTO member_roles (instance_id, user_id, kind, object_id, role, place, org_id) VALUES (?, ?, ?, ?, ?, ?, "+org+")",
			append([]any{f.Instance, p.UserID, kind, id, role, i}, args...)...)
	}
	return nil
}

func clearRoles(f *eventstore.Fold, p payload) {
	kind, id := object(f, p)
	f.Exec("DELETE FROM member_roles WHERE instance_id = ? AND user_id = ? AND kind = ? AND object_id = ?", f.Instance, p.UserID, kind, id)
}

func memberQuery(o Object, userID string, member *bool) database.Query {
	return database.Query{
		SQL:  "SELECT user_id FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?",
		Args: []any{o.Instance, o.Kind(), o.ID(), userID},
		Row:  func(database.Scan) error { *member = true; return nil },
	}
}

// lock holds the object, checks the caller and reads the user's present roles.
func lock(tx *eventstore.Tx, o Object, userID, verb string) (member bool, roles []string, err error) {
	_, err = tx.Lock(o.Aggregate(),
		memberQuery(o, userID, &member),
		database.Query{
			SQL:  "SELECT role FROM member_roles WHERE instance_id = ? AND user_id = ? AND kind = ? AND object_id = ? ORDER BY place",
			Args: []any{o.Instance, userID, o.Kind(), o.ID()},
			Row: func(scan database.Scan) error {
				var role string
				err := scan(&role)
				roles = append(roles, role)
				return err
			},
		})
	if err != nil {
		return false, nil, err
	}
	if o.Project != "" { // That the caller may know of it, who named it has asked.
		return member, roles, authz.RequireOn(tx.Context(), o.Permission(verb), o.On()...)
	}
	return member, roles, authz.Require(tx.Context(), o.Permission(verb), o.Org)
}

// fits reports whether a role can be given to members of the object.
func fits(o Object, role string) bool {
	ofGrant := strings.HasPrefix(role, "PROJECT_GRANT_")
	switch o.Kind() {
	case OfInstance:
		return strings.HasPrefix(role, "IAM_")
	case OfOrg:
		return strings.HasPrefix(role, "ORG_") || strings.HasPrefix(role, "SELF_")
	case OfGrant:
		return ofGrant
	}
	return strings.HasPrefix(role, "PROJECT_") && !ofGrant
}

// RolesOf lists the roles that a member of the object can have.
func RolesOf(o Object, roles *authz.Roles) []string {
	return slices.DeleteFunc(roles.Names(), func(role string) bool { return !fits(o, role) })
}

// check says whether the roles are ones for the object.
func check(o Object, roles []string) error {
	if len(roles) == 0 || len(roles) > maxRoles {
		return fault.Invalid("MEMBER-none", "Name 1 to %d roles.", maxRoles)
	}
	seen := map[string]bool{}
	for _, role := range roles {
		if !fits(o, role) || seen[role] {
			return fault.Invalid("MEMBER-role", "The role %s cannot be given here, or is named twice.", role)
		}
		seen[role] = true
	}
	return nil
}

// Add makes the user a member with the roles. That the user exists is the
// caller's to know.
func Add(tx *eventstore.Tx, o Object, userID string, roles []string) (eventstore.Details, error) {
	member, _, err := lock(tx, o, userID, "write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if member {
		return eventstore.Details{}, errExists
	}
	if err := check(o, roles); err != nil {
		return eventstore.Details{}, err
	}
	if err := authz.From(tx.Context()).MayGive(roles, o.On()...); err != nil {
		return eventstore.Details{}, err
	}
	return kinds[o.Kind()].added.Emit(tx, o.Aggregate(), payload{o.Grant, userID, roles})
}

// Change gives the member other roles instead.
func Change(tx *eventstore.Tx, o Object, userID string, roles []string) (eventstore.Details, error) {
	member, old, err := lock(tx, o, userID, "write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if !member {
		return eventstore.Details{}, errMissing
	}
	if err := check(o, roles); err != nil {
		return eventstore.Details{}, err
	}
	if err := authz.From(tx.Context()).MayGive(roles, o.On()...); err != nil {
		return eventstore.Details{}, err
	}
	if slices.Equal(old, roles) {
		return eventstore.Details{}, errSame
	}
	return kinds[o.Kind()].changed.Emit(tx, o.Aggregate(), payload{o.Grant, userID, roles})
}

// AddFirst makes the user a member of an organization or a project that the same
// transaction makes: who may make one may say who administers it.
func AddFirst(tx *eventstore.Tx, o Object, userID string, roles []string) (eventstore.Details, error) {
	if err := check(o, roles); err != nil {
		return eventstore.Details{}, err
	}
	for _, role := range roles {
		if c := authz.From(tx.Context()); c.Roles != nil && !c.Roles.Known(role) {
			return eventstore.Details{}, fault.Invalid("MEMBER-unknown", "There is no role %s.", role)
		}
	}
	member := false
	if _, err := tx.Lock(o.Aggregate(), memberQuery(o, userID, &member)); err != nil {
		return eventstore.Details{}, err
	}
	if member {
		return eventstore.Details{}, errExists
	}
	return kinds[o.Kind()].added.Emit(tx, o.Aggregate(), payload{o.Grant, userID, roles})
}

// Remove ends the membership.
func Remove(tx *eventstore.Tx, o Object, userID string) (eventstore.Details, error) {
	member, _, err := lock(tx, o, userID, "delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	if !member {
		return eventstore.Details{}, errMissing
	}
	return kinds[o.Kind()].removed.Emit(tx, o.Aggregate(), payload{GrantID: o.Grant, UserID: userID})
}

// RemoveEverywhere ends all memberships of a user who is being removed, which is
// what the caller has the permission for.
func RemoveEverywhere(tx *eventstore.Tx, instance, userID string) error {
	var objects []Object
	err := tx.Read(database.Query{
		SQL: `SELECT mb.kind, mb.object_id, COALESCE(p.project_id, ''), COALESCE(p.org_id, '') FROM members mb
			LEFT JOIN project_grants g ON mb.kind = 'project_grant' AND g.instance_id = mb.instance_id AND g.grant_id = mb.object_id
			LEFT JOIN projects p ON p.instance_id = mb.instance_id AND (mb.kind = 'project' AND p.project_id = mb.object_id OR p.project_id = g.project_id)
			WHERE mb.instance_id = ? AND mb.user_id = ? ORDER BY mb.kind, mb.object_id`,
		Args: []any{instance, userID},
		Row: func(scan database.Scan) error {
			var kind, id string
			o := Of(eventstore.Scope{Instance: instance})
			err := scan(&kind, &id, &o.Project, &o.Org)
			switch kind {
			case OfOrg:
				o.Org = id
			case OfGrant:
				o.Grant = id
			}
			objects = append(objects, o)
			return err
		},
	})
	for _, o := range objects {
		if err == nil {
			_, err = kinds[o.Kind()].cascadeRemoved.Emit(tx, o.Aggregate(), payload{GrantID: o.Grant, UserID: userID})
		}
	}
	return err
}

var errExists = fault.AlreadyExists("MEMBER-exists", "The user is a member already.")

var (
	errMissing = fault.NotFound("MEMBER-missing", "The user is no member.")
	errSame    = fault.Precondition("MEMBER-unchanged", "The member has these roles already.")
)

// Unchanged reports whether err says that the member has the roles already.
func Unchanged(err error) bool { return errors.Is(err, errSame) }

// Missing reports whether err says that the user is no member.
func Missing(err error) bool { return errors.Is(err, errMissing) }

// Details tells a verb that changes a member when that happened last.
func Details(tx *eventstore.Tx, o Object, userID string) (eventstore.Details, error) {
	found := false
	d := eventstore.Details{Owner: o.Aggregate().Owner}
	var created, changed int64
	err := tx.Read(database.One(&found, "SELECT created, changed, sequence FROM members WHERE instance_id = ? AND kind = ? AND object_id = ? AND user_id = ?",
		[]any{o.Instance, o.Kind(), o.ID(), userID}, &created, &changed, &d.Sequence))
	if err == nil && !found {
		err = errMissing
	}
	d.Created, d.Changed = time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
	return d, err
}
