package api

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	settingspb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v1"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// This file says for each kind of policy how the v1 services show its document
// and what their requests change in it.

// activeLabel gives the label policy that visitors see.
func activeLabel(ctx context.Context, store *eventstore.Store, s policy.Scope) (policy.State[policy.LabelPolicy], error) {
	return policy.ResolveActiveLabel(ctx, store, s)
}

// Login is the login policy.
var Login = Policy[policy.LoginPolicy, LoginSettings]{
	Kind: policy.Login, Resolve: policy.ResolveLogin,
	Show: func(s policy.State[policy.LoginPolicy]) proto.Message { return LoginPolicy(s) },
	Edit: SetLogin,
}

// ComplexityRequest tells what passwords must contain. The services write the
// length in different sizes.
type ComplexityRequest[N uint32 | uint64] interface {
	GetMinLength() N
	GetHasLowercase() bool
	GetHasUppercase() bool
	GetHasNumber() bool
	GetHasSymbol() bool
}

// PasswordComplexity is the password complexity policy.
func PasswordComplexity[N uint32 | uint64]() Policy[policy.PasswordComplexityPolicy, ComplexityRequest[N]] {
	return Policy[policy.PasswordComplexityPolicy, ComplexityRequest[N]]{
		Kind: policy.PasswordComplexity,
		Show: func(s policy.State[policy.PasswordComplexityPolicy]) proto.Message {
			return &policypb.PasswordComplexityPolicy{
				Details: View(s.Details), IsDefault: s.IsDefault, MinLength: s.Doc.MinLength,
				HasLowercase: s.Doc.HasLowercase, HasUppercase: s.Doc.HasUppercase, HasNumber: s.Doc.HasNumber, HasSymbol: s.Doc.HasSymbol,
			}
		},
		Edit: func(p *policy.PasswordComplexityPolicy, r ComplexityRequest[N]) {
			p.MinLength, p.HasLowercase, p.HasUppercase = uint64(r.GetMinLength()), r.GetHasLowercase(), r.GetHasUppercase()
			p.HasNumber, p.HasSymbol = r.GetHasNumber(), r.GetHasSymbol()
		},
	}
}

// AgeRequest tells how long passwords last.
type AgeRequest interface {
	GetMaxAgeDays() uint32
	GetExpireWarnDays() uint32
}

// PasswordAge is the password age policy.
var PasswordAge = Policy[policy.PasswordAgePolicy, AgeRequest]{
	Kind: policy.PasswordAge,
	Show: func(s policy.State[policy.PasswordAgePolicy]) proto.Message {
		return &policypb.PasswordAgePolicy{
			Details: View(s.Details), IsDefault: s.IsDefault, MaxAgeDays: s.Doc.MaxAgeDays, ExpireWarnDays: s.Doc.ExpireWarnDays,
		}
	},
	Edit: func(p *policy.PasswordAgePolicy, r AgeRequest) {
		p.MaxAgeDays, p.ExpireWarnDays = uint64(r.GetMaxAgeDays()), uint64(r.GetExpireWarnDays())
	},
}

// LockoutRequest tells how many failures lock a user.
type LockoutRequest interface {
	GetMaxPasswordAttempts() uint32
	GetMaxOtpAttempts() uint32
}

// Lockout is the lockout policy.
var Lockout = Policy[policy.LockoutPolicy, LockoutRequest]{
	Kind: policy.Lockout,
	Show: func(s policy.State[policy.LockoutPolicy]) proto.Message {
		return &policypb.LockoutPolicy{
			Details: View(s.Details), IsDefault: s.IsDefault,
			MaxPasswordAttempts: s.Doc.MaxPasswordAttempts, MaxOtpAttempts: s.Doc.MaxOTPAttempts,
		}
	},
	Edit: func(p *policy.LockoutPolicy, r LockoutRequest) {
		p.MaxPasswordAttempts, p.MaxOTPAttempts = uint64(r.GetMaxPasswordAttempts()), uint64(r.GetMaxOtpAttempts())
	},
}

// DomainRequest tells what domains mean.
type DomainRequest interface {
	OrgIAMRequest
	GetValidateOrgDomains() bool
	GetSmtpSenderAddressMatchesInstanceDomain() bool
}

