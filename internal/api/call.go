package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"golang.org/x/text/language"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Headers that clients send.
const (
	HeaderOrg    = "X-Zitadel-Orgid"     // names the organization that the call is about
	headerDryRun = "X-Gatehouse-Dry-Run" // "true": run the call, then roll it back
	headerGuard  = "X-Gatehouse-Guard"   // "true": refuse what would lock people out
	headerPage   = "X-Gatehouse-Page"    // the page of a list behind this token
)

// headerNextPage is what a full page of a list is answered with.
const headerNextPage = "X-Gatehouse-Next-Page"

// Call is what is known about a request before anybody has looked into it.
type Call struct {
	Procedure string // empty until the contract is found to have it
	Protocol  string // "grpc", "grpc-web", "connect" or "rest"
	RequestID string
	Method    string
	Path      string // as it came, without query
	Header    http.Header
	Host      string // as the client named it: see the trusted proxies
	RemoteIP  string
	Secure    bool
	// Trusted is set where the request came from a trusted proxy.
	Trusted   bool
	Languages []language.Tag
	// Instance and UserID are filled in by the authentication.
	Instance flow.Instance
	UserID   string
	Started  time.Time
	// Took is filled in at the end.
	Took   time.Duration
	cursor database.Cursor // of the list that the call asks for
	notice string
	origin string // where clients reach the instance; filled in with it
	failed *reply
	cause  error
}

// Origin is where the instance that the call is for is reached: external is the URL
// of the installation, whose scheme and port are those of every instance.
func (c *Call) Origin(external *url.URL) string {
	scheme, host := external.Scheme, hostname.Canonical(c.Host)
	if scheme == "" {
		if scheme = "http"; c.Secure {
			scheme = "https"
		}
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := external.Port(); port != "" {
		host += ":" + port
	}
	return scheme + "://" + host
}

// Sender is what the call shows of who sends it, and what a proof of a key must be for.
func (c *Call) Sender(external *url.URL) flow.Sender {
	proofs := c.Header.Values("DPoP")
	if len(proofs) == 0 {
		return flow.Sender{}
	}
	return flow.Sender{Proofs: proofs, Method: c.Method, Address: c.Origin(external) + c.Path}
}

// Code is how the call ended: "ok", the name of an error of the protocols, or
// "none" where no method of the contract was called.
func (c *Call) Code() string {
	switch {
	case c.failed != nil:
		return wire[c.failed.kind].code.String()
	case c.Procedure == "":
		return "none"
	}
	return "ok"
}

// AssetPrefix is where pictures and fonts are.
const AssetPrefix = "/assets/v1/"

// AssetURL is the address of a picture or a font; empty for none.
func AssetURL(ctx context.Context, key string) string {
	if key == "" {
		return ""
	}
	return callOf(ctx).origin + AssetPrefix + key
}

type callKey struct{}

// callOf gives the context's call; a zero one outside a request.
func callOf(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{Header: http.Header{}}
}

// CallOf gives what is known about the request that runs with ctx.
func CallOf(ctx context.Context) *Call { return callOf(ctx) }

// RPC is one function of a service, ready to be registered.
type RPC struct {
	name    string
	message func() proto.Message
	result  proto.Message
	run     func(context.Context, proto.Message) (proto.Message, error)
	// shape, where it is not nil, fills in the fields above from the contract.
	shape func(*RPC, protoreflect.MethodDescriptor) error
	// do, where it is not nil, is filled in by the server: the RPC makes other calls.
	do *Do
	// imports says that the function heeds ImportOf.
	imports bool
}

// Unary makes an RPC of the named method from a typed function.
func Unary[Q, S any, PQ interface {
	*Q
	proto.Message
}, PS interface {
	*S
	proto.Message
}](name string, fn func(context.Context, PQ) (PS, error),
) RPC {
	return RPC{
		name:    name,
		message: func() proto.Message { return PQ(new(Q)) },
		result:  PS(new(S)),
		run: func(ctx context.Context, m proto.Message) (proto.Message, error) {
			res, err := fn(ctx, m.(PQ)) //nolint:forcetypeassert // message makes a PQ
			if err != nil {
				return nil, err
			}
			return res, nil
		},
	}
}

// handler is a method with the function that answers it.
type handler struct {
	*Method
	rpc *RPC // nil: not built yet
}

// serve runs one call: who is it, may they, what do they ask, do it.
func (s *Server) serve(ctx context.Context, h *handler, decode func(proto.Message) error) (res proto.Message, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.CallTimeout)
	defer cancel()
	call := callOf(ctx)
	call.Procedure = h.Procedure
	if s.Observe != nil {
		defer func() { s.Observe(call, err) }()
	}
	ctx, err = s.authenticate(ctx, call, h.Method)
	if err != nil {
		return nil, err
	}
	if h.rpc == nil {
		return nil, fault.Unimplemented("%s is part of the contract, but not built yet.", h.Procedure)
	}
	req := h.rpc.message()
	if err := decode(req); err != nil {
		return nil, err
	}
	if h.rpc.do == nil {
		if err := validateMessage(req); err != nil {
			return nil, err
		}
	}
	return s.noticing(ctx, call, h.rpc, req)
}

