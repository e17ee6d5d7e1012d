package api

import (
	"cmp"
	"context"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/user"
)

// AuthFactors are the second factors of a user as v1 shows them. Passkeys are none.
func AuthFactors(factors []user.Factor) []*userpb.AuthFactor {
	out := []*userpb.AuthFactor{}
	for _, f := range factors {
		a := &userpb.AuthFactor{State: userpb.AuthFactorState(f.State)} //nolint:gosec // a small number
		switch f.Kind {
		case user.TOTP:
			a.Type = &userpb.AuthFactor_Otp{Otp: &userpb.AuthFactorOTP{}}
		case user.U2F:
			a.Type = &userpb.AuthFactor_U2F{U2F: &userpb.AuthFactorU2F{Id: f.ID, Name: f.Name}}
		case user.OTPSMS:
			a.Type = &userpb.AuthFactor_OtpSms{OtpSms: &userpb.AuthFactorOTPSMS{}}
		case user.OTPEmail:
			a.Type = &userpb.AuthFactor_OtpEmail{OtpEmail: &userpb.AuthFactorOTPEmail{}}
		default:
			continue
		}
		out = append(out, a)
	}
	return out
}

// Passkeys are the passkeys of a user as v1 shows them.
func Passkeys(factors []user.Factor) []*userpb.WebAuthNToken {
	out := []*userpb.WebAuthNToken{}
	for _, f := range factors {
		if f.Kind == user.Passkey {
			out = append(out, &userpb.WebAuthNToken{Id: f.ID, State: userpb.AuthFactorState(f.State), Name: f.Name}) //nolint:gosec // a small number
		}
	}
	return out
}

// KeyRequest asks for a key for a domain, or for the host of the request where none
// is named.
func KeyRequest(ctx context.Context, kind user.FactorKind, domain string) user.KeyRequest {
	return user.KeyRequest{Kind: kind, Domain: cmp.Or(domain, callOf(ctx).Host)}
}

// Struct is a JSON object as a message.
func Struct(data json.RawMessage) (*structpb.Struct, error) {
	s := &structpb.Struct{}
	return s, protojson.Unmarshal(data, s)
}
