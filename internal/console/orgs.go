package console

import (
	"google.golang.org/protobuf/proto"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	orgv1 "github.com/gatehouse/gatehouse/gen/zitadel/org/v1"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
)

// atOrg is the path of an organization.
const atOrg = "orgs/{org}"

// The permissions on organizations.
const (
	orgRead   = "org.read"
	orgWrite  = "org.write"
	orgCreate = "org.create"
	orgDelete = "org.delete"
)

// orgPages are about organizations themselves.
func orgPages() (out []page) {
	out = append(out, list[*orgpb.ListOrganizationsResponse]{
		path: "orgs", title: "orgs", empty: "orgs-empty", columns: []string{"name", "domain", "state", "created"}, find: "orgs-find",
		ask:  func(_ *visit, find string) proto.Message { return listOrgs(find, pageSize) },
		rows: orgRows,
		add:  []entry{{"orgs-new", "org-new", orgCreate}},
	}.pages()...)
	out = append(out, form{
		path: "orgs-new", permission: orgCreate, title: "org-new", help: "org-new-help", button: "create",
		load:   func(*visit) (proto.Message, error) { return &orgpb.AddOrganizationRequest{}, nil },
		fields: []field{{path: "name", required: true}},
		then: func(_ *visit, res proto.Message) (string, string) {
			return prefix + "orgs/" + res.(*orgpb.AddOrganizationResponse).GetOrganizationId(), "created" //nolint:forcetypeassert // the contract's
		},
		crumbs: atOrgs,
	}.pages()...)
	out = append(out, view{path: atOrg, permission: orgRead, read: readOrg}.pages()...)
	out = append(out, form{
		path: atOrg + "/rename", permission: orgWrite, title: "org-rename", help: "org-rename-help",
		load: func(v *visit) (proto.Message, error) {
			return &orgpb.UpdateOrganizationRequest{OrganizationId: v.org, Name: v.orgName}, nil
		},
		fields: []field{{path: "name", required: true}},
		then:   backToOrg("saved"), crumbs: inOrg,
	}.pages()...)
	for _, a := range []action{
		{
			path: atOrg + "/deactivate", permission: orgWrite, title: "deactivate", help: "org-deactivate-help", danger: true,
			request: func(v *visit) proto.Message { return &orgpb.DeactivateOrganizationRequest{OrganizationId: v.org} }, then: backToOrg("deactivated"),
		},
		{
			path: atOrg + "/activate", permission: orgWrite, title: "activate", help: "org-activate-help",
			request: func(v *visit) proto.Message { return &orgpb.ActivateOrganizationRequest{OrganizationId: v.org} }, then: backToOrg("activated"),
		},
		{
			path: atOrg + "/remove", permission: orgDelete, title: "remove", help: "org-remove-help", danger: true,
			request: func(v *visit) proto.Message { return &orgpb.DeleteOrganizationRequest{OrganizationId: v.org} },
			then:    func(*visit, proto.Message) (string, string) { return prefix + "orgs", "removed" },
		},
	} {
		a.crumbs = inOrg
		out = append(out, a.pages()...)
	}
	return out
}

// listOrgs asks for organizations whose name holds a text.
func listOrgs(find string, limit uint32) *orgpb.ListOrganizationsRequest {
	req := &orgpb.ListOrganizationsRequest{
		Query: &objectpb.ListQuery{Limit: limit, Asc: true}, SortingColumn: orgpb.OrganizationFieldName_ORGANIZATION_FIELD_NAME_NAME,
	}
	if find != "" {
		req.Queries = append(req.Queries, &orgpb.SearchQuery{Query: &orgpb.SearchQuery_NameQuery{NameQuery: &orgpb.OrganizationNameQuery{
			Name: find, Method: objectpb.TextQueryMethod_TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE,
		}}})
	}
	return req
}

func orgRows(v *visit, res *orgpb.ListOrganizationsResponse) (out []row, total uint64) {
	for _, o := range res.GetResult() {
		out = append(out, row{ID: o.GetId(), Link: prefix + "orgs/" + o.GetId(), Cells: []cell{
			{Text: o.GetName()}, {Text: o.GetPrimaryDomain()}, orgState(v, o.GetState()), {Text: when(o.GetDetails().GetCreationDate())},
		}})
	}
	return out, res.GetDetails().GetTotalResult()
}

