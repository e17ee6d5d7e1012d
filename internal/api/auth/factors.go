package auth

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) factors() []api.RPC {
	return []api.RPC{
		api.Unary("ListMyAuthFactors", h.listMyAuthFactors),
		api.Unary("AddMyAuthFactorOTP", h.addMyAuthFactorOTP),
		api.Unary("VerifyMyAuthFactorOTP", h.verifyMyAuthFactorOTP),
		api.Unary("RemoveMyAuthFactorOTP", h.removeMyAuthFactorOTP),
		api.Unary("AddMyAuthFactorOTPSMS", h.addMyAuthFactorOTPSMS),
		api.Unary("RemoveMyAuthFactorOTPSMS", h.removeMyAuthFactorOTPSMS),
		api.Unary("AddMyAuthFactorOTPEmail", h.addMyAuthFactorOTPEmail),
		api.Unary("RemoveMyAuthFactorOTPEmail", h.removeMyAuthFactorOTPEmail),
		api.Unary("AddMyAuthFactorU2F", h.addMyAuthFactorU2F),
		api.Unary("VerifyMyAuthFactorU2F", h.verifyMyAuthFactorU2F),
		api.Unary("RemoveMyAuthFactorU2F", h.removeMyAuthFactorU2F),
		api.Unary("ListMyPasswordless", h.listMyPasswordless),
		api.Unary("AddMyPasswordless", h.addMyPasswordless),
		api.Unary("VerifyMyPasswordless", h.verifyMyPasswordless),
		api.Unary("RemoveMyPasswordless", h.removeMyPasswordless),
		api.Unary("AddMyPasswordlessLink", h.addMyPasswordlessLink),
		api.Unary("SendMyPasswordlessLink", h.sendMyPasswordlessLink),
		api.Unary("ListMyLinkedIDPs", h.listMyLinkedIDPs),
		api.Unary("RemoveMyLinkedIDP", h.removeMyLinkedIDP),
	}
}

// me is the caller as a user.
func me(ctx context.Context) user.Ref {
	c := authz.From(ctx)
	return user.Ref{Instance: c.Instance, Org: c.HomeOrg, UserID: c.UserID}
}

// factor runs a verb on a factor of the caller.
func (h *Handlers) factor(ctx context.Context, verb func(*eventstore.Tx, user.Ref) (eventstore.Details, error)) (d eventstore.Details, err error) {
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		d, err = verb(tx, me(ctx))
		return err
	})
	return d, err
}

func (h *Handlers) listMyAuthFactors(ctx context.Context, _ *pb.ListMyAuthFactorsRequest) (*pb.ListMyAuthFactorsResponse, error) {
	factors, err := user.Factors(ctx, h.store, me(ctx))
	return &pb.ListMyAuthFactorsResponse{Result: api.AuthFactors(factors)}, err
}

func (h *Handlers) addMyAuthFactorOTP(ctx context.Context, _ *pb.AddMyAuthFactorOTPRequest) (*pb.AddMyAuthFactorOTPResponse, error) {
	t, err := flow.RegisterTOTP(ctx, h.store, h.vault, me(ctx), api.CallOf(ctx).Host)
	return &pb.AddMyAuthFactorOTPResponse{Details: api.Added(t.Details), Url: t.URI, Secret: t.Secret}, err
}

func (h *Handlers) verifyMyAuthFactorOTP(ctx context.Context, r *pb.VerifyMyAuthFactorOTPRequest) (*pb.VerifyMyAuthFactorOTPResponse, error) {
	d, err := user.VerifyTOTP(ctx, h.store, h.vault, me(ctx), r.GetCode())
	return &pb.VerifyMyAuthFactorOTPResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeMyAuthFactorOTP(ctx context.Context, _ *pb.RemoveMyAuthFactorOTPRequest) (*pb.RemoveMyAuthFactorOTPResponse, error) {
	d, err := h.factor(ctx, user.RemoveTOTP)
	return &pb.RemoveMyAuthFactorOTPResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) addMyAuthFactorOTPSMS(ctx context.Context, _ *pb.AddMyAuthFactorOTPSMSRequest) (*pb.AddMyAuthFactorOTPSMSResponse, error) {
	d, err := h.factor(ctx, user.AddOTPSMS)
	return &pb.AddMyAuthFactorOTPSMSResponse{Details: api.Added(d)}, err
}

func (h *Handlers) removeMyAuthFactorOTPSMS(ctx context.Context, _ *pb.RemoveMyAuthFactorOTPSMSRequest) (*pb.RemoveMyAuthFactorOTPSMSResponse, error) {
	d, err := h.factor(ctx, user.RemoveOTPSMS)
	return &pb.RemoveMyAuthFactorOTPSMSResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) addMyAuthFactorOTPEmail(ctx context.Context, _ *pb.AddMyAuthFactorOTPEmailRequest) (*pb.AddMyAuthFactorOTPEmailResponse, error) {
	d, err := h.factor(ctx, user.AddOTPEmail)
	return &pb.AddMyAuthFactorOTPEmailResponse{Details: api.Added(d)}, err
}

func (h *Handlers) removeMyAuthFactorOTPEmail(ctx context.Context, _ *pb.RemoveMyAuthFactorOTPEmailRequest) (*pb.RemoveMyAuthFactorOTPEmailResponse, error) {
	d, err := h.factor(ctx, user.RemoveOTPEmail)
	return &pb.RemoveMyAuthFactorOTPEmailResponse{Details: api.Changed(d)}, err
}

// registerKey begins the registration of a key of the caller for the host of the
// request.
func (h *Handlers) registerKey(ctx context.Context, kind user.FactorKind) (user.Registration, *userpb.WebAuthNKey, error) {
	begun, err := flow.RegisterKey(ctx, h.store, me(ctx), api.KeyRequest(ctx, kind, ""))
	return begun, &userpb.WebAuthNKey{PublicKey: begun.Options}, err
}

// verifyKey finishes the registration that has begun.
func (h *Handlers) verifyKey(ctx context.Context, kind user.FactorKind, v *userpb.WebAuthNVerification) (eventstore.Details, error) {
	return user.VerifyKey(ctx, h.store, me(ctx), kind, "", v.GetTokenName(), v.GetPublicKeyCredential())
}

func (h *Handlers) removeKey(ctx context.Context, kind user.FactorKind, id string) (eventstore.Details, error) {
	return h.factor(ctx, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveSecurityKey(tx, ref, kind, id)
	})
}

