package admin

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/member"
)

func (h *Handlers) members() []api.RPC {
	return []api.RPC{
		api.Unary("ListIAMMemberRoles", h.listIAMMemberRoles),
		api.Unary("ListIAMMembers", h.listIAMMembers),
		api.Unary("AddIAMMember", h.addIAMMember),
		api.Unary("UpdateIAMMember", h.updateIAMMember),
		api.Unary("RemoveIAMMember", h.removeIAMMember),
	}
}

func (h *Handlers) listIAMMemberRoles(ctx context.Context, _ *pb.ListIAMMemberRolesRequest) (*pb.ListIAMMemberRolesResponse, error) {
	roles := member.RolesOf(member.Of(scope(ctx)), authz.From(ctx).Roles)
	return &pb.ListIAMMemberRolesResponse{Details: api.Listed(len(roles), h.store.Now()), Roles: roles}, nil
}

func (h *Handlers) listIAMMembers(ctx context.Context, r *pb.ListIAMMembersRequest) (*pb.ListIAMMembersResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), api.MemberColumns, r.GetSortingColumn(), r.GetQueries(), api.MemberFilter)
	if err != nil {
		return nil, err
	}
	l, err := flow.Members(ctx, h.store, member.Of(scope(ctx)), p, by, filters...)
	return &pb.ListIAMMembersResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Member(ctx))}, err
}

func (h *Handlers) addIAMMember(ctx context.Context, r *pb.AddIAMMemberRequest) (*pb.AddIAMMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.AddMember(tx, member.Of(s), r.GetUserId(), r.GetRoles())
	})
	return &pb.AddIAMMemberResponse{Details: api.Added(d)}, err
}

func (h *Handlers) updateIAMMember(ctx context.Context, r *pb.UpdateIAMMemberRequest) (*pb.UpdateIAMMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.ChangeMember(tx, member.Of(s), r.GetUserId(), r.GetRoles())
	})
	return &pb.UpdateIAMMemberResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeIAMMember(ctx context.Context, r *pb.RemoveIAMMemberRequest) (*pb.RemoveIAMMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveMember(tx, member.Of(s), r.GetUserId())
	})
	return &pb.RemoveIAMMemberResponse{Details: api.Changed(d)}, err
}
