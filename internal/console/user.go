package console

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/web"
)

// user is the one that the page is about, who must be one of the organization's.
func (v *visit) user() (*userv2.User, error) {
	if v.about != nil {
		return v.about, nil
	}
	res, err := call[*userv2.GetUserByIDResponse](v, &userv2.GetUserByIDRequest{UserId: v.R.PathValue("user")})
	switch {
	case err != nil:
		return nil, err
	case res.GetUser().GetDetails().GetResourceOwner() != v.org:
		return nil, errNoPage
	}
	v.about = res.GetUser()
	return v.about, nil
}

// nameOf is how somebody is called.
func nameOf(u *userv2.User) string {
	switch {
	case u.GetHuman() != nil:
		return u.GetHuman().GetProfile().GetDisplayName()
	case u.GetMachine().GetName() != "":
		return u.GetMachine().GetName()
	}
	return u.GetUsername()
}

// atHand is what all tabs of a user's page show.
func atHand(v *visit) (viewed, error) {
	u, err := v.user()
	if err != nil {
		return viewed{}, err
	}
	tabs := []entry{{atUser, "overview", userRead}}
	if u.GetHuman() != nil {
		tabs = append(tabs, entry{atUser + "/factors", "factors", userRead}, entry{atUser + "/sessions", "sessions", sessionRead})
	} else {
		tabs = append(tabs, entry{atUser + "/credentials", "credentials", userRead})
	}
	tabs = append(tabs,
		entry{atUser + "/roles", "user-roles", grantRead}, entry{atUser + "/memberships", "memberships", membershipRead},
		entry{atUser + "/metadata", "metadata", userRead}, entry{atUser + "/history", "history", userRead})
	out := viewed{Title: nameOf(u), State: userState(v, u.GetState()), Crumbs: inUsers(v), Tabs: v.tabs(tabs)}
	if h := u.GetHuman(); h != nil {
		face := web.FaceOf(h.GetProfile().GetAvatarUrl(), nameOf(u))
		out.Face = &face
	}
	return out, nil
}

// tabs are pages beside each other, as far as the visitor may see them.
func (v *visit) tabs(list []entry) []crumb {
	out := v.entries(list)
	for i := range out {
		out[i].Here = out[i].URL == v.R.URL.Path
	}
	return out
}

// inUser are the pages above those of one user.
func inUser(v *visit) []crumb {
	out := inUsers(v)
	if u, err := v.user(); err == nil {
		out = append(out, crumb{URL: v.at(atUser), Text: nameOf(u)})
	}
	return out
}

// backTo leads to a page, which says what was done.
func backTo(path, what string) func(*visit, proto.Message) (string, string) {
	return func(v *visit, _ proto.Message) (string, string) { return v.at(path), what }
}

// userID is of the user whom the page is about.
func (v *visit) userID() string { return v.R.PathValue("user") }

// overviewPages are a user's first tab, and what can be done with the user as a whole.
func overviewPages() (out []page) {
	out = append(out, view{path: atUser, permission: userRead, read: readUser}.pages()...)
	for _, a := range []action{
		{
			path: atUser + "/deactivate", title: "user-deactivate", help: "user-deactivate-help", danger: true, then: backTo(atUser, "user-deactivated"),
			request: func(v *visit) proto.Message { return &userv2.DeactivateUserRequest{UserId: v.userID()} },
		},
		{
			path: atUser + "/reactivate", title: "user-reactivate", help: "user-reactivate-help", then: backTo(atUser, "user-reactivated"),
			request: func(v *visit) proto.Message { return &userv2.ReactivateUserRequest{UserId: v.userID()} },
		},
		{
			path: atUser + "/lock", title: "user-lock", help: "user-lock-help", danger: true, then: backTo(atUser, "locked"),
			request: func(v *visit) proto.Message { return &userv2.LockUserRequest{UserId: v.userID()} },
		},
		{
			path: atUser + "/unlock", title: "user-unlock", help: "user-unlock-help", then: backTo(atUser, "unlocked"),
			request: func(v *visit) proto.Message { return &userv2.UnlockUserRequest{UserId: v.userID()} },
		},
		{
			path: atUser + "/picture/remove", title: "picture-remove", help: "picture-remove-help", danger: true, then: backTo(atUser, "removed"),
			request: func(v *visit) proto.Message { return &mgmtpb.RemoveHumanAvatarRequest{UserId: v.userID()} },
		},
		{
			path: atUser + "/remove", permission: userDelete, title: "user-remove", help: "user-remove-help", danger: true, then: backTo(atUsers, "removed"),
			request: func(v *visit) proto.Message { return &userv2.DeleteUserRequest{UserId: v.userID()} },
		},
	} {
		if a.permission == "" {
			a.permission = userWrite
		}
		a.crumbs = inUser
		out = append(out, a.pages()...)
	}
	return out
}

