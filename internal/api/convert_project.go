package api

import (
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v1"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/project"
)

// Project is a project as v1 shows it.
func Project(p project.Project) *projectpb.Project {
	return &projectpb.Project{
		Id: p.ID, Details: View(p.Details), Name: p.Name, State: projectpb.ProjectState(p.State), //nolint:gosec // a small number
		ProjectRoleAssertion: p.RoleAssertion, ProjectRoleCheck: p.RoleCheck, HasProjectCheck: p.OrgCheck,
		PrivateLabelingSetting: projectpb.PrivateLabelingSetting(p.PrivateLabeling), //nolint:gosec // a small number
	}
}

// ProjectFilter is a filter of v1 for projects, and for grants of them.
func ProjectFilter(q *projectpb.ProjectQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *projectpb.ProjectQuery_NameQuery:
		return project.ByName(database.TextMethod(f.NameQuery.GetMethod()), f.NameQuery.GetName()), nil
	case *projectpb.ProjectQuery_ProjectResourceOwnerQuery:
		return project.OfOrg(f.ProjectResourceOwnerQuery.GetResourceOwner()), nil
	}
	return nil, ErrFilter
}

// ProjectRole is a role of a project as v1 shows it.
func ProjectRole(r project.Role) *projectpb.Role {
	return &projectpb.Role{Key: r.Key, Details: View(r.Details), DisplayName: r.DisplayName, Group: r.Group}
}

// ProjectRoleFilter is a filter of v1 for roles of a project.
func ProjectRoleFilter(q *projectpb.RoleQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *projectpb.RoleQuery_KeyQuery:
		return project.RoleByKey(database.TextMethod(f.KeyQuery.GetMethod()), f.KeyQuery.GetKey()), nil
	case *projectpb.RoleQuery_DisplayNameQuery:
		return project.RoleByName(database.TextMethod(f.DisplayNameQuery.GetMethod()), f.DisplayNameQuery.GetDisplayName()), nil
	}
	return nil, ErrFilter
}

// GrantedProject is a grant of a project as v1 shows it.
func GrantedProject(g project.Grant) *projectpb.GrantedProject {
	return &projectpb.GrantedProject{
		GrantId: g.ID, GrantedOrgId: g.GrantedOrg, GrantedOrgName: g.GrantedName, GrantedRoleKeys: g.Roles,
		State: projectpb.ProjectGrantState(g.State), ProjectId: g.Project, ProjectName: g.ProjectName, //nolint:gosec // a small number
		ProjectOwnerId: g.Org, ProjectOwnerName: g.OrgName, Details: View(g.Details),
	}
}

// ProjectGrantFilter is a filter of v1 for the grants of one project.
func ProjectGrantFilter(q *projectpb.ProjectGrantQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *projectpb.ProjectGrantQuery_ProjectNameQuery:
		return project.ByName(database.TextMethod(f.ProjectNameQuery.GetMethod()), f.ProjectNameQuery.GetName()), nil
	case *projectpb.ProjectGrantQuery_RoleKeyQuery:
		return project.GrantWithRole(database.TextMethod(f.RoleKeyQuery.GetMethod()), f.RoleKeyQuery.GetRoleKey()), nil
	}
	return nil, ErrFilter
}

// AllProjectGrantFilter is a filter of v1 for grants of any project.
func AllProjectGrantFilter(q *projectpb.AllProjectGrantQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *projectpb.AllProjectGrantQuery_ProjectNameQuery:
		return project.ByName(database.TextMethod(f.ProjectNameQuery.GetMethod()), f.ProjectNameQuery.GetName()), nil
	case *projectpb.AllProjectGrantQuery_RoleKeyQuery:
		return project.GrantWithRole(database.TextMethod(f.RoleKeyQuery.GetMethod()), f.RoleKeyQuery.GetRoleKey()), nil
	case *projectpb.AllProjectGrantQuery_ProjectIdQuery:
		return project.WithID(f.ProjectIdQuery.GetProjectId()), nil
	case *projectpb.AllProjectGrantQuery_GrantedOrgIdQuery:
		return project.GrantTo(f.GrantedOrgIdQuery.GetGrantedOrgId()), nil
	}
	return nil, ErrFilter
}
