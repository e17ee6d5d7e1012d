package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/member"
)

func (h *Handlers) projectMembers() []api.RPC {
	return []api.RPC{
		api.Unary("ListProjectMemberRoles", h.listProjectMemberRoles),
		api.Unary("ListProjectMembers", h.listProjectMembers),
		api.Unary("AddProjectMember", h.addProjectMember),
		api.Unary("UpdateProjectMember", h.updateProjectMember),
		api.Unary("RemoveProjectMember", h.removeProjectMember),
		api.Unary("ListProjectGrantMemberRoles", h.listProjectGrantMemberRoles),
		api.Unary("ListProjectGrantMembers", h.listProjectGrantMembers),
		api.Unary("AddProjectGrantMember", h.addProjectGrantMember),
		api.Unary("UpdateProjectGrantMember", h.updateProjectGrantMember),
		api.Unary("RemoveProjectGrantMember", h.removeProjectGrantMember),
	}
}

// onProject runs a verb on the members of the project that a request names.
func (h *Handlers) onProject(ctx context.Context, r interface{ GetProjectId() string }, verb func(*eventstore.Tx, member.Object) (eventstore.Details, error)) (eventstore.Details, error) {
	return h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		o, err := flow.OnProject(tx, s, r.GetProjectId())
		if err != nil {
			return eventstore.Details{}, err
		}
		return verb(tx, o)
	})
}

// onGrant runs a verb on the members of the grant of a project that a request names.
func (h *Handlers) onGrant(ctx context.Context, r interface {
	GetProjectId() string
	GetGrantId() string
}, verb func(*eventstore.Tx, member.Object) (eventstore.Details, error),
) (eventstore.Details, error) {
	return h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		o, err := flow.OnGrant(tx, s, r.GetProjectId(), grant(r))
		if err != nil {
			return eventstore.Details{}, err
		}
		return verb(tx, o)
	})
}

// rolesOf are the roles of members of projects or, with a grant, of grants.
func rolesOf(ctx context.Context, grant string) []string {
	return member.RolesOf(member.Object{Scope: scope(ctx), Project: "any", Grant: grant}, authz.From(ctx).Roles)
}

func (h *Handlers) listProjectMemberRoles(ctx context.Context, _ *pb.ListProjectMemberRolesRequest) (*pb.ListProjectMemberRolesResponse, error) {
	roles := rolesOf(ctx, "")
	return &pb.ListProjectMemberRolesResponse{Details: api.Listed(len(roles), h.store.Now()), Result: roles}, nil
}

func (h *Handlers) listProjectMembers(ctx context.Context, r *pb.ListProjectMembersRequest) (*pb.ListProjectMembersResponse, error) {
	details, members, err := h.listMembers(ctx, r, func(p database.Page, filters ...database.Filter) (database.Listing[flow.Member], error) {
		return flow.ProjectMembers(ctx, h.store, scope(ctx), r.GetProjectId(), "", p, filters...)
	})
	return &pb.ListProjectMembersResponse{Details: details, Result: members}, err
}

func (h *Handlers) addProjectMember(ctx context.Context, r *pb.AddProjectMemberRequest) (*pb.AddProjectMemberResponse, error) {
	d, err := h.onProject(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.AddMember(tx, o, r.GetUserId(), r.GetRoles())
	})
	return &pb.AddProjectMemberResponse{Details: api.Added(d)}, err
}

func (h *Handlers) updateProjectMember(ctx context.Context, r *pb.UpdateProjectMemberRequest) (*pb.UpdateProjectMemberResponse, error) {
	d, err := h.onProject(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.ChangeMember(tx, o, r.GetUserId(), r.GetRoles())
	})
	return &pb.UpdateProjectMemberResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeProjectMember(ctx context.Context, r *pb.RemoveProjectMemberRequest) (*pb.RemoveProjectMemberResponse, error) {
	d, err := h.onProject(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.RemoveMember(tx, o, r.GetUserId())
	})
	return &pb.RemoveProjectMemberResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listProjectGrantMemberRoles(ctx context.Context, _ *pb.ListProjectGrantMemberRolesRequest) (*pb.ListProjectGrantMemberRolesResponse, error) {
	roles := rolesOf(ctx, "any")
	return &pb.ListProjectGrantMemberRolesResponse{Details: api.Listed(len(roles), h.store.Now()), Result: roles}, nil
}

func (h *Handlers) listProjectGrantMembers(ctx context.Context, r *pb.ListProjectGrantMembersRequest) (*pb.ListProjectGrantMembersResponse, error) {
	details, members, err := h.listMembers(ctx, r, func(p database.Page, filters ...database.Filter) (database.Listing[flow.Member], error) {
		return flow.ProjectMembers(ctx, h.store, scope(ctx), r.GetProjectId(), r.GetGrantId(), p, filters...)
	})
	return &pb.ListProjectGrantMembersResponse{Details: details, Result: members}, err
}

func (h *Handlers) addProjectGrantMember(ctx context.Context, r *pb.AddProjectGrantMemberRequest) (*pb.AddProjectGrantMemberResponse, error) {
	d, err := h.onGrant(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.AddMember(tx, o, r.GetUserId(), r.GetRoles())
	})
	return &pb.AddProjectGrantMemberResponse{Details: api.Added(d)}, err
}

func (h *Handlers) updateProjectGrantMember(ctx context.Context, r *pb.UpdateProjectGrantMemberRequest) (*pb.UpdateProjectGrantMemberResponse, error) {
	d, err := h.onGrant(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.ChangeMember(tx, o, r.GetUserId(), r.GetRoles())
	})
	return &pb.UpdateProjectGrantMemberResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeProjectGrantMember(ctx context.Context, r *pb.RemoveProjectGrantMemberRequest) (*pb.RemoveProjectGrantMemberResponse, error) {
	d, err := h.onGrant(ctx, r, func(tx *eventstore.Tx, o member.Object) (eventstore.Details, error) {
		return flow.RemoveMember(tx, o, r.GetUserId())
	})
	return &pb.RemoveProjectGrantMemberResponse{Details: api.Changed(d)}, err
}
