// Package session is version 2 of the service for sessions: checks of who
// somebody is, and the token that stands for those that succeeded.
package session

import (
	"context"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/session/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/session"
)

// Handlers answers the service.
type Handlers struct {
	store    *eventstore.Store
	sessions *flow.Sessions
}

// Service lists the service's RPCs.
func Service(store *eventstore.Store, sessions *flow.Sessions) api.Service {
	h := &Handlers{store, sessions}
	return api.Service{Name: "zitadel.session.v2.SessionService", RPCs: []api.RPC{
		api.Unary("CreateSession", h.createSession),
		api.Unary("SetSession", h.setSession),
		api.Unary("DeleteSession", h.deleteSession),
		api.Unary("GetSession", h.getSession),
		api.Unary("ListSessions", h.listSessions),
	}}
}

func (h *Handlers) createSession(ctx context.Context, r *pb.CreateSessionRequest) (*pb.CreateSessionResponse, error) {
	c, err := change(r)
	if err != nil {
		return nil, err
	}
	c.UserAgent = userAgent(r.GetUserAgent())
	done, err := h.sessions.Create(ctx, c)
	if err != nil {
		return nil, err
	}
	asked, err := challenges(done)
	return &pb.CreateSessionResponse{Details: api.ChangedV2(done.Details), SessionId: done.ID, SessionToken: done.Token, Challenges: asked}, err
}

func (h *Handlers) setSession(ctx context.Context, r *pb.SetSessionRequest) (*pb.SetSessionResponse, error) {
	c, err := change(r)
	if err != nil {
		return nil, err
	}
	done, err := h.sessions.Set(ctx, r.GetSessionId(), r.GetSessionToken(), c) //nolint:staticcheck // old clients prove with it that the session is theirs
	if err != nil {
		return nil, err
	}
	asked, err := challenges(done)
	return &pb.SetSessionResponse{Details: api.ChangedV2(done.Details), SessionToken: done.Token, Challenges: asked}, err
}

func (h *Handlers) deleteSession(ctx context.Context, r *pb.DeleteSessionRequest) (*pb.DeleteSessionResponse, error) {
	d, err := h.sessions.End(ctx, r.GetSessionId(), r.GetSessionToken())
	return &pb.DeleteSessionResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) getSession(ctx context.Context, r *pb.GetSessionRequest) (*pb.GetSessionResponse, error) {
	s, err := h.sessions.SessionByID(ctx, r.GetSessionId(), r.GetSessionToken())
	return &pb.GetSessionResponse{Session: message(s)}, err
}

var errIntent = fault.Unimplemented("Logins with identity providers are not built yet.")

// change is what requests to create and to set a session share.
func change(r interface {
	GetChecks() *pb.Checks
	GetMetadata() map[string][]byte
	GetChallenges() *pb.RequestChallenges
	GetLifetime() *durationpb.Duration
},
) (c flow.SessionChange, err error) {
	in := r.GetChecks()
	if in.GetIdpIntent() != nil {
		return c, errIntent
	}
	c.Metadata = r.GetMetadata()
	c.Proof = flow.Proof{UserID: in.GetUser().GetUserId(), LoginName: in.GetUser().GetLoginName()}
	if in.GetPassword() != nil {
		c.Proof.Password = &in.Password.Password
	}
	if in.GetTotp() != nil {
		c.Proof.TOTP = &in.Totp.Code
	}
	if in.GetOtpSms() != nil {
		c.Proof.SMSCode = &in.OtpSms.Code
	}
	if in.GetOtpEmail() != nil {
		c.Proof.EmailCode = &in.OtpEmail.Code
	}
	if in.GetRecoveryCode() != nil {
		c.Proof.RecoveryCode = &in.RecoveryCode.Code
	}
	if in.GetWebAuthN() != nil {
		if c.Proof.Assertion, err = protojson.Marshal(in.GetWebAuthN().GetCredentialAssertionData()); err != nil {
			return c, fault.Invalid("SESSION-assertion", "The assertion must be the JSON that the browser gave.").Because(err)
		}
	}
	c.Challenges = requested(r.GetChallenges())
	if l := r.GetLifetime(); l != nil {
		lifetime := l.AsDuration()
		c.Lifetime = &lifetime
	}
	return c, nil
}

func requested(r *pb.RequestChallenges) (c flow.Challenges) {
	if a := r.GetWebAuthN(); a != nil {
		c.Assertion = &flow.AssertionRequest{Domain: a.GetDomain(), Verification: int32(a.GetUserVerificationRequirement())}
	}
	if s := r.GetOtpSms(); s != nil {
		c.SMS = &flow.CodeRequest{Return: s.GetReturnCode()}
	}
	if e := r.GetOtpEmail(); e != nil {
		c.Email = &flow.CodeRequest{Return: e.GetReturnCode() != nil, URLTemplate: e.GetSendCode().GetUrlTemplate()}
	}
	return c
}

// challenges is what a change answers about what the user is asked; nil: nothing
// that is shown.
func challenges(c flow.SessionChanged) (*pb.Challenges, error) {
	out := &pb.Challenges{}
	if c.AssertionOptions != nil {
		options := &structpb.Struct{}
		if err := protojson.Unmarshal(c.AssertionOptions, options); err != nil {
			return nil, err
		}
		out.WebAuthN = &pb.Challenges_WebAuthN{PublicKeyCredentialRequestOptions: options}
	}
	if c.SMSCode != "" {
		out.OtpSms = &c.SMSCode
	}
	if c.EmailCode != "" {
		out.OtpEmail = &c.EmailCode
	}
	if out.WebAuthN == nil && out.OtpSms == nil && out.OtpEmail == nil {
		return nil, nil
	}
	return out, nil
}

func userAgent(a *pb.UserAgent) *session.UserAgent {
	if a == nil {
		return nil
	}
	out := &session.UserAgent{FingerprintID: a.GetFingerprintId(), IP: a.GetIp(), Description: a.GetDescription()}
	for name, values := range a.GetHeader() {
		if out.Header == nil {
			out.Header = map[string][]string{}
		}
		out.Header[name] = values.GetValues()
	}
	return out
}
