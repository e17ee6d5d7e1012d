// Package assets takes the pictures and fonts of how an instance and its organizations
// look, and the pictures of people, and gives them to whoever sees the pages. It is no part
// of the contract's RPCs, which have no way for files.
//
// It imports api and web, for what is known about a request and its form, flow, policy and user.
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
	"github.com/gatehouse/gatehouse/internal/user"
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
		s.mux.Handle("POST "+prefix+"instance/policy/label/"+path, s.upload(s.looks(of, false)))
		s.mux.Handle("POST "+prefix+"org/policy/label/"+path, s.upload(s.looks(of, true)))
	}
	s.mux.Handle("POST "+prefix+"users/me/avatar", s.upload(s.avatar))
	s.mux.HandleFunc("GET "+prefix+"{key}", s.serve)
	return s
}

// Serves reports whether a path is one of them.
func Serves(path string) bool { return strings.HasPrefix(path, prefix) }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// taker lets a caller send a file, or refuses them before anything is read of it. put is what
// becomes of the file.
type taker func(ctx context.Context, c *authz.Caller) (put func(data []byte) error, err error)

// looks takes a file into the preview of the caller's instance, or of the organization that
// the request is about.
func (s *Server) looks(of policy.LabelAsset, ofOrg bool) taker {
	return func(ctx context.Context, c *authz.Caller) (func([]byte) error, error) {
		scope, permission := policy.Scope{Instance: c.Instance}, "iam.policy.write"
		if ofOrg {
			scope.Org, permission = c.Org, "policy.write"
		}
		return func(data []byte) error {
			a, err := policy.ReadAsset(of, data)
			if err != nil {
				return err
			}
			return s.store.Write(ctx, func(tx *eventstore.Tx) error {
				_, err := policy.SetLabelAsset(tx, scope, of, a)
				return err
			})
		}, authz.Require(ctx, permission, scope.Org)
	}
}

// avatar takes a picture of the caller.
func (s *Server) avatar(ctx context.Context, c *authz.Caller) (func([]byte) error, error) {
	return func(data []byte) error {
		a, err := policy.ReadAvatar(data)
		if err != nil {
			return err
		}
		return s.store.Write(ctx, func(tx *eventstore.Tx) error {
			_, err := user.SetAvatar(tx, eventstore.Scope{Instance: c.Instance, Org: c.HomeOrg}, c.UserID, a)
			return err
		})
	}, nil
}

// upload answers a form with a file.
func (s *Server) upload(by taker) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.take(w, r, by); err != nil {
			api.Refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	})
}

func (s *Server) take(w http.ResponseWriter, r *http.Request, by taker) error {
	call := api.CallOf(r.Context())
	put, err := s.admit(r.Context(), flow.Credentials{
		Host: call.Host, Authorization: call.Header.Get("Authorization"), Sender: call.Sender(s.external), Org: call.Header.Get(api.HeaderOrg),
	}, by)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	data, err := web.FormFile(r)
	if err != nil {
		return errNoFile.Because(err)
	}
	return put(data)
}

// Upload takes a file for who sees the page that ctx is of: into the preview of an
// organization or, where the errand names none, of the instance.
func (s *Server) Upload(ctx context.Context, e api.Errand, of policy.LabelAsset, data []byte) error {
	return s.uploadFor(ctx, e, s.looks(of, e.Org != ""), data)
}

// UploadAvatar takes a picture of who sees the page that ctx is of.
func (s *Server) UploadAvatar(ctx context.Context, e api.Errand, data []byte) error {
	return s.uploadFor(ctx, e, s.avatar, data)
}

func (s *Server) uploadFor(ctx context.Context, e api.Errand, by taker, data []byte) error {
	put, err := s.admit(ctx, flow.Credentials{Host: api.CallOf(ctx).Host, Authorization: "Bearer " + e.Token, Org: e.Org}, by)
	if err != nil {
		return err
	}
	return put(data)
}

// admit lets the caller in whose token it is, before anything is read of the file.
func (s *Server) admit(ctx context.Context, c flow.Credentials, by taker) (put func([]byte) error, err error) {
	in, caller, err := s.gate.Enter(ctx, c)
	if err != nil {
		return nil, err
	}
	call := api.CallOf(ctx)
	call.Instance, call.UserID = in, caller.UserID
	return by(eventstore.WithOrigin(authz.WithCaller(ctx, caller), eventstore.Origin{Creator: caller.UserID}), caller)
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
	if a.Personal { // It goes with the person.
		h.Set("Cache-Control", "private, max-age=86400, immutable")
	}
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(a.Data)
}
