package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/org"
)

func (h *Handlers) orgs() []api.RPC {
	return []api.RPC{
		api.Unary("Healthz", healthz),
		api.Unary("GetIAM", h.getIAM),
		api.Unary("GetOIDCInformation", h.getOIDCInformation),
		api.Unary("AddOrg", h.addOrg).Imports(),
		api.Unary("GetMyOrg", h.getMyOrg),
		api.Unary("GetOrgByDomainGlobal", h.getOrgByDomain),
		api.Unary("UpdateOrg", h.updateOrg),
		api.Unary("DeactivateOrg", h.deactivateOrg),
		api.Unary("ReactivateOrg", h.reactivateOrg),
		api.Unary("RemoveOrg", h.removeOrg),
	}
}

func (h *Handlers) addOrg(ctx context.Context, r *pb.AddOrgRequest) (*pb.AddOrgResponse, error) {
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = flow.AddOrg(tx, h.vault, s.Instance, flow.NewOrg{Name: r.GetName(), ID: api.ImportOf(ctx).ID})
		return d, err
	})
	return &pb.AddOrgResponse{Id: id, Details: api.Added(d)}, err
}

func (h *Handlers) getMyOrg(ctx context.Context, _ *pb.GetMyOrgRequest) (*pb.GetMyOrgResponse, error) {
	s := scope(ctx)
	o, err := org.ByID(ctx, h.store, s.Instance, s.Org)
	return &pb.GetMyOrgResponse{Org: api.Org(o)}, err
}

func (h *Handlers) getOrgByDomain(ctx context.Context, r *pb.GetOrgByDomainGlobalRequest) (*pb.GetOrgByDomainGlobalResponse, error) {
	o, err := org.ByDomain(ctx, h.store, authz.From(ctx).Instance, r.GetDomain())
	return &pb.GetOrgByDomainGlobalResponse{Org: api.Org(o)}, err
}

func (h *Handlers) updateOrg(ctx context.Context, r *pb.UpdateOrgRequest) (*pb.UpdateOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return org.Rename(tx, s.Instance, s.Org, r.GetName())
	})
	return &pb.UpdateOrgResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateOrg(ctx context.Context, _ *pb.DeactivateOrgRequest) (*pb.DeactivateOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.DeactivateOrg(tx, s.Instance, s.Org)
	})
	return &pb.DeactivateOrgResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) reactivateOrg(ctx context.Context, _ *pb.ReactivateOrgRequest) (*pb.ReactivateOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return org.Reactivate(tx, s.Instance, s.Org)
	})
	return &pb.ReactivateOrgResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeOrg(ctx context.Context, _ *pb.RemoveOrgRequest) (*pb.RemoveOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveOrg(tx, s.Instance, s.Org)
	})
	return &pb.RemoveOrgResponse{Details: api.Changed(d)}, err
}
