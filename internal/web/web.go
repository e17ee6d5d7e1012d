// Package web is what all pages share: how a request for a page is opened, what frames
// it and in which language, the sessions that a browser holds, and the headers that keep
// a page to itself. The pages themselves are in the rooms above it.
//
// It imports api, for what is known about a request, and flow.
package web

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Where the areas of the pages begin.
const (
	Login   = "/ui/login/"
	Account = "/ui/account/"
	Console = "/ui/console/"
	static  = "/ui/static/"
)

const (
	maxBody     = 64 << 10 // bytes of a form
	callTimeout = 10 * time.Second
)

// Common is what every area needs.
type Common struct {
	Store *eventstore.Store
	Gate  *flow.Gate
	// External is the URL of the installation.
	External *url.URL
}

// Area is the pages under one prefix.
type Area struct {
	Common
	Prefix string
	// Files holds the folders templates and texts of the area.
	Files fs.FS
	// Body bounds a form, in bytes; 0 stands for what is enough without files.
	Body int64
	// Replaced says where a text stands that an instance or an organization has written
	// for the area, by its key among those of the template Own; nil: nowhere.
	Replaced map[string][]Place
	Own      string
	// Fail shows an error, in words for people, as a page.
	Fail func(v *Visit, status int, problem string)

	templates templates
	languages map[string]map[string]string
}

// Open reads the area's files, which are part of the program: what is wrong with them
// keeps it from starting.
func (a *Area) Open() *Area {
	a.templates, a.languages = readTemplates(a.Files), ReadTexts(a.Files)
	return a
}

// Visit is one request for a page.
type Visit struct {
	*Area
	Ctx      context.Context //nolint:containedctx // the request's own
	W        http.ResponseWriter
	R        *http.Request
	Call     *api.Call
	Instance string
	Jar      Jar
	Org      string // whose policies hold and whose looks the page has; empty: the instance's
	// LeadsTo is where the forms of the page lead, if that is outside: see csp.
	LeadsTo string
	Texts   Texts
	// Page is which page is shown, where its path does not say it.
	Page string
	look look
}

// Page makes a handler of a page. What goes wrong becomes a page that says so.
func (a *Area) Page(answer func(*Visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
		defer cancel()
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, cmp.Or(a.Body, maxBody))
		v := &Visit{Area: a, Ctx: ctx, W: w, R: r, Call: api.CallOf(ctx)}
		v.Texts = textsFor(a.languages, v.Call.Languages)
		err := v.open()
		if err == nil {
			err = answer(v)
		}
		if err != nil {
			v.fail(err)
		}
	})
}

// open finds the instance, the form and the sessions of the browser.
func (v *Visit) open() error {
	in, _, err := v.Gate.Enter(v.Ctx, flow.Credentials{Host: v.Call.Host, Anonymous: true})
	if err != nil {
		return err
	}
	v.Instance = in.ID
	if err := v.R.ParseForm(); err != nil {
		return fault.Invalid("LOGIN-form", "The form cannot be read.").Because(err)
	}
	v.Jar = v.readJar()
	return nil
}

// Creator is who the log names where nobody is known yet.
const Creator = "LOGIN"

// MaxForm bounds a form with a picture or a font, in bytes: the file, and what is around it.
const MaxForm = policy.MaxAsset + 64<<10

// FormFile is the file of a form: its field file, of one byte more than is taken at most.
func FormFile(r *http.Request) ([]byte, error) {
	file, _, err := r.FormFile("file")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, policy.MaxAsset+1))
}

// AsSystem is the context of what pages do by themselves.
func (v *Visit) AsSystem() context.Context {
	return eventstore.WithOrigin(authz.AsSystem(v.Ctx, v.Instance), eventstore.Origin{Creator: Creator})
}

// AsNobody is the context of what a session's token alone allows.
func (v *Visit) AsNobody() context.Context {
	ctx := authz.WithCaller(v.Ctx, &authz.Caller{Instance: v.Instance})
	return eventstore.WithOrigin(ctx, eventstore.Origin{Creator: Creator})
}

// Scope is the organization whose policies hold for the visitor.
func (v *Visit) Scope(org string) policy.Scope { return policy.Scope{Instance: v.Instance, Org: org} }

// Path is the path of the page, below the area's prefix.
func (v *Visit) Path() string { return strings.TrimPrefix(v.R.URL.Path, v.Prefix) }

