package settings

import (
	"context"

	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v2"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

var errLevel = fault.Invalid("TEXTS-level", "Name the level: the instance or an organization.")

func (h *Handlers) translation(ctx context.Context, r *pb.GetHostedLoginTranslationRequest) (*pb.GetHostedLoginTranslationResponse, error) {
	s := policy.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
	if err := authz.Require(ctx, "iam.policy.read", s.Org); err != nil {
		return nil, err
	}
	var texts policy.Texts
	var err error
	switch {
	case r.GetSystem():
		texts, err = policy.BuiltInTexts(r.GetLocale())
	case r.GetInstance() || s.Org != "":
		texts, err = policy.ResolveTexts(ctx, h.store, s, r.GetLocale(), r.GetIgnoreInheritance())
	default:
		err = errLevel
	}
	if err != nil {
		return nil, err
	}
	shown, err := structpb.NewStruct(texts)
	return &pb.GetHostedLoginTranslationResponse{Etag: texts.ETag(), Translations: shown}, err
}

func (h *Handlers) setTranslation(ctx context.Context, r *pb.SetHostedLoginTranslationRequest) (*pb.SetHostedLoginTranslationResponse, error) {
	s := policy.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
	if !r.GetInstance() && s.Org == "" {
		return nil, errLevel
	}
	var now policy.Texts
	err := h.store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		if err = policy.SetTexts(tx, s, r.GetLocale(), r.GetTranslations().AsMap()); err == nil {
			now, err = policy.ResolveTexts(ctx, tx.Reader(), s, r.GetLocale(), false)
		}
		return err
	})
	return &pb.SetHostedLoginTranslationResponse{Etag: now.ETag()}, err
}
