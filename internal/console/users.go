package console

import (
	"strings"

	"google.golang.org/protobuf/proto"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/message"
)

// The paths of an organization's users.
const (
	atUsers = atOrg + "/users"
	atUser  = atUsers + "/{user}"
)

// The permissions on users.
const (
	userRead   = "user.read"
	userWrite  = "user.write"
	userDelete = "user.delete"
)

// userPages are about the users of an organization.
func userPages() (out []page) {
	out = append(out, list[*userv2.ListUsersResponse]{
		path: atUsers, permission: userRead, title: "users", empty: "users-empty", columns: []string{"name", "login-name", "kind", "state", "created"}, find: "users-find",
		filters: []filter{{"type", []string{"", "human", "machine"}}, {"user-state", []string{"", "active", "inactive", "locked", "initial"}}},
		ask: func(v *visit, find string) proto.Message {
			req := listUsers(v.org, find, v.R.URL.Query().Get("type"), pageSize)
			if s, ok := userStates[v.R.URL.Query().Get("user-state")]; ok {
				req.Queries = append(req.Queries, &userv2.SearchQuery{Query: &userv2.SearchQuery_StateQuery{StateQuery: &userv2.StateQuery{State: s}}})
			}
			return req
		},
		rows:   userRows,
		add:    []entry{{atUsers + "-new", "user-new", userWrite}, {atUsers + "-invite", "user-invite", userWrite}, {atUsers + "-machine", "machine-new", userWrite}},
		bulk:   userBulk(),
		crumbs: inOrg,
	}.pages()...)
	for _, f := range []form{
		{
			path: atUsers + "-new", title: "user-new", help: "user-new-help", button: "create",
			load: newHuman, choose: chooseNewHuman, send: createHuman, once: emailOnce,
		},
		{
			path: atUsers + "-invite", title: "user-invite", help: "user-invite-help", button: "invite",
			load: newHuman, choose: chooseInvited, send: inviteHuman, once: inviteOnce,
		},
		{
			path: atUsers + "-machine", title: "machine-new", help: "machine-new-help", button: "create",
			load: func(v *visit) (proto.Message, error) {
				return &userv2.CreateUserRequest{OrganizationId: v.org, UserType: &userv2.CreateUserRequest_Machine_{Machine: &userv2.CreateUserRequest_Machine{}}}, nil
			},
			fields: append([]field{{path: "username", text: "user-name", required: true, help: "machine-name-help"}}, machineFields("machine")...),
		},
	} {
		f.permission, f.then, f.crumbs = userWrite, toCreated, inUsers
		out = append(out, f.pages()...)
	}
	for _, area := range [][]page{overviewPages(), userEditPages(), contactPages(), factorPages(), sessionPages(), credentialPages()} {
		out = append(out, area...)
	}
	return out
}

// userBulk is what can be done with several users at once.
func userBulk() []bulk {
	return []bulk{
		{name: "deactivate", permission: userWrite, help: "user-deactivate-help", request: func(_ *visit, id string) proto.Message { return &userv2.DeactivateUserRequest{UserId: id} }},
		{name: "reactivate", permission: userWrite, request: func(_ *visit, id string) proto.Message { return &userv2.ReactivateUserRequest{UserId: id} }},
		{name: "lock", permission: userWrite, help: "user-lock-help", request: func(_ *visit, id string) proto.Message { return &userv2.LockUserRequest{UserId: id} }},
		{name: "unlock", permission: userWrite, request: func(_ *visit, id string) proto.Message { return &userv2.UnlockUserRequest{UserId: id} }},
		{name: "remove", permission: userDelete, help: "user-remove-help", danger: true, request: func(_ *visit, id string) proto.Message { return &userv2.DeleteUserRequest{UserId: id} }},
	}
}

func newHuman(v *visit) (proto.Message, error) {
	email := &userv2.SetHumanEmail{}
	if v.mails() {
		email.Verification = &userv2.SetHumanEmail_SendCode{SendCode: &userv2.SendEmailVerificationCode{}}
	} else {
		email.Verification = &userv2.SetHumanEmail_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}
	}
	return &userv2.CreateUserRequest{OrganizationId: v.org, UserType: &userv2.CreateUserRequest_Human_{Human: &userv2.CreateUserRequest_Human{
		Email:        email,
		PasswordType: &userv2.CreateUserRequest_Human_Password{Password: &userv2.Password{ChangeRequired: true}},
	}}}, nil
}

// nameFields are what somebody is called, in a request for a new user.
func nameFields() []field {
	return []field{
		{path: "human.profile.given_name", required: true},
		{path: "human.profile.family_name", required: true},
		{path: "human.email.email", kind: "email", required: true},
	}
}

