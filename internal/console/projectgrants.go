package console

import (
	"strings"

	"google.golang.org/protobuf/proto"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
)

// The paths of what is granted of a project to other organizations.
const (
	atProjectGrants = atProject + "/grants"
	atProjectGrant  = atProjectGrants + "/{granted}"
)

// The permissions on grants of projects.
const (
	projectGrantRead   = "project.grant.read"
	projectGrantWrite  = "project.grant.write"
	projectGrantDelete = "project.grant.delete"
)

// projectGrantPages are about the organizations that may give their users roles of a
// project.
func projectGrantPages() (out []page) {
	out = append(out, list[*projectpb.ListProjectGrantsResponse]{
		path: atProjectGrants, permission: projectGrantRead, title: "project-grants", empty: "project-grants-empty", columns: []string{"org", "roles", "state", "created"},
		ask:  func(v *visit, _ string) proto.Message { return v.listGrants("") },
		rows: projectGrantRows, add: []entry{{atProject + "/grant-new", "project-grant-new", projectGrantWrite}}, of: projectAtHand,
	}.pages()...)
	out = append(out, blindly(list[*orgpb.ListOrganizationsResponse]{
		path: atProject + "/grant-new", permission: projectGrantWrite, title: "project-grant-new", help: "project-grant-new-help", empty: "orgs-empty", columns: []string{"name", "domain"}, find: "orgs-find",
		ask: func(_ *visit, find string) proto.Message { return listOrgs(find, pageSize) },
		rows: func(v *visit, res *orgpb.ListOrganizationsResponse) (out []row, total uint64) {
			for _, o := range res.GetResult() {
				if o.GetId() != v.org {
					out = append(out, row{ID: o.GetId(), Link: v.at(atProject+"/grant-new") + "/" + o.GetId(), Cells: []cell{{Text: o.GetName()}, {Text: o.GetPrimaryDomain()}}})
				}
			}
			return out, res.GetDetails().GetTotalResult()
		},
		crumbs: inProject,
	}.pages(), orgRead, atProject+"/grant-named")...)
	roles := []field{{path: "role_keys", text: "roles", help: "project-grant-roles-help", options: func(v *visit) ([]option, error) { return v.projectRoles(v.projectID()) }}}
	out = append(out, form{
		path: atProject + "/grant-new/{granted}", permission: projectGrantWrite, title: "project-grant-new", button: "create", fields: roles, then: backTo(atProjectGrants, "created"), crumbs: inProjectGrants,
		load: func(v *visit) (proto.Message, error) {
			return &projectpb.CreateProjectGrantRequest{ProjectId: v.projectID(), GrantedOrganizationId: v.R.PathValue("granted")}, nil
		},
	}.pages()...)
	out = append(out, form{
		path: atProject + "/grant-named", permission: projectGrantWrite, title: "project-grant-new", help: "project-grant-named-help", button: "create", then: backTo(atProjectGrants, "created"), crumbs: inProjectGrants,
		fields: append([]field{{path: "granted_organization_id", text: "org-id", required: true, help: "org-id-help"}}, roles...),
		load: func(v *visit) (proto.Message, error) {
			return &projectpb.CreateProjectGrantRequest{ProjectId: v.projectID()}, nil
		},
	}.pages()...)
	out = append(out, view{path: atProjectGrant, permission: projectGrantRead, read: readProjectGrant}.pages()...)
	out = append(out, form{
		path: atProjectGrant + "/edit", permission: projectGrantWrite, title: "edit", fields: roles, then: backTo(atProjectGrant, "saved"), crumbs: inProjectGrant,
		load: func(v *visit) (proto.Message, error) {
			g, err := v.projectGrant()
			return &projectpb.UpdateProjectGrantRequest{ProjectId: v.projectID(), GrantedOrganizationId: v.R.PathValue("granted"), RoleKeys: g.GetGrantedRoleKeys()}, err
		},
	}.pages()...)
	for _, a := range []action{
		{
			path: atProjectGrant + "/deactivate", permission: projectGrantWrite, title: "deactivate", help: "project-grant-deactivate-help", danger: true, then: backTo(atProjectGrant, "deactivated"),
			request: func(v *visit) proto.Message {
				return &projectpb.DeactivateProjectGrantRequest{ProjectId: v.projectID(), GrantedOrganizationId: v.R.PathValue("granted")}
			},
		},
		{
			path: atProjectGrant + "/activate", permission: projectGrantWrite, title: "activate", help: "project-grant-activate-help", then: backTo(atProjectGrant, "activated"),
			request: func(v *visit) proto.Message {
				return &projectpb.ActivateProjectGrantRequest{ProjectId: v.projectID(), GrantedOrganizationId: v.R.PathValue("granted")}
			},
		},
		{
			path: atProjectGrant + "/remove", permission: projectGrantDelete, title: "remove", help: "project-grant-remove-help", danger: true, then: backTo(atProjectGrants, "removed"),
			request: func(v *visit) proto.Message {
				return &projectpb.DeleteProjectGrantRequest{ProjectId: v.projectID(), GrantedOrganizationId: v.R.PathValue("granted")}
			},
		},
	} {
		a.crumbs = inProjectGrant
		out = append(out, a.pages()...)
	}
	return out
}

