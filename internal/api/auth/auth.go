// Package auth is the v1 service for callers about themselves.
package auth

import (
	"context"
	"net/url"
	"slices"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/metadata"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Handlers answers the service from a store, whose secrets are in a vault.
type Handlers struct {
	store    *eventstore.Store
	vault    *crypto.Vault
	sessions *flow.Sessions
	external *url.URL
}

// Service lists what is built of the service. The vault seals codes and secrets;
// external is the URL of the installation, for links.
func Service(store *eventstore.Store, vault *crypto.Vault, external *url.URL) api.Service {
	h := &Handlers{store: store, vault: vault, sessions: flow.NewSessions(store, vault), external: external}
	return api.Service{Name: "zitadel.auth.v1.AuthService", RPCs: slices.Concat(h.me(), h.factors(), h.tokens(), []api.RPC{
		api.Unary("ListMyUserSessions", h.listMyUserSessions),
		api.Login.Read("GetMyLoginPolicy", store, api.CallersHome),
		api.Label.Read("GetMyLabelPolicy", store, api.CallersHome),
		api.Privacy.Read("GetMyPrivacyPolicy", store, api.CallersHome),
		api.PasswordComplexity[uint32]().Read("GetMyPasswordComplexityPolicy", store, api.CallersHome),
		api.Unary("GetSupportedLanguages", supportedLanguages),
		api.Unary("Healthz", healthz),
		api.Unary("GetMyUser", h.getMyUser),
		api.Unary("UpdateMyPassword", h.updateMyPassword),
		api.Unary("ListMyMetadata", h.listMyMetadata),
		api.Unary("GetMyMetadata", h.getMyMetadata),
		api.Unary("ListMyZitadelPermissions", h.listMyPermissions),
		api.Unary("ListMyMemberships", h.listMyMemberships),
		api.Unary("ListMyUserGrants", h.listMyUserGrants),
		api.Unary("ListMyProjectPermissions", h.listMyProjectPermissions),
		api.Unary("ListMyProjectOrgs", h.listMyProjectOrgs),
		api.Unary("ListMyUserChanges", h.listMyChanges),
	})}
}

func healthz(context.Context, *pb.HealthzRequest) (*pb.HealthzResponse, error) {
	return &pb.HealthzResponse{}, nil
}

func supportedLanguages(context.Context, *pb.GetSupportedLanguagesRequest) (*pb.GetSupportedLanguagesResponse, error) {
	return &pb.GetSupportedLanguagesResponse{Languages: api.SupportedLanguages()}, nil
}

func (h *Handlers) getMyUser(ctx context.Context, _ *pb.GetMyUserRequest) (*pb.GetMyUserResponse, error) {
	u, err := flow.UserByID(ctx, h.store, home(ctx), authz.From(ctx).UserID)
	return &pb.GetMyUserResponse{User: api.User(ctx)(u)}, err
}

func (h *Handlers) updateMyPassword(ctx context.Context, r *pb.UpdateMyPasswordRequest) (*pb.UpdateMyPasswordResponse, error) {
	c := authz.From(ctx)
	d, err := user.ChangePassword(ctx, h.store, h.vault, user.Ref{Instance: c.Instance, UserID: c.UserID}, r.GetOldPassword(), user.NewPassword{Plain: r.GetNewPassword()})
	return &pb.UpdateMyPasswordResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listMyMetadata(ctx context.Context, r *pb.ListMyMetadataRequest) (*pb.ListMyMetadataResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.MetadataFilter)
	if err != nil {
		return nil, err
	}
	l, err := metadata.List(ctx, h.store, metadata.Own(authz.From(ctx)), p, filters...)
	return &pb.ListMyMetadataResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Metadata)}, err
}

func (h *Handlers) getMyMetadata(ctx context.Context, r *pb.GetMyMetadataRequest) (*pb.GetMyMetadataResponse, error) {
	e, err := metadata.One(ctx, h.store, metadata.Own(authz.From(ctx)), r.GetKey())
	return &pb.GetMyMetadataResponse{Metadata: api.Metadata(e)}, err
}

func (h *Handlers) listMyPermissions(ctx context.Context, _ *pb.ListMyZitadelPermissionsRequest) (*pb.ListMyZitadelPermissionsResponse, error) {
	c := authz.From(ctx)
	return &pb.ListMyZitadelPermissionsResponse{Result: c.Permissions(c.Org)}, nil
}

func (h *Handlers) listMyMemberships(ctx context.Context, r *pb.ListMyMembershipsRequest) (*pb.ListMyMembershipsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.MembershipFilter)
	if err != nil {
		return nil, err
	}
	l, err := flow.Memberships(ctx, h.store, authz.From(ctx).UserID, p, filters...)
	return &pb.ListMyMembershipsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Membership)}, err
}

func (h *Handlers) listMyProjectOrgs(ctx context.Context, r *pb.ListMyProjectOrgsRequest) (*pb.ListMyProjectOrgsResponse, error) {
	instance := authz.From(ctx).Instance
	p, by, filters, err := api.ListOf(ctx, r.GetQuery(), api.OrgColumns, r.GetSortingColumn(), r.GetQueries(), api.OrgFilter(instance))
	if err != nil {
		return nil, err
	}
	l, err := org.Mine(ctx, h.store, instance, p, by, filters...)
	return &pb.ListMyProjectOrgsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Org)}, err
}

func (h *Handlers) listMyChanges(ctx context.Context, r *pb.ListMyUserChangesRequest) (*pb.ListMyUserChangesResponse, error) {
	c := authz.From(ctx)
	f, err := api.Changes(eventstore.Aggregate{Instance: c.Instance, Type: "user", ID: c.UserID, Owner: c.HomeOrg}, r.GetQuery())
	if err != nil {
		return nil, err
	}
	entries, err := flow.History(ctx, h.store, f)
	return &pb.ListMyUserChangesResponse{Result: api.Each(entries, api.Change)}, err
}
