package auth

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

func (h *Handlers) tokens() []api.RPC {
	return []api.RPC{
		api.Unary("ListMyRefreshTokens", h.listMyRefreshTokens),
		api.Unary("RevokeMyRefreshToken", h.revokeMyRefreshToken),
		api.Unary("RevokeAllMyRefreshTokens", h.revokeAllMyRefreshTokens),
	}
}

func (h *Handlers) listMyRefreshTokens(ctx context.Context, _ *pb.ListMyRefreshTokensRequest) (*pb.ListMyRefreshTokensResponse, error) {
	p, err := api.PageOf(ctx, (*objectpb.ListQuery)(nil))
	if err != nil {
		return nil, err
	}
	c := authz.From(ctx)
	l, err := oauth.LoginsOf(ctx, h.store, c.Instance, c.UserID, p)
	return &pb.ListMyRefreshTokensResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, refreshToken)}, err
}

func refreshToken(l oauth.Login) *userpb.RefreshToken {
	return &userpb.RefreshToken{
		Id: l.ID, Details: api.View(l.Details), ClientId: l.ClientID, AuthTime: timestamppb.New(l.AuthTime), Scopes: l.Scopes, Audience: l.Audience,
		IdleExpiration: timestamppb.New(l.RefreshIdle), Expiration: timestamppb.New(l.RefreshExpires),
	}
}

func (h *Handlers) revokeMyRefreshToken(ctx context.Context, r *pb.RevokeMyRefreshTokenRequest) (*pb.RevokeMyRefreshTokenResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope, userID string) (eventstore.Details, error) {
		return oauth.EndLogin(tx, s.Instance, userID, r.GetId())
	})
	return &pb.RevokeMyRefreshTokenResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) revokeAllMyRefreshTokens(ctx context.Context, _ *pb.RevokeAllMyRefreshTokensRequest) (*pb.RevokeAllMyRefreshTokensResponse, error) {
	c := authz.From(ctx)
	err := h.store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.EndLogins(tx, c.Instance, c.UserID) })
	return &pb.RevokeAllMyRefreshTokensResponse{}, err
}
