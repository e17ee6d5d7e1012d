// Package permission is version 2 of the service for administrators. Every call
// names what is administered, and the caller's permissions there decide.
package permission

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/internal_permission/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/project"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists what is built of the service.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "zitadel.internal_permission.v2.InternalPermissionService", RPCs: []api.RPC{
		api.Unary("ListAdministrators", h.listAdministrators),
		api.Unary("CreateAdministrator", h.createAdministrator),
		api.Unary("UpdateAdministrator", h.updateAdministrator),
		api.Unary("DeleteAdministrator", h.deleteAdministrator),
	}}
}

var errResource = fault.Invalid("MEMBER-resource", "Name the resource: the instance, or the id of an organization, of a project, or of a project and of the organization that it is granted to.")

// object is what a request names, held until the commit where it is of a project.
func object(tx *eventstore.Tx, r *pb.ResourceType) (member.Object, error) {
	s := eventstore.Scope{Instance: authz.From(tx.Context()).Instance}
	switch resource := r.GetResource().(type) {
	case *pb.ResourceType_Instance:
		return member.Of(s), nil
	case *pb.ResourceType_OrganizationId:
		if s.Org = resource.OrganizationId; s.Org != "" {
			return member.Of(s), nil
		}
	case *pb.ResourceType_ProjectId:
		if resource.ProjectId != "" {
			return flow.OnProject(tx, s, resource.ProjectId)
		}
	case *pb.ResourceType_ProjectGrant_:
		if g := resource.ProjectGrant; g.GetProjectId() != "" && g.GetOrganizationId() != "" {
			return flow.OnGrant(tx, s, g.GetProjectId(), project.Which{GrantedOrg: g.GetOrganizationId()})
		}
	}
	return member.Of(s), errResource
}

// write runs a verb on what a request names in a transaction.
func (h *Handlers) write(ctx context.Context, r interface{ GetResource() *pb.ResourceType }, verb func(*eventstore.Tx, member.Object) (eventstore.Details, error)) (*timestamppb.Timestamp, error) {
	var d eventstore.Details
	err := h.store.Write(ctx, func(tx *eventstore.Tx) error {
		o, err := object(tx, r.GetResource())
		if err != nil {
			return err
		}
		d, err = verb(tx, o)
		return err
	})
	return timestamppb.New(d.Changed), err
}

func (h *Handlers) createAdministrator(ctx context.Context, r *pb.CreateAdministratorRequest) (*pb.CreateAdministratorResponse, error) {
	at, err := h.write(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.AddAdministrator(tx, o, r.GetUserId(), r.GetRoles())
	})
	return &pb.CreateAdministratorResponse{CreationDate: at}, err
}

func (h *Handlers) updateAdministrator(ctx context.Context, r *pb.UpdateAdministratorRequest) (*pb.UpdateAdministratorResponse, error) {
	at, err := h.write(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.SetAdministrator(tx, o, r.GetUserId(), r.GetRoles())
	})
	return &pb.UpdateAdministratorResponse{ChangeDate: at}, err
}

// deleteAdministrator is satisfied with a user who is no administrator.
func (h *Handlers) deleteAdministrator(ctx context.Context, r *pb.DeleteAdministratorRequest) (*pb.DeleteAdministratorResponse, error) {
	at, err := h.write(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.RemoveMember(tx, o, r.GetUserId())
	})
	if member.Missing(err) {
		return &pb.DeleteAdministratorResponse{}, nil
	}
	return &pb.DeleteAdministratorResponse{DeletionDate: at}, err
}

var columns = map[pb.AdministratorFieldName]string{
	pb.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_UNSPECIFIED:   flow.SortMemberCreated,
	pb.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_USER_ID:       flow.SortMemberUser,
	pb.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_CREATION_DATE: flow.SortMemberCreated,
	pb.AdministratorFieldName_ADMINISTRATOR_FIELD_NAME_CHANGE_DATE:   flow.SortMemberChanged,
}

