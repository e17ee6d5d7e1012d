package account

import (
	"slices"

	"google.golang.org/protobuf/proto"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
)

// The kinds of factors, the first one among them, which are parts of paths and of keys, in the order of the page.
const (
	kindPassword = "password"
	kindPasskey  = "passkey"
	kindTOTP     = "totp"
	kindU2F      = "u2f"
	kindMail     = "otp-email"
	kindSMS      = "otp-sms"
	kindRecovery = "recovery"
)

var kinds = []string{kindPassword, kindPasskey, kindTOTP, kindU2F, kindMail, kindSMS, kindRecovery}

func securityPages() []page {
	out := []page{{path: "security", get: showSecurity}}
	out = append(out, totpPages()...)
	out = append(out, keyPages()...)
	out = append(out, codePages()...)
	return out
}

// factor is a kind of factors, with those that somebody has.
type factor struct {
	Kind    string
	Allowed bool   // by the login policy
	Items   []item // that somebody has
	// Lacks is the key of what is missing before it can be set up; empty: nothing.
	Lacks string
}

// item is one factor.
type item struct{ ID, Name string }

// Counts reports whether somebody has one that the login policy takes.
func (f factor) Counts() bool { return f.Allowed && len(f.Items) > 0 }

// Addable reports whether somebody could set up another one.
func (f factor) Addable() bool {
	return f.Allowed && f.Lacks == "" && (len(f.Items) == 0 || f.Kind == kindPasskey || f.Kind == kindU2F)
}

// factors are all kinds of factors of somebody.
type factors []factor

func (fs factors) of(kind string) factor {
	return fs[slices.IndexFunc(fs, func(f factor) bool { return f.Kind == kind })]
}

func (fs factors) counts(kind string) bool { return fs.of(kind).Counts() }
func (fs factors) offers(kind string) bool { return fs.of(kind).Addable() }

// factors asks for what the visitor has, and for what the login policy takes of it.
func (v *visit) factors() (factors, error) {
	policy, err := call[*authpb.GetMyLoginPolicyResponse](v, &authpb.GetMyLoginPolicyRequest{})
	if err != nil {
		return nil, err
	}
	has, err := v.items()
	if err != nil {
		return nil, err
	}
	out := make(factors, 0, len(kinds))
	for _, kind := range kinds {
		f := factor{Kind: kind, Allowed: allows(policy.GetPolicy(), kind), Items: has[kind]}
		switch human := v.me.GetHuman(); {
		case kind == kindMail && !human.GetEmail().GetIsEmailVerified():
			f.Lacks = "lacks-email"
		case kind == kindSMS && !human.GetPhone().GetIsPhoneVerified():
			f.Lacks = "lacks-phone"
		}
		out = append(out, f)
	}
	return out, nil
}

// allows reports whether a login policy lists a kind of factors.
func allows(p *policypb.LoginPolicy, kind string) bool {
	switch kind {
	case kindPassword:
		return p.GetAllowUsernamePassword()
	case kindPasskey:
		return p.GetPasswordlessType() == policypb.PasswordlessType_PASSWORDLESS_TYPE_ALLOWED &&
			slices.Contains(p.GetMultiFactors(), policypb.MultiFactorType_MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION)
	}
	return slices.Contains(p.GetSecondFactors(), map[string]policypb.SecondFactorType{
		kindTOTP: policypb.SecondFactorType_SECOND_FACTOR_TYPE_OTP, kindU2F: policypb.SecondFactorType_SECOND_FACTOR_TYPE_U2F,
		kindMail: policypb.SecondFactorType_SECOND_FACTOR_TYPE_OTP_EMAIL, kindSMS: policypb.SecondFactorType_SECOND_FACTOR_TYPE_OTP_SMS,
		kindRecovery: policypb.SecondFactorType_SECOND_FACTOR_TYPE_RECOVERY_CODES,
	}[kind])
}

