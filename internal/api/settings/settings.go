// Package settings is the v2 service that shows how an organization or the
// instance is set up, to login pages above all.
package settings

import (
	"context"

	"google.golang.org/protobuf/proto"

	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists what is built of the service.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "zitadel.settings.v2.SettingsService", RPCs: []api.RPC{
		read(store, "GetLoginSettings", h.resolveLogin, login),
		read(store, "GetPasswordComplexitySettings", policy.PasswordComplexity.Resolve, passwordComplexity),
		read(store, "GetPasswordExpirySettings", policy.PasswordAge.Resolve, passwordExpiry),
		read(store, "GetBrandingSettings", policy.ResolveActiveLabel, branding),
		read(store, "GetDomainSettings", policy.Domain.Resolve, domain),
		read(store, "GetLegalAndSupportSettings", policy.Privacy.Resolve, legalAndSupport),
		read(store, "GetLockoutSettings", policy.Lockout.Resolve, lockout),
		api.Unary("GetGeneralSettings", h.general),
		api.Unary("GetSecuritySettings", h.security),
		api.Unary("SetSecuritySettings", h.setSecurity),
		api.Unary("SetOrganizationSettings", h.setOrganization),
		api.Unary("DeleteOrganizationSettings", h.deleteOrganization),
		api.Unary("ListOrganizationSettings", h.listOrganizations),
		api.Unary("GetLinkSettings", h.links),
		api.Unary("SetLinkSettings", h.setLinks),
		api.Unary("ResetLinkSettings", h.resetLinks),
		api.Unary("GetEffectiveSettings", h.effective),
		api.Unary("GetHostedLoginTranslation", h.translation),
		api.Unary("SetHostedLoginTranslation", h.setTranslation),
		api.Unary("GetActiveIdentityProviders", h.activeProviders),
	}}
}

func (h *Handlers) resolveLogin(ctx context.Context, _ database.Reader, s policy.Scope) (policy.State[policy.LoginPolicy], error) {
	return policy.ResolveLogin(ctx, h.store, s)
}

// read makes an RPC that shows the policy that holds where the request says.
func read[D any](store *eventstore.Store, rpc string,
	resolve func(context.Context, database.Reader, policy.Scope) (policy.State[D], error),
	show func(D, pb.ResourceOwnerType) proto.Message,
) api.RPC {
	return api.Shaped(rpc, func(ctx context.Context, r interface {
		GetCtx() *objectpb.RequestContext
	}) (api.Fields, error) {
		scope, err := scopeOf(ctx, r.GetCtx())
		if err != nil {
			return nil, err
		}
		s, err := resolve(ctx, store, scope)
		shown := show(s.Doc, owner(s.IsDefault))
		if label, ok := any(s.Doc).(policy.LabelPolicy); ok {
			address(ctx, &label, shown)
		}
		return api.Fields{"details": api.ViewV2(s.Details), "settings": shown}, err
	})
}

// scopeOf is what the request's context names, else the organization of the
// header, else the caller's own. To name an organization takes the permission to
// read its policies; what the instance has by default, all may read who may read
// policies at all, since every organization shows it.
func scopeOf(ctx context.Context, r *objectpb.RequestContext) (policy.Scope, error) {
	caller := authz.From(ctx)
	switch {
	case r.GetInstance():
		return policy.Scope{Instance: caller.Instance}, nil
	case r.GetOrgId() != "":
		return policy.Scope{Instance: caller.Instance, Org: r.GetOrgId()}, authz.Require(ctx, "policy.read", r.GetOrgId())
	}
	return policy.Scope{Instance: caller.Instance, Org: caller.Org}, nil
}

func owner(isDefault bool) pb.ResourceOwnerType {
	if isDefault {
		return pb.ResourceOwnerType_RESOURCE_OWNER_TYPE_INSTANCE
	}
	return pb.ResourceOwnerType_RESOURCE_OWNER_TYPE_ORG
}

func (h *Handlers) general(ctx context.Context, _ *pb.GetGeneralSettingsRequest) (*pb.GetGeneralSettingsResponse, error) {
	var s policy.State[policy.RestrictionsDoc]
	id := authz.From(ctx).Instance
	in, err := instance.ByID(ctx, h.store, id, policy.Restrictions.Ask(id, &s))
	return &pb.GetGeneralSettingsResponse{
		DefaultOrgId: in.DefaultOrg, DefaultOrganizationId: in.DefaultOrg, DefaultLanguage: in.DefaultLanguage,
		SupportedLanguages: api.SupportedLanguages(), AllowedLanguages: api.AllowedLanguages(s.Doc),
	}, err
}

func (h *Handlers) security(ctx context.Context, _ *pb.GetSecuritySettingsRequest) (*pb.GetSecuritySettingsResponse, error) {
	s, err := policy.Security.Resolve(ctx, h.store, authz.From(ctx).Instance)
	return &pb.GetSecuritySettingsResponse{Details: api.ViewV2(s.Details), Settings: &pb.SecuritySettings{
		EmbeddedIframe:      &pb.EmbeddedIframeSettings{Enabled: s.Doc.EnableIframeEmbedding, AllowedOrigins: s.Doc.AllowedOrigins},
		EnableImpersonation: s.Doc.EnableImpersonation,
	}}, err
}

func (h *Handlers) setSecurity(ctx context.Context, r *pb.SetSecuritySettingsRequest) (*pb.SetSecuritySettingsResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.Security.Set(tx, authz.From(ctx).Instance, func(p *policy.SecurityPolicy) {
			p.EnableIframeEmbedding, p.AllowedOrigins = r.GetEmbeddedIframe().GetEnabled(), r.GetEmbeddedIframe().GetAllowedOrigins()
			p.EnableImpersonation = r.GetEnableImpersonation()
		})
	})
	return &pb.SetSecuritySettingsResponse{Details: api.ChangedV2(d)}, err
}

// activeProviders lists the linked identity providers that exist. A link in the
// login policy is an id only, and no provider can be made yet, so none is shown.
func (h *Handlers) activeProviders(ctx context.Context, r *pb.GetActiveIdentityProvidersRequest) (*pb.GetActiveIdentityProvidersResponse, error) {
	if _, err := scopeOf(ctx, r.GetCtx()); err != nil {
		return nil, err
	}
	return &pb.GetActiveIdentityProvidersResponse{Details: api.ListedV2(0, h.store.Now())}, nil
}
