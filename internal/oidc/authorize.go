package oidc

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

var (
	errRequestURI = fault.Invalid("", "A request_uri must be one that the client got here for a request that it pushed.").With(oauth.ErrorCode("request_uri_not_supported"))
	errNotPushed  = fault.Invalid("OIDC-request-pushed", "This application must push its requests to the endpoint for that, and send the request_uri.")
	errNotSigned  = fault.Invalid("OIDC-request-signed", "This application must sign its requests, and send them as request.")
	errMaxAgeForm = fault.Invalid("", "The max_age must be a number of seconds.")
)

// authorize takes the request of a client that sends its user here to log in, and
// sends them on to the login page. Until it is known that the client is who waits at
// the redirect_uri, nobody is sent there.
func (s *Server) authorize(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readPage(w, r)
	var a *asking
	if err == nil {
		a, err = s.asked(ctx, form)
	}
	if err != nil {
		showError(ctx, w, r, err)
		return
	}
	q := requestOf(a.form, a.issuer)
	if q.Pushed = a.pushed; a.pushed == "" && a.client.Config.PushedRequests {
		err = errNotPushed
	} else {
		err = a.check(q)
	}
	page := ""
	if err == nil {
		page, err = flow.KeepRequest(ctx, s.store, a.client, q, s.loginPage)
	}
	switch {
	case errors.Is(err, oauth.ErrPushed):
		showError(ctx, w, r, err)
	case err != nil:
		f, _ := explain(ctx, err)
		send(w, r, flow.Failed(q, f.Code, f.Text, ""))
	default:
		redirect(w, r, page)
	}
}

// asking is an authorization request of a client that may be sent an answer.
type asking struct {
	client *flow.Client
	// form are the parameters that count: of a request that the client signed or pushed
	// before, none but those in there.
	form   url.Values
	pushed string // see oauth.Request
	issuer string
	keys   webkey.Published
}

// asked finds out who asks, and what for.
func (s *Server) asked(ctx context.Context, form url.Values) (a *asking, err error) {
	call := api.CallOf(ctx)
	a = &asking{form: form, issuer: s.issuer(call)}
	id, uri := first(form, "client_id"), first(form, "request_uri")
	also := []flow.Query{publishedAt(&a.keys, call.Host)}
	var object *flow.RequestObject
	keyID := ""
	switch {
	case flow.IsPushed(uri):
		a.form = nil
		q, hash := flow.Pushed(s.store, call.Host, id, uri, &a.form)
		also, a.pushed = append(also, q), hash
	case form.Has("request"):
		if object, err = flow.ParseRequestObject(first(form, "request")); err != nil {
			return nil, err
		}
		keyID = object.KeyID()
	}
	if a.client, err = flow.FindLoginClient(ctx, s.store, call.Host, id, keyID, also...); err != nil {
		return nil, err
	}
	switch {
	case object != nil:
		a.form, err = a.client.Open(object, a.issuer, s.store.Now())
	case a.pushed != "" && a.form == nil:
		err = flow.RefusePushed(ctx, s.store, a.client, a.pushed)
	case a.pushed == "" && a.client.Config.SignedRequests:
		err = errNotSigned
	}
	if err != nil {
		return nil, err
	}
	return a, a.client.Redirect(first(a.form, "redirect_uri"))
}

// check reads what is asked for, and holds it against the rules.
func (a *asking) check(q *oauth.Request) error {
	if err := once(a.form); err != nil {
		return err
	}
	if err := a.complete(q); err != nil {
		return err
	}
	return a.client.CheckRequest(q, a.form.Get("code_challenge_method"))
}

// first is a parameter that must not be there twice: then it is none.
func first(form url.Values, name string) string {
	if values := form[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// requestOf is what the answer to a client depends on, be it an error.
func requestOf(form url.Values, issuer string) *oauth.Request {
	kind := flow.ResponseType(first(form, "response_type"))
	return &oauth.Request{
		RedirectURI: first(form, "redirect_uri"), ResponseType: kind, ResponseMode: cmp.Or(first(form, "response_mode"), flow.ModeOf(kind)),
		Issuer: issuer, State: first(form, "state"),
	}
}

// complete reads what else the client asks for.
func (a *asking) complete(q *oauth.Request) (err error) {
	form := a.form
	if form.Has("request_uri") {
		return errRequestURI
	}
	q.Nonce, q.Challenge, q.LoginHint, q.Key = form.Get("nonce"), form.Get("code_challenge"), form.Get("login_hint"), form.Get("dpop_jkt")
	q.Prompt, q.UILocales, q.ACRValues = strings.Fields(form.Get("prompt")), strings.Fields(form.Get("ui_locales")), strings.Fields(form.Get("acr_values"))
	if form.Has("max_age") {
		seconds, err := strconv.ParseInt(form.Get("max_age"), 10, 64)
		if err != nil {
			return errMaxAgeForm
		}
		q.MaxAge = &seconds
	}
	if hint := form.Get("id_token_hint"); hint != "" {
		h, err := readHint(hint, q.Issuer, &a.keys)
		if err != nil {
			return err
		}
		q.HintUserID = h.Subject
	}
	q.Scopes, err = flow.ParseScopes(form.Get("scope"))
	return err
}

// publishedAt asks for the public keys of the instance at a host.
func publishedAt(keys *webkey.Published, host string) flow.Query {
	return webkey.PublishedIn(keys, "k.instance_id = (SELECT d.instance_id FROM instance_domains d WHERE d.domain = ?)", hostname.Canonical(host))
}

// send sends the browser back to the client with an answer.
func send(w http.ResponseWriter, r *http.Request, a oauth.Answer) {
	if a.Mode == flow.ModeFormPost {
		postAnswer(w, a)
		return
	}
	redirect(w, r, flow.AnswerURL(a))
}

// redirect sends the browser on, always with GET: what it posted here is for nobody
// else.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // the login page, or an address that an application registered
}

// answer is the page that passes an answer on to a client, once.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	a, err := flow.TakeAnswer(ctx, s.store, api.CallOf(ctx).Host, r.URL.Query().Get("id"))
	if err == nil && a.Front != nil {
		err = s.front(ctx, r, &a)
	}
	if err != nil {
		showError(ctx, w, r, err)
		return
	}
	send(w, r, a)
}
