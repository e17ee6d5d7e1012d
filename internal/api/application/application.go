// Package application is version 2 of the service for applications, and what
// Gatehouse adds to them. Every call names its project or application, and the
// caller's permissions there decide.
package application

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
)

// Handlers answers the service from a store.
type Handlers struct {
	store   *eventstore.Store
	outside flow.Outside
}

// Service lists what is built of the service. outside is where metadata is fetched
// and where applications are told of logouts.
func Service(store *eventstore.Store, outside flow.Outside) api.Service {
	h := &Handlers{store: store, outside: outside}
	return api.Service{Name: "zitadel.application.v2.ApplicationService", RPCs: slices.Concat(h.applications(), h.lists(), h.keys())}
}

func (h *Handlers) applications() []api.RPC {
	return []api.RPC{
		api.Unary("CreateApplication", h.create),
		api.Unary("UpdateApplication", h.update),
		api.Unary("DeleteApplication", h.delete),
		api.Unary("DeactivateApplication", h.deactivate),
		api.Unary("ReactivateApplication", h.reactivate),
		api.Unary("GenerateClientSecret", h.generateSecret),
	}
}

// scope is any organization of the caller's instance.
func scope(ctx context.Context) eventstore.Scope {
	return eventstore.Scope{Instance: authz.From(ctx).Instance}
}

type verb func(*eventstore.Tx, eventstore.Scope) (eventstore.Details, error)

// write runs a verb in a transaction and gives the date of the change. A verb that
// finds nothing to change gives that of the last one.
func (h *Handlers) write(ctx context.Context, v verb) (*timestamppb.Timestamp, error) {
	var d eventstore.Details
	err := h.store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		d, err = v(tx, scope(ctx))
		if application.Unchanged(err) {
			return nil
		}
		return err
	})
	return timestamppb.New(d.Changed), err
}

// end is write for a verb that ends something. What is not there is as the caller
// wanted it, and there is no date.
func (h *Handlers) end(ctx context.Context, v verb) (*timestamppb.Timestamp, error) {
	at, err := h.write(ctx, v)
	if application.Missing(err) {
		return nil, nil
	}
	return at, err
}

func (h *Handlers) create(ctx context.Context, r *pb.CreateApplicationRequest) (*pb.CreateApplicationResponse, error) {
	c, err := h.configOf(ctx, r)
	if err != nil {
		return nil, err
	}
	var n flow.NewApplication
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		n, err = flow.AddApplication(tx, s, r.GetProjectId(), r.GetApplicationId(), "", r.GetName(), c)
		return n.Details, err
	})
	return created(ctx, n, c, at), err
}

// configOf is how a request says that an application shall be set up.
func (h *Handlers) configOf(ctx context.Context, r *pb.CreateApplicationRequest) (application.Config, error) {
	switch c := r.GetApplicationType().(type) {
	case *pb.CreateApplicationRequest_OidcConfiguration:
		err := flow.CheckApplicationURL(ctx, h.store, h.outside, scope(ctx), r.GetProjectId(), c.OidcConfiguration.GetBackChannelLogoutUri())
		return newOIDC(c.OidcConfiguration), err
	case *pb.CreateApplicationRequest_ApiConfiguration:
		return &application.API{AuthMethod: int32(c.ApiConfiguration.GetAuthMethodType())}, nil
	case *pb.CreateApplicationRequest_SamlConfiguration:
		xml, err := h.metadata(ctx, r.GetProjectId(), c.SamlConfiguration)
		return &application.SAML{Metadata: xml, MetadataURL: c.SamlConfiguration.GetMetadataUrl(), Login: login(c.SamlConfiguration.GetLoginVersion())}, err
	}
	return nil, errKind
}

var errKind = fault.Invalid("APP-configuration", "This kind of applications is not known here.")

// metadata gives the metadata of a request, fetched where it says from where.
func (h *Handlers) metadata(ctx context.Context, projectID string, r interface {
	GetMetadataXml() []byte
	GetMetadataUrl() string
},
) ([]byte, error) {
	if r.GetMetadataUrl() == "" {
		return r.GetMetadataXml(), nil
	}
	return flow.FetchMetadata(ctx, h.store, h.outside, scope(ctx), projectID, r.GetMetadataUrl())
}

