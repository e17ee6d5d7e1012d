package user

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	metadatapb "github.com/gatehouse/gatehouse/gen/zitadel/metadata/v2"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/metadata"
)

func (h *Handlers) metadata() []api.RPC {
	return []api.RPC{
		api.Unary("SetUserMetadata", h.setUserMetadata),
		api.Unary("ListUserMetadata", h.listUserMetadata),
		api.Unary("DeleteUserMetadata", h.deleteUserMetadata),
	}
}

func (h *Handlers) setUserMetadata(ctx context.Context, r *pb.SetUserMetadataRequest) (*pb.SetUserMetadataResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Set(tx, metadata.OfUser(s.Instance, s.Org, r.GetUserId()), api.Entries(r.GetMetadata())...)
	})
	return &pb.SetUserMetadataResponse{SetDate: timestamppb.New(d.Changed)}, err
}

func (h *Handlers) deleteUserMetadata(ctx context.Context, r *pb.DeleteUserMetadataRequest) (*pb.DeleteUserMetadataResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Remove(tx, metadata.OfUser(s.Instance, s.Org, r.GetUserId()), r.GetKeys()...)
	})
	return &pb.DeleteUserMetadataResponse{DeletionDate: timestamppb.New(d.Changed)}, err
}

func (h *Handlers) listUserMetadata(ctx context.Context, r *pb.ListUserMetadataRequest) (*pb.ListUserMetadataResponse, error) {
	p, err := api.PageOf(ctx, r.GetPagination())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetFilters(), metadataFilter)
	if err != nil {
		return nil, err
	}
	l, err := metadata.List(ctx, h.store, metadata.OfReadable(ctx, r.GetUserId()), p, filters...)
	return &pb.ListUserMetadataResponse{Pagination: api.Paginated(l.Total, p), Metadata: api.Each(l.Rows, entry)}, err
}

func entry(e metadata.Entry) *metadatapb.Metadata {
	return &metadatapb.Metadata{
		Key: e.Key, Value: e.Value, CreationDate: timestamppb.New(e.Details.Created), ChangeDate: timestamppb.New(e.Details.Changed),
	}
}

func metadataFilter(q *metadatapb.MetadataSearchFilter) (database.Filter, error) {
	if f, ok := q.GetFilter().(*metadatapb.MetadataSearchFilter_KeyFilter); ok {
		return metadata.ByKey(database.TextMethod(f.KeyFilter.GetMethod()), f.KeyFilter.GetKey()), nil
	}
	return nil, api.ErrFilter
}
