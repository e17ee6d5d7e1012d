package application

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/gatehouse/application/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Claims lists what is built of the service of our own.
func Claims(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "gatehouse.application.v1.ApplicationService", RPCs: []api.RPC{
		api.Unary("GetClaims", h.getClaims),
		api.Unary("SetClaims", h.setClaims),
	}}
}

var errNoOIDC = fault.Precondition("APP-claims", "Only applications of OpenID Connect have claims.")

func (h *Handlers) getClaims(ctx context.Context, r *pb.GetClaimsRequest) (*pb.GetClaimsResponse, error) {
	a, err := application.One(ctx, h.store, scope(ctx), application.OfProject(r.GetProjectId()), application.WithID(r.GetApplicationId()))
	if err != nil {
		return nil, err
	}
	c, ok := a.Config.(*application.OIDC)
	if !ok {
		return nil, errNoOIDC
	}
	return &pb.GetClaimsResponse{FlatRoles: c.FlatRolesClaim}, nil
}

func (h *Handlers) setClaims(ctx context.Context, r *pb.SetClaimsRequest) (*pb.SetClaimsResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Change(tx, s, r.GetProjectId(), r.GetApplicationId(), func(c *application.OIDC) { c.FlatRolesClaim = r.GetFlatRoles() })
	})
	return &pb.SetClaimsResponse{ChangeDate: at}, err
}