func created(ctx context.Context, n flow.NewApplication, c application.Config, at *timestamppb.Timestamp) *pb.CreateApplicationResponse {
	out := &pb.CreateApplicationResponse{ApplicationId: n.ID, CreationDate: at}
	switch c := c.(type) {
	case *application.OIDC:
		p := problems(ctx, c)
		out.ApplicationType = &pb.CreateApplicationResponse_OidcConfiguration{OidcConfiguration: &pb.CreateOIDCApplicationResponse{
			ClientId: n.ClientID, ClientSecret: n.Secret, NonCompliant: len(p) > 0, ComplianceProblems: p,
		}}
	case *application.API:
		out.ApplicationType = &pb.CreateApplicationResponse_ApiConfiguration{ApiConfiguration: &pb.CreateAPIApplicationResponse{ClientId: n.ClientID, ClientSecret: n.Secret}}
	case *application.SAML:
		out.ApplicationType = &pb.CreateApplicationResponse_SamlConfiguration{SamlConfiguration: &pb.CreateSAMLApplicationResponse{}}
	}
	return out
}

func (h *Handlers) update(ctx context.Context, r *pb.UpdateApplicationRequest) (*pb.UpdateApplicationResponse, error) {
	configure, err := h.changeOf(ctx, r)
	if err != nil {
		return nil, err
	}
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		if r.GetName() != "" {
			d, err = application.Rename(tx, s, r.GetProjectId(), r.GetApplicationId(), r.GetName())
		}
		if configure != nil && (err == nil || application.Unchanged(err)) {
			d, err = configure(tx, s)
		}
		return d, err
	})
	return &pb.UpdateApplicationResponse{ChangeDate: at}, err
}

var errNothing = fault.Invalid("APP-nothing", "Say what shall change: the name or the configuration.")

// changeOf is what a request wants to change about how an application is set up; nil
// where that shall stay.
func (h *Handlers) changeOf(ctx context.Context, r *pb.UpdateApplicationRequest) (verb, error) {
	switch c := r.GetApplicationType().(type) {
	case *pb.UpdateApplicationRequest_OidcConfiguration:
		err := flow.CheckApplicationURL(ctx, h.store, h.outside, scope(ctx), r.GetProjectId(), c.OidcConfiguration.GetBackChannelLogoutUri())
		return change(r, func(o *application.OIDC) { setOIDC(o, c.OidcConfiguration) }), err
	case *pb.UpdateApplicationRequest_ApiConfiguration:
		return change(r, func(a *application.API) { a.AuthMethod = int32(c.ApiConfiguration.GetAuthMethodType()) }), nil
	case *pb.UpdateApplicationRequest_SamlConfiguration:
		xml, err := h.metadata(ctx, r.GetProjectId(), c.SamlConfiguration)
		return change(r, func(a *application.SAML) { setSAML(a, c.SamlConfiguration, xml) }), err
	case nil:
		if r.GetName() != "" {
			return nil, nil
		}
		return nil, errNothing
	}
	return nil, errKind
}

func change[C any, P interface {
	*C
	application.Config
}](r *pb.UpdateApplicationRequest, edit func(P),
) verb {
	return func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Change(tx, s, r.GetProjectId(), r.GetApplicationId(), edit)
	}
}

func (h *Handlers) delete(ctx context.Context, r *pb.DeleteApplicationRequest) (*pb.DeleteApplicationResponse, error) {
	at, err := h.end(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Remove(tx, s, r.GetProjectId(), r.GetApplicationId())
	})
	return &pb.DeleteApplicationResponse{DeletionDate: at}, err
}

func (h *Handlers) deactivate(ctx context.Context, r *pb.DeactivateApplicationRequest) (*pb.DeactivateApplicationResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Deactivate(tx, s, r.GetProjectId(), r.GetApplicationId())
	})
	return &pb.DeactivateApplicationResponse{DeactivationDate: at}, err
}

func (h *Handlers) reactivate(ctx context.Context, r *pb.ReactivateApplicationRequest) (*pb.ReactivateApplicationResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.Reactivate(tx, s, r.GetProjectId(), r.GetApplicationId())
	})
	return &pb.ReactivateApplicationResponse{ReactivationDate: at}, err
}

func (h *Handlers) generateSecret(ctx context.Context, r *pb.GenerateClientSecretRequest) (*pb.GenerateClientSecretResponse, error) {
	var secret string
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		secret, d, err = flow.ResetApplicationSecret(tx, s, r.GetProjectId(), r.GetApplicationId(), nil)
		return d, err
	})
	return &pb.GenerateClientSecretResponse{ClientSecret: secret, CreationDate: at}, err
}
