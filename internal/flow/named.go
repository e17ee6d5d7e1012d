package flow

import (
	"context"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Named is what a login name tells by itself, whether or not it is somebody's.
type Named struct {
	Org   string // whose verified domain it ends in; empty: nobody's, or that is not to matter
	Login policy.LoginPolicy
}

// HiddenSuffix is what the login pages leave out of the login names of an organization, where
// its label policy says so: an @ and its primary domain. Empty: nothing, or the names of its
// users are login names without one.
func HiddenSuffix(ctx context.Context, r database.Reader, s eventstore.Scope) (string, error) {
	var label policy.State[policy.LabelPolicy]
	var completed bool
	var domain string
	err := r.Read(ctx, policy.AskActiveLabel(s, &label), policy.NamesCompleted(s, &completed),
		database.One(new(bool), "SELECT primary_domain FROM orgs WHERE instance_id = ? AND org_id = ?", []any{s.Instance, s.Org}, &domain))
	if err != nil || !label.Doc.HideLoginNameSuffix || !completed || domain == "" {
		return "", err
	}
	return "@" + domain, nil
}

// orgOf is the organization that a domain belongs to.
func orgOf(instance, domain string) *database.Select {
	return database.From("d.org_id", "org_domains d").Where("d.instance_id = ? AND d.domain = ? AND d.verified = 1", instance, domain)
}

// NameTells looks at nothing but the domain of a login name as somebody typed it, where the
// instance lets that decide. What is shown by it is the same for those who exist and those
// who do not.
func NameTells(ctx context.Context, r database.Reader, instance, typed string) (n Named, err error) {
	var all, own rules
	queries := []database.Query{rulesOf(eventstore.Scope{Instance: instance}, &all)}
	if _, domain := cutLast(strings.ToLower(typed), "@"); domain != "" {
		queries = append(queries, orgOf(instance, domain).Rows(func(scan database.Scan) error { return scan(&n.Org) }), rulesOfFirst(instance, orgOf(instance, domain), &own))
	}
	err = r.Read(ctx, queries...)
	if !all.login.AllowDomainDiscovery {
		n.Org = ""
	}
	if n.Login = all.login; n.Org != "" {
		n.Login = own.login
	}
	return n, err
}
