// Package policy is the service of what Gatehouse adds to the policies of the
// contract.
package policy

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/gatehouse/policy/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists the service's RPCs.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store}
	return api.Service{Name: "gatehouse.policy.v1.PolicyService", RPCs: []api.RPC{
		api.Unary("PreviewLoginPolicyChange", h.previewLoginPolicyChange),
		api.Unary("PlanFactorRetirement", h.planRetirement),
		api.Unary("CancelFactorRetirement", h.cancelRetirement),
		api.Unary("ListFactorRetirements", h.listRetirements),
		api.Unary("GetSessionAssurance", h.getSessionAssurance),
		api.Unary("GetEnforcement", h.getEnforcement),
		api.Unary("SetEnforcement", h.setEnforcement),
		api.Unary("GetErasure", h.getErasure),
		api.Unary("SetErasure", h.setErasure),
	}}
}

func (h *Handlers) previewLoginPolicyChange(ctx context.Context, r *pb.PreviewLoginPolicyChangeRequest) (*pb.PreviewLoginPolicyChangeResponse, error) {
	p, err := api.PageOf(ctx, firstBy{r.GetLimit()})
	if err != nil {
		return nil, err
	}
	p.Cursor = &database.Cursor{After: r.GetPageToken()}
	s := eventstore.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
	c := change(r.GetChange())
	c.At = timeOf(r.GetAt())
	i, err := flow.PreviewLogin(ctx, h.store, s, c, p)
	return &pb.PreviewLoginPolicyChangeResponse{
		Enrolled: i.Enrolled, LeftWithout: i.LeftWithout.Total, Administrators: i.Administrators, Demanded: i.Demanded,
		Users: api.Each(i.LeftWithout.Rows, affected), NextPageToken: p.Cursor.Next, Sessions: i.Sessions, Retirements: h.retirements(i.Retirements),
	}, err
}

// firstBy is the page of a list that is in the order of names.
type firstBy struct{ limit uint32 }

func (firstBy) GetOffset() uint64  { return 0 }
func (f firstBy) GetLimit() uint32 { return f.limit }
func (firstBy) GetAsc() bool       { return true }

func change(c *pb.LoginPolicyChange) flow.LoginChange {
	second := func(f policypb.SecondFactorType) policy.SecondFactor { return policy.SecondFactor(f) }
	multi := func(f policypb.MultiFactorType) policy.MultiFactor { return policy.MultiFactor(f) }
	out := flow.LoginChange{
		AddSecond: api.Each(c.GetAddSecondFactors(), second), RemoveSecond: api.Each(c.GetRemoveSecondFactors(), second),
		AddMulti: api.Each(c.GetAddMultiFactors(), multi), RemoveMulti: api.Each(c.GetRemoveMultiFactors(), multi),
	}
	if c != nil {
		out.ForceMFA, out.ForceMFALocalOnly = c.ForceMfa, c.ForceMfaLocalOnly
	}
	return out
}

func affected(a flow.Affected) *pb.AffectedUser {
	return &pb.AffectedUser{UserId: a.ID, OrganizationId: a.OrgID, LoginName: a.LoginName, DisplayName: a.DisplayName(), Administrator: a.Administrator}
}

// modes are the modes of enforcement, by their names in the contract.
var modes = map[pb.EnforcementMode]string{
	pb.EnforcementMode_ENFORCEMENT_MODE_STRICT: policy.Strict, pb.EnforcementMode_ENFORCEMENT_MODE_REFERENCE: policy.Lenient,
}

func (h *Handlers) getEnforcement(ctx context.Context, _ *pb.GetEnforcementRequest) (*pb.GetEnforcementResponse, error) {
	s, err := policy.Enforcement.Resolve(ctx, h.store, authz.From(ctx).Instance)
	mode := pb.EnforcementMode_ENFORCEMENT_MODE_REFERENCE
	if s.Doc.Strict() {
		mode = pb.EnforcementMode_ENFORCEMENT_MODE_STRICT
	}
	return &pb.GetEnforcementResponse{Mode: mode, ChangeDate: api.Timestamp(s.Details.Changed)}, err
}

func (h *Handlers) setEnforcement(ctx context.Context, r *pb.SetEnforcementRequest) (*pb.SetEnforcementResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.Enforcement.Set(tx, authz.From(ctx).Instance, func(p *policy.EnforcementPolicy) { p.Mode = modes[r.GetMode()] })
	})
	return &pb.SetEnforcementResponse{ChangeDate: api.Timestamp(d.Changed)}, err
}

// erasures are the modes of erasure, by their names in the contract.
var erasures = map[pb.ErasureMode]string{
	pb.ErasureMode_ERASURE_MODE_OFF: policy.KeepPayloads, pb.ErasureMode_ERASURE_MODE_ON_REMOVAL: policy.EraseOnRemoval,
}

func (h *Handlers) getErasure(ctx context.Context, _ *pb.GetErasureRequest) (*pb.GetErasureResponse, error) {
	s, err := policy.Erasure.Resolve(ctx, h.store, authz.From(ctx).Instance)
	mode := pb.ErasureMode_ERASURE_MODE_OFF
	if s.Doc.OnRemoval() {
		mode = pb.ErasureMode_ERASURE_MODE_ON_REMOVAL
	}
	return &pb.GetErasureResponse{Mode: mode, ChangeDate: api.Timestamp(s.Details.Changed)}, err
}

func (h *Handlers) setErasure(ctx context.Context, r *pb.SetErasureRequest) (*pb.SetErasureResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.Erasure.Set(tx, authz.From(ctx).Instance, func(p *policy.ErasurePolicy) { p.Mode = erasures[r.GetMode()] })
	})
	return &pb.SetErasureResponse{ChangeDate: api.Timestamp(d.Changed)}, err
}
