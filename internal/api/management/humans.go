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

func (h *Handlers) humans() []api.RPC {
	return []api.RPC{
		api.Unary("AddHumanUser", h.addHumanUser),
		api.Unary("ImportHumanUser", h.importHumanUser).Imports(),
		api.Unary("GetHumanProfile", h.getHumanProfile),
		api.Unary("UpdateHumanProfile", h.updateHumanProfile),
		api.Unary("GetHumanEmail", h.getHumanEmail),
		api.Unary("UpdateHumanEmail", h.updateHumanEmail),
		api.Unary("ResendHumanEmailVerification", h.resendHumanEmailVerification),
		api.Unary("ResendHumanInitialization", h.resendHumanInitialization),
		api.Unary("GetHumanPhone", h.getHumanPhone),
		api.Unary("UpdateHumanPhone", h.updateHumanPhone),
		api.Unary("RemoveHumanPhone", h.removeHumanPhone),
		api.Unary("RemoveHumanAvatar", h.removeHumanAvatar),
		api.Unary("ResendHumanPhoneVerification", h.resendHumanPhoneVerification),
	}
}

// add makes a human with a first password.
func (h *Handlers) add(ctx context.Context, n flow.NewHuman, plain, hash string, changeRequired bool) (id string, codes flow.Codes, d eventstore.Details, err error) {
	if n.Password, err = flow.FirstPassword(ctx, h.store, scope(ctx), plain, hash, changeRequired); err != nil {
		return "", codes, d, err
	}
	d, err = h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, codes, d, err = flow.AddHuman(tx, h.vault, s, n)
		return d, err
	})
	return id, codes, d, err
}

// addHumanUser: who did not choose the password is asked for another one.
func (h *Handlers) addHumanUser(ctx context.Context, r *pb.AddHumanUserRequest) (*pb.AddHumanUserResponse, error) {
	n := api.NewHuman(r.GetUserName(), r.GetProfile(), r.GetEmail(), r.GetPhone())
	id, _, d, err := h.add(ctx, n, r.GetInitialPassword(), "", true)
	return &pb.AddHumanUserResponse{UserId: id, Details: api.Changed(d)}, err
}

func (h *Handlers) importHumanUser(ctx context.Context, r *pb.ImportHumanUserRequest) (*pb.ImportHumanUserResponse, error) {
	n := api.ImportedHuman(r)
	n.ID, n.State = api.ImportOf(ctx).ID, api.ImportOf(ctx).State
	id, codes, d, err := h.add(ctx, n, r.GetPassword(), r.GetHashedPassword().GetValue(), r.GetPasswordChangeRequired())
	res := &pb.ImportHumanUserResponse{UserId: id, Details: api.Changed(d)}
	if c := codes.Passkey; err == nil && c.ID != "" {
		res.PasswordlessRegistration = &pb.ImportHumanUserResponse_PasswordlessRegistration{
			Link:     flow.PasskeyLink(api.CallOf(ctx).Origin(h.external), user.Ref{Instance: scope(ctx).Instance, Org: scope(ctx).Org, UserID: id}, c),
			Lifetime: durationpb.New(c.Lifetime), Expiration: durationpb.New(c.Lifetime),
		}
	}
	return res, err
}

func (h *Handlers) getHumanProfile(ctx context.Context, r *pb.GetHumanProfileRequest) (*pb.GetHumanProfileResponse, error) {
	u, err := flow.HumanByID(ctx, h.store, scope(ctx), r.GetUserId())
	return &pb.GetHumanProfileResponse{Details: api.View(u.Details), Profile: api.Profile(ctx, u.Human)}, err
}

func (h *Handlers) updateHumanProfile(ctx context.Context, r *pb.UpdateHumanProfileRequest) (*pb.UpdateHumanProfileResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.ChangeProfile(tx, s, r.GetUserId(), func(h *user.Human) { api.SetProfile(h, r) })
	})
	return &pb.UpdateHumanProfileResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getHumanEmail(ctx context.Context, r *pb.GetHumanEmailRequest) (*pb.GetHumanEmailResponse, error) {
	u, err := flow.HumanByID(ctx, h.store, scope(ctx), r.GetUserId())
	return &pb.GetHumanEmailResponse{Details: api.View(u.Details), Email: api.Email(u.Human)}, err
}

func (h *Handlers) updateHumanEmail(ctx context.Context, r *pb.UpdateHumanEmailRequest) (*pb.UpdateHumanEmailResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		_, d, err = user.Email.Set(tx, h.vault, s, r.GetUserId(), r.GetEmail(), user.Verification{Vouched: r.GetIsEmailVerified()})
		return d, err
	})
	return &pb.UpdateHumanEmailResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) resendHumanEmailVerification(ctx context.Context, r *pb.ResendHumanEmailVerificationRequest) (*pb.ResendHumanEmailVerificationResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		_, d, err = user.Email.Resend(tx, h.vault, s, r.GetUserId(), user.Verification{})
		return d, err
	})
	return &pb.ResendHumanEmailVerificationResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) resendHumanInitialization(ctx context.Context, r *pb.ResendHumanInitializationRequest) (*pb.ResendHumanInitializationResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.InitializeAt(tx, h.vault, s, r.GetUserId(), r.GetEmail())
	})
	return &pb.ResendHumanInitializationResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getHumanPhone(ctx context.Context, r *pb.GetHumanPhoneRequest) (*pb.GetHumanPhoneResponse, error) {
	u, err := flow.HumanByID(ctx, h.store, scope(ctx), r.GetUserId())
	return &pb.GetHumanPhoneResponse{Details: api.View(u.Details), Phone: api.Phone(u.Human)}, err
}

func (h *Handlers) updateHumanPhone(ctx context.Context, r *pb.UpdateHumanPhoneRequest) (*pb.UpdateHumanPhoneResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		_, d, err = user.Phone.Set(tx, h.vault, s, r.GetUserId(), r.GetPhone(), user.Verification{Vouched: r.GetIsPhoneVerified()})
		return d, err
	})
	return &pb.UpdateHumanPhoneResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeHumanPhone(ctx context.Context, r *pb.RemoveHumanPhoneRequest) (*pb.RemoveHumanPhoneResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemovePhone(tx, s, r.GetUserId())
	})
	return &pb.RemoveHumanPhoneResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeHumanAvatar(ctx context.Context, r *pb.RemoveHumanAvatarRequest) (*pb.RemoveHumanAvatarResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemoveAvatar(tx, s, r.GetUserId())
	})
	return &pb.RemoveHumanAvatarResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) resendHumanPhoneVerification(ctx context.Context, r *pb.ResendHumanPhoneVerificationRequest) (*pb.ResendHumanPhoneVerificationResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		_, d, err = user.Phone.Resend(tx, h.vault, s, r.GetUserId(), user.Verification{})
		return d, err
	})
	return &pb.ResendHumanPhoneVerificationResponse{Details: api.Changed(d)}, err
}
