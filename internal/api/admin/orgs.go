package admin

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/org"
)

func (h *Handlers) orgs() []api.RPC {
	return []api.RPC{
		api.Unary("GetOrgByID", h.getOrgByID),
		api.Unary("IsOrgUnique", h.isOrgUnique),
		api.Unary("SetDefaultOrg", h.setDefaultOrg),
		api.Unary("GetDefaultOrg", h.getDefaultOrg),
		api.Unary("ListOrgs", h.listOrgs),
		api.Unary("RemoveOrg", h.removeOrg),
		api.Unary("SetUpOrg", h.setUpOrg),
	}
}

func (h *Handlers) getOrgByID(ctx context.Context, r *pb.GetOrgByIDRequest) (*pb.GetOrgByIDResponse, error) {
	o, err := org.ByID(ctx, h.store, scope(ctx).Instance, r.GetId())
	return &pb.GetOrgByIDResponse{Org: api.Org(o)}, err
}

func (h *Handlers) isOrgUnique(ctx context.Context, r *pb.IsOrgUniqueRequest) (*pb.IsOrgUniqueResponse, error) {
	unique, err := org.Unique(ctx, h.store, scope(ctx).Instance, r.GetName(), r.GetDomain())
	return &pb.IsOrgUniqueResponse{IsUnique: unique}, err
}

func (h *Handlers) setDefaultOrg(ctx context.Context, r *pb.SetDefaultOrgRequest) (*pb.SetDefaultOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.SetDefaultOrg(tx, s.Instance, r.GetOrgId())
	})
	return &pb.SetDefaultOrgResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getDefaultOrg(ctx context.Context, _ *pb.GetDefaultOrgRequest) (*pb.GetDefaultOrgResponse, error) {
	o, err := org.Default(ctx, h.store, scope(ctx).Instance)
	return &pb.GetDefaultOrgResponse{Org: api.Org(o)}, err
}

func (h *Handlers) listOrgs(ctx context.Context, r *pb.ListOrgsRequest) (*pb.ListOrgsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(api.OrgColumns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	instance := scope(ctx).Instance
	filters, err := api.Filters(r.GetQueries(), api.OrgFilter(instance))
	if err != nil {
		return nil, err
	}
	l, err := org.List(ctx, h.store, instance, p, by, filters...)
	return &pb.ListOrgsResponse{
		Details: api.Listed(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, api.Org),
	}, err
}

func (h *Handlers) removeOrg(ctx context.Context, r *pb.RemoveOrgRequest) (*pb.RemoveOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveOrg(tx, s.Instance, r.GetOrgId())
	})
	return &pb.RemoveOrgResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) setUpOrg(ctx context.Context, r *pb.SetUpOrgRequest) (*pb.SetUpOrgResponse, error) {
	in := r.GetHuman()
	n := flow.FirstOrg{
		Name: r.GetOrg().GetName(), Domain: r.GetOrg().GetDomain(), Roles: r.GetRoles(),
		Human: api.NewHuman(in.GetUserName(), in.GetProfile(), in.GetEmail(), in.GetPhone()),
	}
	var err error
	if n.Human.Password, err = flow.FirstPassword(ctx, h.store, scope(ctx), in.GetPassword(), "", false); err != nil {
		return nil, err
	}
	res := &pb.SetUpOrgResponse{}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		res.OrgId, res.UserId, d, err = flow.SetUpOrg(tx, h.vault, s.Instance, n)
		return d, err
	})
	res.Details = api.Added(d)
	return res, err
}
