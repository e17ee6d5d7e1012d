package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) users() []api.RPC {
	return []api.RPC{
		api.Unary("GetUserByID", h.getUserByID),
		api.Unary("AddMachineUser", h.addMachineUser),
		api.Unary("UpdateMachine", h.updateMachine),
		api.Unary("DeactivateUser", h.deactivateUser),
		api.Unary("ReactivateUser", h.reactivateUser),
		api.Unary("RemoveUser", h.removeUser),
		api.Unary("GetPersonalAccessTokenByIDs", h.getPersonalAccessTokenByIDs),
		api.Unary("ListPersonalAccessTokens", h.listPersonalAccessTokens),
		api.Unary("AddPersonalAccessToken", h.addPersonalAccessToken),
		api.Unary("RemovePersonalAccessToken", h.removePersonalAccessToken),
		api.Unary("GetMachineKeyByIDs", h.getMachineKeyByIDs),
		api.Unary("ListMachineKeys", h.listMachineKeys),
		api.Unary("AddMachineKey", h.addMachineKey),
		api.Unary("RemoveMachineKey", h.removeMachineKey),
	}
}

func (h *Handlers) getUserByID(ctx context.Context, r *pb.GetUserByIDRequest) (*pb.GetUserByIDResponse, error) {
	p, logins, err := flow.PersonByID(ctx, h.store, scope(ctx), r.GetId())
	return &pb.GetUserByIDResponse{User: api.User(p, logins)}, err
}

func (h *Handlers) addMachineUser(ctx context.Context, r *pb.AddMachineUserRequest) (*pb.AddMachineUserResponse, error) {
	id, m := r.GetUserId(), user.Machine{Name: r.GetName(), Description: r.GetDescription(), AccessTokenType: int32(r.GetAccessTokenType())}
	m.UserName = r.GetUserName()
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		if r.UserId == nil {
			id = tx.NewID()
		}
		return user.AddMachine(tx, s.Instance, s.Org, id, m)
	})
	// Creations of users answer with the date of a change.
	return &pb.AddMachineUserResponse{UserId: id, Details: api.Changed(d)}, err
}

func (h *Handlers) updateMachine(ctx context.Context, r *pb.UpdateMachineRequest) (*pb.UpdateMachineResponse, error) {
	m := user.Machine{Name: r.GetName(), Description: r.GetDescription(), AccessTokenType: int32(r.GetAccessTokenType())}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.ChangeMachine(tx, s.Instance, s.Org, r.GetUserId(), m)
	})
	return &pb.UpdateMachineResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateUser(ctx context.Context, r *pb.DeactivateUserRequest) (*pb.DeactivateUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.DeactivateUser(tx, s, r.GetId())
	})
	return &pb.DeactivateUserResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) reactivateUser(ctx context.Context, r *pb.ReactivateUserRequest) (*pb.ReactivateUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.Reactivate(tx, s.Instance, s.Org, r.GetId())
	})
	return &pb.ReactivateUserResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeUser(ctx context.Context, r *pb.RemoveUserRequest) (*pb.RemoveUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveUser(tx, s, r.GetId())
	})
	return &pb.RemoveUserResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getPersonalAccessTokenByIDs(ctx context.Context, r *pb.GetPersonalAccessTokenByIDsRequest) (*pb.GetPersonalAccessTokenByIDsResponse, error) {
	s := scope(ctx)
	c, err := user.PATByID(ctx, h.store, s.Instance, s.Org, r.GetUserId(), r.GetTokenId())
	return &pb.GetPersonalAccessTokenByIDsResponse{Token: api.PAT(c)}, err
}

func (h *Handlers) listPersonalAccessTokens(ctx context.Context, r *pb.ListPersonalAccessTokensRequest) (*pb.ListPersonalAccessTokensResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := user.PATs(ctx, h.store, s.Instance, s.Org, r.GetUserId(), p)
	return &pb.ListPersonalAccessTokensResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.PAT)}, err
}

func (h *Handlers) addPersonalAccessToken(ctx context.Context, r *pb.AddPersonalAccessTokenRequest) (*pb.AddPersonalAccessTokenResponse, error) {
	token, hash := user.NewToken()
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = user.AddPAT(tx, s.Instance, s.Org, r.GetUserId(), hash, api.Expiration(r.GetExpirationDate()))
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

func (h *Handlers) getMachineKeyByIDs(ctx context.Context, r *pb.GetMachineKeyByIDsRequest) (*pb.GetMachineKeyByIDsResponse, error) {
	s := scope(ctx)
	c, err := user.KeyByID(ctx, h.store, s.Instance, s.Org, r.GetUserId(), r.GetKeyId())
	return &pb.GetMachineKeyByIDsResponse{Key: api.Key(c)}, err
}

func (h *Handlers) listMachineKeys(ctx context.Context, r *pb.ListMachineKeysRequest) (*pb.ListMachineKeysResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := user.Keys(ctx, h.store, s.Instance, s.Org, r.GetUserId(), p)
	return &pb.ListMachineKeysResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Key)}, err
}

func (h *Handlers) addMachineKey(ctx context.Context, r *pb.AddMachineKeyRequest) (*pb.AddMachineKeyResponse, error) {
	private, public, err := user.KeyPair(r.GetPublicKey())
	if err != nil {
		return nil, err
	}
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = user.AddKey(tx, s.Instance, s.Org, r.GetUserId(), public, api.Expiration(r.GetExpirationDate()))
		return d, err
	})
	return &pb.AddMachineKeyResponse{KeyId: id, KeyDetails: user.KeyFile(id, r.GetUserId(), private), Details: api.Added(d)}, err
}

func (h *Handlers) removeMachineKey(ctx context.Context, r *pb.RemoveMachineKeyRequest) (*pb.RemoveMachineKeyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemoveKey(tx, s.Instance, s.Org, r.GetUserId(), r.GetKeyId())
	})
	return &pb.RemoveMachineKeyResponse{Details: api.Changed(d)}, err
}
