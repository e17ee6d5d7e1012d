package system

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/system/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
)

func (h *Handlers) domains() []api.RPC {
	return []api.RPC{
		api.Unary("ExistsDomain", h.existsDomain),
		api.Unary("ListDomains", h.listDomains),
		api.Unary("AddDomain", h.addDomain),
		api.Unary("RemoveDomain", h.removeDomain),
		api.Unary("SetPrimaryDomain", h.setPrimaryDomain),
	}
}

func (h *Handlers) existsDomain(ctx context.Context, r *pb.ExistsDomainRequest) (*pb.ExistsDomainResponse, error) {
	exists, err := instance.HasDomain(ctx, h.store, r.GetDomain())
	return &pb.ExistsDomainResponse{Exists: exists}, err
}

func (h *Handlers) listDomains(ctx context.Context, r *pb.ListDomainsRequest) (*pb.ListDomainsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), api.InstanceDomainColumns, r.GetSortingColumn(), r.GetQueries(), api.InstanceDomainFilter)
	if err != nil {
		return nil, err
	}
	l, err := instance.Domains(ctx, h.store, r.GetInstanceId(), p, by, filters...)
	return &pb.ListDomainsResponse{
		Details: api.Listed(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, api.InstanceDomain),
	}, err
}

func (h *Handlers) addDomain(ctx context.Context, r *pb.AddDomainRequest) (*pb.AddDomainResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.AddDomain(tx, r.GetInstanceId(), r.GetDomain())
	})
	return &pb.AddDomainResponse{Details: api.Added(d)}, err
}

func (h *Handlers) removeDomain(ctx context.Context, r *pb.RemoveDomainRequest) (*pb.RemoveDomainResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.RemoveDomain(tx, r.GetInstanceId(), r.GetDomain(), "system.domain.delete")
	})
	return &pb.RemoveDomainResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) setPrimaryDomain(ctx context.Context, r *pb.SetPrimaryDomainRequest) (*pb.SetPrimaryDomainResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.SetPrimaryDomain(tx, r.GetInstanceId(), r.GetDomain())
	})
	return &pb.SetPrimaryDomainResponse{Details: api.Changed(d)}, err
}
