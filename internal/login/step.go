package login

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/web"
)

// progress is how far somebody has come: the session as it is now, and who it is of.
type progress struct {
	flow.Assured
	person flow.User // empty where nobody has the name that was given, or that is hidden
	name   string    // that pages greet with
	hidden bool      // nothing may be told of the user yet, not even whether there is one
	login  *policy.LoginPolicy
	token  string
}

var (
	errNoSession = fault.Precondition("LOGIN-session", "This login is over. Begin anew.")
	errNobody    = fault.Precondition("LOGIN-user", "Say first who you are.")
)

// progress looks at the page's session, which the browser must hold the token of.
func (v *visit) progress() (p *progress, err error) {
	if v.current == nil {
		return nil, errNoSession
	}
	p = &progress{token: v.current.Token}
	if p.Assured, err = flow.Assurance(v.Ctx, v.Store, v.Instance, v.current.ID); err != nil {
		return p, err
	}
	s := &p.Session
	switch {
	case s.ID == "" || s.Ended || s.Expired(v.Store.Now()) || s.TokenHash != user.HashToken(p.token):
		return p, errNoSession
	case s.UserChecked.IsZero():
		return p, errNobody
	}
	p.name, p.login = v.current.Name, p.Assured.Login()
	if p.Counted == 0 {
		if err := v.hide(p); err != nil {
			return p, err
		}
	}
	if p.hidden {
		p.Verdict = assurance.Judge(p.login, assurance.Subject{}, nil, v.Store.Now())
	} else if v.Org = s.UserOrg; s.UserID != "" {
		if p.person, err = flow.UserByID(v.AsSystem(), v.Store, eventstore.Scope{Instance: v.Instance, Org: s.UserOrg}, s.UserID); err != nil {
			return p, err
		}
		p.name = p.person.LoginName
	}
	return p, nil
}

// hide decides whether anything is told of somebody who has proved nothing yet, and if not,
// how the pages are: by the name as it was typed alone, whether or not somebody has it.
func (v *visit) hide(p *progress) error {
	named, err := v.nameTells(v.current.Name)
	switch {
	case err != nil:
		return err
	case named.Login.IgnoreUnknownUsernames:
		p.hidden, p.login = true, &named.Login
	default:
		p.hidden = p.login.IgnoreUnknownUsernames
	}
	return nil
}

// nameTells gives the page the looks of the organization whose domain a typed name ends in,
// unless an application asked for those of another one.
func (v *visit) nameTells(typed string) (flow.Named, error) {
	named, err := flow.NameTells(v.AsSystem(), v.Store, v.Instance, typed)
	v.Org = cmp.Or(v.Org, named.Org)
	return named, err
}

// Login is the login policy that the page follows.
func (p *progress) Login() *policy.LoginPolicy { return p.login }

// within makes a page of one for who has a session here.
func within(answer func(*visit, *progress) error) func(*visit) error {
	return func(v *visit) error {
		p, err := v.progress()
		if err != nil {
			return err
		}
		return answer(v, p)
	}
}

// ref is the user of the session.
func (p *progress) ref() user.Ref {
	return user.Ref{Instance: p.Session.Instance, Org: p.Session.UserOrg, UserID: p.Session.UserID}
}

// asUser is the context of what the user of the session does to themselves.
func (v *visit) asUser(p *progress) context.Context {
	ctx := authz.WithCaller(v.Ctx, p.Caller(v.Store.Now()))
	return eventstore.WithOrigin(ctx, eventstore.Origin{Creator: p.Session.UserID})
}

// The pages of methods that are named more than once.
const (
	atPassword = "password"
	atMail     = "otp-email"
	atSMS      = "otp-sms"
	atRecovery = "recovery-code"
)

// paths are where a method is proved.
var paths = map[assurance.Method]string{
	assurance.Password: atPassword, assurance.Passkey: "key", assurance.U2F: "key", assurance.TOTP: "totp",
	assurance.OTPEmail: atMail, assurance.OTPSMS: atSMS, assurance.RecoveryCode: atRecovery,
}