func orgState(v *visit, s orgpb.OrganizationState) cell {
	c := cell{Text: v.Texts.T(s.String()), State: "idle"}
	if s == orgpb.OrganizationState_ORGANIZATION_STATE_ACTIVE {
		c.State = "good"
	}
	return c
}

// knowOrg asks for the organization that the page is about. Who may not read it and
// administers something of it gets to know its name.
func (v *visit) knowOrg() error {
	if !v.wide[orgRead] {
		return v.knowMine()
	}
	res, err := call[*mgmtpb.GetMyOrgResponse](v, &mgmtpb.GetMyOrgRequest{})
	if err != nil {
		return err
	}
	v.orgName = res.GetOrg().GetName()
	return nil
}

func (v *visit) knowMine() error {
	res, err := call[*authpb.ListMyProjectOrgsResponse](v, &authpb.ListMyProjectOrgsRequest{Queries: []*orgv1.OrgQuery{
		{Query: &orgv1.OrgQuery_IdQuery{IdQuery: &orgv1.OrgIDQuery{Id: v.org}}},
	}})
	if err == nil && len(res.GetResult()) == 0 {
		err = errNoPage
	}
	if err != nil {
		return err
	}
	v.orgName = res.GetResult()[0].GetName()
	return nil
}

// organization asks for the one that the page is about, with all that the page of it shows.
func (v *visit) organization() (*orgpb.Organization, error) {
	res, err := call[*orgpb.ListOrganizationsResponse](v, &orgpb.ListOrganizationsRequest{Queries: []*orgpb.SearchQuery{
		{Query: &orgpb.SearchQuery_IdQuery{IdQuery: &orgpb.OrganizationIDQuery{Id: v.org}}},
	}})
	switch {
	case err != nil:
		return nil, err
	case len(res.GetResult()) == 0:
		return nil, errNoPage
	}
	return res.GetResult()[0], nil
}

// orgAtHand is what all tabs of an organization's page show.
func orgAtHand(v *visit) (viewed, error) {
	o, err := v.organization()
	return orgTabs(v, o), err
}

func orgTabs(v *visit, o *orgpb.Organization) viewed {
	return viewed{
		Title: v.orgName, State: orgState(v, o.GetState()), Crumbs: atOrgs(v),
		Tabs: v.tabs([]entry{{atOrg, "overview", orgRead}, {atOrg + "/metadata", "metadata", orgRead}, {atOrg + "/history", "history", orgRead}}),
	}
}

// readOrg is the page of an organization.
func readOrg(v *visit) (viewed, error) {
	o, err := v.organization()
	if err != nil {
		return viewed{}, err
	}
	out := orgTabs(v, o)
	out.Facts = []fact{
		{Text: "id", Value: o.GetId(), Code: true}, {Text: "domain", Value: o.GetPrimaryDomain()},
		{Text: "created", Value: when(o.GetDetails().GetCreationDate())}, {Text: "changed", Value: when(o.GetDetails().GetChangeDate())},
	}
	out.Actions = []entry{{atOrg + "/rename", "org-rename", orgWrite}}
	if o.GetState() == orgpb.OrganizationState_ORGANIZATION_STATE_ACTIVE {
		out.Actions = append(out.Actions, entry{atOrg + "/deactivate", "deactivate", orgWrite})
	} else {
		out.Actions = append(out.Actions, entry{atOrg + "/activate", "activate", orgWrite})
	}
	out.Actions = append(out.Actions, entry{atOrg + "/remove", "remove", orgDelete})
	return out, nil
}

func backToOrg(what string) func(*visit, proto.Message) (string, string) {
	return func(v *visit, _ proto.Message) (string, string) { return v.at(atOrg), what }
}

// atOrgs are the pages above an organization.
func atOrgs(v *visit) []crumb { return []crumb{{URL: prefix + "orgs", Text: v.Texts.T("orgs")}} }

// inOrg are the pages above those of an organization.
func inOrg(v *visit) []crumb {
	if !v.wide[orgRead] {
		return nil
	}
	return append(atOrgs(v), crumb{URL: v.at(atOrg), Text: v.orgName})
}
