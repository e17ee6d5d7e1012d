package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func (h *Handlers) users() []api.RPC {
	return []api.RPC{
		api.Unary("GetUserByID", h.getUserByID),
		api.Unary("GetUserByLoginNameGlobal", h.getUserByLoginNameGlobal),
		api.Unary("ListUsers", h.listUsers),
		api.Unary("IsUserUnique", h.isUserUnique),
		api.Unary("AddMachineUser", h.addMachineUser).Imports(),
		api.Unary("UpdateMachine", h.updateMachine),
		api.Unary("DeactivateUser", h.deactivateUser),
		api.Unary("ReactivateUser", h.reactivateUser),
		api.Unary("LockUser", h.lockUser),
		api.Unary("UnlockUser", h.unlockUser),
		api.Unary("RemoveUser", h.removeUser),
		api.Unary("UpdateUserName", h.updateUserName),
		api.Unary("GenerateMachineSecret", h.generateMachineSecret),
		api.Unary("RemoveMachineSecret", h.removeMachineSecret),
		api.Unary("GetPersonalAccessTokenByIDs", h.getPersonalAccessTokenByIDs),
		api.Unary("ListPersonalAccessTokens", h.listPersonalAccessTokens),
		api.Unary("AddPersonalAccessToken", h.addPersonalAccessToken),
		api.Unary("RemovePersonalAccessToken", h.removePersonalAccessToken),
		api.Unary("GetMachineKeyByIDs", h.getMachineKeyByIDs),
		api.Unary("ListMachineKeys", h.listMachineKeys),
		api.Unary("AddMachineKey", h.addMachineKey).Imports(),
		api.Unary("RemoveMachineKey", h.removeMachineKey),
	}
}

func (h *Handlers) getUserByID(ctx context.Context, r *pb.GetUserByIDRequest) (*pb.GetUserByIDResponse, error) {
	u, err := flow.UserByID(ctx, h.store, scope(ctx), r.GetId())
	return &pb.GetUserByIDResponse{User: api.User(ctx)(u)}, err
}

func (h *Handlers) getUserByLoginNameGlobal(ctx context.Context, r *pb.GetUserByLoginNameGlobalRequest) (*pb.GetUserByLoginNameGlobalResponse, error) {
	u, err := flow.UserByLoginName(ctx, h.store, scope(ctx).Instance, r.GetLoginName())
	return &pb.GetUserByLoginNameGlobalResponse{User: api.User(ctx)(u)}, err
}

func (h *Handlers) listUsers(ctx context.Context, r *pb.ListUsersRequest) (*pb.ListUsersResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(userColumns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	filters, err := api.NestedFilters(r.GetQueries(), userGroup, userFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := flow.Users(ctx, h.store, s.Instance, p, by, append(filters, flow.UserOfOrg(s.Org), flow.VisibleUsers(ctx))...)
	return &pb.ListUsersResponse{
		Details: api.Listed(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, api.User(ctx)),
	}, err
}

func (h *Handlers) isUserUnique(ctx context.Context, r *pb.IsUserUniqueRequest) (*pb.IsUserUniqueResponse, error) {
	free, err := user.Unique(ctx, h.store, scope(ctx), r.GetUserName(), r.GetEmail())
	return &pb.IsUserUniqueResponse{IsUnique: free}, err
}

func (h *Handlers) addMachineUser(ctx context.Context, r *pb.AddMachineUserRequest) (*pb.AddMachineUserResponse, error) {
	id, m := r.GetUserId(), user.Machine{Name: r.GetName(), Description: r.GetDescription(), AccessTokenType: int32(r.GetAccessTokenType())}
	m.UserName = r.GetUserName()
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		if r.UserId == nil {
			id = newID(ctx, tx)
		}
		d, err := flow.AddMachine(tx, s, id, m)
		if err == nil {
			d, err = flow.BringInto(tx, s, id, api.ImportOf(ctx).State, d)
		}
		return d, err
	})
	// Creations of users answer with the date of a change.
	return &pb.AddMachineUserResponse{UserId: id, Details: api.Changed(d)}, err
}

func (h *Handlers) updateMachine(ctx context.Context, r *pb.UpdateMachineRequest) (*pb.UpdateMachineResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.ChangeMachine(tx, s.Instance, s.Org, r.GetUserId(), func(m *user.Machine) {
			m.Name, m.Description, m.AccessTokenType = r.GetName(), r.GetDescription(), int32(r.GetAccessTokenType())
		})
	})
	return &pb.UpdateMachineResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateUser(ctx context.Context, r *pb.DeactivateUserRequest) (*pb.DeactivateUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.DeactivateUser(tx, s, r.GetId())
	})
	return &pb.DeactivateUserResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) reactivateUser(ctx context.Context, r *pb.ReactivateUserRequest) (*pb.ReactivateUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.Reactivate(tx, s.Instance, s.Org, r.GetId())
	})
	return &pb.ReactivateUserResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) lockUser(ctx context.Context, r *pb.LockUserRequest) (*pb.LockUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.LockUser(tx, s, r.GetId())
	})
	return &pb.LockUserResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) unlockUser(ctx context.Context, r *pb.UnlockUserRequest) (*pb.UnlockUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.Unlock(tx, s.Instance, s.Org, r.GetId())
	})
	return &pb.UnlockUserResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) updateUserName(ctx context.Context, r *pb.UpdateUserNameRequest) (*pb.UpdateUserNameResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return user.Rename(tx, s.Instance, s.Org, r.GetUserId(), r.GetUserName())
	})
	return &pb.UpdateUserNameResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeUser(ctx context.Context, r *pb.RemoveUserRequest) (*pb.RemoveUserResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveUser(tx, s, r.GetId())
	})
	return &pb.RemoveUserResponse{Details: api.Changed(d)}, err
}