func (h *Handlers) listAdministrators(ctx context.Context, r *pb.ListAdministratorsRequest) (*pb.ListAdministratorsResponse, error) {
	p, err := api.PageOf(ctx, r.GetPagination())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(columns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	filters, err := api.NestedFilters(r.GetFilters(), group, filter)
	if err != nil {
		return nil, err
	}
	l, err := flow.Administrators(ctx, h.store, p, by, filters...)
	return &pb.ListAdministratorsResponse{Pagination: api.Paginated(l.Total, p), Administrators: api.Each(l.Rows, message)}, err
}

func message(a flow.Administrator) *pb.Administrator {
	out := &pb.Administrator{
		CreationDate: timestamppb.New(a.Details.Created), ChangeDate: timestamppb.New(a.Details.Changed), Roles: a.Roles,
		User: &pb.User{Id: a.ID, PreferredLoginName: a.LoginName, DisplayName: a.DisplayName(), OrganizationId: a.OrgID},
	}
	switch a.Of.Kind() {
	case member.OfInstance:
		out.Resource = &pb.Administrator_Instance{Instance: true}
	case member.OfOrg:
		out.Resource = &pb.Administrator_Organization{Organization: &pb.Organization{Id: a.Of.Org, Name: a.ObjectName}}
	case member.OfProject:
		out.Resource = &pb.Administrator_Project{Project: &pb.Project{Id: a.Of.Project, Name: a.ObjectName, OrganizationId: a.Of.Org}}
	case member.OfGrant:
		out.Resource = &pb.Administrator_ProjectGrant{ProjectGrant: &pb.ProjectGrant{
			Id: a.Of.Grant, ProjectId: a.Of.Project, ProjectName: a.ObjectName, OrganizationId: a.Of.Org, GrantedOrganizationId: a.Of.GrantedOrg,
		}}
	}
	return out
}

func group(q *pb.AdministratorSearchFilter) (g api.Group[*pb.AdministratorSearchFilter]) {
	switch f := q.GetFilter().(type) {
	case *pb.AdministratorSearchFilter_And:
		g = api.Every(f.And.GetQueries())
	case *pb.AdministratorSearchFilter_Or:
		g = api.Some(f.Or.GetQueries())
	case *pb.AdministratorSearchFilter_Not:
		g = api.None(f.Not.GetQuery())
	}
	return g
}

func filter(q *pb.AdministratorSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.AdministratorSearchFilter_CreationDate:
		return api.TimeFilter(flow.AdministratorCreated, f.CreationDate)
	case *pb.AdministratorSearchFilter_ChangeDate:
		return api.TimeFilter(flow.AdministratorChanged, f.ChangeDate)
	case *pb.AdministratorSearchFilter_InUserIdsFilter:
		return api.InIDs(flow.AdministratorAmong, f.InUserIdsFilter.GetIds())
	case *pb.AdministratorSearchFilter_UserOrganizationId:
		return flow.UserOfOrg(f.UserOrganizationId.GetId()), nil
	case *pb.AdministratorSearchFilter_UserPreferredLoginName:
		return flow.AdministratorByLogin(database.TextMethod(f.UserPreferredLoginName.GetMethod()), f.UserPreferredLoginName.GetPreferredLoginName()), nil
	case *pb.AdministratorSearchFilter_UserDisplayName:
		return flow.AdministratorByTitle(database.TextMethod(f.UserDisplayName.GetMethod()), f.UserDisplayName.GetDisplayName()), nil
	case *pb.AdministratorSearchFilter_Resource:
		return resourceFilter(f.Resource)
	case *pb.AdministratorSearchFilter_Role:
		return flow.AdministratorWithRole(f.Role.GetRoleKey()), nil
	}
	return nil, api.ErrFilter
}

func resourceFilter(r *pb.ResourceFilter) (database.Filter, error) {
	switch f := r.GetResource().(type) {
	case *pb.ResourceFilter_Instance:
		return flow.MembershipOfInstance(true), nil
	case *pb.ResourceFilter_OrganizationId:
		return flow.MembershipIn("org", f.OrganizationId), nil
	case *pb.ResourceFilter_ProjectId:
		return flow.MembershipIn("project", f.ProjectId), nil
	case *pb.ResourceFilter_ProjectGrant_:
		return flow.MembershipInGrant(f.ProjectGrant.GetProjectId(), f.ProjectGrant.GetOrganizationId()), nil
	}
	return nil, api.ErrFilter
}
