package org

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/org"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (h *Handlers) domains() []api.RPC {
	return []api.RPC{
		api.Unary("AddOrganizationDomain", h.addDomain),
		api.Unary("ListOrganizationDomains", h.listDomains),
		api.Unary("DeleteOrganizationDomain", h.deleteDomain),
		api.Unary("GenerateOrganizationDomainValidation", h.generateValidation),
		api.Unary("VerifyOrganizationDomain", h.verifyDomain),
	}
}

func (h *Handlers) addDomain(ctx context.Context, r *pb.AddOrganizationDomainRequest) (*pb.AddOrganizationDomainResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.AddDomain(tx, h.vault, s, r.GetDomain())
	})
	return &pb.AddOrganizationDomainResponse{CreationDate: at}, err
}

func (h *Handlers) deleteDomain(ctx context.Context, r *pb.DeleteOrganizationDomainRequest) (*pb.DeleteOrganizationDomainResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return org.RemoveDomain(tx, s.Instance, s.Org, r.GetDomain())
	})
	return &pb.DeleteOrganizationDomainResponse{DeletionDate: at}, err
}

func (h *Handlers) generateValidation(ctx context.Context, r *pb.GenerateOrganizationDomainValidationRequest) (*pb.GenerateOrganizationDomainValidationResponse, error) {
	var res pb.GenerateOrganizationDomainValidationResponse
	err := h.store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		res.Token, res.Url, err = flow.RequestDomainValidation(tx, scope(ctx, r), r.GetDomain(), int(r.GetType()))
		return err
	})
	return &res, err
}

func (h *Handlers) verifyDomain(ctx context.Context, r *pb.VerifyOrganizationDomainRequest) (*pb.VerifyOrganizationDomainResponse, error) {
	d, err := flow.VerifyDomain(ctx, h.store, h.vault, h.outside, scope(ctx, r), r.GetDomain())
	return &pb.VerifyOrganizationDomainResponse{ChangeDate: timestamppb.New(d.Changed)}, err
}

var domainColumns = map[pb.DomainFieldName]org.Column{
	pb.DomainFieldName_DOMAIN_FIELD_NAME_UNSPECIFIED:   org.SortDomainCreated,
	pb.DomainFieldName_DOMAIN_FIELD_NAME_NAME:          org.SortDomainName,
	pb.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: org.SortDomainCreated,
}

func (h *Handlers) listDomains(ctx context.Context, r *pb.ListOrganizationDomainsRequest) (*pb.ListOrganizationDomainsResponse, error) {
	p, err := api.PageOf(ctx, r.GetPagination())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(domainColumns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetFilters(), domainFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx, r)
	l, err := org.Domains(ctx, h.store, s.Instance, s.Org, p, by, filters...)
	return &pb.ListOrganizationDomainsResponse{Pagination: api.Paginated(l.Total, p), Domains: api.Each(l.Rows, domain)}, err
}

func domain(d org.Domain) *pb.Domain {
	return &pb.Domain{
		OrganizationId: d.OrgID, Domain: d.Name, IsVerified: d.Verified, IsPrimary: d.Primary,
		ValidationType: pb.DomainValidationType(d.Validation), //nolint:gosec // a small number
	}
}

func domainFilter(q *pb.DomainSearchFilter) (database.Filter, error) {
	if f, ok := q.GetFilter().(*pb.DomainSearchFilter_DomainFilter); ok {
		return org.DomainByName(database.TextMethod(f.DomainFilter.GetMethod()), f.DomainFilter.GetDomain()), nil
	}
	return nil, api.ErrFilter
}
