package console

import (
	"strings"

	"google.golang.org/protobuf/proto"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	permissionpb "github.com/gatehouse/gatehouse/gen/zitadel/internal_permission/v2"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
)

const membershipRead = "user.membership.read"

// administered is something that has administrators: the instance, an organization, a
// project or a grant of one. All of them have the same pages.
type administered struct {
	path, permission string // the permissions begin with it
	help             string
	resource         func(v *visit) *permissionpb.ResourceType
	filter           func(v *visit) *permissionpb.ResourceFilter
	roles            func(v *visit) ([]string, error)
	crumbs           func(v *visit) []crumb
	// of is the thing that has the administrators, where they are a tab of it; nil: its
	// pages are no more than its administrators.
	of func(v *visit) (viewed, error)
}

// administratorPages are about who may administer what.
func administratorPages() (out []page) {
	for _, a := range []administered{
		{
			path: "administrators", permission: "iam.member", help: "administrators-instance-help",
			resource: func(*visit) *permissionpb.ResourceType {
				return &permissionpb.ResourceType{Resource: &permissionpb.ResourceType_Instance{Instance: true}}
			},
			filter: func(*visit) *permissionpb.ResourceFilter {
				return &permissionpb.ResourceFilter{Resource: &permissionpb.ResourceFilter_Instance{Instance: true}}
			},
			roles: func(v *visit) ([]string, error) {
				res, err := call[*adminpb.ListIAMMemberRolesResponse](v, &adminpb.ListIAMMemberRolesRequest{})
				return res.GetRoles(), err
			},
			crumbs: func(*visit) []crumb { return nil },
		},
		{
			path: atOrg + "/administrators", permission: "org.member", help: "administrators-org-help",
			resource: func(v *visit) *permissionpb.ResourceType {
				return &permissionpb.ResourceType{Resource: &permissionpb.ResourceType_OrganizationId{OrganizationId: v.org}}
			},
			filter: func(v *visit) *permissionpb.ResourceFilter {
				return &permissionpb.ResourceFilter{Resource: &permissionpb.ResourceFilter_OrganizationId{OrganizationId: v.org}}
			},
			roles: func(v *visit) ([]string, error) {
				res, err := call[*mgmtpb.ListOrgMemberRolesResponse](v, &mgmtpb.ListOrgMemberRolesRequest{})
				return res.GetResult(), err
			},
			crumbs: inOrg,
		},
		{
			path: atProject + "/administrators", permission: "project.member", help: "administrators-project-help",
			resource: func(v *visit) *permissionpb.ResourceType {
				return &permissionpb.ResourceType{Resource: &permissionpb.ResourceType_ProjectId{ProjectId: v.projectID()}}
			},
			filter: func(v *visit) *permissionpb.ResourceFilter {
				return &permissionpb.ResourceFilter{Resource: &permissionpb.ResourceFilter_ProjectId{ProjectId: v.projectID()}}
			},
			roles: func(v *visit) ([]string, error) {
				res, err := call[*mgmtpb.ListProjectMemberRolesResponse](v, &mgmtpb.ListProjectMemberRolesRequest{})
				return res.GetResult(), err
			},
			crumbs: inProject, of: projectAtHand,
		},
		{
			path: atProjectGrant + "/administrators", permission: "project.grant.member", help: "administrators-grant-help",
			resource: func(v *visit) *permissionpb.ResourceType {
				return grantResource(v.projectID(), v.R.PathValue("granted"))
			},
			filter: func(v *visit) *permissionpb.ResourceFilter {
				return grantFilter(v.projectID(), v.R.PathValue("granted"))
			},
			roles: grantRoles, crumbs: inProjectGrant, of: projectGrantAtHand,
		},
		grantedAdministered(),
	} {
		out = append(out, a.pages()...)
	}
	return append(out, list[*mgmtpb.ListUserMembershipsResponse]{
		path: atUser + "/memberships", permission: membershipRead, title: "memberships", help: "memberships-help", empty: "memberships-empty", columns: []string{"where", "roles", "changed"},
		ask: func(v *visit, _ string) proto.Message {
			return &mgmtpb.ListUserMembershipsRequest{UserId: v.userID(), Query: &objectpb.ListQuery{Limit: pageSize}}
		},
		rows: membershipRows, of: atHand,
	}.pages()...)
}

