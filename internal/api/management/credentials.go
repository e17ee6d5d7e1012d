package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) generateMachineSecret(ctx context.Context, r *pb.GenerateMachineSecretRequest) (*pb.GenerateMachineSecretResponse, error) {
	secret, hash := user.NewSecret()
	var name string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		name, d, err = user.SetSecret(tx, s.Instance, s.Org, r.GetUserId(), hash)
		return d, err
	})
	return &pb.GenerateMachineSecretResponse{ClientId: name, ClientSecret: secret, Details: api.Changed(d)}, err
}

func (h *Handlers) removeMachineSecret(ctx context.Context, r *pb.RemoveMachineSecretRequest) (*pb.RemoveMachineSecretResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemoveSecret(tx, s.Instance, s.Org, r.GetUserId())
	})
	return &pb.RemoveMachineSecretResponse{Details: api.Changed(d)}, err
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
		id, d, err = user.AddKey(tx, s.Instance, s.Org, r.GetUserId(), api.ImportOf(ctx).ID, public, api.Expiration(r.GetExpirationDate()))
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
