package oidc

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/oidc/v2"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) getDeviceAuthorizationRequest(ctx context.Context, r *pb.GetDeviceAuthorizationRequestRequest) (*pb.GetDeviceAuthorizationRequestResponse, error) {
	d, err := flow.DeviceByUserCode(ctx, h.store, flow.GuesserOf(authz.From(ctx)), r.GetUserCode())
	if err != nil {
		return nil, err
	}
	return &pb.GetDeviceAuthorizationRequestResponse{DeviceAuthorizationRequest: &pb.DeviceAuthorizationRequest{
		Id: d.ID, ClientId: d.ClientID, Scope: d.Scopes, AppName: d.AppName, ProjectName: d.ProjectName,
	}}, nil
}

func (h *Handlers) authorizeOrDenyDeviceAuthorization(ctx context.Context, r *pb.AuthorizeOrDenyDeviceAuthorizationRequest) (*pb.AuthorizeOrDenyDeviceAuthorizationResponse, error) {
	out := &pb.AuthorizeOrDenyDeviceAuthorizationResponse{}
	if s := r.GetSession(); s != nil {
		return out, flow.AllowDevice(ctx, h.store, r.GetDeviceAuthorizationId(), s.GetSessionId(), s.GetSessionToken())
	}
	return out, flow.DenyDevice(ctx, h.store, r.GetDeviceAuthorizationId())
}
