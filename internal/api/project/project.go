// Package project is version 2 of the service for projects. Every call names its
// project, and the caller's permissions there decide.
package project

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/project"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists what is built of the service.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "zitadel.project.v2.ProjectService", RPCs: slices.Concat(h.projects(), h.roles(), h.grants(), h.lists())}
}

func (h *Handlers) projects() []api.RPC {
	return []api.RPC{
		api.Unary("CreateProject", h.createProject),
		api.Unary("UpdateProject", h.updateProject),
		api.Unary("DeleteProject", h.deleteProject),
		api.Unary("DeactivateProject", h.deactivateProject),
		api.Unary("ActivateProject", h.activateProject),
		api.Unary("GetProject", h.getProject),
	}
}

func (h *Handlers) roles() []api.RPC {
	return []api.RPC{
		api.Unary("AddProjectRole", h.addProjectRole),
		api.Unary("UpdateProjectRole", h.updateProjectRole),
		api.Unary("RemoveProjectRole", h.removeProjectRole),
	}
}

func (h *Handlers) grants() []api.RPC {
	return []api.RPC{
		api.Unary("CreateProjectGrant", h.createProjectGrant),
		api.Unary("UpdateProjectGrant", h.updateProjectGrant),
		api.Unary("DeleteProjectGrant", h.deleteProjectGrant),
		api.Unary("DeactivateProjectGrant", h.deactivateProjectGrant),
		api.Unary("ActivateProjectGrant", h.activateProjectGrant),
	}
}

// scope is any organization of the caller's instance.
func scope(ctx context.Context) eventstore.Scope {
	return eventstore.Scope{Instance: authz.From(ctx).Instance}
}

// write runs a verb in a transaction and gives the date of the change. A verb that
// finds nothing to change gives that of the last one.
func (h *Handlers) write(ctx context.Context, verb func(*eventstore.Tx, eventstore.Scope) (eventstore.Details, error)) (*timestamppb.Timestamp, error) {
	var d eventstore.Details
	err := h.store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		d, err = verb(tx, scope(ctx))
		if project.Unchanged(err) {
			return nil
		}
		return err
	})
	return timestamppb.New(d.Changed), err
}

// end is write for a verb that ends something. What is not there is as the caller
// wanted it, and there is no date.
func (h *Handlers) end(ctx context.Context, verb func(*eventstore.Tx, eventstore.Scope) (eventstore.Details, error)) (*timestamppb.Timestamp, error) {
	at, err := h.write(ctx, verb)
	if project.Missing(err) {
		return nil, nil
	}
	return at, err
}

func (h *Handlers) createProject(ctx context.Context, r *pb.CreateProjectRequest) (*pb.CreateProjectResponse, error) {
	id := r.GetProjectId()
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		if r.ProjectId == nil {
			id = tx.NewID()
		}
		s.Org = r.GetOrganizationId()
		return flow.AddProject(tx, s, id, project.Settings{
			Name: r.GetName(), RoleAssertion: r.GetProjectRoleAssertion(), RoleCheck: r.GetAuthorizationRequired(),
			OrgCheck: r.GetProjectAccessRequired(), PrivateLabeling: int(r.GetPrivateLabelingSetting()),
		})
	})
	return &pb.CreateProjectResponse{ProjectId: id, CreationDate: at}, err
}

func (h *Handlers) updateProject(ctx context.Context, r *pb.UpdateProjectRequest) (*pb.UpdateProjectResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.Change(tx, s, r.GetProjectId(), func(p *project.Settings) {
			set(&p.Name, r.Name)
			set(&p.RoleAssertion, r.ProjectRoleAssertion)
			set(&p.RoleCheck, r.AuthorizationRequired)
			set(&p.OrgCheck, r.ProjectAccessRequired)
			if r.PrivateLabelingSetting != nil {
				p.PrivateLabeling = int(r.GetPrivateLabelingSetting())
			}
		})
	})
	return &pb.UpdateProjectResponse{ChangeDate: at}, err
}

// set writes what a request has; the rest stays.
func set[T any](field, wanted *T) {
	if wanted != nil {
		*field = *wanted
	}
}

func (h *Handlers) deleteProject(ctx context.Context, r *pb.DeleteProjectRequest) (*pb.DeleteProjectResponse, error) {
	at, err := h.end(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveProject(tx, s, r.GetProjectId())
	})
	return &pb.DeleteProjectResponse{DeletionDate: at}, err
}

