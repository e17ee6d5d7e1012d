package policy

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/gatehouse/policy/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// timeOf is a time of a request; zero where it names none.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// named is what requests share that are about a factor of somebody's policy.
type named interface {
	GetOrganizationId() string
	GetSecondFactor() policypb.SecondFactorType
	GetMultiFactor() policypb.MultiFactorType
}

func factor(r named) policy.Factor {
	return policy.Factor{Second: policy.SecondFactor(r.GetSecondFactor()), Multi: policy.MultiFactor(r.GetMultiFactor())}
}

// scope is what a request is about: an organization or, where it names none, the
// instance.
func scope(ctx context.Context, r interface{ GetOrganizationId() string }) policy.Scope {
	return policy.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
}

func (h *Handlers) planRetirement(ctx context.Context, r *pb.PlanFactorRetirementRequest) (*pb.PlanFactorRetirementResponse, error) {
	plan := policy.Retirement{Factor: factor(r), Closed: timeOf(r.GetClosed()), Announced: timeOf(r.GetAnnounced()), Off: timeOf(r.GetOff())}
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.PlanRetirement(tx, scope(ctx, r), plan)
	})
	return &pb.PlanFactorRetirementResponse{ChangeDate: api.Timestamp(d.Changed)}, err
}

func (h *Handlers) cancelRetirement(ctx context.Context, r *pb.CancelFactorRetirementRequest) (*pb.CancelFactorRetirementResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.CancelRetirement(tx, scope(ctx, r), factor(r))
	})
	return &pb.CancelFactorRetirementResponse{ChangeDate: api.Timestamp(d.Changed)}, err
}

func (h *Handlers) listRetirements(ctx context.Context, r *pb.ListFactorRetirementsRequest) (*pb.ListFactorRetirementsResponse, error) {
	p, err := flow.Retirements(ctx, h.store, scope(ctx, r))
	return &pb.ListFactorRetirementsResponse{Retirements: h.retirements(p.Doc.Retirements), IsDefault: p.IsDefault}, err
}

func (h *Handlers) retirements(plans []policy.Retirement) []*pb.FactorRetirement {
	now := h.store.Now()
	return api.Each(plans, func(r policy.Retirement) *pb.FactorRetirement {
		out := &pb.FactorRetirement{Closed: api.Timestamp(r.Closed), Announced: api.Timestamp(r.Announced), Off: api.Timestamp(r.Off), Stage: stage(r, now)}
		if r.Multi != 0 {
			out.Factor = &pb.FactorRetirement_MultiFactor{MultiFactor: policypb.MultiFactorType(r.Multi)}
		} else {
			out.Factor = &pb.FactorRetirement_SecondFactor{SecondFactor: policypb.SecondFactorType(r.Second)}
		}
		return out
	})
}

// stage is how far a plan has come.
func stage(r policy.Retirement, now time.Time) pb.FactorRetirementStage {
	switch {
	case !now.Before(r.Off):
		return pb.FactorRetirementStage_FACTOR_RETIREMENT_STAGE_OFF
	case !now.Before(r.Announced):
		return pb.FactorRetirementStage_FACTOR_RETIREMENT_STAGE_ANNOUNCED
	case !now.Before(r.Closed):
		return pb.FactorRetirementStage_FACTOR_RETIREMENT_STAGE_CLOSED
	}
	return pb.FactorRetirementStage_FACTOR_RETIREMENT_STAGE_PLANNED
}

func (h *Handlers) getSessionAssurance(ctx context.Context, r *pb.GetSessionAssuranceRequest) (*pb.GetSessionAssuranceResponse, error) {
	a, err := flow.SessionAssurance(ctx, h.store, r.GetSessionId(), r.GetSessionToken())
	v := a.Verdict
	return &pb.GetSessionAssuranceResponse{
		Enough: v.Enough, Need: pb.AssuranceNeed(v.Need), Options: api.Each(v.Options.Methods(), assurance.Method.String), Counted: api.Each(v.Counted.Methods(), assurance.Method.String), Factors: uint32(v.Factors), //nolint:gosec // 2 at most
		Until: api.Timestamp(v.Until), Weakened: v.Weakened, LosesLastFactor: api.Timestamp(v.Loses),
	}, err
}
