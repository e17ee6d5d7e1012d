package management

import (
	"context"
	"time"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) orgs() []api.RPC {
	return []api.RPC{
		api.Unary("Healthz", healthz),
		api.Unary("AddOrg", h.addOrg),
		api.Unary("GetMyOrg", h.getMyOrg),
		api.Unary("UpdateOrg", h.updateOrg),
		api.Unary("DeactivateOrg", h.deactivateOrg),
		api.Unary("ReactivateOrg", h.reactivateOrg),
		api.Unary("RemoveOrg", h.removeOrg),
		api.Unary("AddOrgMember", h.addOrgMember),
		api.Unary("UpdateOrgMember", h.updateOrgMember),
		api.Unary("AddMachineUser", h.addMachineUser),
		api.Unary("AddPersonalAccessToken", h.addPersonalAccessToken),
		api.Unary("RemovePersonalAccessToken", h.removePersonalAccessToken),
	}
}

func (h *Handlers) addOrg(ctx context.Context, r *pb.AddOrgRequest) (*pb.AddOrgResponse, error) {
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		id = tx.NewID()
		return flow.AddOrg(tx, s.Instance, id, r.GetName(), authz.From(ctx).UserID)
	})
	return &pb.AddOrgResponse{Id: id, Details: api.Added(d)}, err
}

func (h *Handlers) getMyOrg(ctx context.Context, _ *pb.GetMyOrgRequest) (*pb.GetMyOrgResponse, error) {
	s := scope(ctx)
	o, err := org.ByID(ctx, h.store, s.Instance, s.Org)
	return &pb.GetMyOrgResponse{Org: &orgpb.Org{
		Id: o.ID, Name: o.Name, PrimaryDomain: o.PrimaryDomain,
		State: orgpb.OrgState(o.State), Details: api.View(o.Details), //nolint:gosec // a small number
	}}, err
}

func (h *Handlers) updateOrg(ctx context.Context, r *pb.UpdateOrgRequest) (*pb.UpdateOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return org.Rename(tx, s.Instance, s.Org, r.GetName())
	})
	return &pb.UpdateOrgResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateOrg(ctx context.Context, _ *pb.DeactivateOrgRequest) (*pb.DeactivateOrgResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return org.Deactivate(tx, s.Instance, s.Org)
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

func (h *Handlers) addOrgMember(ctx context.Context, r *pb.AddOrgMemberRequest) (*pb.AddOrgMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.AddMember(tx, s, r.GetUserId(), r.GetRoles())
	})
	return &pb.AddOrgMemberResponse{Details: api.Added(d)}, err
}

func (h *Handlers) updateOrgMember(ctx context.Context, r *pb.UpdateOrgMemberRequest) (*pb.UpdateOrgMemberResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return member.Change(tx, s, r.GetUserId(), r.GetRoles())
	})
	return &pb.UpdateOrgMemberResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) addMachineUser(ctx context.Context, r *pb.AddMachineUserRequest) (*pb.AddMachineUserResponse, error) {
	if r.GetUserId() != "" {
		return nil, fault.Unimplemented("Choosing the id of a machine user is not built yet. Leave out userId.")
	}
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		id = tx.NewID()
		return user.AddMachine(tx, s.Instance, s.Org, id, user.Machine{
			UserName: r.GetUserName(), Name: r.GetName(), Description: r.GetDescription(), AccessTokenType: int32(r.GetAccessTokenType()),
		})
	})
	return &pb.AddMachineUserResponse{UserId: id, Details: api.Changed(d)}, err
}

func (h *Handlers) addPersonalAccessToken(ctx context.Context, r *pb.AddPersonalAccessTokenRequest) (*pb.AddPersonalAccessTokenResponse, error) {
	token, hash := user.NewToken()
	var expires time.Time
	if r.GetExpirationDate() != nil {
		expires = r.GetExpirationDate().AsTime()
	}
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = user.AddPAT(tx, s.Instance, s.Org, r.GetUserId(), hash, expires)
		return d, err
	})
	return &pb.AddPersonalAccessTokenResponse{TokenId: id, Token: token, Details: api.Added(d)}, err
}

func (h *Handlers) removePersonalAccessToken(ctx context.Context, r *pb.RemovePersonalAccessTokenRequest) (*pb.RemovePersonalAccessTokenResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemovePAT(tx, s.Instance, s.Org, r.GetUserId(), r.GetTokenId())
	})
	return &pb.RemovePersonalAccessTokenResponse{Details: api.Changed(d)}, err
}