// Domain is the domain policy.
var Domain = Policy[policy.DomainPolicy, DomainRequest]{
	Kind: policy.Domain,
	Show: func(s policy.State[policy.DomainPolicy]) proto.Message {
		return &policypb.DomainPolicy{
			Details: View(s.Details), IsDefault: s.IsDefault, UserLoginMustBeDomain: s.Doc.UserLoginMustBeDomain,
			ValidateOrgDomains: s.Doc.ValidateOrgDomains, SmtpSenderAddressMatchesInstanceDomain: s.Doc.SMTPSenderMatchesDomain,
		}
	},
	Edit: func(p *policy.DomainPolicy, r DomainRequest) {
		p.UserLoginMustBeDomain, p.ValidateOrgDomains = r.GetUserLoginMustBeDomain(), r.GetValidateOrgDomains()
		p.SMTPSenderMatchesDomain = r.GetSmtpSenderAddressMatchesInstanceDomain()
	},
}

// OrgIAMRequest tells the one setting that the domain policy had at first.
type OrgIAMRequest interface{ GetUserLoginMustBeDomain() bool }

// OrgIAM is the domain policy in its first form. It leaves alone what it does
// not know.
var OrgIAM = Policy[policy.DomainPolicy, OrgIAMRequest]{
	Kind: policy.Domain,
	Show: func(s policy.State[policy.DomainPolicy]) proto.Message {
		return &policypb.OrgIAMPolicy{Details: View(s.Details), IsDefault: s.IsDefault, UserLoginMustBeDomain: s.Doc.UserLoginMustBeDomain}
	},
	Edit: func(p *policy.DomainPolicy, r OrgIAMRequest) { p.UserLoginMustBeDomain = r.GetUserLoginMustBeDomain() },
}

// PrivacyRequest tells the links that pages show.
type PrivacyRequest interface {
	GetTosLink() string
	GetPrivacyLink() string
	GetHelpLink() string
	GetSupportEmail() string
	GetDocsLink() string
	GetCustomLink() string
	GetCustomLinkText() string
}

// Privacy is the privacy policy.
var Privacy = Policy[policy.PrivacyPolicy, PrivacyRequest]{
	Kind: policy.Privacy,
	Show: func(s policy.State[policy.PrivacyPolicy]) proto.Message {
		return &policypb.PrivacyPolicy{
			Details: View(s.Details), IsDefault: s.IsDefault,
			TosLink: s.Doc.TOSLink, PrivacyLink: s.Doc.PrivacyLink, HelpLink: s.Doc.HelpLink, SupportEmail: s.Doc.SupportEmail,
			DocsLink: s.Doc.DocsLink, CustomLink: s.Doc.CustomLink, CustomLinkText: s.Doc.CustomLinkText,
		}
	},
	Edit: func(p *policy.PrivacyPolicy, r PrivacyRequest) {
		p.TOSLink, p.PrivacyLink, p.HelpLink = r.GetTosLink(), r.GetPrivacyLink(), r.GetHelpLink()
		p.SupportEmail, p.DocsLink = r.GetSupportEmail(), r.GetDocsLink()
		p.CustomLink, p.CustomLinkText = r.GetCustomLink(), r.GetCustomLinkText()
	},
}

// NotificationRequest tells of what users are told.
type NotificationRequest interface{ GetPasswordChange() bool }

// Notification is the notification policy.
var Notification = Policy[policy.NotificationPolicy, NotificationRequest]{
	Kind: policy.Notification,
	Show: func(s policy.State[policy.NotificationPolicy]) proto.Message {
		return &policypb.NotificationPolicy{Details: View(s.Details), IsDefault: s.IsDefault, PasswordChange: s.Doc.PasswordChange}
	},
	Edit: func(p *policy.NotificationPolicy, r NotificationRequest) { p.PasswordChange = r.GetPasswordChange() },
}

// LabelRequest tells how pages look.
type LabelRequest interface { //nolint:interfacebloat // as many getters as the contract has fields
	GetPrimaryColor() string
	GetBackgroundColor() string
	GetWarnColor() string
	GetFontColor() string
	GetPrimaryColorDark() string
	GetBackgroundColorDark() string
	GetWarnColorDark() string
	GetFontColorDark() string
	GetHideLoginNameSuffix() bool
	GetDisableWatermark() bool
	GetThemeMode() policypb.ThemeMode
}

// Label is the label policy that visitors see; requests change its preview.
var Label = Policy[policy.LabelPolicy, LabelRequest]{
	Kind: policy.Label, Resolve: activeLabel, Show: showLabel, Edit: editLabel, Address: addressLabel,
}

