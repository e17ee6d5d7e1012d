package user

import (
	"context"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) keys() []api.RPC {
	return []api.RPC{
		api.Unary("RegisterPasskey", h.registerPasskey),
		api.Unary("VerifyPasskeyRegistration", h.verifyPasskeyRegistration),
		api.Unary("CreatePasskeyRegistrationLink", h.createPasskeyRegistrationLink),
		api.Unary("ListPasskeys", h.listPasskeys),
		api.Unary("RemovePasskey", h.removePasskey),
		api.Unary("RegisterU2F", h.registerU2F),
		api.Unary("VerifyU2FRegistration", h.verifyU2FRegistration),
		api.Unary("RemoveU2F", h.removeU2F),
	}
}

var attachments = map[pb.PasskeyAuthenticator]string{
	pb.PasskeyAuthenticator_PASSKEY_AUTHENTICATOR_PLATFORM:       "platform",
	pb.PasskeyAuthenticator_PASSKEY_AUTHENTICATOR_CROSS_PLATFORM: "cross-platform",
}

func (h *Handlers) registerPasskey(ctx context.Context, r *pb.RegisterPasskeyRequest) (*pb.RegisterPasskeyResponse, error) {
	ref, err := h.ref(ctx, r)
	if err != nil {
		return nil, err
	}
	q := api.KeyRequest(ctx, user.Passkey, r.GetDomain())
	q.Attachment = attachments[r.GetAuthenticator()]
	var begun user.Registration
	if c := r.GetCode(); c != nil {
		begun, err = flow.RegisterPasskeyByCode(ctx, h.store, h.vault, ref, q, c.GetId(), c.GetCode())
	} else {
		begun, err = flow.RegisterKey(ctx, h.store, ref, q)
	}
	if err != nil {
		return nil, err
	}
	options, err := api.Struct(begun.Options)
	return &pb.RegisterPasskeyResponse{Details: api.ChangedV2(begun.Details), PasskeyId: begun.ID, PublicKeyCredentialCreationOptions: options}, err
}

func (h *Handlers) verifyPasskeyRegistration(ctx context.Context, r *pb.VerifyPasskeyRegistrationRequest) (*pb.VerifyPasskeyRegistrationResponse, error) {
	d, err := h.verifyKey(ctx, r, user.Passkey, r.GetPasskeyId(), r.GetPasskeyName())
	return &pb.VerifyPasskeyRegistrationResponse{Details: api.ChangedV2(d)}, err
}

// verifyKey ends the registration of a key with what the browser gave.
func (h *Handlers) verifyKey(ctx context.Context, r interface {
	GetUserId() string
	GetPublicKeyCredential() *structpb.Struct
}, kind user.FactorKind, id, name string,
) (d eventstore.Details, err error) {
	ref, err := h.ref(ctx, r)
	if err != nil {
		return d, err
	}
	answer, err := protojson.Marshal(r.GetPublicKeyCredential())
	if err != nil {
		return d, err
	}
	return user.VerifyKey(ctx, h.store, ref, kind, id, name, answer)
}

func (h *Handlers) createPasskeyRegistrationLink(ctx context.Context, r *pb.CreatePasskeyRegistrationLinkRequest) (*pb.CreatePasskeyRegistrationLinkResponse, error) {
	ref, err := h.ref(ctx, r)
	if err != nil {
		return nil, err
	}
	send := r.GetReturnCode() == nil
	c, err := flow.AddPasskeyCode(ctx, h.store, h.vault, ref, "user.passkey.write",
		user.PasskeyDelivery{Send: send, URLTemplate: r.GetSendLink().GetUrlTemplate()})
	res := &pb.CreatePasskeyRegistrationLinkResponse{Details: api.ChangedV2(c.Details)}
	if !send {
		res.Code = &pb.PasskeyRegistrationCode{Id: c.ID, Code: c.Code}
	}
	return res, err
}

func (h *Handlers) listPasskeys(ctx context.Context, r *pb.ListPasskeysRequest) (*pb.ListPasskeysResponse, error) {
	factors, err := user.Factors(ctx, h.store, anyone(ctx, r))
	if err != nil {
		return nil, err
	}
	res := &pb.ListPasskeysResponse{}
	for _, f := range factors {
		if f.Kind == user.Passkey && f.State == user.FactorReady {
			res.Result = append(res.Result, &pb.Passkey{Id: f.ID, State: pb.AuthFactorState_AUTH_FACTOR_STATE_READY, Name: f.Name})
		}
	}
	res.Details = api.ListedV2(uint64(len(res.GetResult())), h.store.Now())
	return res, nil
}

func (h *Handlers) removePasskey(ctx context.Context, r *pb.RemovePasskeyRequest) (*pb.RemovePasskeyResponse, error) {
	d, err := h.factor(ctx, r, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveSecurityKey(tx, ref, user.Passkey, r.GetPasskeyId())
	})
	return &pb.RemovePasskeyResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) registerU2F(ctx context.Context, r *pb.RegisterU2FRequest) (*pb.RegisterU2FResponse, error) {
	ref, err := h.ref(ctx, r)
	if err != nil {
		return nil, err
	}
	begun, err := flow.RegisterKey(ctx, h.store, ref, api.KeyRequest(ctx, user.U2F, r.GetDomain()))
	if err != nil {
		return nil, err
	}
	options, err := api.Struct(begun.Options)
	return &pb.RegisterU2FResponse{Details: api.ChangedV2(begun.Details), U2FId: begun.ID, PublicKeyCredentialCreationOptions: options}, err
}

func (h *Handlers) verifyU2FRegistration(ctx context.Context, r *pb.VerifyU2FRegistrationRequest) (*pb.VerifyU2FRegistrationResponse, error) {
	d, err := h.verifyKey(ctx, r, user.U2F, r.GetU2FId(), r.GetTokenName())
	return &pb.VerifyU2FRegistrationResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) removeU2F(ctx context.Context, r *pb.RemoveU2FRequest) (*pb.RemoveU2FResponse, error) {
	d, err := h.factor(ctx, r, func(tx *eventstore.Tx, ref user.Ref) (eventstore.Details, error) {
		return user.RemoveSecurityKey(tx, ref, user.U2F, r.GetU2FId())
	})
	return &pb.RemoveU2FResponse{Details: api.ChangedV2(d)}, err
}
