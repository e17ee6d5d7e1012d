package user

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) credentials() []api.RPC {
	return []api.RPC{
		api.Unary("AddSecret", h.addSecret),
		api.Unary("RemoveSecret", h.removeSecret),
		api.Unary("AddKey", h.addKey),
		api.Unary("RemoveKey", h.removeKey),
		api.Unary("ListKeys", h.listKeys),
		api.Unary("AddPersonalAccessToken", h.addPersonalAccessToken),
		api.Unary("RemovePersonalAccessToken", h.removePersonalAccessToken),
		api.Unary("ListPersonalAccessTokens", h.listPersonalAccessTokens),
	}
}

func (h *Handlers) addSecret(ctx context.Context, r *pb.AddSecretRequest) (*pb.AddSecretResponse, error) {
	secret, hash := user.NewSecret()
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		_, d, err = user.SetSecret(tx, s.Instance, s.Org, r.GetUserId(), hash)
		return d, err
	})
	return &pb.AddSecretResponse{CreationDate: timestamppb.New(d.Changed), ClientSecret: secret}, err
}

func (h *Handlers) removeSecret(ctx context.Context, r *pb.RemoveSecretRequest) (*pb.RemoveSecretResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemoveSecret(tx, s.Instance, s.Org, r.GetUserId())
	})
	return &pb.RemoveSecretResponse{DeletionDate: timestamppb.New(d.Changed)}, err
}

// addKey makes a key pair only for those who may have one: it takes a while.
func (h *Handlers) addKey(ctx context.Context, r *pb.AddKeyRequest) (*pb.AddKeyResponse, error) {
	s, err := flow.ScopeOf(ctx, h.store, r.GetUserId())
	if err == nil {
		err = authz.Require(ctx, "user.write", s.Org)
	}
	if err != nil {
		return nil, err
	}
	private, public, err := user.KeyPair(r.GetPublicKey())
	if err != nil {
		return nil, err
	}
	var id string
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = user.AddKey(tx, s.Instance, s.Org, r.GetUserId(), "", public, api.Expiration(r.GetExpirationDate()))
		return d, err
	})
	return &pb.AddKeyResponse{CreationDate: timestamppb.New(d.Changed), KeyId: id, KeyContent: user.KeyFile(id, r.GetUserId(), private)}, err
}

func (h *Handlers) removeKey(ctx context.Context, r *pb.RemoveKeyRequest) (*pb.RemoveKeyResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemoveKey(tx, s.Instance, s.Org, r.GetUserId(), r.GetKeyId())
	})
	return &pb.RemoveKeyResponse{DeletionDate: timestamppb.New(d.Changed)}, err
}

func (h *Handlers) addPersonalAccessToken(ctx context.Context, r *pb.AddPersonalAccessTokenRequest) (*pb.AddPersonalAccessTokenResponse, error) {
	token, hash := user.NewToken()
	var id string
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = user.AddPAT(tx, s.Instance, s.Org, r.GetUserId(), hash, api.Expiration(r.GetExpirationDate()))
		return d, err
	})
	return &pb.AddPersonalAccessTokenResponse{CreationDate: timestamppb.New(d.Changed), TokenId: id, Token: token}, err
}

func (h *Handlers) removePersonalAccessToken(ctx context.Context, r *pb.RemovePersonalAccessTokenRequest) (*pb.RemovePersonalAccessTokenResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemovePAT(tx, s.Instance, s.Org, r.GetUserId(), r.GetTokenId())
	})
	return &pb.RemovePersonalAccessTokenResponse{DeletionDate: timestamppb.New(d.Changed)}, err
}

var keyColumns = map[pb.KeyFieldName]user.CredentialColumn{
	pb.KeyFieldName_KEY_FIELD_NAME_UNSPECIFIED:         user.SortCredentialCreated,
	pb.KeyFieldName_KEY_FIELD_NAME_CREATED_DATE:        user.SortCredentialCreated,
	pb.KeyFieldName_KEY_FIELD_NAME_ID:                  user.SortCredentialID,
	pb.KeyFieldName_KEY_FIELD_NAME_USER_ID:             user.SortCredentialUser,
	pb.KeyFieldName_KEY_FIELD_NAME_ORGANIZATION_ID:     user.SortCredentialOrg,
	pb.KeyFieldName_KEY_FIELD_NAME_KEY_EXPIRATION_DATE: user.SortCredentialExpires,
}

