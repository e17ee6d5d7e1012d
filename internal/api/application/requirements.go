package application

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/gatehouse/application/v1"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

func (h *Handlers) getRequirements(ctx context.Context, r *pb.GetRequirementsRequest) (*pb.GetRequirementsResponse, error) {
	c, err := h.oidc(ctx, r)
	return &pb.GetRequirementsResponse{PushedRequests: c.PushedRequests, SignedRequests: c.SignedRequests, BoundTokens: c.BoundTokens}, err
}

func (h *Handlers) setRequirements(ctx context.Context, r *pb.SetRequirementsRequest) (*pb.SetRequirementsResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Change(tx, s, r.GetProjectId(), r.GetApplicationId(), func(c *application.OIDC) {
			c.Requirements = application.Requirements{PushedRequests: r.GetPushedRequests(), SignedRequests: r.GetSignedRequests(), BoundTokens: r.GetBoundTokens()}
		})
	})
	return &pb.SetRequirementsResponse{ChangeDate: at}, err
}
