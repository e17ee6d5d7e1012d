// Package management is the v1 service for one organization: the one that the
// request's header names, or the caller's own.
package management

import (
	"context"
	"net/url"
	"slices"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
)

// Handlers answers the service from a store.
type Handlers struct {
	store    *eventstore.Store
	vault    *crypto.Vault
	outside  flow.Outside
	external *url.URL
}

// Service lists what is built of the service. The vault seals codes and secrets;
// outside is where domains are proved, external the URL of the installation, for
// links.
func Service(store *eventstore.Store, vault *crypto.Vault, outside flow.Outside, external *url.URL) api.Service {
	h := &Handlers{store: store, vault: vault, outside: outside, external: external}
	return api.Service{Name: "zitadel.management.v1.ManagementService", RPCs: slices.Concat(h.changes(),
		h.orgs(), h.domains(), h.metadata(), h.members(), h.users(), h.userGrants(), h.humans(), h.passwords(), h.factors(), h.loginPolicy(), h.policies(), h.messageTexts(), h.loginTexts(),
		h.projects(), h.projectGrants(), h.projectMembers(), h.apps(), h.appKeys(),
	)}
}

// scope is the organization that the request is about.
func scope(ctx context.Context) eventstore.Scope {
	c := authz.From(ctx)
	return eventstore.Scope{Instance: c.Instance, Org: c.Org}
}

// write runs a verb in a transaction.
func (h *Handlers) write(ctx context.Context, verb func(*eventstore.Tx, eventstore.Scope) (eventstore.Details, error)) (d eventstore.Details, err error) {
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		d, err = verb(tx, scope(ctx))
		return err
	})
	return d, err
}

// newID is the id of what a call makes: an import can say which.
func newID(ctx context.Context, tx *eventstore.Tx) string {
	if id := api.ImportOf(ctx).ID; id != "" {
		return id
	}
	return tx.NewID()
}

// getIAM names no project: none holds applications of Gatehouse itself.
func (h *Handlers) getIAM(ctx context.Context, _ *pb.GetIAMRequest) (*pb.GetIAMResponse, error) {
	in, err := instance.ByID(ctx, h.store, scope(ctx).Instance)
	return &pb.GetIAMResponse{GlobalOrgId: in.DefaultOrg, DefaultOrgId: in.DefaultOrg}, err
}

// getOIDCInformation says where applications find out what they need.
func (h *Handlers) getOIDCInformation(ctx context.Context, _ *pb.GetOIDCInformationRequest) (*pb.GetOIDCInformationResponse, error) {
	issuer := api.CallOf(ctx).Origin(h.external)
	return &pb.GetOIDCInformationResponse{Issuer: issuer, DiscoveryEndpoint: issuer + "/.well-known/openid-configuration"}, nil
}

func healthz(context.Context, *pb.HealthzRequest) (*pb.HealthzResponse, error) {
	return &pb.HealthzResponse{}, nil
}
