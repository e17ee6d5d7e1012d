package api

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	idppb "github.com/gatehouse/gatehouse/gen/zitadel/idp/v1"
	objectv2pb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Added is the details that answer a creation.
func Added(d eventstore.Details) *objectpb.ObjectDetails {
	return &objectpb.ObjectDetails{Sequence: d.Sequence, CreationDate: timestamppb.New(d.Changed), ResourceOwner: d.Owner}
}

// Changed is the details that answer a change or a removal.
func Changed(d eventstore.Details) *objectpb.ObjectDetails {
	return &objectpb.ObjectDetails{Sequence: d.Sequence, ChangeDate: timestamppb.New(d.Changed), ResourceOwner: d.Owner}
}

// View is the details of an object that is shown.
func View(d eventstore.Details) *objectpb.ObjectDetails {
	return &objectpb.ObjectDetails{
		Sequence: d.Sequence, CreationDate: Timestamp(d.Created), ChangeDate: Timestamp(d.Changed), ResourceOwner: d.Owner,
	}
}

// ChangedV2 is the details that answer any change in the v2 services.
func ChangedV2(d eventstore.Details) *objectv2pb.Details {
	return &objectv2pb.Details{Sequence: d.Sequence, ChangeDate: Timestamp(d.Changed), ResourceOwner: d.Owner}
}

// ViewV2 is the details of an object that the v2 services show.
func ViewV2(d eventstore.Details) *objectv2pb.Details {
	v := ChangedV2(d)
	v.CreationDate = Timestamp(d.Created)
	return v
}

// Timestamp leaves out a time that never was, such as the change of something
// that nobody has set yet.
func Timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// Listed is the details of a list.
func Listed[N int | uint64](total N, at time.Time) *objectpb.ListDetails {
	return &objectpb.ListDetails{TotalResult: uint64(total), ViewTimestamp: timestamppb.New(at)}
}

// LoginPolicy is a login policy as v1 shows it.
func LoginPolicy(s policy.State[policy.LoginPolicy]) *policypb.LoginPolicy {
	p := s.Doc
	return &policypb.LoginPolicy{
		Details: View(s.Details), IsDefault: s.IsDefault,
		AllowUsernamePassword: p.AllowUsernamePassword, AllowRegister: p.AllowRegister, AllowExternalIdp: p.AllowExternalIDP,
		ForceMfa: p.ForceMFA, ForceMfaLocalOnly: p.ForceMFALocalOnly,
		PasswordlessType:  policypb.PasswordlessType(p.PasswordlessAllowed),
		HidePasswordReset: p.HidePasswordReset, IgnoreUnknownUsernames: p.IgnoreUnknownUsernames,
		DefaultRedirectUri: p.DefaultRedirectURI, AllowDomainDiscovery: p.AllowDomainDiscovery,
		DisableLoginWithEmail: p.DisableLoginWithEmail, DisableLoginWithPhone: p.DisableLoginWithPhone,
		PasswordCheckLifetime:      durationpb.New(p.PasswordCheckLifetime),
		ExternalLoginCheckLifetime: durationpb.New(p.ExternalLoginCheckLifetime),
		MfaInitSkipLifetime:        durationpb.New(p.MFAInitSkipLifetime),
		SecondFactorCheckLifetime:  durationpb.New(p.SecondFactorCheckLifetime),
		MultiFactorCheckLifetime:   durationpb.New(p.MultiFactorCheckLifetime),
		SecondFactors:              SecondFactors(p), MultiFactors: MultiFactors(p), Idps: LoginIDPs(p),
	}
}

// SecondFactors lists the policy's second factors in the order of their addition.
func SecondFactors(p policy.LoginPolicy) []policypb.SecondFactorType {
	out := make([]policypb.SecondFactorType, len(p.SecondFactors))
	for i, f := range p.SecondFactors {
		out[i] = policypb.SecondFactorType(f)
	}
	return out
}

// MultiFactors lists the policy's multi factors in the order of their addition.
func MultiFactors(p policy.LoginPolicy) []policypb.MultiFactorType {
	out := make([]policypb.MultiFactorType, len(p.MultiFactors))
	for i, f := range p.MultiFactors {
		out[i] = policypb.MultiFactorType(f)
	}
	return out
}

// LoginIDPs lists the policy's identity providers.
func LoginIDPs(p policy.LoginPolicy) []*idppb.IDPLoginPolicyLink {
	out := make([]*idppb.IDPLoginPolicyLink, len(p.IDPs))
	for i, l := range p.IDPs {
		out[i] = &idppb.IDPLoginPolicyLink{IdpId: l.ID}
	}
	return out
}

// LoginSettings is what requests that create or change a login policy share.
type LoginSettings interface { //nolint:interfacebloat // as many as the message has fields
	GetAllowUsernamePassword() bool
	GetAllowRegister() bool
	GetAllowExternalIdp() bool
	GetForceMfa() bool
	GetForceMfaLocalOnly() bool
	GetPasswordlessType() policypb.PasswordlessType
	GetHidePasswordReset() bool
	GetIgnoreUnknownUsernames() bool
	GetDefaultRedirectUri() string
	GetAllowDomainDiscovery() bool
	GetDisableLoginWithEmail() bool
	GetDisableLoginWithPhone() bool
	GetPasswordCheckLifetime() *durationpb.Duration
	GetExternalLoginCheckLifetime() *durationpb.Duration
	GetMfaInitSkipLifetime() *durationpb.Duration
	GetSecondFactorCheckLifetime() *durationpb.Duration
	GetMultiFactorCheckLifetime() *durationpb.Duration
}

// SetLogin writes a request's settings into a login policy. The lists stay.
func SetLogin(p *policy.LoginPolicy, r LoginSettings) {
	p.AllowUsernamePassword, p.AllowRegister, p.AllowExternalIDP = r.GetAllowUsernamePassword(), r.GetAllowRegister(), r.GetAllowExternalIdp()
	p.ForceMFA, p.ForceMFALocalOnly = r.GetForceMfa(), r.GetForceMfaLocalOnly()
	p.PasswordlessAllowed = int32(r.GetPasswordlessType())
	p.HidePasswordReset, p.IgnoreUnknownUsernames = r.GetHidePasswordReset(), r.GetIgnoreUnknownUsernames()
	p.DefaultRedirectURI, p.AllowDomainDiscovery = r.GetDefaultRedirectUri(), r.GetAllowDomainDiscovery()
	p.DisableLoginWithEmail, p.DisableLoginWithPhone = r.GetDisableLoginWithEmail(), r.GetDisableLoginWithPhone()
	p.PasswordCheckLifetime = r.GetPasswordCheckLifetime().AsDuration()
	p.ExternalLoginCheckLifetime = r.GetExternalLoginCheckLifetime().AsDuration()
	p.MFAInitSkipLifetime = r.GetMfaInitSkipLifetime().AsDuration()
	p.SecondFactorCheckLifetime = r.GetSecondFactorCheckLifetime().AsDuration()
	p.MultiFactorCheckLifetime = r.GetMultiFactorCheckLifetime().AsDuration()
}
