package login

import (
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/web"
)

var errRepeat = fault.Invalid("LOGIN-repeat", "The two passwords are not the same.")

// rules says what a new password must be like.
func (v *visit) rules() (string, error) {
	p, err := policy.PasswordComplexity.Resolve(v.Ctx, v.Store, v.Scope(v.Org))
	if err != nil {
		return "", err
	}
	out := []string{v.T("rule-length", p.Doc.MinLength)}
	for _, rule := range []struct {
		wanted bool
		key    string
	}{{p.Doc.HasLowercase, "rule-lower"}, {p.Doc.HasUppercase, "rule-upper"}, {p.Doc.HasNumber, "rule-number"}, {p.Doc.HasSymbol, "rule-symbol"}} {
		if rule.wanted {
			out = append(out, v.T(rule.key))
		}
	}
	return strings.Join(out, ", ") + ".", nil
}

// showChange asks for another password, which the policy or somebody demands.
func showChange(v *visit, p *progress) error {
	rules, err := v.rules()
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "change", data{LoginName: p.name, More: rules})
	return nil
}

// takeChange replaces the password.
func takeChange(v *visit, p *progress) error {
	form := v.R.PostForm
	var err error
	if form.Get(atPassword) != form.Get("repeat") {
		err = errRepeat
	} else {
		_, err = user.ChangePassword(v.asUser(p), v.Store, v.vault, p.ref(), form.Get("current"), user.NewPassword{Plain: form.Get(atPassword)})
	}
	if err == nil {
		return v.next()
	}
	rules, more := v.rules()
	if more != nil {
		return more
	}
	return v.again(err, "change", data{LoginName: p.name, More: rules})
}

// showForgotten asks whose password is forgotten.
func showForgotten(v *visit) error {
	name := ""
	if p, err := v.progress(); err == nil {
		name = v.short(p.name)
	}
	v.show(http.StatusOK, "forgotten", data{More: name})
	return nil
}

// takeForgotten has a code sent to set another password with. Whether there is such a
// user is not told.
func takeForgotten(v *visit) error {
	typed := strings.TrimSpace(v.R.PostForm.Get("loginName"))
	name, others := v.full(typed)
	var ticket string
	b := v.begin(&ticket)
	if err := v.Store.Write(v.AsSystem(), func(tx *eventstore.Tx) error {
		return flow.ForgotPassword(tx, v.Instance, name, others, web.Creator, ticket)
	}); err != nil {
		return err
	}
	v.remember(b)
	v.show(http.StatusOK, "mailed", data{Note: v.T("forgotten-sent"), More: typed})
	return nil
}

// newPasswordPage is what the page shows that a link with a code leads to.
type newPasswordPage struct{ Code, Rules string }

// The parameters of links and forms that name somebody.
const (
	fieldOrg  = "orgID"
	fieldUser = "userID"
)

// linked is the user that a link names. Who asked for a login is in no link of ours: a
// request that somebody put there is not taken.
func (v *visit) linked() user.Ref {
	v.R.Form.Del(fieldRequest)
	v.R.Form.Del(fieldDevice)
	v.request, v.device, v.LeadsTo = nil, nil, ""
	v.Org = v.R.Form.Get(fieldOrg)
	return user.Ref{Instance: v.Instance, Org: v.Org, UserID: v.R.Form.Get(fieldUser)}
}

// newPassword is the page on which a code of a mail leads to a password.
func (v *visit) newPassword(code string) (data, error) {
	r := v.linked()
	rules, err := v.rules()
	if err == nil {
		err = v.leadBack()
	}
	return data{
		Hidden: map[string]string{fieldUser: r.UserID, fieldOrg: r.Org},
		More:   newPasswordPage{Code: code, Rules: rules},
	}, err
}

// showNewPassword asks for the password that a code allows to set: after an
// invitation, at the beginning, or where the former one is forgotten.
func showNewPassword(v *visit) error {
	v.current = nil
	d, err := v.newPassword(v.R.Form.Get("code"))
	if err != nil {
		return err
	}
	v.show(http.StatusOK, "newpassword", d)
	return nil
}

// takeNewPassword sets the password.
func takeNewPassword(v *visit) error {
	form, r := v.R.PostForm, v.linked()
	v.current = nil
	code, password := strings.TrimSpace(form.Get("code")), form.Get(atPassword)
	scope := eventstore.Scope{Instance: v.Instance, Org: r.Org}
	var err error
	switch path := v.Path(); {
	case password != form.Get("repeat"):
		err = errRepeat
	case path == "password/init":
		_, err = user.ResetPassword(v.AsNobody(), v.Store, v.vault, r, code, user.NewPassword{Plain: password})
	default:
		_, err = user.Begin(v.AsSystem(), v.Store, v.vault, scope, r.UserID, path == "user/invite", code, password)
	}
	if err != nil {
		d, more := v.newPassword(code)
		if more != nil {
			return more
		}
		return v.again(err, "newpassword", d)
	}
	return v.afterPassword(r, password)
}

// showVerify asks to confirm an address: a link alone does nothing, since programs
// that look at mails follow links.
func showVerify(v *visit) error {
	r := v.linked()
	v.current = nil
	v.show(http.StatusOK, "verify", data{More: v.R.Form.Get("code"), Hidden: map[string]string{fieldUser: r.UserID, fieldOrg: r.Org}})
	return nil
}

// takeVerify marks an address as proved.
func takeVerify(v *visit) error {
	r, code := v.linked(), strings.TrimSpace(v.R.PostForm.Get("code"))
	v.current = nil
	_, err := user.Email.Verify(v.AsSystem(), v.Store, v.vault, eventstore.Scope{Instance: v.Instance, Org: r.Org}, r.UserID, code)
	if err != nil {
		return v.again(err, "verify", data{More: code, Hidden: map[string]string{fieldUser: r.UserID, fieldOrg: r.Org}})
	}
	v.show(http.StatusOK, "verify", data{Note: v.T("verified")})
	return nil
}

// showCode shows the code of a mail to who opened its link: they type it where they
// log in, which may be another device.
func showCode(v *visit) error {
	v.current = nil
	v.show(http.StatusOK, "showcode", data{More: v.R.Form.Get("code")})
	return nil
}

// totpAgain asks once more for the first code of an authenticator app.
func (v *visit) totpAgain(p *progress, err error) error {
	if k := fault.KindOf(err); k != fault.KindInvalid && k != fault.KindFailedPrecondition {
		return err
	}
	secret := v.R.PostForm.Get("secret")
	if secret == "" {
		return err
	}
	return v.showTOTP(p, secret, v.Sentence(err))
}
