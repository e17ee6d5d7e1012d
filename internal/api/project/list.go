package project

import (
	"context"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/project"
)

func (h *Handlers) lists() []api.RPC {
	return []api.RPC{
		api.Unary("ListProjects", h.listProjects),
		api.Unary("ListProjectRoles", h.listProjectRoles),
		api.Unary("ListProjectGrants", h.listProjectGrants),
	}
}

var columns = map[pb.ProjectFieldName]string{
	pb.ProjectFieldName_PROJECT_FIELD_NAME_UNSPECIFIED:   project.SortCreated,
	pb.ProjectFieldName_PROJECT_FIELD_NAME_ID:            project.SortID,
	pb.ProjectFieldName_PROJECT_FIELD_NAME_CREATION_DATE: project.SortCreated,
	pb.ProjectFieldName_PROJECT_FIELD_NAME_CHANGE_DATE:   project.SortChanged,
	pb.ProjectFieldName_PROJECT_FIELD_NAME_NAME:          project.SortName,
}

func (h *Handlers) listProjects(ctx context.Context, r *pb.ListProjectsRequest) (*pb.ListProjectsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), columns, r.GetSortingColumn(), r.GetFilters(), filter)
	if err != nil {
		return nil, err
	}
	l, err := project.All(ctx, h.store, scope(ctx).Instance, p, by, filters...)
	return &pb.ListProjectsResponse{Pagination: api.Paginated(l.Total, p), Projects: api.Each(l.Rows, message)}, err
}

func message(p project.Listed) *pb.Project {
	out := &pb.Project{
		ProjectId: p.ID, OrganizationId: p.Org, CreationDate: api.Timestamp(p.Details.Created), ChangeDate: api.Timestamp(p.Details.Changed),
		Name: p.Name, State: pb.ProjectState(p.State), ProjectRoleAssertion: p.RoleAssertion, //nolint:gosec // a small number
		AuthorizationRequired: p.RoleCheck, ProjectAccessRequired: p.OrgCheck,
		PrivateLabelingSetting: pb.PrivateLabelingSetting(p.PrivateLabeling), //nolint:gosec // a small number
	}
	if p.GrantedOrg != "" {
		out.GrantedOrganizationId, out.GrantedOrganizationName = &p.GrantedOrg, &p.GrantedName
		out.GrantedState = pb.GrantedProjectState(p.GrantState) //nolint:gosec // a small number
	}
	return out
}

func filter(q *pb.ProjectSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.ProjectSearchFilter_ProjectNameFilter:
		return byName(f.ProjectNameFilter), nil
	case *pb.ProjectSearchFilter_InProjectIdsFilter:
		return api.InIDs(project.WithID, f.InProjectIdsFilter.GetIds())
	case *pb.ProjectSearchFilter_OrganizationIdFilter:
		return ofOrganization(f.OrganizationIdFilter)
	}
	return nil, api.ErrFilter
}

func byName(f *pb.ProjectNameFilter) database.Filter {
	return project.ByName(database.TextMethod(f.GetMethod()), f.GetProjectName())
}

func ofOrganization(f *pb.ProjectOrganizationIDFilter) (database.Filter, error) {
	owned, granted := project.Owned(f.GetOrganizationId()), project.Granted(f.GetOrganizationId())
	switch f.GetType() {
	case pb.ProjectOrganizationIDFilter_OWNED:
		return owned, nil
	case pb.ProjectOrganizationIDFilter_GRANTED:
		return granted, nil
	case pb.ProjectOrganizationIDFilter_TYPE_UNSPECIFIED, pb.ProjectOrganizationIDFilter_OWNED_OR_GRANTED:
		return database.AnyOf(owned, granted), nil
	}
	return nil, api.ErrFilter
}

var roleColumns = map[pb.ProjectRoleFieldName]string{
	pb.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_UNSPECIFIED:   project.SortRoleCreated,
	pb.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_KEY:           project.SortRoleKey,
	pb.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_CREATION_DATE: project.SortRoleCreated,
	pb.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_CHANGE_DATE:   project.SortRoleChanged,
}