// LabelPreview is the label policy as requests have left it.
var LabelPreview = Policy[policy.LabelPolicy, LabelRequest]{Kind: policy.Label, Show: showLabel, Edit: editLabel, Address: addressLabel}

func showLabel(s policy.State[policy.LabelPolicy]) proto.Message {
	p := s.Doc
	return &policypb.LabelPolicy{
		Details: View(s.Details), IsDefault: s.IsDefault,
		PrimaryColor: p.PrimaryColor, BackgroundColor: p.BackgroundColor, WarnColor: p.WarnColor, FontColor: p.FontColor,
		PrimaryColorDark: p.PrimaryColorDark, BackgroundColorDark: p.BackgroundColorDark,
		WarnColorDark: p.WarnColorDark, FontColorDark: p.FontColorDark,
		HideLoginNameSuffix: p.HideLoginNameSuffix, DisableWatermark: p.DisableWatermark, ThemeMode: policypb.ThemeMode(p.ThemeMode),
	}
}

func addressLabel(ctx context.Context, p policy.LabelPolicy, m proto.Message) {
	l := m.(*policypb.LabelPolicy) //nolint:forcetypeassert // showLabel made it
	l.LogoUrl, l.LogoUrlDark = AssetURL(ctx, p.Logo), AssetURL(ctx, p.LogoDark)
	l.IconUrl, l.IconUrlDark, l.FontUrl = AssetURL(ctx, p.Icon), AssetURL(ctx, p.IconDark), AssetURL(ctx, p.Font)
}

// LabelAssets make the RPCs that take pictures and fonts out of a preview: named is their
// name up to that of what they take out.
func LabelAssets(named string, store *eventstore.Store, of Scoping) (out []RPC) {
	for name, asset := range map[string]policy.LabelAsset{"Logo": policy.Logo, "LogoDark": policy.LogoDark, "Icon": policy.Icon, "IconDark": policy.IconDark, "Font": policy.Font} {
		out = append(out, ScopedVerb(named+name, store, of, policy.RemoveLabelAsset(asset)))
	}
	return out
}

func editLabel(p *policy.LabelPolicy, r LabelRequest) {
	p.PrimaryColor, p.BackgroundColor, p.WarnColor, p.FontColor = r.GetPrimaryColor(), r.GetBackgroundColor(), r.GetWarnColor(), r.GetFontColor()
	p.PrimaryColorDark, p.BackgroundColorDark = r.GetPrimaryColorDark(), r.GetBackgroundColorDark()
	p.WarnColorDark, p.FontColorDark = r.GetWarnColorDark(), r.GetFontColorDark()
	p.HideLoginNameSuffix, p.DisableWatermark, p.ThemeMode = r.GetHideLoginNameSuffix(), r.GetDisableWatermark(), policy.ThemeMode(r.GetThemeMode())
}

// OIDCRequest tells how long tokens last.
type OIDCRequest interface {
	GetAccessTokenLifetime() *durationpb.Duration
	GetIdTokenLifetime() *durationpb.Duration
	GetRefreshTokenIdleExpiration() *durationpb.Duration
	GetRefreshTokenExpiration() *durationpb.Duration
}

// OIDC are the OIDC settings.
var OIDC = Policy[policy.OIDCSettings, OIDCRequest]{
	Kind: policy.OIDC,
	Show: func(s policy.State[policy.OIDCSettings]) proto.Message {
		return &settingspb.OIDCSettings{
			Details:             View(s.Details),
			AccessTokenLifetime: durationpb.New(s.Doc.AccessTokenLifetime), IdTokenLifetime: durationpb.New(s.Doc.IDTokenLifetime),
			RefreshTokenIdleExpiration: durationpb.New(s.Doc.RefreshTokenIdleExpiration),
			RefreshTokenExpiration:     durationpb.New(s.Doc.RefreshTokenExpiration),
		}
	},
	Edit: func(p *policy.OIDCSettings, r OIDCRequest) {
		p.AccessTokenLifetime, p.IDTokenLifetime = r.GetAccessTokenLifetime().AsDuration(), r.GetIdTokenLifetime().AsDuration()
		p.RefreshTokenIdleExpiration = r.GetRefreshTokenIdleExpiration().AsDuration()
		p.RefreshTokenExpiration = r.GetRefreshTokenExpiration().AsDuration()
	},
}
