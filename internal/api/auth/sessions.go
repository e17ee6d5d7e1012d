package auth

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/session"
)

// maxSessions is the most sessions that a list without pages shows.
const maxSessions = 1000

func (h *Handlers) listMyUserSessions(ctx context.Context, _ *pb.ListMyUserSessionsRequest) (*pb.ListMyUserSessionsResponse, error) {
	l, err := h.sessions.List(ctx, database.Page{Limit: maxSessions}, session.SortCreated, session.OfUser(authz.From(ctx).UserID))
	return &pb.ListMyUserSessionsResponse{Result: api.Each(l.Rows, h.session(ctx))}, err
}

// session is a session as version 1 shows it.
func (h *Handlers) session(ctx context.Context) func(flow.SessionOf) *userpb.Session {
	return func(s flow.SessionOf) *userpb.Session {
		out := &userpb.Session{
			SessionId: s.ID, UserId: s.UserID, AuthState: userpb.SessionState_SESSION_STATE_ACTIVE, UserName: s.User.UserName,
			LoginName: s.User.LoginName, DisplayName: s.User.DisplayName, AvatarUrl: api.AssetURL(ctx, s.User.Avatar), Details: api.View(s.Details),
		}
		if s.Expired(h.store.Now()) {
			out.AuthState = userpb.SessionState_SESSION_STATE_TERMINATED
		}
		if s.UserAgent != nil {
			out.AgentId = s.UserAgent.FingerprintID
		}
		return out
	}
}