// Sentence is what the visitor is told of an error.
func (v *Visit) Sentence(err error) string { return api.Sentence(v.Call.Languages, err) }

// Labeled is the error with the label of the field that it is about in the place of the
// field's name in the contract. A name that has no label stays.
func (v *Visit) Labeled(err error, label func(name string) string) error {
	f := fault.Of(err)
	wrong, ok := f.Detail.(fault.WrongField)
	if !ok {
		return err
	}
	text := label(wrong.Path)
	if text == "" {
		return err
	}
	out := *f
	out.Args = append([]any{text}, f.Args[1:]...)
	return &out
}

// Status is the status of a page that tells of an error.
func Status(err error) int {
	switch fault.KindOf(err) {
	case fault.KindNotFound:
		return http.StatusNotFound
	case fault.KindExhausted:
		return http.StatusTooManyRequests
	case fault.KindUnavailable, fault.KindDeadline:
		return http.StatusServiceUnavailable
	case fault.KindInternal:
		return http.StatusInternalServerError
	case fault.KindDenied:
		return http.StatusForbidden
	default: // Something that the visitor can do otherwise.
		return http.StatusBadRequest
	}
}

// Settle ends a page that wants to know who sees it: who has no session that counts is led
// to the login and back, and what the visitor can do otherwise is said by problem. What is
// left is the server's own mistake.
func (v *Visit) Settle(err error, session *Session, problem func(status int, sentence string)) error {
	status := Status(err)
	switch {
	case err == nil:
		return nil
	case fault.KindOf(err) == fault.KindUnauthenticated:
		return v.Redirect(v.LogIn(err, session))
	case status >= http.StatusInternalServerError:
		return err
	}
	problem(status, v.Sentence(err))
	return nil
}

// fail shows an error as a page.
func (v *Visit) fail(err error) {
	status := Status(err)
	if status == http.StatusInternalServerError {
		slog.ErrorContext(v.Ctx, "a page failed", "error", err, "path", v.R.URL.Path, "request_id", v.Call.RequestID)
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		v.W.Header().Set("Retry-After", "1")
	}
	v.Fail(v, status, v.Sentence(err))
}

// Redirect sends the browser on to an address: a page of ours, or one that a policy or
// an application has been given.
func (v *Visit) Redirect(to string) error {
	http.Redirect(v.W, v.R, to, http.StatusSeeOther)
	return nil
}

// LogIn is the address of the login that leads back to this page, for one of the reasons why
// a call is refused. Where something is left to be proved in the session, such as a factor
// that was set up just now, the login goes on in it.
func (v *Visit) LogIn(reason error, session *Session) string {
	q := url.Values{"next": {v.R.URL.Path}}
	if v.R.Method == http.MethodGet { // Else the page is asked for once more.
		q.Set("next", v.R.URL.RequestURI())
	}
	switch fault.Of(reason).ID {
	case "AUTH-assurance":
		q.Set("session", session.ID)
		return Login + "continue?" + q.Encode()
	case "AUTH-reauth":
		q.Set("new", "true")
	}
	return Login + "login?" + q.Encode()
}

// JSON answers a script.
func (v *Visit) JSON(message []byte) error {
	v.W.Header().Set("Content-Type", "application/json")
	_, _ = v.W.Write(message)
	return nil
}

// Here reports whether an address is that of one of our pages, so that a link can ask to
// be led there and to nowhere else.
func Here(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "" && u.Host == "" && !strings.Contains(address, `\`) && !strings.Contains(u.Path, "..") &&
		(strings.HasPrefix(address, Account) || strings.HasPrefix(address, Console))
}

// Guard makes the handler of an area's pages: none may be called from elsewhere, framed,
// or load anything that is not ours. What the edge allows to calls with a token is taken
// back.
func Guard(pages http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(pages)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for _, name := range []string{"Allow-Origin", "Allow-Methods", "Allow-Headers", "Expose-Headers", "Max-Age"} {
			h.Del("Access-Control-" + name)
		}
		h.Set("Content-Security-Policy", csp(""))
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		protected.ServeHTTP(w, r)
	})
}

// csp lets a page load our own files and nothing else. Browsers hold redirects after
// a form against form-action, so where a login leads has to be named.
func csp(leadsTo string) string {
	form := "'self'"
	if leadsTo != "" {
		form += " " + leadsTo
	}
	return "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action " + form
}
