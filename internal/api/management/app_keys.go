package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) appKeys() []api.RPC {
	return []api.RPC{
		api.Unary("AddAppKey", h.addAppKey).Imports(),
		api.Unary("RemoveAppKey", h.removeAppKey),
		api.Unary("GetAppKey", h.getAppKey),
		api.Unary("ListAppKeys", h.listAppKeys),
	}
}

func (h *Handlers) addAppKey(ctx context.Context, r *pb.AddAppKeyRequest) (*pb.AddAppKeyResponse, error) {
	n := application.NewKey{ID: api.ImportOf(ctx).ID, Public: api.ImportOf(ctx).PublicKey, Expires: api.Expiration(r.GetExpirationDate())}
	id, file, d, err := flow.AddApplicationKey(ctx, h.store, scope(ctx), r.GetProjectId(), r.GetAppId(), n)
	return &pb.AddAppKeyResponse{Id: id, Details: api.Added(d), KeyDetails: file}, err
}

func (h *Handlers) removeAppKey(ctx context.Context, r *pb.RemoveAppKeyRequest) (*pb.RemoveAppKeyResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.RemoveKey(tx, s, r.GetProjectId(), r.GetAppId(), r.GetKeyId())
	})
	return &pb.RemoveAppKeyResponse{Details: api.Changed(d)}, err
}

// keysOf are the filters for the keys of the application that a request names.
func keysOf(ctx context.Context, r interface {
	GetProjectId() string
	GetAppId() string
},
) []database.Filter {
	return []database.Filter{application.OfOrg(scope(ctx).Org), application.OfProject(r.GetProjectId()), application.WithID(r.GetAppId())}
}

func (h *Handlers) getAppKey(ctx context.Context, r *pb.GetAppKeyRequest) (*pb.GetAppKeyResponse, error) {
	k, err := application.OneKey(ctx, h.store, scope(ctx).Instance, append(keysOf(ctx, r), application.WithKeyID(r.GetKeyId()))...)
	return &pb.GetAppKeyResponse{Key: api.AppKey(k)}, err
}

func (h *Handlers) listAppKeys(ctx context.Context, r *pb.ListAppKeysRequest) (*pb.ListAppKeysResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := application.Keys(ctx, h.store, scope(ctx).Instance, p, application.SortKeyCreated, keysOf(ctx, r)...)
	return &pb.ListAppKeysResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.AppKey)}, err
}
