package api

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"

	"google.golang.org/protobuf/proto"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Do makes the call of the contract whose request is req, in an organization, on
// behalf of who made the call that ctx is of. It is a call like any other: with the
// permission that it takes, held against the limits, in a transaction of its own.
type Do func(ctx context.Context, org string, req proto.Message) (proto.Message, error)

// Compound makes an RPC of the named method from a function that makes other calls. Its
// request is held against the contract's limits in parts, by each of these calls.
func Compound[Q, S any, PQ interface {
	*Q
	proto.Message
}, PS interface {
	*S
	proto.Message
}](name string, fn func(context.Context, Do, PQ) (PS, error),
) RPC {
	do := new(Do)
	rpc := Unary[Q, S, PQ, PS](name, func(ctx context.Context, r PQ) (PS, error) { return fn(ctx, *do, r) })
	rpc.do = do
	return rpc
}

// Import is what an import says of an object beside the request of the call that makes
// it.
type Import struct {
	ID        string // empty: a new one
	State     int    // as users number theirs; 0: as it comes
	ClientID  string // of an application; empty: a new one
	PublicKey string // of a key, in PEM
}

type importKey struct{}

// WithImport makes the call that is made with the context one of an import.
func WithImport(ctx context.Context, i Import) context.Context {
	return context.WithValue(ctx, importKey{}, i)
}

// ImportOf gives what an import says; nothing where the call is none of an import.
func ImportOf(ctx context.Context) Import {
	i, _ := ctx.Value(importKey{}).(Import)
	return i
}

// Imports says that the function heeds ImportOf.
func (r RPC) Imports() RPC {
	r.imports = true
	return r
}

var errNotImported = fault.Unimplemented("Such objects cannot be imported yet. Make them by a call of their own, or leave them out.")

// do is Do.
func (s *Server) do(ctx context.Context, org string, req proto.Message) (proto.Message, error) {
	res, _, err := s.inner(ctx, func(h http.Header) { h.Set(HeaderOrg, org) }, req)
	return res, err
}

// Errand is what a page's call says beside its request.
type Errand struct {
	Token string // of the session of who sees the page
	Org   string // that the call is about; empty: the one of the token's user
	// DryRun rolls the call back in the end.
	DryRun bool
	// Guard has the call refused where it would lock people out.
	Guard bool
	// Page is the token of a page of a list, as the page before it gave it.
	Page string
}

// Run makes the call of the contract whose request is req for who sees the page that ctx
// is of: a call like any other, which the gate lets in by the session's token. next is the
// token of the next page, where it gave a full page of a list.
func (s *Server) Run(ctx context.Context, e Errand, req proto.Message) (res proto.Message, next string, err error) {
	res, call, err := s.inner(ctx, func(h http.Header) {
		clear(h)
		for name, value := range map[string]string{"Authorization": "Bearer " + e.Token, HeaderOrg: e.Org, headerPage: e.Page} {
			if value != "" {
				h.Set(name, value)
			}
		}
		for name, set := range map[string]bool{headerDryRun: e.DryRun, headerGuard: e.Guard} {
			if set {
				h.Set(name, "true")
			}
		}
	}, req)
	return res, call.cursor.Next, err
}

// inner makes a call inside the one that ctx is of, with its headers edited.
func (s *Server) inner(ctx context.Context, edit func(http.Header), req proto.Message) (res proto.Message, call *Call, err error) {
	inner := *callOf(ctx)
	call = &inner
	h := s.requests[req.ProtoReflect().Descriptor().FullName()]
	if h == nil || h.rpc != nil && !h.rpc.imports && ImportOf(ctx) != (Import{}) {
		return nil, call, errNotImported
	}
	call.cursor, call.notice, call.failed, call.cause = database.Cursor{}, "", nil, nil
	call.Header = call.Header.Clone()
	edit(call.Header)
	ctx = context.WithValue(ctx, callKey{}, call)
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil {
			explain(ctx, err)
			call.log(ctx)
		}
	}()
	res, err = s.serve(ctx, h, func(m proto.Message) error {
		proto.Merge(m, req)
		return nil
	})
	return res, call, err
}

// Told is what the caller is told of an error.
func Told(ctx context.Context, err error) string { return told(callOf(ctx), err).message }
