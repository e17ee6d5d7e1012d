package console

import (
	"strings"

	"google.golang.org/protobuf/proto"

	authorizationpb "github.com/gatehouse/gatehouse/gen/zitadel/authorization/v2"
	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
)

// The permissions on authorizations.
const (
	grantRead   = "user.grant.read"
	grantWrite  = "user.grant.write"
	grantDelete = "user.grant.delete"
)

const (
	atGrants = atOrg + "/authorizations"
	atRoles  = atUser + "/roles"
)

// authorizationPages are about who has which roles in which project: all of an
// organization, and those of one user.
func authorizationPages() (out []page) {
	out = append(out, list[*authorizationpb.ListAuthorizationsResponse]{
		path: atGrants, permission: grantRead, title: "authorizations", help: "authorizations-help", empty: "authorizations-empty", find: "authorizations-find",
		columns: []string{"user", "project", "roles", "state"}, filters: []filter{{"grant-state", []string{"", "active", "inactive"}}},
		ask: askGrants, rows: grantRows, crumbs: inOrg, bulk: grantBulk(), ways: grantWays(atGrants),
		add: []entry{{atGrants + "-new", "authorization-new", grantWrite}},
	}.pages()...)
	out = append(out, picker{
		path: atGrants + "-new", permission: grantWrite, title: "authorization-new", help: "authorization-pick",
		then:   func(v *visit, _, id string) string { return v.at(atUsers) + "/" + id + "/roles-new" },
		crumbs: inGrants,
	}.pages()...)
	out = append(out, list[*authorizationpb.ListAuthorizationsResponse]{
		path: atRoles, permission: grantRead, title: "user-roles", help: "user-roles-help", empty: "user-roles-empty", columns: []string{"project", "roles", "state", "changed"},
		ask: func(v *visit, _ string) proto.Message {
			return listGrants(&authorizationpb.AuthorizationsSearchFilter{Filter: &authorizationpb.AuthorizationsSearchFilter_InUserIds{InUserIds: &filterpb.InIDsFilter{Ids: []string{v.userID()}}}})
		},
		rows: userGrantRows, of: atHand, ways: grantWays(atRoles),
		add: []entry{{atRoles + "-new", "authorization-new", grantWrite}},
	}.pages()...)
	out = append(out, list[*projectpb.ListProjectsResponse]{
		path: atRoles + "-new", permission: grantWrite, title: "authorization-new", help: "authorization-project", empty: "authorization-no-project", find: "projects-find",
		columns: []string{"project", "kind"}, ask: askProjects, rows: projectChoices, crumbs: inUser,
	}.pages()...)
	out = append(out, form{
		path: atRoles + "-new/{project}", permission: grantWrite, title: "authorization-new", help: "authorization-roles-help", button: "add", crumbs: inProjectRoles,
		load: func(v *visit) (proto.Message, error) {
			_, err := v.user()
			return &authorizationpb.CreateAuthorizationRequest{UserId: v.userID(), ProjectId: v.R.PathValue("project"), OrganizationId: v.org}, err
		},
		fields: []field{{path: "role_keys", text: "roles", options: func(v *visit) ([]option, error) { return v.projectRoles(v.R.PathValue("project")) }}},
		then:   backTo(atRoles, "added"),
	}.pages()...)
	out = append(out, grantPages(atGrants, inGrants)...)
	return append(out, grantPages(atRoles, inUser)...)
}

func inGrants(v *visit) []crumb {
	return append(inOrg(v), crumb{URL: v.at(atGrants), Text: v.Texts.T("authorizations")})
}

// inProjectRoles are the pages above the roles of a project for a user: the last one names it.
func inProjectRoles(v *visit) []crumb {
	out := inUser(v)
	res, err := call[*projectpb.ListProjectsResponse](v, &projectpb.ListProjectsRequest{Filters: []*projectpb.ProjectSearchFilter{
		{Filter: &projectpb.ProjectSearchFilter_InProjectIdsFilter{InProjectIdsFilter: &filterpb.InIDsFilter{Ids: []string{v.R.PathValue("project")}}}},
	}})
	if err == nil && len(res.GetProjects()) > 0 {
		out = append(out, crumb{URL: v.at(atRoles + "-new"), Text: res.GetProjects()[0].GetName()})
	}
	return out
}

