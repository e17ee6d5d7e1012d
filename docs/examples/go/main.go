// An application that logs people in by OpenID Connect: docs/oidc.md walks through
// it. It needs to know the issuer and its own id and secret; everything else it finds
// out from the issuer.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// app is the application. It keeps logins in memory, by the value of a cookie.
type app struct {
	origin     string
	provider   *oidc.Provider
	oauth      oauth2.Config
	endSession string
	begun      sync.Map // attempts to log in that wait for their answer: attempt
	logins     sync.Map // who is logged in: login
}

type attempt struct {
	nonce, verifier string
}

type login struct {
	idToken string
	claims  json.RawMessage
}

func main() {
	a, err := newApp(context.Background(), cmp.Or(os.Getenv("ISSUER"), "http://localhost:8080"), cmp.Or(os.Getenv("ORIGIN"), "http://localhost:3000"))
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	mux.HandleFunc("GET /logout", a.logout)
	at, err := url.Parse(a.origin)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("The application is at", a.origin)
	server := http.Server{Addr: at.Host, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// newApp asks the issuer for its endpoints and keys.
func newApp(ctx context.Context, issuer, origin string) (*app, error) {
	id, secret := os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET")
	if id == "" || secret == "" {
		return nil, errors.New("set CLIENT_ID and CLIENT_SECRET to what the registration of the application answered")
	}
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, err
	}
	return &app{
		origin: origin, provider: provider,
		oauth: oauth2.Config{
			ClientID: id, ClientSecret: secret, Endpoint: provider.Endpoint(),
			RedirectURL: origin + "/callback", Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
		},
		endSession: more.EndSession,
	}, nil
}

// home says who is logged in.
func (a *app) home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	l, ok := take[login](&a.logins, r, "login", false)
	if !ok {
		fmt.Fprintln(w, `<a href="/login">Log in</a>`)
		return
	}
	var claims bytes.Buffer
	if err := json.Indent(&claims, l.claims, "", "  "); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, "<p>You are logged in.</p><pre>%s</pre><a href=\"/logout\">Log out</a>\n", html.EscapeString(claims.String()))
}

// login sends the browser to the issuer. The state binds the answer to this browser,
// the nonce the ID token to this attempt, and the verifier (PKCE) the code to us.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	t := attempt{nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	state := a.keep(w, &a.begun, "attempt", t)
	http.Redirect(w, r, a.oauth.AuthCodeURL(state, oidc.Nonce(t.nonce), oauth2.S256ChallengeOption(t.verifier)), http.StatusSeeOther)
}

// callback is where the issuer sends the browser back to, with a code or an error.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	l, err := a.finish(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.keep(w, &a.logins, "login", l)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// finish exchanges the code for tokens and checks what they say.
func (a *app) finish(r *http.Request) (l login, err error) {
	q := r.URL.Query()
	state, _ := r.Cookie("attempt")
	t, ok := take[attempt](&a.begun, r, "attempt", true)
	switch {
	case !ok || q.Get("state") != state.Value:
		return l, errors.New("this browser did not begin the login: try again")
	case q.Get("error") != "":
		return l, fmt.Errorf("%s: %s", q.Get("error"), q.Get("error_description"))
	}
	token, err := a.oauth.Exchange(r.Context(), q.Get("code"), oauth2.VerifierOption(t.verifier))
	if err != nil {
		return l, err
	}
	l.idToken, _ = token.Extra("id_token").(string)
	id, err := a.provider.Verifier(&oidc.Config{ClientID: a.oauth.ClientID}).Verify(r.Context(), l.idToken)
	if err != nil {
		return l, err
	}
	if id.Nonce != t.nonce {
		return l, errors.New("the ID token is of another attempt")
	}
	info, err := a.provider.UserInfo(r.Context(), oauth2.StaticTokenSource(token))
	if err != nil {
		return l, err
	}
	return l, info.Claims(&l.claims)
}

// logout ends the login here, and the session at the issuer.
func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	to := "/"
	if l, ok := take[login](&a.logins, r, "login", true); ok {
		to = a.endSession + "?" + url.Values{"id_token_hint": {l.idToken}, "post_logout_redirect_uri": {a.origin + "/"}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// keep keeps a value under the name of a cookie, and gives the cookie's own value.
func (a *app) keep(w http.ResponseWriter, m *sync.Map, name string, value any) (id string) {
	id = rand.Text()
	m.Store(id, value)
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // secure, but for an application on this machine
		Name: name, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(a.origin, "https://"),
	})
	return id
}

// take gives what was kept for the browser's cookie.
func take[T any](m *sync.Map, r *http.Request, name string, forget bool) (value T, ok bool) {
	cookie, err := r.Cookie(name)
	if err != nil {
		return value, false
	}
	v, ok := m.Load(cookie.Value)
	if forget {
		m.Delete(cookie.Value)
	}
	value, _ = v.(T)
	return value, ok
}
