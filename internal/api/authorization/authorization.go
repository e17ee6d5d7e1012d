// Package authorization is version 2 of the service for user grants.
package authorization

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/authorization/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists the service's RPCs.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "zitadel.authorization.v2.AuthorizationService", RPCs: []api.RPC{
		api.Unary("ListAuthorizations", h.listAuthorizations),
		api.Unary("CreateAuthorization", h.createAuthorization),
		api.Unary("UpdateAuthorization", h.updateAuthorization),
		api.Unary("DeleteAuthorization", h.deleteAuthorization),
		api.Unary("ActivateAuthorization", h.activateAuthorization),
		api.Unary("DeactivateAuthorization", h.deactivateAuthorization),
	}}
}

// change runs a verb on a grant. That it is as wanted already is fine, and answers
// with its last change.
func (h *Handlers) change(ctx context.Context, verb func(*eventstore.Tx, authorization.At) (eventstore.Details, error)) (*timestamppb.Timestamp, error) {
	var d eventstore.Details
	err := h.store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		d, err = verb(tx, authorization.At{Instance: authz.From(ctx).Instance})
		return err
	})
	if authorization.Unchanged(err) {
		err = nil
	}
	return api.Timestamp(d.Changed), err
}

func (h *Handlers) createAuthorization(ctx context.Context, r *pb.CreateAuthorizationRequest) (*pb.CreateAuthorizationResponse, error) {
	g := authorization.Grant{Org: r.GetOrganizationId(), UserID: r.GetUserId(), ProjectID: r.GetProjectId(), Roles: r.GetRoleKeys()}
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		g.ID = tx.NewID()
		return authorization.Add(tx, authz.From(ctx).Instance, g)
	})
	return &pb.CreateAuthorizationResponse{Id: g.ID, CreationDate: api.Timestamp(d.Created)}, err
}

func (h *Handlers) updateAuthorization(ctx context.Context, r *pb.UpdateAuthorizationRequest) (*pb.UpdateAuthorizationResponse, error) {
	at, err := h.change(ctx, func(tx *eventstore.Tx, at authorization.At) (eventstore.Details, error) {
		return authorization.Change(tx, at, r.GetId(), r.GetRoleKeys())
	})
	return &pb.UpdateAuthorizationResponse{ChangeDate: at}, err
}

// deleteAuthorization finds it fine that there is no such grant.
func (h *Handlers) deleteAuthorization(ctx context.Context, r *pb.DeleteAuthorizationRequest) (*pb.DeleteAuthorizationResponse, error) {
	at, err := h.change(ctx, func(tx *eventstore.Tx, at authorization.At) (eventstore.Details, error) {
		return authorization.Remove(tx, at, r.GetId())
	})
	if errors.Is(err, authorization.ErrMissing) {
		err = nil
	}
	return &pb.DeleteAuthorizationResponse{DeletionDate: at}, err
}

func (h *Handlers) activateAuthorization(ctx context.Context, r *pb.ActivateAuthorizationRequest) (*pb.ActivateAuthorizationResponse, error) {
	at, err := h.change(ctx, func(tx *eventstore.Tx, at authorization.At) (eventstore.Details, error) {
		return authorization.Reactivate(tx, at, r.GetId())
	})
	return &pb.ActivateAuthorizationResponse{ChangeDate: at}, err
}

func (h *Handlers) deactivateAuthorization(ctx context.Context, r *pb.DeactivateAuthorizationRequest) (*pb.DeactivateAuthorizationResponse, error) {
	at, err := h.change(ctx, func(tx *eventstore.Tx, at authorization.At) (eventstore.Details, error) {
		return authorization.Deactivate(tx, at, r.GetId())
	})
	return &pb.DeactivateAuthorizationResponse{ChangeDate: at}, err
}

