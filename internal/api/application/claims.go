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
		api.Unary("GetRequirements", h.getRequirements),
		api.Unary("SetRequirements", h.setRequirements),
	}}
}

var errNoOIDC = fault.Precondition("APP-claims", "Only applications of OpenID Connect have claims and requirements.")

// oidc is how the application is set up that a request names.
func (h *Handlers) oidc(ctx context.Context, r interface {
	GetProjectId() string
	GetApplicationId() string
},
) (*application.OIDC, error) {
	a, err := application.One(ctx, h.store, scope(ctx), application.OfProject(r.GetProjectId()), application.WithID(r.GetApplicationId()))
	if err != nil {
		return &application.OIDC{}, err
	}
	c, ok := a.Config.(*application.OIDC)
	if !ok {
		return &application.OIDC{}, errNoOIDC
	}
	return c, nil
}

func (h *Handlers) getClaims(ctx context.Context, r *pb.GetClaimsRequest) (*pb.GetClaimsResponse, error) {
	c, err := h.oidc(ctx, r)
	return &pb.GetClaimsResponse{FlatRoles: c.FlatRolesClaim}, err
}

func (h *Handlers) setClaims(ctx context.Context, r *pb.SetClaimsRequest) (*pb.SetClaimsResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Change(tx, s, r.GetProjectId(), r.GetApplicationId(), func(c *application.OIDC) { c.FlatRolesClaim = r.GetFlatRoles() })
	})
	return &pb.SetClaimsResponse{ChangeDate: at}, err
}
