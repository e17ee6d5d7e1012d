// Package org is version 2 of the service for organizations. Every call names its
// organization, and the caller's permissions there decide.
package org

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/org"
)

// Handlers answers the service from a store.
type Handlers struct {
	store   *eventstore.Store
	vault   *crypto.Vault
	outside flow.Outside
}

// Service lists what is built of the service. The vault seals codes; outside is where
// domains are proved.
func Service(store *eventstore.Store, vault *crypto.Vault, outside flow.Outside) api.Service {
	h := &Handlers{store: store, vault: vault, outside: outside}
	return api.Service{Name: "zitadel.org.v2.OrganizationService", RPCs: slices.Concat(h.orgs(), h.domains(), h.metadata())}
}

func (h *Handlers) orgs() []api.RPC {
	return []api.RPC{
		api.Unary("AddOrganization", h.addOrganization),
		api.Unary("UpdateOrganization", h.updateOrganization),
		api.Unary("ListOrganizations", h.listOrganizations),
		api.Unary("DeleteOrganization", h.deleteOrganization),
		api.Unary("DeactivateOrganization", h.deactivateOrganization),
		api.Unary("ActivateOrganization", h.activateOrganization),
	}
}

// scope is the organization that a request names.
func scope(ctx context.Context, r interface{ GetOrganizationId() string }) eventstore.Scope {
	return eventstore.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
}

// write runs a verb in a transaction and gives the date of the change. Where the
// organization is like that already, it is the date of its last change.
func (h *Handlers) write(ctx context.Context, s eventstore.Scope, verb func(*eventstore.Tx) (eventstore.Details, error)) (*timestamppb.Timestamp, error) {
	var d eventstore.Details
	err := h.store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		d, err = verb(tx)
		return err
	})
	if org.Unchanged(err) {
		o, err := org.ByID(ctx, h.store, s.Instance, s.Org)
		return timestamppb.New(o.Details.Changed), err
	}
	return timestamppb.New(d.Changed), err
}

func (h *Handlers) addOrganization(ctx context.Context, r *pb.AddOrganizationRequest) (*pb.AddOrganizationResponse, error) {
	n := flow.NewOrg{Name: r.GetName(), ID: r.GetOrganizationId()}
	if n.ID == "" {
		n.ID = r.GetOrgId() //nolint:staticcheck // the older name of the field
	}
	instance := authz.From(ctx).Instance
	for _, a := range r.GetAdmins() {
		admin := flow.Admin{UserID: a.GetUserId(), Roles: a.GetRoles()}
		if in := a.GetHuman(); in != nil {
			human, err := api.HumanV2(ctx, h.store, eventstore.Scope{Instance: instance}, in, in.GetUserId(), in.GetUsername())
			if err != nil {
				return nil, err
			}
			admin.Human = &human
		}
		n.Admins = append(n.Admins, admin)
	}
	res := &pb.AddOrganizationResponse{}
	err := h.store.Write(ctx, func(tx *eventstore.Tx) error {
		id, d, err := flow.AddOrg(tx, h.vault, instance, n)
		res.OrganizationId, res.CreatedAdmins = id, api.Each(n.Admins, createdAdmin)
		res.Details = &objectpb.Details{
			Sequence: d.Sequence, CreationDate: timestamppb.New(d.Created), ChangeDate: timestamppb.New(d.Changed), ResourceOwner: id,
		}
		return err
	})
	return res, err
}

func createdAdmin(a flow.Admin) *pb.AddOrganizationResponse_CreatedAdmin {
	out := &pb.AddOrganizationResponse_CreatedAdmin{UserId: a.UserID}
	if a.Codes.Email != "" {
		out.EmailCode = &a.Codes.Email
	}
	if a.Codes.Phone != "" {
		out.PhoneCode = &a.Codes.Phone
	}
	return out
}

func (h *Handlers) updateOrganization(ctx context.Context, r *pb.UpdateOrganizationRequest) (*pb.UpdateOrganizationResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return org.Rename(tx, s.Instance, s.Org, r.GetName())
	})
	return &pb.UpdateOrganizationResponse{ChangeDate: at}, err
}

// deleteOrganization is satisfied with an organization that is gone already.
func (h *Handlers) deleteOrganization(ctx context.Context, r *pb.DeleteOrganizationRequest) (*pb.DeleteOrganizationResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.RemoveOrg(tx, s.Instance, s.Org)
	})
	if org.Missing(err) {
		return &pb.DeleteOrganizationResponse{}, nil
	}
	return &pb.DeleteOrganizationResponse{DeletionDate: at}, err
}

func (h *Handlers) deactivateOrganization(ctx context.Context, r *pb.DeactivateOrganizationRequest) (*pb.DeactivateOrganizationResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.DeactivateOrg(tx, s.Instance, s.Org)
	})
	return &pb.DeactivateOrganizationResponse{ChangeDate: at}, err
}

func (h *Handlers) activateOrganization(ctx context.Context, r *pb.ActivateOrganizationRequest) (*pb.ActivateOrganizationResponse, error) {
	s := scope(ctx, r)
	at, err := h.write(ctx, s, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return org.Reactivate(tx, s.Instance, s.Org)
	})
	return &pb.ActivateOrganizationResponse{ChangeDate: at}, err
}

var columns = map[pb.OrganizationFieldName]org.Column{
	pb.OrganizationFieldName_ORGANIZATION_FIELD_NAME_UNSPECIFIED:   org.SortCreated,
	pb.OrganizationFieldName_ORGANIZATION_FIELD_NAME_NAME:          org.SortName,
	pb.OrganizationFieldName_ORGANIZATION_FIELD_NAME_CREATION_DATE: org.SortCreated,
}

func (h *Handlers) listOrganizations(ctx context.Context, r *pb.ListOrganizationsRequest) (*pb.ListOrganizationsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(columns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	instance := authz.From(ctx).Instance
	filters, err := api.Filters(r.GetQueries(), filter(instance))
	if err != nil {
		return nil, err
	}
	l, err := org.List(ctx, h.store, instance, p, by, filters...)
	return &pb.ListOrganizationsResponse{
		Details: api.ListedV2(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, organization),
	}, err
}

func organization(o org.Org) *pb.Organization {
	return &pb.Organization{
		Id: o.ID, Name: o.Name, PrimaryDomain: o.PrimaryDomain, State: pb.OrganizationState(o.State), //nolint:gosec // a small number
		Details: &objectpb.Details{
			Sequence: o.Details.Sequence, CreationDate: timestamppb.New(o.Details.Created),
			ChangeDate: timestamppb.New(o.Details.Changed), ResourceOwner: o.ID,
		},
	}
}

func filter(instance string) func(*pb.SearchQuery) (database.Filter, error) {
	return func(q *pb.SearchQuery) (database.Filter, error) {
		switch f := q.GetQuery().(type) {
		case *pb.SearchQuery_NameQuery:
			return org.ByName(database.TextMethod(f.NameQuery.GetMethod()), f.NameQuery.GetName()), nil
		case *pb.SearchQuery_DomainQuery:
			return org.WithDomain(instance, database.TextMethod(f.DomainQuery.GetMethod()), f.DomainQuery.GetDomain()), nil
		case *pb.SearchQuery_StateQuery:
			return org.ByState(int(f.StateQuery.GetState())), nil
		case *pb.SearchQuery_IdQuery:
			return org.WithID(f.IdQuery.GetId()), nil
		case *pb.SearchQuery_DefaultQuery:
			return org.IsDefault, nil
		}
		return nil, api.ErrFilter
	}
}
