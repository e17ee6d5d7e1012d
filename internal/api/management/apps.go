package management

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/durationpb"

	apppb "github.com/gatehouse/gatehouse/gen/zitadel/app/v1"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) apps() []api.RPC {
	return []api.RPC{
		api.Unary("AddOIDCApp", h.addOIDCApp).Imports(),
		api.Unary("AddAPIApp", h.addAPIApp).Imports(),
		api.Unary("AddSAMLApp", h.addSAMLApp),
		api.Unary("UpdateApp", h.updateApp),
		api.Unary("UpdateOIDCAppConfig", h.updateOIDCAppConfig),
		api.Unary("UpdateAPIAppConfig", h.updateAPIAppConfig),
		api.Unary("UpdateSAMLAppConfig", h.updateSAMLAppConfig),
		api.Unary("RegenerateOIDCClientSecret", h.regenerateOIDCClientSecret),
		api.Unary("RegenerateAPIClientSecret", h.regenerateAPIClientSecret),
		api.Unary("DeactivateApp", h.deactivateApp),
		api.Unary("ReactivateApp", h.reactivateApp),
		api.Unary("RemoveApp", h.removeApp),
		api.Unary("GetAppByID", h.getApp),
		api.Unary("ListApps", h.listApps),
		api.Unary("ListAppChanges", h.listAppChanges),
	}
}

// addApp adds an application to a project.
func (h *Handlers) addApp(ctx context.Context, r interface {
	GetProjectId() string
	GetName() string
}, c application.Config,
) (n flow.NewApplication, err error) {
	_, err = h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		n, err = flow.AddApplication(tx, s, r.GetProjectId(), api.ImportOf(ctx).ID, api.ImportOf(ctx).ClientID, r.GetName(), c)
		return n.Details, err
	})
	return n, err
}

// oidcRequest is what the requests of v1 that say how an application is set up share.
type oidcRequest interface { //nolint:interfacebloat // as many as the message has fields
	GetProjectId() string
	GetRedirectUris() []string
	GetResponseTypes() []apppb.OIDCResponseType
	GetGrantTypes() []apppb.OIDCGrantType
	GetAppType() apppb.OIDCAppType
	GetAuthMethodType() apppb.OIDCAuthMethodType
	GetPostLogoutRedirectUris() []string
	GetDevMode() bool
	GetAccessTokenType() apppb.OIDCTokenType
	GetAccessTokenRoleAssertion() bool
	GetIdTokenRoleAssertion() bool
	GetIdTokenUserinfoAssertion() bool
	GetClockSkew() *durationpb.Duration
	GetAdditionalOrigins() []string
	GetSkipNativeAppSuccessPage() bool
	GetBackChannelLogoutUri() string
	GetLoginVersion() *apppb.LoginVersion
}

// setOIDC writes what a request says; what v1 has no field for stays.
func setOIDC(c *application.OIDC, r oidcRequest) {
	c.RedirectURIs, c.PostLogoutRedirectURIs, c.AdditionalOrigins = r.GetRedirectUris(), r.GetPostLogoutRedirectUris(), r.GetAdditionalOrigins()
	c.ResponseTypes, c.GrantTypes = api.Numbers(r.GetResponseTypes(), api.V1ResponseStep), api.Numbers(r.GetGrantTypes(), 0)
	c.ApplicationType, c.AuthMethod, c.AccessTokenType = int32(r.GetAppType()), int32(r.GetAuthMethodType()), int32(r.GetAccessTokenType())
	c.DevMode, c.SkipNativeAppSuccessPage = r.GetDevMode(), r.GetSkipNativeAppSuccessPage()
	c.AccessTokenRoleAssertion, c.IDTokenRoleAssertion = r.GetAccessTokenRoleAssertion(), r.GetIdTokenRoleAssertion()
	c.IDTokenUserinfoAssertion, c.ClockSkew = r.GetIdTokenUserinfoAssertion(), r.GetClockSkew().AsDuration()
	c.BackChannelLogoutURI, c.Login = r.GetBackChannelLogoutUri(), api.AppLogin(r.GetLoginVersion())
}

func (h *Handlers) checkBackChannel(ctx context.Context, r oidcRequest) error {
	return flow.CheckApplicationURL(ctx, h.store, h.outside, scope(ctx), r.GetProjectId(), r.GetBackChannelLogoutUri())
}

func (h *Handlers) addOIDCApp(ctx context.Context, r *pb.AddOIDCAppRequest) (*pb.AddOIDCAppResponse, error) {
	if err := h.checkBackChannel(ctx, r); err != nil {
		return nil, err
	}
	c := &application.OIDC{}
	setOIDC(c, r)
	n, err := h.addApp(ctx, r, c)
	problems := api.ComplianceProblems(ctx, c)
	return &pb.AddOIDCAppResponse{
		AppId: n.ID, Details: api.Added(n.Details), ClientId: n.ClientID, ClientSecret: n.Secret, NoneCompliant: len(problems) > 0, ComplianceProblems: problems,
	}, err
}

func (h *Handlers) addAPIApp(ctx context.Context, r *pb.AddAPIAppRequest) (*pb.AddAPIAppResponse, error) {
	n, err := h.addApp(ctx, r, &application.API{AuthMethod: int32(r.GetAuthMethodType())})
	return &pb.AddAPIAppResponse{AppId: n.ID, Details: api.Added(n.Details), ClientId: n.ClientID, ClientSecret: n.Secret}, err
}

