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

// Wording is texts of a template that can be set, and how the contract writes them.
type Wording struct {
	template string
	show     func(policy.State[policy.MessageText]) proto.Message
	take     func(request protoreflect.Message) policy.MessageText
}

// OfMessages is the wording of a sort of messages.
func OfMessages(kind kinds.Kind) Wording {
	return Wording{string(kind), showMessageText, takeMessageText}
}

func showMessageText(s policy.State[policy.MessageText]) proto.Message {
	shown := &textpb.MessageCustomText{Details: View(s.Details), IsDefault: s.IsDefault}
	fillMessage(shown.ProtoReflect(), s.Doc)
	return shown
}

func fillMessage(m protoreflect.Message, text policy.MessageText) {
	for name, key := range parts {
		if field := m.Descriptor().Fields().ByName(name); field != nil {
			m.Set(field, protoreflect.ValueOfString(text[key]))
		}
	}
}

func takeMessageText(r protoreflect.Message) policy.MessageText {
	text := policy.MessageText{}
	for name, key := range parts {
		if field := r.Descriptor().Fields().ByName(name); field != nil {
			text[key] = r.Get(field).String()
		}
	}
	return text
}

// OfLogin is the wording of the login pages: every field of every screen, by their names.
var OfLogin = Wording{policy.LoginTexts, showLoginText, takeLoginText}

func showLoginText(s policy.State[policy.MessageText]) proto.Message {
	shown := &textpb.LoginCustomText{Details: View(s.Details), IsDefault: s.IsDefault}
	fillLogin(shown.ProtoReflect(), s.Doc)
	return shown
}

func fillLogin(m protoreflect.Message, text policy.MessageText) {
	eachLoginText(m, func(key string, screen, field protoreflect.FieldDescriptor) {
		if text := text[key]; text != "" {
			m.Mutable(screen).Message().Set(field, protoreflect.ValueOfString(text))
		}
	})
}

func takeLoginText(r protoreflect.Message) policy.MessageText {
	text := policy.MessageText{}
	eachLoginText(r, func(key string, screen, field protoreflect.FieldDescriptor) {
		text[key] = r.Get(screen).Message().Get(field).String()
	})
	return text
}

// FillText writes an own text into the request that sets it.
func FillText(request proto.Message, t policy.OwnText) {
	r, fill := request.ProtoReflect(), fillMessage
	if t.Template == policy.LoginTexts {
		fill = fillLogin
	}
	r.Set(r.Descriptor().Fields().ByName("language"), protoreflect.ValueOfString(t.Language))
	fill(r, t.Text)
}

// eachLoginText goes through the fields of the screens of m.
func eachLoginText(m protoreflect.Message, each func(key string, screen, field protoreflect.FieldDescriptor)) {
	own := m.Descriptor().Fields()
	for i := range own.Len() {
		screen := own.Get(i)
		if screen.Message() == nil || screen.Message().ParentFile() != textpb.File_zitadel_text_v1_text_proto {
			continue
		}
		fields := screen.Message().Fields()
		for j := range fields.Len() {
			each(string(screen.Name())+"."+string(fields.Get(j).Name()), screen, fields.Get(j))
		}
	}
}

// ReadMessageText makes an RPC that shows the text that holds in a scope.
func ReadMessageText(rpc string, w Wording, store *eventstore.Store, of Scoping) RPC {
	return showText(rpc, w, func(ctx context.Context, r localized) (policy.State[policy.MessageText], error) {
		return policy.ResolveMessageText(ctx, store, of(ctx, r), w.template, r.GetLanguage())
	})
}

// ReadInheritedMessageText makes an RPC that shows the text that an organization
// has without one of its own.
func ReadInheritedMessageText(rpc string, w Wording, store *eventstore.Store) RPC {
	return showText(rpc, w, func(ctx context.Context, r localized) (policy.State[policy.MessageText], error) {
		s, err := policy.ResolveMessageText(ctx, store, CallersInstance(ctx, r), w.template, r.GetLanguage())
		s.IsDefault = true
		return s, err
	})
}

// ReadBuiltInMessageText makes an RPC that shows the text that holds without any
// setting.
func ReadBuiltInMessageText(rpc string, w Wording) RPC {
	return showText(rpc, w, func(_ context.Context, r localized) (policy.State[policy.MessageText], error) {
		return policy.BuiltInMessageText(w.template, r.GetLanguage())
	})
}

func showText(rpc string, w Wording, resolve func(context.Context, localized) (policy.State[policy.MessageText], error)) RPC {
	return Shaped(rpc, func(ctx context.Context, r localized) (Fields, error) {
		s, err := resolve(ctx, r)
		if err != nil {
			return nil, err
		}
		return Fields{"custom_text": w.show(s)}, nil
	})
}

// SetMessageText makes an RPC that gives a scope a text of its own.
func SetMessageText(rpc string, w Wording, store *eventstore.Store, of Scoping) RPC {
	return Shaped(rpc, func(ctx context.Context, r localized) (Fields, error) {
		text := w.take(r.ProtoReflect())
		d, err := Write(ctx, store, func(tx *eventstore.Tx) (eventstore.Details, error) {
			return policy.SetMessageText(tx, of(ctx, r), w.template, r.GetLanguage(), text)
		})
		return Detailed(Changed(d)), err
	})
}

// ResetMessageText makes an RPC that removes a scope's own text.
func ResetMessageText(rpc string, w Wording, store *eventstore.Store, of Scoping) RPC {
	return Shaped(rpc, func(ctx context.Context, r localized) (Fields, error) {
		d, err := Write(ctx, store, func(tx *eventstore.Tx) (eventstore.Details, error) {
			return policy.ResetMessageText(tx, of(ctx, r), w.template, r.GetLanguage())
		})
		return Detailed(Changed(d)), err
	})
}
