package api

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	apppb "github.com/gatehouse/gatehouse/gen/zitadel/app/v1"
	authnpb "github.com/gatehouse/gatehouse/gen/zitadel/authn/v1"
	messagepb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Localized is a fault's sentence in the language of the caller.
func Localized(ctx context.Context, f *fault.Error) string {
	return translate(callOf(ctx).Languages, f)
}

// ComplianceProblems says what is wrong with an application, as v1 shows it.
func ComplianceProblems(ctx context.Context, c *application.OIDC) []*messagepb.LocalizedMessage {
	return Each(c.Problems(), func(p *fault.Error) *messagepb.LocalizedMessage {
		return &messagepb.LocalizedMessage{Key: p.ID, LocalizedMessage: Localized(ctx, p)}
	})
}

// Numbers makes numbers of enums. step is how far the contract's version counts from
// the one in which they are stored.
func Numbers[E ~int32](enums []E, step int32) []int32 {
	return Each(enums, func(e E) int32 { return int32(e) + step })
}

// Enums is the other way.
func Enums[E ~int32](numbers []int32, step int32) []E {
	return Each(numbers, func(n int32) E { return E(n - step) })
}

// V1ResponseStep is how much less v1 numbers response types than is stored.
const V1ResponseStep = 1

// App makes applications as v1 shows them.
func App(ctx context.Context) func(application.Application) *apppb.App {
	return func(a application.Application) *apppb.App {
		out := &apppb.App{Id: a.ID, Details: View(a.Details), State: apppb.AppState(a.State), Name: a.Name} //nolint:gosec // a small number
		switch c := a.Config.(type) {
		case *application.OIDC:
			out.Config = &apppb.App_OidcConfig{OidcConfig: oidcConfig(ctx, a.ClientID, c)}
		case *application.API:
			out.Config = &apppb.App_ApiConfig{ApiConfig: &apppb.APIConfig{ClientId: a.ClientID, AuthMethodType: apppb.APIAuthMethodType(c.AuthMethod)}}
		case *application.SAML:
			out.Config = &apppb.App_SamlConfig{SamlConfig: samlConfig(c)}
		}
		return out
	}
}

func oidcConfig(ctx context.Context, clientID string, c *application.OIDC) *apppb.OIDCConfig {
	problems := ComplianceProblems(ctx, c)
	return &apppb.OIDCConfig{
		RedirectUris: c.RedirectURIs, PostLogoutRedirectUris: c.PostLogoutRedirectURIs,
		ResponseTypes: Enums[apppb.OIDCResponseType](c.ResponseTypes, V1ResponseStep), GrantTypes: Enums[apppb.OIDCGrantType](c.GrantTypes, 0),
		AppType: apppb.OIDCAppType(c.ApplicationType), ClientId: clientID, AuthMethodType: apppb.OIDCAuthMethodType(c.AuthMethod),
		NoneCompliant: len(problems) > 0, ComplianceProblems: problems, DevMode: c.DevMode, AccessTokenType: apppb.OIDCTokenType(c.AccessTokenType),
		AccessTokenRoleAssertion: c.AccessTokenRoleAssertion, IdTokenRoleAssertion: c.IDTokenRoleAssertion, IdTokenUserinfoAssertion: c.IDTokenUserinfoAssertion,
		ClockSkew: durationpb.New(c.ClockSkew), AdditionalOrigins: c.AdditionalOrigins, AllowedOrigins: c.Origins(),
		SkipNativeAppSuccessPage: c.SkipNativeAppSuccessPage, BackChannelLogoutUri: c.BackChannelLogoutURI, LoginVersion: loginVersion(c.Login),
	}
}

func samlConfig(c *application.SAML) *apppb.SAMLConfig {
	out := &apppb.SAMLConfig{Metadata: &apppb.SAMLConfig_MetadataXml{MetadataXml: c.Metadata}, LoginVersion: loginVersion(c.Login)}
	if c.MetadataURL != "" {
		out.Metadata = &apppb.SAMLConfig_MetadataUrl{MetadataUrl: c.MetadataURL}
	}
	return out
}

func loginVersion(l application.Login) *apppb.LoginVersion {
	switch l.Version {
	case application.LoginV1:
		return &apppb.LoginVersion{Version: &apppb.LoginVersion_LoginV1{LoginV1: &apppb.LoginV1{}}}
	case application.LoginV2:
		v := &apppb.LoginV2{}
		if l.BaseURI != "" {
			v.BaseUri = &l.BaseURI
		}
		return &apppb.LoginVersion{Version: &apppb.LoginVersion_LoginV2{LoginV2: v}}
	}
	return nil
}

// AppLogin is which login pages a request of v1 wants.
func AppLogin(v *apppb.LoginVersion) application.Login {
	switch v := v.GetVersion().(type) {
	case *apppb.LoginVersion_LoginV1:
		return application.Login{Version: application.LoginV1}
	case *apppb.LoginVersion_LoginV2:
		return application.Login{Version: application.LoginV2, BaseURI: v.LoginV2.GetBaseUri()}
	}
	return application.Login{}
}

// AppFilter is a filter of v1 for applications.
func AppFilter(q *apppb.AppQuery) (database.Filter, error) {
	if f, ok := q.GetQuery().(*apppb.AppQuery_NameQuery); ok {
		return application.ByName(database.TextMethod(f.NameQuery.GetMethod()), f.NameQuery.GetName()), nil
	}
	return nil, ErrFilter
}

// AppKey is a key of an application as v1 shows it.
func AppKey(k application.Key) *authnpb.Key {
	return &authnpb.Key{Id: k.ID, Type: authnpb.KeyType(k.Kind), ExpirationDate: ExpirationDate(k.Expires), Details: View(k.Details)} //nolint:gosec // a small number
}
