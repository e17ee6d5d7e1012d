package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// The codes that more than one failure has.
const (
	invalidRequest = oauth.InvalidRequest
	unavailable    = "temporarily_unavailable"
	serverError    = "server_error"
)

// failure is an error as RFC 6749, section 5.2, has it.
type failure struct {
	Code string `json:"error"`
	Text string `json:"error_description"`
}

// codes is how a kind of fault looks in OAuth. Kinds that it lacks are ours.
var codes = map[fault.Kind]struct {
	code   oauth.ErrorCode
	status int
}{
	fault.KindInvalid:            {invalidRequest, http.StatusBadRequest},
	fault.KindNotFound:           {invalidRequest, http.StatusNotFound},
	fault.KindDenied:             {oauth.AccessDenied, http.StatusForbidden},
	fault.KindUnauthenticated:    {oauth.InvalidClient, http.StatusUnauthorized},
	fault.KindFailedPrecondition: {oauth.InvalidGrant, http.StatusBadRequest},
	fault.KindUnimplemented:      {oauth.UnsupportedGrantType, http.StatusBadRequest},
	fault.KindExhausted:          {unavailable, http.StatusTooManyRequests},
	fault.KindUnavailable:        {unavailable, http.StatusServiceUnavailable},
	fault.KindAborted:            {unavailable, http.StatusServiceUnavailable},
	fault.KindDeadline:           {unavailable, http.StatusServiceUnavailable},
}

// explain gives an error as clients see it, and logs it: an attempt that fails
// changes nothing, and is no event.
func explain(ctx context.Context, err error) (failure, int) {
	f, call := fault.Of(err), api.CallOf(ctx)
	if f.Kind != fault.KindUnavailable && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		f = fault.New(fault.KindDeadline, "", "The call took too long.")
	}
	c, ok := codes[f.Kind]
	level := slog.LevelInfo
	if !ok {
		c.code, c.status, level = serverError, http.StatusInternalServerError, slog.LevelError
	}
	if errors.Is(err, errLarge) {
		c.code, c.status = invalidRequest, http.StatusRequestEntityTooLarge
	}
	if code, ok := f.Detail.(oauth.ErrorCode); ok {
		c.code = code
	}
	slog.Log(ctx, level, "request of OAuth refused", "error", err, "host", call.Host, "remote", call.RemoteIP, "request_id", call.RequestID)
	text := f.Message()
	if f.ID != "" {
		text += " (" + f.ID + ")"
	}
	return failure{Code: string(c.code), Text: text}, c.status
}

// refuse answers a client with an error.
func refuse(ctx context.Context, w http.ResponseWriter, err error) {
	f, status := explain(ctx, err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="gatehouse", charset="UTF-8"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	reply(w, status, f)
}

// refuseGrant is refuse at the token endpoint, where what does not stand any more is
// an invalid grant, whatever it would be called on the way to a login.
//
// What is wrong with a proof of a key is wrong with the request (RFC 9449, section 5).
func refuseGrant(ctx context.Context, w http.ResponseWriter, err error) {
	switch f := fault.Of(err); {
	case f.Kind == fault.KindFailedPrecondition:
		err = f.With(oauth.InvalidGrant)
	case f.Detail == oauth.InvalidProof:
		bad := *f
		bad.Kind, err = fault.KindInvalid, &bad
	}
	refuse(ctx, w, err)
}

func reply(w http.ResponseWriter, status int, message any) {
	data, err := json.Marshal(message)
	if err != nil { // Texts, numbers and lists of them always have a JSON form.
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
