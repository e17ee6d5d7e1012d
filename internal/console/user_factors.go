package console

import (
	"slices"

	"google.golang.org/protobuf/proto"

	settingspb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v2"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/message"
)

const passkeyWrite = "user.passkey.write" //nolint:gosec // a permission

// factorPages are what somebody proves who they are with.
func factorPages() (out []page) {
	out = append(out, view{path: atUser + "/factors", permission: userRead, read: readFactors}.pages()...)
	out = append(out, form{
		path: atUser + "/passkey-link", permission: passkeyWrite, title: "passkey-link", help: "passkey-link-help", button: "passkey-link-button", crumbs: inUser,
		load: func(v *visit) (proto.Message, error) {
			req := &userv2.CreatePasskeyRegistrationLinkRequest{UserId: v.userID(), Medium: &userv2.CreatePasskeyRegistrationLinkRequest_SendLink{SendLink: &userv2.SendPasskeyRegistrationLink{}}}
			if !v.mails() {
				req.Medium = &userv2.CreatePasskeyRegistrationLinkRequest_ReturnCode{ReturnCode: &userv2.ReturnPasskeyRegistrationCode{}}
			}
			return req, nil
		},
		choose: func(v *visit, _ proto.Message) ([]field, error) {
			return []field{{path: "medium", text: "f-link", options: deliveries("f-link", "send_link"), help: v.mailHelp("f-link-help")}}, nil
		},
		then: backTo(atUser+"/factors", "code"),
		once: func(v *visit, res proto.Message) []fact {
			code := res.(*userv2.CreatePasskeyRegistrationLinkResponse).GetCode() //nolint:forcetypeassert // the contract's
			if code == nil {
				return nil
			}
			return v.linkOnce(message.Message{Kind: message.PasswordlessRegistration, UserID: v.userID(), Code: code.GetCode(), CodeID: code.GetId()})[:1]
		},
	}.pages()...)
	for name, request := range map[string]func(v *visit) proto.Message{
		"totp":     func(v *visit) proto.Message { return &userv2.RemoveTOTPRequest{UserId: v.userID()} },
		"sms":      func(v *visit) proto.Message { return &userv2.RemoveOTPSMSRequest{UserId: v.userID()} },
		"mail":     func(v *visit) proto.Message { return &userv2.RemoveOTPEmailRequest{UserId: v.userID()} },
		"recovery": func(v *visit) proto.Message { return &userv2.RemoveRecoveryCodesRequest{UserId: v.userID()} },
		"u2f/{key}": func(v *visit) proto.Message {
			return &userv2.RemoveU2FRequest{UserId: v.userID(), U2FId: v.R.PathValue("key")}
		},
		"passkey/{key}": func(v *visit) proto.Message {
			return &userv2.RemovePasskeyRequest{UserId: v.userID(), PasskeyId: v.R.PathValue("key")}
		},
	} {
		out = append(out, action{
			path: atUser + "/factors/" + name + "/remove", permission: userWrite, title: "factor-remove", help: "factor-remove-help", danger: true,
			request: request, then: backTo(atUser+"/factors", "removed"), crumbs: inUser,
		}.pages()...)
	}
	return out
}

// readFactors shows the factors, with whether the login policy lists them now.
func readFactors(v *visit) (viewed, error) {
	out, err := atHand(v)
	if err != nil {
		return viewed{}, err
	}
	if v.about.GetHuman() == nil {
		return viewed{}, errNoPage
	}
	both := []userv2.AuthFactorState{userv2.AuthFactorState_AUTH_FACTOR_STATE_READY, userv2.AuthFactorState_AUTH_FACTOR_STATE_NOT_READY}
	factors, err := call[*userv2.ListAuthenticationFactorsResponse](v, &userv2.ListAuthenticationFactorsRequest{UserId: v.userID(), States: both})
	if err != nil {
		return viewed{}, err
	}
	passkeys, err := call[*userv2.ListPasskeysResponse](v, &userv2.ListPasskeysRequest{UserId: v.userID()})
	if err != nil {
		return viewed{}, err
	}
	methods, err := call[*userv2.ListAuthenticationMethodTypesResponse](v, &userv2.ListAuthenticationMethodTypesRequest{UserId: v.userID()})
	if err != nil {
		return viewed{}, err
	}
	p := part{
		Help: v.Texts.T("factors-help"), Columns: []string{"kind", "name", "state", "counts"}, Empty: v.Texts.T("factors-empty"),
	}
	s := v.loginSettings()
	for _, k := range passkeys.GetResult() {
		p.Rows = append(p.Rows, factorRow(v, s, shownFactor{"passkey/" + k.GetId(), "AUTHENTICATION_METHOD_TYPE_PASSKEY", k.GetName(), k.GetState(), passkeyCounts(s)}))
	}
	for _, f := range factors.GetResult() {
		p.Rows = append(p.Rows, factorRow(v, s, secondFactor(s, f)))
	}
	if slices.Contains(methods.GetAuthMethodTypes(), userv2.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE) {
		p.Rows = append(p.Rows, factorRow(v, s, shownFactor{"recovery", "AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE", "", both[0], counts(s, settingspb.SecondFactorType_SECOND_FACTOR_TYPE_RECOVERY_CODES)}))
	}
	out.Parts, out.Actions = []part{p}, []entry{{atUser + "/passkey-link", "passkey-link", passkeyWrite}}
	return out, nil
}

