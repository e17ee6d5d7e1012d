package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) passwords() []api.RPC {
	return []api.RPC{
		api.Unary("SetHumanInitialPassword", h.setHumanInitialPassword),
		api.Unary("SetHumanPassword", h.setHumanPassword),
		api.Unary("SendHumanResetPasswordNotification", h.sendHumanResetPasswordNotification),
	}
}

func (h *Handlers) setHumanInitialPassword(ctx context.Context, r *pb.SetHumanInitialPasswordRequest) (*pb.SetHumanInitialPasswordResponse, error) {
	d, err := user.GivePassword(ctx, h.store, h.vault, scope(ctx), r.GetUserId(), user.NewPassword{Plain: r.GetPassword(), ChangeRequired: true})
	return &pb.SetHumanInitialPasswordResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) setHumanPassword(ctx context.Context, r *pb.SetHumanPasswordRequest) (*pb.SetHumanPasswordResponse, error) {
	d, err := user.GivePassword(ctx, h.store, h.vault, scope(ctx), r.GetUserId(), user.NewPassword{Plain: r.GetPassword(), ChangeRequired: !r.GetNoChangeRequired()})
	return &pb.SetHumanPasswordResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) sendHumanResetPasswordNotification(ctx context.Context, r *pb.SendHumanResetPasswordNotificationRequest) (*pb.SendHumanResetPasswordNotificationResponse, error) {
	how := user.Delivery{SMS: r.GetType() == pb.SendHumanResetPasswordNotificationRequest_TYPE_SMS}
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		_, d, err = user.RequestPasswordReset(tx, h.vault, s.Instance, s.Org, r.GetUserId(), how)
		return d, err
	})
	return &pb.SendHumanResetPasswordNotificationResponse{Details: api.Changed(d)}, err
}
