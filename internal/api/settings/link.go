package settings

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func (h *Handlers) links(ctx context.Context, r *pb.GetLinkSettingsRequest) (*pb.GetLinkSettingsResponse, error) {
	s, err := scopeOf(ctx, r.GetCtx())
	if err != nil {
		return nil, err
	}
	state, err := policy.Links.ResolveIn(ctx, h.store, s)
	return &pb.GetLinkSettingsResponse{Settings: linkSettings(state.Doc), Source: source(state.Details, state.IsDefault)}, err
}

func (h *Handlers) setLinks(ctx context.Context, r *pb.SetLinkSettingsRequest) (*pb.SetLinkSettingsResponse, error) {
	s, err := scopeOf(ctx, r.GetCtx())
	if err != nil {
		return nil, err
	}
	var now policy.State[policy.LinksDoc]
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (d eventstore.Details, err error) {
		d, err = policy.Links.SetIn(tx, s, func(doc *policy.LinksDoc) { doc.Links = api.Each(r.GetLinks(), linkOf) })
		if err == nil {
			now, err = policy.Links.ResolveIn(ctx, tx.Reader(), s)
		}
		return d, err
	})
	return &pb.SetLinkSettingsResponse{ChangeDate: api.Timestamp(d.Changed), Settings: linkSettings(now.Doc)}, err
}

func (h *Handlers) resetLinks(ctx context.Context, r *pb.ResetLinkSettingsRequest) (*pb.ResetLinkSettingsResponse, error) {
	s, err := scopeOf(ctx, r.GetCtx())
	if err != nil {
		return nil, err
	}
	var now policy.State[policy.LinksDoc]
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (d eventstore.Details, err error) {
		if d, err = policy.Links.ResetIn(tx, s); err == nil {
			now, err = policy.Links.ResolveIn(ctx, tx.Reader(), s)
		}
		return d, err
	})
	return &pb.ResetLinkSettingsResponse{ChangeDate: api.Timestamp(d.Changed), Settings: linkSettings(now.Doc)}, err
}

// effective shows what holds for an organization or the instance. Whose settings
// a project or an application inherits is not known yet.
func (h *Handlers) effective(ctx context.Context, r *pb.GetEffectiveSettingsRequest) (*pb.GetEffectiveSettingsResponse, error) {
	if r.ProjectId != nil || r.ApplicationId != nil {
		return nil, fault.Unimplemented("Settings of projects and applications are not built yet. Name an organization, or none for the instance.")
	}
	s := policy.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
	if err := authz.Require(ctx, "iam.policy.read", s.Org); err != nil {
		return nil, err
	}
	state, err := policy.Links.ResolveIn(ctx, h.store, s)
	return &pb.GetEffectiveSettingsResponse{Links: linkSettings(state.Doc)}, err
}

// source says which level has set something; where none has, it is built in.
func source(d policy.Details, isDefault bool) pb.Source {
	switch {
	case d.Sequence == 0:
		return pb.Source_SOURCE_SYSTEM
	case isDefault:
		return pb.Source_SOURCE_INSTANCE
	}
	return pb.Source_SOURCE_ORGANIZATION
}

func linkSettings(doc policy.LinksDoc) *pb.LinkSettings {
	return &pb.LinkSettings{Links: api.Each(doc.Links, func(l policy.Link) *pb.Link {
		return &pb.Link{Type: pb.LinkType(l.Type), Url: l.URL, TranslationKey: l.TranslationKey, Target: pb.LinkTarget(l.Target)}
	})}
}

func linkOf(l *pb.Link) policy.Link {
	return policy.Link{
		Type: policy.LinkType(l.GetType()), URL: l.GetUrl(), TranslationKey: l.GetTranslationKey(), Target: policy.LinkTarget(l.GetTarget()),
	}
}
