package user

import (
	"context"
	"slices"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) factors() []api.RPC {
	return []api.RPC{
		api.Unary("RegisterTOTP", h.registerTOTP),
		api.Unary("VerifyTOTPRegistration", h.verifyTOTPRegistration),
		api.Unary("RemoveTOTP", h.removeTOTP),
		api.Unary("AddOTPSMS", h.addOTPSMS),
		api.Unary("RemoveOTPSMS", h.removeOTPSMS),
		api.Unary("AddOTPEmail", h.addOTPEmail),
		api.Unary("RemoveOTPEmail", h.removeOTPEmail),
		api.Unary("GenerateRecoveryCodes", h.generateRecoveryCodes),
		api.Unary("RemoveRecoveryCodes", h.removeRecoveryCodes),
		api.Unary("ListAuthenticationMethodTypes", h.listAuthenticationMethodTypes),
		api.Unary("ListAuthenticationFactors", h.listAuthenticationFactors),
	}
}

// ref finds the user that a request names.
func (h *Handlers) ref(ctx context.Context, r interface{ GetUserId() string }) (user.Ref, error) {
	s, err := flow.ScopeOf(ctx, h.store, r.GetUserId())
	return user.Ref{Instance: s.Instance, Org: s.Org, UserID: r.GetUserId()}, err
}

// factor runs a verb on a factor of the user that a request names.
func (h *Handlers) factor(ctx context.Context, r interface{ GetUserId() string }, verb func(*eventstore.Tx, user.Ref) (eventstore.Details, error)) (eventstore.Details, error) {
	return h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return verb(tx, user.Ref{Instance: s.Instance, Org: s.Org, UserID: r.GetUserId()})
	})
}

func (h *Handlers) registerTOTP(ctx context.Context, r *pb.RegisterTOTPRequest) (*pb.RegisterTOTPResponse, error) {
	ref, err := h.ref(ctx, r)
	if err != nil {
		return nil, err
	}
	t, err := flow.RegisterTOTP(ctx, h.store, h.vault, ref, api.CallOf(ctx).Host)
	return &pb.RegisterTOTPResponse{Details: api.ChangedV2(t.Details), Uri: t.URI, Secret: t.Secret}, err
}

func (h *Handlers) verifyTOTPRegistration(ctx context.Context, r *pb.VerifyTOTPRegistrationRequest) (*pb.VerifyTOTPRegistrationResponse, error) {
	ref, err := h.ref(ctx, r)
	if err != nil {
		return nil, err
	}
	d, err := user.VerifyTOTP(ctx, h.store, h.vault, ref, r.GetCode())
	return &pb.VerifyTOTPRegistrationResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) removeTOTP(ctx context.Context, r *pb.RemoveTOTPRequest) (*pb.RemoveTOTPResponse, error) {
	d, err := h.factor(ctx, r, user.RemoveTOTP)
	return &pb.RemoveTOTPResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) addOTPSMS(ctx context.Context, r *pb.AddOTPSMSRequest) (*pb.AddOTPSMSResponse, error) {
	d, err := h.factor(ctx, r, user.AddOTPSMS)
	return &pb.AddOTPSMSResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) removeOTPSMS(ctx context.Context, r *pb.RemoveOTPSMSRequest) (*pb.RemoveOTPSMSResponse, error) {
	d, err := h.factor(ctx, r, user.RemoveOTPSMS)
	return &pb.RemoveOTPSMSResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) addOTPEmail(ctx context.Context, r *pb.AddOTPEmailRequest) (*pb.AddOTPEmailResponse, error) {
	d, err := h.factor(ctx, r, user.AddOTPEmail)
	return &pb.AddOTPEmailResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) removeOTPEmail(ctx context.Context, r *pb.RemoveOTPEmailRequest) (*pb.RemoveOTPEmailResponse, error) {
	d, err := h.factor(ctx, r, user.RemoveOTPEmail)
	return &pb.RemoveOTPEmailResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) generateRecoveryCodes(ctx context.Context, r *pb.GenerateRecoveryCodesRequest) (*pb.GenerateRecoveryCodesResponse, error) {
	ref, err := h.ref(ctx, r)
	if err != nil {
		return nil, err
	}
	codes, d, err := user.GenerateRecoveryCodes(ctx, h.store, ref, int(r.GetCount()))
	return &pb.GenerateRecoveryCodesResponse{Details: api.ChangedV2(d), RecoveryCodes: codes}, err
}

