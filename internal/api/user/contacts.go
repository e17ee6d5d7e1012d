package user

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) contacts() []api.RPC {
	return []api.RPC{
		api.Unary("SetEmail", h.setEmail),
		api.Unary("ResendEmailCode", h.resendEmailCode),
		api.Unary("SendEmailCode", h.sendEmailCode),
		api.Unary("VerifyEmail", h.verifyEmail),
		api.Unary("SetPhone", h.setPhone),
		api.Unary("RemovePhone", h.removePhone),
		api.Unary("ResendPhoneCode", h.resendPhoneCode),
		api.Unary("VerifyPhone", h.verifyPhone),
		api.Unary("CreateInviteCode", h.createInviteCode),
		api.Unary("ResendInviteCode", h.resendInviteCode),
		api.Unary("VerifyInviteCode", h.verifyInviteCode),
	}
}

// coded runs a verb on the user that a request names, which may give a code.
func (h *Handlers) coded(ctx context.Context, r interface{ GetUserId() string }, verb func(*eventstore.Tx, eventstore.Scope) (string, eventstore.Details, error)) (code *string, d eventstore.Details, err error) {
	d, err = h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		text, d, err := verb(tx, s)
		code = given(text)
		return d, err
	})
	return code, d, err
}

func (h *Handlers) setEmail(ctx context.Context, r *pb.SetEmailRequest) (*pb.SetEmailResponse, error) {
	code, d, err := h.coded(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (string, eventstore.Details, error) {
		return user.Email.Set(tx, h.vault, s, r.GetUserId(), r.GetEmail(), api.VerifyEmailV2(r))
	})
	return &pb.SetEmailResponse{Details: api.ChangedV2(d), VerificationCode: code}, err
}

// codeRequest is what the requests for another code share.
type codeRequest interface {
	GetUserId() string
	GetSendCode() *pb.SendEmailVerificationCode
	GetReturnCode() *pb.ReturnEmailVerificationCode
}

func (h *Handlers) emailCode(ctx context.Context, r codeRequest) (*string, eventstore.Details, error) {
	return h.coded(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (string, eventstore.Details, error) {
		how := user.Verification{Return: r.GetReturnCode() != nil, URLTemplate: r.GetSendCode().GetUrlTemplate()}
		return user.Email.Resend(tx, h.vault, s, r.GetUserId(), how)
	})
}

func (h *Handlers) resendEmailCode(ctx context.Context, r *pb.ResendEmailCodeRequest) (*pb.ResendEmailCodeResponse, error) {
	code, d, err := h.emailCode(ctx, r)
	return &pb.ResendEmailCodeResponse{Details: api.ChangedV2(d), VerificationCode: code}, err
}

func (h *Handlers) sendEmailCode(ctx context.Context, r *pb.SendEmailCodeRequest) (*pb.SendEmailCodeResponse, error) {
	code, d, err := h.emailCode(ctx, r)
	return &pb.SendEmailCodeResponse{Details: api.ChangedV2(d), VerificationCode: code}, err
}

// proven runs a verb outside of a transaction on the user that a request names.
func (h *Handlers) proven(ctx context.Context, r interface {
	GetUserId() string
	GetVerificationCode() string
}, verb func(s eventstore.Scope, id, code string) (eventstore.Details, error),
) (eventstore.Details, error) {
	s, err := flow.ScopeOf(ctx, h.store, r.GetUserId())
	if err != nil {
		return eventstore.Details{}, err
	}
	return verb(s, r.GetUserId(), r.GetVerificationCode())
}

func (h *Handlers) verifyEmail(ctx context.Context, r *pb.VerifyEmailRequest) (*pb.VerifyEmailResponse, error) {
	d, err := h.proven(ctx, r, func(s eventstore.Scope, id, code string) (eventstore.Details, error) {
		return user.Email.Verify(ctx, h.store, h.vault, s, id, code)
	})
	return &pb.VerifyEmailResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) setPhone(ctx context.Context, r *pb.SetPhoneRequest) (*pb.SetPhoneResponse, error) {
	code, d, err := h.coded(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (string, eventstore.Details, error) {
		return user.Phone.Set(tx, h.vault, s, r.GetUserId(), r.GetPhone(), api.VerifyPhoneV2(r))
	})
	return &pb.SetPhoneResponse{Details: api.ChangedV2(d), VerificationCode: code}, err
}

func (h *Handlers) removePhone(ctx context.Context, r *pb.RemovePhoneRequest) (*pb.RemovePhoneResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.RemovePhone(tx, s, r.GetUserId())
	})
	return &pb.RemovePhoneResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) resendPhoneCode(ctx context.Context, r *pb.ResendPhoneCodeRequest) (*pb.ResendPhoneCodeResponse, error) {
	code, d, err := h.coded(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (string, eventstore.Details, error) {
		return user.Phone.Resend(tx, h.vault, s, r.GetUserId(), user.Verification{Return: r.GetReturnCode() != nil})
	})
	return &pb.ResendPhoneCodeResponse{Details: api.ChangedV2(d), VerificationCode: code}, err
}

func (h *Handlers) verifyPhone(ctx context.Context, r *pb.VerifyPhoneRequest) (*pb.VerifyPhoneResponse, error) {
	d, err := h.proven(ctx, r, func(s eventstore.Scope, id, code string) (eventstore.Details, error) {
		return user.Phone.Verify(ctx, h.store, h.vault, s, id, code)
	})
	return &pb.VerifyPhoneResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) createInviteCode(ctx context.Context, r *pb.CreateInviteCodeRequest) (*pb.CreateInviteCodeResponse, error) {
	i := user.Invitation{URLTemplate: r.GetSendCode().GetUrlTemplate(), ApplicationName: r.GetSendCode().GetApplicationName(), Returned: r.GetReturnCode() != nil}
	code, d, err := h.coded(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (string, eventstore.Details, error) {
		return user.Invite(tx, h.vault, s, r.GetUserId(), i)
	})
	return &pb.CreateInviteCodeResponse{Details: api.ChangedV2(d), InviteCode: code}, err
}

func (h *Handlers) resendInviteCode(ctx context.Context, r *pb.ResendInviteCodeRequest) (*pb.ResendInviteCodeResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.InviteAgain(tx, h.vault, s, r.GetUserId())
	})
	return &pb.ResendInviteCodeResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) verifyInviteCode(ctx context.Context, r *pb.VerifyInviteCodeRequest) (*pb.VerifyInviteCodeResponse, error) {
	d, err := h.proven(ctx, r, func(s eventstore.Scope, id, code string) (eventstore.Details, error) {
		return user.AcceptInvite(ctx, h.store, h.vault, s, id, code)
	})
	return &pb.VerifyInviteCodeResponse{Details: api.ChangedV2(d)}, err
}