func (h *Handlers) listKeys(ctx context.Context, r *pb.ListKeysRequest) (*pb.ListKeysResponse, error) {
	p, err := api.PageOf(ctx, r.GetPagination())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(keyColumns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetFilters(), keyFilter)
	if err != nil {
		return nil, err
	}
	l, err := user.AllKeys(ctx, h.store, authz.From(ctx).Instance, p, by, filters...)
	return &pb.ListKeysResponse{Pagination: api.Paginated(l.Total, p), Result: api.Each(l.Rows, key)}, err
}

func key(c user.Credential) *pb.Key {
	return &pb.Key{
		Id: c.ID, UserId: c.UserID, OrganizationId: c.Details.Owner, ExpirationDate: api.ExpirationDate(c.Expires),
		CreationDate: timestamppb.New(c.Details.Created), ChangeDate: timestamppb.New(c.Details.Changed),
	}
}

func keyFilter(q *pb.KeysSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.KeysSearchFilter_KeyIdFilter:
		return user.KeyWithID(f.KeyIdFilter.GetId()), nil
	case *pb.KeysSearchFilter_UserIdFilter:
		return user.CredentialOfUser(f.UserIdFilter.GetId()), nil
	case *pb.KeysSearchFilter_OrganizationIdFilter:
		return user.CredentialOfOrg(f.OrganizationIdFilter.GetId()), nil
	case *pb.KeysSearchFilter_CreatedDateFilter:
		return api.TimeFilter(user.CredentialCreated, f.CreatedDateFilter)
	case *pb.KeysSearchFilter_ExpirationDateFilter:
		return api.TimeFilter(user.CredentialExpires, f.ExpirationDateFilter)
	}
	return nil, api.ErrFilter
}

var tokenColumns = map[pb.PersonalAccessTokenFieldName]user.CredentialColumn{
	pb.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_UNSPECIFIED:     user.SortCredentialCreated,
	pb.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_CREATED_DATE:    user.SortCredentialCreated,
	pb.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_ID:              user.SortCredentialID,
	pb.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_USER_ID:         user.SortCredentialUser,
	pb.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_ORGANIZATION_ID: user.SortCredentialOrg,
	pb.PersonalAccessTokenFieldName_PERSONAL_ACCESS_TOKEN_FIELD_NAME_EXPIRATION_DATE: user.SortCredentialExpires,
}

func (h *Handlers) listPersonalAccessTokens(ctx context.Context, r *pb.ListPersonalAccessTokensRequest) (*pb.ListPersonalAccessTokensResponse, error) {
	p, err := api.PageOf(ctx, r.GetPagination())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(tokenColumns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetFilters(), tokenFilter)
	if err != nil {
		return nil, err
	}
	l, err := user.AllPATs(ctx, h.store, authz.From(ctx).Instance, p, by, filters...)
	return &pb.ListPersonalAccessTokensResponse{Pagination: api.Paginated(l.Total, p), Result: api.Each(l.Rows, token)}, err
}

func token(c user.Credential) *pb.PersonalAccessToken {
	return &pb.PersonalAccessToken{
		Id: c.ID, UserId: c.UserID, OrganizationId: c.Details.Owner, ExpirationDate: api.ExpirationDate(c.Expires),
		CreationDate: timestamppb.New(c.Details.Created), ChangeDate: timestamppb.New(c.Details.Changed),
	}
}

func tokenFilter(q *pb.PersonalAccessTokensSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.PersonalAccessTokensSearchFilter_TokenIdFilter:
		return user.TokenWithID(f.TokenIdFilter.GetId()), nil
	case *pb.PersonalAccessTokensSearchFilter_UserIdFilter:
		return user.CredentialOfUser(f.UserIdFilter.GetId()), nil
	case *pb.PersonalAccessTokensSearchFilter_OrganizationIdFilter:
		return user.CredentialOfOrg(f.OrganizationIdFilter.GetId()), nil
	case *pb.PersonalAccessTokensSearchFilter_CreatedDateFilter:
		return api.TimeFilter(user.CredentialCreated, f.CreatedDateFilter)
	case *pb.PersonalAccessTokensSearchFilter_ExpirationDateFilter:
		return api.TimeFilter(user.CredentialExpires, f.ExpirationDateFilter)
	}
	return nil, api.ErrFilter
}
