package management

import (
	"context"
	"slices"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// policies lists the RPCs of every policy but the login policy.
func (h *Handlers) policies() []api.RPC {
	return slices.Concat(
		ownPolicy(h.store, "PasswordComplexityPolicy", api.PasswordComplexity[uint64]()),
		ownPolicy(h.store, "PasswordAgePolicy", api.PasswordAge),
		ownPolicy(h.store, "LockoutPolicy", api.Lockout),
		ownPolicy(h.store, "PrivacyPolicy", api.Privacy),
		ownPolicy(h.store, "NotificationPolicy", api.Notification),
		ownPolicy(h.store, "LabelPolicy", api.Label),
		api.LabelAssets("RemoveCustomLabelPolicy", h.store, api.CallersOrg),
		[]api.RPC{
			api.LabelPreview.Read("GetPreviewLabelPolicy", h.store, api.CallersOrg),
			api.ScopedVerb("ActivateCustomLabelPolicy", h.store, api.CallersOrg, policy.ActivateLabel),
			api.Domain.Read("GetDomainPolicy", h.store, api.CallersOrg),
			api.OrgIAM.Read("GetOrgIAMPolicy", h.store, api.CallersOrg),
			api.Unary("GetSupportedLanguages", supportedLanguages),
		},
	)
}

// ownPolicy lists the RPCs that each policy has that an organization may have of
// its own.
func ownPolicy[D, R any](store *eventstore.Store, name string, p api.Policy[D, R]) []api.RPC {
	return []api.RPC{
		p.Read("Get"+name, store, api.CallersOrg),
		p.Read("GetDefault"+name, store, api.CallersInstance),
		p.Add("AddCustom"+name, store, api.CallersOrg),
		p.Change("UpdateCustom"+name, store, api.CallersOrg),
		p.Reset("Reset"+name+"ToDefault", store, api.CallersOrg),
	}
}

func supportedLanguages(context.Context, *pb.GetSupportedLanguagesRequest) (*pb.GetSupportedLanguagesResponse, error) {
	return &pb.GetSupportedLanguagesResponse{Languages: api.SupportedLanguages()}, nil
}
