package login

import (
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/web"
)

// atSetup is where the link leads that the server prints when it starts, as long as no
// person administers the instance.
const atSetup = "setup"

// setupPage is what the page shows: what was typed, and what a password must be like.
type setupPage struct {
	GivenName, FamilyName, Email, Rules string
}

// setup is the page with what was typed.
func (v *visit) setup() (data, error) {
	rules, err := v.rules()
	form := v.R.PostForm
	return data{
		Hidden: map[string]string{fieldCode: v.R.Form.Get(fieldCode)},
		More:   setupPage{GivenName: form.Get("givenName"), FamilyName: form.Get("familyName"), Email: form.Get("email"), Rules: rules},
	}, err
}

// showSetup asks who will administer the instance.
func showSetup(v *visit) error {
	v.current = nil
	if err := flow.SetupWaits(v.AsSystem(), v.Store, v.R.Form.Get(fieldCode)); err != nil {
		return err
	}
	d, err := v.setup()
	if err != nil {
		return err
	}
	v.show(http.StatusOK, atSetup, d)
	return nil
}

// takeSetup makes the administrator. Who chose a password is logged in with it, who chose a
// passkey registers it next.
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
	r, err := flow.SetUp(v.AsSystem(), v.Store, form.Get(fieldCode), h, password)
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

// setupAgain shows the form once more.
func (v *visit) setupAgain(problem error) error {
	d, err := v.setup()
	if err != nil {
		return err
	}
	return v.again(problem, atSetup, d)
}
