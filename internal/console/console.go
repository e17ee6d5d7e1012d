// Package console is the pages on which people administer what their roles let them:
// organizations, users, applications, policies. Each page is made of calls of the contract
// with the session of who sees it, so that it shows and does what the API would, under
// the same permissions, and leaves the same trace.
//
// A page is a declaration: a list, a view, a form or an action (list.go, view.go, form.go,
// action.go). What one area of the console has is in the file of its name.
//
// It imports web, for what all pages share, and api.
package console

import (
	"cmp"
	"context"
	"embed"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"

	applicationpb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	authorizationpb "github.com/gatehouse/gatehouse/gen/zitadel/authorization/v2"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/doctor"
	"github.com/gatehouse/gatehouse/internal/fault"
	rules "github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/web"
)

// prefix is where the paths of the pages begin.
const prefix = web.Console

//go:embed templates/*.html texts/*.yaml
var files embed.FS

// Calls makes calls of the contract: see api.Server.Run.
type Calls interface {
	Run(ctx context.Context, e api.Errand, req proto.Message) (proto.Message, string, error)
	// Upload takes a file: see assets.Server.Upload.
	Upload(ctx context.Context, e api.Errand, of rules.LabelAsset, data []byte) error
	// Look looks for what is wrong with the set-up of an instance: see doctor.LookAt.
	Look(ctx context.Context, instance string) ([]doctor.Finding, error)
}

// Server answers with pages.
type Server struct {
	calls Calls
	pages http.Handler
}

