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
	n := user.NewPassword{Plain: r.GetNewPassword().GetPassword(), ChangeRequired: r.GetNewPassword().GetChangeRequired()}
	var current, code *string
	switch proof := r.GetVerification().(type) {
	case *pb.SetPasswordRequest_CurrentPassword:
		current = &proof.CurrentPassword
	case *pb.SetPasswordRequest_VerificationCode:
		code = &proof.VerificationCode
	}
	d, err := h.changePassword(ctx, r.GetUserId(), n, current, code)
	return &pb.SetPasswordResponse{Details: api.ChangedV2(d)}, err
}

// changePassword sets a password for a proof, or else for the caller's permission.
func (h *Handlers) changePassword(ctx context.Context, id string, n user.NewPassword, current, code *string) (eventstore.Details, error) {
	ref := user.Ref{Instance: authz.From(ctx).Instance, UserID: id}
	switch {
	case current != nil:
		return user.ChangePassword(ctx, h.store, h.vault, ref, *current, n)
	case code != nil:
		return user.ResetPassword(ctx, h.store, h.vault, ref, *code, n)
	}
	s, err := flow.ScopeOf(ctx, h.store, id)
	if err != nil {
		return eventstore.Details{}, err
	}
	return user.GivePassword(ctx, h.store, h.vault, s, id, n)
}

// newPassword takes a password and its proof from a request that changes a user.
func newPassword(r *pb.SetPassword) (n user.NewPassword, current, code *string) {
	n = user.NewPassword{
		Plain: r.GetPassword().GetPassword(), Hash: r.GetHashedPassword().GetHash(),
		ChangeRequired: r.GetPassword().GetChangeRequired() || r.GetHashedPassword().GetChangeRequired(),
	}
	switch proof := r.GetVerification().(type) {
	case *pb.SetPassword_CurrentPassword:
		current = &proof.CurrentPassword
	case *pb.SetPassword_VerificationCode:
		code = &proof.VerificationCode
	}
	return n, current, code
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
