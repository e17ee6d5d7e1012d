package auth

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/session"
)

func (h *Handlers) logins() []api.RPC {
	return []api.RPC{
		api.Unary("ListMyUserSessions", h.listMyUserSessions),
		api.Unary("ListMyRefreshTokens", h.listMyRefreshTokens),
		api.Unary("RevokeMyRefreshToken", h.revokeMyRefreshToken),
		api.Unary("RevokeAllMyRefreshTokens", h.revokeAllMyRefreshTokens),
	}
}

// maxSessions is the most sessions that a list without pages shows.
const maxSessions = 1000

func (h *Handlers) listMyUserSessions(ctx context.Context, _ *pb.ListMyUserSessionsRequest) (*pb.ListMyUserSessionsResponse, error) {
	l, err := h.sessions.List(ctx, database.Page{Limit: maxSessions}, session.SortCreated, session.OfUser(authz.From(ctx).UserID))
	return &pb.ListMyUserSessionsResponse{Result: api.Each(l.Rows, h.session)}, err
}

// session is a session as version 1 shows it.
func (h *Handlers) session(s flow.SessionOf) *userpb.Session {
	out := &userpb.Session{
		SessionId: s.ID, UserId: s.UserID, AuthState: userpb.SessionState_SESSION_STATE_ACTIVE, UserName: s.User.UserName,
		LoginName: s.User.LoginName, DisplayName: s.User.DisplayName, Details: api.View(s.Details),
	}
	if s.Expired(h.store.Now()) {
		out.AuthState = userpb.SessionState_SESSION_STATE_TERMINATED
	}
	if s.UserAgent != nil {
		out.AgentId = s.UserAgent.FingerprintID
	}
	return out
}

func (h *Handlers) listMyRefreshTokens(ctx context.Context, _ *pb.ListMyRefreshTokensRequest) (*pb.ListMyRefreshTokensResponse, error) {
	c := authz.From(ctx)
	l, err := oauth.RefreshableOf(ctx, h.store, c.Instance, c.UserID, h.store.Now())
	return &pb.ListMyRefreshTokensResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, refreshToken)}, err
}

func refreshToken(f oauth.Refreshable) *userpb.RefreshToken {
	return &userpb.RefreshToken{
		Id: f.ID, Details: api.View(f.Details), ClientId: f.ClientID, AuthTime: timestamppb.New(f.AuthTime),
		IdleExpiration: timestamppb.New(f.RefreshIdle), Expiration: timestamppb.New(f.RefreshExpires), Scopes: f.Scopes, Audience: f.Audience,
	}
}

func (h *Handlers) revokeMyRefreshToken(ctx context.Context, r *pb.RevokeMyRefreshTokenRequest) (*pb.RevokeMyRefreshTokenResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
		return oauth.EndOf(tx, s.Instance, id, r.GetId())
	})
	return &pb.RevokeMyRefreshTokenResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) revokeAllMyRefreshTokens(ctx context.Context, _ *pb.RevokeAllMyRefreshTokensRequest) (*pb.RevokeAllMyRefreshTokensResponse, error) {
	c := authz.From(ctx)
	return &pb.RevokeAllMyRefreshTokensResponse{}, oauth.EndAllOf(ctx, h.store, c.Instance, c.UserID)
}
