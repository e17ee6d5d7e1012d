// Package admin is the v1 service for an instance and its defaults.
package admin

import (
	"context"
	"slices"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// Handlers answers the service from a store.
type Handlers struct {
	store    *eventstore.Store
	vault    *crypto.Vault
	testMail TestMail
}

// TestMail sends a mail to show that a provider works. secret, where it is not
// empty, stands in for the one that the provider has.
type TestMail func(ctx context.Context, p provider.Provider, secret, recipient string) error

// Service lists what is built of the service.
func Service(store *eventstore.Store, vault *crypto.Vault, test TestMail) api.Service {
	h := &Handlers{store: store, vault: vault, testMail: test}
	return api.Service{Name: "zitadel.admin.v1.AdminService", RPCs: slices.Concat(
		h.orgs(), h.members(), h.events(), h.loginPolicy(), h.policies(), h.settings(), h.languages(), h.instance(), h.providers(), h.messageTexts(), h.loginTexts(), h.imports(), h.exports(),
	)}
}

// scope is the instance that the request is about.
func scope(ctx context.Context) eventstore.Scope {
	return eventstore.Scope{Instance: authz.From(ctx).Instance}
}

// write runs a verb in a transaction.
func (h *Handlers) write(ctx context.Context, verb func(*eventstore.Tx, eventstore.Scope) (eventstore.Details, error)) (d eventstore.Details, err error) {
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		d, err = verb(tx, scope(ctx))
		return err
	})
	return d, err
}

func healthz(context.Context, *pb.HealthzRequest) (*pb.HealthzResponse, error) {
	return &pb.HealthzResponse{}, nil
}
