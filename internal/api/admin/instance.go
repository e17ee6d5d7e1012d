package admin

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
)

// instance lists the RPCs about the instance itself.
func (h *Handlers) instance() []api.RPC {
	return []api.RPC{
		api.Unary("GetMyInstance", h.getMyInstance),
		api.Unary("ListInstanceDomains", h.listInstanceDomains),
		api.Unary("ListInstanceTrustedDomains", h.listTrustedDomains),
		api.Unary("AddInstanceTrustedDomain", h.addTrustedDomain),
		api.Unary("RemoveInstanceTrustedDomain", h.removeTrustedDomain),
	}
}

func (h *Handlers) getMyInstance(ctx context.Context, _ *pb.GetMyInstanceRequest) (*pb.GetMyInstanceResponse, error) {
	i, err := instance.Show(ctx, h.store, scope(ctx).Instance)
	return &pb.GetMyInstanceResponse{Instance: api.InstanceDetail(i)}, err
}

func (h *Handlers) listInstanceDomains(ctx context.Context, r *pb.ListInstanceDomainsRequest) (*pb.ListInstanceDomainsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), api.InstanceDomainColumns, r.GetSortingColumn(), r.GetQueries(), api.InstanceDomainFilter)
	if err != nil {
		return nil, err
	}
	l, err := instance.Domains(ctx, h.store, scope(ctx).Instance, p, by, filters...)
	return &pb.ListInstanceDomainsResponse{
		Details: api.Listed(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, api.InstanceDomain),
	}, err
}

func (h *Handlers) listTrustedDomains(ctx context.Context, r *pb.ListInstanceTrustedDomainsRequest) (*pb.ListInstanceTrustedDomainsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), api.TrustedDomainColumns, r.GetSortingColumn(), r.GetQueries(), api.TrustedDomainFilter)
	if err != nil {
		return nil, err
	}
	l, err := instance.TrustedDomains(ctx, h.store, scope(ctx).Instance, p, by, filters...)
	return &pb.ListInstanceTrustedDomainsResponse{
		Details: api.Listed(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, api.TrustedDomain),
	}, err
}

func (h *Handlers) addTrustedDomain(ctx context.Context, r *pb.AddInstanceTrustedDomainRequest) (*pb.AddInstanceTrustedDomainResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return instance.AddTrustedDomain(tx, s.Instance, r.GetDomain())
	})
	return &pb.AddInstanceTrustedDomainResponse{Details: api.Added(d)}, err
}

func (h *Handlers) removeTrustedDomain(ctx context.Context, r *pb.RemoveInstanceTrustedDomainRequest) (*pb.RemoveInstanceTrustedDomainResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return instance.RemoveTrustedDomain(tx, s.Instance, r.GetDomain())
	})
	return &pb.RemoveInstanceTrustedDomainResponse{Details: api.Changed(d)}, err
}
