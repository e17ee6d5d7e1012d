package api

import (
	"runtime/debug"
	"sync"

	instancepb "github.com/gatehouse/gatehouse/gen/zitadel/instance/v1"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/instance"
)

// Version is the version of this program, as it was built.
var Version = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
})

// Instance is an instance as v1 lists it.
func Instance(i instance.Instance) *instancepb.Instance {
	return &instancepb.Instance{
		Id: i.ID, Details: View(i.Details), State: instancepb.State(i.State), //nolint:gosec // a small number
		Name: i.Name, Version: Version(), Domains: Each(i.Domains, InstanceDomain),
	}
}

// InstanceDetail is an instance as v1 shows it alone.
func InstanceDetail(i instance.Instance) *instancepb.InstanceDetail {
	m := Instance(i)
	return &instancepb.InstanceDetail{
		Id: m.Id, Details: m.Details, State: m.State, Name: m.Name, Version: m.Version, Domains: m.Domains,
	}
}

// InstanceColumns are what v1 sorts instances by.
var InstanceColumns = map[instancepb.FieldName]instance.Column{
	instancepb.FieldName_FIELD_NAME_UNSPECIFIED:   instance.SortCreated,
	instancepb.FieldName_FIELD_NAME_ID:            instance.SortID,
	instancepb.FieldName_FIELD_NAME_NAME:          instance.SortName,
	instancepb.FieldName_FIELD_NAME_CREATION_DATE: instance.SortCreated,
}

// InstanceFilter is a filter of v1 for instances.
func InstanceFilter(q *instancepb.Query) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *instancepb.Query_IdQuery:
		return instance.WithIDs(f.IdQuery.GetIds()), nil
	case *instancepb.Query_DomainQuery:
		return instance.WithDomains(f.DomainQuery.GetDomains()), nil
	}
	return nil, ErrFilter
}

// InstanceDomain is a domain of an instance as v1 shows it.
func InstanceDomain(d instance.Domain) *instancepb.Domain {
	return &instancepb.Domain{Details: View(d.Details), Domain: d.Name, Primary: d.Primary, Generated: d.Generated}
}

// TrustedDomain is a trusted domain as v1 shows it.
func TrustedDomain(d instance.Domain) *instancepb.TrustedDomain {
	return &instancepb.TrustedDomain{Details: View(d.Details), Domain: d.Name}
}

// InstanceDomainColumns are what v1 sorts domains by.
var InstanceDomainColumns = map[instancepb.DomainFieldName]instance.Column{
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_UNSPECIFIED:   instance.SortDomainCreated,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_DOMAIN:        instance.SortDomainName,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_PRIMARY:       instance.SortDomainPrimary,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED:     instance.SortDomainGenerated,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: instance.SortDomainCreated,
}

// TrustedDomainColumns are what v1 sorts trusted domains by: none of them is
// primary or generated, so these two leave the order to the time.
var TrustedDomainColumns = map[instancepb.DomainFieldName]instance.Column{
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_UNSPECIFIED:   instance.SortDomainCreated,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_DOMAIN:        instance.SortDomainName,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_PRIMARY:       instance.SortDomainCreated,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_GENERATED:     instance.SortDomainCreated,
	instancepb.DomainFieldName_DOMAIN_FIELD_NAME_CREATION_DATE: instance.SortDomainCreated,
}

// InstanceDomainFilter is a filter of v1 for domains of an instance.
func InstanceDomainFilter(q *instancepb.DomainSearchQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *instancepb.DomainSearchQuery_DomainQuery:
		return instance.DomainByName(database.TextMethod(f.DomainQuery.GetMethod()), f.DomainQuery.GetDomain()), nil
	case *instancepb.DomainSearchQuery_GeneratedQuery:
		return instance.DomainIsGenerated(f.GeneratedQuery.GetGenerated()), nil
	case *instancepb.DomainSearchQuery_PrimaryQuery:
		return instance.DomainIsPrimary(f.PrimaryQuery.GetPrimary()), nil
	}
	return nil, ErrFilter
}

// TrustedDomainFilter is a filter of v1 for trusted domains.
func TrustedDomainFilter(q *instancepb.TrustedDomainSearchQuery) (database.Filter, error) {
	if f, ok := q.GetQuery().(*instancepb.TrustedDomainSearchQuery_DomainQuery); ok {
		return instance.DomainByName(database.TextMethod(f.DomainQuery.GetMethod()), f.DomainQuery.GetDomain()), nil
	}
	return nil, ErrFilter
}
