package admin

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	settingspb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
	"google.golang.org/protobuf/types/known/durationpb"
)

// settings lists the RPCs of what instances alone have.
func (h *Handlers) settings() []api.RPC {
	return []api.RPC{
		api.Unary("GetSecurityPolicy", h.getSecurityPolicy),
		api.Unary("SetSecurityPolicy", h.setSecurityPolicy),
		api.Unary("GetRestrictions", h.getRestrictions),
		api.Unary("SetRestrictions", h.setRestrictions),
		api.Unary("ListSecretGenerators", h.listSecretGenerators),
		api.Unary("GetSecretGenerator", h.getSecretGenerator),
		api.Unary("UpdateSecretGenerator", h.updateSecretGenerator),
		api.Unary("ActivateFeatureLoginDefaultOrg", h.activateLoginDefaultOrg),
	}
}

func (h *Handlers) getSecurityPolicy(ctx context.Context, _ *pb.GetSecurityPolicyRequest) (*pb.GetSecurityPolicyResponse, error) {
	s, err := policy.Security.Resolve(ctx, h.store, scope(ctx).Instance)
	return &pb.GetSecurityPolicyResponse{Policy: &settingspb.SecurityPolicy{
		Details: api.View(s.Details), EnableIframeEmbedding: s.Doc.EnableIframeEmbedding,
		AllowedOrigins: s.Doc.AllowedOrigins, EnableImpersonation: s.Doc.EnableImpersonation,
	}}, err
}

func (h *Handlers) setSecurityPolicy(ctx context.Context, r *pb.SetSecurityPolicyRequest) (*pb.SetSecurityPolicyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.Security.Change(tx, s.Instance, func(p *policy.SecurityPolicy) {
			p.EnableIframeEmbedding, p.AllowedOrigins = r.GetEnableIframeEmbedding(), r.GetAllowedOrigins()
			p.EnableImpersonation = r.GetEnableImpersonation()
		})
	})
	return &pb.SetSecurityPolicyResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getRestrictions(ctx context.Context, _ *pb.GetRestrictionsRequest) (*pb.GetRestrictionsResponse, error) {
	s, err := policy.Restrictions.Resolve(ctx, h.store, scope(ctx).Instance)
	return &pb.GetRestrictionsResponse{
		Details:                       api.View(s.Details),
		DisallowPublicOrgRegistration: s.Doc.DisallowPublicOrgRegistration, AllowedLanguages: s.Doc.AllowedLanguages,
	}, err
}

func (h *Handlers) setRestrictions(ctx context.Context, r *pb.SetRestrictionsRequest) (*pb.SetRestrictionsResponse, error) {
	if r.DisallowPublicOrgRegistration == nil && r.GetAllowedLanguages() == nil {
		return nil, fault.Invalid("RESTRICTIONS-none", "Name at least one restriction.")
	}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.SetRestrictions(tx, s.Instance, func(p *policy.RestrictionsDoc) {
			if r.DisallowPublicOrgRegistration != nil {
				p.DisallowPublicOrgRegistration = r.GetDisallowPublicOrgRegistration()
			}
			if r.GetAllowedLanguages() != nil {
				p.AllowedLanguages = r.GetAllowedLanguages().GetList()
			}
		})
	})
	return &pb.SetRestrictionsResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listSecretGenerators(ctx context.Context, r *pb.ListSecretGeneratorsRequest) (*pb.ListSecretGeneratorsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	types, err := api.Filters(r.GetQueries(), secretGeneratorType)
	if err != nil {
		return nil, err
	}
	list, err := policy.SecretGenerators(ctx, h.store, scope(ctx).Instance, types...)
	return &pb.ListSecretGeneratorsResponse{
		Details: api.Listed(len(list), h.store.Now()), Result: api.Each(paged(list, p), secretGenerator),
	}, err
}

func secretGeneratorType(q *settingspb.SecretGeneratorQuery) (policy.SecretGeneratorType, error) {
	if f, ok := q.GetQuery().(*settingspb.SecretGeneratorQuery_TypeQuery); ok {
		return policy.SecretGeneratorType(f.TypeQuery.GetGeneratorType()), nil
	}
	return 0, api.ErrFilter
}

func (h *Handlers) getSecretGenerator(ctx context.Context, r *pb.GetSecretGeneratorRequest) (*pb.GetSecretGeneratorResponse, error) {
	s, err := policy.SecretGeneratorOf(ctx, h.store, scope(ctx).Instance, policy.SecretGeneratorType(r.GetGeneratorType()))
	return &pb.GetSecretGeneratorResponse{SecretGenerator: secretGenerator(s)}, err
}

func (h *Handlers) updateSecretGenerator(ctx context.Context, r *pb.UpdateSecretGeneratorRequest) (*pb.UpdateSecretGeneratorResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.ChangeSecretGenerator(tx, s.Instance, policy.SecretGeneratorType(r.GetGeneratorType()), func(g *policy.SecretGenerator) {
			g.Length, g.Expiry = r.GetLength(), r.GetExpiry().AsDuration()
			g.IncludeLowerLetters, g.IncludeUpperLetters = r.GetIncludeLowerLetters(), r.GetIncludeUpperLetters()
			g.IncludeDigits, g.IncludeSymbols = r.GetIncludeDigits(), r.GetIncludeSymbols()
		})
	})
	return &pb.UpdateSecretGeneratorResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) activateLoginDefaultOrg(ctx context.Context, _ *pb.ActivateFeatureLoginDefaultOrgRequest) (*pb.ActivateFeatureLoginDefaultOrgResponse, error) {
	on := true
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return policy.SetInstanceFeatures(tx, s.Instance, policy.FeatureLoginDefaultOrg.To(&on))
	})
	return &pb.ActivateFeatureLoginDefaultOrgResponse{Details: api.Changed(d)}, err
}

func secretGenerator(s policy.State[policy.SecretGenerator]) *settingspb.SecretGenerator {
	return &settingspb.SecretGenerator{
		GeneratorType: settingspb.SecretGeneratorType(s.Doc.Type), Details: api.View(s.Details),
		Length: s.Doc.Length, Expiry: durationpb.New(s.Doc.Expiry),
		IncludeLowerLetters: s.Doc.IncludeLowerLetters, IncludeUpperLetters: s.Doc.IncludeUpperLetters,
		IncludeDigits: s.Doc.IncludeDigits, IncludeSymbols: s.Doc.IncludeSymbols,
	}
}

// paged is the page of a list that is short enough to be read as a whole.
func paged[T any](list []T, p database.Page) []T {
	list = list[min(p.Offset, uint64(len(list))):]
	return list[:min(p.Limit, uint64(len(list)))]
}
