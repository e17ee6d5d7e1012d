package console

import (
	"google.golang.org/protobuf/proto"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	grouppb "github.com/gatehouse/gatehouse/gen/zitadel/group/v2"
)

// The permissions on groups.
const (
	groupRead       = "group.read"
	groupUserRead   = "group.user.read"
	groupUserWrite  = "group.user.write"
	groupUserDelete = "group.user.delete"
)

const (
	atGroups = atOrg + "/groups"
	atGroup  = atGroups + "/{group}"
)

// groupPages are about groups of an organization's users.
func groupPages() (out []page) {
	out = append(out, list[*grouppb.ListGroupsResponse]{
		path: atGroups, permission: groupRead, title: "groups", help: "groups-help", empty: "groups-empty", find: "groups-find", columns: []string{"name", "description", "created"},
		ask: func(v *visit, find string) proto.Message { return listGroups(v.org, find, pageSize) }, rows: groupRows, crumbs: inOrg,
		add: []entry{{atGroups + "-new", "group-new", "group.create"}},
	}.pages()...)
	out = append(out, list[*grouppb.ListGroupUsersResponse]{
		path: atGroup, permission: groupUserRead, title: "members", empty: "group-empty", columns: []string{"name", "login-name", "added"},
		ask: func(v *visit, _ string) proto.Message {
			return &grouppb.ListGroupUsersRequest{Pagination: &filterpb.PaginationRequest{Limit: pageSize, Asc: true}, Filters: []*grouppb.GroupUsersSearchFilter{
				{Filter: &grouppb.GroupUsersSearchFilter_GroupIds{GroupIds: &filterpb.InIDsFilter{Ids: []string{v.R.PathValue("group")}}}},
			}}
		},
		rows: memberRows, of: readGroup,
		add:  []entry{{atGroup + "/add", "members-add", groupUserWrite}},
		more: []entry{{atGroup + "/edit", "change", "group.write"}, {atGroup + "/remove", "remove", "group.delete"}},
		bulk: []bulk{{name: "members-remove", permission: groupUserDelete, request: func(v *visit, id string) proto.Message {
			return &grouppb.RemoveUsersFromGroupRequest{Id: v.R.PathValue("group"), UserIds: []string{id}}
		}}},
	}.pages()...)
	out = append(out, picker{
		path: atGroup + "/add", permission: groupUserWrite, title: "members-add", help: "members-pick", crumbs: inGroup,
		bulk: []bulk{{name: "members-add", permission: groupUserWrite, back: atGroup, request: func(v *visit, id string) proto.Message {
			return &grouppb.AddUsersToGroupRequest{Id: v.R.PathValue("group"), UserIds: []string{id}}
		}}},
	}.pages()...)
	fields := []field{{path: "name", required: true}, {path: "description", text: "description", kind: "area", blank: true}}
	out = append(out, form{
		path: atGroups + "-new", permission: "group.create", title: "group-new", help: "groups-help", button: "create", fields: fields, crumbs: inGroups,
		load: func(v *visit) (proto.Message, error) { return &grouppb.CreateGroupRequest{OrganizationId: v.org}, nil },
		then: func(v *visit, res proto.Message) (string, string) {
			return v.at(atGroups) + "/" + res.(*grouppb.CreateGroupResponse).GetId(), "created" //nolint:forcetypeassert // the contract's
		},
	}.pages()...)
	out = append(out, form{
		path: atGroup + "/edit", permission: "group.write", title: "group-edit", fields: fields, crumbs: inGroup, then: backTo(atGroup, "saved"),
		load: func(v *visit) (proto.Message, error) {
			g, err := v.group()
			return &grouppb.UpdateGroupRequest{Id: g.GetId(), Name: new(g.GetName()), Description: new(g.GetDescription())}, err
		},
	}.pages()...)
	return append(out, action{
		path: atGroup + "/remove", permission: "group.delete", title: "group-remove", help: "group-remove-help", danger: true, crumbs: inGroup,
		request: func(v *visit) proto.Message { return &grouppb.DeleteGroupRequest{Id: v.R.PathValue("group")} }, then: backTo(atGroups, "removed"),
	}.pages()...)
}

// listGroups asks for groups of an organization, or of all, whose name holds a text.
func listGroups(org, find string, limit uint32) *grouppb.ListGroupsRequest {
	req := &grouppb.ListGroupsRequest{
		Pagination: &filterpb.PaginationRequest{Limit: limit, Asc: true}, SortingColumn: grouppb.FieldName_FIELD_NAME_NAME.Enum(),
	}
	if org != "" {
		req.Filters = append(req.Filters, &grouppb.GroupsSearchFilter{Filter: &grouppb.GroupsSearchFilter_OrganizationId{OrganizationId: &filterpb.IDFilter{Id: org}}})
	}
	if find != "" {
		req.Filters = append(req.Filters, &grouppb.GroupsSearchFilter{Filter: &grouppb.GroupsSearchFilter_NameFilter{
			NameFilter: &grouppb.GroupNameFilter{Name: find, Method: filterpb.TextFilterMethod_TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE},
		}})
	}
	return req
}

func groupRows(v *visit, res *grouppb.ListGroupsResponse) (out []row, total uint64) {
	for _, g := range res.GetGroups() {
		r := row{ID: g.GetId(), Cells: []cell{{Text: g.GetName()}, {Text: g.GetDescription()}, {Text: when(g.GetCreationDate())}}}
		if v.can[groupUserRead] {
			r.Link = prefix + "orgs/" + g.GetOrganizationId() + "/groups/" + g.GetId()
		}
		out = append(out, r)
	}
	return out, res.GetPagination().GetTotalResult()
}

// group is the one that the page is about, which must be one of the organization's.
func (v *visit) group() (*grouppb.Group, error) {
	res, err := call[*grouppb.GetGroupResponse](v, &grouppb.GetGroupRequest{Id: v.R.PathValue("group")})
	if err == nil && res.GetGroup().GetOrganizationId() != v.org {
		err = errNoPage
	}
	return res.GetGroup(), err
}

func readGroup(v *visit) (viewed, error) {
	g, err := v.group()
	return viewed{Title: g.GetName(), Help: g.GetDescription(), Crumbs: inGroups(v)}, err
}

func inGroups(v *visit) []crumb {
	return append(inOrg(v), crumb{URL: v.at(atGroups), Text: v.Texts.T("groups")})
}

func inGroup(v *visit) []crumb {
	out := inGroups(v)
	if g, err := v.group(); err == nil {
		out = append(out, crumb{URL: v.at(atGroup), Text: g.GetName()})
	}
	return out
}

func memberRows(v *visit, res *grouppb.ListGroupUsersResponse) (out []row, total uint64) {
	for _, u := range res.GetGroupUsers() {
		p := u.GetUser()
		r := row{ID: p.GetId(), Cells: []cell{{Text: p.GetDisplayName()}, {Text: p.GetPreferredLoginName()}, {Text: when(u.GetCreationDate())}}}
		if v.can[userRead] {
			r.Link = v.at(atUsers) + "/" + p.GetId()
		}
		out = append(out, r)
	}
	return out, res.GetPagination().GetTotalResult()
}
