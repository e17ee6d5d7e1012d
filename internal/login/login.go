// Package login is the pages on which people prove who they are: over the same
// sessions as the API, with the login policy deciding what is shown and what is
// taken. They need no JavaScript but for keys, which browsers offer to it only.
//
// It imports web, for what all pages share, and flow.
package login

import (
	"embed"
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/web"
)

// prefix is where the paths of the pages begin.
const prefix = web.Login

// Serves reports whether a path is one of the pages. Who opens the server's address in a
// browser comes to them.
func Serves(path string) bool {
	return strings.HasPrefix(path, prefix) || path == strings.TrimSuffix(prefix, "/") || path == "/"
}

//go:embed templates/*.html texts/*.yaml
var files embed.FS

// Server answers with pages.
type Server struct {
	vault    *crypto.Vault
	sessions *flow.Sessions
	pages    http.Handler
}

// New makes the pages of what is in the common store.
func New(common web.Common, vault *crypto.Vault, sessions *flow.Sessions) *Server {
	s := &Server{vault: vault, sessions: sessions}
	area := (&web.Area{Common: common, Prefix: prefix, Files: files, Replaced: screens, Own: policy.LoginTexts, Fail: s.fail}).Open()
	mux := http.NewServeMux()
	for pattern, page := range s.routes() {
		mux.Handle(pattern, area.Page(func(w *web.Visit) error { return s.open(w, page) }))
	}
	mux.Handle("GET /{$}", http.RedirectHandler(prefix, http.StatusSeeOther))
	mux.Handle(prefix, area.Page(func(*web.Visit) error { return errNoPage }))
	s.pages = web.Guard(mux)
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.pages.ServeHTTP(w, r) }

func (s *Server) routes() map[string]func(*visit) error {
	const get, post = "GET " + prefix, "POST " + prefix
	return map[string]func(*visit) error{
		get + "{$}": toLogin, get + "login": showLogin, post + "login": takeLogin, get + "continue": (*visit).next,
		post + atAnyPasskey + "/options": anyPasskeyOptions, post + atAnyPasskey: takeAnyPasskey,
		get + "account": showAccounts, post + "account": takeAccount,
		get + "logout": askLogout, post + "logout": logOut,
		get + "password": within(showProof), post + "password": within(takeProof),
		get + "totp": within(showProof), post + "totp": within(takeProof),
		get + "recovery-code": within(showProof), post + "recovery-code": within(takeProof),
		get + "otp-email": within(showProof), post + "otp-email": within(takeProof), post + "otp-email/send": within(sendCode),
		get + "otp-sms": within(showProof), post + "otp-sms": within(takeProof), post + "otp-sms/send": within(sendCode),
		get + "key": within(showKey), post + "key/options": within(keyOptions), post + "key": within(takeKey),
		get + "enrol": enrolling(showEnrol), post + "enrol/skip": within(skipEnrol),
		post + "enrol/totp/begin": enrolling(beginTOTP), post + "enrol/totp": enrolling(takeTOTP),
		get + "enrol/u2f": enrolling(showNewKey), get + "enrol/passkey": enrolling(showNewKey),
		post + "enrol/key/options": enrolling(newKeyOptions), post + "enrol/key": enrolling(takeNewKey),
		post + "enrol/otp-email": enrolling(enrolOTP(user.AddOTPEmail)), post + "enrol/otp-sms": enrolling(enrolOTP(user.AddOTPSMS)),
		get + "password/change": within(showChange), post + "password/change": within(takeChange),
		get + "password/forgotten": showForgotten, post + "password/forgotten": takeForgotten,
		get + "password/init": showNewPassword, post + "password/init": takeNewPassword,
		get + "user/init": showNewPassword, post + "user/init": takeNewPassword,
		get + "user/invite": showNewPassword, post + "user/invite": takeNewPassword,
		get + "mail/verification": showVerify, post + "mail/verification": takeVerify,
		get + atPasskeyMail: showPasskeyLink, get + atPasskeyLink: showPasskeyLink,
		post + atPasskeyLink: takePasskeyLink, post + atPasskeyLink + "/options": passkeyLinkOptions,
		get + atRegister: showRegister, post + atRegister: takeRegister, get + atRegisterOrg: showRegister, post + atRegisterOrg: takeRegister,
		get + "otp/verify": showCode, get + atSetup: showSetup, post + atSetup: takeSetup,
		get + "device": showDevice, post + "device": takeDevice, get + atConfirm: (*visit).next, post + atConfirm: (*visit).next,
		get + atConsent: (*visit).next, post + atConsent: (*visit).next,
		get + "done": within(showDone),
	}
}

var errNoPage = fault.NotFound("LOGIN-page", "There is no page at this address.")

// visit is one request for a page of the login.
type visit struct {
	*web.Visit
	*Server
	current *web.Session   // the session that the page is about; nil: none
	request *oauth.Request // of the application that asked for the login; nil: nobody did
	lost    string         // the page of a way that the policy took away meanwhile
	device  *device        // that asked for it; nil: none did
	suffix  string         // that pages leave out of login names; see openSuffix
}

// open finds the session that a page is about, and who asked for the login.
func (s *Server) open(w *web.Visit, answer func(*visit) error) error {
	v := &visit{Visit: w, Server: s}
	v.current = v.Jar.Find(v.R.Form.Get("session"))
	if err := v.openAsker(); err != nil {
		return err
	}
	return answer(v)
}

// openAsker finds who asked for the login, as the form names it.
func (v *visit) openAsker() error {
	if id := v.R.Form.Get(fieldRequest); id != "" {
		r, err := flow.AuthRequest(v.AsNobody(), v.Store, id)
		if err != nil {
			return err
		}
		v.request = &r
		if v.Org, err = flow.OrgAsked(v.AsNobody(), v.Store, r.Scopes); err != nil {
			return err
		}
		if err := v.openSuffix(); err != nil {
			return err
		}
		v.leadTo(r.RedirectURI)
		v.Speak(r.UILocales)
	}
	return v.openDevice()
}

// fail shows an error as a page.
func (s *Server) fail(w *web.Visit, status int, problem string) {
	v := &visit{Visit: w, Server: s}
	v.show(status, "error", data{Problem: problem})
}