// grantResource and grantFilter name the grant of a project to an organization.
func grantResource(project, org string) *permissionpb.ResourceType {
	return &permissionpb.ResourceType{Resource: &permissionpb.ResourceType_ProjectGrant_{
		ProjectGrant: &permissionpb.ResourceType_ProjectGrant{ProjectId: project, OrganizationId: org},
	}}
}

func grantFilter(project, org string) *permissionpb.ResourceFilter {
	return &permissionpb.ResourceFilter{Resource: &permissionpb.ResourceFilter_ProjectGrant_{
		ProjectGrant: &permissionpb.ResourceFilter_ProjectGrant{ProjectId: project, OrganizationId: org},
	}}
}

// grantRoles are those that administrators of grants can have.
func grantRoles(v *visit) ([]string, error) {
	res, err := call[*mgmtpb.ListProjectGrantMemberRolesResponse](v, &mgmtpb.ListProjectGrantMemberRolesRequest{})
	return res.GetResult(), err
}

func (a administered) pages() (out []page) {
	read, write := a.permission+".read", a.permission+".write"
	at := func(v *visit) []crumb {
		return append(a.crumbs(v), crumb{URL: v.at(a.path), Text: v.Texts.T("administrators")})
	}
	out = append(out, list[*permissionpb.ListAdministratorsResponse]{
		path: a.path, permission: read, title: "administrators", help: a.help, empty: "administrators-empty", find: "administrators-find", columns: []string{"name", "roles", "changed"},
		ask: a.ask, rows: a.rows, crumbs: a.crumbs, of: a.of,
		add: []entry{{a.path + "-new", "administrator-new", write}},
		ways: func(id string) []entry {
			return []entry{{a.path + "/" + id, "change", write}, {a.path + "/" + id + "/remove", "remove", a.permission + ".delete"}}
		},
	}.pages()...)
	out = append(out, picker{path: a.path + "-new", permission: write, title: "administrator-new", help: "administrator-pick", crumbs: at, anywhere: true, blind: a.path + "-named"}.pages()...)
	fields := []field{{path: "roles", text: "roles", options: a.options}}
	out = append(out, form{
		path: a.path + "-named", permission: write, title: "administrator-new", help: "administrator-named-help", button: "add",
		fields: append([]field{{path: "user_id", text: "user-id", required: true, help: "user-id-help"}}, fields...),
		load: func(v *visit) (proto.Message, error) {
			return &permissionpb.CreateAdministratorRequest{Resource: a.resource(v)}, a.belongs(v)
		},
		then: backTo(a.path, "added"), crumbs: at,
	}.pages()...)
	out = append(out, form{
		path: a.path + "-new/{user}", permission: write, title: "administrator-new", help: "administrator-roles-help", button: "add", fields: fields,
		load: func(v *visit) (proto.Message, error) {
			return &permissionpb.CreateAdministratorRequest{UserId: v.userID(), Resource: a.resource(v)}, a.belongs(v)
		},
		then: backTo(a.path, "added"), crumbs: a.named(at),
	}.pages()...)
	out = append(out, form{
		path: a.path + "/{user}", permission: write, title: "administrator-edit", help: "administrator-roles-help", fields: fields, load: a.load, then: backTo(a.path, "saved"), crumbs: a.named(at),
	}.pages()...)
	return append(out, action{
		path: a.path + "/{user}/remove", permission: a.permission + ".delete", title: "administrator-remove", help: "administrator-remove-help", danger: true,
		request: func(v *visit) proto.Message {
			return &permissionpb.DeleteAdministratorRequest{UserId: v.userID(), Resource: a.resource(v)}
		},
		then: backTo(a.path, "removed"), crumbs: a.named(at),
	}.pages()...)
}

// ask asks for those whose name or login name holds a text.
func (a administered) ask(v *visit, find string) proto.Message {
	req := &permissionpb.ListAdministratorsRequest{
		Pagination: &filterpb.PaginationRequest{Limit: pageSize, Asc: true},
		Filters:    []*permissionpb.AdministratorSearchFilter{{Filter: &permissionpb.AdministratorSearchFilter_Resource{Resource: a.filter(v)}}},
	}
	if find != "" {
		const contains = filterpb.TextFilterMethod_TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE
		req.Filters = append(req.Filters, &permissionpb.AdministratorSearchFilter{Filter: &permissionpb.AdministratorSearchFilter_Or{Or: &permissionpb.OrFilter{Queries: []*permissionpb.AdministratorSearchFilter{
			{Filter: &permissionpb.AdministratorSearchFilter_UserDisplayName{UserDisplayName: &permissionpb.UserDisplayNameFilter{DisplayName: find, Method: contains}}},
			{Filter: &permissionpb.AdministratorSearchFilter_UserPreferredLoginName{UserPreferredLoginName: &permissionpb.UserPreferredLoginNameFilter{PreferredLoginName: find, Method: contains}}},
		}}}})
	}
	return req
}

