package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) changes() []api.RPC {
	return []api.RPC{
		api.Unary("ListOrgChanges", h.listOrgChanges),
		api.Unary("ListUserChanges", h.listUserChanges),
	}
}

func (h *Handlers) listOrgChanges(ctx context.Context, r *pb.ListOrgChangesRequest) (*pb.ListOrgChangesResponse, error) {
	f, err := api.Changes(scope(ctx).Aggregate(), r.GetQuery())
	if err != nil {
		return nil, err
	}
	entries, err := flow.History(ctx, h.store, f)
	return &pb.ListOrgChangesResponse{Result: api.Each(entries, api.Change)}, err
}

func (h *Handlers) listUserChanges(ctx context.Context, r *pb.ListUserChangesRequest) (*pb.ListUserChangesResponse, error) {
	s := scope(ctx)
	f, err := api.Changes(eventstore.Aggregate{Instance: s.Instance, Type: "user", ID: r.GetUserId(), Owner: s.Org}, r.GetQuery())
	if err != nil {
		return nil, err
	}
	entries, err := flow.History(ctx, h.store, f)
	return &pb.ListUserChangesResponse{Result: api.Each(entries, api.Change)}, err
}