func (h *Handlers) listProjectRoles(ctx context.Context, r *pb.ListProjectRolesRequest) (*pb.ListProjectRolesResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), roleColumns, r.GetSortingColumn(), r.GetFilters(), roleFilter)
	if err != nil {
		return nil, err
	}
	l, err := project.Roles(ctx, h.store, scope(ctx).Instance, r.GetProjectId(), p, by, filters...)
	return &pb.ListProjectRolesResponse{Pagination: api.Paginated(l.Total, p), ProjectRoles: api.Each(l.Rows, role)}, err
}

func role(r project.Role) *pb.ProjectRole {
	return &pb.ProjectRole{
		ProjectId: r.Project, Key: r.Key, DisplayName: r.DisplayName, Group: r.Group,
		CreationDate: api.Timestamp(r.Details.Created), ChangeDate: api.Timestamp(r.Details.Changed),
	}
}

func roleFilter(q *pb.ProjectRoleSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.ProjectRoleSearchFilter_RoleKeyFilter:
		return project.RoleByKey(database.TextMethod(f.RoleKeyFilter.GetMethod()), f.RoleKeyFilter.GetKey()), nil
	case *pb.ProjectRoleSearchFilter_DisplayNameFilter:
		return project.RoleByName(database.TextMethod(f.DisplayNameFilter.GetMethod()), f.DisplayNameFilter.GetDisplayName()), nil
	}
	return nil, api.ErrFilter
}

var grantColumns = map[pb.ProjectGrantFieldName]string{
	pb.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_UNSPECIFIED:   project.SortGrantCreated,
	pb.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_PROJECT_ID:    project.SortGrantProject,
	pb.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_CREATION_DATE: project.SortGrantCreated,
	pb.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_CHANGE_DATE:   project.SortGrantChanged,
}

func (h *Handlers) listProjectGrants(ctx context.Context, r *pb.ListProjectGrantsRequest) (*pb.ListProjectGrantsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), grantColumns, r.GetSortingColumn(), r.GetFilters(), grantFilter)
	if err != nil {
		return nil, err
	}
	l, err := project.Grants(ctx, h.store, scope(ctx).Instance, "project.grant.read", p, by, filters...)
	return &pb.ListProjectGrantsResponse{Pagination: api.Paginated(l.Total, p), ProjectGrants: api.Each(l.Rows, grantMessage)}, err
}

func grantMessage(g project.Grant) *pb.ProjectGrant {
	return &pb.ProjectGrant{
		OrganizationId: g.Org, CreationDate: api.Timestamp(g.Details.Created), ChangeDate: api.Timestamp(g.Details.Changed),
		GrantedOrganizationId: g.GrantedOrg, GrantedOrganizationName: g.GrantedName, GrantedRoleKeys: g.Roles,
		ProjectId: g.Project, ProjectName: g.ProjectName, State: pb.ProjectGrantState(g.State), //nolint:gosec // a small number
	}
}

func grantFilter(q *pb.ProjectGrantSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.ProjectGrantSearchFilter_ProjectNameFilter:
		return byName(f.ProjectNameFilter), nil
	case *pb.ProjectGrantSearchFilter_RoleKeyFilter:
		return project.GrantWithRole(database.TextMethod(f.RoleKeyFilter.GetMethod()), f.RoleKeyFilter.GetKey()), nil
	case *pb.ProjectGrantSearchFilter_InProjectIdsFilter:
		return api.InIDs(project.WithID, f.InProjectIdsFilter.GetIds())
	case *pb.ProjectGrantSearchFilter_OrganizationIdFilter:
		return byID(project.GrantOfOrg, f.OrganizationIdFilter), nil
	case *pb.ProjectGrantSearchFilter_GrantedOrganizationIdFilter:
		return byID(project.GrantTo, f.GrantedOrganizationIdFilter), nil
	}
	return nil, api.ErrFilter
}

func byID(of func(string) database.Filter, f *filterpb.IDFilter) database.Filter {
	return of(f.GetId())
}