func (a administered) rows(v *visit, res *permissionpb.ListAdministratorsResponse) (out []row, total uint64) {
	for _, m := range res.GetAdministrators() {
		u := m.GetUser()
		r := row{ID: u.GetId(), Cells: []cell{{Text: u.GetDisplayName(), Quiet: u.GetPreferredLoginName()}, {Text: v.roles(m.GetRoles())}, {Text: when(m.GetChangeDate())}}}
		if v.can[userRead] && (v.org == "" || v.org == u.GetOrganizationId()) {
			r.Link = prefix + "orgs/" + u.GetOrganizationId() + "/users/" + u.GetId()
		}
		out = append(out, r)
	}
	return out, res.GetPagination().GetTotalResult()
}

// roles are names of roles in words.
func (v *visit) roles(keys []string) string {
	words := make([]string, len(keys))
	for i, k := range keys {
		words[i] = v.Texts.Or("role-"+k, k)
	}
	return strings.Join(words, ", ")
}

// options are the roles that there are, with what each may do.
func (a administered) options(v *visit) (out []option, err error) {
	keys, err := a.roles(v)
	for _, k := range keys {
		out = append(out, option{Value: k, Text: v.Texts.Or("role-"+k, k), Help: v.Texts.Or("role-"+k+"-help", "")})
	}
	return out, err
}

// load gives the roles that the user of the page has now.
func (a administered) load(v *visit) (proto.Message, error) {
	if err := a.belongs(v); err != nil {
		return nil, err
	}
	u, err := a.administrator(v)
	return &permissionpb.UpdateAdministratorRequest{UserId: v.userID(), Resource: a.resource(v), Roles: u.GetRoles()}, err
}

// belongs refuses a page about a thing of another organization than that of the page.
func (a administered) belongs(v *visit) error {
	if a.of == nil {
		return nil
	}
	_, err := a.of(v)
	return err
}

func (a administered) administrator(v *visit) (*permissionpb.Administrator, error) {
	res, err := call[*permissionpb.ListAdministratorsResponse](v, &permissionpb.ListAdministratorsRequest{Filters: []*permissionpb.AdministratorSearchFilter{
		{Filter: &permissionpb.AdministratorSearchFilter_Resource{Resource: a.filter(v)}},
		{Filter: &permissionpb.AdministratorSearchFilter_InUserIdsFilter{InUserIdsFilter: &filterpb.InIDsFilter{Ids: []string{v.userID()}}}},
	}})
	switch {
	case err != nil:
		return nil, err
	case len(res.GetAdministrators()) == 0:
		return nil, errNoPage
	}
	return res.GetAdministrators()[0], nil
}

// named are the pages above one about a user, whom the last of them names.
func (a administered) named(at func(v *visit) []crumb) func(v *visit) []crumb {
	return func(v *visit) []crumb { return append(at(v), v.person()...) }
}

func membershipRows(v *visit, res *mgmtpb.ListUserMembershipsResponse) (out []row, total uint64) {
	for _, m := range res.GetResult() {
		r := row{Cells: []cell{{Text: m.GetDisplayName()}, {Text: v.roles(m.GetRoles())}, {Text: when(m.GetDetails().GetChangeDate())}}}
		switch t := m.GetType().(type) {
		case *userpb.Membership_Iam:
			if r.Cells[0].Text = v.Texts.T("nav-instance"); v.can["iam.member.read"] {
				r.Link = prefix + "administrators"
			}
		case *userpb.Membership_OrgId:
			if r.Cells[0].Quiet = v.Texts.T(navOrg); t.OrgId == v.org && v.can["org.member.read"] {
				r.Link = v.at(atOrg + "/administrators")
			}
		case *userpb.Membership_ProjectId:
			if r.Cells[0].Quiet = v.Texts.T("project"); m.GetDetails().GetResourceOwner() == v.org && v.can["project.member.read"] {
				r.Link = v.at(atProjects) + "/" + t.ProjectId + "/administrators"
			}
		case *userpb.Membership_ProjectGrantId:
			r.Cells[0].Quiet = v.Texts.T("project-granted")
		}
		out = append(out, r)
	}
	return out, res.GetDetails().GetTotalResult()
}
