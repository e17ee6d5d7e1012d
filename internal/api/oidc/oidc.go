// Package oidc is version 2 of the service for login pages: what a client asks for,
// and the answer that its user goes back with.
package oidc

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/oidc/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// Handlers answers the service.
type Handlers struct{ store *eventstore.Store }

// Service lists the service's RPCs.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store}
	return api.Service{Name: "zitadel.oidc.v2.OIDCService", RPCs: []api.RPC{
		api.Unary("GetAuthRequest", h.getAuthRequest),
		api.Unary("CreateCallback", h.createCallback),
		api.Unary("GetDeviceAuthorizationRequest", h.getDeviceAuthorizationRequest),
		api.Unary("AuthorizeOrDenyDeviceAuthorization", h.authorizeOrDenyDeviceAuthorization),
	}}
}

func (h *Handlers) getAuthRequest(ctx context.Context, r *pb.GetAuthRequestRequest) (*pb.GetAuthRequestResponse, error) {
	q, err := flow.AuthRequest(ctx, h.store, r.GetAuthRequestId())
	return &pb.GetAuthRequestResponse{AuthRequest: message(&q)}, err
}

func (h *Handlers) createCallback(ctx context.Context, r *pb.CreateCallbackRequest) (*pb.CreateCallbackResponse, error) {
	if e := r.GetError(); e != nil {
		return h.refuse(ctx, r.GetAuthRequestId(), e)
	}
	linked, err := flow.LinkSession(ctx, h.store, r.GetAuthRequestId(), r.GetSession().GetSessionId(), r.GetSession().GetSessionToken())
	if err != nil {
		return nil, err
	}
	return h.callback(ctx, &linked.Request, flow.Answered(&linked.Request, linked.Code))
}

var errReason = fault.Invalid("OIDC-error", "Name the error that the client shall get.")

// refuse answers the client with an error.
func (h *Handlers) refuse(ctx context.Context, id string, e *pb.AuthorizationError) (*pb.CreateCallbackResponse, error) {
	code, ok := reasons[e.GetError()]
	if !ok {
		return nil, errReason
	}
	q, err := flow.RefuseRequest(ctx, h.store, id)
	if err != nil {
		return nil, err
	}
	return h.callback(ctx, &q, flow.Failed(&q, code, e.GetErrorDescription(), e.GetErrorUri()))
}

func (h *Handlers) callback(ctx context.Context, q *oauth.Request, a oauth.Answer) (*pb.CreateCallbackResponse, error) {
	url, err := flow.CallbackURL(ctx, h.store, q, a)
	details := eventstore.Details{Owner: authz.From(ctx).Instance, Changed: h.store.Now()}
	return &pb.CreateCallbackResponse{Details: api.ChangedV2(details), CallbackUrl: url}, err
}

// reasons are the errors as the protocol names them.
var reasons = map[pb.ErrorReason]string{
	pb.ErrorReason_ERROR_REASON_INVALID_REQUEST:            "invalid_request",
	pb.ErrorReason_ERROR_REASON_UNAUTHORIZED_CLIENT:        "unauthorized_client",
	pb.ErrorReason_ERROR_REASON_ACCESS_DENIED:              "access_denied",
	pb.ErrorReason_ERROR_REASON_UNSUPPORTED_RESPONSE_TYPE:  "unsupported_response_type",
	pb.ErrorReason_ERROR_REASON_INVALID_SCOPE:              "invalid_scope",
	pb.ErrorReason_ERROR_REASON_SERVER_ERROR:               "server_error",
	pb.ErrorReason_ERROR_REASON_TEMPORARY_UNAVAILABLE:      "temporarily_unavailable",
	pb.ErrorReason_ERROR_REASON_INTERACTION_REQUIRED:       "interaction_required",
	pb.ErrorReason_ERROR_REASON_LOGIN_REQUIRED:             "login_required",
	pb.ErrorReason_ERROR_REASON_ACCOUNT_SELECTION_REQUIRED: "account_selection_required",
	pb.ErrorReason_ERROR_REASON_CONSENT_REQUIRED:           "consent_required",
	pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_URI:        "invalid_request_uri",
	pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_OBJECT:     "invalid_request_object",
	pb.ErrorReason_ERROR_REASON_REQUEST_NOT_SUPPORTED:      "request_not_supported",
	pb.ErrorReason_ERROR_REASON_REQUEST_URI_NOT_SUPPORTED:  "request_uri_not_supported",
	pb.ErrorReason_ERROR_REASON_REGISTRATION_NOT_SUPPORTED: "registration_not_supported",
}

var prompts = map[string]pb.Prompt{
	"none": pb.Prompt_PROMPT_NONE, "login": pb.Prompt_PROMPT_LOGIN, "consent": pb.Prompt_PROMPT_CONSENT,
	"select_account": pb.Prompt_PROMPT_SELECT_ACCOUNT, "create": pb.Prompt_PROMPT_CREATE,
}

func message(q *oauth.Request) *pb.AuthRequest {
	out := &pb.AuthRequest{
		Id: q.ID, CreationDate: api.Timestamp(q.Created), ClientId: q.ClientID, Scope: q.Scopes, RedirectUri: q.RedirectURI,
		Prompt: api.Each(q.Prompt, func(p string) pb.Prompt { return prompts[p] }), UiLocales: q.UILocales,
		LoginHint: text(q.LoginHint), HintUserId: text(q.HintUserID),
	}
	if q.MaxAge != nil {
		out.MaxAge = durationpb.New(time.Duration(*q.MaxAge) * time.Second)
	}
	return out
}

// text leaves out what is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
