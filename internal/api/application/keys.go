package application

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) keys() []api.RPC {
	return []api.RPC{
		api.Unary("CreateApplicationKey", h.createKey),
		api.Unary("DeleteApplicationKey", h.deleteKey),
		api.Unary("GetApplicationKey", h.getKey),
		api.Unary("ListApplicationKeys", h.listKeys),
	}
}

func (h *Handlers) createKey(ctx context.Context, r *pb.CreateApplicationKeyRequest) (*pb.CreateApplicationKeyResponse, error) {
	id, file, d, err := flow.AddApplicationKey(ctx, h.store, scope(ctx), r.GetProjectId(), r.GetApplicationId(), application.NewKey{Expires: api.Expiration(r.GetExpirationDate())})
	return &pb.CreateApplicationKeyResponse{KeyId: id, CreationDate: api.Timestamp(d.Created), KeyDetails: file}, err
}

func (h *Handlers) deleteKey(ctx context.Context, r *pb.DeleteApplicationKeyRequest) (*pb.DeleteApplicationKeyResponse, error) {
	at, err := h.end(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return application.RemoveKey(tx, s, r.GetProjectId(), r.GetApplicationId(), r.GetKeyId())
	})
	return &pb.DeleteApplicationKeyResponse{DeletionDate: at}, err
}

func (h *Handlers) getKey(ctx context.Context, r *pb.GetApplicationKeyRequest) (*pb.GetApplicationKeyResponse, error) {
	k, err := application.OneKey(ctx, h.store, scope(ctx).Instance, application.WithKeyID(r.GetKeyId()))
	return &pb.GetApplicationKeyResponse{KeyId: k.ID, CreationDate: api.Timestamp(k.Details.Created), ExpirationDate: api.ExpirationDate(k.Expires)}, err
}

var keyColumns = map[pb.ApplicationKeysSorting]string{
	pb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_ID:              application.SortKeyID,
	pb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_PROJECT_ID:      application.SortKeyProject,
	pb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_APPLICATION_ID:  application.SortKeyApp,
	pb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_CREATION_DATE:   application.SortKeyCreated,
	pb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_ORGANIZATION_ID: application.SortKeyOrg,
	pb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_EXPIRATION:      application.SortKeyExpires,
	pb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_TYPE:            application.SortKeyKind,
}

func (h *Handlers) listKeys(ctx context.Context, r *pb.ListApplicationKeysRequest) (*pb.ListApplicationKeysResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), keyColumns, r.GetSortingColumn(), r.GetFilters(), keyFilter)
	if err != nil {
		return nil, err
	}
	l, err := application.Keys(ctx, h.store, scope(ctx).Instance, p, by, filters...)
	return &pb.ListApplicationKeysResponse{Pagination: api.Paginated(l.Total, p), Keys: api.Each(l.Rows, key)}, err
}

func key(k application.Key) *pb.ApplicationKey {
	return &pb.ApplicationKey{
		KeyId: k.ID, ApplicationId: k.App, ProjectId: k.Project, OrganizationId: k.Details.Owner,
		CreationDate: api.Timestamp(k.Details.Created), ExpirationDate: api.ExpirationDate(k.Expires),
	}
}

func keyFilter(q *pb.ApplicationKeySearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.ApplicationKeySearchFilter_ApplicationIdFilter:
		return application.WithID(f.ApplicationIdFilter.GetApplicationId()), nil
	case *pb.ApplicationKeySearchFilter_ProjectIdFilter:
		return application.OfProject(f.ProjectIdFilter.GetProjectId()), nil
	case *pb.ApplicationKeySearchFilter_OrganizationIdFilter:
		return application.OfOrg(f.OrganizationIdFilter.GetOrganizationId()), nil
	}
	return nil, api.ErrFilter
}
