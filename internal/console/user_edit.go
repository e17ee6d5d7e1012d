package console

import (
	"google.golang.org/protobuf/proto"

	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/message"
)

// userEditPages change what a user is called, and the password.
func userEditPages() (out []page) {
	for _, f := range []form{
		{
			path: atUser + "/profile", title: "profile-edit", load: loadProfile,
			fields: []field{
				{path: "first_name", text: "f-given_name", required: true}, {path: "last_name", text: "f-family_name", required: true}, {path: "nick_name"},
				{path: "display_name", required: true, help: "f-display_name-help"}, {path: "preferred_language", options: languages},
			},
		},
		{path: atUser + "/machine", title: "machine-edit", load: loadMachine, fields: machineFields("machine")},
		{
			path: atUser + "/username", title: "username-edit", help: "username-edit-help",
			load: func(v *visit) (proto.Message, error) {
				u, err := v.user()
				return &userv2.UpdateUserRequest{UserId: v.userID(), Username: new(u.GetUsername())}, err
			},
			fields: []field{{path: "username", text: "user-name", required: true}},
		},
		{
			path: atUser + "/password", title: "password-set", help: "password-set-help", load: func(v *visit) (proto.Message, error) {
				return &userv2.SetPasswordRequest{UserId: v.userID(), NewPassword: &userv2.Password{ChangeRequired: true}}, nil
			},
			fields: []field{{path: "new_password.password", kind: "password", auto: "new-password", required: true}, {path: "new_password.change_required"}},
		},
		{
			path: atUser + "/password/reset", title: "password-reset", help: "password-reset-help", button: "reset", load: loadReset,
			choose: func(v *visit, _ proto.Message) ([]field, error) {
				return []field{{path: "medium", text: "f-link", options: deliveries("f-link", "send_link"), help: v.mailHelp("f-link-help")}}, nil
			},
			then: backTo(atUser, "code"), once: func(v *visit, res proto.Message) []fact {
				return v.codeOnce(message.PasswordReset, res.(*userv2.PasswordResetResponse).GetVerificationCode()) //nolint:forcetypeassert // the contract's
			},
		},
		{
			path: atUser + "/invite", title: "invite", help: "invite-help", button: "invite", load: loadInvite,
			choose: func(v *visit, _ proto.Message) ([]field, error) {
				return []field{{path: "verification", text: "f-invitation", options: deliveries("f-invitation", "send_code"), help: v.mailHelp("f-invitation-help")}}, nil
			},
			then: backTo(atUser, "invited"), once: func(v *visit, res proto.Message) []fact {
				return v.codeOnce(message.InviteUser, res.(*userv2.CreateInviteCodeResponse).GetInviteCode()) //nolint:forcetypeassert // the contract's
			},
		},
	} {
		if f.then == nil {
			f.then = backTo(atUser, "saved")
		}
		f.permission, f.crumbs = userWrite, inUser
		out = append(out, f.pages()...)
	}
	return out
}

// codeOnce is the link that a code makes for the user of the page; no code: nothing.
func (v *visit) codeOnce(kind message.Kind, code string) []fact {
	if code == "" {
		return nil
	}
	return v.linkOnce(message.Message{Kind: kind, UserID: v.userID(), Code: code})
}

// loadProfile gives what the newer version of the contract cannot say: that a nickname
// goes.
func loadProfile(v *visit) (proto.Message, error) {
	u, err := v.user()
	if err == nil && u.GetHuman() == nil {
		err = errNoPage
	}
	p := u.GetHuman().GetProfile()
	return &mgmtpb.UpdateHumanProfileRequest{
		UserId: v.userID(), FirstName: p.GetGivenName(), LastName: p.GetFamilyName(), NickName: p.GetNickName(), DisplayName: p.GetDisplayName(),
		PreferredLanguage: p.GetPreferredLanguage(), Gender: userpb.Gender(p.GetGender()),
	}, err
}

func loadMachine(v *visit) (proto.Message, error) {
	u, err := v.user()
	m := u.GetMachine()
	if err == nil && m == nil {
		err = errNoPage
	}
	return &userv2.UpdateUserRequest{UserId: v.userID(), UserType: &userv2.UpdateUserRequest_Machine_{Machine: &userv2.UpdateUserRequest_Machine{
		Name: new(m.GetName()), Description: new(m.GetDescription()), AccessTokenType: m.GetAccessTokenType().Enum(),
	}}}, err
}

// machineFields are what is said of a machine, in the message at a path.
func machineFields(at string) []field {
	return []field{{path: at + ".name", required: true}, {path: at + ".description", text: "description"}, {path: at + ".access_token_type", text: "access-token-type", help: "access-token-type-help"}}
}

func loadReset(v *visit) (proto.Message, error) {
	req := &userv2.PasswordResetRequest{UserId: v.userID(), Medium: &userv2.PasswordResetRequest_SendLink{SendLink: &userv2.SendPasswordResetLink{}}}
	if !v.mails() {
		req.Medium = &userv2.PasswordResetRequest_ReturnCode{ReturnCode: &userv2.ReturnPasswordResetCode{}}
	}
	return req, nil
}

func loadInvite(v *visit) (proto.Message, error) {
	req := &userv2.CreateInviteCodeRequest{UserId: v.userID(), Verification: &userv2.CreateInviteCodeRequest_SendCode{SendCode: &userv2.SendInviteCode{}}}
	if !v.mails() {
		req.Verification = &userv2.CreateInviteCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnInviteCode{}}
	}
	return req, nil
}
