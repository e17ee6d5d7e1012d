// Package feature is the v2 service that turns features on and off, for the
// system and for an instance.
package feature

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/feature/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists what is built of the service.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "zitadel.feature.v2.FeatureService", RPCs: []api.RPC{
		api.Unary("SetSystemFeatures", h.setSystem),
		api.Unary("ResetSystemFeatures", h.resetSystem),
		api.Unary("GetSystemFeatures", h.system),
		api.Unary("SetInstanceFeatures", h.setInstance),
		api.Unary("ResetInstanceFeatures", h.resetInstance),
		api.Unary("GetInstanceFeatures", h.instance),
	}}
}

func (h *Handlers) setSystem(ctx context.Context, r *pb.SetSystemFeaturesRequest) (*pb.SetSystemFeaturesResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.SetSystemFeatures(tx,
			policy.FeatureLoginDefaultOrg.To(r.LoginDefaultOrg),
			policy.FeatureUserSchema.To(r.UserSchema),
			policy.FeatureImprovedPerformance.To(paths(r.GetImprovedPerformance())),
			policy.FeatureOIDCSingleV1SessionTermination.To(r.OidcSingleV1SessionTermination),
			policy.FeatureLoginV2.To(loginV2(r.GetLoginV2())),
			policy.FeaturePermissionCheckV2.To(r.PermissionCheckV2),
			policy.FeatureEnableRelationalTables.To(r.EnableRelationalTables),
			policy.RetiredFeature(r.OidcTokenExchange),       //nolint:staticcheck // clients still send it
			policy.RetiredFeature(r.EnableBackChannelLogout)) //nolint:staticcheck // clients still send it
	})
	return &pb.SetSystemFeaturesResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) resetSystem(ctx context.Context, _ *pb.ResetSystemFeaturesRequest) (*pb.ResetSystemFeaturesResponse, error) {
	d, err := api.Write(ctx, h.store, policy.ResetSystemFeatures)
	return &pb.ResetSystemFeaturesResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) setInstance(ctx context.Context, r *pb.SetInstanceFeaturesRequest) (*pb.SetInstanceFeaturesResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.SetInstanceFeatures(tx, authz.From(ctx).Instance,
			policy.FeatureLoginDefaultOrg.To(r.LoginDefaultOrg),
			policy.FeatureUserSchema.To(r.UserSchema),
			policy.FeatureImprovedPerformance.To(paths(r.GetImprovedPerformance())),
			policy.FeatureDebugOIDCParentError.To(r.DebugOidcParentError),
			policy.FeatureOIDCSingleV1SessionTermination.To(r.OidcSingleV1SessionTermination),
			policy.FeatureLoginV2.To(loginV2(r.GetLoginV2())),
			policy.FeaturePermissionCheckV2.To(r.PermissionCheckV2),
			policy.FeatureConsoleUseV2UserAPI.To(r.ConsoleUseV2UserApi),
			policy.FeatureEnableRelationalTables.To(r.EnableRelationalTables),
			policy.RetiredFeature(r.OidcTokenExchange),       //nolint:staticcheck // clients still send it
			policy.RetiredFeature(r.EnableBackChannelLogout)) //nolint:staticcheck // clients still send it
	})
	return &pb.SetInstanceFeaturesResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) resetInstance(ctx context.Context, _ *pb.ResetInstanceFeaturesRequest) (*pb.ResetInstanceFeaturesResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.ResetInstanceFeatures(tx, authz.From(ctx).Instance)
	})
	return &pb.ResetInstanceFeaturesResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) system(ctx context.Context, _ *pb.GetSystemFeaturesRequest) (*pb.GetSystemFeaturesResponse, error) {
	fs, err := policy.SystemFeatures(ctx, h.store)
	return &pb.GetSystemFeaturesResponse{
		Details:                        api.ViewV2(fs.Details),
		LoginDefaultOrg:                flag(fs, policy.FeatureLoginDefaultOrg),
		UserSchema:                     flag(fs, policy.FeatureUserSchema),
		ImprovedPerformance:            pathsFlag(fs),
		OidcSingleV1SessionTermination: flag(fs, policy.FeatureOIDCSingleV1SessionTermination),
		LoginV2:                        loginV2Flag(fs),
		PermissionCheckV2:              flag(fs, policy.FeaturePermissionCheckV2),
		EnableRelationalTables:         flag(fs, policy.FeatureEnableRelationalTables),
	}, err
}

func (h *Handlers) instance(ctx context.Context, r *pb.GetInstanceFeaturesRequest) (*pb.GetInstanceFeaturesResponse, error) {
	fs, err := policy.InstanceFeatures(ctx, h.store, authz.From(ctx).Instance)
	if !r.GetInheritance() {
		fs = fs.Own()
	}
	return &pb.GetInstanceFeaturesResponse{
		Details:                        api.ViewV2(fs.Details),
		LoginDefaultOrg:                flag(fs, policy.FeatureLoginDefaultOrg),
		UserSchema:                     flag(fs, policy.FeatureUserSchema),
		ImprovedPerformance:            pathsFlag(fs),
		DebugOidcParentError:           flag(fs, policy.FeatureDebugOIDCParentError),
		OidcSingleV1SessionTermination: flag(fs, policy.FeatureOIDCSingleV1SessionTermination),
		LoginV2:                        loginV2Flag(fs),
		PermissionCheckV2:              flag(fs, policy.FeaturePermissionCheckV2),
		ConsoleUseV2UserApi:            flag(fs, policy.FeatureConsoleUseV2UserAPI),
		EnableRelationalTables:         flag(fs, policy.FeatureEnableRelationalTables),
	}, err
}

// flag shows a switch; nothing where it is not set and built-in values are not
// asked for.
func flag(fs policy.Features, f *policy.Feature[bool]) *pb.FeatureFlag {
	on, source, ok := f.In(fs)
	if !ok {
		return nil
	}
	return &pb.FeatureFlag{Enabled: on, Source: pb.Source(source)}
}

func pathsFlag(fs policy.Features) *pb.ImprovedPerformanceFeatureFlag {
	list, source, ok := policy.FeatureImprovedPerformance.In(fs)
	if !ok {
		return nil
	}
	shown := &pb.ImprovedPerformanceFeatureFlag{Source: pb.Source(source)}
	for _, p := range list {
		shown.ExecutionPaths = append(shown.ExecutionPaths, pb.ImprovedPerformance(p))
	}
	return shown
}

// paths are those of a request; the wire cannot tell an empty list from none, so
// neither changes anything.
func paths(list []pb.ImprovedPerformance) *[]int32 {
	if len(list) == 0 {
		return nil
	}
	out := make([]int32, len(list))
	for i, p := range list {
		out[i] = int32(p)
	}
	return &out
}

func loginV2Flag(fs policy.Features) *pb.LoginV2FeatureFlag {
	l, source, ok := policy.FeatureLoginV2.In(fs)
	if !ok {
		return nil
	}
	shown := &pb.LoginV2FeatureFlag{Required: l.Required, Source: pb.Source(source)}
	if l.BaseURI != "" {
		shown.BaseUri = &l.BaseURI
	}
	return shown
}

func loginV2(l *pb.LoginV2) *policy.LoginV2 {
	if l == nil {
		return nil
	}
	return &policy.LoginV2{Required: l.GetRequired(), BaseURI: l.GetBaseUri()}
}
