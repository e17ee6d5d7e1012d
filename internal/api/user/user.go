// Package user is version 2 of the service for users. Every call names its user,
// and the caller's permissions in the organization of that user decide.
package user

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Handlers answers the service from a store, whose secrets are in a vault.
type Handlers struct {
	store *eventstore.Store
	vault *crypto.Vault
}

// Service lists what is built of the service. The vault seals codes and secrets.
func Service(store *eventstore.Store, vault *crypto.Vault) api.Service {
	h := &Handlers{store: store, vault: vault}
	return api.Service{Name: "zitadel.user.v2.UserService", RPCs: slices.Concat(
		h.users(), h.humans(), h.contacts(), h.metadata(), h.credentials(), h.passwords(), h.factors(), h.links(), h.keys(),
	)}
}

func (h *Handlers) users() []api.RPC {
	return []api.RPC{
		api.Unary("CreateUser", h.createUser),
		api.Unary("GetUserByID", h.getUserByID),
		api.Unary("ListUsers", h.listUsers),
		api.Unary("UpdateUser", h.updateUser),
		api.Unary("DeactivateUser", h.deactivateUser),
		api.Unary("ReactivateUser", h.reactivateUser),
		api.Unary("LockUser", h.lockUser),
		api.Unary("UnlockUser", h.unlockUser),
		api.Unary("DeleteUser", h.deleteUser),
	}
}

// write runs a verb on the user that a request names in a transaction.
func (h *Handlers) write(ctx context.Context, r interface{ GetUserId() string }, verb func(*eventstore.Tx, eventstore.Scope) (eventstore.Details, error)) (d eventstore.Details, err error) {
	err = h.store.Write(ctx, func(tx *eventstore.Tx) error {
		s, err := flow.ScopeOf(ctx, tx.Reader(), r.GetUserId())
		if err != nil {
			return err
		}
		d, err = verb(tx, s)
		return err
	})
	return d, err
}

func (h *Handlers) createUser(ctx context.Context, r *pb.CreateUserRequest) (*pb.CreateUserResponse, error) {
	if r.GetHuman() != nil {
		return h.createHuman(ctx, r)
	}
	in := r.GetMachine()
	res := &pb.CreateUserResponse{}
	m := user.Machine{Name: in.GetName(), Description: in.GetDescription(), AccessTokenType: int32(in.GetAccessTokenType())}
	s := eventstore.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
	err := h.store.Write(ctx, func(tx *eventstore.Tx) error {
		if res.Id = r.GetUserId(); r.UserId == nil {
			res.Id = tx.NewID()
		}
		if m.UserName = r.GetUsername(); r.Username == nil {
			m.UserName = res.GetId()
		}
		d, err := flow.AddMachine(tx, s, res.GetId(), m, api.Entries(r.GetMetadata())...)
		res.CreationDate = timestamppb.New(d.Changed)
		return err
	})
	return res, err
}

func (h *Handlers) updateUser(ctx context.Context, r *pb.UpdateUserRequest) (*pb.UpdateUserResponse, error) {
	if r.GetHuman() != nil {
		return h.updateHuman(ctx, r)
	}
	e := flow.UserEdit{UserName: r.Username, Metadata: api.Entries(r.GetMetadata())}
	if m := r.GetMachine(); m != nil {
		e.Machine = editMachine(m)
	}
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.EditUser(tx, s, r.GetUserId(), e)
	})
	return &pb.UpdateUserResponse{ChangeDate: timestamppb.New(d.Changed)}, err
}

// editMachine writes what a request names into a machine user.
func editMachine(r *pb.UpdateUserRequest_Machine) func(*user.Machine) {
	return func(m *user.Machine) {
		if r.Name != nil {
			m.Name = r.GetName()
		}
		if r.Description != nil {
			m.Description = r.GetDescription()
		}
		if r.AccessTokenType != nil {
			m.AccessTokenType = int32(r.GetAccessTokenType())
		}
	}
}

func (h *Handlers) deactivateUser(ctx context.Context, r *pb.DeactivateUserRequest) (*pb.DeactivateUserResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.DeactivateUser(tx, s, r.GetUserId())
	})
	return &pb.DeactivateUserResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) reactivateUser(ctx context.Context, r *pb.ReactivateUserRequest) (*pb.ReactivateUserResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.Reactivate(tx, s.Instance, s.Org, r.GetUserId())
	})
	return &pb.ReactivateUserResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) lockUser(ctx context.Context, r *pb.LockUserRequest) (*pb.LockUserResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.LockUser(tx, s, r.GetUserId())
	})
	return &pb.LockUserResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) unlockUser(ctx context.Context, r *pb.UnlockUserRequest) (*pb.UnlockUserResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.Unlock(tx, s.Instance, s.Org, r.GetUserId())
	})
	return &pb.UnlockUserResponse{Details: api.ChangedV2(d)}, err
}

func (h *Handlers) deleteUser(ctx context.Context, r *pb.DeleteUserRequest) (*pb.DeleteUserResponse, error) {
	d, err := h.write(ctx, r, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveUser(tx, s, r.GetUserId())
	})
	return &pb.DeleteUserResponse{Details: api.ChangedV2(d)}, err
}