// listGrants asks for the grants of the project of the page: of all, or the one to an
// organization.
func (v *visit) listGrants(to string) *projectpb.ListProjectGrantsRequest {
	by := projectpb.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_CREATION_DATE
	req := &projectpb.ListProjectGrantsRequest{Pagination: &filterpb.PaginationRequest{Limit: pageSize}, SortingColumn: &by, Filters: []*projectpb.ProjectGrantSearchFilter{
		{Filter: &projectpb.ProjectGrantSearchFilter_InProjectIdsFilter{InProjectIdsFilter: &filterpb.InIDsFilter{Ids: []string{v.projectID()}}}},
	}}
	if to != "" {
		req.Filters = append(req.Filters, &projectpb.ProjectGrantSearchFilter{Filter: &projectpb.ProjectGrantSearchFilter_GrantedOrganizationIdFilter{
			GrantedOrganizationIdFilter: &filterpb.IDFilter{Id: to},
		}})
	}
	return req
}

func projectGrantRows(v *visit, res *projectpb.ListProjectGrantsResponse) (out []row, total uint64) {
	for _, g := range res.GetProjectGrants() {
		out = append(out, row{ID: g.GetGrantedOrganizationId(), Link: v.at(atProjectGrants) + "/" + g.GetGrantedOrganizationId(), Cells: []cell{
			{Text: g.GetGrantedOrganizationName()}, {Text: strings.Join(g.GetGrantedRoleKeys(), ", ")}, projectGrantState(v, g), {Text: when(g.GetCreationDate())},
		}})
	}
	return out, res.GetPagination().GetTotalResult()
}

func projectGrantState(v *visit, g *projectpb.ProjectGrant) cell {
	c := cell{Text: v.Texts.T(g.GetState().String()), State: "idle"}
	if g.GetState() == projectpb.ProjectGrantState_PROJECT_GRANT_STATE_ACTIVE {
		c.State = "good"
	}
	return c
}

// projectGrant asks for the grant that the page is about: of a project of the organization.
func (v *visit) projectGrant() (*projectpb.ProjectGrant, error) {
	if v.aboutGrant != nil {
		return v.aboutGrant, nil
	}
	if _, err := v.project(); err != nil {
		return nil, err
	}
	return v.oneGrant(v.listGrants(v.R.PathValue("granted")))
}

// oneGrant is the grant that a request asks for.
func (v *visit) oneGrant(req *projectpb.ListProjectGrantsRequest) (*projectpb.ProjectGrant, error) {
	res, err := call[*projectpb.ListProjectGrantsResponse](v, req)
	switch {
	case err != nil:
		return nil, err
	case len(res.GetProjectGrants()) == 0:
		return nil, errNoPage
	}
	v.aboutGrant = res.GetProjectGrants()[0]
	return v.aboutGrant, nil
}

// projectGrantAtHand is what all tabs of a grant's page show.
func projectGrantAtHand(v *visit) (viewed, error) {
	g, err := v.projectGrant()
	if err != nil {
		return viewed{}, err
	}
	return viewed{
		Title: g.GetGrantedOrganizationName(), State: projectGrantState(v, g), Crumbs: inProjectGrants(v),
		Tabs: v.tabs([]entry{{atProjectGrant, "overview", projectGrantRead}, {atProjectGrant + "/administrators", "administrators", "project.grant.member.read"}}),
	}, nil
}

// readProjectGrant is the page of a grant.
func readProjectGrant(v *visit) (viewed, error) {
	out, err := projectGrantAtHand(v)
	if err != nil {
		return viewed{}, err
	}
	g := v.aboutGrant
	out.Help = v.Texts.T("project-grant-help")
	out.Facts = []fact{{Text: "roles", Value: strings.Join(g.GetGrantedRoleKeys(), ", ")}, {Text: "created", Value: when(g.GetCreationDate())}, {Text: "changed", Value: when(g.GetChangeDate())}}
	out.Actions = []entry{{atProjectGrant + "/edit", "edit", projectGrantWrite}, {atProjectGrant + "/deactivate", "deactivate", projectGrantWrite}, {atProjectGrant + "/remove", "remove", projectGrantDelete}}
	if g.GetState() != projectpb.ProjectGrantState_PROJECT_GRANT_STATE_ACTIVE {
		out.Actions[1] = entry{atProjectGrant + "/activate", "activate", projectGrantWrite}
	}
	return out, nil
}

// inProjectGrants are the pages above those of grants of a project.
func inProjectGrants(v *visit) []crumb {
	return append(inProject(v), crumb{URL: v.at(atProjectGrants), Text: v.Texts.T("project-grants")})
}

// inProjectGrant are the pages above those of one grant.
func inProjectGrant(v *visit) []crumb {
	out := inProjectGrants(v)
	if g, err := v.projectGrant(); err == nil {
		out = append(out, crumb{URL: v.at(atProjectGrant), Text: g.GetGrantedOrganizationName()})
	}
	return out
}
