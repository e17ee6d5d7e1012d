package admin

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func (h *Handlers) languages() []api.RPC {
	return []api.RPC{
		api.Unary("GetSupportedLanguages", supportedLanguages),
		api.Unary("GetAllowedLanguages", h.allowedLanguages),
		api.Unary("GetDefaultLanguage", h.defaultLanguage),
		api.Unary("SetDefaultLanguage", h.setDefaultLanguage),
	}
}

func supportedLanguages(context.Context, *pb.GetSupportedLanguagesRequest) (*pb.GetSupportedLanguagesResponse, error) {
	return &pb.GetSupportedLanguagesResponse{Languages: api.SupportedLanguages()}, nil
}

func (h *Handlers) allowedLanguages(ctx context.Context, _ *pb.GetAllowedLanguagesRequest) (*pb.GetAllowedLanguagesResponse, error) {
	s, err := policy.Restrictions.Resolve(ctx, h.store, scope(ctx).Instance)
	return &pb.GetAllowedLanguagesResponse{Languages: api.AllowedLanguages(s.Doc)}, err
}

func (h *Handlers) defaultLanguage(ctx context.Context, _ *pb.GetDefaultLanguageRequest) (*pb.GetDefaultLanguageResponse, error) {
	in, err := instance.ByID(ctx, h.store, scope(ctx).Instance)
	return &pb.GetDefaultLanguageResponse{Language: in.DefaultLanguage}, err
}

func (h *Handlers) setDefaultLanguage(ctx context.Context, r *pb.SetDefaultLanguageRequest) (*pb.SetDefaultLanguageResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.SetDefaultLanguage(tx, s.Instance, r.GetLanguage(), api.SupportedLanguages())
	})
	return &pb.SetDefaultLanguageResponse{Details: api.Changed(d)}, err
}
