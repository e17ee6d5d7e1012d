package console

import (
	"google.golang.org/protobuf/proto"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
)

// The paths of an organization's projects.
const (
	atMine         = "projects" // of all organizations
	atProjects     = atOrg + "/projects"
	atProject      = atProjects + "/{project}"
	atProjectRoles = atProject + "/roles"
)

// The permissions on projects.
const (
	projectRead  = "project.read"
	projectWrite = "project.write"
	roleRead     = "project.role.read"
	roleWrite    = "project.role.write"
)

const containsText = filterpb.TextFilterMethod_TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE

// projectFields are what a project decides about logins at its applications.
var projectFields = []field{
	{path: "name", required: true},
	{path: "project_role_assertion", help: "f-project_role_assertion-help"},
	{path: "authorization_required", help: "f-authorization_required-help"},
	{path: "project_access_required", help: "f-project_access_required-help"},
	{path: "private_labeling_setting", help: "f-private_labeling_setting-help"},
}

// projectPages are about the projects of an organization, and their roles.
func projectPages() (out []page) {
	out = append(out, list[*projectpb.ListProjectsResponse]{
		path: atProjects, permission: projectRead, title: "projects", empty: "projects-empty", columns: []string{"name", "state", "created"}, find: "projects-find",
		ask:  func(v *visit, find string) proto.Message { return listProjects(v.org, find, pageSize) },
		rows: projectRows,
		add:  []entry{{atProjects + "-new", "project-new", "project.create"}}, crumbs: inOrg,
	}.pages()...)
	mine := list[*projectpb.ListProjectsResponse]{
		path: atMine, title: "projects", help: "projects-mine-help", empty: "projects-empty", columns: []string{"name", "state", "created"}, find: "projects-find",
		ask:  func(_ *visit, find string) proto.Message { return listProjects("", find, pageSize) },
		rows: projectRows,
	}
	out = append(out, page{path: atMine, get: func(v *visit) error {
		if !v.inside && !v.wide[projectRead] { // The last one may just be gone.
			return v.Redirect(prefix + "?" + v.R.URL.RawQuery)
		}
		return mine.show(v, nil)
	}})
	out = append(out, form{
		path: atProjects + "-new", permission: "project.create", title: "project-new", help: "project-new-help", button: "create", fields: projectFields, crumbs: inProjects,
		load: func(v *visit) (proto.Message, error) {
			return &projectpb.CreateProjectRequest{OrganizationId: v.org}, nil
		},
		then: func(v *visit, res proto.Message) (string, string) {
			return v.at(atProjects) + "/" + res.(*projectpb.CreateProjectResponse).GetProjectId(), "created" //nolint:forcetypeassert // the contract's
		},
	}.pages()...)
	out = append(out, view{path: atProject, permission: projectRead, read: readProject}.pages()...)
	out = append(out, form{
		path: atProject + "/edit", permission: projectWrite, title: "edit", fields: projectFields, then: backTo(atProject, "saved"), crumbs: inProject,
		load: func(v *visit) (proto.Message, error) {
			p, err := v.project()
			return carry(p, &projectpb.UpdateProjectRequest{ProjectId: v.projectID()}), err
		},
	}.pages()...)
	for _, a := range []action{
		{
			path: atProject + "/deactivate", permission: projectWrite, title: "deactivate", help: "project-deactivate-help", danger: true, then: backTo(atProject, "deactivated"),
			request: func(v *visit) proto.Message { return &projectpb.DeactivateProjectRequest{ProjectId: v.projectID()} },
		},
		{
			path: atProject + "/activate", permission: projectWrite, title: "activate", help: "project-activate-help", then: backTo(atProject, "activated"),
			request: func(v *visit) proto.Message { return &projectpb.ActivateProjectRequest{ProjectId: v.projectID()} },
		},
		{
			path: atProject + "/remove", permission: "project.delete", title: "remove", help: "project-remove-help", danger: true,
			then:    func(v *visit, _ proto.Message) (string, string) { return toProjects(v, atProjects).URL, "removed" },
			request: func(v *visit) proto.Message { return &projectpb.DeleteProjectRequest{ProjectId: v.projectID()} },
		},
	} {
		a.crumbs = inProject
		out = append(out, a.pages()...)
	}
	return append(out, rolePages()...)
}