// New makes the pages over what calls gives.
func New(common web.Common, calls Calls) *Server {
	s := &Server{calls: calls}
	area := (&web.Area{Common: common, Prefix: prefix, Files: files, Fail: s.fail, Body: web.MaxForm}).Open()
	mux := http.NewServeMux()
	serve := func(method, path string, p page, answer func(*visit) error) {
		if answer != nil {
			mux.Handle(method+" "+prefix+path, area.Page(func(w *web.Visit) error { return s.open(w, p, answer) }))
		}
	}
	for _, p := range pages() {
		path := p.path
		if path == "" {
			path = "{$}"
		}
		serve(http.MethodGet, path, p, p.get)
		serve(http.MethodPost, path, p, p.post)
	}
	serve(http.MethodGet, "", page{}, func(*visit) error { return errNoPage })
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

// page is one address of the console.
type page struct {
	// path is below prefix, in the form of http.ServeMux. Where it names {org}, the page is
	// about that organization, else about the instance or about the visitor.
	path string
	// permission is the one without which there is no such page; empty: it is everybody's.
	// What the calls of the page ask for, they ask for themselves.
	permission string
	get, post  func(*visit) error
}

// pages are all of them.
func pages() []page {
	var out []page
	for _, area := range [][]page{
		homePages(),
		orgPages(),
		userPages(), administratorPages(), authorizationPages(), groupPages(),
		loginPolicyPages(), policyPages(),
		projectPages(), appPages(), projectGrantPages(), grantedPages(), instancePages(), domainPages(), messagePages(), brandingPages(), textPages(), loginTextPages(),
		metadataPages(), historyPages(), eventPages(), checkupPages(),
	} {
		out = append(out, area...)
	}
	return out
}

var errNoPage = fault.NotFound("CONSOLE-page", "There is no page at this address, or your roles do not let you see it.")

// visit is one request for a page of the console.
type visit struct {
	*web.Visit
	*Server
	session *web.Session
	me      *userpb.User
	org     string // that the page is about; empty: none
	orgName string
	can     map[string]bool // what the visitor may do there
	wide    map[string]bool // what they may do in the whole organization, or else in the instance
	stands  string          // where they look after projects, where the page is about no organization; empty: at home
	inside  bool            // they may do something in projects of the organization, or in what it was granted
	// What the page is about, once it was asked for.
	about              *userv2.User
	aboutProject       *projectpb.Project
	aboutApp           *applicationpb.Application
	aboutGrant         *projectpb.ProjectGrant
	aboutAuthorization *authorizationpb.Authorization
}

// open finds out who sees the page, and what their roles let them do there. Who has no
// session that counts is led to the login and back.
func (s *Server) open(w *web.Visit, p page, answer func(*visit) error) error {
	v := &visit{Visit: w, Server: s, session: w.Jar.Find(""), org: w.R.PathValue("org"), can: map[string]bool{}, wide: map[string]bool{}}
	v.Org = v.org
	err := v.know(p)
	if err == nil && p.permission != "" && !v.can[p.permission] {
		err = errNoPage
	}
	if err == nil {
		err = answer(v)
	}
	return v.Settle(err, v.session, v.problem)
}

// know asks who the visitor is and what they may do.
func (v *visit) know(p page) error {
	if v.session == nil {
		return errNobody
	}
	me, err := call[*authpb.GetMyUserResponse](v, &authpb.GetMyUserRequest{})
	if err != nil {
		return err
	}
	v.me = me.GetUser()
	inside, err := v.permissions()
	switch {
	case err != nil:
		return err
	case v.org == "":
		return v.stand()
	}
	if err := v.knowOrg(); err != nil || !v.inside {
		return err
	}
	id, err := v.objectID(p)
	for _, name := range inside[id] {
		v.can[name] = true
	}
	return err
}

// permissions asks what the visitor may do. What they may do in projects of the organization
// alone, or in what it was granted, is given by the id of that.
func (v *visit) permissions() (map[string][]string, error) {
	may, err := call[*authpb.ListMyZitadelPermissionsResponse](v, &authpb.ListMyZitadelPermissionsRequest{})
	of := map[string][]string{}
	for _, permission := range may.GetResult() {
		name, id, inside := strings.Cut(permission, ":")
		if v.inside = v.inside || inside; inside {
			of[id] = append(of[id], name)
		} else {
			v.can[name], v.wide[name] = true, true
		}
	}
	return of, err
}

// mostStands is in how many organizations a place to stand is looked for.
const mostStands = 10

// stand finds an organization in which who administers nothing at home looks after projects:
// lists of those need one to be asked in, and then show those of all.
func (v *visit) stand() error {
	if v.wide[projectRead] || v.inside {
		return nil
	}
	mine, err := call[*authpb.ListMyProjectOrgsResponse](v, &authpb.ListMyProjectOrgsRequest{Query: &objectpb.ListQuery{Limit: mostStands}})
	for _, o := range mine.GetResult() {
		there := &visit{Visit: v.Visit, Server: v.Server, session: v.session, org: o.GetId(), can: map[string]bool{}, wide: map[string]bool{}}
		if _, err := there.permissions(); err != nil {
			return err
		}
		if there.wide[projectRead] || there.inside {
			v.stands, v.inside = o.GetId(), true
			return nil
		}
	}
	return err
}

// objectID is the id of what permissions on the page are asked on, inside the organization:
// a project of it, or a grant that it got.
func (v *visit) objectID(p page) (string, error) {
	if strings.HasPrefix(p.path, atGrantedProject) {
		return v.grantID()
	}
	return v.projectID(), nil
}

var errNobody = fault.Unauthenticated("CONSOLE-login", "Log in first.")

// call makes a call of the contract about the organization of the page.
func call[S proto.Message](v *visit, req proto.Message) (S, error) {
	out, _, err := callPage[S](v, req, "")
	return out, err
}

// callPage is call for a page of a list: next is the token of the next one.
func callPage[S proto.Message](v *visit, req proto.Message, token string) (out S, next string, err error) {
	res, next, err := v.calls.Run(v.Ctx, api.Errand{Token: v.session.Token, Org: cmp.Or(v.org, v.stands), Page: token}, req)
	if err != nil {
		return out, "", err
	}
	return res.(S), next, nil //nolint:forcetypeassert // the contract says what a request is answered with
}

// do makes a call whose answer says nothing that a page shows.
func (v *visit) do(req proto.Message) error { return v.doGuarded(req, false) }

// doGuarded is do under the guards of the API: see api.Errand.
func (v *visit) doGuarded(req proto.Message, guard bool) error {
	_, _, err := v.calls.Run(v.Ctx, api.Errand{Token: v.session.Token, Org: v.org, Guard: guard}, req)
	return err
}

// fail shows an error before anybody knows who sees the page.
func (s *Server) fail(w *web.Visit, status int, problem string) {
	(&visit{Visit: w, Server: s}).problem(status, problem)
}