func chooseNewHuman(v *visit, _ proto.Message) ([]field, error) {
	return append(nameFields(),
		field{path: "human.email.verification", help: v.mailHelp("f-verification-help")},
		field{path: "username", text: "user-name", help: "f-username-help"},
		field{path: "human.profile.preferred_language", options: languages, help: "f-preferred_language-help"},
		field{path: "human.password.password", kind: "password", auto: "new-password", help: "f-first-password-help"},
		field{path: "human.password.change_required"},
	), nil
}

func chooseInvited(v *visit, _ proto.Message) ([]field, error) {
	return append(nameFields(), field{path: "human.email.verification", text: "f-invitation", options: deliveries("f-invitation", "send_code"), help: v.mailHelp("f-invitation-help")}), nil
}

// createHuman leaves out a password that is not said.
func createHuman(v *visit, req proto.Message) (proto.Message, error) {
	out := proto.Clone(req)
	if h := out.(*userv2.CreateUserRequest).GetHuman(); h.GetPassword().GetPassword() == "" { //nolint:forcetypeassert // what newHuman gives
		h.PasswordType = nil
	}
	return call[proto.Message](v, out)
}

// invited is somebody new, and the code of their invitation where it is shown.
type invited struct {
	*userv2.CreateUserResponse
	code string
	sent bool // there is an invitation, shown or sent
}

// inviteHuman makes somebody without a way to log in, and invites them. The invitation
// proves their address, so they get nothing else.
func inviteHuman(v *visit, req proto.Message) (proto.Message, error) {
	create := proto.Clone(req).(*userv2.CreateUserRequest) //nolint:forcetypeassert // what newHuman gives
	shown := create.GetHuman().GetEmail().GetReturnCode() != nil
	create.GetHuman().PasswordType = nil
	create.GetHuman().GetEmail().Verification = &userv2.SetHumanEmail_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}
	created, err := call[*userv2.CreateUserResponse](v, create)
	if err != nil {
		return nil, err
	}
	invite := &userv2.CreateInviteCodeRequest{UserId: created.GetId(), Verification: &userv2.CreateInviteCodeRequest_SendCode{SendCode: &userv2.SendInviteCode{}}}
	if shown {
		invite.Verification = &userv2.CreateInviteCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnInviteCode{}}
	}
	res, err := call[*userv2.CreateInviteCodeResponse](v, invite)
	return invited{created, res.GetInviteCode(), err == nil}, nil // The page of who is there now invites once more.
}

func inviteOnce(v *visit, res proto.Message) []fact {
	i, ok := res.(invited)
	if !ok || i.code == "" {
		return nil
	}
	return v.linkOnce(message.Message{Kind: message.InviteUser, UserID: i.GetId(), Code: i.code})
}

func emailOnce(v *visit, res proto.Message) []fact {
	created, ok := res.(*userv2.CreateUserResponse)
	if !ok || created.GetEmailCode() == "" {
		return nil
	}
	return v.linkOnce(message.Message{Kind: message.VerifyEmail, UserID: created.GetId(), Code: created.GetEmailCode()})
}

// toCreated leads to the page of who is there now.
func toCreated(v *visit, res proto.Message) (address, what string) {
	id, what := "", "created"
	switch r := res.(type) {
	case invited:
		if id, what = r.GetId(), "invited"; !r.sent {
			return v.at(atUsers) + "/" + id + "/invite", "not-invited"
		}
	case *userv2.CreateUserResponse:
		id = r.GetId()
	}
	return v.at(atUsers) + "/" + id, what
}

// languages are those that people can be spoken to in.
func languages(v *visit) ([]option, error) {
	res, err := call[*authpb.GetSupportedLanguagesResponse](v, &authpb.GetSupportedLanguagesRequest{})
	out := []option{{Text: v.Texts.T("language-none")}}
	for _, l := range res.GetLanguages() {
		out = append(out, option{Value: l, Text: v.Texts.Or("language-"+l, l)})
	}
	return out, err
}

// inUsers are the pages above those of users.
func inUsers(v *visit) []crumb {
	return append(inOrg(v), crumb{URL: v.at(atUsers), Text: v.Texts.T("users")})
}

var userStates = map[string]userv2.UserState{
	"active": userv2.UserState_USER_STATE_ACTIVE, "inactive": userv2.UserState_USER_STATE_INACTIVE, "locked": userv2.UserState_USER_STATE_LOCKED,
	"initial": userv2.UserState_USER_STATE_INITIAL,
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
		quiet := u.GetHuman().GetEmail().GetEmail()
		if u.GetUserId() == v.me.GetId() {
			quiet = strings.TrimSuffix(v.Texts.T("this-is-you")+" · "+quiet, " · ")
		}
		out = append(out, row{
			ID: u.GetUserId(), Link: prefix + "orgs/" + u.GetDetails().GetResourceOwner() + "/users/" + u.GetUserId(),
			Cells: []cell{
				{Text: name, Quiet: quiet}, {Text: u.GetPreferredLoginName()}, {Text: v.Texts.T(kind)},
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
