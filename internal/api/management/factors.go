package management

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) factors() []api.RPC {
	return []api.RPC{
		api.Unary("ListHumanAuthFactors", h.listHumanAuthFactors),
		api.Unary("RemoveHumanAuthFactorOTP", h.removeHumanAuthFactorOTP),
		api.Unary("RemoveHumanAuthFactorU2F", h.removeHumanAuthFactorU2F),
		api.Unary("RemoveHumanAuthFactorOTPSMS", h.removeHumanAuthFactorOTPSMS),
		api.Unary("RemoveHumanAuthFactorOTPEmail", h.removeHumanAuthFactorOTPEmail),
		api.Unary("ListHumanPasswordless", h.listHumanPasswordless),
		api.Unary("AddPasswordlessRegistration", h.addPasswordlessRegistration),
		api.Unary("SendPasswordlessRegistration", h.sendPasswordlessRegistration),
		api.Unary("RemoveHumanPasswordless", h.removeHumanPasswordless),
		api.Unary("ListHumanLinkedIDPs", h.listHumanLinkedIDPs),
		api.Unary("RemoveHumanLinkedIDP", h.removeHumanLinkedIDP),
	}
}

// ref is the user of the organization that a request names.
func ref(ctx context.Context, r interface{ GetUserId() string }) user.Ref {
	s := scope(ctx)
	return user.Ref{Instance: s.Instance, Org: s.Org, UserID: r.GetUserId()}
}

// factor runs a verb on a factor of the user that a request names.
func (h *Handlers) factor(ctx context.Context, r interface{ GetUserId() string }, verb func(*eventstore.Tx, user.Ref) (eventstore.Details, error)) (eventstore.Details, error) {
	return h.write(ctx, func(tx *eventstore.Tx, _ eventstore.Scope) (eventstore.Details, error) { return verb(tx, ref(ctx, r)) })
}

func (h *Handlers) listHumanAuthFactors(ctx context.Context, r *pb.ListHumanAuthFactorsRequest) (*pb.ListHumanAuthFactorsResponse, error) {
	factors, err := user.Factors(ctx, h.store, ref(ctx, r))
	return &pb.ListHumanAuthFactorsResponse{Result: api.AuthFactors(factors)}, err
}

func (h *Handlers) removeHumanAuthFactorOTP(ctx context.Context, r *pb.RemoveHumanAuthFactorOTPRequest) (*pb.RemoveHumanAuthFactorOTPResponse, error) {
	d, err := h.factor(ctx, r, user.RemoveTOTP)
	return &pb.RemoveHumanAuthFactorOTPResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeHumanAuthFactorU2F(ctx context.Context, r *pb.RemoveHumanAuthFactorU2FRequest) (*pb.RemoveHumanAuthFactorU2FResponse, error) {
	d, err := h.factor(ctx, r, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveSecurityKey(tx, ref, user.U2F, r.GetTokenId())
	})
	return &pb.RemoveHumanAuthFactorU2FResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeHumanAuthFactorOTPSMS(ctx context.Context, r *pb.RemoveHumanAuthFactorOTPSMSRequest) (*pb.RemoveHumanAuthFactorOTPSMSResponse, error) {
	d, err := h.factor(ctx, r, user.RemoveOTPSMS)
	return &pb.RemoveHumanAuthFactorOTPSMSResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeHumanAuthFactorOTPEmail(ctx context.Context, r *pb.RemoveHumanAuthFactorOTPEmailRequest) (*pb.RemoveHumanAuthFactorOTPEmailResponse, error) {
	d, err := h.factor(ctx, r, user.RemoveOTPEmail)
	return &pb.RemoveHumanAuthFactorOTPEmailResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listHumanPasswordless(ctx context.Context, r *pb.ListHumanPasswordlessRequest) (*pb.ListHumanPasswordlessResponse, error) {
	factors, err := user.Factors(ctx, h.store, ref(ctx, r))
	return &pb.ListHumanPasswordlessResponse{Result: api.Passkeys(factors)}, err
}

func (h *Handlers) addPasswordlessRegistration(ctx context.Context, r *pb.AddPasswordlessRegistrationRequest) (*pb.AddPasswordlessRegistrationResponse, error) {
	who := ref(ctx, r)
	c, err := flow.AddPasskeyCode(ctx, h.store, h.vault, who, "user.credential.write", user.PasskeyDelivery{Plain: true})
	return &pb.AddPasswordlessRegistrationResponse{
		Details: api.Added(c.Details), Link: flow.PasskeyLink(api.CallOf(ctx).Origin(h.external), who, c), Expiration: durationpb.New(c.Lifetime),
	}, err
}

func (h *Handlers) sendPasswordlessRegistration(ctx context.Context, r *pb.SendPasswordlessRegistrationRequest) (*pb.SendPasswordlessRegistrationResponse, error) {
	c, err := flow.AddPasskeyCode(ctx, h.store, h.vault, ref(ctx, r), "user.write", user.PasskeyDelivery{Send: true})
	return &pb.SendPasswordlessRegistrationResponse{Details: api.Added(c.Details)}, err
}

func (h *Handlers) removeHumanPasswordless(ctx context.Context, r *pb.RemoveHumanPasswordlessRequest) (*pb.RemoveHumanPasswordlessResponse, error) {
	d, err := h.factor(ctx, r, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveSecurityKey(tx, ref, user.Passkey, r.GetTokenId())
	})
	return &pb.RemoveHumanPasswordlessResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listHumanLinkedIDPs(ctx context.Context, r *pb.ListHumanLinkedIDPsRequest) (*pb.ListHumanLinkedIDPsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := user.Links(ctx, h.store, ref(ctx, r), p)
	return &pb.ListHumanLinkedIDPsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Links(r.GetUserId(), l.Rows)}, err
}

func (h *Handlers) removeHumanLinkedIDP(ctx context.Context, r *pb.RemoveHumanLinkedIDPRequest) (*pb.RemoveHumanLinkedIDPResponse, error) {
	d, err := h.factor(ctx, r, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveLink(tx, ref, r.GetIdpId(), r.GetLinkedUserId())
	})
	return &pb.RemoveHumanLinkedIDPResponse{Details: api.Changed(d)}, err
}
