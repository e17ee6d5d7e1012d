package org

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

const columns = "o.org_id, o.name, o.state, o.primary_domain, o.created, o.changed, o.sequence"

func scanOrg(scan database.Scan, o *Org) error {
	var created, changed int64
	err := scan(&o.ID, &o.Name, &o.State, &o.PrimaryDomain, &created, &changed, &o.Details.Sequence)
	o.Details = details(o.ID, created, changed, o.Details.Sequence)
	return err
}

func details(owner string, created, changed int64, sequence uint64) eventstore.Details {
	return eventstore.Details{
		Owner: owner, Sequence: sequence, Created: time.UnixMicro(created).UTC(), Changed: time.UnixMicro(changed).UTC(),
	}
}

func one(where string, found *bool, o *Org, args ...any) database.Query {
	return database.Query{
		SQL: "SELECT " + columns + " FROM orgs o WHERE " + where, Args: args,
		Row: func(scan database.Scan) error {
			*found = true
			return scanOrg(scan, o)
		},
	}
}

func query(instance, id string, found *bool, o *Org) database.Query {
	return one("o.instance_id = ? AND o.org_id = ?", found, o, instance, id)
}

func read(ctx context.Context, r database.Reader, where string, args ...any) (Org, error) {
	var o Org
	var found bool
	err := r.Read(ctx, one(where, &found, &o, args...))
	if err == nil && !found {
		err = errMissing
	}
	return o, err
}

// ByID gives an organization.
func ByID(ctx context.Context, r database.Reader, instance, id string) (Org, error) {
	return read(ctx, r, "o.instance_id = ? AND o.org_id = ?", instance, id)
}

// ByDomain gives the organization that has verified the domain.
func ByDomain(ctx context.Context, r database.Reader, instance, domain string) (Org, error) {
	return read(ctx, r, "o.instance_id = ? AND o.org_id IN (SELECT d.org_id FROM org_domains d WHERE d.instance_id = ? AND d.domain = ? AND d.verified = 1)",
		instance, instance, CanonicalDomain(domain))
}

// Default gives the organization of users without another.
func Default(ctx context.Context, r database.Reader, instance string) (Org, error) {
	return read(ctx, r, "o.instance_id = ? AND o.org_id = (SELECT i.default_org FROM instances i WHERE i.instance_id = ?)", instance, instance)
}

// Unique reports whether an organization can have the name and the domain. What
// is empty is not asked for.
func Unique(ctx context.Context, r database.Reader, instance, name, domain string) (bool, error) {
	free := true
	err := r.Read(ctx, database.Query{
		SQL:  "SELECT kind FROM claims WHERE instance_id = ? AND (kind = ? AND value = ? OR kind = ? AND value = ?)",
		Args: []any{instance, claimName, strings.ToLower(strings.TrimSpace(name)), claimDomain, CanonicalDomain(domain)},
		Row:  func(database.Scan) error { free = false; return nil },
	})
	return free, err
}

// The filters of a list of organizations.

// ByName is the filter by name.
func ByName(m database.TextMethod, name string) database.Filter {
	return database.Text{Exact: "o.name", Lower: "o.name_lower"}.Match(m, name)
}

// ByState is the filter by state.
func ByState(state int) database.Filter { return database.Is("o.state", state) }

// WithID is the filter for one organization.
func WithID(id string) database.Filter { return database.Is("o.org_id", id) }

// IsDefault is the filter for the instance's default organization.
func IsDefault(s *database.Select) {
	s.Where("o.org_id IN (SELECT i.default_org FROM instances i WHERE i.instance_id = o.instance_id)")
}

// WithDomain is the filter by a verified domain.
func WithDomain(instance string, m database.TextMethod, domain string) database.Filter {
	return func(s *database.Select) {
		s.InSelect("o.org_id", database.From("d.org_id", "org_domains d").
			Where("d.instance_id = ? AND d.verified = 1", instance).Filter(domainName.Match(m, domain)))
	}
}

// Column is what a list of organizations is sorted by.
type Column string

// The columns.
const (
	SortCreated Column = "o.created"
	SortName    Column = "o.name_lower"
)

// List gives the instance's organizations that the caller may read.
func List(ctx context.Context, r database.Reader, instance string, p database.Page, by Column, filters ...database.Filter) (database.Listing[Org], error) {
	visible, args := authz.Where(ctx, "org.read", "o.org_id")
	return list(ctx, r, instance, p, by, append(filters, func(s *database.Select) { s.Where(visible, args...) })...)
}

// Mine gives the organizations in which the caller is a member of anything.
func Mine(ctx context.Context, r database.Reader, instance string, p database.Page, by Column, filters ...database.Filter) (database.Listing[Org], error) {
	if ids, all := authz.From(ctx).Orgs(); !all {
		filters = append(filters, database.OneOf("o.org_id", ids))
	}
	return list(ctx, r, instance, p, by, filters...)
}

func list(ctx context.Context, r database.Reader, instance string, p database.Page, by Column, filters ...database.Filter) (database.Listing[Org], error) {
	s := database.From(columns, "orgs o").Where("o.instance_id = ?", instance).Filter(filters...)
	return database.List(ctx, r, s, p, []string{string(by), "o.org_id"}, scanOrg)
}
