// Package webkey is the services of the keys that sign what an instance issues: the
// contract's, and what Gatehouse adds to it.
package webkey

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	ownpb "github.com/gatehouse/gatehouse/gen/gatehouse/webkey/v1"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/webkey/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// Handlers answers the services from a store.
type Handlers struct {
	store *eventstore.Store
	vault *crypto.Vault
}

// Service lists the RPCs of the contract's service.
func Service(store *eventstore.Store, v *crypto.Vault) api.Service {
	h := &Handlers{store, v}
	return api.Service{Name: "zitadel.webkey.v2.WebKeyService", RPCs: []api.RPC{
		api.Unary("CreateWebKey", h.createWebKey),
		api.Unary("ActivateWebKey", h.activateWebKey),
		api.Unary("DeleteWebKey", h.deleteWebKey),
		api.Unary("ListWebKeys", h.listWebKeys),
	}}
}

// Rotation lists the RPCs of the service for keys that take turns by themselves.
func Rotation(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "gatehouse.webkey.v1.WebKeyService", RPCs: []api.RPC{
		api.Unary("GetRotation", h.getRotation),
		api.Unary("SetRotation", h.setRotation),
	}}
}

func (h *Handlers) createWebKey(ctx context.Context, r *pb.CreateWebKeyRequest) (*pb.CreateWebKeyResponse, error) {
	pair, err := webkey.Make(ctx, config(r))
	if err != nil {
		return nil, err
	}
	var id string
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (d eventstore.Details, err error) {
		id, d, err = webkey.Add(tx, h.vault, authz.From(ctx).Instance, pair)
		return d, err
	})
	return &pb.CreateWebKeyResponse{Id: id, CreationDate: api.Timestamp(d.Created)}, err
}

func (h *Handlers) activateWebKey(ctx context.Context, r *pb.ActivateWebKeyRequest) (*pb.ActivateWebKeyResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return webkey.Activate(tx, authz.From(ctx).Instance, r.GetId())
	})
	return &pb.ActivateWebKeyResponse{ChangeDate: api.Timestamp(d.Changed)}, err
}

func (h *Handlers) deleteWebKey(ctx context.Context, r *pb.DeleteWebKeyRequest) (*pb.DeleteWebKeyResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return webkey.Delete(tx, authz.From(ctx).Instance, r.GetId())
	})
	return &pb.DeleteWebKeyResponse{DeletionDate: api.Timestamp(d.Changed)}, err
}

func (h *Handlers) listWebKeys(ctx context.Context, _ *pb.ListWebKeysRequest) (*pb.ListWebKeysResponse, error) {
	keys, err := webkey.List(ctx, h.store, authz.From(ctx).Instance)
	return &pb.ListWebKeysResponse{WebKeys: api.Each(keys, message)}, err
}

func (h *Handlers) getRotation(ctx context.Context, _ *ownpb.GetRotationRequest) (*ownpb.GetRotationResponse, error) {
	s, err := policy.KeyRotation.Resolve(ctx, h.store, authz.From(ctx).Instance)
	return &ownpb.GetRotationResponse{
		Rotation:   &ownpb.Rotation{Enabled: s.Doc.Enabled, Interval: durationpb.New(s.Doc.Interval), Retention: durationpb.New(s.Doc.Retention)},
		ChangeDate: api.Timestamp(s.Details.Changed),
	}, err
}

func (h *Handlers) setRotation(ctx context.Context, r *ownpb.SetRotationRequest) (*ownpb.SetRotationResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.SetKeyRotation(tx, authz.From(ctx).Instance, policy.KeyRotationSetting{
			Enabled: r.GetRotation().GetEnabled(), Interval: r.GetRotation().GetInterval().AsDuration(), Retention: r.GetRotation().GetRetention().AsDuration(),
		})
	})
	return &ownpb.SetRotationResponse{ChangeDate: api.Timestamp(d.Changed)}, err
}

// The contract's names of what keys are made from. It calls the curve P-521 P512.
var (
	bits   = map[pb.RSABits]int{pb.RSABits_RSA_BITS_2048: 2048, pb.RSABits_RSA_BITS_3072: 3072, pb.RSABits_RSA_BITS_4096: 4096}
	hashes = map[pb.RSAHasher]int{pb.RSAHasher_RSA_HASHER_SHA256: 256, pb.RSAHasher_RSA_HASHER_SHA384: 384, pb.RSAHasher_RSA_HASHER_SHA512: 512}
	curves = map[pb.ECDSACurve]string{pb.ECDSACurve_ECDSA_CURVE_P256: "P-256", pb.ECDSACurve_ECDSA_CURVE_P384: "P-384", pb.ECDSACurve_ECDSA_CURVE_P512: "P-521"}
)

func config(r *pb.CreateWebKeyRequest) webkey.Config {
	switch {
	case r.GetRsa() != nil:
		return webkey.Config{Kind: webkey.RSA, Bits: bits[r.GetRsa().GetBits()], Hash: hashes[r.GetRsa().GetHasher()]}
	case r.GetEcdsa() != nil:
		return webkey.Config{Kind: webkey.ECDSA, Curve: curves[r.GetEcdsa().GetCurve()]}
	case r.GetEd25519() != nil:
		return webkey.Config{Kind: webkey.Ed25519}
	}
	return webkey.Default()
}

func message(k webkey.Key) *pb.WebKey {
	m := &pb.WebKey{
		Id: k.ID, State: pb.State(k.State), //nolint:gosec // numbered as on the wire
		CreationDate: api.Timestamp(k.Details.Created), ChangeDate: api.Timestamp(k.Details.Changed),
	}
	switch c := k.Config; c.Kind {
	case webkey.RSA:
		m.Key = &pb.WebKey_Rsa{Rsa: &pb.RSA{Bits: named(bits, c.Bits), Hasher: named(hashes, c.Hash)}}
	case webkey.ECDSA:
		m.Key = &pb.WebKey_Ecdsa{Ecdsa: &pb.ECDSA{Curve: named(curves, c.Curve)}}
	case webkey.Ed25519:
		m.Key = &pb.WebKey_Ed25519{Ed25519: &pb.ED25519{}}
	}
	return m
}

// named is the contract's name of a value.
func named[N, V comparable](names map[N]V, value V) (name N) {
	for n, v := range names {
		if v == value {
			name = n
		}
	}
	return name
}