func (h *Handlers) removeRecoveryCodes(ctx context.Context, r *pb.RemoveRecoveryCodesRequest) (*pb.RemoveRecoveryCodesResponse, error) {
	d, err := h.factor(ctx, r, user.RemoveRecoveryCodes)
	return &pb.RemoveRecoveryCodesResponse{Details: api.ChangedV2(d)}, err
}

// anyone is the reference of a user whose organization the request does not name.
func anyone(ctx context.Context, r interface{ GetUserId() string }) user.Ref {
	return user.Ref{Instance: authz.From(ctx).Instance, UserID: r.GetUserId()}
}

var methodTypes = map[user.FactorKind]pb.AuthenticationMethodType{
	user.Passkey:  pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_PASSKEY,
	user.TOTP:     pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_TOTP,
	user.U2F:      pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_U2F,
	user.OTPSMS:   pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_OTP_SMS,
	user.OTPEmail: pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_OTP_EMAIL,
	user.Recovery: pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE,
}

func (h *Handlers) listAuthenticationMethodTypes(ctx context.Context, r *pb.ListAuthenticationMethodTypesRequest) (*pb.ListAuthenticationMethodTypesResponse, error) {
	m, err := user.MethodsOf(ctx, h.store, anyone(ctx, r), r.GetDomainQuery().GetDomain())
	if err != nil {
		return nil, err
	}
	out := []pb.AuthenticationMethodType{}
	if m.Password {
		out = append(out, pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_PASSWORD)
	}
	if m.Linked {
		out = append(out, pb.AuthenticationMethodType_AUTHENTICATION_METHOD_TYPE_IDP)
	}
	for _, kind := range m.Factors {
		out = append(out, methodTypes[kind])
	}
	return &pb.ListAuthenticationMethodTypesResponse{Details: api.ListedV2(uint64(len(out)), h.store.Now()), AuthMethodTypes: out}, nil
}

func (h *Handlers) listAuthenticationFactors(ctx context.Context, r *pb.ListAuthenticationFactorsRequest) (*pb.ListAuthenticationFactorsResponse, error) {
	factors, err := user.Factors(ctx, h.store, anyone(ctx, r))
	if err != nil {
		return nil, err
	}
	states := r.GetStates()
	if len(states) == 0 {
		states = []pb.AuthFactorState{pb.AuthFactorState_AUTH_FACTOR_STATE_READY}
	}
	res := &pb.ListAuthenticationFactorsResponse{}
	for _, f := range factors {
		out, kind := factor(f)
		if out != nil && slices.Contains(states, out.GetState()) && (len(r.GetAuthFactors()) == 0 || slices.Contains(r.GetAuthFactors(), kind)) {
			res.Result = append(res.Result, out)
		}
	}
	return res, nil
}

// factor is a second factor as version 2 shows it, and what filters call it. Passkeys
// are none.
func factor(f user.Factor) (*pb.AuthFactor, pb.AuthFactors) {
	out := &pb.AuthFactor{State: pb.AuthFactorState(f.State)} //nolint:gosec // a small number
	switch f.Kind {
	case user.TOTP:
		out.Type = &pb.AuthFactor_Otp{Otp: &pb.AuthFactorOTP{}}
		return out, pb.AuthFactors_OTP
	case user.U2F:
		out.Type = &pb.AuthFactor_U2F{U2F: &pb.AuthFactorU2F{Id: f.ID, Name: f.Name}}
		return out, pb.AuthFactors_U2F
	case user.OTPSMS:
		out.Type = &pb.AuthFactor_OtpSms{OtpSms: &pb.AuthFactorOTPSMS{}}
		return out, pb.AuthFactors_OTP_SMS
	case user.OTPEmail:
		out.Type = &pb.AuthFactor_OtpEmail{OtpEmail: &pb.AuthFactorOTPEmail{}}
		return out, pb.AuthFactors_OTP_EMAIL
	case user.Passkey, user.Recovery:
	}
	return nil, 0
}
