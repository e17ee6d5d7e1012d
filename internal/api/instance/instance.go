// Package instance is version 2 of the service for instances. A call is about the
// instance that it names, or about the one of its host.
package instance

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/instance/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists what is built of the service.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "zitadel.instance.v2.InstanceService", RPCs: []api.RPC{
		api.Unary("DeleteInstance", h.deleteInstance),
		api.Unary("GetInstance", h.getInstance),
		api.Unary("UpdateInstance", h.updateInstance),
		api.Unary("ListInstances", h.listInstances),
		api.Unary("AddCustomDomain", h.addCustomDomain),
		api.Unary("RemoveCustomDomain", h.removeCustomDomain),
		api.Unary("ListCustomDomains", h.listCustomDomains),
		api.Unary("AddTrustedDomain", h.addTrustedDomain),
		api.Unary("RemoveTrustedDomain", h.removeTrustedDomain),
		api.Unary("ListTrustedDomains", h.listTrustedDomains),
	}}
}

// id is the instance that a request is about.
func id(ctx context.Context, r interface{ GetInstanceId() string }) string {
	if named := r.GetInstanceId(); named != "" {
		return named
	}
	return authz.From(ctx).Instance
}

// write runs a verb in a transaction and gives the date of the change.
func (h *Handlers) write(ctx context.Context, verb func(*eventstore.Tx) (eventstore.Details, error)) (*timestamppb.Timestamp, error) {
	d, err := api.Write(ctx, h.store, verb)
	return timestamppb.New(d.Changed), err
}

func (h *Handlers) deleteInstance(ctx context.Context, r *pb.DeleteInstanceRequest) (*pb.DeleteInstanceResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.RemoveInstance(tx, r.GetInstanceId())
	})
	return &pb.DeleteInstanceResponse{DeletionDate: at}, err
}

func (h *Handlers) getInstance(ctx context.Context, r *pb.GetInstanceRequest) (*pb.GetInstanceResponse, error) {
	i, err := instance.Show(ctx, h.store, id(ctx, r))
	return &pb.GetInstanceResponse{Instance: show(i)}, err
}

// updateInstance is satisfied with an instance that has the name already.
func (h *Handlers) updateInstance(ctx context.Context, r *pb.UpdateInstanceRequest) (*pb.UpdateInstanceResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return instance.Rename(tx, id(ctx, r), r.GetInstanceName())
	})
	if instance.Unchanged(err) {
		i, err := instance.ByID(ctx, h.store, id(ctx, r))
		return &pb.UpdateInstanceResponse{ChangeDate: timestamppb.New(i.Details.Changed)}, err
	}
	return &pb.UpdateInstanceResponse{ChangeDate: at}, err
}

var columns = map[pb.FieldName]instance.Column{
	pb.FieldName_FIELD_NAME_UNSPECIFIED:   instance.SortCreated,
	pb.FieldName_FIELD_NAME_ID:            instance.SortID,
	pb.FieldName_FIELD_NAME_NAME:          instance.SortName,
	pb.FieldName_FIELD_NAME_CREATION_DATE: instance.SortCreated,
}

func (h *Handlers) listInstances(ctx context.Context, r *pb.ListInstancesRequest) (*pb.ListInstancesResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), columns, r.GetSortingColumn(), r.GetFilters(), filter)
	if err != nil {
		return nil, err
	}
	l, err := instance.List(ctx, h.store, p, by, filters...)
	return &pb.ListInstancesResponse{Pagination: api.Paginated(l.Total, p), Instances: api.Each(l.Rows, show)}, err
}

func show(i instance.Instance) *pb.Instance {
	return &pb.Instance{
		Id: i.ID, Name: i.Name, State: pb.State(i.State), Version: api.Version(), //nolint:gosec // a small number
		CreationDate: timestamppb.New(i.Details.Created), ChangeDate: timestamppb.New(i.Details.Changed),
		CustomDomains: api.Each(i.Domains, domain),
	}
}

func filter(q *pb.Filter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.Filter_InIdsFilter:
		return instance.WithIDs(f.InIdsFilter.GetIds()), nil
	case *pb.Filter_CustomDomainsFilter:
		return instance.WithDomains(f.CustomDomainsFilter.GetDomains()), nil
	}
	return nil, api.ErrFilter
}
