package instance

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/hostname"
)

// Instance is an instance as it is stored.
type Instance struct {
	ID, Name, DefaultOrg, DefaultLanguage string
	State                                 int
	Domains                               []Domain // the primary one first; only where they are read too
	Details                               eventstore.Details
}

const columns = "i.instance_id, i.name, i.state, i.default_org, i.default_language, i.created, i.changed, i.sequence"

func scanInstance(scan database.Scan, i *Instance) error {
	var created, changed int64
	err := scan(&i.ID, &i.Name, &i.State, &i.DefaultOrg, &i.DefaultLanguage, &created, &changed, &i.Details.Sequence)
	i.Details = details(i.ID, created, changed, i.Details.Sequence)
	return err
}

func details(owner string, created, changed int64, sequence uint64) eventstore.Details {
	return eventstore.Details{
		Owner: owner, Sequence: sequence, Created: time.UnixMicro(created).UTC(), Changed: time.UnixMicro(changed).UTC(),
	}
}

func byID(id string, found *bool, i *Instance) database.Query {
	return database.From(columns, "instances i").Where("i.instance_id = ?", id).Rows(func(scan database.Scan) error {
		*found = true
		return scanInstance(scan, i)
	})
}

// Known is the query for whether there is an instance.
func Known(id string, known *bool) database.Query {
	return database.From("instance_id", "instances").Where("instance_id = ?", id).
		Rows(func(database.Scan) error { *known = true; return nil })
}

// Count is the number of instances.
func Count(ctx context.Context, r database.Reader) (n uint64, err error) {
	err = r.Read(ctx, database.From("instance_id", "instances").Count(&n))
	return n, err
}

// ByID gives an instance; what else there is to ask goes with it.
func ByID(ctx context.Context, r database.Reader, id string, also ...database.Query) (i Instance, err error) {
	found := false
	err = r.Read(ctx, append(also, byID(id, &found, &i))...)
	if err == nil && !found {
		err = ErrMissing
	}
	return i, err
}

// Show gives an instance with its domains to those who may read it.
func Show(ctx context.Context, r database.Reader, id string) (i Instance, err error) {
	if err := authz.RequireAt(ctx, id, "iam.read", "system.instance.read"); err != nil {
		return i, err
	}
	found := false
	err = r.Read(ctx, byID(id, &found, &i), domainsOf(database.From("i.instance_id", "instances i").Where("i.instance_id = ?", id),
		func(d Domain) { i.Domains = append(i.Domains, d) }))
	if err == nil && !found {
		err = ErrMissing
	}
	return i, err
}

// domainsOf reads the domains of the instances whose ids are selected.
func domainsOf(ids *database.Select, each func(Domain)) database.Query {
	return database.From(domainColumns, "instance_domains d").InSelect("d.instance_id", ids).
		Order("d.instance_id, d.is_primary DESC, d.created, d.domain").Rows(func(scan database.Scan) error {
		var d Domain
		err := scanDomain(scan, &d)
		each(d)
		return err
	})
}

// The filters of a list of instances.

// WithIDs is the filter for instances by their ids.
func WithIDs(ids []string) database.Filter {
	return func(s *database.Select) { s.In("i.instance_id", ids) }
}

// WithDomains is the filter for instances that have one of the domains.
func WithDomains(names []string) database.Filter {
	canonical := make([]string, len(names))
	for i, n := range names {
		canonical[i] = hostname.Canonical(n)
	}
	return func(s *database.Select) {
		s.InSelect("i.instance_id", database.From("d.instance_id", "instance_domains d").In("d.domain", canonical))
	}
}

// Column is what a list is sorted by.
type Column string

// The columns of instances.
const (
	SortID      Column = "i.instance_id"
	SortName    Column = "i.name_lower"
	SortCreated Column = "i.created"
)

