package org

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	metadatapb "github.com/gatehouse/gatehouse/gen/zitadel/metadata/v2"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/metadata"
)

func (h *Handlers) metadata() []api.RPC {
	return []api.RPC{
		api.Unary("SetOrganizationMetadata", h.setMetadata),
		api.Unary("ListOrganizationMetadata", h.listMetadata),
		api.Unary("DeleteOrganizationMetadata", h.deleteMetadata),
	}
}

func (h *Handlers) setMetadata(ctx context.Context, r *pb.SetOrganizationMetadataRequest) (*pb.SetOrganizationMetadataResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return metadata.Set(tx, metadata.OfOrg(s.Instance, s.Org), api.Entries(r.GetMetadata())...)
	})
	return &pb.SetOrganizationMetadataResponse{SetDate: at}, err
}

func (h *Handlers) deleteMetadata(ctx context.Context, r *pb.DeleteOrganizationMetadataRequest) (*pb.DeleteOrganizationMetadataResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return metadata.Remove(tx, metadata.OfOrg(s.Instance, s.Org), r.GetKeys()...)
	})
	return &pb.DeleteOrganizationMetadataResponse{DeletionDate: at}, err
}

func (h *Handlers) listMetadata(ctx context.Context, r *pb.ListOrganizationMetadataRequest) (*pb.ListOrganizationMetadataResponse, error) {
	p, err := api.PageOf(ctx, r.GetPagination())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetFilters(), metadataFilter)
	if err != nil {
		return nil, err
	}
	l, err := metadata.List(ctx, h.store, metadata.OfOrg(authz.From(ctx).Instance, r.GetOrganizationId()), p, filters...)
	return &pb.ListOrganizationMetadataResponse{Pagination: api.Paginated(l.Total, p), Metadata: api.Each(l.Rows, entry)}, err
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
