package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/org"
)

func (h *Handlers) domains() []api.RPC {
	return []api.RPC{
		api.Unary("AddOrgDomain", h.addOrgDomain),
		api.Unary("ListOrgDomains", h.listOrgDomains),
		api.Unary("RemoveOrgDomain", h.removeOrgDomain),
		api.Unary("GenerateOrgDomainValidation", h.generateOrgDomainValidation),
		api.Unary("ValidateOrgDomain", h.validateOrgDomain),
		api.Unary("SetPrimaryOrgDomain", h.setPrimaryOrgDomain),
	}
}

func (h *Handlers) addOrgDomain(ctx context.Context, r *pb.AddOrgDomainRequest) (*pb.AddOrgDomainResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.AddDomain(tx, h.vault, s, r.GetDomain())
	})
	return &pb.AddOrgDomainResponse{Details: api.Added(d)}, err
}

func (h *Handlers) listOrgDomains(ctx context.Context, r *pb.ListOrgDomainsRequest) (*pb.ListOrgDomainsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.OrgDomainFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := org.Domains(ctx, h.store, s.Instance, s.Org, p, org.SortDomainName, filters...)
	return &pb.ListOrgDomainsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.OrgDomain)}, err
}

func (h *Handlers) removeOrgDomain(ctx context.Context, r *pb.RemoveOrgDomainRequest) (*pb.RemoveOrgDomainResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return org.RemoveDomain(tx, s.Instance, s.Org, r.GetDomain())
	})
	return &pb.RemoveOrgDomainResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) generateOrgDomainValidation(ctx context.Context, r *pb.GenerateOrgDomainValidationRequest) (*pb.GenerateOrgDomainValidationResponse, error) {
	var res pb.GenerateOrgDomainValidationResponse
	_, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		res.Token, res.Url, err = flow.RequestDomainValidation(tx, s, r.GetDomain(), int(r.GetType()))
		return d, err
	})
	return &res, err
}

func (h *Handlers) validateOrgDomain(ctx context.Context, r *pb.ValidateOrgDomainRequest) (*pb.ValidateOrgDomainResponse, error) {
	d, err := flow.VerifyDomain(ctx, h.store, h.vault, h.outside, scope(ctx), r.GetDomain())
	return &pb.ValidateOrgDomainResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) setPrimaryOrgDomain(ctx context.Context, r *pb.SetPrimaryOrgDomainRequest) (*pb.SetPrimaryOrgDomainResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return org.SetPrimaryDomain(tx, s.Instance, s.Org, r.GetDomain())
	})
	return &pb.SetPrimaryOrgDomainResponse{Details: api.Changed(d)}, err
}
