package login

import (
	"cmp"
	"encoding/base64"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"time"

	"rsc.io/qr"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/web"
)

// choice is a factor that can be set up.
type choice struct {
	Path, Text string
	Post       bool // its first step changes something
}

// choices are the factors that the policy lists and that the user could set up here:
// a code goes to an address that is proved.
func (p *progress) choices() (out []choice) {
	login, human := p.Login(), &p.person.Human
	lists := func(f policy.SecondFactor) bool { return slices.Contains(login.SecondFactors, f) }
	if login.PasswordlessAllowed == 1 && slices.Contains(login.MultiFactors, policy.U2FWithVerification) {
		out = append(out, choice{kindPasskey, "enrol-passkey", false})
	}
	if lists(policy.TOTP) {
		out = append(out, choice{"totp/begin", "enrol-totp", true})
	}
	if lists(policy.U2F) {
		out = append(out, choice{"u2f", "enrol-u2f", false})
	}
	if lists(policy.OTPEmail) && human.EmailVerified {
		out = append(out, choice{atMail, "enrol-otp-email", true})
	}
	if lists(policy.OTPSMS) && human.PhoneVerified {
		out = append(out, choice{atSMS, "enrol-otp-sms", true})
	}
	return out
}

// enrolPage is what the page of choices shows.
type enrolPage struct {
	Must    bool // the policy demands a second factor
	Choices []choice
}

var errNoChoice = fault.Precondition("LOGIN-no-choice", "The login policy demands a second factor, and none that it lists can be set up here. Ask an administrator.")

// enrolling is within for who may set up a factor: the first factor is proved, and a
// second one where there is any that counts.
func enrolling(answer func(*visit, *progress) error) func(*visit) error {
	return within(func(v *visit, p *progress) error {
		if !p.Enough && p.Need != assurance.Enrolment {
			return errNoSession
		}
		return answer(v, p)
	})
}

// showEnrol offers what can be set up.
func showEnrol(v *visit, p *progress) error {
	list, must := p.choices(), p.Need == assurance.Enrolment
	if len(list) == 0 && must {
		return errNoChoice
	}
	d := data{LoginName: p.name, More: enrolPage{Must: must, Choices: list}}
	if gone := p.gone(v.Store.Now()); gone != "" {
		d.Problem = v.T("lost", v.T(gone))
	}
	v.show(http.StatusOK, "enrol", d)
	return nil
}

// gone is the key of a factor that somebody has set up and that the policy does not take any
// more, where none is left that it takes: they are told why another one is asked for.
func (p *progress) gone(now time.Time) (text string) {
	names := maps.Clone(paths)
	names[assurance.Passkey], names[assurance.U2F] = "enrol-passkey", "enrol-u2f"
	for _, m := range p.Ready().Methods() {
		if assurance.Allowed(p.Login(), assurance.Check{Method: m}, now) {
			return ""
		}
		text = cmp.Or(text, names[m])
	}
	return text
}

// skipEnrol puts the offer off, for as long as the policy says.
func skipEnrol(v *visit, p *progress) error {
	if !p.Enough {
		return v.next()
	}
	if err := v.Store.Write(v.asUser(p), func(tx *eventstore.Tx) error {
		_, err := user.SkipMFA(tx, eventstore.Scope{Instance: v.Instance, Org: v.Org}, p.Session.UserID)
		return err
	}); err != nil {
		return err
	}
	return v.next()
}

// totpPage is what the page of a new authenticator app shows.
type totpPage struct {
	QR, URI template.URL // of schemes that templates do not know
	Secret  string
}

// beginTOTP begins the registration of an authenticator app.
func beginTOTP(v *visit, p *progress) error {
	begun, err := flow.RegisterTOTP(v.asUser(p), v.Store, v.vault, p.ref(), hostname.Canonical(v.Call.Host))
	if err != nil {
		return err
	}
	return v.showTOTP(p, begun.Secret, "")
}

// showTOTP shows the secret of an app that is not proved yet, once more where its
// code was wrong.
func (v *visit) showTOTP(p *progress, secret, problem string) error {
	uri := crypto.TOTPURI(hostname.Canonical(v.Call.Host), p.name, secret)
	code, err := qr.Encode(uri, qr.M)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if problem != "" {
		status = http.StatusUnprocessableEntity
	}
	v.show(status, "newtotp", data{
		LoginName: p.name, Path: "enrol/totp", Problem: problem, Hidden: map[string]string{"secret": secret},
		More: totpPage{
			QR:  template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())), //nolint:gosec // base64
			URI: template.URL(uri), Secret: secret,                                                      //nolint:gosec // our own, with escaped values
		},
	})
	return nil
}

// takeTOTP finishes the registration of an authenticator app with its first code, and
// counts that as proved.
func takeTOTP(v *visit, p *progress) error {
	if _, err := user.VerifyTOTP(v.asUser(p), v.Store, v.vault, p.ref(), v.R.PostForm.Get("code")); err != nil {
		return v.totpAgain(p, err)
	}
	return v.next()
}

// enrolOTP sets up codes that are sent.
func enrolOTP(verb func(*eventstore.Tx, user.Ref) (eventstore.Details, error)) func(*visit, *progress) error {
	return func(v *visit, p *progress) error {
		if err := v.Store.Write(v.asUser(p), func(tx *eventstore.Tx) error {
			_, err := verb(tx, p.ref())
			return err
		}); err != nil {
			return err
		}
		return v.next()
	}
}

// kindAt gives the kind of key that a page is about.
var kindAt = map[string]user.FactorKind{"u2f": user.U2F, kindPasskey: user.Passkey}

const kindPasskey = "passkey"

// newKeyPage is what the page of a new key shows: its kind, and where its form leads.
type newKeyPage struct{ Kind, Path, Options, Name string }

func (v *visit) enrolledKey(kind string) newKeyPage {
	return newKeyPage{Kind: kind, Path: "enrol/key", Options: "enrol/key/options", Name: v.keyName()}
}

// keyName is what a new key is called where its user says nothing else: what they sit at.
func (v *visit) keyName() string {
	return cmp.Or(v.R.PostForm.Get("name"), web.Browser(v.R.UserAgent()))
}

// showNewKey asks for a key to register.
func showNewKey(v *visit, p *progress) error {
	kind := v.Path()[len("enrol/"):]
	v.show(http.StatusOK, "newkey", data{LoginName: p.name, More: v.enrolledKey(kind)})
	return nil
}

// newKeyOptions gives the script what the browser asks a new key.
func newKeyOptions(v *visit, p *progress) error {
	kind, ok := kindAt[v.R.PostForm.Get("kind")]
	if !ok {
		return errNoPage
	}
	begun, err := flow.RegisterKey(v.asUser(p), v.Store, p.ref(), user.KeyRequest{Kind: kind, Domain: hostname.Canonical(v.Call.Host)})
	if err != nil {
		return err
	}
	return v.JSON(begun.Options)
}

// takeNewKey finishes the registration of a key.
func takeNewKey(v *visit, p *progress) error {
	form := v.R.PostForm
	kind, ok := kindAt[form.Get("kind")]
	if !ok {
		return errNoPage
	}
	if _, err := user.VerifyKey(v.asUser(p), v.Store, p.ref(), kind, "", form.Get("name"), []byte(form.Get("credential"))); err != nil {
		return v.again(err, "newkey", data{LoginName: p.name, Path: "enrol/" + form.Get("kind"), More: v.enrolledKey(form.Get("kind"))})
	}
	return v.next()
}
