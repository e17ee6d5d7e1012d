package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/metadata"
)

func (h *Handlers) metadata() []api.RPC {
	return []api.RPC{
		api.Unary("SetOrgMetadata", h.setOrgMetadata),
		api.Unary("BulkSetOrgMetadata", h.bulkSetOrgMetadata),
		api.Unary("ListOrgMetadata", h.listOrgMetadata),
		api.Unary("GetOrgMetadata", h.getOrgMetadata),
		api.Unary("RemoveOrgMetadata", h.removeOrgMetadata),
		api.Unary("BulkRemoveOrgMetadata", h.bulkRemoveOrgMetadata),
		api.Unary("SetUserMetadata", h.setUserMetadata),
		api.Unary("BulkSetUserMetadata", h.bulkSetUserMetadata),
		api.Unary("ListUserMetadata", h.listUserMetadata),
		api.Unary("GetUserMetadata", h.getUserMetadata),
		api.Unary("RemoveUserMetadata", h.removeUserMetadata),
		api.Unary("BulkRemoveUserMetadata", h.bulkRemoveUserMetadata),
	}
}

func (h *Handlers) setOrgMetadata(ctx context.Context, r *pb.SetOrgMetadataRequest) (*pb.SetOrgMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Set(tx, metadata.OfOrg(s.Instance, s.Org), metadata.Entry{Key: r.GetKey(), Value: r.GetValue()})
	})
	return &pb.SetOrgMetadataResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) bulkSetOrgMetadata(ctx context.Context, r *pb.BulkSetOrgMetadataRequest) (*pb.BulkSetOrgMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Set(tx, metadata.OfOrg(s.Instance, s.Org), api.Entries(r.GetMetadata())...)
	})
	return &pb.BulkSetOrgMetadataResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listOrgMetadata(ctx context.Context, r *pb.ListOrgMetadataRequest) (*pb.ListOrgMetadataResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.MetadataFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := metadata.List(ctx, h.store, metadata.OfOrg(s.Instance, s.Org), p, filters...)
	return &pb.ListOrgMetadataResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Metadata)}, err
}

func (h *Handlers) getOrgMetadata(ctx context.Context, r *pb.GetOrgMetadataRequest) (*pb.GetOrgMetadataResponse, error) {
	s := scope(ctx)
	e, err := metadata.One(ctx, h.store, metadata.OfOrg(s.Instance, s.Org), r.GetKey())
	return &pb.GetOrgMetadataResponse{Metadata: api.Metadata(e)}, err
}

func (h *Handlers) removeOrgMetadata(ctx context.Context, r *pb.RemoveOrgMetadataRequest) (*pb.RemoveOrgMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Remove(tx, metadata.OfOrg(s.Instance, s.Org), r.GetKey())
	})
	return &pb.RemoveOrgMetadataResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) bulkRemoveOrgMetadata(ctx context.Context, r *pb.BulkRemoveOrgMetadataRequest) (*pb.BulkRemoveOrgMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Remove(tx, metadata.OfOrg(s.Instance, s.Org), r.GetKeys()...)
	})
	return &pb.BulkRemoveOrgMetadataResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) setUserMetadata(ctx context.Context, r *pb.SetUserMetadataRequest) (*pb.SetUserMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Set(tx, metadata.OfUser(s.Instance, s.Org, r.GetId()), metadata.Entry{Key: r.GetKey(), Value: r.GetValue()})
	})
	return &pb.SetUserMetadataResponse{Id: r.GetId(), Details: api.Changed(d)}, err
}

func (h *Handlers) bulkSetUserMetadata(ctx context.Context, r *pb.BulkSetUserMetadataRequest) (*pb.BulkSetUserMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Set(tx, metadata.OfUser(s.Instance, s.Org, r.GetId()), api.Entries(r.GetMetadata())...)
	})
	return &pb.BulkSetUserMetadataResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listUserMetadata(ctx context.Context, r *pb.ListUserMetadataRequest) (*pb.ListUserMetadataResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.MetadataFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := metadata.List(ctx, h.store, metadata.OfUser(s.Instance, s.Org, r.GetId()), p, filters...)
	return &pb.ListUserMetadataResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Metadata)}, err
}

func (h *Handlers) getUserMetadata(ctx context.Context, r *pb.GetUserMetadataRequest) (*pb.GetUserMetadataResponse, error) {
	s := scope(ctx)
	e, err := metadata.One(ctx, h.store, metadata.OfUser(s.Instance, s.Org, r.GetId()), r.GetKey())
	return &pb.GetUserMetadataResponse{Metadata: api.Metadata(e)}, err
}

func (h *Handlers) removeUserMetadata(ctx context.Context, r *pb.RemoveUserMetadataRequest) (*pb.RemoveUserMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Remove(tx, metadata.OfUser(s.Instance, s.Org, r.GetId()), r.GetKey())
	})
	return &pb.RemoveUserMetadataResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) bulkRemoveUserMetadata(ctx context.Context, r *pb.BulkRemoveUserMetadataRequest) (*pb.BulkRemoveUserMetadataResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return metadata.Remove(tx, metadata.OfUser(s.Instance, s.Org, r.GetId()), r.GetKeys()...)
	})
	return &pb.BulkRemoveUserMetadataResponse{Details: api.Changed(d)}, err
}
