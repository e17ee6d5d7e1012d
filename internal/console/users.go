package console

import (
	"google.golang.org/protobuf/proto"

	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
)

// The paths of an organization's users.
const (
	atUsers = atOrg + "/users"
	atUser  = atUsers + "/{user}"
)

// userRead is the permission to see users.
const userRead = "user.read"

// userPages are about the users of an organization.
func userPages() (out []page) {
	out = append(out, list[*userv2.ListUsersResponse]{
		path: atUsers, permission: userRead, title: "users", empty: "users-empty", columns: []string{"name", "login-name", "kind", "state", "created"}, find: "users-find",
		filters: []filter{{"type", []string{"", "human", "machine"}}},
		ask: func(v *visit, find string) proto.Message {
			return listUsers(v.org, find, v.R.URL.Query().Get("type"), pageSize)
		},
		rows:   userRows,
		crumbs: inOrg,
	}.pages()...)
	out = append(out, view{path: atUser, permission: userRead, read: readUser}.pages()...)
	return out
}

// readUser is the page of a user.
func readUser(v *visit) (viewed, error) {
	res, err := call[*userv2.GetUserByIDResponse](v, &userv2.GetUserByIDRequest{UserId: v.R.PathValue("user")})
	if err != nil {
		return viewed{}, err
	}
	u := res.GetUser()
	if u.GetDetails().GetResourceOwner() != v.org {
		return viewed{}, errNoPage
	}
	out := viewed{
		Title: u.GetUsername(), State: userState(v, u.GetState()), Crumbs: inUsers(v),
		Facts: []fact{{Text: "id", Value: u.GetUserId(), Code: true}, {Text: "login-name", Value: u.GetPreferredLoginName()}},
	}
	switch {
	case u.GetHuman() != nil:
		out.Title = u.GetHuman().GetProfile().GetDisplayName()
	case u.GetMachine().GetName() != "":
		out.Title = u.GetMachine().GetName()
	}
	out.Facts = append(out.Facts, fact{Text: "created", Value: when(u.GetDetails().GetCreationDate())}, fact{Text: "changed", Value: when(u.GetDetails().GetChangeDate())})
	return out, nil
}

// inUsers are the pages above those of users.
func inUsers(v *visit) []crumb {
	return append(inOrg(v), crumb{URL: v.at(atUsers), Text: v.Texts.T("users")})
}

// listUsers asks for users of an organization, or of all, whose name, login name or
// address holds a text; kind is "human", "machine" or empty for both.
func listUsers(org, find, kind string, limit uint32) *userv2.ListUsersRequest {
	req := &userv2.ListUsersRequest{
		Query: &objectpb.ListQuery{Limit: limit, Asc: true}, SortingColumn: userv2.UserFieldName_USER_FIELD_NAME_DISPLAY_NAME,
	}
	if org != "" {
		req.Queries = append(req.Queries, &userv2.SearchQuery{Query: &userv2.SearchQuery_OrganizationIdQuery{OrganizationIdQuery: &userv2.OrganizationIdQuery{OrganizationId: org}}})
	}
	if t, ok := map[string]userv2.Type{"human": userv2.Type_TYPE_HUMAN, "machine": userv2.Type_TYPE_MACHINE}[kind]; ok {
		req.Queries = append(req.Queries, &userv2.SearchQuery{Query: &userv2.SearchQuery_TypeQuery{TypeQuery: &userv2.TypeQuery{Type: t}}})
	}
	if find != "" {
		const contains = objectpb.TextQueryMethod_TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE
		req.Queries = append(req.Queries, &userv2.SearchQuery{Query: &userv2.SearchQuery_OrQuery{OrQuery: &userv2.OrQuery{Queries: []*userv2.SearchQuery{
			{Query: &userv2.SearchQuery_DisplayNameQuery{DisplayNameQuery: &userv2.DisplayNameQuery{DisplayName: find, Method: contains}}},
			{Query: &userv2.SearchQuery_LoginNameQuery{LoginNameQuery: &userv2.LoginNameQuery{LoginName: find, Method: contains}}},
			{Query: &userv2.SearchQuery_EmailQuery{EmailQuery: &userv2.EmailQuery{EmailAddress: find, Method: contains}}},
		}}}})
	}
	return req
}

func userRows(v *visit, res *userv2.ListUsersResponse) (out []row, total uint64) {
	for _, u := range res.GetResult() {
		name, kind := u.GetMachine().GetName(), "type-machine"
		if h := u.GetHuman(); h != nil {
			name, kind = h.GetProfile().GetDisplayName(), "type-human"
		}
		out = append(out, row{
			ID: u.GetUserId(), Link: prefix + "orgs/" + u.GetDetails().GetResourceOwner() + "/users/" + u.GetUserId(),
			Cells: []cell{
				{Text: name, Quiet: u.GetHuman().GetEmail().GetEmail()}, {Text: u.GetPreferredLoginName()}, {Text: v.Texts.T(kind)},
				userState(v, u.GetState()), {Text: when(u.GetDetails().GetCreationDate())},
			},
		})
	}
	return out, res.GetDetails().GetTotalResult()
}

func userState(v *visit, s userv2.UserState) cell {
	looks := map[userv2.UserState]string{userv2.UserState_USER_STATE_ACTIVE: "good", userv2.UserState_USER_STATE_LOCKED: "bad"}
	c := cell{Text: v.Texts.T(s.String()), State: looks[s]}
	if c.State == "" {
		c.State = "idle"
	}
	return c
}
