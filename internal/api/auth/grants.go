package auth

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) listMyUserGrants(ctx context.Context, r *pb.ListMyUserGrantsRequest) (*pb.ListMyUserGrantsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := flow.UserGrants(ctx, h.store, p, flow.SortUserGrantCreated, authorization.OfUser(authz.From(ctx).UserID))
	return &pb.ListMyUserGrantsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, myUserGrant)}, err
}

func myUserGrant(g flow.UserGrant) *pb.UserGrant {
	keys := api.RoleKeys(g)
	return &pb.UserGrant{
		OrgId: g.Org, OrgName: g.OrgName, OrgDomain: g.OrgDomain, ProjectId: g.ProjectID, ProjectName: g.ProjectName, ProjectGrantId: g.ProjectGrantID,
		UserId: g.UserID, UserType: api.UserType(g.User.Kind), Roles: keys, RoleKeys: keys, GrantId: g.ID, Details: api.View(g.Details),
		State: userpb.UserGrantState(g.State), //nolint:gosec // numbered as on the wire
	}
}

func (h *Handlers) listMyProjectPermissions(ctx context.Context, _ *pb.ListMyProjectPermissionsRequest) (*pb.ListMyProjectPermissionsResponse, error) {
	keys, err := flow.MyRoles(ctx, h.store, authz.From(ctx).Org)
	return &pb.ListMyProjectPermissionsResponse{Result: keys}, err
}
