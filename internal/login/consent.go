package login

import (
	"net/http"

	"github.com/gatehouse/gatehouse/internal/flow"
)

// atConsent is the page on which a user decides what an application gets.
const atConsent = "consent"

// What a user says on the pages that ask for a decision.
const (
	fieldDecision = "decision"
	decisionAllow = "allow"
	decisionDeny  = "deny"
)

// consentPage is what a user is shown before they decide.
type consentPage struct {
	Asks   string
	Scopes []string
}

// askConsent asks somebody who has logged in whether the application may have what it asks
// for, where it wants that to be asked (OpenID Connect Core, section 3.1.2.4), and answers
// the application where they say no.
func (v *visit) askConsent(p *progress) error {
	if v.Path() != atConsent {
		return v.goTo(atConsent)
	}
	if v.R.PostForm.Get(fieldDecision) == decisionDeny {
		r, err := flow.RefuseRequest(v.asUser(p), v.Store, v.request.ID)
		if err != nil {
			return err
		}
		to, err := flow.CallbackURL(v.asUser(p), v.Store, &r, flow.Failed(&r, "access_denied", "The user did not consent.", ""))
		if err != nil {
			return err
		}
		return v.Redirect(to)
	}
	app, project, err := flow.ClientNames(v.AsNobody(), v.Store, v.request.ClientID)
	if err != nil {
		return err
	}
	v.show(http.StatusOK, atConsent, data{LoginName: p.name, More: consentPage{Asks: v.T("consent-asks", app, project), Scopes: v.inWords(v.request.Scopes)}})
	return nil
}

// inWords says what scopes mean. Of most the name says it.
func (v *visit) inWords(scopes []string) (out []string) {
	for _, scope := range scopes {
		if text := "scope-" + scope; v.Texts.Has(text) {
			scope = v.T(text)
		}
		out = append(out, scope)
	}
	return out
}
