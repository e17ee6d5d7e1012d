package login

import (
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/web"
)

// Where people make an account for themselves, and with an organization.
const (
	atRegister    = "register"
	atRegisterOrg = "register/org"
)

// registerPage is what the pages show: what was typed, and what has to be agreed to.
type registerPage struct {
	WithOrg                               bool
	OrgName, GivenName, FamilyName, Email string
	Terms                                 []web.Link
}

var errTerms = fault.Invalid("REGISTER-terms", "Agree to the terms to go on.")

// register is the page with what was typed.
func (v *visit) register() (data, error) {
	form, withOrg := v.R.PostForm, v.Path() == atRegisterOrg
	terms, err := v.terms()
	d := data{More: registerPage{
		WithOrg: withOrg, OrgName: form.Get("orgName"), GivenName: form.Get("givenName"), FamilyName: form.Get("familyName"), Email: form.Get("email"), Terms: terms,
	}}
	d.Others = []way{{"account", "register-known"}}
	if !withOrg && err == nil && v.mayRegister(true) == nil {
		d.Others = append(d.Others, way{atRegisterOrg, atRegisterOrg})
	}
	return d, err
}

// mayRegister refuses where nobody may make an account by themselves, or no organization.
func (v *visit) mayRegister(withOrg bool) error {
	var asked flow.Scopes
	if v.request != nil {
		asked = v.request.Scopes
	}
	return flow.MayRegisterFor(v.AsNobody(), v.Store, v.Scope(v.Org), asked, withOrg)
}

// terms are what the organization wants people to agree to.
func (v *visit) terms() (out []web.Link, err error) {
	p, err := policy.Privacy.Resolve(v.Ctx, v.Store, v.Scope(v.Org))
	for _, l := range []web.Link{{URL: p.Doc.TOSLink, Text: "terms"}, {URL: p.Doc.PrivacyLink, Text: "privacy"}} {
		if l.URL != "" {
			out = append(out, v.Link(l))
		}
	}
	return out, err
}

// showRegister asks who somebody is who has no account.
func showRegister(v *visit) error {
	v.current = nil
	if err := v.mayRegister(v.Path() == atRegisterOrg); err != nil {
		return err
	}
	d, err := v.register()
	if err != nil {
		return err
	}
	v.show(http.StatusOK, atRegister, d)
	return nil
}

// takeRegister has the account made. That a mail is on its way is said in any case: who has
// an account already is told there.
func takeRegister(v *visit) error {
	v.current = nil
	form := v.R.PostForm
	d, err := v.register()
	if err != nil {
		return err
	}
	if len(d.More.(registerPage).Terms) > 0 && form.Get("terms") != "true" { //nolint:forcetypeassert // register made it
		return v.again(errTerms, atRegister, d)
	}
	r := flow.Registration{
		Org: v.Org, OrgName: strings.TrimSpace(form.Get("orgName")), FirstName: strings.TrimSpace(form.Get("givenName")), LastName: strings.TrimSpace(form.Get("familyName")),
		Email: strings.TrimSpace(form.Get("email")), Language: v.Texts.Lang, Creator: web.Creator, Guesser: flow.GuesserAt(v.Call.RemoteIP),
	}
	b := v.begin(&r.Ticket)
	withOrg := v.Path() == atRegisterOrg
	if !withOrg {
		r.OrgName = ""
	}
	err = v.mayRegister(withOrg)
	if err == nil {
		err = flow.Register(v.AsNobody(), v.Store, r, withOrg)
	}
	if err != nil {
		return v.again(err, atRegister, d)
	}
	v.remember(b)
	v.show(http.StatusOK, "mailed", data{Note: v.T("registered", r.Email), More: r.Email})
	return nil
}