// rolePages are about the roles of a project.
func rolePages() (out []page) {
	roleFields := []field{{path: "display_name", text: "name", required: true}, {path: "group", help: "f-group-help"}}
	out = append(out, list[*projectpb.ListProjectRolesResponse]{
		path: atProjectRoles, permission: roleRead, title: "roles", empty: "roles-empty", columns: []string{"name", "role-key", "role-group"},
		ask: func(v *visit, _ string) proto.Message {
			by := projectpb.ProjectRoleFieldName_PROJECT_ROLE_FIELD_NAME_KEY
			return &projectpb.ListProjectRolesRequest{ProjectId: v.projectID(), Pagination: &filterpb.PaginationRequest{Limit: pageSize, Asc: true}, SortingColumn: &by}
		},
		rows: func(v *visit, res *projectpb.ListProjectRolesResponse) (out []row, total uint64) {
			for _, r := range res.GetProjectRoles() {
				shown := row{ID: r.GetKey(), Cells: []cell{{Text: r.GetDisplayName()}, {Text: r.GetKey()}, {Text: r.GetGroup()}}}
				if v.can[roleWrite] {
					shown.Link = v.at(atProjectRoles) + "/" + r.GetKey()
				}
				out = append(out, shown)
			}
			return out, res.GetPagination().GetTotalResult()
		},
		add: []entry{{atProject + "/role-new", "role-new", roleWrite}}, of: projectAtHand,
		bulk: []bulk{{name: "remove", permission: "project.role.delete", request: func(v *visit, id string) proto.Message {
			return &projectpb.RemoveProjectRoleRequest{ProjectId: v.projectID(), RoleKey: id}
		}}},
	}.pages()...)
	out = append(out, form{
		path: atProject + "/role-new", permission: roleWrite, title: "role-new", help: "role-new-help", button: "create", then: backTo(atProjectRoles, "created"), crumbs: inProject,
		fields: append([]field{{path: "role_key", required: true, help: "f-role_key-help"}}, roleFields...),
		load: func(v *visit) (proto.Message, error) {
			return &projectpb.AddProjectRoleRequest{ProjectId: v.projectID()}, nil
		},
	}.pages()...)
	return append(out, form{
		path: atProjectRoles + "/{role}", permission: roleWrite, title: "edit", then: backTo(atProjectRoles, "saved"), crumbs: inProject, fields: roleFields,
		load: func(v *visit) (proto.Message, error) {
			key := v.R.PathValue("role")
			res, err := call[*projectpb.ListProjectRolesResponse](v, &projectpb.ListProjectRolesRequest{ProjectId: v.projectID(), Filters: []*projectpb.ProjectRoleSearchFilter{
				{Filter: &projectpb.ProjectRoleSearchFilter_RoleKeyFilter{RoleKeyFilter: &projectpb.ProjectRoleKeyFilter{Key: key}}},
			}})
			if err == nil && len(res.GetProjectRoles()) == 0 {
				err = errNoPage
			}
			if err != nil {
				return nil, err
			}
			return carry(res.GetProjectRoles()[0], &projectpb.UpdateProjectRoleRequest{ProjectId: v.projectID(), RoleKey: key}), nil
		},
	}.pages()...)
}

// listProjects asks for the projects of an organization, or of all that may be seen, whose
// name holds a text.
func listProjects(org, find string, limit uint32) *projectpb.ListProjectsRequest {
	by := projectpb.ProjectFieldName_PROJECT_FIELD_NAME_NAME
	req := &projectpb.ListProjectsRequest{Pagination: &filterpb.PaginationRequest{Limit: limit, Asc: true}, SortingColumn: &by}
	if org != "" {
		req.Filters = append(req.Filters, &projectpb.ProjectSearchFilter{Filter: &projectpb.ProjectSearchFilter_OrganizationIdFilter{
			OrganizationIdFilter: &projectpb.ProjectOrganizationIDFilter{OrganizationId: org, Type: projectpb.ProjectOrganizationIDFilter_OWNED},
		}})
	}
	if find != "" {
		req.Filters = append(req.Filters, &projectpb.ProjectSearchFilter{Filter: &projectpb.ProjectSearchFilter_ProjectNameFilter{
			ProjectNameFilter: &projectpb.ProjectNameFilter{ProjectName: find, Method: containsText},
		}})
	}
	return req
}

