package session

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/session/v2"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/session"
)

var columns = map[pb.SessionFieldName]session.Column{
	pb.SessionFieldName_SESSION_FIELD_NAME_UNSPECIFIED:   session.SortCreated,
	pb.SessionFieldName_SESSION_FIELD_NAME_CREATION_DATE: session.SortCreated,
}

func (h *Handlers) listSessions(ctx context.Context, r *pb.ListSessionsRequest) (*pb.ListSessionsResponse, error) {
	caller := authz.From(ctx)
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), columns, r.GetSortingColumn(), r.GetQueries(),
		func(q *pb.SearchQuery) (database.Filter, error) { return filter(caller, q) })
	if err != nil {
		return nil, err
	}
	l, err := h.sessions.List(ctx, p, by, filters...)
	return &pb.ListSessionsResponse{Details: api.ListedV2(l.Total, h.store.Now()), Sessions: api.Each(l.Rows, message)}, err
}

var errAgent = fault.Invalid("SESSION-fingerprint", "Name a fingerprint: the call came without the token of a session whose browser could be meant.")

// filter makes a filter of a query. Where the contract lets a value be left out, it
// is the caller's own.
func filter(caller *authz.Caller, q *pb.SearchQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *pb.SearchQuery_IdsQuery:
		return api.InIDs(session.WithID, f.IdsQuery.GetIds())
	case *pb.SearchQuery_UserIdQuery:
		return session.OfUser(f.UserIdQuery.GetId()), nil
	case *pb.SearchQuery_CreationDateQuery:
		return api.TimeFilter(session.Created, timestamp(f.CreationDateQuery.GetCreationDate(), f.CreationDateQuery.GetMethod()))
	case *pb.SearchQuery_ExpirationDateQuery:
		return api.TimeFilter(session.Expires, timestamp(f.ExpirationDateQuery.GetExpirationDate(), f.ExpirationDateQuery.GetMethod()))
	case *pb.SearchQuery_CreatorQuery:
		if f.CreatorQuery.Id == nil {
			return session.CreatedBy(caller.UserID), nil
		}
		return session.CreatedBy(f.CreatorQuery.GetId()), nil
	case *pb.SearchQuery_UserAgentQuery:
		switch {
		case f.UserAgentQuery.FingerprintId != nil:
			return session.InAgent(f.UserAgentQuery.GetFingerprintId()), nil
		case caller.SessionID == "":
			return nil, errAgent
		}
		return session.InAgentOf(caller.Instance, caller.SessionID), nil
	}
	return nil, api.ErrFilter
}

// timestamp is a query of this version as the newer ones have it: the numbers of
// the methods are the same.
func timestamp(t *timestamppb.Timestamp, m objectpb.TimestampQueryMethod) *filterpb.TimestampFilter {
	return &filterpb.TimestampFilter{Timestamp: t, Method: filterpb.TimestampFilterMethod(m)}
}

func message(s flow.SessionOf) *pb.Session {
	out := &pb.Session{
		Id: s.ID, CreationDate: api.Timestamp(s.Details.Created), ChangeDate: api.Timestamp(s.Details.Changed), Sequence: s.Details.Sequence,
		Metadata: s.Metadata, ExpirationDate: api.Timestamp(s.Expires), Factors: factors(s),
	}
	if a := s.UserAgent; a != nil {
		out.UserAgent = &pb.UserAgent{FingerprintId: text(a.FingerprintID), Ip: text(a.IP), Description: text(a.Description), Header: map[string]*pb.UserAgent_HeaderValues{}}
		for name, values := range a.Header {
			out.UserAgent.Header[name] = &pb.UserAgent_HeaderValues{Values: values}
		}
	}
	return out
}

// text leaves out what is empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func factors(s flow.SessionOf) *pb.Factors {
	at := api.Timestamp
	return &pb.Factors{
		User: factor(s.UserChecked, &pb.UserFactor{
			VerifiedAt: at(s.UserChecked), Id: s.UserID, OrganizationId: s.UserOrg, LoginName: s.User.LoginName, DisplayName: s.User.DisplayName,
		}),
		Password:     factor(s.PasswordChecked, &pb.PasswordFactor{VerifiedAt: at(s.PasswordChecked)}),
		WebAuthN:     factor(s.WebAuthNChecked, &pb.WebAuthNFactor{VerifiedAt: at(s.WebAuthNChecked), UserVerified: s.UserVerified}),
		Totp:         factor(s.TOTPChecked, &pb.TOTPFactor{VerifiedAt: at(s.TOTPChecked)}),
		OtpSms:       factor(s.SMSChecked, &pb.OTPFactor{VerifiedAt: at(s.SMSChecked)}),
		OtpEmail:     factor(s.EmailChecked, &pb.OTPFactor{VerifiedAt: at(s.EmailChecked)}),
		RecoveryCode: factor(s.RecoveryChecked, &pb.RecoveryCodeFactor{VerifiedAt: at(s.RecoveryChecked)}),
	}
}

// factor is what is shown of a check; nil of one that was not made.
func factor[F any](at time.Time, f *F) *F {
	if at.IsZero() {
		return nil
	}
	return f
}