// grantPages change one authorization, beneath one of the lists that show it.
func grantPages(at string, above func(v *visit) []crumb) []page {
	id := func(v *visit) string { return v.R.PathValue("grant") }
	crumbs := func(v *visit) []crumb {
		g, err := v.grant()
		if err != nil { // The page itself says what is wrong.
			return above(v)
		}
		return append(above(v), crumb{URL: v.at(at), Text: g.GetUser().GetDisplayName() + " · " + g.GetProject().GetName()})
	}
	out := form{
		path: at + "/{grant}", permission: grantWrite, title: "authorization-edit", help: "authorization-roles-help", crumbs: crumbs,
		load: func(v *visit) (proto.Message, error) {
			g, err := v.grant()
			req := &authorizationpb.UpdateAuthorizationRequest{Id: id(v)}
			for _, r := range g.GetRoles() {
				req.RoleKeys = append(req.RoleKeys, r.GetKey())
			}
			return req, err
		},
		fields: []field{{path: "role_keys", text: "roles", options: func(v *visit) ([]option, error) {
			g, err := v.grant()
			if err != nil {
				return nil, err
			}
			return v.projectRoles(g.GetProject().GetId())
		}}},
		then: backTo(at, "saved"),
	}.pages()
	for _, a := range []action{
		{
			path: at + "/{grant}/deactivate", permission: grantWrite, title: "deactivate", help: "authorization-deactivate-help", danger: true, then: backTo(at, "deactivated"),
			request: func(v *visit) proto.Message { return &authorizationpb.DeactivateAuthorizationRequest{Id: id(v)} },
		},
		{
			path: at + "/{grant}/activate", permission: grantWrite, title: "activate", help: "authorization-activate-help", then: backTo(at, "activated"),
			request: func(v *visit) proto.Message { return &authorizationpb.ActivateAuthorizationRequest{Id: id(v)} },
		},
		{
			path: at + "/{grant}/remove", permission: grantDelete, title: "authorization-remove", help: "authorization-remove-help", danger: true, then: backTo(at, "removed"),
			request: func(v *visit) proto.Message { return &authorizationpb.DeleteAuthorizationRequest{Id: id(v)} },
		},
	} {
		a.crumbs = crumbs
		out = append(out, a.pages()...)
	}
	return out
}

// grantWays are what can be done with one authorization.
func grantWays(at string) func(id string) []entry {
	return func(id string) []entry {
		return []entry{{at + "/" + id, "change", grantWrite}, {at + "/" + id + "/remove", "remove", grantDelete}}
	}
}

func grantBulk() []bulk {
	return []bulk{
		{name: "deactivate", permission: grantWrite, help: "authorization-deactivate-help", request: func(_ *visit, id string) proto.Message {
			return &authorizationpb.DeactivateAuthorizationRequest{Id: id}
		}},
		{name: "activate", permission: grantWrite, request: func(_ *visit, id string) proto.Message { return &authorizationpb.ActivateAuthorizationRequest{Id: id} }},
		{name: "remove", permission: grantDelete, help: "authorization-remove-help", danger: true, request: func(_ *visit, id string) proto.Message {
			return &authorizationpb.DeleteAuthorizationRequest{Id: id}
		}},
	}
}

func listGrants(filters ...*authorizationpb.AuthorizationsSearchFilter) *authorizationpb.ListAuthorizationsRequest {
	return &authorizationpb.ListAuthorizationsRequest{Pagination: &filterpb.PaginationRequest{Limit: pageSize, Asc: true}, Filters: filters}
}

// askGrants asks for the authorizations that the organization gave, to users whose name
// holds a text.
func askGrants(v *visit, find string) proto.Message {
	req := listGrants(&authorizationpb.AuthorizationsSearchFilter{Filter: &authorizationpb.AuthorizationsSearchFilter_OrganizationId{OrganizationId: &filterpb.IDFilter{Id: v.org}}})
	if s, ok := map[string]authorizationpb.State{"active": authorizationpb.State_STATE_ACTIVE, "inactive": authorizationpb.State_STATE_INACTIVE}[v.R.URL.Query().Get("grant-state")]; ok {
		req.Filters = append(req.Filters, &authorizationpb.AuthorizationsSearchFilter{Filter: &authorizationpb.AuthorizationsSearchFilter_State{State: &authorizationpb.StateQuery{State: s}}})
	}
	if find != "" {
		req.Filters = append(req.Filters, &authorizationpb.AuthorizationsSearchFilter{Filter: &authorizationpb.AuthorizationsSearchFilter_UserDisplayName{
			UserDisplayName: &authorizationpb.UserDisplayNameQuery{DisplayName: find, Method: filterpb.TextFilterMethod_TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE},
		}})
	}
	return req
}

// grant is the authorization that the page is about.
func (v *visit) grant() (*authorizationpb.Authorization, error) {
	if v.aboutAuthorization != nil {
		return v.aboutAuthorization, nil
	}
	res, err := call[*authorizationpb.ListAuthorizationsResponse](v, listGrants(&authorizationpb.AuthorizationsSearchFilter{
		Filter: &authorizationpb.AuthorizationsSearchFilter_AuthorizationIds{AuthorizationIds: &filterpb.InIDsFilter{Ids: []string{v.R.PathValue("grant")}}},
	}))
	switch {
	case err != nil:
		return nil, err
	case len(res.GetAuthorizations()) == 0:
		return nil, errNoPage
	}
	v.aboutAuthorization = res.GetAuthorizations()[0]
	return v.aboutAuthorization, nil
}

