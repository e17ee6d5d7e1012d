package application

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func newOIDC(r *pb.CreateOIDCApplicationRequest) *application.OIDC {
	return &application.OIDC{
		RedirectURIs: r.GetRedirectUris(), PostLogoutRedirectURIs: r.GetPostLogoutRedirectUris(), AdditionalOrigins: r.GetAdditionalOrigins(),
		ResponseTypes: api.Numbers(r.GetResponseTypes(), 0), GrantTypes: api.Numbers(r.GetGrantTypes(), 0),
		ApplicationType: int32(r.GetApplicationType()), AuthMethod: int32(r.GetAuthMethodType()), AccessTokenType: int32(r.GetAccessTokenType()),
		DevMode: r.GetDevelopmentMode(), SkipNativeAppSuccessPage: r.GetSkipNativeAppSuccessPage(),
		AccessTokenRoleAssertion: r.GetAccessTokenRoleAssertion(), IDTokenRoleAssertion: r.GetIdTokenRoleAssertion(),
		IDTokenUserinfoAssertion: r.GetIdTokenUserinfoAssertion(), ClockSkew: r.GetClockSkew().AsDuration(),
		BackChannelLogoutURI: r.GetBackChannelLogoutUri(), Login: login(r.GetLoginVersion()),
	}
}

// setOIDC writes what a request has. A list that it leaves empty stays.
func setOIDC(c *application.OIDC, r *pb.UpdateOIDCApplicationConfigurationRequest) {
	setList(&c.RedirectURIs, r.GetRedirectUris())
	setList(&c.PostLogoutRedirectURIs, r.GetPostLogoutRedirectUris())
	setList(&c.AdditionalOrigins, r.GetAdditionalOrigins())
	setList(&c.ResponseTypes, api.Numbers(r.GetResponseTypes(), 0))
	setList(&c.GrantTypes, api.Numbers(r.GetGrantTypes(), 0))
	setEnum(&c.ApplicationType, r.ApplicationType)
	setEnum(&c.AuthMethod, r.AuthMethodType)
	setEnum(&c.AccessTokenType, r.AccessTokenType)
	set(&c.DevMode, r.DevelopmentMode)
	set(&c.AccessTokenRoleAssertion, r.AccessTokenRoleAssertion)
	set(&c.IDTokenRoleAssertion, r.IdTokenRoleAssertion)
	set(&c.IDTokenUserinfoAssertion, r.IdTokenUserinfoAssertion)
	set(&c.SkipNativeAppSuccessPage, r.SkipNativeAppSuccessPage)
	set(&c.BackChannelLogoutURI, r.BackChannelLogoutUri)
	if r.ClockSkew != nil {
		c.ClockSkew = r.GetClockSkew().AsDuration()
	}
	if r.LoginVersion != nil {
		c.Login = login(r.GetLoginVersion())
	}
}

func setSAML(c *application.SAML, r *pb.UpdateSAMLApplicationConfigurationRequest, xml []byte) {
	if len(xml) > 0 {
		c.Metadata, c.MetadataURL = xml, r.GetMetadataUrl()
	}
	if r.LoginVersion != nil {
		c.Login = login(r.GetLoginVersion())
	}
}

// set writes what a request has; the rest stays.
func set[T any](field, wanted *T) {
	if wanted != nil {
		*field = *wanted
	}
}

func setEnum[E ~int32](field *int32, wanted *E) {
	if wanted != nil {
		*field = int32(*wanted)
	}
}

func setList[T any](field *[]T, wanted []T) {
	if len(wanted) > 0 {
		*field = wanted
	}
}

func problems(ctx context.Context, c *application.OIDC) []*pb.OIDCLocalizedMessage {
	return api.Each(c.Problems(), func(p *fault.Error) *pb.OIDCLocalizedMessage {
		return &pb.OIDCLocalizedMessage{Key: p.ID, LocalizedMessage: api.Localized(ctx, p)}
	})
}

// message makes applications as the service shows them.
func message(ctx context.Context) func(application.Application) *pb.Application {
	return func(a application.Application) *pb.Application {
		out := &pb.Application{
			ApplicationId: a.ID, ProjectId: a.Project, Name: a.Name, State: pb.ApplicationState(a.State), //nolint:gosec // a small number
			CreationDate: api.Timestamp(a.Details.Created), ChangeDate: api.Timestamp(a.Details.Changed),
		}
		switch c := a.Config.(type) {
		case *application.OIDC:
			out.Configuration = &pb.Application_OidcConfiguration{OidcConfiguration: oidcMessage(ctx, a.ClientID, c)}
		case *application.API:
			out.Configuration = &pb.Application_ApiConfiguration{ApiConfiguration: &pb.APIConfiguration{ClientId: a.ClientID, AuthMethodType: pb.APIAuthMethodType(c.AuthMethod)}}
		case *application.SAML:
			out.Configuration = &pb.Application_SamlConfiguration{SamlConfiguration: &pb.SAMLConfiguration{
				MetadataXml: c.Metadata, MetadataUrl: c.MetadataURL, LoginVersion: loginMessage(c.Login),
			}}
		}
		return out
	}
}

func oidcMessage(ctx context.Context, clientID string, c *application.OIDC) *pb.OIDCConfiguration {
	p := problems(ctx, c)
	return &pb.OIDCConfiguration{
		RedirectUris: c.RedirectURIs, PostLogoutRedirectUris: c.PostLogoutRedirectURIs,
		ResponseTypes: api.Enums[pb.OIDCResponseType](c.ResponseTypes, 0), GrantTypes: api.Enums[pb.OIDCGrantType](c.GrantTypes, 0),
		ApplicationType: pb.OIDCApplicationType(c.ApplicationType), ClientId: clientID, AuthMethodType: pb.OIDCAuthMethodType(c.AuthMethod),
		NonCompliant: len(p) > 0, ComplianceProblems: p, DevelopmentMode: c.DevMode, AccessTokenType: pb.OIDCTokenType(c.AccessTokenType),
		AccessTokenRoleAssertion: c.AccessTokenRoleAssertion, IdTokenRoleAssertion: c.IDTokenRoleAssertion, IdTokenUserinfoAssertion: c.IDTokenUserinfoAssertion,
		ClockSkew: durationpb.New(c.ClockSkew), AdditionalOrigins: c.AdditionalOrigins, AllowedOrigins: c.Origins(),
		SkipNativeAppSuccessPage: c.SkipNativeAppSuccessPage, BackChannelLogoutUri: c.BackChannelLogoutURI, LoginVersion: loginMessage(c.Login),
	}
}

func loginMessage(l application.Login) *pb.LoginVersion {
	switch l.Version {
	case application.LoginV1:
		return &pb.LoginVersion{Version: &pb.LoginVersion_LoginV1{LoginV1: &pb.LoginV1{}}}
	case application.LoginV2:
		v := &pb.LoginV2{}
		if l.BaseURI != "" {
			v.BaseUri = &l.BaseURI
		}
		return &pb.LoginVersion{Version: &pb.LoginVersion_LoginV2{LoginV2: v}}
	}
	return nil
}

// login is which login pages a request wants.
func login(v *pb.LoginVersion) application.Login {
	switch v := v.GetVersion().(type) {
	case *pb.LoginVersion_LoginV1:
		return application.Login{Version: application.LoginV1}
	case *pb.LoginVersion_LoginV2:
		return application.Login{Version: application.LoginV2, BaseURI: v.LoginV2.GetBaseUri()}
	}
	return application.Login{}
}