func (h *Handlers) deactivateProject(ctx context.Context, r *pb.DeactivateProjectRequest) (*pb.DeactivateProjectResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.Deactivate(tx, s, r.GetProjectId())
	})
	return &pb.DeactivateProjectResponse{ChangeDate: at}, err
}

func (h *Handlers) activateProject(ctx context.Context, r *pb.ActivateProjectRequest) (*pb.ActivateProjectResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.Reactivate(tx, s, r.GetProjectId())
	})
	return &pb.ActivateProjectResponse{ChangeDate: at}, err
}

func (h *Handlers) getProject(ctx context.Context, r *pb.GetProjectRequest) (*pb.GetProjectResponse, error) {
	p, err := project.ByID(ctx, h.store, scope(ctx), r.GetProjectId())
	return &pb.GetProjectResponse{Project: message(project.Listed{Project: p})}, err
}

func (h *Handlers) addProjectRole(ctx context.Context, r *pb.AddProjectRoleRequest) (*pb.AddProjectRoleResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.AddRoles(tx, s, r.GetProjectId(), project.Role{Key: r.GetRoleKey(), DisplayName: r.GetDisplayName(), Group: r.GetGroup()})
	})
	return &pb.AddProjectRoleResponse{CreationDate: at}, err
}

func (h *Handlers) updateProjectRole(ctx context.Context, r *pb.UpdateProjectRoleRequest) (*pb.UpdateProjectRoleResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.ChangeRole(tx, s, r.GetProjectId(), r.GetRoleKey(), func(role *project.Role) {
			set(&role.DisplayName, r.DisplayName)
			set(&role.Group, r.Group)
		})
	})
	return &pb.UpdateProjectRoleResponse{ChangeDate: at}, err
}

func (h *Handlers) removeProjectRole(ctx context.Context, r *pb.RemoveProjectRoleRequest) (*pb.RemoveProjectRoleResponse, error) {
	at, err := h.end(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveProjectRole(tx, s, r.GetProjectId(), r.GetRoleKey())
	})
	return &pb.RemoveProjectRoleResponse{RemovalDate: at}, err
}

// granted is which grant of a project a request names.
func granted(r interface{ GetGrantedOrganizationId() string }) project.Which {
	return project.Which{GrantedOrg: r.GetGrantedOrganizationId()}
}

func (h *Handlers) createProjectGrant(ctx context.Context, r *pb.CreateProjectGrantRequest) (*pb.CreateProjectGrantResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.AddProjectGrant(tx, s, r.GetProjectId(), tx.NewID(), r.GetGrantedOrganizationId(), r.GetRoleKeys())
	})
	return &pb.CreateProjectGrantResponse{CreationDate: at}, err
}

func (h *Handlers) updateProjectGrant(ctx context.Context, r *pb.UpdateProjectGrantRequest) (*pb.UpdateProjectGrantResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.ChangeProjectGrant(tx, s, r.GetProjectId(), granted(r), r.GetRoleKeys())
	})
	return &pb.UpdateProjectGrantResponse{ChangeDate: at}, err
}

func (h *Handlers) deleteProjectGrant(ctx context.Context, r *pb.DeleteProjectGrantRequest) (*pb.DeleteProjectGrantResponse, error) {
	at, err := h.end(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return flow.RemoveProjectGrant(tx, s, r.GetProjectId(), granted(r))
	})
	return &pb.DeleteProjectGrantResponse{DeletionDate: at}, err
}

func (h *Handlers) deactivateProjectGrant(ctx context.Context, r *pb.DeactivateProjectGrantRequest) (*pb.DeactivateProjectGrantResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.DeactivateGrant(tx, s, r.GetProjectId(), granted(r))
	})
	return &pb.DeactivateProjectGrantResponse{ChangeDate: at}, err
}

func (h *Handlers) activateProjectGrant(ctx context.Context, r *pb.ActivateProjectGrantRequest) (*pb.ActivateProjectGrantResponse, error) {
	at, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return project.ReactivateGrant(tx, s, r.GetProjectId(), granted(r))
	})
	return &pb.ActivateProjectGrantResponse{ChangeDate: at}, err
}
