// Package system is the v1 service for the installation: its instances, their
// domains and limits. Callers are system users.
package system

import (
	"context"
	"slices"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/system/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/member"
)

// Handlers answers the service from a store.
type Handlers struct {
	store *eventstore.Store
	vault *crypto.Vault
	host  string
}

// Service lists what is built of the service. Below host new instances get their
// domains.
func Service(store *eventstore.Store, v *crypto.Vault, host string) api.Service {
	h := &Handlers{store: store, vault: v, host: host}
	return api.Service{Name: "zitadel.system.v1.SystemService", RPCs: slices.Concat(h.instances(), h.domains(), h.limits(), h.debug())}
}

func (h *Handlers) instances() []api.RPC {
	return []api.RPC{
		api.Unary("Healthz", healthz),
		api.Unary("ListInstances", h.listInstances),
		api.Unary("GetInstance", h.getInstance),
		api.Unary("AddInstance", h.addInstance),
		api.Unary("CreateInstance", h.createInstance),
		api.Unary("UpdateInstance", h.updateInstance),
		api.Unary("RemoveInstance", h.removeInstance),
		api.Unary("ListIAMMembers", h.listIAMMembers),
	}
}

func healthz(context.Context, *pb.HealthzRequest) (*pb.HealthzResponse, error) {
	return &pb.HealthzResponse{}, nil
}

func (h *Handlers) listInstances(ctx context.Context, r *pb.ListInstancesRequest) (*pb.ListInstancesResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), api.InstanceColumns, r.GetSortingColumn(), r.GetQueries(), api.InstanceFilter)
	if err != nil {
		return nil, err
	}
	l, err := instance.List(ctx, h.store, p, by, filters...)
	return &pb.ListInstancesResponse{
		Details: api.Listed(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, api.Instance),
	}, err
}

func (h *Handlers) getInstance(ctx context.Context, r *pb.GetInstanceRequest) (*pb.GetInstanceResponse, error) {
	i, err := instance.Show(ctx, h.store, r.GetInstanceId())
	return &pb.GetInstanceResponse{Instance: api.InstanceDetail(i)}, err
}

func (h *Handlers) updateInstance(ctx context.Context, r *pb.UpdateInstanceRequest) (*pb.UpdateInstanceResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.Rename(tx, r.GetInstanceId(), r.GetInstanceName())
	})
	return &pb.UpdateInstanceResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeInstance(ctx context.Context, r *pb.RemoveInstanceRequest) (*pb.RemoveInstanceResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.RemoveInstance(tx, r.GetInstanceId())
	})
	return &pb.RemoveInstanceResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listIAMMembers(ctx context.Context, r *pb.ListIAMMembersRequest) (*pb.ListIAMMembersResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), api.MemberColumns, r.GetSortingColumn(), r.GetQueries(), api.MemberFilter)
	if err != nil {
		return nil, err
	}
	l, err := flow.Members(ctx, h.store, member.Of(eventstore.Scope{Instance: r.GetInstanceId()}), p, by, filters...)
	return &pb.ListIAMMembersResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Member(ctx))}, err
}
