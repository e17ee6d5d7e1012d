package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) userGrants() []api.RPC {
	return []api.RPC{
		api.Unary("GetUserGrantByID", h.getUserGrantByID),
		api.Unary("ListUserGrants", h.listUserGrants),
		api.Unary("AddUserGrant", h.addUserGrant),
		api.Unary("UpdateUserGrant", h.updateUserGrant),
		api.Unary("DeactivateUserGrant", h.deactivateUserGrant),
		api.Unary("ReactivateUserGrant", h.reactivateUserGrant),
		api.Unary("RemoveUserGrant", h.removeUserGrant),
		api.Unary("BulkRemoveUserGrant", h.bulkRemoveUserGrant),
	}
}

// grant runs a verb on the grant of a user that a request names.
func (h *Handlers) grant(ctx context.Context, r interface {
	GetUserId() string
	GetGrantId() string
}, verb func(tx *eventstore.Tx, at authorization.At, id string) (eventstore.Details, error),
) (eventstore.Details, error) {
	return h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return verb(tx, authorization.At{Instance: s.Instance, Org: s.Org, UserID: r.GetUserId()}, r.GetGrantId())
	})
}

func (h *Handlers) addUserGrant(ctx context.Context, r *pb.AddUserGrantRequest) (*pb.AddUserGrantResponse, error) {
	g := authorization.Grant{UserID: r.GetUserId(), ProjectID: r.GetProjectId(), ProjectGrantID: r.GetProjectGrantId(), Roles: r.GetRoleKeys()}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		g.ID, g.Org = tx.NewID(), s.Org
		return authorization.Add(tx, s.Instance, g)
	})
	return &pb.AddUserGrantResponse{UserGrantId: g.ID, Details: api.Added(d)}, err
}

func (h *Handlers) updateUserGrant(ctx context.Context, r *pb.UpdateUserGrantRequest) (*pb.UpdateUserGrantResponse, error) {
	d, err := h.grant(ctx, r, func(tx *eventstore.Tx, at authorization.At, id string) (eventstore.Details, error) {
		return authorization.Change(tx, at, id, r.GetRoleKeys())
	})
	return &pb.UpdateUserGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateUserGrant(ctx context.Context, r *pb.DeactivateUserGrantRequest) (*pb.DeactivateUserGrantResponse, error) {
	d, err := h.grant(ctx, r, authorization.Deactivate)
	return &pb.DeactivateUserGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) reactivateUserGrant(ctx context.Context, r *pb.ReactivateUserGrantRequest) (*pb.ReactivateUserGrantResponse, error) {
	d, err := h.grant(ctx, r, authorization.Reactivate)
	return &pb.ReactivateUserGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeUserGrant(ctx context.Context, r *pb.RemoveUserGrantRequest) (*pb.RemoveUserGrantResponse, error) {
	d, err := h.grant(ctx, r, authorization.Remove)
	return &pb.RemoveUserGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) bulkRemoveUserGrant(ctx context.Context, r *pb.BulkRemoveUserGrantRequest) (*pb.BulkRemoveUserGrantResponse, error) {
	_, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return eventstore.Details{}, flow.RemoveUserGrants(tx, s, r.GetGrantId())
	})
	return &pb.BulkRemoveUserGrantResponse{}, err
}

func (h *Handlers) getUserGrantByID(ctx context.Context, r *pb.GetUserGrantByIDRequest) (*pb.GetUserGrantByIDResponse, error) {
	g, err := flow.OneUserGrant(ctx, h.store, flow.UserGrantGivenBy(ctx, scope(ctx).Org, false), authorization.OfUser(r.GetUserId()), authorization.WithID(r.GetGrantId()))
	return &pb.GetUserGrantByIDResponse{UserGrant: api.UserGrant(ctx)(g)}, err
}

func (h *Handlers) listUserGrants(ctx context.Context, r *pb.ListUserGrantRequest) (*pb.ListUserGrantResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), userGrantFilter)
	if err != nil {
		return nil, err
	}
	withGranted := false
	for _, q := range r.GetQueries() {
		withGranted = withGranted || q.GetWithGrantedQuery().GetWithGranted()
	}
	l, err := flow.UserGrants(ctx, h.store, p, flow.SortUserGrantCreated, append(filters, flow.UserGrantGivenBy(ctx, scope(ctx).Org, withGranted))...)
	return &pb.ListUserGrantResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.UserGrant(ctx))}, err
}

func userGrantFilter(q *userpb.UserGrantQuery) (database.Filter, error) {
	method := func(of interface {
		GetMethod() objectpb.TextQueryMethod
	}) database.TextMethod {
		return database.TextMethod(of.GetMethod())
	}
	switch f := q.GetQuery().(type) {
	case *userpb.UserGrantQuery_ProjectIdQuery:
		return authorization.OfProject(f.ProjectIdQuery.GetProjectId()), nil
	case *userpb.UserGrantQuery_UserIdQuery:
		return authorization.OfUser(f.UserIdQuery.GetUserId()), nil
	case *userpb.UserGrantQuery_InUserIdsQuery:
		return api.InIDs(authorization.OfUser, f.InUserIdsQuery.GetInUserIds())
	case *userpb.UserGrantQuery_WithGrantedQuery: // It widens the list: see listUserGrants.
		return func(*database.Select) {}, nil
	case *userpb.UserGrantQuery_RoleKeyQuery:
		return authorization.ByRole(method(f.RoleKeyQuery), f.RoleKeyQuery.GetRoleKey()), nil
	case *userpb.UserGrantQuery_ProjectGrantIdQuery:
		return authorization.OfProjectGrant(f.ProjectGrantIdQuery.GetProjectGrantId()), nil
	case *userpb.UserGrantQuery_UserNameQuery:
		return flow.UserByName(method(f.UserNameQuery), f.UserNameQuery.GetUserName()), nil
	case *userpb.UserGrantQuery_FirstNameQuery:
		return flow.UserByFirst(method(f.FirstNameQuery), f.FirstNameQuery.GetFirstName()), nil
	case *userpb.UserGrantQuery_LastNameQuery:
		return flow.UserByLast(method(f.LastNameQuery), f.LastNameQuery.GetLastName()), nil
	case *userpb.UserGrantQuery_EmailQuery:
		return flow.UserByEmail(method(f.EmailQuery), f.EmailQuery.GetEmail()), nil
	case *userpb.UserGrantQuery_OrgNameQuery:
		return flow.UserGrantByOrg(method(f.OrgNameQuery), f.OrgNameQuery.GetOrgName()), nil
	case *userpb.UserGrantQuery_OrgDomainQuery:
		return flow.UserGrantByDomain(method(f.OrgDomainQuery), f.OrgDomainQuery.GetOrgDomain()), nil
	case *userpb.UserGrantQuery_ProjectNameQuery:
		return flow.UserGrantByProject(method(f.ProjectNameQuery), f.ProjectNameQuery.GetProjectName()), nil
	case *userpb.UserGrantQuery_DisplayNameQuery:
		return flow.UserByTitle(method(f.DisplayNameQuery), f.DisplayNameQuery.GetDisplayName()), nil
	case *userpb.UserGrantQuery_UserTypeQuery:
		return flow.UserOfKind(api.UserKind(f.UserTypeQuery.GetType())), nil
	}
	return nil, api.ErrFilter
}
