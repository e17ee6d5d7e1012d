package settings

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// This file says for each kind of policy how the v2 service shows its document.

func login(p policy.LoginPolicy, owner pb.ResourceOwnerType) proto.Message {
	s := &pb.LoginSettings{
		AllowUsernamePassword: p.AllowUsernamePassword, AllowLocalAuthentication: p.AllowUsernamePassword, //nolint:staticcheck // the old name of the field
		AllowRegister: p.AllowRegister, AllowExternalIdp: p.AllowExternalIDP,
		ForceMfa: p.ForceMFA, ForceMfaLocalOnly: p.ForceMFALocalOnly, PasskeysType: pb.PasskeysType(p.PasswordlessAllowed),
		HidePasswordReset: p.HidePasswordReset, IgnoreUnknownUsernames: p.IgnoreUnknownUsernames,
		DefaultRedirectUri: p.DefaultRedirectURI, AllowDomainDiscovery: p.AllowDomainDiscovery,
		DisableLoginWithEmail: p.DisableLoginWithEmail, DisableLoginWithPhone: p.DisableLoginWithPhone,
		PasswordCheckLifetime:      durationpb.New(p.PasswordCheckLifetime),
		ExternalLoginCheckLifetime: durationpb.New(p.ExternalLoginCheckLifetime),
		MfaInitSkipLifetime:        durationpb.New(p.MFAInitSkipLifetime),
		SecondFactorCheckLifetime:  durationpb.New(p.SecondFactorCheckLifetime),
		MultiFactorCheckLifetime:   durationpb.New(p.MultiFactorCheckLifetime),
		ResourceOwnerType:          owner,
	}
	for _, f := range p.SecondFactors {
		s.SecondFactors = append(s.SecondFactors, pb.SecondFactorType(f))
	}
	for _, f := range p.MultiFactors {
		s.MultiFactors = append(s.MultiFactors, pb.MultiFactorType(f))
	}
	return s
}

func passwordComplexity(p policy.PasswordComplexityPolicy, owner pb.ResourceOwnerType) proto.Message {
	return &pb.PasswordComplexitySettings{
		MinLength: p.MinLength, RequiresUppercase: p.HasUppercase, RequiresLowercase: p.HasLowercase,
		RequiresNumber: p.HasNumber, RequiresSymbol: p.HasSymbol, ResourceOwnerType: owner,
	}
}

func passwordExpiry(p policy.PasswordAgePolicy, owner pb.ResourceOwnerType) proto.Message {
	return &pb.PasswordExpirySettings{MaxAgeDays: p.MaxAgeDays, ExpireWarnDays: p.ExpireWarnDays, ResourceOwnerType: owner}
}

func branding(p policy.LabelPolicy, owner pb.ResourceOwnerType) proto.Message {
	return &pb.BrandingSettings{
		LightTheme: &pb.Theme{
			PrimaryColor: p.PrimaryColor, BackgroundColor: p.BackgroundColor, WarnColor: p.WarnColor, FontColor: p.FontColor,
		},
		DarkTheme: &pb.Theme{
			PrimaryColor: p.PrimaryColorDark, BackgroundColor: p.BackgroundColorDark, WarnColor: p.WarnColorDark, FontColor: p.FontColorDark,
		},
		HideLoginNameSuffix: p.HideLoginNameSuffix, DisableWatermark: p.DisableWatermark,
		ThemeMode: themeModes[p.ThemeMode], ResourceOwnerType: owner,
	}
}

// address fills in where the pictures and the font of a label policy are.
func address(ctx context.Context, p *policy.LabelPolicy, m proto.Message) {
	b := m.(*pb.BrandingSettings) //nolint:forcetypeassert // branding made it
	b.LightTheme.LogoUrl, b.LightTheme.IconUrl = api.AssetURL(ctx, p.Logo), api.AssetURL(ctx, p.Icon)
	b.DarkTheme.LogoUrl, b.DarkTheme.IconUrl = api.AssetURL(ctx, p.LogoDark), api.AssetURL(ctx, p.IconDark)
	b.FontUrl = api.AssetURL(ctx, p.Font)
}

// themeModes: the policy numbers dark and light the other way round.
var themeModes = map[policy.ThemeMode]pb.ThemeMode{
	policy.ThemeAuto:  pb.ThemeMode_THEME_MODE_AUTO,
	policy.ThemeLight: pb.ThemeMode_THEME_MODE_LIGHT,
	policy.ThemeDark:  pb.ThemeMode_THEME_MODE_DARK,
}

func domain(p policy.DomainPolicy, owner pb.ResourceOwnerType) proto.Message {
	return &pb.DomainSettings{
		LoginNameIncludesDomain: p.UserLoginMustBeDomain, RequireOrgDomainVerification: p.ValidateOrgDomains,
		SmtpSenderAddressMatchesInstanceDomain: p.SMTPSenderMatchesDomain, ResourceOwnerType: owner,
	}
}

func legalAndSupport(p policy.PrivacyPolicy, owner pb.ResourceOwnerType) proto.Message {
	return &pb.LegalAndSupportSettings{
		TosLink: p.TOSLink, PrivacyPolicyLink: p.PrivacyLink, HelpLink: p.HelpLink, SupportEmail: p.SupportEmail,
		DocsLink: p.DocsLink, CustomLink: p.CustomLink, CustomLinkText: p.CustomLinkText, ResourceOwnerType: owner,
	}
}

func lockout(p policy.LockoutPolicy, owner pb.ResourceOwnerType) proto.Message {
	return &pb.LockoutSettings{MaxPasswordAttempts: p.MaxPasswordAttempts, MaxOtpAttempts: p.MaxOTPAttempts, ResourceOwnerType: owner}
}
