// Package assets takes the pictures and fonts of how an instance and its organizations
// look, and gives them to whoever sees the pages. It is no part of the contract's RPCs,
// which have no way for files.
//
// It imports api and web, for what is known about a request and its form, flow and policy.
package assets

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/web"
)

// prefix is where the paths begin.
const prefix = api.AssetPrefix

// maxBody bounds an upload, in bytes: the file, and what is around it.
const maxBody = web.MaxForm

var (
	errNoAsset = fault.NotFound("ASSET-missing", "There is no such file.")
	errNoFile  = fault.Invalid("ASSET-form", "Send the file as the field file of a form (multipart/form-data), of at most %d bytes.", policy.MaxAsset)
)

// Server answers under /assets/v1/.
type Server struct {
	store    *eventstore.Store
	gate     *flow.Gate
	external *url.URL
	mux      *http.ServeMux
}

// New makes the server of what is in store.
func New(store *eventstore.Store, gate *flow.Gate, external *url.URL) *Server {
	s := &Server{store: store, gate: gate, external: external, mux: http.NewServeMux()}
	for _, of := range policy.LabelAssets {
		path := strings.ReplaceAll(string(of), ".", "/")
		s.mux.Handle("POST "+prefix+"instance/policy/label/"+path, s.upload(of, false))
		s.mux.Handle("POST "+prefix+"org/policy/label/"+path, s.upload(of, true))
	}
	s.mux.HandleFunc("GET "+prefix+"{key}", s.serve)
	return s
}

// Serves reports whether a path is one of them.
func Serves(path string) bool { return strings.HasPrefix(path, prefix) }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// upload takes a file into the preview of the caller's instance, or of the organization
// that the request is about.
func (s *Server) upload(of policy.LabelAsset, ofOrg bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.take(w, r, of, ofOrg); err != nil {
			api.Refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	})
}

func (s *Server) take(w http.ResponseWriter, r *http.Request, of policy.LabelAsset, ofOrg bool) error {
	call := api.CallOf(r.Context())
	ctx, scope, err := s.admit(r.Context(), flow.Credentials{
		Host: call.Host, Authorization: call.Header.Get("Authorization"), Sender: call.Sender(s.external), Org: call.Header.Get(api.HeaderOrg),
	}, ofOrg)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	data, err := web.FormFile(r)
	if err != nil {
		return errNoFile.Because(err)
	}
	return s.put(ctx, scope, of, data)
}

// Upload takes a file for who sees the page that ctx is of: into the preview of an
// organization or, where the errand names none, of the instance.
func (s *Server) Upload(ctx context.Context, e api.Errand, of policy.LabelAsset, data []byte) error {
	ctx, scope, err := s.admit(ctx, flow.Credentials{Host: api.CallOf(ctx).Host, Authorization: "Bearer " + e.Token, Org: e.Org}, e.Org != "")
	if err != nil {
		return err
	}
	return s.put(ctx, scope, of, data)
}

func (s *Server) put(ctx context.Context, scope policy.Scope, of policy.LabelAsset, data []byte) error {
	a, err := policy.ReadAsset(of, data)
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *eventstore.Tx) error {
		_, err := policy.SetLabelAsset(tx, scope, of, a)
		return err
	})
}

// admit lets the caller in whose token it is, with the permission to change how the scope
// looks, before anything is read of the file.
func (s *Server) admit(ctx context.Context, c flow.Credentials, ofOrg bool) (context.Context, policy.Scope, error) {
	in, caller, err := s.gate.Enter(ctx, c)
	if err != nil {
		return ctx, policy.Scope{}, err
	}
	call := api.CallOf(ctx)
	call.Instance, call.UserID = in, caller.UserID
	scope, permission := policy.Scope{Instance: in.ID}, "iam.policy.write"
	if ofOrg {
		scope.Org, permission = caller.Org, "policy.write"
	}
	ctx = eventstore.WithOrigin(authz.WithCaller(ctx, caller), eventstore.Origin{Creator: caller.UserID})
	return ctx, scope, authz.Require(ctx, permission, scope.Org)
}

// serve gives a file to anybody: pages show it before anybody is known. Its name says what
// is in it, so it may be kept for good.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	in, _, err := s.gate.Enter(r.Context(), flow.Credentials{Host: api.CallOf(r.Context()).Host, Anonymous: true})
	var a policy.Asset
	found := false
	if err == nil {
		err = s.store.Read(r.Context(), policy.AssetByKey(in.ID, r.PathValue("key"), &a, &found))
	}
	if err == nil && !found {
		err = errNoAsset
	}
	if err != nil {
		api.Refuse(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.MediaType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(a.Data)
}