func (h *Handlers) addMyAuthFactorU2F(ctx context.Context, _ *pb.AddMyAuthFactorU2FRequest) (*pb.AddMyAuthFactorU2FResponse, error) {
	begun, key, err := h.registerKey(ctx, user.U2F)
	return &pb.AddMyAuthFactorU2FResponse{Details: api.Added(begun.Details), Key: key}, err
}

func (h *Handlers) verifyMyAuthFactorU2F(ctx context.Context, r *pb.VerifyMyAuthFactorU2FRequest) (*pb.VerifyMyAuthFactorU2FResponse, error) {
	d, err := h.verifyKey(ctx, user.U2F, r.GetVerification())
	return &pb.VerifyMyAuthFactorU2FResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeMyAuthFactorU2F(ctx context.Context, r *pb.RemoveMyAuthFactorU2FRequest) (*pb.RemoveMyAuthFactorU2FResponse, error) {
	d, err := h.removeKey(ctx, user.U2F, r.GetTokenId())
	return &pb.RemoveMyAuthFactorU2FResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listMyPasswordless(ctx context.Context, _ *pb.ListMyPasswordlessRequest) (*pb.ListMyPasswordlessResponse, error) {
	factors, err := user.Factors(ctx, h.store, me(ctx))
	return &pb.ListMyPasswordlessResponse{Result: api.Passkeys(factors)}, err
}

func (h *Handlers) addMyPasswordless(ctx context.Context, _ *pb.AddMyPasswordlessRequest) (*pb.AddMyPasswordlessResponse, error) {
	begun, key, err := h.registerKey(ctx, user.Passkey)
	return &pb.AddMyPasswordlessResponse{Details: api.Added(begun.Details), Key: key}, err
}

func (h *Handlers) verifyMyPasswordless(ctx context.Context, r *pb.VerifyMyPasswordlessRequest) (*pb.VerifyMyPasswordlessResponse, error) {
	d, err := h.verifyKey(ctx, user.Passkey, r.GetVerification())
	return &pb.VerifyMyPasswordlessResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeMyPasswordless(ctx context.Context, r *pb.RemoveMyPasswordlessRequest) (*pb.RemoveMyPasswordlessResponse, error) {
	d, err := h.removeKey(ctx, user.Passkey, r.GetTokenId())
	return &pb.RemoveMyPasswordlessResponse{Details: api.Changed(d)}, err
}

// addMyPasswordlessLink needs no permission: it is about the caller.
func (h *Handlers) addMyPasswordlessLink(ctx context.Context, _ *pb.AddMyPasswordlessLinkRequest) (*pb.AddMyPasswordlessLinkResponse, error) {
	c, err := flow.AddPasskeyCode(ctx, h.store, h.vault, me(ctx), "user.credential.write", user.PasskeyDelivery{Plain: true})
	return &pb.AddMyPasswordlessLinkResponse{
		Details: api.Added(c.Details), Link: flow.PasskeyLink(api.CallOf(ctx).Origin(h.external), me(ctx), c), Expiration: durationpb.New(c.Lifetime),
	}, err
}

func (h *Handlers) sendMyPasswordlessLink(ctx context.Context, _ *pb.SendMyPasswordlessLinkRequest) (*pb.SendMyPasswordlessLinkResponse, error) {
	c, err := flow.AddPasskeyCode(ctx, h.store, h.vault, me(ctx), "user.write", user.PasskeyDelivery{Send: true})
	return &pb.SendMyPasswordlessLinkResponse{Details: api.Added(c.Details)}, err
}

func (h *Handlers) listMyLinkedIDPs(ctx context.Context, r *pb.ListMyLinkedIDPsRequest) (*pb.ListMyLinkedIDPsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := user.Links(ctx, h.store, me(ctx), p)
	return &pb.ListMyLinkedIDPsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Links(me(ctx).UserID, l.Rows)}, err
}

func (h *Handlers) removeMyLinkedIDP(ctx context.Context, r *pb.RemoveMyLinkedIDPRequest) (*pb.RemoveMyLinkedIDPResponse, error) {
	d, err := h.factor(ctx, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveLink(tx, ref, r.GetIdpId(), r.GetLinkedUserId())
	})
	return &pb.RemoveMyLinkedIDPResponse{Details: api.Changed(d)}, err
}
