// Package group is version 2 of the service for groups of users.
package group

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	authorizationpb "github.com/gatehouse/gatehouse/gen/zitadel/authorization/v2beta"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/group/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/group"
)

// Handlers answers the service from a store.
type Handlers struct{ store *eventstore.Store }

// Service lists what is built of the service.
func Service(store *eventstore.Store) api.Service {
	h := &Handlers{store: store}
	return api.Service{Name: "zitadel.group.v2.GroupService", RPCs: []api.RPC{
		api.Unary("CreateGroup", h.createGroup),
		api.Unary("GetGroup", h.getGroup),
		api.Unary("ListGroups", h.listGroups),
		api.Unary("UpdateGroup", h.updateGroup),
		api.Unary("DeleteGroup", h.deleteGroup),
		api.Unary("AddUsersToGroup", h.addUsersToGroup),
		api.Unary("RemoveUsersFromGroup", h.removeUsersFromGroup),
		api.Unary("ListGroupUsers", h.listGroupUsers),
	}}
}

// write runs a verb in a transaction.
func (h *Handlers) write(ctx context.Context, verb func(tx *eventstore.Tx, instance string) (eventstore.Details, error)) (eventstore.Details, error) {
	return api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) { return verb(tx, authz.From(ctx).Instance) })
}

func (h *Handlers) createGroup(ctx context.Context, r *pb.CreateGroupRequest) (*pb.CreateGroupResponse, error) {
	g := group.Group{ID: r.GetId(), Org: r.GetOrganizationId(), Name: r.GetName(), Description: r.GetDescription()}
	d, err := h.write(ctx, func(tx *eventstore.Tx, instance string) (eventstore.Details, error) {
		if r.Id == nil {
			g.ID = tx.NewID()
		}
		return group.Add(tx, instance, g)
	})
	return &pb.CreateGroupResponse{Id: g.ID, CreationDate: timestamppb.New(d.Created)}, err
}

func (h *Handlers) getGroup(ctx context.Context, r *pb.GetGroupRequest) (*pb.GetGroupResponse, error) {
	g, err := group.ByID(ctx, h.store, r.GetId())
	return &pb.GetGroupResponse{Group: message(g)}, err
}

// columns are what groups are sorted by.
var columns = map[pb.FieldName]string{
	pb.FieldName_FIELD_NAME_UNSPECIFIED: group.SortCreated, pb.FieldName_FIELD_NAME_ID: group.SortID, pb.FieldName_FIELD_NAME_NAME: group.SortName,
	pb.FieldName_FIELD_NAME_CREATION_DATE: group.SortCreated, pb.FieldName_FIELD_NAME_CHANGE_DATE: group.SortChanged,
}

func (h *Handlers) listGroups(ctx context.Context, r *pb.ListGroupsRequest) (*pb.ListGroupsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), columns, r.GetSortingColumn(), r.GetFilters(), filter)
	if err != nil {
		return nil, err
	}
	l, err := group.List(ctx, h.store, p, by, filters...)
	return &pb.ListGroupsResponse{Groups: api.Each(l.Rows, message), Pagination: api.Paginated(l.Total, p)}, err
}

func filter(q *pb.GroupsSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.GroupsSearchFilter_GroupIds:
		return api.InIDs(group.WithID, f.GroupIds.GetIds())
	case *pb.GroupsSearchFilter_NameFilter:
		return group.ByName(database.TextMethod(f.NameFilter.GetMethod()), f.NameFilter.GetName()), nil
	case *pb.GroupsSearchFilter_OrganizationId:
		return group.OfOrg(f.OrganizationId.GetId()), nil
	}
	return nil, api.ErrFilter
}

func message(g group.Group) *pb.Group {
	return &pb.Group{
		Id: g.ID, Name: g.Name, Description: g.Description, OrganizationId: g.Org,
		CreationDate: timestamppb.New(g.Details.Created), ChangeDate: timestamppb.New(g.Details.Changed),
	}
}

func (h *Handlers) updateGroup(ctx context.Context, r *pb.UpdateGroupRequest) (*pb.UpdateGroupResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, instance string) (eventstore.Details, error) {
		return group.Change(tx, instance, r.GetId(), r.Name, r.Description)
	})
	return &pb.UpdateGroupResponse{ChangeDate: timestamppb.New(d.Changed)}, err
}

func (h *Handlers) deleteGroup(ctx context.Context, r *pb.DeleteGroupRequest) (*pb.DeleteGroupResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, instance string) (eventstore.Details, error) {
		return group.Remove(tx, instance, r.GetId())
	})
	return &pb.DeleteGroupResponse{DeletionDate: timestamppb.New(d.Changed)}, err
}

func (h *Handlers) addUsersToGroup(ctx context.Context, r *pb.AddUsersToGroupRequest) (*pb.AddUsersToGroupResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, instance string) (eventstore.Details, error) {
		return group.AddUsers(tx, instance, r.GetId(), r.GetUserIds())
	})
	return &pb.AddUsersToGroupResponse{ChangeDate: timestamppb.New(d.Changed)}, err
}

func (h *Handlers) removeUsersFromGroup(ctx context.Context, r *pb.RemoveUsersFromGroupRequest) (*pb.RemoveUsersFromGroupResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, instance string) (eventstore.Details, error) {
		return group.RemoveUsers(tx, instance, r.GetId(), r.GetUserIds())
	})
	return &pb.RemoveUsersFromGroupResponse{ChangeDate: timestamppb.New(d.Changed)}, err
}

// userColumns are what users of groups are sorted by.
var userColumns = map[pb.GroupUserFieldName]string{
	pb.GroupUserFieldName_GROUP_USER_FIELD_NAME_UNSPECIFIED: flow.SortGroupUserAdded, pb.GroupUserFieldName_GROUP_USER_FIELD_NAME_USER_ID: flow.SortGroupUser,
	pb.GroupUserFieldName_GROUP_USER_FIELD_NAME_GROUP_ID: flow.SortGroup, pb.GroupUserFieldName_GROUP_USER_FIELD_NAME_CREATION_DATE: flow.SortGroupUserAdded,
}

func (h *Handlers) listGroupUsers(ctx context.Context, r *pb.ListGroupUsersRequest) (*pb.ListGroupUsersResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), userColumns, r.GetSortingColumn(), r.GetFilters(), userFilter)
	if err != nil {
		return nil, err
	}
	l, err := flow.GroupUsers(ctx, h.store, p, by, filters...)
	return &pb.ListGroupUsersResponse{GroupUsers: api.Each(l.Rows, userMessage), Pagination: api.Paginated(l.Total, p)}, err
}

func userFilter(q *pb.GroupUsersSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.GroupUsersSearchFilter_UserIds:
		return api.InIDs(flow.GroupUserAmong, f.UserIds.GetIds())
	case *pb.GroupUsersSearchFilter_GroupIds:
		return api.InIDs(flow.GroupAmong, f.GroupIds.GetIds())
	}
	return nil, api.ErrFilter
}

func userMessage(u flow.GroupUser) *pb.GroupUser {
	return &pb.GroupUser{
		GroupId: u.GroupID, OrganizationId: u.OrgID, CreationDate: timestamppb.New(u.Added),
		User: &authorizationpb.User{Id: u.ID, PreferredLoginName: u.LoginName, DisplayName: u.DisplayName(), OrganizationId: u.OrgID},
	}
}