// columns are what grants are sorted by.
var columns = map[pb.AuthorizationFieldName]string{
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_UNSPECIFIED:          flow.SortUserGrantCreated,
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_CREATED_DATE:         flow.SortUserGrantCreated,
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_CHANGED_DATE:         flow.SortUserGrantChanged,
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_ID:                   flow.SortUserGrantID,
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_USER_ID:              flow.SortUserGrantUser,
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_PROJECT_ID:           flow.SortUserGrantProject,
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_ORGANIZATION_ID:      flow.SortUserGrantOrg,
	pb.AuthorizationFieldName_AUTHORIZATION_FIELD_NAME_USER_ORGANIZATION_ID: flow.SortUserGrantUserOrg,
}

func (h *Handlers) listAuthorizations(ctx context.Context, r *pb.ListAuthorizationsRequest) (*pb.ListAuthorizationsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), columns, r.GetSortingColumn(), r.GetFilters(), filter)
	if err != nil {
		return nil, err
	}
	l, err := flow.UserGrants(ctx, h.store, p, by, append(filters, flow.VisibleUserGrants(ctx))...)
	return &pb.ListAuthorizationsResponse{Pagination: api.Paginated(l.Total, p), Authorizations: api.Each(l.Rows, message(ctx))}, err
}

func filter(q *pb.AuthorizationsSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.AuthorizationsSearchFilter_AuthorizationIds:
		return api.InIDs(authorization.WithID, f.AuthorizationIds.GetIds())
	case *pb.AuthorizationsSearchFilter_OrganizationId:
		return authorization.OfOrg(f.OrganizationId.GetId()), nil
	case *pb.AuthorizationsSearchFilter_State:
		return authorization.InState(int(f.State.GetState())), nil
	case *pb.AuthorizationsSearchFilter_InUserIds:
		return api.InIDs(authorization.OfUser, f.InUserIds.GetIds())
	case *pb.AuthorizationsSearchFilter_UserOrganizationId:
		return flow.UserOfOrg(f.UserOrganizationId.GetId()), nil
	case *pb.AuthorizationsSearchFilter_UserPreferredLoginName:
		return flow.UserByLogin(database.TextMethod(f.UserPreferredLoginName.GetMethod()), f.UserPreferredLoginName.GetLoginName()), nil
	case *pb.AuthorizationsSearchFilter_UserDisplayName:
		return flow.UserByTitle(database.TextMethod(f.UserDisplayName.GetMethod()), f.UserDisplayName.GetDisplayName()), nil
	case *pb.AuthorizationsSearchFilter_ProjectId:
		return authorization.OfProject(f.ProjectId.GetId()), nil
	case *pb.AuthorizationsSearchFilter_ProjectName:
		return flow.UserGrantByProject(database.TextMethod(f.ProjectName.GetMethod()), f.ProjectName.GetName()), nil
	case *pb.AuthorizationsSearchFilter_RoleKey:
		return authorization.ByRole(database.TextMethod(f.RoleKey.GetMethod()), f.RoleKey.GetKey()), nil
	case *pb.AuthorizationsSearchFilter_ProjectGrantId:
		return authorization.OfProjectGrant(f.ProjectGrantId.GetId()), nil
	}
	return nil, api.ErrFilter
}

func message(ctx context.Context) func(flow.UserGrant) *pb.Authorization {
	return func(g flow.UserGrant) *pb.Authorization {
		return &pb.Authorization{
			Id: g.ID, CreationDate: api.Timestamp(g.Details.Created), ChangeDate: api.Timestamp(g.Details.Changed),
			Project:      &pb.Project{Id: g.ProjectID, Name: g.ProjectName, OrganizationId: g.ProjectOrg},
			Organization: &pb.Organization{Id: g.Org, Name: g.OrgName},
			User: &pb.User{
				Id: g.UserID, PreferredLoginName: g.User.LoginName, DisplayName: g.User.DisplayName(), OrganizationId: g.User.OrgID, AvatarUrl: api.AssetURL(ctx, g.User.Human.Avatar),
			},
			State: pb.State(g.State), //nolint:gosec // numbered as on the wire
			Roles: api.Each(g.Roles, func(r flow.GrantedRole) *pb.Role {
				return &pb.Role{Key: r.Key, DisplayName: r.DisplayName, Group: r.Group}
			}),
		}
	}
}
