package instance

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/instance/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
)

func (h *Handlers) addCustomDomain(ctx context.Context, r *pb.AddCustomDomainRequest) (*pb.AddCustomDomainResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.AddDomain(tx, r.GetInstanceId(), r.GetCustomDomain())
	})
	return &pb.AddCustomDomainResponse{CreationDate: at}, err
}

func (h *Handlers) removeCustomDomain(ctx context.Context, r *pb.RemoveCustomDomainRequest) (*pb.RemoveCustomDomainResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.RemoveDomain(tx, r.GetInstanceId(), r.GetCustomDomain(), "system.domain.write")
	})
	return &pb.RemoveCustomDomainResponse{DeletionDate: at}, err
}

var domainColumns = map[pb.DomainFieldName]instance.Column{
	pb.DomainFieldName_DOMAIN_FIELD_NAME_UNSPECIFIED:   instance.SortDomainCreated,
	pb.DomainFieldName_DOMAIN_FIELD_NAME_DOMAIN:        instance.SortDomainName,
	pb.DomainFieldName_DOMAIN_FIELD_NAME_PRIMARY:       instance.SortDomainPrimary,
	pb.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED:     instance.SortDomainGenerated,
	pb.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: instance.SortDomainCreated,
}

func (h *Handlers) listCustomDomains(ctx context.Context, r *pb.ListCustomDomainsRequest) (*pb.ListCustomDomainsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), domainColumns, r.GetSortingColumn(), r.GetFilters(), domainFilter)
	if err != nil {
		return nil, err
	}
	l, err := instance.Domains(ctx, h.store, id(ctx, r), p, by, filters...)
	return &pb.ListCustomDomainsResponse{Pagination: api.Paginated(l.Total, p), Domains: api.Each(l.Rows, domain)}, err
}

func domain(d instance.Domain) *pb.CustomDomain {
	return &pb.CustomDomain{
		InstanceId: d.Instance, Domain: d.Name, Primary: d.Primary, Generated: d.Generated, CreationDate: timestamppb.New(d.Details.Created),
	}
}

func domainFilter(q *pb.CustomDomainFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.CustomDomainFilter_DomainFilter:
		return byName(f.DomainFilter), nil
	case *pb.CustomDomainFilter_GeneratedFilter:
		return instance.DomainIsGenerated(f.GeneratedFilter), nil
	case *pb.CustomDomainFilter_PrimaryFilter:
		return instance.DomainIsPrimary(f.PrimaryFilter), nil
	}
	return nil, api.ErrFilter
}

func byName(f *pb.DomainFilter) database.Filter {
	return instance.DomainByName(database.TextMethod(f.GetMethod()), f.GetDomain())
}

func (h *Handlers) addTrustedDomain(ctx context.Context, r *pb.AddTrustedDomainRequest) (*pb.AddTrustedDomainResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.AddTrustedDomain(tx, id(ctx, r), r.GetTrustedDomain())
	})
	return &pb.AddTrustedDomainResponse{CreationDate: at}, err
}

func (h *Handlers) removeTrustedDomain(ctx context.Context, r *pb.RemoveTrustedDomainRequest) (*pb.RemoveTrustedDomainResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.RemoveTrustedDomain(tx, id(ctx, r), r.GetTrustedDomain())
	})
	return &pb.RemoveTrustedDomainResponse{DeletionDate: at}, err
}

var trustedColumns = map[pb.TrustedDomainFieldName]instance.Column{
	pb.TrustedDomainFieldName_TRUSTED_DOMAIN_FIELD_NAME_UNSPECIFIED:   instance.SortDomainCreated,
	pb.TrustedDomainFieldName_TRUSTED_DOMAIN_FIELD_NAME_DOMAIN:        instance.SortDomainName,
	pb.TrustedDomainFieldName_TRUSTED_DOMAIN_FIELD_NAME_CREATION_DATE: instance.SortDomainCreated,
}

func (h *Handlers) listTrustedDomains(ctx context.Context, r *pb.ListTrustedDomainsRequest) (*pb.ListTrustedDomainsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), trustedColumns, r.GetSortingColumn(), r.GetFilters(), trustedFilter)
	if err != nil {
		return nil, err
	}
	l, err := instance.TrustedDomains(ctx, h.store, id(ctx, r), p, by, filters...)
	return &pb.ListTrustedDomainsResponse{Pagination: api.Paginated(l.Total, p), TrustedDomain: api.Each(l.Rows, trusted)}, err
}

func trusted(d instance.Domain) *pb.TrustedDomain {
	return &pb.TrustedDomain{InstanceId: d.Instance, Domain: d.Name, CreationDate: timestamppb.New(d.Details.Created)}
}

func trustedFilter(q *pb.TrustedDomainFilter) (database.Filter, error) {
	if f, ok := q.GetFilter().(*pb.TrustedDomainFilter_DomainFilter); ok {
		return byName(f.DomainFilter), nil
	}
	return nil, api.ErrFilter
}
