// Package login is the pages on which people prove who they are: over the same
// sessions as the API, with the login policy deciding what is shown and what is
// taken. They need no JavaScript but for keys, which browsers offer to it only.
//
// It imports api, for what is known about a request, and flow.
package login

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Prefix is where the paths of the pages begin.
const Prefix = "/ui/login/"

// Serves reports whether a path is one of the pages. Who opens the server's address in a
// browser comes to them.
func Serves(path string) bool {
	return strings.HasPrefix(path, Prefix) || path == strings.TrimSuffix(Prefix, "/") || path == "/"
}

const (
	maxBody     = 64 << 10 // bytes of a form
	callTimeout = 15 * time.Second
)

//go:embed static
var staticFiles embed.FS

// Server answers with pages.
type Server struct {
	store    *eventstore.Store
	vault    *crypto.Vault
	gate     *flow.Gate
	sessions *flow.Sessions
	external *url.URL
	pages    http.Handler
}

// New makes the pages of what is in store. external is the URL of the installation.
func New(store *eventstore.Store, vault *crypto.Vault, gate *flow.Gate, sessions *flow.Sessions, external *url.URL) *Server {
	s := &Server{store: store, vault: vault, gate: gate, sessions: sessions, external: external}
	mux := http.NewServeMux()
	files, err := fs.Sub(staticFiles, "static")
	if err != nil { // The folder is embedded.
		panic(err)
	}
	mux.Handle("GET "+Prefix+"static/", http.StripPrefix(Prefix+"static/", cached(http.FileServerFS(files))))
	for pattern, page := range s.routes() {
		mux.Handle(pattern, s.page(page))
	}
	mux.Handle("GET /{$}", http.RedirectHandler(Prefix, http.StatusSeeOther))
	mux.Handle(Prefix, s.page(func(*visit) error { return errNoPage }))
	s.pages = http.NewCrossOriginProtection().Handler(mux)
	return s
}

func (s *Server) routes() map[string]func(*visit) error {
	const get, post = "GET " + Prefix, "POST " + Prefix
	return map[string]func(*visit) error{
		get + "{$}": toLogin, get + "login": showLogin, post + "login": takeLogin,
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
		get + "otp/verify": showCode,
		get + "device":     showDevice, post + "device": takeDevice, get + atConfirm: (*visit).next, post + atConfirm: (*visit).next,
		get + "done": within(showDone), get + "colors.css": showColors,
	}
}

// cached lets browsers keep what only a new version changes.
func cached(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=3600")
		h.ServeHTTP(w, r)
	})
}

// ServeHTTP answers one request. No page may call from elsewhere: what the edge
// allows to calls with a token is taken back.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for _, name := range []string{"Allow-Origin", "Allow-Methods", "Allow-Headers", "Expose-Headers", "Max-Age"} {
		h.Del("Access-Control-" + name)
	}
	h.Set("Content-Security-Policy", csp(""))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	s.pages.ServeHTTP(w, r)
}

// csp lets a page load our own files and nothing else. Browsers hold redirects after
// a form against form-action, so where a login leads has to be named.
func csp(leadsTo string) string {
	form := "'self'"
	if leadsTo != "" {
		form += " " + leadsTo
	}
	return "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action " + form
}

var errNoPage = fault.NotFound("LOGIN-page", "There is no page at this address.")

// visit is one request for a page.
type visit struct {
	*Server
	ctx      context.Context //nolint:containedctx // the request's own
	w        http.ResponseWriter
	r        *http.Request
	call     *api.Call
	instance string
	jar      jar
	current  *entry         // the session that the page is about; nil: none
	org      string         // whose policies hold; empty: the instance's
	leadsTo  string         // where the login ends, if that is outside: see csp
	request  *oauth.Request // of the application that asked for the login; nil: nobody did
	lost     string         // the page of a way that the policy took away meanwhile
	device   *device        // that asked for it; nil: none did
	texts    texts
}

// page makes a handler of a page. What goes wrong becomes a page that says so.
func (s *Server) page(answer func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v := &visit{Server: s, ctx: ctx, w: w, r: r, call: api.CallOf(ctx)}
		err := v.open()
		if err == nil {
			err = answer(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// open finds the instance, the languages and the sessions of the browser.
func (v *visit) open() error {
	v.texts = textsFor(v.call.Languages)
	in, _, err := v.gate.Enter(v.ctx, flow.Credentials{Host: v.call.Host, Anonymous: true})
	if err != nil {
		return err
	}
	v.instance = in.ID
	if err := v.r.ParseForm(); err != nil {
		return fault.Invalid("LOGIN-form", "The form cannot be read.").Because(err)
	}
	v.jar = v.readJar()
	v.current = v.jar.find(v.r.Form.Get("session"))
	if id := v.r.Form.Get("authRequest"); id != "" {
		r, err := flow.AuthRequest(v.asNobody(), v.store, id)
		if err != nil {
			return err
		}
		v.request = &r
		v.leadTo(r.RedirectURI)
	}
	return v.openDevice()
}

// creator is who the log names where nobody is known yet.
const creator = "LOGIN"

// asSystem is the context of what pages do by themselves.
func (v *visit) asSystem() context.Context {
	return eventstore.WithOrigin(authz.AsSystem(v.ctx, v.instance), eventstore.Origin{Creator: creator})
}

// asNobody is the context of what a session's token alone allows.
func (v *visit) asNobody() context.Context {
	ctx := authz.WithCaller(v.ctx, &authz.Caller{Instance: v.instance})
	return eventstore.WithOrigin(ctx, eventstore.Origin{Creator: creator})
}

// scope is the organization whose policies hold for who is about to log in.
func (v *visit) scope(org string) policy.Scope { return policy.Scope{Instance: v.instance, Org: org} }

// fail shows an error as a page.
func (v *visit) fail(err error) {
	status := http.StatusBadRequest
	switch fault.KindOf(err) {
	case fault.KindNotFound:
		status = http.StatusNotFound
	case fault.KindExhausted:
		status = http.StatusTooManyRequests
	case fault.KindUnavailable, fault.KindDeadline:
		status = http.StatusServiceUnavailable
	case fault.KindInternal:
		status = http.StatusInternalServerError
		slog.ErrorContext(v.ctx, "a page failed", "error", err, "path", v.r.URL.Path, "request_id", v.call.RequestID)
	default: // Something that the visitor can do otherwise.
	}
	v.show(status, "error", data{Problem: api.Sentence(v.call.Languages, err)})
}
