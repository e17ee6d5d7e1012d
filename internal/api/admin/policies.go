package admin

import (
	"context"
	"slices"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// policies lists the RPCs of every policy but the login policy: the instance's
// own, which organizations inherit, and the domain policies of organizations.
func (h *Handlers) policies() []api.RPC {
	return slices.Concat(
		defaultPolicy(h.store, "PasswordComplexityPolicy", api.PasswordComplexity[uint32]()),
		defaultPolicy(h.store, "PasswordAgePolicy", api.PasswordAge),
		defaultPolicy(h.store, "LockoutPolicy", api.Lockout),
		defaultPolicy(h.store, "PrivacyPolicy", api.Privacy),
		defaultPolicy(h.store, "NotificationPolicy", api.Notification),
		defaultPolicy(h.store, "LabelPolicy", api.Label),
		defaultPolicy(h.store, "DomainPolicy", api.Domain),
		defaultPolicy(h.store, "OrgIAMPolicy", api.OrgIAM),
		defaultPolicy(h.store, "OIDCSettings", api.OIDC),
		customPolicy(h.store, "DomainPolicy", api.Domain),
		customPolicy(h.store, "OrgIAMPolicy", api.OrgIAM),
		api.LabelAssets("RemoveLabelPolicy", h.store, api.CallersInstance),
		[]api.RPC{
			api.LabelPreview.Read("GetPreviewLabelPolicy", h.store, api.CallersInstance),
			api.ScopedVerb("ActivateLabelPolicy", h.store, api.CallersInstance, policy.ActivateLabel),
			api.Notification.Add("AddNotificationPolicy", h.store, api.CallersInstance),
			api.OIDC.Add("AddOIDCSettings", h.store, api.CallersInstance),
			api.Domain.Add("AddCustomDomainPolicy", h.store, api.NamedOrg),
			api.Unary("AddCustomOrgIAMPolicy", h.addOrgIAMPolicy),
		},
	)
}

// defaultPolicy lists the RPCs that each policy of the instance has.
func defaultPolicy[D, R any](store *eventstore.Store, name string, p api.Policy[D, R]) []api.RPC {
	return []api.RPC{
		p.Read("Get"+name, store, api.CallersInstance),
		p.Change("Update"+name, store, api.CallersInstance),
	}
}

// customPolicy lists the RPCs of a policy of an organization that is up to those
// who administer the instance.
func customPolicy[D, R any](store *eventstore.Store, name string, p api.Policy[D, R]) []api.RPC {
	return []api.RPC{
		p.Read("GetCustom"+name, store, api.NamedOrg),
		p.Change("UpdateCustom"+name, store, api.NamedOrg),
		p.Reset("ResetCustom"+name+"ToDefault", store, api.NamedOrg),
	}
}

// addOrgIAMPolicy begins with what holds, so that a client that knows one setting
// does not turn off the others.
func (h *Handlers) addOrgIAMPolicy(ctx context.Context, r *pb.AddCustomOrgIAMPolicyRequest) (*pb.AddCustomOrgIAMPolicyResponse, error) {
	inherited, err := policy.Domain.Resolve(ctx, h.store, scope(ctx))
	if err != nil {
		return nil, err
	}
	api.OrgIAM.Edit(&inherited.Doc, r)
	d, err := h.write(ctx, func(tx *eventstore.Tx, _ eventstore.Scope) (eventstore.Details, error) {
		return policy.Domain.Add(tx, api.NamedOrg(ctx, r), inherited.Doc)
	})
	return &pb.AddCustomOrgIAMPolicyResponse{Details: api.Added(d)}, err
}
