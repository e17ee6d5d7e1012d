package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	memberpb "github.com/gatehouse/gatehouse/gen/zitadel/member/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/member"
)

func (h *Handlers) members() []api.RPC {
	return []api.RPC{
		api.Unary("ListOrgMemberRoles", h.listOrgMemberRoles),
		api.Unary("ListOrgMembers", h.listOrgMembers),
		api.Unary("AddOrgMember", h.addOrgMember),
		api.Unary("UpdateOrgMember", h.updateOrgMember),
		api.Unary("RemoveOrgMember", h.removeOrgMember),
		api.Unary("ListUserMemberships", h.listUserMemberships),
	}
}

func (h *Handlers) listOrgMemberRoles(ctx context.Context, _ *pb.ListOrgMemberRolesRequest) (*pb.ListOrgMemberRolesResponse, error) {
	return &pb.ListOrgMemberRolesResponse{Result: member.RolesOf(member.Of(scope(ctx)), authz.From(ctx).Roles)}, nil
}

func (h *Handlers) listOrgMembers(ctx context.Context, r *pb.ListOrgMembersRequest) (*pb.ListOrgMembersResponse, error) {
	details, members, err := h.listMembers(ctx, r, func(p database.Page, filters ...database.Filter) (database.Listing[flow.Member], error) {
		return flow.Members(ctx, h.store, member.Of(scope(ctx)), p, flow.SortMemberCreated, filters...)
	})
	return &pb.ListOrgMembersResponse{Details: details, Result: members}, err
}

// listMembers answers a request for a list of members, whatever they are members of.
func (h *Handlers) listMembers(ctx context.Context, r interface {
	GetQuery() *objectpb.ListQuery
	GetQueries() []*memberpb.SearchQuery
}, list func(database.Page, ...database.Filter) (database.Listing[flow.Member], error),
) (*objectpb.ListDetails, []*memberpb.Member, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.MemberFilter)
	if err != nil {
		return nil, nil, err
	}
	l, err := list(p, filters...)
	return api.Listed(l.Total, h.store.Now()), api.Each(l.Rows, api.Member(ctx)), err
}

func (h *Handlers) addOrgMember(ctx context.Context, r *pb.AddOrgMemberRequest) (*pb.AddOrgMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.AddMember(tx, member.Of(s), r.GetUserId(), r.GetRoles())
	})
	return &pb.AddOrgMemberResponse{Details: api.Added(d)}, err
}

func (h *Handlers) updateOrgMember(ctx context.Context, r *pb.UpdateOrgMemberRequest) (*pb.UpdateOrgMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.ChangeMember(tx, member.Of(s), r.GetUserId(), r.GetRoles())
	})
	return &pb.UpdateOrgMemberResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeOrgMember(ctx context.Context, r *pb.RemoveOrgMemberRequest) (*pb.RemoveOrgMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveMember(tx, member.Of(s), r.GetUserId())
	})
	return &pb.RemoveOrgMemberResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listUserMemberships(ctx context.Context, r *pb.ListUserMembershipsRequest) (*pb.ListUserMembershipsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.MembershipFilter)
	if err != nil {
		return nil, err
	}
	l, err := flow.Memberships(ctx, h.store, r.GetUserId(), p, filters...)
	return &pb.ListUserMembershipsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Membership)}, err
}
