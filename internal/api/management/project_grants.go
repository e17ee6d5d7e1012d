package management

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/project"
)

func (h *Handlers) projectGrants() []api.RPC {
	return []api.RPC{
		api.Unary("AddProjectGrant", h.addProjectGrant).Imports(),
		api.Unary("UpdateProjectGrant", h.updateProjectGrant),
		api.Unary("DeactivateProjectGrant", h.deactivateProjectGrant),
		api.Unary("ReactivateProjectGrant", h.reactivateProjectGrant),
		api.Unary("RemoveProjectGrant", h.removeProjectGrant),
		api.Unary("GetProjectGrantByID", h.getProjectGrant),
		api.Unary("ListProjectGrants", h.listProjectGrants),
		api.Unary("ListAllProjectGrants", h.listAllProjectGrants),
		api.Unary("GetGrantedProjectByID", h.getGrantedProject),
		api.Unary("ListGrantedProjects", h.listGrantedProjects),
		api.Unary("ListGrantedProjectRoles", h.listGrantedProjectRoles),
	}
}

// grant is which grant a request names.
func grant(r interface{ GetGrantId() string }) project.Which {
	return project.Which{Grant: r.GetGrantId()}
}

func (h *Handlers) addProjectGrant(ctx context.Context, r *pb.AddProjectGrantRequest) (*pb.AddProjectGrantResponse, error) {
	var id string
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		id = newID(ctx, tx)
		return flow.AddProjectGrant(tx, s, r.GetProjectId(), id, r.GetGrantedOrgId(), r.GetRoleKeys())
	})
	return &pb.AddProjectGrantResponse{GrantId: id, Details: api.Added(d)}, err
}

func (h *Handlers) updateProjectGrant(ctx context.Context, r *pb.UpdateProjectGrantRequest) (*pb.UpdateProjectGrantResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.ChangeProjectGrant(tx, s, r.GetProjectId(), grant(r), r.GetRoleKeys())
	})
	return &pb.UpdateProjectGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) deactivateProjectGrant(ctx context.Context, r *pb.DeactivateProjectGrantRequest) (*pb.DeactivateProjectGrantResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.DeactivateGrant(tx, s, r.GetProjectId(), grant(r))
	})
	return &pb.DeactivateProjectGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) reactivateProjectGrant(ctx context.Context, r *pb.ReactivateProjectGrantRequest) (*pb.ReactivateProjectGrantResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.ReactivateGrant(tx, s, r.GetProjectId(), grant(r))
	})
	return &pb.ReactivateProjectGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) removeProjectGrant(ctx context.Context, r *pb.RemoveProjectGrantRequest) (*pb.RemoveProjectGrantResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveProjectGrant(tx, s, r.GetProjectId(), grant(r))
	})
	return &pb.RemoveProjectGrantResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) getProjectGrant(ctx context.Context, r *pb.GetProjectGrantByIDRequest) (*pb.GetProjectGrantByIDResponse, error) {
	s := scope(ctx)
	g, err := project.OneGrant(ctx, h.store, s.Instance, "project.grant.read",
		project.GrantWithID(r.GetGrantId()), project.GrantProject(r.GetProjectId()), project.GrantOfOrg(s.Org))
	return &pb.GetProjectGrantByIDResponse{ProjectGrant: api.GrantedProject(g)}, err
}

func (h *Handlers) listProjectGrants(ctx context.Context, r *pb.ListProjectGrantsRequest) (*pb.ListProjectGrantsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.ProjectGrantFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := project.Grants(ctx, h.store, s.Instance, "project.grant.read", p, project.SortGrantCreated,
		append(filters, project.GrantProject(r.GetProjectId()), project.GrantOfOrg(s.Org))...)
	return &pb.ListProjectGrantsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.GrantedProject)}, err
}

func (h *Handlers) listAllProjectGrants(ctx context.Context, r *pb.ListAllProjectGrantsRequest) (*pb.ListAllProjectGrantsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.AllProjectGrantFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := project.Grants(ctx, h.store, s.Instance, "project.grant.read", p, project.SortGrantCreated, append(filters, project.GrantOfOrg(s.Org))...)
	return &pb.ListAllProjectGrantsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.GrantedProject)}, err
}

func (h *Handlers) getGrantedProject(ctx context.Context, r *pb.GetGrantedProjectByIDRequest) (*pb.GetGrantedProjectByIDResponse, error) {
	s := scope(ctx)
	g, err := project.OneGrant(ctx, h.store, s.Instance, "project.read",
		project.GrantWithID(r.GetGrantId()), project.GrantProject(r.GetProjectId()), project.GrantTo(s.Org))
	return &pb.GetGrantedProjectByIDResponse{GrantedProject: api.GrantedProject(g)}, err
}

func (h *Handlers) listGrantedProjects(ctx context.Context, r *pb.ListGrantedProjectsRequest) (*pb.ListGrantedProjectsResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.ProjectFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := project.Grants(ctx, h.store, s.Instance, "project.read", p, project.SortGrantCreated, append(filters, project.GrantTo(s.Org))...)
	return &pb.ListGrantedProjectsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.GrantedProject)}, err
}

func (h *Handlers) listGrantedProjectRoles(ctx context.Context, r *pb.ListGrantedProjectRolesRequest) (*pb.ListGrantedProjectRolesResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetQueries(), api.ProjectRoleFilter)
	if err != nil {
		return nil, err
	}
	s := scope(ctx)
	l, err := project.Roles(ctx, h.store, s.Instance, r.GetProjectId(), p, project.SortRoleCreated,
		append(filters, project.RoleInGrant(r.GetGrantId(), s.Org))...)
	return &pb.ListGrantedProjectRolesResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, api.ProjectRole)}, err
}