// offered are the pages of methods that would help now, the one to go to first.
// External logins have none yet.
func (p *progress) offered() (out []string) {
	for _, m := range p.options().Methods() {
		if path, ok := paths[m]; ok && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	if i := slices.Index(out, atPassword); p.hidden && i > 0 { // Few have a key, and all are asked for the same first.
		out[0], out[i] = out[i], out[0]
	}
	return out
}

// options are the methods that would help and that the user could be asked for.
func (p *progress) options() assurance.Set {
	o := p.Options
	if p.Need != assurance.FirstFactor || p.hidden {
		return o
	}
	if !p.Ready().Has(assurance.Passkey) {
		o &^= assurance.SetOf(assurance.Passkey)
	}
	return o
}

// others are the ways around the page at path.
func (p *progress) others(path string) (out []way) {
	for _, o := range p.offered() {
		if o != path {
			out = append(out, way{o, "use-" + o})
		}
	}
	if path == atPassword && !p.Login().HidePasswordReset {
		out = append(out, way{"password/forgotten", "forgotten"})
	}
	return out
}

var errNoWay = fault.Precondition("LOGIN-no-way", "The login policy leaves no way to log in here. Ask an administrator.")

// next sends the browser where the login goes on. What was enough is held against the
// policy as it is now, by every page anew.
func (v *visit) next() error {
	p, err := v.progress()
	if err != nil {
		return err
	}
	switch p.Need {
	case assurance.FirstFactor, assurance.SecondFactor:
		if ways := p.offered(); len(ways) > 0 {
			return v.goTo(ways[0])
		}
		return errNoWay
	case assurance.Enrolment:
		return v.goTo("enrol")
	case assurance.Impossible:
		return errNoWay
	case assurance.Nothing:
		if !p.Enough {
			return errNoSession
		}
	}
	if p.Counted.Has(assurance.Password) {
		state, err := user.PasswordStateOf(v.Ctx, v.Store, eventstore.Scope{Instance: v.Instance, Org: v.Org}, p.Session.UserID)
		if err != nil {
			return err
		}
		if state.ChangeRequired || state.Expired {
			return v.goTo("password/change")
		}
	}
	if p.shouldOffer(v.Store.Now()) {
		return v.goTo("enrol")
	}
	return v.finish(p)
}

// shouldOffer reports whether somebody with one factor is to be asked to set up a
// second one, which they can put off for as long as the policy says.
func (p *progress) shouldOffer(now time.Time) bool {
	counts := func(m assurance.Method) bool { return assurance.Allowed(p.Login(), assurance.Check{Method: m}, now) }
	later := p.Login().MFAInitSkipLifetime
	return p.Factors == 1 && p.person.IsHuman() && later > 0 && len(p.choices()) > 0 && !slices.ContainsFunc(p.Ready().Methods(), counts) &&
		(p.person.Human.MFASkipped.IsZero() || !now.Before(p.person.Human.MFASkipped.Add(later)))
}

// finish ends a login that is enough: where it was asked for.
func (v *visit) finish(p *progress) error {
	switch {
	case v.request != nil:
		return v.answer(p)
	case v.device != nil:
		return v.decideDevice(p)
	case web.Here(v.R.Form.Get(fieldNext)):
		v.Keep(v.Jar.With(*v.current)) // That page is about the newest.
		return v.Redirect(v.R.Form.Get(fieldNext))
	}
	return v.goTo("done")
}

// answer sends the browser back to the application with what it asked for. Where that
// is a login newer than this one, or of somebody else, the login begins anew.
func (v *visit) answer(p *progress) error {
	if v.prompts("consent") && (v.Path() != atConsent || v.R.PostForm.Get(fieldDecision) != decisionAllow) {
		return v.askConsent(p)
	}
	linked, err := flow.LinkSession(v.asUser(p), v.Store, v.request.ID, p.Session.ID, p.token)
	switch {
	case flow.WantsNewLogin(err):
		return v.goTo("login", "new", "true")
	case err != nil:
		return err
	}
	to, err := flow.CallbackURL(v.asUser(p), v.Store, &linked.Request, flow.Answered(&linked.Request, linked.Code))
	if err != nil {
		return err
	}
	return v.Redirect(to)
}