// authenticate finds the instance and the caller, and holds the caller against
// the method's permission.
func (s *Server) authenticate(ctx context.Context, call *Call, m *Method) (context.Context, error) {
	instance, caller, err := s.gate.Enter(ctx, flow.Credentials{
		Host: call.Host, Authorization: call.Header.Get("Authorization"), Sender: call.Sender(s.External), Org: call.Header.Get(HeaderOrg),
		Anonymous: m.Permission == Public, System: strings.HasPrefix(m.Procedure, systemService),
	})
	if err != nil {
		return ctx, err
	}
	call.Instance, call.origin = instance, call.Origin(s.External)
	origin := eventstore.Origin{DryRun: call.Header.Get(headerDryRun) == "true"}
	if caller != nil {
		ctx = authz.WithCaller(ctx, caller)
		origin.Creator, call.UserID = caller.UserID, caller.UserID
	}
	ctx = eventstore.WithOrigin(ctx, origin)
	if call.Header.Get(headerGuard) == "true" {
		ctx = policy.WithGuards(ctx)
	}
	switch {
	case m.Permission == Public || m.Permission == Authenticated:
		return ctx, nil
	case strings.HasPrefix(m.Procedure, systemService):
		return ctx, authz.Require(ctx, m.Permission, "")
	}
	return ctx, authz.RequireInside(ctx, m.Permission, caller.Org)
}

// connectMethod wraps a handler for gRPC, gRPC-Web and Connect.
func (s *Server) connectMethod(h *handler) connect.Method {
	return connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Schema: h.Descriptor, Procedure: h.Procedure},
		Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			res, err := s.serve(ctx, h, func(m proto.Message) error {
				if err := stream.Receive(m); err != nil {
					return s.unreadable(err)
				}
				return nil
			})
			if err != nil {
				r := explain(ctx, err)
				if info, ok := connect.CallInfoForServerContext(ctx); ok {
					r.advise(info.ResponseHeader())
				}
				return r.connectError()
			}
			if info, ok := connect.CallInfoForServerContext(ctx); ok {
				callOf(ctx).extras(info.ResponseHeader())
			}
			return stream.Send(res)
		},
	}
}

// unreadable explains why a message could not be decoded.
func (s *Server) unreadable(err error) error {
	var f *fault.Error
	var c *connect.Error
	switch {
	case asError(err, &f):
		return f
	case asError(err, &c) && c.Code() == connect.CodeResourceExhausted:
		return errTooBig(s.limits.BodyBytes)
	}
	return fault.Invalid("", "The request cannot be decoded.").Because(err)
}