// items asks for the factors that the visitor has set up, by their kind.
func (v *visit) items() (map[string][]item, error) {
	out := map[string][]item{}
	keys, err := call[*authpb.ListMyPasswordlessResponse](v, &authpb.ListMyPasswordlessRequest{})
	if err != nil {
		return nil, err
	}
	for _, k := range keys.GetResult() {
		if k.GetState() == userpb.AuthFactorState_AUTH_FACTOR_STATE_READY {
			out[kindPasskey] = append(out[kindPasskey], item{k.GetId(), k.GetName()})
		}
	}
	second, err := call[*authpb.ListMyAuthFactorsResponse](v, &authpb.ListMyAuthFactorsRequest{})
	if err != nil {
		return nil, err
	}
	for _, f := range second.GetResult() {
		if f.GetState() != userpb.AuthFactorState_AUTH_FACTOR_STATE_READY {
			continue
		}
		switch t := f.GetType().(type) {
		case *userpb.AuthFactor_Otp:
			out[kindTOTP] = []item{{}}
		case *userpb.AuthFactor_U2F:
			out[kindU2F] = append(out[kindU2F], item{t.U2F.GetId(), t.U2F.GetName()})
		case *userpb.AuthFactor_OtpSms:
			out[kindSMS] = []item{{Name: v.me.GetHuman().GetPhone().GetPhone()}}
		case *userpb.AuthFactor_OtpEmail:
			out[kindMail] = []item{{Name: v.me.GetHuman().GetEmail().GetEmail()}}
		}
	}
	methods, err := v.methods()
	if slices.Contains(methods, userv2.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_PASSWORD) {
		out[kindPassword] = []item{{Name: when(v.me.GetHuman().GetPasswordChanged())}}
	}
	if slices.Contains(methods, userv2.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE) {
		out[kindRecovery] = []item{{}}
	}
	return out, err
}

// methods are the ways in which the visitor can authenticate.
func (v *visit) methods() ([]userv2.AuthenticationMethodType, error) {
	res, err := call[*userv2.ListAuthenticationMethodTypesResponse](v, &userv2.ListAuthenticationMethodTypesRequest{UserId: v.me.GetId()})
	return res.GetAuthMethodTypes(), err
}

// showSecurity shows how somebody logs in.
func showSecurity(v *visit) error {
	own, err := v.factors()
	if err != nil {
		return err
	}
	return v.show("security", v.Texts.T("nav-security"), own)
}

// codePages are about codes that are sent, and those for the worst day.
func codePages() (out []page) {
	for kind, reqs := range map[string][2]proto.Message{
		kindMail: {&authpb.AddMyAuthFactorOTPEmailRequest{}, &authpb.RemoveMyAuthFactorOTPEmailRequest{}},
		kindSMS:  {&authpb.AddMyAuthFactorOTPSMSRequest{}, &authpb.RemoveMyAuthFactorOTPSMSRequest{}},
	} {
		out = append(out,
			deed{path: "security/" + kind, page: showSecurity, to: "security", done: "set-up", do: func(v *visit) error { return v.do(reqs[0]) }}.pages(),
			question{path: "security/" + kind + "/remove", name: "remove-" + kind, to: "security", done: "removed", do: func(v *visit) error { return v.do(reqs[1]) }}.pages(),
		)
	}
	return append(out,
		page{path: "security/recovery", get: askRecovery, post: giveRecovery},
		question{path: "security/recovery/remove", name: "remove-recovery", to: "security", done: "removed", do: func(v *visit) error {
			return v.do(&userv2.RemoveRecoveryCodesRequest{UserId: v.me.GetId()})
		}}.pages(),
	)
}

// recoveryCodes is how many recovery codes somebody gets.
const recoveryCodes = 10

// recoveryPage is what the page shows: how many codes there will be, or the codes.
type recoveryPage struct {
	Count int
	Had   bool // there are some already, which will be void
	Codes []string
}

// askRecovery says what recovery codes are for before there are any.
func askRecovery(v *visit) error {
	own, err := v.factors()
	if err != nil {
		return err
	}
	return v.show("recovery", v.Texts.T("factor-recovery"), recoveryPage{Count: recoveryCodes, Had: len(own.of(kindRecovery).Items) > 0})
}

// giveRecovery shows recovery codes, this once.
func giveRecovery(v *visit) error {
	res, err := call[*userv2.GenerateRecoveryCodesResponse](v, &userv2.GenerateRecoveryCodesRequest{UserId: v.me.GetId(), Count: recoveryCodes})
	switch {
	case err != nil && isTheirs(err):
		v.refused = err
		return askRecovery(v)
	case err != nil:
		return err
	}
	return v.show("recovery", v.Texts.T("factor-recovery"), recoveryPage{Codes: res.GetRecoveryCodes()})
}
