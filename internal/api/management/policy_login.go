package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func (h *Handlers) loginPolicy() []api.RPC {
	return []api.RPC{
		api.Unary("GetLoginPolicy", h.getLoginPolicy),
		api.Unary("GetDefaultLoginPolicy", h.getDefaultLoginPolicy),
		api.Unary("AddCustomLoginPolicy", h.addLoginPolicy),
		api.Unary("UpdateCustomLoginPolicy", h.updateLoginPolicy),
		api.Unary("ResetLoginPolicyToDefault", h.resetLoginPolicy),
		api.Unary("ListLoginPolicyIDPs", h.listIDPs),
		api.Unary("AddIDPToLoginPolicy", h.addIDP),
		api.Unary("RemoveIDPFromLoginPolicy", h.removeIDP),
		api.Unary("ListLoginPolicySecondFactors", h.listSecondFactors),
		api.Unary("AddSecondFactorToLoginPolicy", h.addSecondFactor),
		api.Unary("RemoveSecondFactorFromLoginPolicy", h.removeSecondFactor),
		api.Unary("ListLoginPolicyMultiFactors", h.listMultiFactors),
		api.Unary("AddMultiFactorToLoginPolicy", h.addMultiFactor),
		api.Unary("RemoveMultiFactorFromLoginPolicy", h.removeMultiFactor),
	}
}

func (h *Handlers) getLoginPolicy(ctx context.Context, _ *pb.GetLoginPolicyRequest) (*pb.GetLoginPolicyResponse, error) {
	s, err := policy.ResolveLogin(ctx, h.store, scope(ctx))
	return &pb.GetLoginPolicyResponse{Policy: api.LoginPolicy(s), IsDefault: s.IsDefault}, err
}

func (h *Handlers) getDefaultLoginPolicy(ctx context.Context, _ *pb.GetDefaultLoginPolicyRequest) (*pb.GetDefaultLoginPolicyResponse, error) {
	s, err := policy.ResolveLogin(ctx, h.store, scope(ctx).Default())
	return &pb.GetDefaultLoginPolicyResponse{Policy: api.LoginPolicy(s)}, err
}

func (h *Handlers) addLoginPolicy(ctx context.Context, r *pb.AddCustomLoginPolicyRequest) (*pb.AddCustomLoginPolicyResponse, error) {
	var p policy.LoginPolicy
	api.SetLogin(&p, r)
	for _, f := range r.GetSecondFactors() {
		p.SecondFactors = append(p.SecondFactors, policy.SecondFactor(f))
	}
	for _, f := range r.GetMultiFactors() {
		p.MultiFactors = append(p.MultiFactors, policy.MultiFactor(f))
	}
	for _, l := range r.GetIdps() {
		p.IDPs = append(p.IDPs, policy.LoginIDP{ID: l.GetIdpId(), Owner: int32(l.GetOwnerType())})
	}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.AddLogin(tx, s, p)
	})
	return &pb.AddCustomLoginPolicyResponse{Details: api.Added(d)}, err
}

func (h *Handlers) updateLoginPolicy(ctx context.Context, r *pb.UpdateCustomLoginPolicyRequest) (*pb.UpdateCustomLoginPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.Login.Change(tx, s, func(p *policy.LoginPolicy) { api.SetLogin(p, r) })
	})
	return &pb.UpdateCustomLoginPolicyResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) resetLoginPolicy(ctx context.Context, _ *pb.ResetLoginPolicyToDefaultRequest) (*pb.ResetLoginPolicyToDefaultResponse, error) {
	d, err := h.write(ctx, policy.Login.Reset)
	return &pb.ResetLoginPolicyToDefaultResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listIDPs(ctx context.Context, _ *pb.ListLoginPolicyIDPsRequest) (*pb.ListLoginPolicyIDPsResponse, error) {
	s, err := policy.ResolveLogin(ctx, h.store, scope(ctx))
	return &pb.ListLoginPolicyIDPsResponse{Details: api.Listed(len(s.Doc.IDPs), h.store.Now()), Result: api.LoginIDPs(s.Doc)}, err
}

func (h *Handlers) addIDP(ctx context.Context, r *pb.AddIDPToLoginPolicyRequest) (*pb.AddIDPToLoginPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.AddLoginIDP(tx, s, policy.LoginIDP{ID: r.GetIdpId(), Owner: int32(r.GetOwnerType())})
	})
	return &pb.AddIDPToLoginPolicyResponse{Details: api.Added(d)}, err
}

func (h *Handlers) removeIDP(ctx context.Context, r *pb.RemoveIDPFromLoginPolicyRequest) (*pb.RemoveIDPFromLoginPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.RemoveLoginIDP(tx, s, r.GetIdpId())
	})
	return &pb.RemoveIDPFromLoginPolicyResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listSecondFactors(ctx context.Context, _ *pb.ListLoginPolicySecondFactorsRequest) (*pb.ListLoginPolicySecondFactorsResponse, error) {
	s, err := policy.ResolveLogin(ctx, h.store, scope(ctx))
	return &pb.ListLoginPolicySecondFactorsResponse{Details: api.Listed(len(s.Doc.SecondFactors), h.store.Now()), Result: api.SecondFactors(s.Doc)}, err
}

func (h *Handlers) addSecondFactor(ctx context.Context, r *pb.AddSecondFactorToLoginPolicyRequest) (*pb.AddSecondFactorToLoginPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.AddSecondFactor(tx, s, policy.SecondFactor(r.GetType()))
	})
	return &pb.AddSecondFactorToLoginPolicyResponse{Details: api.Added(d)}, err
}

func (h *Handlers) removeSecondFactor(ctx context.Context, r *pb.RemoveSecondFactorFromLoginPolicyRequest) (*pb.RemoveSecondFactorFromLoginPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.RemoveSecondFactor(tx, s, policy.SecondFactor(r.GetType()))
	})
	return &pb.RemoveSecondFactorFromLoginPolicyResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listMultiFactors(ctx context.Context, _ *pb.ListLoginPolicyMultiFactorsRequest) (*pb.ListLoginPolicyMultiFactorsResponse, error) {
	s, err := policy.ResolveLogin(ctx, h.store, scope(ctx))
	return &pb.ListLoginPolicyMultiFactorsResponse{Details: api.Listed(len(s.Doc.MultiFactors), h.store.Now()), Result: api.MultiFactors(s.Doc)}, err
}

func (h *Handlers) addMultiFactor(ctx context.Context, r *pb.AddMultiFactorToLoginPolicyRequest) (*pb.AddMultiFactorToLoginPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.AddMultiFactor(tx, s, policy.MultiFactor(r.GetType()))
	})
	return &pb.AddMultiFactorToLoginPolicyResponse{Details: api.Added(d)}, err
}

func (h *Handlers) removeMultiFactor(ctx context.Context, r *pb.RemoveMultiFactorFromLoginPolicyRequest) (*pb.RemoveMultiFactorFromLoginPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.RemoveMultiFactor(tx, s, policy.MultiFactor(r.GetType()))
	})
	return &pb.RemoveMultiFactorFromLoginPolicyResponse{Details: api.Changed(d)}, err
}
