package login

import (
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/web"
)

// atSetup is where the link leads that the server prints when it starts, as long as no
// person administers the instance, and that of a reset.
const atSetup = "setup"

// setupPage is what the page shows: for whom the link is, if for somebody who is there, what
// was typed, and what a password must be like.
type setupPage struct {
	Owner, GivenName, FamilyName, Email, Rules string
}

// setupLink is what the link says.
func (v *visit) setupLink() flow.SetupLink {
	return flow.SetupLink{Code: v.R.Form.Get(fieldCode), User: v.R.Form.Get(fieldUser)}
}

// setup is the page with what was typed.
func (v *visit) setup(who flow.User) (data, error) {
	v.Org = who.OrgID
	rules, err := v.rules()
	form, l := v.R.PostForm, v.setupLink()
	return data{
		Hidden: map[string]string{fieldCode: l.Code, fieldUser: l.User},
		More:   setupPage{Owner: who.LoginName, GivenName: form.Get("givenName"), FamilyName: form.Get("familyName"), Email: form.Get("email"), Rules: rules},
	}, err
}

// showSetup asks who will administer the instance.
func showSetup(v *visit) error {
	v.current = nil
	who, err := flow.SetupFor(v.AsSystem(), v.Store, v.setupLink())
	if err != nil {
		return err
	}
	d, err := v.setup(who)
	if err != nil {
		return err
	}
	v.show(http.StatusOK, atSetup, d)
	return nil
}

// takeSetup makes the administrator, or gives them a new way in. Who chose a password is
// logged in with it, who chose a passkey registers it next.
func takeSetup(v *visit) error {
	v.current = nil
	form := v.R.PostForm
	password := form.Get(atPassword)
	if form.Get("by") == kindPasskey {
		password = ""
	} else if password == "" || password != form.Get("repeat") {
		return v.setupAgain(errRepeat)
	}
	h := user.Human{
		FirstName: strings.TrimSpace(form.Get("givenName")), LastName: strings.TrimSpace(form.Get("familyName")), Email: strings.TrimSpace(form.Get("email")),
		PreferredLanguage: v.Texts.Lang,
	}
	r, err := flow.SetUp(v.AsSystem(), v.Store, v.vault, v.setupLink(), h, password)
	if err != nil {
		return v.setupAgain(err)
	}
	v.R.Form.Set(fieldNext, web.Console)
	if password != "" {
		out, err := v.sessions.Create(v.AsSystem(), flow.SessionChange{Proof: flow.Proof{UserID: r.UserID, Password: &password}, UserAgent: v.agent()})
		if err != nil {
			return err
		}
		v.hold(out, h.Email)
		return v.next()
	}
	c, err := flow.AddPasskeyCode(v.AsSystem(), v.Store, v.vault, r, "", user.PasskeyDelivery{})
	if err != nil {
		return err
	}
	return v.goTo(atPasskeyLink, fieldUser, r.UserID, fieldOrg, r.Org, fieldCodeID, c.ID, fieldCode, c.Code)
}

// setupAgain shows the form once more, unless the link is not good any more.
func (v *visit) setupAgain(problem error) error {
	who, err := flow.SetupFor(v.AsSystem(), v.Store, v.setupLink())
	if err != nil {
		return err
	}
	d, err := v.setup(who)
	if err != nil {
		return err
	}
	return v.again(problem, atSetup, d)
}