// metadata gives the metadata of a request, fetched where it says from where.
func (h *Handlers) metadataOf(ctx context.Context, r interface {
	GetProjectId() string
	GetMetadataXml() []byte
	GetMetadataUrl() string
},
) ([]byte, error) {
	if r.GetMetadataUrl() == "" {
		return r.GetMetadataXml(), nil
	}
	return flow.FetchMetadata(ctx, h.store, h.outside, scope(ctx), r.GetProjectId(), r.GetMetadataUrl())
}

func (h *Handlers) addSAMLApp(ctx context.Context, r *pb.AddSAMLAppRequest) (*pb.AddSAMLAppResponse, error) {
	xml, err := h.metadataOf(ctx, r)
	if err != nil {
		return nil, err
	}
	n, err := h.addApp(ctx, r, &application.SAML{Metadata: xml, MetadataURL: r.GetMetadataUrl(), Login: api.AppLogin(r.GetLoginVersion())})
	return &pb.AddSAMLAppResponse{AppId: n.ID, Details: api.Added(n.Details)}, err
}

func (h *Handlers) updateApp(ctx context.Context, r *pb.UpdateAppRequest) (*pb.UpdateAppResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Rename(tx, s, r.GetProjectId(), r.GetAppId(), r.GetName())
	})
	return &pb.UpdateAppResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) updateOIDCAppConfig(ctx context.Context, r *pb.UpdateOIDCAppConfigRequest) (*pb.UpdateOIDCAppConfigResponse, error) {
	if err := h.checkBackChannel(ctx, r); err != nil {
		return nil, err
	}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Change(tx, s, r.GetProjectId(), r.GetAppId(), func(c *application.OIDC) { setOIDC(c, r) })
	})
	return &pb.UpdateOIDCAppConfigResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) updateAPIAppConfig(ctx context.Context, r *pb.UpdateAPIAppConfigRequest) (*pb.UpdateAPIAppConfigResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Change(tx, s, r.GetProjectId(), r.GetAppId(), func(c *application.API) { c.AuthMethod = int32(r.GetAuthMethodType()) })
	})
	return &pb.UpdateAPIAppConfigResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) updateSAMLAppConfig(ctx context.Context, r *pb.UpdateSAMLAppConfigRequest) (*pb.UpdateSAMLAppConfigResponse, error) {
	xml, err := h.metadataOf(ctx, r)
	if err != nil {
		return nil, err
	}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Change(tx, s, r.GetProjectId(), r.GetAppId(), func(c *application.SAML) {
			c.Metadata, c.MetadataURL, c.Login = xml, r.GetMetadataUrl(), api.AppLogin(r.GetLoginVersion())
		})
	})
	return &pb.UpdateSAMLAppConfigResponse{Details: api.Changed(d)}, err
}

// resetSecret gives an application of the kind C a new secret.
func resetSecret[C application.Config](ctx context.Context, h *Handlers, projectID, id string) (secret string, d eventstore.Details, err error) {
	d, err = h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		secret, d, err = flow.ResetApplicationSecret(tx, s, projectID, id, func(c application.Config) bool { _, ok := c.(C); return ok })
		return d, err
	})
	return secret, d, err
}

func (h *Handlers) regenerateOIDCClientSecret(ctx context.Context, r *pb.RegenerateOIDCClientSecretRequest) (*pb.RegenerateOIDCClientSecretResponse, error) {
	secret, d, err := resetSecret[*application.OIDC](ctx, h, r.GetProjectId(), r.GetAppId())
	return &pb.RegenerateOIDCClientSecretResponse{ClientSecret: secret, Details: api.Changed(d)}, err
}

func (h *Handlers) regenerateAPIClientSecret(ctx context.Context, r *pb.RegenerateAPIClientSecretRequest) (*pb.RegenerateAPIClientSecretResponse, error) {
	secret, d, err := resetSecret[*application.API](ctx, h, r.GetProjectId(), r.GetAppId())
	return &pb.RegenerateAPIClientSecretResponse{ClientSecret: secret, Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateApp(ctx context.Context, r *pb.DeactivateAppRequest) (*pb.DeactivateAppResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Deactivate(tx, s, r.GetProjectId(), r.GetAppId())
	})
	return &pb.DeactivateAppResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) reactivateApp(ctx context.Context, r *pb.ReactivateAppRequest) (*pb.ReactivateAppResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Reactivate(tx, s, r.GetProjectId(), r.GetAppId())
	})
	return &pb.ReactivateAppResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeApp(ctx context.Context, r *pb.RemoveAppRequest) (*pb.RemoveAppResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Remove(tx, s, r.GetProjectId(), r.GetAppId())
	})
	return &pb.RemoveAppResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getApp(ctx context.Context, r *pb.GetAppByIDRequest) (*pb.GetAppByIDResponse, error) {
	a, err := application.One(ctx, h.store, scope(ctx), application.OfProject(r.GetProjectId()), application.WithID(r.GetAppId()))
	return &pb.GetAppByIDResponse{App: api.App(ctx)(a)}, err
}

func (h *Handlers) listApps(ctx context.Context, r *pb.ListAppsRequest) (*pb.ListAppsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.AppFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	filters = append([]database.Filter{application.OfOrg(s.Org), application.OfProject(r.GetProjectId())}, filters...)
	l, err := application.List(ctx, h.store, s.Instance, p, application.SortCreated, filters...)
	return &pb.ListAppsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.App(ctx))}, err
}

func (h *Handlers) listAppChanges(ctx context.Context, r *pb.ListAppChangesRequest) (*pb.ListAppChangesResponse, error) {
	changes, err := h.projectHistory(ctx, "project.app.read", r, fmt.Sprintf(`"appId":%q`, r.GetAppId()))
	return &pb.ListAppChangesResponse{Result: changes}, err
}
