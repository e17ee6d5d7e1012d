package user

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) passwords() []api.RPC {
	return []api.RPC{
		api.Unary("SetPassword", h.setPassword),
		api.Unary("PasswordReset", h.passwordReset),
	}
}

func (h *Handlers) setPassword(ctx context.Context, r *pb.SetPasswordRequest) (*pb.SetPasswordResponse, error) {
	ref := user.Ref{Instance: authz.From(ctx).Instance, UserID: r.GetUserId()}
	password, change := r.GetNewPassword().GetPassword(), r.GetNewPassword().GetChangeRequired()
	var d eventstore.Details
	var err error
	switch proof := r.GetVerification().(type) {
	case *pb.SetPasswordRequest_CurrentPassword:
		d, err = user.ChangePassword(ctx, h.store, h.vault, ref, proof.CurrentPassword, password, change)
	case *pb.SetPasswordRequest_VerificationCode:
		d, err = user.ResetPassword(ctx, h.store, h.vault, ref, proof.VerificationCode, password, change)
	default:
		var s eventstore.Scope
		if s, err = flow.ScopeOf(ctx, h.store, ref.UserID); err == nil {
			d, err = user.GivePassword(ctx, h.store, h.vault, s, ref.UserID, password, change)
		}
	}
	return &pb.SetPasswordResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) passwordReset(ctx context.Context, r *pb.PasswordResetRequest) (*pb.PasswordResetResponse, error) {
	how := user.Delivery{
		Return: r.GetReturnCode() != nil, URLTemplate: r.GetSendLink().GetUrlTemplate(),
		SMS: r.GetSendLink().GetNotificationType() == pb.NotificationType_NOTIFICATION_TYPE_SMS,
	}
	res := &pb.PasswordResetResponse{}
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		code, d, err := user.RequestPasswordReset(tx, h.vault, s.Instance, s.Org, r.GetUserId(), how)
		if how.Return {
			res.VerificationCode = &code
		}
		return d, err
	})
	res.Details = api.ChangedV2(d)
	return res, err
}
