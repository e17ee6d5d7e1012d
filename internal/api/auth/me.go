package auth

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) me() []api.RPC {
	return []api.RPC{
		api.Unary("GetMyProfile", h.getMyProfile),
		api.Unary("UpdateMyProfile", h.updateMyProfile),
		api.Unary("GetMyEmail", h.getMyEmail),
		api.Unary("SetMyEmail", h.setMyEmail),
		api.Unary("VerifyMyEmail", h.verifyMyEmail),
		api.Unary("ResendMyEmailVerification", h.resendMyEmailVerification),
		api.Unary("GetMyPhone", h.getMyPhone),
		api.Unary("SetMyPhone", h.setMyPhone),
		api.Unary("VerifyMyPhone", h.verifyMyPhone),
		api.Unary("ResendMyPhoneVerification", h.resendMyPhoneVerification),
		api.Unary("RemoveMyPhone", h.removeMyPhone),
		api.Unary("RemoveMyAvatar", h.removeMyAvatar),
		api.Unary("UpdateMyUserName", h.updateMyUserName),
		api.Unary("RemoveMyUser", h.removeMyUser),
	}
}

// home is the organization that the caller belongs to.
func home(ctx context.Context) eventstore.Scope {
	c := authz.From(ctx)
	return eventstore.Scope{Instance: c.Instance, Org: c.HomeOrg}
}

// write runs a verb on the caller in a transaction.
func (h *Handlers) write(ctx context.Context, verb func(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error)) (d eventstore.Details, err error) {
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		d, err = verb(tx, home(ctx), authz.From(ctx).UserID)
		return err
	})
	return d, err
}

func (h *Handlers) human(ctx context.Context) (flow.User, error) {
	return flow.HumanByID(ctx, h.store, home(ctx), authz.From(ctx).UserID)
}

func (h *Handlers) getMyProfile(ctx context.Context, _ *pb.GetMyProfileRequest) (*pb.GetMyProfileResponse, error) {
	u, err := h.human(ctx)
	return &pb.GetMyProfileResponse{Details: api.View(u.Details), Profile: api.Profile(ctx, u.Human)}, err
}

func (h *Handlers) updateMyProfile(ctx context.Context, r *pb.UpdateMyProfileRequest) (*pb.UpdateMyProfileResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
		return user.ChangeProfile(tx, s, id, func(h *user.Human) { api.SetProfile(h, r) })
	})
	return &pb.UpdateMyProfileResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getMyEmail(ctx context.Context, _ *pb.GetMyEmailRequest) (*pb.GetMyEmailResponse, error) {
	u, err := h.human(ctx)
	return &pb.GetMyEmailResponse{Details: api.View(u.Details), Email: api.Email(u.Human)}, err
}

// set gives the caller another address or number, to which a code is sent.
func (h *Handlers) set(ctx context.Context, c *user.Contact, value string) (eventstore.Details, error) {
	return h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope, id string) (d eventstore.Details, err error) {
		_, d, err = c.Set(tx, h.vault, s, id, value, user.Verification{})
		return d, err
	})
}

func (h *Handlers) verify(ctx context.Context, c *user.Contact, code string) (eventstore.Details, error) {
	return c.Verify(ctx, h.store, h.vault, home(ctx), authz.From(ctx).UserID, code)
}

func (h *Handlers) resend(ctx context.Context, c *user.Contact) (eventstore.Details, error) {
	return h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope, id string) (d eventstore.Details, err error) {
		_, d, err = c.Resend(tx, h.vault, s, id, user.Verification{})
		return d, err
	})
}

func (h *Handlers) setMyEmail(ctx context.Context, r *pb.SetMyEmailRequest) (*pb.SetMyEmailResponse, error) {
	d, err := h.set(ctx, user.Email, r.GetEmail())
	return &pb.SetMyEmailResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) verifyMyEmail(ctx context.Context, r *pb.VerifyMyEmailRequest) (*pb.VerifyMyEmailResponse, error) {
	d, err := h.verify(ctx, user.Email, r.GetCode())
	return &pb.VerifyMyEmailResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) resendMyEmailVerification(ctx context.Context, _ *pb.ResendMyEmailVerificationRequest) (*pb.ResendMyEmailVerificationResponse, error) {
	d, err := h.resend(ctx, user.Email)
	return &pb.ResendMyEmailVerificationResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getMyPhone(ctx context.Context, _ *pb.GetMyPhoneRequest) (*pb.GetMyPhoneResponse, error) {
	u, err := h.human(ctx)
	return &pb.GetMyPhoneResponse{Details: api.View(u.Details), Phone: api.Phone(u.Human)}, err
}

func (h *Handlers) setMyPhone(ctx context.Context, r *pb.SetMyPhoneRequest) (*pb.SetMyPhoneResponse, error) {
	d, err := h.set(ctx, user.Phone, r.GetPhone())
	return &pb.SetMyPhoneResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) verifyMyPhone(ctx context.Context, r *pb.VerifyMyPhoneRequest) (*pb.VerifyMyPhoneResponse, error) {
	d, err := h.verify(ctx, user.Phone, r.GetCode())
	return &pb.VerifyMyPhoneResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) resendMyPhoneVerification(ctx context.Context, _ *pb.ResendMyPhoneVerificationRequest) (*pb.ResendMyPhoneVerificationResponse, error) {
	d, err := h.resend(ctx, user.Phone)
	return &pb.ResendMyPhoneVerificationResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeMyPhone(ctx context.Context, _ *pb.RemoveMyPhoneRequest) (*pb.RemoveMyPhoneResponse, error) {
	d, err := h.write(ctx, user.RemovePhone)
	return &pb.RemoveMyPhoneResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeMyAvatar(ctx context.Context, _ *pb.RemoveMyAvatarRequest) (*pb.RemoveMyAvatarResponse, error) {
	d, err := h.write(ctx, user.RemoveAvatar)
	return &pb.RemoveMyAvatarResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) updateMyUserName(ctx context.Context, r *pb.UpdateMyUserNameRequest) (*pb.UpdateMyUserNameResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
		return user.Rename(tx, s.Instance, s.Org, id, r.GetUserName())
	})
	return &pb.UpdateMyUserNameResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeMyUser(ctx context.Context, _ *pb.RemoveMyUserRequest) (*pb.RemoveMyUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, _ eventstore.Scope, _ string) (eventstore.Details, error) {
		return flow.RemoveSelf(tx)
	})
	return &pb.RemoveMyUserResponse{Details: api.Changed(d)}, err
}
