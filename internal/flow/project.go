package flow

import (
	"context"
	"slices"

	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/project"
)

// AddProject makes a project of an organization. Who makes one owns it, as users of
// the instance do; others than those cannot be members.
func AddProject(tx *eventstore.Tx, s eventstore.Scope, id string, p project.Settings) (eventstore.Details, error) {
	d, err := project.Add(tx, s, id, p)
	if err == nil {
		err = orgExists(tx, s)
	}
	c := authz.From(tx.Context())
	if err != nil || c.System || c.SystemUser {
		return d, err
	}
	return member.AddFirst(tx, member.Object{Scope: s, Project: id}, c.UserID, []string{authz.ProjectOwner})
}

// RemoveProject ends a project with all that hangs on it.
func RemoveProject(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	d, err := project.Remove(tx, s, id)
	if err == nil {
		err = followLost(tx, s.Instance, authorization.Lost{ProjectID: id})
	}
	return d, err
}

// RemoveProjectRole ends a role of a project wherever it was given.
func RemoveProjectRole(tx *eventstore.Tx, s eventstore.Scope, id, key string) (eventstore.Details, error) {
	d, err := project.RemoveRole(tx, s, id, key)
	if err == nil {
		err = followLost(tx, s.Instance, authorization.Lost{ProjectID: id, Roles: []string{key}})
	}
	return d, err
}

// AddProjectGrant grants a project to another organization of the instance.
func AddProjectGrant(tx *eventstore.Tx, s eventstore.Scope, projectID, grantID, grantedOrg string, roles []string) (eventstore.Details, error) {
	d, err := project.AddGrant(tx, s, projectID, grantID, grantedOrg, roles)
	if err != nil {
		return d, err
	}
	granted := eventstore.Scope{Instance: s.Instance, Org: grantedOrg}
	// Under this lock the organization cannot be removed meanwhile.
	if _, err := tx.Lock(granted.Aggregate()); err != nil {
		return d, err
	}
	return d, orgExists(tx, granted)
}

// RemoveProjectGrant ends a grant with all that hangs on it.
func RemoveProjectGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w project.Which) (eventstore.Details, error) {
	g, err := project.HoldGrant(tx, s, projectID, w)
	if err != nil {
		return eventstore.Details{}, err
	}
	d, err := project.RemoveGrant(tx, s, projectID, w)
	if err == nil {
		err = followLost(tx, s.Instance, authorization.Lost{ProjectID: projectID, ProjectGrantID: g.ID})
	}
	return d, err
}

// ChangeProjectGrant gives a grant other roles instead. Users who had those that are
// gone have them no more.
func ChangeProjectGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w project.Which, roles []string) (eventstore.Details, error) {
	g, err := project.HoldGrant(tx, s, projectID, w)
	if err != nil {
		return eventstore.Details{}, err
	}
	d, err := project.ChangeGrant(tx, s, projectID, w, roles)
	gone := slices.DeleteFunc(g.Roles, func(key string) bool { return slices.Contains(roles, key) })
	if err == nil && len(gone) > 0 {
		err = followLost(tx, s.Instance, authorization.Lost{ProjectID: projectID, ProjectGrantID: g.ID, Roles: gone})
	}
	return d, err
}

// OnProject holds a project and gives it as what has members.
func OnProject(tx *eventstore.Tx, s eventstore.Scope, id string) (member.Object, error) {
	p, err := project.Hold(tx, s, id)
	return member.Object{Scope: eventstore.Scope{Instance: s.Instance, Org: p.Org}, Project: id}, err
}

// OnGrant holds a grant of a project and gives it as what has members.
func OnGrant(tx *eventstore.Tx, s eventstore.Scope, projectID string, w project.Which) (member.Object, error) {
	g, err := project.HoldGrant(tx, s, projectID, w)
	return grantObject(s.Instance, g), err
}

func grantObject(instance string, g project.Grant) member.Object {
	return member.Object{Scope: eventstore.Scope{Instance: instance, Org: g.Org}, Project: g.Project, Grant: g.ID, GrantedOrg: g.GrantedOrg}
}

// removeProjects ends some of the projects of an organization that is gone, and of
// the grants that it got. It reports whether there may be more.
func removeProjects(tx *eventstore.Tx, instance, org string) (more bool, err error) {
	n, err := project.RemoveSomeOf(tx, instance, org, removeBatch)
	return n == removeBatch, err
}

// ProjectMembers lists the members of a project of the organization s or, where that is
// named, of a grant that s gave or got: those that the caller may read.
func ProjectMembers(ctx context.Context, r database.Reader, s eventstore.Scope, projectID, grantID string, p database.Page, filters ...database.Filter) (database.Listing[Member], error) {
	visible, args := objectVisible(ctx, func(kind string) string { return member.Permission(kind, "read") })
	q := memberList(s.Instance, objectJoins).Where(visible, args...).Filter(filters...)
	if grantID == "" {
		q.Where("mb.kind = 'project' AND mb.object_id = ? AND pj.org_id = ?", projectID, s.Org)
	} else {
		q.Where("mb.kind = 'project_grant' AND mb.object_id = ? AND gr.project_id = ? AND ? IN (pj.org_id, gr.granted_org_id)", grantID, projectID, s.Org)
	}
	return database.List(ctx, r, q, p, []string{SortMemberCreated, SortMemberUser}, scanMember(s.Org))
}
