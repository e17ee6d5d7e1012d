package console

import (
	"google.golang.org/protobuf/proto"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
)

// The paths of an organization's domains.
const (
	atDomains = atOrg + "/domains"
	atDomain  = atDomains + "/{domain}"
)

// domainPages are about the domains of an organization: who has one verified, is found by
// it at the login.
func domainPages() (out []page) {
	out = append(out, list[*orgpb.ListOrganizationDomainsResponse]{
		path: atDomains, permission: orgRead, title: "domains", empty: "domains-empty", columns: []string{"domain", "state"}, find: "domains-find",
		ask:  func(v *visit, find string) proto.Message { return listDomains(v.org, find, containsInDomain) },
		rows: domainRows, add: []entry{{atOrg + "/domain-new", "domain-new", orgWrite}}, crumbs: inOrg,
	}.pages()...)
	out = append(out, form{
		path: atOrg + "/domain-new", permission: orgWrite, title: "domain-new", help: "domain-new-help", button: "create", fields: []field{{path: "domain", required: true, help: "f-domain-help"}}, crumbs: inDomains,
		load: func(v *visit) (proto.Message, error) {
			return &orgpb.AddOrganizationDomainRequest{OrganizationId: v.org}, nil
		},
		then: func(v *visit, _ proto.Message) (string, string) {
			return v.at(atDomains) + "/" + v.R.PostForm.Get("domain"), "created"
		},
	}.pages()...)
	out = append(out, view{path: atDomain, permission: orgRead, read: readDomain}.pages()...)
	out = append(out, form{
		path: atDomain + "/prove", permission: orgWrite, title: "domain-prove", help: "domain-prove-help", button: "domain-prove", then: backTo(atDomain, "saved"), crumbs: inDomains,
		fields: []field{{path: "type", text: "f-proof"}},
		load: func(v *visit) (proto.Message, error) {
			return &orgpb.GenerateOrganizationDomainValidationRequest{
				OrganizationId: v.org, Domain: v.R.PathValue("domain"), Type: orgpb.DomainValidationType_DOMAIN_VALIDATION_TYPE_DNS,
			}, nil
		},
		once: domainProof,
	}.pages()...)
	for _, a := range []action{
		{
			path: atDomain + "/verify", title: "domain-verify", help: "domain-verify-help", then: backTo(atDomain, "saved"),
			request: func(v *visit) proto.Message {
				return &orgpb.VerifyOrganizationDomainRequest{OrganizationId: v.org, Domain: v.R.PathValue("domain")}
			},
		},
		{
			path: atDomain + "/primary", title: "domain-primary", help: "domain-primary-help", then: backTo(atDomain, "saved"),
			request: func(v *visit) proto.Message {
				return &mgmtpb.SetPrimaryOrgDomainRequest{Domain: v.R.PathValue("domain")}
			},
		},
		{
			path: atDomain + "/remove", title: "remove", help: "domain-remove-help", danger: true, then: backTo(atDomains, "removed"),
			request: func(v *visit) proto.Message {
				return &orgpb.DeleteOrganizationDomainRequest{OrganizationId: v.org, Domain: v.R.PathValue("domain")}
			},
		},
	} {
		a.permission, a.crumbs = orgWrite, inDomains
		out = append(out, a.pages()...)
	}
	return out
}

const (
	containsInDomain = "contains"
	wholeDomain      = "whole"
)

// listDomains asks for the domains of an organization that hold a text, or are it.
func listDomains(org, find, how string) *orgpb.ListOrganizationDomainsRequest {
	req := &orgpb.ListOrganizationDomainsRequest{
		OrganizationId: org, Pagination: &filterpb.PaginationRequest{Limit: pageSize, Asc: true}, SortingColumn: orgpb.DomainFieldName_DOMAIN_FIELD_NAME_NAME,
	}
	if find != "" {
		q := &orgpb.OrganizationDomainQuery{Domain: find}
		if how == containsInDomain {
			q.Method = objectpb.TextQueryMethod_TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE
		}
		req.Filters = append(req.Filters, &orgpb.DomainSearchFilter{Filter: &orgpb.DomainSearchFilter_DomainFilter{DomainFilter: q}})
	}
	return req
}

func domainRows(v *visit, res *orgpb.ListOrganizationDomainsResponse) (out []row, total uint64) {
	for _, d := range res.GetDomains() {
		out = append(out, row{ID: d.GetDomain(), Link: v.at(atDomains) + "/" + d.GetDomain(), Cells: []cell{{Text: d.GetDomain(), Quiet: primary(v, d)}, domainState(v, d)}})
	}
	return out, res.GetPagination().GetTotalResult()
}

func primary(v *visit, d *orgpb.Domain) string {
	if d.GetIsPrimary() {
		return v.Texts.T("primary")
	}
	return ""
}

func domainState(v *visit, d *orgpb.Domain) cell {
	if d.GetIsVerified() {
		return cell{Text: v.Texts.T("verified-mark"), State: "good"}
	}
	return cell{Text: v.Texts.T("unverified-mark"), State: "idle"}
}

// readDomain is the page of a domain.
func readDomain(v *visit) (viewed, error) {
	res, err := call[*orgpb.ListOrganizationDomainsResponse](v, listDomains(v.org, v.R.PathValue("domain"), wholeDomain))
	if err == nil && len(res.GetDomains()) == 0 {
		err = errNoPage
	}
	if err != nil {
		return viewed{}, err
	}
	d := res.GetDomains()[0]
	out := viewed{Title: d.GetDomain(), State: domainState(v, d), Crumbs: inDomains(v), Facts: []fact{{Text: "primary", Value: v.Texts.T("is-false")}}}
	switch {
	case d.GetIsPrimary():
		out.Facts[0].Value, out.Help = v.Texts.T("is-true"), v.Texts.T("domain-is-primary-help")
	case d.GetIsVerified():
		out.Actions = []entry{{atDomain + "/primary", "domain-primary", orgWrite}, {atDomain + "/remove", "remove", orgWrite}}
	default:
		out.Help = v.Texts.T("domain-unproved-help")
		out.Actions = []entry{{atDomain + "/prove", "domain-prove", orgWrite}, {atDomain + "/verify", "domain-verify", orgWrite}, {atDomain + "/remove", "remove", orgWrite}}
	}
	return out, nil
}

// domainProof says what to publish, and where.
func domainProof(v *visit, res proto.Message) []fact {
	r := res.(*orgpb.GenerateOrganizationDomainValidationResponse) //nolint:forcetypeassert // the contract's
	if v.R.PostForm.Get("type") == "1" {
		return []fact{{Text: "proof-file", Value: r.GetUrl(), Code: true}, {Text: "proof-content", Value: r.GetToken(), Code: true}}
	}
	return []fact{{Text: "proof-record", Value: r.GetUrl(), Code: true}, {Text: "proof-kind", Value: "TXT", Code: true}, {Text: "proof-content", Value: r.GetToken(), Code: true}}
}

// inDomains are the pages above those of domains.
func inDomains(v *visit) []crumb {
	return append(inOrg(v), crumb{URL: v.at(atDomains), Text: v.Texts.T("domains")})
}
