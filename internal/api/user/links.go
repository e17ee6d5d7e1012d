package user

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) links() []api.RPC {
	return []api.RPC{
		api.Unary("AddIDPLink", h.addIDPLink),
		api.Unary("ListIDPLinks", h.listIDPLinks),
		api.Unary("RemoveIDPLink", h.removeIDPLink),
	}
}

func (h *Handlers) addIDPLink(ctx context.Context, r *pb.AddIDPLinkRequest) (*pb.AddIDPLinkResponse, error) {
	d, err := h.factor(ctx, r, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.AddLink(tx, ref, api.LinkV2(r.GetIdpLink()))
	})
	return &pb.AddIDPLinkResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) listIDPLinks(ctx context.Context, r *pb.ListIDPLinksRequest) (*pb.ListIDPLinksResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := user.Links(ctx, h.store, anyone(ctx, r), p)
	return &pb.ListIDPLinksResponse{Details: api.ListedV2(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.ShownLinkV2)}, err
}

func (h *Handlers) removeIDPLink(ctx context.Context, r *pb.RemoveIDPLinkRequest) (*pb.RemoveIDPLinkResponse, error) {
	d, err := h.factor(ctx, r, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveLink(tx, ref, r.GetIdpId(), r.GetLinkedUserId())
	})
	return &pb.RemoveIDPLinkResponse{Details: api.ChangedV2(d)}, err
}
