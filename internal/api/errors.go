package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strings"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"

	errorpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// wire is how a kind of fault looks in gRPC's codes and in HTTP's.
var wire = map[fault.Kind]struct {
	code   connect.Code
	status int
}{
	fault.KindInternal:           {connect.CodeInternal, http.StatusInternalServerError},
	fault.KindInvalid:            {connect.CodeInvalidArgument, http.StatusBadRequest},
	fault.KindUnauthenticated:    {connect.CodeUnauthenticated, http.StatusUnauthorized},
	fault.KindDenied:             {connect.CodePermissionDenied, http.StatusForbidden},
	fault.KindNotFound:           {connect.CodeNotFound, http.StatusNotFound},
	fault.KindAlreadyExists:      {connect.CodeAlreadyExists, http.StatusConflict},
	fault.KindFailedPrecondition: {connect.CodeFailedPrecondition, http.StatusBadRequest},
	fault.KindExhausted:          {connect.CodeResourceExhausted, http.StatusTooManyRequests},
	fault.KindUnavailable:        {connect.CodeUnavailable, http.StatusServiceUnavailable},
	fault.KindAborted:            {connect.CodeAborted, http.StatusConflict},
	fault.KindDeadline:           {connect.CodeDeadlineExceeded, http.StatusGatewayTimeout},
	fault.KindUnimplemented:      {connect.CodeUnimplemented, http.StatusNotImplemented},
}

// reply is an error as the caller sees it.
type reply struct {
	kind    fault.Kind
	id      string
	message string // translated, with the id
	more    any    // the detail of the fault
}

// explain turns err into what the caller sees, and tells the call how it ended:
// what is no fault of the caller's is logged with its cause and answered without.
func explain(ctx context.Context, err error) reply {
	call := callOf(ctx)
	r := told(call, err)
	call.failed, call.cause = &r, err
	return r
}

// Refuse answers a request that is no RPC with an error, as REST does.
func Refuse(w http.ResponseWriter, r *http.Request, err error) { explain(r.Context(), err).rest(w) }

// told turns err into what the caller sees.
func told(call *Call, err error) reply {
	f := fault.Of(err)
	switch {
	case f.Kind == fault.KindUnavailable: // What did not answer in its own time is what counts.
	case errors.Is(err, context.DeadlineExceeded):
		f = fault.New(fault.KindDeadline, "", "The call took too long.")
	case errors.Is(err, context.Canceled):
		f = fault.New(fault.KindDeadline, "", "The caller gave up.")
	}
	r := reply{kind: f.Kind, id: f.ID, message: translate(call.Languages, f), more: f.Detail}
	if f.ID != "" {
		r.message += " (" + f.ID + ")"
	}
	return r
}

// challenge is the header WWW-Authenticate of a refusal. Who shows a token that is bound
// to a key, or a proof of one, is told so as RFC 9449, section 7.1, wants it.
func (r reply) challenge() string {
	if code, ok := r.more.(oauth.ErrorCode); ok {
		return DPoPChallenge(code)
	}
	return r.message
}

// advise sets the headers that say what to do about the error.
func (r reply) advise(h interface{ Set(name, value string) }) {
	switch r.kind {
	case fault.KindUnauthenticated:
		h.Set("WWW-Authenticate", r.challenge())
	case fault.KindExhausted, fault.KindUnavailable:
		h.Set("Retry-After", "1")
	default: // Nothing in a header helps.
	}
}

// DPoPChallenge is the header WWW-Authenticate for who shows a token without the proof
// that it needs; code is empty where there was no token.
func DPoPChallenge(code oauth.ErrorCode) string {
	out := `DPoP algs="` + strings.Join(crypto.ProofAlgorithmNames(), " ") + `"`
	if code != "" {
		out += `, error="` + string(code) + `"`
	}
	return out
}

// detail is what programs read of the error, in the message that fits the detail of
// the fault.
func (r reply) detail() proto.Message {
	if r.id == "" {
		return nil
	}
	if failed, ok := r.more.(fault.FailedCheck); ok {
		attempts := int32(min(failed.Attempts, math.MaxInt32))
		return &errorpb.CredentialsCheckError{Id: r.id, Message: r.message, FailedAttempts: attempts}
	}
	return &errorpb.ErrorDetail{Id: r.id, Message: r.message}
}

// connectError is the reply for gRPC, gRPC-Web and Connect.
func (r reply) connectError() error {
	e := connect.NewError(wire[r.kind].code, r.message)
	if d := r.detail(); d != nil {
		if detail, err := connectproto.NewErrorDetail(d); err == nil {
			e = e.WithDetail(detail)
		}
	}
	return e
}

// writeTo is the reply for REST: a google.rpc.Status in JSON.
func (r reply) writeTo(w http.ResponseWriter, code connect.Code, status int) {
	s := &statuspb.Status{Code: int32(code), Message: r.message} //nolint:gosec // codes are small
	if d := r.detail(); d != nil {
		if a, err := anypb.New(d); err == nil {
			s.Details = append(s.Details, a)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	r.advise(h)
	w.WriteHeader(status)
	data, err := writeJSON.Marshal(s)
	if err == nil {
		_, _ = w.Write(data)
	}
}

func (r reply) rest(w http.ResponseWriter) { r.writeTo(w, wire[r.kind].code, wire[r.kind].status) }
