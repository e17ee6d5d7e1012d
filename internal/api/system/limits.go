package system

import (
	"context"

	featurepb "github.com/gatehouse/gatehouse/gen/zitadel/feature/v1"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/system/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func (h *Handlers) limits() []api.RPC {
	return []api.RPC{
		api.Unary("SetInstanceFeature", h.setInstanceFeature),
		api.Unary("SetLimits", h.setLimits),
		api.Unary("BulkSetLimits", h.bulkSetLimits),
		api.Unary("ResetLimits", h.resetLimits),
	}
}

func (h *Handlers) setInstanceFeature(ctx context.Context, r *pb.SetInstanceFeatureRequest) (*pb.SetInstanceFeatureResponse, error) {
	if r.GetFeatureId() != featurepb.InstanceFeature_INSTANCE_FEATURE_LOGIN_DEFAULT_ORG {
		return nil, fault.Invalid("FEATURE-unknown", "There is no such feature.")
	}
	on := r.GetBool()
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.SetFeatures(tx, r.GetInstanceId(), policy.FeatureLoginDefaultOrg.To(&on))
	})
	return &pb.SetInstanceFeatureResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) setLimits(ctx context.Context, r *pb.SetLimitsRequest) (*pb.SetLimitsResponse, error) {
	d, err := h.set(ctx, r)
	if err != nil {
		return nil, err
	}
	return &pb.SetLimitsResponse{Details: api.Changed(d[0])}, nil
}

// bulkSetLimits tells the newest of the changes beside each of them.
func (h *Handlers) bulkSetLimits(ctx context.Context, r *pb.BulkSetLimitsRequest) (*pb.BulkSetLimitsResponse, error) {
	list, err := h.set(ctx, r.GetLimits()...)
	if err != nil {
		return nil, err
	}
	res := &pb.BulkSetLimitsResponse{TargetDetails: api.Each(list, api.Changed)}
	var newest eventstore.Details
	for _, d := range list {
		if d.Changed.After(newest.Changed) {
			newest.Changed = d.Changed
		}
	}
	res.Details = api.Changed(newest)
	return res, nil
}

func (h *Handlers) set(ctx context.Context, requests ...*pb.SetLimitsRequest) (out []eventstore.Details, err error) {
	list := api.Each(requests, func(r *pb.SetLimitsRequest) flow.InstanceLimits {
		l := flow.InstanceLimits{InstanceID: r.GetInstanceId(), LimitsDoc: policy.LimitsDoc{Block: r.Block}}
		if r.GetAuditLogRetention() != nil {
			retention := r.GetAuditLogRetention().AsDuration()
			l.AuditLogRetention = &retention
		}
		return l
	})
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		out, err = flow.SetLimits(tx, list...)
		return err
	})
	return out, err
}

func (h *Handlers) resetLimits(ctx context.Context, r *pb.ResetLimitsRequest) (*pb.ResetLimitsResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.ResetLimits(tx, r.GetInstanceId())
	})
	return &pb.ResetLimitsResponse{Details: api.Changed(d)}, err
}
