package management

import (
	"context"
	"fmt"

	changepb "github.com/gatehouse/gatehouse/gen/zitadel/change/v1"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/project"
)

func (h *Handlers) projects() []api.RPC {
	return []api.RPC{
		api.Unary("AddProject", h.addProject).Imports(),
		api.Unary("UpdateProject", h.updateProject),
		api.Unary("DeactivateProject", h.deactivateProject),
		api.Unary("ReactivateProject", h.reactivateProject),
		api.Unary("RemoveProject", h.removeProject),
		api.Unary("GetProjectByID", h.getProject),
		api.Unary("ListProjects", h.listProjects),
		api.Unary("ListProjectChanges", h.listProjectChanges),
		api.Unary("ListProjectGrantChanges", h.listProjectGrantChanges),
		api.Unary("AddProjectRole", h.addProjectRole),
		api.Unary("BulkAddProjectRoles", h.bulkAddProjectRoles),
		api.Unary("UpdateProjectRole", h.updateProjectRole),
		api.Unary("RemoveProjectRole", h.removeProjectRole),
		api.Unary("ListProjectRoles", h.listProjectRoles),
	}
}

func (h *Handlers) addProject(ctx context.Context, r *pb.AddProjectRequest) (*pb.AddProjectResponse, error) {
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		id = newID(ctx, tx)
		return flow.AddProject(tx, s, id, settings(r))
	})
	return &pb.AddProjectResponse{Id: id, Details: api.Added(d)}, err
}

// settings are what a request says that a project shall be like.
func settings(r interface {
	GetName() string
	GetProjectRoleAssertion() bool
	GetProjectRoleCheck() bool
	GetHasProjectCheck() bool
	GetPrivateLabelingSetting() projectpb.PrivateLabelingSetting
},
) project.Settings {
	return project.Settings{
		Name: r.GetName(), RoleAssertion: r.GetProjectRoleAssertion(), RoleCheck: r.GetProjectRoleCheck(),
		OrgCheck: r.GetHasProjectCheck(), PrivateLabeling: int(r.GetPrivateLabelingSetting()),
	}
}

func (h *Handlers) updateProject(ctx context.Context, r *pb.UpdateProjectRequest) (*pb.UpdateProjectResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.Change(tx, s, r.GetId(), func(p *project.Settings) { *p = settings(r) })
	})
	return &pb.UpdateProjectResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateProject(ctx context.Context, r *pb.DeactivateProjectRequest) (*pb.DeactivateProjectResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.Deactivate(tx, s, r.GetId())
	})
	return &pb.DeactivateProjectResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) reactivateProject(ctx context.Context, r *pb.ReactivateProjectRequest) (*pb.ReactivateProjectResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.Reactivate(tx, s, r.GetId())
	})
	return &pb.ReactivateProjectResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeProject(ctx context.Context, r *pb.RemoveProjectRequest) (*pb.RemoveProjectResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveProject(tx, s, r.GetId())
	})
	return &pb.RemoveProjectResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getProject(ctx context.Context, r *pb.GetProjectByIDRequest) (*pb.GetProjectByIDResponse, error) {
	p, err := project.ByID(ctx, h.store, scope(ctx), r.GetId())
	return &pb.GetProjectByIDResponse{Project: api.Project(p)}, err
}

func (h *Handlers) listProjects(ctx context.Context, r *pb.ListProjectsRequest) (*pb.ListProjectsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.ProjectFilter)
	if err != nil {
		return nil, err
	}
	l, err := project.List(ctx, h.store, scope(ctx), p, filters...)
	return &pb.ListProjectsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.Project)}, err
}

func (h *Handlers) listProjectChanges(ctx context.Context, r *pb.ListProjectChangesRequest) (*pb.ListProjectChangesResponse, error) {
	changes, err := h.projectHistory(ctx, "project.read", r, "")
	return &pb.ListProjectChangesResponse{Result: changes}, err
}

func (h *Handlers) listProjectGrantChanges(ctx context.Context, r *pb.ListProjectGrantChangesRequest) (*pb.ListProjectGrantChangesResponse, error) {
	changes, err := h.projectHistory(ctx, "project.grant.read", r, fmt.Sprintf(`"grantId":%q`, r.GetGrantId()))
	return &pb.ListProjectGrantChangesResponse{Result: changes}, err
}

// projectHistory lists the events of a project of the organization whose payload
// contains mentions.
func (h *Handlers) projectHistory(ctx context.Context, permission string, r interface {
	GetProjectId() string
	GetQuery() *changepb.ChangeQuery
}, mentions string,
) ([]*changepb.Change, error) {
	s := scope(ctx)
	if err := authz.RequireOn(ctx, permission, authz.Object{Org: s.Org, Project: r.GetProjectId()}); err != nil {
		return nil, err
	}
	f, err := api.Changes(eventstore.Aggregate{Instance: s.Instance, Type: "project", ID: r.GetProjectId(), Owner: s.Org}, r.GetQuery())
	if err != nil {
		return nil, err
	}
	f.Mentions = mentions
	entries, err := flow.History(ctx, h.store, f)
	return api.Each(entries, api.Change), err
}

func (h *Handlers) addProjectRole(ctx context.Context, r *pb.AddProjectRoleRequest) (*pb.AddProjectRoleResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.AddRoles(tx, s, r.GetProjectId(), project.Role{Key: r.GetRoleKey(), DisplayName: r.GetDisplayName(), Group: r.GetGroup()})
	})
	return &pb.AddProjectRoleResponse{Details: api.Added(d)}, err
}

func (h *Handlers) bulkAddProjectRoles(ctx context.Context, r *pb.BulkAddProjectRolesRequest) (*pb.BulkAddProjectRolesResponse, error) {
	roles := api.Each(r.GetRoles(), func(r *pb.BulkAddProjectRolesRequest_Role) project.Role {
		return project.Role{Key: r.GetKey(), DisplayName: r.GetDisplayName(), Group: r.GetGroup()}
	})
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.AddRoles(tx, s, r.GetProjectId(), roles...)
	})
	return &pb.BulkAddProjectRolesResponse{Details: api.Added(d)}, err
}

func (h *Handlers) updateProjectRole(ctx context.Context, r *pb.UpdateProjectRoleRequest) (*pb.UpdateProjectRoleResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.ChangeRole(tx, s, r.GetProjectId(), r.GetRoleKey(), func(role *project.Role) {
			role.DisplayName, role.Group = r.GetDisplayName(), r.GetGroup()
		})
	})
	return &pb.UpdateProjectRoleResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeProjectRole(ctx context.Context, r *pb.RemoveProjectRoleRequest) (*pb.RemoveProjectRoleResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveProjectRole(tx, s, r.GetProjectId(), r.GetRoleKey())
	})
	return &pb.RemoveProjectRoleResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) listProjectRoles(ctx context.Context, r *pb.ListProjectRolesRequest) (*pb.ListProjectRolesResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.ProjectRoleFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := project.Roles(ctx, h.store, s.Instance, r.GetProjectId(), p, project.SortRoleCreated, append(filters, project.OfOrg(s.Org))...)
	return &pb.ListProjectRolesResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.ProjectRole)}, err
}
