package api

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	textpb "github.com/gatehouse/gatehouse/gen/zitadel/text/v1"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	kinds "github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// MessageTexts are the sorts of messages whose texts can be set, by the names that
// they have in the names of RPCs.
var MessageTexts = map[string]kinds.Kind{
	"Init": kinds.Init, "PasswordReset": kinds.PasswordReset, "PasswordChange": kinds.PasswordChange,
	"VerifyEmail": kinds.VerifyEmail, "VerifyPhone": kinds.VerifyPhone,
	"VerifyEmailOTP": kinds.VerifyEmailOTP, "VerifySMSOTP": kinds.VerifySMSOTP,
	"DomainClaimed": kinds.DomainClaimed, "PasswordlessRegistration": kinds.PasswordlessRegistration, "InviteUser": kinds.InviteUser,
}

// localized is a request that names a language.
type localized interface {
	proto.Message
	GetLanguage() string
}

// parts are the fields of texts in messages of the contract. A message that has no
// field of the name does without the part.
var parts = map[protoreflect.Name]string{
	"title": policy.TextTitle, "pre_header": policy.TextPreHeader, "subject": policy.TextSubject, "greeting": policy.TextGreeting,
	"text": policy.TextText, "button_text": policy.TextButton, "footer_text": policy.TextFooter,
}

// ReadMessageText makes an RPC that shows the text that holds in a scope.
func ReadMessageText(rpc string, kind kinds.Kind, store *eventstore.Store, of Scoping) RPC {
	return showMessageText(rpc, func(ctx context.Context, r localized) (policy.State[policy.MessageText], error) {
		return policy.ResolveMessageText(ctx, store, of(ctx, r), string(kind), r.GetLanguage())
	})
}

// ReadInheritedMessageText makes an RPC that shows the text that an organization
// has without one of its own.
func ReadInheritedMessageText(rpc string, kind kinds.Kind, store *eventstore.Store) RPC {
	return showMessageText(rpc, func(ctx context.Context, r localized) (policy.State[policy.MessageText], error) {
		s, err := policy.ResolveMessageText(ctx, store, CallersInstance(ctx, r), string(kind), r.GetLanguage())
		s.IsDefault = true
		return s, err
	})
}

// ReadBuiltInMessageText makes an RPC that shows the text that holds without any
// setting.
func ReadBuiltInMessageText(rpc string, kind kinds.Kind) RPC {
	return showMessageText(rpc, func(_ context.Context, r localized) (policy.State[policy.MessageText], error) {
		return policy.BuiltInMessageText(string(kind), r.GetLanguage())
	})
}

func showMessageText(rpc string, resolve func(context.Context, localized) (policy.State[policy.MessageText], error)) RPC {
	return Shaped(rpc, func(ctx context.Context, r localized) (Fields, error) {
		s, err := resolve(ctx, r)
		if err != nil {
			return nil, err
		}
		shown := &textpb.MessageCustomText{Details: View(s.Details), IsDefault: s.IsDefault}
		fields := shown.ProtoReflect().Descriptor().Fields()
		for name, key := range parts {
			shown.ProtoReflect().Set(fields.ByName(name), protoreflect.ValueOfString(s.Doc[key]))
		}
		return Fields{"custom_text": shown}, nil
	})
}

// SetMessageText makes an RPC that gives a scope a text of its own.
func SetMessageText(rpc string, kind kinds.Kind, store *eventstore.Store, of Scoping) RPC {
	return Shaped(rpc, func(ctx context.Context, r localized) (Fields, error) {
		text := policy.MessageText{}
		for name, key := range parts {
			if field := r.ProtoReflect().Descriptor().Fields().ByName(name); field != nil {
				text[key] = r.ProtoReflect().Get(field).String()
			}
		}
		d, err := Write(ctx, store, func(tx *eventstore.Tx) (eventstore.Details, error) {
			return policy.SetMessageText(tx, of(ctx, r), string(kind), r.GetLanguage(), text)
		})
		return Detailed(Changed(d)), err
	})
}

// ResetMessageText makes an RPC that removes a scope's own text.
func ResetMessageText(rpc string, kind kinds.Kind, store *eventstore.Store, of Scoping) RPC {
	return Shaped(rpc, func(ctx context.Context, r localized) (Fields, error) {
		d, err := Write(ctx, store, func(tx *eventstore.Tx) (eventstore.Details, error) {
			return policy.ResetMessageText(tx, of(ctx, r), string(kind), r.GetLanguage())
		})
		return Detailed(Changed(d)), err
	})
}
