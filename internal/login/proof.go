package login

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/web"
)

func toLogin(v *visit) error { return v.goTo("login") }

// showLogin asks who is there. A browser that holds sessions is offered them first; an
// application that asks for nothing else gets the only one there is.
func showLogin(v *visit) error {
	form := v.R.Form
	if v.prompts("create") && form.Get("new") == "" {
		err := v.mayRegister(false)
		if fault.KindOf(err) == fault.KindFailedPrecondition { // Who has an account can go on all the same.
			return v.askName(v.request.LoginHint, err)
		}
		if err != nil {
			return err
		}
		return v.goTo(atRegister)
	}
	if form.Get("new") == "" && len(v.Jar) > 0 && !v.prompts("login") {
		known, err := v.accounts()
		switch {
		case err != nil:
			return err
		case len(known) == 1 && (v.request != nil || v.device != nil) && !v.prompts("select_account"):
			v.current = v.Jar.Find(known[0].ID)
			return v.next()
		case len(known) > 0:
			return v.goTo("account")
		}
	}
	name := form.Get("loginName")
	if name == "" && v.request != nil {
		name = v.request.LoginHint
	}
	return v.askName(name, nil)
}

// loginPage is what the first page of a login shows.
type loginPage struct {
	Name    string
	Passkey bool // may be used by who says nothing
}

// askName shows the first page of a login, with what was wrong with it.
func (v *visit) askName(name string, problem error) error {
	v.current = nil
	login, err := policy.Login.Resolve(v.Ctx, v.Store, v.Scope(v.Org))
	if err != nil {
		return err
	}
	d := data{Path: "login", More: loginPage{Name: v.short(name), Passkey: login.Doc.PasswordlessAllowed == 1}}
	if login.Doc.AllowRegister && v.mayRegister(false) == nil {
		d.Others = []way{{atRegister, "register-way"}}
	}
	if problem != nil {
		return v.again(problem, "login", d)
	}
	v.show(http.StatusOK, "login", d)
	return nil
}

// prompts reports whether the application asks for this prompt (OpenID Connect Core,
// section 3.1.2.1).
func (v *visit) prompts(prompt string) bool {
	return v.request != nil && slices.Contains(v.request.Prompt, prompt)
}

// takeLogin begins a session for who says to be there: always a new one, so that none
// that somebody else put into the browser ever gets a user.
func takeLogin(v *visit) error {
	name, others := v.full(strings.TrimSpace(v.R.PostForm.Get("loginName")))
	named, err := v.nameTells(name)
	if err != nil {
		return err
	}
	who, err := flow.WhoIs(v.AsSystem(), v.Store, v.Instance, name, others...)
	var out flow.SessionChanged
	if err == nil {
		proof := flow.Proof{UserID: who.ID}
		if who.ID == "" { // The policy decides what is said of a name that nobody has.
			proof.LoginName = name
		}
		out, err = v.sessions.Create(v.AsSystem(), flow.SessionChange{Proof: proof, UserAgent: v.agent(), Discreet: named.Login.IgnoreUnknownUsernames})
	}
	if err != nil {
		return v.askName(name, err)
	}
	v.hold(out, name)
	return v.next()
}

// agent is what the browser says about itself, as far as a session takes it: what is too long
// keeps nobody from logging in.
func (v *visit) agent() *session.UserAgent {
	says := []rune(strings.ToValidUTF8(v.R.UserAgent(), "\uFFFD"))
	return &session.UserAgent{IP: v.Call.RemoteIP, Description: string(says[:min(len(says), session.MaxText)])}
}

// hold keeps a session's newest token in the browser, with the name that its user gave.
func (v *visit) hold(out flow.SessionChanged, name string) {
	v.Keep(v.Jar.With(web.Session{ID: out.ID, Token: out.Token, Name: name}))
	v.current = v.Jar.Find(out.ID)
}

// again shows a form once more, with what was wrong with it. What is not the fault of
// who filled it in is no form's to show.
func (v *visit) again(err error, page string, d data) error {
	switch fault.KindOf(err) {
	case fault.KindInternal, fault.KindUnavailable, fault.KindDeadline:
		return err
	default:
		if errors.Is(err, errNoSession) || errors.Is(err, errNobody) {
			return err
		}
	}
	d.Problem = v.Sentence(err)
	status := http.StatusUnprocessableEntity
	if fault.KindOf(err) == fault.KindExhausted {
		status = http.StatusTooManyRequests
	}
	v.show(status, page, d)
	return nil
}

// codePage is what the page of a code shows.
type codePage struct {
	Sends  bool // the code is sent first
	Sent   bool
	Digits bool
}

