// Package oidc is OAuth 2.0 and OpenID Connect: protocols of their own beside the
// API, over the same verbs and reads. Applications log people in through it, and
// machine users get access tokens.
//
// It imports api, for what is known about a request, and flow.
package oidc

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// The paths.
const (
	pathDiscovery  = "/.well-known/openid-configuration"
	pathMetadata   = "/.well-known/oauth-authorization-server"
	pathAuthorize  = "/oauth/v2/authorize"
	pathAnswer     = "/oauth/v2/authorize/answer"
	pathPush       = "/oauth/v2/par"
	pathToken      = "/oauth/v2/token" //nolint:gosec // a path
	pathIntrospect = "/oauth/v2/introspect"
	pathRevoke     = "/oauth/v2/revoke"
	pathKeys       = "/oauth/v2/keys"
	pathDevice     = "/oauth/v2/device_authorization"
	pathUserinfo   = "/oidc/v1/userinfo"
	pathEndSession = "/oidc/v1/end_session"
	pathLogout     = "/ui/login/logout" // the page that asks
)

const (
	maxBody     = 64 << 10 // bytes of a request
	callTimeout = 10 * time.Second
)

// Server answers the requests of the protocol.
type Server struct {
	store  *eventstore.Store
	signer *webkey.Signer
	roles  *authz.Roles
	// external is the URL of the installation: its scheme and port are those of
	// every instance.
	external *url.URL
	// loginPage is the installation's, where neither instance nor application has one.
	loginPage string
	endpoints map[string]endpoint
	// What clients need to check tokens by themselves is there without the database.
	hosts     memory[struct{}]
	published memory[webkey.Published]
}

// endpoint answers the requests to a path.
type endpoint struct {
	methods []string
	serve   func(context.Context, http.ResponseWriter, *http.Request)
	// page: browsers come here, and not scripts of other origins.
	page bool
}

// New makes a server of what is in store, reached under externalURL. loginPage may be
// empty.
func New(store *eventstore.Store, signer *webkey.Signer, roles *authz.Roles, externalURL, loginPage string) (*Server, error) {
	external, err := url.Parse(externalURL)
	if err != nil {
		return nil, err
	}
	s := &Server{store: store, signer: signer, roles: roles, external: external, loginPage: loginPage}
	get, post, both := []string{http.MethodGet, http.MethodHead}, []string{http.MethodPost}, []string{http.MethodGet, http.MethodPost}
	s.endpoints = map[string]endpoint{
		pathDiscovery:  {methods: get, serve: s.discover},
		pathMetadata:   {methods: get, serve: s.discover},
		pathKeys:       {methods: get, serve: s.keys},
		pathAuthorize:  {methods: both, serve: s.authorize, page: true},
		pathAnswer:     {methods: get[:1], serve: s.answer, page: true},
		pathPush:       {methods: post, serve: s.push},
		pathToken:      {methods: post, serve: s.token},
		pathDevice:     {methods: post, serve: s.startDevice},
		pathIntrospect: {methods: post, serve: s.introspect},
		pathRevoke:     {methods: post, serve: s.revoke},
		pathUserinfo:   {methods: both, serve: s.userinfo},
		pathEndSession: {methods: both, serve: s.endSession, page: true},
	}
	return s, nil
}

// Serves reports whether a path is one of the protocol.
func Serves(path string) bool {
	return strings.HasPrefix(path, "/oauth/v2/") || strings.HasPrefix(path, "/oidc/v1/") || path == pathDiscovery || path == pathMetadata
}

// issuer is the origin of the instance that a request names.
func (s *Server) issuer(call *api.Call) string { return call.Origin(s.external) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	switch e, ok := s.endpoints[r.URL.Path]; {
	case !ok:
		reply(w, http.StatusNotFound, failure{Code: string(invalidRequest), Text: "There is nothing at this path."})
	case !slices.Contains(e.methods, r.Method):
		h.Set("Allow", strings.Join(e.methods, ", "))
		text := fault.Invalid("", "This endpoint is called with %s.", strings.Join(e.methods, " or ")).Message()
		reply(w, http.StatusMethodNotAllowed, failure{Code: string(invalidRequest), Text: text})
	default:
		if e.page {
			unreadable(w)
		}
		e.serve(ctx, w, r)
	}
}
