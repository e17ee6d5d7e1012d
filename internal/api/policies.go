package api

import (
	"context"

	"google.golang.org/protobuf/proto"

	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Policy is how a kind of policy travels in the v1 services, where each has the
// same RPCs: D is its document, R what the requests tell that add or change it.
type Policy[D, R any] struct {
	Kind *policy.Kind[D]
	// Resolve stands in for that of the kind where it is not nil.
	Resolve func(context.Context, *eventstore.Store, policy.Scope) (policy.State[D], error)
	Show    func(policy.State[D]) proto.Message
	// Address fills in the addresses of files, where the policy names any.
	Address func(context.Context, D, proto.Message)
	Edit    func(*D, R)
}

// Scoping says whose policy a request is about.
type Scoping func(context.Context, proto.Message) policy.Scope

// CallersOrg is the organization that the request's header names, or the
// caller's own.
func CallersOrg(ctx context.Context, _ proto.Message) policy.Scope {
	c := authz.From(ctx)
	return policy.Scope{Instance: c.Instance, Org: c.Org}
}

// CallersHome is the organization that the caller belongs to, whatever the
// request's header names: what holds there, any caller may know.
func CallersHome(ctx context.Context, _ proto.Message) policy.Scope {
	c := authz.From(ctx)
	return policy.Scope{Instance: c.Instance, Org: c.HomeOrg}
}

// CallersInstance is the instance, for its defaults.
func CallersInstance(ctx context.Context, _ proto.Message) policy.Scope {
	return policy.Scope{Instance: authz.From(ctx).Instance}
}

// NamedOrg is the organization that the request itself names.
func NamedOrg(ctx context.Context, r proto.Message) policy.Scope {
	named, _ := r.(interface{ GetOrgId() string })
	return policy.Scope{Instance: authz.From(ctx).Instance, Org: named.GetOrgId()}
}

// Read makes an RPC that shows the policy that holds in a scope. Responses call
// it policy, or settings.
func (p Policy[D, R]) Read(rpc string, store *eventstore.Store, of Scoping) RPC {
	return Shaped(rpc, func(ctx context.Context, r proto.Message) (Fields, error) {
		s, err := p.resolve(ctx, store, of(ctx, r))
		if err != nil {
			return nil, err
		}
		shown := p.Show(s)
		if p.Address != nil {
			p.Address(ctx, s.Doc, shown)
		}
		return Fields{"policy": shown, "settings": shown, "is_default": s.IsDefault}, nil
	})
}

func (p Policy[D, R]) resolve(ctx context.Context, store *eventstore.Store, s policy.Scope) (policy.State[D], error) {
	if p.Resolve != nil {
		return p.Resolve(ctx, store, s)
	}
	return p.Kind.Resolve(ctx, store, s)
}

// Add makes an RPC that gives a scope a policy of its own.
func (p Policy[D, R]) Add(rpc string, store *eventstore.Store, of Scoping) RPC {
	return Shaped(rpc, func(ctx context.Context, r R) (Fields, error) {
		d, err := Write(ctx, store, func(tx *eventstore.Tx) (eventstore.Details, error) {
			var doc D
			p.Edit(&doc, r)
			return p.Kind.Add(tx, of(ctx, message(r)), doc)
		})
		return Detailed(Added(d)), err
	})
}

// Change makes an RPC that changes a scope's own policy.
func (p Policy[D, R]) Change(rpc string, store *eventstore.Store, of Scoping) RPC {
	return Shaped(rpc, func(ctx context.Context, r R) (Fields, error) {
		d, err := Write(ctx, store, func(tx *eventstore.Tx) (eventstore.Details, error) {
			return p.Kind.Change(tx, of(ctx, message(r)), func(doc *D) { p.Edit(doc, r) })
		})
		return Detailed(Changed(d)), err
	})
}

// Reset makes an RPC that removes an organization's own policy.
func (p Policy[D, R]) Reset(rpc string, store *eventstore.Store, of Scoping) RPC {
	return ScopedVerb(rpc, store, of, p.Kind.Reset)
}

// ScopedVerb makes an RPC of a verb that needs to know nothing but the scope.
func ScopedVerb(rpc string, store *eventstore.Store, of Scoping, verb func(*eventstore.Tx, policy.Scope) (policy.Details, error)) RPC {
	return Shaped(rpc, func(ctx context.Context, r proto.Message) (Fields, error) {
		d, err := Write(ctx, store, func(tx *eventstore.Tx) (eventstore.Details, error) { return verb(tx, of(ctx, r)) })
		return Detailed(Changed(d)), err
	})
}

// Detailed is a response that tells nothing but details.
func Detailed(d *objectpb.ObjectDetails) Fields { return Fields{"details": d} }

// message is a request that is known by its getters only.
func message(r any) proto.Message {
	m, _ := r.(proto.Message)
	return m
}

// Write runs a verb in a transaction.
func Write(ctx context.Context, store *eventstore.Store, verb func(*eventstore.Tx) (eventstore.Details, error)) (d eventstore.Details, err error) {
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		d, err = verb(tx)
		return err
	})
	return d, err
}