// proofPage gives the page at path, on which a method is proved; sent says that a code
// is on its way.
func (v *visit) proofPage(p *progress, path string, sent bool) (page string, d data) {
	d = data{LoginName: p.name, Others: p.others(path), Path: path}
	if path == atPassword {
		return atPassword, d
	}
	sends := path == atMail || path == atSMS
	d.More = codePage{Sends: sends, Sent: sent, Digits: path != atRecovery}
	return "code", d
}

// proofs are what is proved on the pages that take a password or a code.
var proofs = map[string]func(given *string) flow.Proof{
	atPassword: func(given *string) flow.Proof { return flow.Proof{Password: given} },
	"totp":     func(given *string) flow.Proof { return flow.Proof{TOTP: given} },
	atMail:     func(given *string) flow.Proof { return flow.Proof{EmailCode: given} },
	atSMS:      func(given *string) flow.Proof { return flow.Proof{SMSCode: given} },
	atRecovery: func(given *string) flow.Proof { return flow.Proof{RecoveryCode: given} },
}

// showProof asks for a proof.
func showProof(v *visit, p *progress) error {
	page, d := v.proofPage(p, v.Path(), v.R.Form.Get("sent") != "")
	v.show(http.StatusOK, page, d)
	return nil
}

// takeProof looks at a password or a code.
func takeProof(v *visit, p *progress) error {
	if p.strays(v.Path()) {
		return v.next()
	}
	given := v.R.PostForm.Get("proof")
	if v.Path() != atPassword {
		given = strings.Join(strings.Fields(given), "")
	}
	proof := proofs[v.Path()](&given)
	out, err := v.sessions.Set(v.AsNobody(), v.current.ID, v.current.Token, flow.SessionChange{Proof: proof, Discreet: p.hidden})
	if err != nil {
		page, d := v.proofPage(p, v.Path(), true) // A code that was sent may still be right.
		return v.refused(err, page, d)
	}
	v.hold(out, v.current.Name)
	return v.next()
}

// refused shows the form of a proof once more. Where the policy took its way away
// meanwhile, that would help nobody: the login goes on another way, and says so.
func (v *visit) refused(err error, page string, d data) error {
	p, gone := v.progress()
	if gone != nil || slices.Contains(p.offered(), v.Path()) {
		return v.again(err, page, d)
	}
	v.lost = v.Path()
	return v.next()
}

// strays reports whether a page is none that somebody is led to of whom nothing may be told:
// what it says would be about them.
func (p *progress) strays(path string) bool { return p.hidden && !slices.Contains(p.offered(), path) }

// sendCode sends a one-time code.
func sendCode(v *visit, p *progress) error {
	path := strings.TrimSuffix(v.Path(), "/send")
	if p.strays(path) {
		return v.next()
	}
	c := flow.Challenges{}
	if path == atMail {
		c.Email = &flow.CodeRequest{}
	} else {
		c.SMS = &flow.CodeRequest{}
	}
	out, err := v.sessions.Set(v.AsNobody(), v.current.ID, v.current.Token, flow.SessionChange{Challenges: c})
	if err != nil {
		page, d := v.proofPage(p, path, v.R.Form.Get("sent") != "")
		return v.again(err, page, d)
	}
	v.hold(out, v.current.Name)
	return v.goTo(path, "sent", "true")
}

// keyPage is the page of a key: a passkey, where nothing was proved before.
func (p *progress) keyPage() data {
	d := data{LoginName: p.name, Others: p.others("key")}
	if p.Need == assurance.FirstFactor {
		d.Path = kindPasskey
	}
	return d
}

// showKey asks for a security key or passkey.
func showKey(v *visit, p *progress) error {
	v.show(http.StatusOK, "key", p.keyPage())
	return nil
}

// keyOptions gives the script what the browser asks the key.
func keyOptions(v *visit, p *progress) error {
	if p.strays("key") {
		return errNoWay
	}
	request := &flow.AssertionRequest{Domain: hostname.Canonical(v.Call.Host), Verification: 3}
	if p.options().Has(assurance.Passkey) {
		request.Verification = 1
	}
	if p.options().Has(assurance.U2F) && p.options().Has(assurance.Passkey) {
		request.Verification = 2
	}
	out, err := v.sessions.Set(v.AsNobody(), v.current.ID, v.current.Token, flow.SessionChange{Challenges: flow.Challenges{Assertion: request}, Discreet: p.hidden})
	if err != nil {
		return err
	}
	v.hold(out, v.current.Name)
	return v.JSON(out.AssertionOptions)
}

// takeKey looks at what a key answered.
func takeKey(v *visit, p *progress) error {
	if p.strays("key") {
		return v.next()
	}
	proof := flow.Proof{Assertion: []byte(v.R.PostForm.Get("credential"))}
	out, err := v.sessions.Set(v.AsNobody(), v.current.ID, v.current.Token, flow.SessionChange{Proof: proof, Discreet: p.hidden})
	if err != nil {
		return v.refused(err, "key", p.keyPage())
	}
	v.hold(out, v.current.Name)
	return v.next()
}