// List gives the installation's instances with their domains.
func List(ctx context.Context, r database.Reader, p database.Page, by Column, filters ...database.Filter) (database.Listing[Instance], error) {
	if err := authz.RequireSystem(ctx, "system.instance.read"); err != nil {
		return database.Listing[Instance]{}, err
	}
	domains := map[string][]Domain{}
	s := database.From(columns, "instances i").Filter(filters...)
	l, err := database.List(ctx, r, s, p, []string{string(by), "i.instance_id"}, scanInstance, func(page *database.Select) database.Query {
		return domainsOf(page.Only("i.instance_id"), func(d Domain) { domains[d.Instance] = append(domains[d.Instance], d) })
	})
	for i := range l.Rows {
		l.Rows[i].Domains = domains[l.Rows[i].ID]
	}
	return l, err
}

const domainColumns = "d.instance_id, d.domain, d.is_primary, d.generated, d.created, d.changed, d.sequence"

func scanDomain(scan database.Scan, d *Domain) error {
	var created, changed int64
	var primary, generated int
	err := scan(&d.Instance, &d.Name, &primary, &generated, &created, &changed, &d.Details.Sequence)
	d.Primary, d.Generated = primary == 1, generated == 1
	d.Details = details(d.Instance, created, changed, d.Details.Sequence)
	return err
}

// The filters of a list of domains.

// DomainByName is the filter by name, which has only one case.
func DomainByName(m database.TextMethod, name string) database.Filter {
	return database.Text{Exact: string(SortDomainName), Lower: string(SortDomainName)}.Match(m, name)
}

// DomainIsPrimary is the filter by whether a domain is the primary one.
func DomainIsPrimary(wanted bool) database.Filter { return flag("d.is_primary", wanted) }

// DomainIsGenerated is the filter by whether a domain came with the instance.
func DomainIsGenerated(wanted bool) database.Filter { return flag("d.generated", wanted) }

func flag(column string, wanted bool) database.Filter {
	if wanted {
		return database.Is(column, 1)
	}
	return database.Is(column, 0)
}

// The columns of domains. Trusted domains have the first two only.
const (
	SortDomainName      Column = "d.domain"
	SortDomainCreated   Column = "d.created"
	SortDomainPrimary   Column = "d.is_primary"
	SortDomainGenerated Column = "d.generated"
)

// Domains lists the domains at which an instance is reached.
func Domains(ctx context.Context, r database.Reader, id string, p database.Page, by Column, filters ...database.Filter) (database.Listing[Domain], error) {
	return domains(ctx, r, database.From(domainColumns, "instance_domains d"), id, p, by, filters)
}

// TrustedDomains lists the domains that an instance trusts.
func TrustedDomains(ctx context.Context, r database.Reader, id string, p database.Page, by Column, filters ...database.Filter) (database.Listing[Domain], error) {
	s := database.From("d.instance_id, d.domain, 0, 0, d.created, d.created, d.sequence", "trusted_domains d")
	return domains(ctx, r, s, id, p, by, filters)
}

func domains(ctx context.Context, r database.Reader, s *database.Select, id string, p database.Page, by Column, filters []database.Filter) (database.Listing[Domain], error) {
	if err := authz.RequireAt(ctx, id, "iam.read", "system.domain.read"); err != nil {
		return database.Listing[Domain]{}, err
	}
	found := false
	s.Where("d.instance_id = ?", id).Filter(filters...)
	l, err := database.List(ctx, r, s, p, []string{string(by), "d.domain"}, scanDomain,
		func(*database.Select) database.Query { return Known(id, &found) })
	if err == nil && !found {
		err = ErrMissing
	}
	return l, err
}

// HasDomain reports whether a domain belongs to an instance.
func HasDomain(ctx context.Context, r database.Reader, domain string) (found bool, err error) {
	if err := authz.RequireSystem(ctx, "system.domain.read"); err != nil {
		return false, err
	}
	err = r.Read(ctx, database.From("d.domain", "instance_domains d").Where("d.domain = ?", hostname.Canonical(domain)).
		Rows(func(database.Scan) error { found = true; return nil }))
	return found, err
}