func projectRows(v *visit, res *projectpb.ListProjectsResponse) (out []row, total uint64) {
	for _, p := range res.GetProjects() {
		r := row{
			ID: p.GetProjectId(), Link: prefix + "orgs/" + p.GetOrganizationId() + "/projects/" + p.GetProjectId(),
			Cells: []cell{{Text: p.GetName()}, projectState(v, p.GetState()), {Text: when(p.GetCreationDate())}},
		}
		if to := p.GetGrantedOrganizationId(); to != "" {
			r.Link = prefix + "orgs/" + to + "/granted/" + p.GetProjectId()
			r.Cells[0].Quiet = v.Texts.T("granted-to", p.GetGrantedOrganizationName())
		}
		out = append(out, r)
	}
	return out, res.GetPagination().GetTotalResult()
}

func projectState(v *visit, s projectpb.ProjectState) cell {
	c := cell{Text: v.Texts.T(s.String()), State: "idle"}
	if s == projectpb.ProjectState_PROJECT_STATE_ACTIVE {
		c.State = "good"
	}
	return c
}

// projectID is of the project that the page is about.
func (v *visit) projectID() string { return v.R.PathValue("project") }

// project asks for the project that the page is about: one of the organization.
func (v *visit) project() (*projectpb.Project, error) {
	if v.aboutProject != nil {
		return v.aboutProject, nil
	}
	res, err := call[*projectpb.GetProjectResponse](v, &projectpb.GetProjectRequest{ProjectId: v.projectID()})
	switch {
	case err != nil:
		return nil, err
	case res.GetProject().GetOrganizationId() != v.org:
		return nil, errNoPage
	}
	v.aboutProject = res.GetProject()
	return v.aboutProject, nil
}

// projectAtHand is what all tabs of a project's page show.
func projectAtHand(v *visit) (viewed, error) {
	p, err := v.project()
	if err != nil {
		return viewed{}, err
	}
	return viewed{Title: p.GetName(), State: projectState(v, p.GetState()), Crumbs: inProjects(v), Tabs: v.tabs([]entry{
		{atProject, "overview", projectRead},
		{atApps, "apps", appRead},
		{atProjectRoles, "roles", roleRead},
		{atProjectGrants, "project-grants", projectGrantRead},
		{atProject + "/administrators", "administrators", "project.member.read"},
		{atProject + "/history", "history", projectRead},
	})}, nil
}

// readProject is the page of a project.
func readProject(v *visit) (viewed, error) {
	out, err := projectAtHand(v)
	if err != nil {
		return viewed{}, err
	}
	p := v.aboutProject
	out.Facts = append([]fact{{Text: "id", Value: p.GetProjectId(), Code: true}}, v.factsOf(p, projectFields[1:])...)
	out.Facts = append(out.Facts, fact{Text: "created", Value: when(p.GetCreationDate())}, fact{Text: "changed", Value: when(p.GetChangeDate())})
	out.Actions = []entry{{atProject + "/edit", "edit", projectWrite}, {atProject + "/deactivate", "deactivate", projectWrite}, {atProject + "/remove", "remove", "project.delete"}}
	if p.GetState() != projectpb.ProjectState_PROJECT_STATE_ACTIVE {
		out.Actions[1] = entry{atProject + "/activate", "activate", projectWrite}
	}
	return out, nil
}

// inProjects are the pages above those of projects.
func inProjects(v *visit) []crumb { return append(inOrg(v), toProjects(v, atProjects)) }

// toProjects leads to the list of projects that a page stands on: that of the organization
// at path, or else that of all that the visitor administers.
func toProjects(v *visit, path string) crumb {
	if !v.wide[projectRead] {
		return crumb{URL: prefix + atMine, Text: v.Texts.T("projects")}
	}
	if path == atGranted {
		return crumb{URL: v.at(path), Text: v.Texts.T("granted")}
	}
	return crumb{URL: v.at(path), Text: v.Texts.T("projects")}
}

// inProject are the pages above those of one project.
func inProject(v *visit) []crumb {
	out := inProjects(v)
	if p, err := v.project(); err == nil {
		out = append(out, crumb{URL: v.at(atProject), Text: p.GetName()})
	}
	return out
}
