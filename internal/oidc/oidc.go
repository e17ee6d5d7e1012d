// Package oidc is OAuth 2.0 and OpenID Connect: protocols of their own beside the
// API, over the same verbs and reads. So far it gives machine users access tokens.
//
// It imports api, for what is known about a request, and flow.
package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Prefix is where the paths begin that the package serves.
const Prefix = "/oauth/v2/"

const (
	maxBody     = 64 << 10 // bytes of a request
	callTimeout = 10 * time.Second
)

// Server answers the requests of the protocol.
type Server struct {
	store *eventstore.Store
	// external is the URL of the installation: its scheme and port are those of
	// every instance.
	external *url.URL
}

// New makes a server of what is in store, reached under externalURL.
func New(store *eventstore.Store, externalURL string) (*Server, error) {
	external, err := url.Parse(externalURL)
	if err != nil {
		return nil, err
	}
	return &Server{store: store, external: external}, nil
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
	switch {
	case r.URL.Path != Prefix+"token":
		reply(w, http.StatusNotFound, failure{Code: invalidRequest, Text: "There is nothing at this path."})
	case r.Method != http.MethodPost:
		h.Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, failure{Code: invalidRequest, Text: "The token endpoint is called with POST."})
	default:
		s.token(ctx, w, r)
	}
}

// The codes that more than one failure has.
const (
	invalidRequest = "invalid_request"
	unavailable    = "temporarily_unavailable"
)

// failure is an error as RFC 6749, section 5.2, has it.
type failure struct {
	Code string `json:"error"`
	Text string `json:"error_description"`
}

// codes is how a kind of fault looks in OAuth. Kinds that it lacks are ours.
var codes = map[fault.Kind]struct {
	code   string
	status int
}{
	fault.KindInvalid:            {invalidRequest, http.StatusBadRequest},
	fault.KindNotFound:           {invalidRequest, http.StatusNotFound},
	fault.KindUnauthenticated:    {"invalid_client", http.StatusUnauthorized},
	fault.KindFailedPrecondition: {"invalid_grant", http.StatusBadRequest},
	fault.KindUnimplemented:      {"unsupported_grant_type", http.StatusBadRequest},
	fault.KindExhausted:          {invalidRequest, http.StatusRequestEntityTooLarge},
	fault.KindUnavailable:        {unavailable, http.StatusServiceUnavailable},
	fault.KindAborted:            {unavailable, http.StatusServiceUnavailable},
	fault.KindDeadline:           {unavailable, http.StatusServiceUnavailable},
}

// refuse answers with an error and logs it: an attempt that fails changes nothing,
// and is no event.
func refuse(ctx context.Context, w http.ResponseWriter, err error) {
	f, call := fault.Of(err), api.CallOf(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		f = fault.New(fault.KindDeadline, "", "The call took too long.")
	}
	c, ok := codes[f.Kind]
	level := slog.LevelInfo
	if !ok {
		c.code, c.status, level = "server_error", http.StatusInternalServerError, slog.LevelError
	}
	slog.Log(ctx, level, "no token given", "error", err, "host", call.Host, "remote", call.RemoteIP, "request_id", call.RequestID)
	if c.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="gatehouse", charset="UTF-8"`)
	}
	text := f.Message()
	if f.ID != "" {
		text += " (" + f.ID + ")"
	}
	reply(w, c.status, failure{Code: c.code, Text: text})
}

func reply(w http.ResponseWriter, status int, message any) {
	data, err := json.Marshal(message)
	if err != nil { // Texts and numbers always have a JSON form.
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