func grantRows(v *visit, res *authorizationpb.ListAuthorizationsResponse) (out []row, total uint64) {
	for _, g := range res.GetAuthorizations() {
		u := g.GetUser()
		r := row{ID: g.GetId(), Cells: append([]cell{{Text: u.GetDisplayName(), Quiet: u.GetPreferredLoginName()}}, grantCells(v, g)...)}
		if u.GetOrganizationId() == v.org && v.can[userRead] {
			r.Link = v.at(atUsers) + "/" + u.GetId() + "/roles"
		}
		out = append(out, r)
	}
	return out, res.GetPagination().GetTotalResult()
}

func userGrantRows(v *visit, res *authorizationpb.ListAuthorizationsResponse) (out []row, total uint64) {
	for _, g := range res.GetAuthorizations() {
		out = append(out, row{ID: g.GetId(), Cells: append(grantCells(v, g), cell{Text: when(g.GetChangeDate())})})
	}
	return out, res.GetPagination().GetTotalResult()
}

// grantCells are the project of an authorization, its roles, and its state.
func grantCells(v *visit, g *authorizationpb.Authorization) []cell {
	roles := make([]string, len(g.GetRoles()))
	for i, r := range g.GetRoles() {
		if roles[i] = r.GetDisplayName(); roles[i] == "" {
			roles[i] = r.GetKey()
		}
	}
	project := cell{Text: g.GetProject().GetName()}
	if g.GetOrganization().GetId() != v.org {
		project.Quiet = v.Texts.T("given-by", g.GetOrganization().GetName())
	}
	state := cell{Text: v.Texts.T("grant-state-inactive"), State: "idle"}
	if g.GetState() == authorizationpb.State_STATE_ACTIVE {
		state = cell{Text: v.Texts.T("grant-state-active"), State: "good"}
	}
	return []cell{project, {Text: strings.Join(roles, ", ")}, state}
}

// askProjects asks for the projects in whose roles the organization can have users.
func askProjects(v *visit, find string) proto.Message {
	req := &projectpb.ListProjectsRequest{
		Pagination: &filterpb.PaginationRequest{Limit: pageSize, Asc: true}, SortingColumn: projectpb.ProjectFieldName_PROJECT_FIELD_NAME_NAME.Enum(),
		Filters: []*projectpb.ProjectSearchFilter{{Filter: &projectpb.ProjectSearchFilter_OrganizationIdFilter{OrganizationIdFilter: &projectpb.ProjectOrganizationIDFilter{
			OrganizationId: v.org, Type: projectpb.ProjectOrganizationIDFilter_OWNED_OR_GRANTED,
		}}}},
	}
	if find != "" {
		req.Filters = append(req.Filters, &projectpb.ProjectSearchFilter{Filter: &projectpb.ProjectSearchFilter_ProjectNameFilter{
			ProjectNameFilter: &projectpb.ProjectNameFilter{ProjectName: find, Method: filterpb.TextFilterMethod_TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE},
		}})
	}
	return req
}

func projectChoices(v *visit, res *projectpb.ListProjectsResponse) (out []row, total uint64) {
	for _, p := range res.GetProjects() {
		kind := v.Texts.T("project-own")
		if p.GetOrganizationId() != v.org {
			kind = v.Texts.T("project-granted")
		}
		out = append(out, row{ID: p.GetProjectId(), Link: v.at(atRoles) + "-new/" + p.GetProjectId(), Cells: []cell{{Text: p.GetName()}, {Text: kind}}})
	}
	return out, res.GetPagination().GetTotalResult()
}

// projectRoles are the roles of a project that the organization can give: all of its own
// projects, of another's those that it was granted.
func (v *visit) projectRoles(project string) (out []option, err error) {
	grants, err := call[*projectpb.ListProjectGrantsResponse](v, &projectpb.ListProjectGrantsRequest{Filters: []*projectpb.ProjectGrantSearchFilter{
		{Filter: &projectpb.ProjectGrantSearchFilter_InProjectIdsFilter{InProjectIdsFilter: &filterpb.InIDsFilter{Ids: []string{project}}}},
		{Filter: &projectpb.ProjectGrantSearchFilter_GrantedOrganizationIdFilter{GrantedOrganizationIdFilter: &filterpb.IDFilter{Id: v.org}}},
	}})
	if err == nil && len(grants.GetProjectGrants()) > 0 {
		for _, key := range grants.GetProjectGrants()[0].GetGrantedRoleKeys() {
			out = append(out, option{Value: key, Text: key})
		}
		return out, nil
	}
	res, err := call[*projectpb.ListProjectRolesResponse](v, &projectpb.ListProjectRolesRequest{ProjectId: project, Pagination: &filterpb.PaginationRequest{Limit: mostParts, Asc: true}})
	for _, r := range res.GetProjectRoles() {
		o := option{Value: r.GetKey(), Text: r.GetKey()}
		if r.GetDisplayName() != "" && r.GetDisplayName() != r.GetKey() {
			o.Text, o.Help = r.GetDisplayName(), r.GetKey()
		}
		out = append(out, o)
	}
	return out, err
}
