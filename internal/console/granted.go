package console

import (
	"strings"

	"google.golang.org/protobuf/proto"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	permissionpb "github.com/gatehouse/gatehouse/gen/zitadel/internal_permission/v2"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
)

// The paths of what other organizations granted to an organization.
const (
	atGranted        = atOrg + "/granted"
	atGrantedProject = atGranted + "/{project}"
)

// grantedPages are about the projects of others in which an organization can give its users
// roles, and about who of it may.
func grantedPages() (out []page) {
	out = append(out, list[*projectpb.ListProjectGrantsResponse]{
		path: atGranted, permission: projectGrantRead, title: "granted", help: "granted-help", empty: "granted-empty", columns: []string{"project", "roles", "state", "created"},
		ask: func(v *visit, _ string) proto.Message { return v.listGranted() },
		rows: func(v *visit, res *projectpb.ListProjectGrantsResponse) (out []row, total uint64) {
			for _, g := range res.GetProjectGrants() {
				out = append(out, row{ID: g.GetProjectId(), Link: v.at(atGranted) + "/" + g.GetProjectId(), Cells: []cell{
					{Text: g.GetProjectName()}, {Text: strings.Join(g.GetGrantedRoleKeys(), ", ")}, projectGrantState(v, g), {Text: when(g.GetCreationDate())},
				}})
			}
			return out, res.GetPagination().GetTotalResult()
		},
		crumbs: inOrg,
	}.pages()...)
	return append(out, view{path: atGrantedProject, permission: projectGrantRead, read: readGranted}.pages()...)
}

// grantedAdministered is what such a grant has administrators by.
func grantedAdministered() administered {
	return administered{
		path: atGrantedProject + "/administrators", permission: "project.grant.member", help: "administrators-granted-help",
		resource: func(v *visit) *permissionpb.ResourceType { return grantResource(v.projectID(), v.org) },
		filter:   func(v *visit) *permissionpb.ResourceFilter { return grantFilter(v.projectID(), v.org) },
		roles:    grantRoles, crumbs: inGrantedProject, of: grantedAtHand,
	}
}

// listGranted asks for what was granted to the organization.
func (v *visit) listGranted(more ...*projectpb.ProjectGrantSearchFilter) *projectpb.ListProjectGrantsRequest {
	by := projectpb.ProjectGrantFieldName_PROJECT_GRANT_FIELD_NAME_CREATION_DATE
	return &projectpb.ListProjectGrantsRequest{Pagination: &filterpb.PaginationRequest{Limit: pageSize}, SortingColumn: &by, Filters: append(more, &projectpb.ProjectGrantSearchFilter{
		Filter: &projectpb.ProjectGrantSearchFilter_GrantedOrganizationIdFilter{GrantedOrganizationIdFilter: &filterpb.IDFilter{Id: v.org}},
	})}
}

// granted asks for the grant to the organization that the page is about.
func (v *visit) granted() (*projectpb.ProjectGrant, error) {
	if v.aboutGrant != nil {
		return v.aboutGrant, nil
	}
	return v.oneGrant(v.listGranted(&projectpb.ProjectGrantSearchFilter{
		Filter: &projectpb.ProjectGrantSearchFilter_InProjectIdsFilter{InProjectIdsFilter: &filterpb.InIDsFilter{Ids: []string{v.projectID()}}},
	}))
}

// grantID is the id of the grant to the organization that the page is about.
func (v *visit) grantID() (string, error) {
	res, err := call[*mgmtpb.ListGrantedProjectsResponse](v, &mgmtpb.ListGrantedProjectsRequest{Query: &objectpb.ListQuery{Limit: mostGranted}})
	for _, g := range res.GetResult() {
		if g.GetProjectId() == v.projectID() {
			return g.GetGrantId(), err
		}
	}
	return "", err
}

// mostGranted is of how many projects of others somebody can look after one alone.
const mostGranted = 1000

// grantedAtHand is what all tabs of a granted project's page show.
func grantedAtHand(v *visit) (viewed, error) {
	g, err := v.granted()
	if err != nil {
		return viewed{}, err
	}
	return viewed{
		Title: g.GetProjectName(), State: projectGrantState(v, g), Crumbs: inGranted(v),
		Tabs: v.tabs([]entry{{atGrantedProject, "overview", projectGrantRead}, {atGrantedProject + "/administrators", "administrators", "project.grant.member.read"}}),
	}, nil
}

// readGranted is the page of a granted project.
func readGranted(v *visit) (viewed, error) {
	out, err := grantedAtHand(v)
	if err != nil {
		return viewed{}, err
	}
	g := v.aboutGrant
	out.Help = v.Texts.T("granted-help")
	out.Facts = []fact{
		{Text: "id", Value: g.GetProjectId(), Code: true}, {Text: "roles", Value: strings.Join(g.GetGrantedRoleKeys(), ", ")},
		{Text: "created", Value: when(g.GetCreationDate())}, {Text: "changed", Value: when(g.GetChangeDate())},
	}
	return out, nil
}

// inGranted and inGrantedProject are the pages above those of what was granted.
func inGranted(v *visit) []crumb {
	return append(inOrg(v), toProjects(v, atGranted))
}

func inGrantedProject(v *visit) []crumb {
	out := inGranted(v)
	if g, err := v.granted(); err == nil {
		out = append(out, crumb{URL: v.at(atGrantedProject), Text: g.GetProjectName()})
	}
	return out
}