// readUser is the overview.
func readUser(v *visit) (viewed, error) {
	out, err := atHand(v)
	if err != nil {
		return viewed{}, err
	}
	u := v.about
	out.Facts = []fact{
		{Text: "id", Value: u.GetUserId(), Code: true},
		{Text: "user-name", Value: u.GetUsername(), Ways: []entry{{atUser + "/username", "change", userWrite}}},
		{Text: "login-names", Value: strings.Join(u.GetLoginNames(), "\n")},
	}
	if u.GetHuman() != nil {
		methods, err := call[*userv2.ListAuthenticationMethodTypesResponse](v, &userv2.ListAuthenticationMethodTypesRequest{UserId: u.GetUserId()})
		if err != nil {
			return viewed{}, err
		}
		out.Facts = append(out.Facts, humanFacts(v, u.GetHuman(), methods.GetAuthMethodTypes())...)
		if len(methods.GetAuthMethodTypes()) == 0 {
			out.Actions = []entry{{atUser + "/invite", "invite", userWrite}}
		}
	} else {
		m := u.GetMachine()
		out.Facts = append(out.Facts,
			fact{Text: "name", Value: m.GetName(), Ways: []entry{{atUser + "/machine", "change", userWrite}}}, fact{Text: "description", Value: m.GetDescription()},
			fact{Text: "access-token-type", Value: v.Texts.T(m.GetAccessTokenType().String())})
	}
	out.Facts = append(out.Facts, fact{Text: "created", Value: when(u.GetDetails().GetCreationDate())}, fact{Text: "changed", Value: when(u.GetDetails().GetChangeDate())})
	out.Actions = append(out.Actions, stateActions(u.GetState())...)
	return out, nil
}

func humanFacts(v *visit, h *userv2.HumanUser, methods []userv2.AuthenticationMethodType) []fact {
	p := h.GetProfile()
	email := fact{Text: "email", Value: h.GetEmail().GetEmail(), Mark: verified(v, h.GetEmail().GetIsVerified()), Ways: []entry{{atUser + "/email", "change", userWrite}}}
	if !h.GetEmail().GetIsVerified() {
		email.Ways = append(email.Ways, entry{atUser + "/email/code", "code-again", userWrite}, entry{atUser + "/email/verify", "enter-code", userWrite})
	}
	phone := fact{Text: "phone", Ways: []entry{{atUser + "/phone", "add", userWrite}}}
	if number := h.GetPhone().GetPhone(); number != "" {
		phone.Value, phone.Mark = number, verified(v, h.GetPhone().GetIsVerified())
		phone.Ways = []entry{{atUser + "/phone", "change", userWrite}}
		if !h.GetPhone().GetIsVerified() {
			phone.Ways = append(phone.Ways, entry{atUser + "/phone/code", "code-again", userWrite}, entry{atUser + "/phone/verify", "enter-code", userWrite})
		}
		phone.Ways = append(phone.Ways, entry{atUser + "/phone/remove", "remove", userWrite})
	}
	password := fact{Text: "password", Value: v.Texts.T("password-none"), Ways: []entry{{atUser + "/password", "set", userWrite}}}
	if slices.Contains(methods, userv2.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_PASSWORD) {
		password.Value = v.Texts.T("password-since", when(h.GetPasswordChanged()))
		password.Ways = append(password.Ways, entry{atUser + "/password/reset", "reset", userWrite})
	}
	if h.GetPasswordChangeRequired() {
		password.Mark = cell{Text: v.Texts.T("password-change-required"), State: "idle"}
	}
	var ways []string
	for _, m := range methods {
		ways = append(ways, v.Texts.T(m.String()))
	}
	language := v.Texts.T("language-none")
	if l := p.GetPreferredLanguage(); l != "" && l != "und" {
		language = v.Texts.Or("language-"+l, l)
	}
	facts := []fact{
		{Text: "full-name", Value: p.GetGivenName() + " " + p.GetFamilyName(), Ways: []entry{{atUser + "/profile", "change", userWrite}}},
		{Text: "nick-name", Value: p.GetNickName()}, {Text: "language", Value: language}, email, phone, password, {Text: "methods", Value: strings.Join(ways, ", ")},
	}
	if p.GetAvatarUrl() != "" {
		facts = append(facts, fact{Text: "picture", Value: v.Texts.T("picture-there"), Ways: []entry{{atUser + "/picture/remove", "remove", userWrite}}})
	}
	return facts
}

func verified(v *visit, is bool) cell {
	if is {
		return cell{Text: v.Texts.T("verified"), State: "good"}
	}
	return cell{Text: v.Texts.T("not-verified"), State: "idle"}
}

// stateActions are what can be done with a user of that state.
func stateActions(s userv2.UserState) (out []entry) {
	switch s { //nolint:exhaustive // of the others there is nothing to do
	case userv2.UserState_USER_STATE_ACTIVE, userv2.UserState_USER_STATE_INITIAL:
		out = []entry{{atUser + "/lock", "lock", userWrite}, {atUser + "/deactivate", "deactivate", userWrite}}
	case userv2.UserState_USER_STATE_LOCKED:
		out = []entry{{atUser + "/unlock", "unlock", userWrite}, {atUser + "/deactivate", "deactivate", userWrite}}
	case userv2.UserState_USER_STATE_INACTIVE:
		out = []entry{{atUser + "/reactivate", "reactivate", userWrite}}
	}
	return append(out, entry{atUser + "/remove", "remove", userDelete})
}