// loginSettings are those that hold for the users of the organization; nil where the
// visitor may not read them.
func (v *visit) loginSettings() *settingspb.LoginSettings {
	res, err := call[*settingspb.GetLoginSettingsResponse](v, &settingspb.GetLoginSettingsRequest{})
	if err != nil {
		return nil
	}
	return res.GetSettings()
}

func counts(s *settingspb.LoginSettings, t settingspb.SecondFactorType) bool {
	return slices.Contains(s.GetSecondFactors(), t)
}

func passkeyCounts(s *settingspb.LoginSettings) bool {
	return s.GetPasskeysType() == settingspb.PasskeysType_PASSKEYS_TYPE_ALLOWED && slices.Contains(s.GetMultiFactors(), settingspb.MultiFactorType_MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION)
}

// shownFactor is a factor with the end of its path, and the key of its kind.
type shownFactor struct {
	path, kind, name string
	state            userv2.AuthFactorState
	counts           bool
}

func secondFactor(s *settingspb.LoginSettings, f *userv2.AuthFactor) shownFactor {
	out := shownFactor{state: f.GetState()}
	var t settingspb.SecondFactorType
	switch f.GetType().(type) {
	case *userv2.AuthFactor_Otp:
		out.path, out.kind, t = "totp", "AUTHENTICATION_METHOD_TYPE_TOTP", settingspb.SecondFactorType_SECOND_FACTOR_TYPE_TOTP
	case *userv2.AuthFactor_U2F:
		out.path, out.name = "u2f/"+f.GetU2F().GetId(), f.GetU2F().GetName()
		out.kind, t = "AUTHENTICATION_METHOD_TYPE_U2F", settingspb.SecondFactorType_SECOND_FACTOR_TYPE_U2F
	case *userv2.AuthFactor_OtpSms:
		out.path, out.kind, t = "sms", "AUTHENTICATION_METHOD_TYPE_OTP_SMS", settingspb.SecondFactorType_SECOND_FACTOR_TYPE_OTP_SMS
	case *userv2.AuthFactor_OtpEmail:
		out.path, out.kind, t = "mail", "AUTHENTICATION_METHOD_TYPE_OTP_EMAIL", settingspb.SecondFactorType_SECOND_FACTOR_TYPE_OTP_EMAIL
	}
	out.counts = counts(s, t)
	return out
}

func factorRow(v *visit, s *settingspb.LoginSettings, f shownFactor) viewRow {
	state, listed := cell{Text: v.Texts.T("factor-ready"), State: "good"}, cell{Text: v.Texts.T("factor-counts"), State: "good"}
	if f.state != userv2.AuthFactorState_AUTH_FACTOR_STATE_READY {
		state = cell{Text: v.Texts.T("factor-not-ready"), State: "idle"}
	}
	switch {
	case s == nil:
		listed = cell{Text: "–"}
	case !f.counts:
		listed = cell{Text: v.Texts.T("factor-counts-not"), State: "bad"}
	}
	return viewRow{
		row:     row{Cells: []cell{{Text: v.Texts.T(f.kind)}, {Text: f.name}, state, listed}},
		Actions: v.entries([]entry{{atUser + "/factors/" + f.path + "/remove", "remove", userWrite}}),
	}
}
