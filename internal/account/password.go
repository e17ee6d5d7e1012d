package account

import (
	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func passwordPages() []page {
	return []page{deed{path: "security/password", page: showPassword, do: takePassword, to: "security", done: "password"}.pages()}
}

var errRepeat = fault.Invalid("ACCOUNT-repeat", "The two passwords are not the same.")

// showPassword asks for another password and says what it must be like.
func showPassword(v *visit) error {
	res, err := call[*authpb.GetMyPasswordComplexityPolicyResponse](v, &authpb.GetMyPasswordComplexityPolicyRequest{})
	if err != nil {
		return err
	}
	p := res.GetPolicy()
	rules := []string{v.Texts.T("rule-length", p.GetMinLength())}
	for _, rule := range []struct {
		wanted bool
		key    string
	}{{p.GetHasLowercase(), "rule-lower"}, {p.GetHasUppercase(), "rule-upper"}, {p.GetHasNumber(), "rule-number"}, {p.GetHasSymbol(), "rule-symbol"}} {
		if rule.wanted {
			rules = append(rules, v.Texts.T(rule.key))
		}
	}
	return v.show("password", v.Texts.T("change-password"), rules)
}

// takePassword replaces the password. Passwords are taken as they are typed.
func takePassword(v *visit) error {
	form := v.R.PostForm
	if form.Get("new") != form.Get("repeat") {
		return errRepeat
	}
	return v.do(&authpb.UpdateMyPasswordRequest{OldPassword: form.Get("current"), NewPassword: form.Get("new")})
}
