// Package account is the pages on which people look after their own account: who they
// are, how they log in, where they are logged in, and what is known about them. Each page
// is made of calls of the contract with the session of who sees it, and is about nobody
// else.
//
// A page shows and holds forms; what a form does is a deed, and what cannot be taken back
// is asked for by a question first (page.go).
//
// It imports web, for what all pages share, api and policy.
package account

import (
	"context"
	"embed"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/web"
)

// prefix is where the paths of the pages begin.
const prefix = web.Account

//go:embed templates/*.html texts/*.yaml
var files embed.FS

// Calls makes calls of the contract (see api.Server.Run), and what those have no way for.
type Calls interface {
	Run(ctx context.Context, e api.Errand, req proto.Message) (proto.Message, string, error)
	// UploadAvatar takes a picture: see assets.Server.UploadAvatar.
	UploadAvatar(ctx context.Context, e api.Errand, data []byte) error
}

// Server answers with pages.
type Server struct {
	calls Calls
	pages http.Handler
}

// New makes the pages over what calls gives.
func New(common web.Common, calls Calls) *Server {
	s := &Server{calls: calls}
	area := (&web.Area{Common: common, Prefix: prefix, Files: files, Fail: s.fail, Body: policy.MaxAsset + 64<<10}).Open()
	mux := http.NewServeMux()
	serve := func(pattern string, answer func(*visit) error) {
		if answer != nil {
			mux.Handle(pattern, area.Page(func(w *web.Visit) error { return s.open(w, answer) }))
		}
	}
	for _, p := range pages() {
		serve("GET "+prefix+p.path, p.get)
		serve("POST "+prefix+p.path, p.post)
	}
	serve(prefix, func(*visit) error { return errNoPage })
	s.pages = web.Guard(mux)
	return s
}

// Serves reports whether a path is one of the pages.
func (*Server) Serves(path string) bool {
	return strings.HasPrefix(path, prefix) || path == strings.TrimSuffix(prefix, "/")
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path+"/" == prefix {
		http.Redirect(w, r, prefix, http.StatusSeeOther)
		return
	}
	s.pages.ServeHTTP(w, r)
}

// page is one address of the account page, below prefix, in the form of http.ServeMux.
type page struct {
	path      string
	get, post func(*visit) error
}

// pages are all of them.
func pages() (out []page) {
	for _, part := range [][]page{
		overviewPages(), profilePages(), contactPages(), passwordPages(), securityPages(), sessionPages(), accessPages(), historyPages(), dataPages(),
	} {
		out = append(out, part...)
	}
	return out
}

var (
	errNoPage = fault.NotFound("ACCOUNT-page", "There is no page at this address.")
	errNobody = fault.Unauthenticated("ACCOUNT-login", "Log in first.")
)

// visit is one request for a page of the account.
type visit struct {
	*web.Visit
	*Server
	session   *web.Session
	me        *userpb.User
	lastLogin string
	// refused is what was wrong with the form that was sent; nil: nothing.
	refused error
}

// open finds out who sees the page, in whose language it is then. Who has no session that
// counts is led to the login and back.
func (s *Server) open(w *web.Visit, answer func(*visit) error) error {
	v := &visit{Visit: w, Server: s, session: w.Jar.Find("")}
	err := v.know()
	if err == nil {
		err = answer(v)
	}
	return v.Settle(err, v.session, v.problem)
}

// know asks who the visitor is.
func (v *visit) know() error {
	if v.session == nil {
		return errNobody
	}
	me, err := call[*authpb.GetMyUserResponse](v, &authpb.GetMyUserRequest{})
	if err != nil {
		return err
	}
	v.me, v.lastLogin = me.GetUser(), when(me.GetLastLogin())
	v.Org = v.me.GetDetails().GetResourceOwner()
	v.Speak([]string{v.me.GetHuman().GetProfile().GetPreferredLanguage()})
	return nil
}

// call makes a call of the contract as the visitor.
func call[S proto.Message](v *visit, req proto.Message) (out S, err error) {
	res, _, err := v.calls.Run(v.Ctx, api.Errand{Token: v.session.Token}, req)
	if err != nil {
		return out, err
	}
	return res.(S), nil //nolint:forcetypeassert // the contract says what a request is answered with
}

// do makes a call whose answer says nothing that a page shows.
func (v *visit) do(req proto.Message) error {
	_, _, err := v.calls.Run(v.Ctx, api.Errand{Token: v.session.Token}, req)
	return err
}

// fail shows an error before anybody knows who sees the page.
func (s *Server) fail(w *web.Visit, status int, problem string) {
	(&visit{Visit: w, Server: s}).problem(status, problem)
}
