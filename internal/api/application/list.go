package application

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
)

func (h *Handlers) lists() []api.RPC {
	return []api.RPC{
		api.Unary("GetApplication", h.get),
		api.Unary("ListApplications", h.list),
	}
}

func (h *Handlers) get(ctx context.Context, r *pb.GetApplicationRequest) (*pb.GetApplicationResponse, error) {
	a, err := application.One(ctx, h.store, scope(ctx), application.WithID(r.GetApplicationId()))
	return &pb.GetApplicationResponse{Application: message(ctx)(a)}, err
}

var columns = map[pb.ApplicationSorting]string{
	pb.ApplicationSorting_APPLICATION_SORT_BY_ID:            application.SortID,
	pb.ApplicationSorting_APPLICATION_SORT_BY_NAME:          application.SortName,
	pb.ApplicationSorting_APPLICATION_SORT_BY_STATE:         application.SortState,
	pb.ApplicationSorting_APPLICATION_SORT_BY_CREATION_DATE: application.SortCreated,
	pb.ApplicationSorting_APPLICATION_SORT_BY_CHANGE_DATE:   application.SortChanged,
}

func (h *Handlers) list(ctx context.Context, r *pb.ListApplicationsRequest) (*pb.ListApplicationsResponse, error) {
	p, by, filters, err := api.ListOf(ctx, r.GetPagination(), columns, r.GetSortingColumn(), r.GetFilters(), filter)
	if err != nil {
		return nil, err
	}
	l, err := application.List(ctx, h.store, scope(ctx).Instance, p, by, filters...)
	return &pb.ListApplicationsResponse{Pagination: api.Paginated(l.Total, p), Applications: api.Each(l.Rows, message(ctx))}, err
}

var kinds = map[pb.ApplicationType]string{
	pb.ApplicationType_APPLICATION_TYPE_OIDC: application.KindOIDC,
	pb.ApplicationType_APPLICATION_TYPE_API:  application.KindAPI,
	pb.ApplicationType_APPLICATION_TYPE_SAML: application.KindSAML,
}

func filter(q *pb.ApplicationSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.ApplicationSearchFilter_ProjectIdFilter:
		return application.OfProject(f.ProjectIdFilter.GetProjectId()), nil
	case *pb.ApplicationSearchFilter_NameFilter:
		return application.ByName(database.TextMethod(f.NameFilter.GetMethod()), f.NameFilter.GetName()), nil
	case *pb.ApplicationSearchFilter_StateFilter:
		return application.InState(int(f.StateFilter)), nil
	case *pb.ApplicationSearchFilter_TypeFilter:
		return application.OfKind(kinds[f.TypeFilter]), nil
	case *pb.ApplicationSearchFilter_ClientIdFilter:
		return application.WithClientID(f.ClientIdFilter.GetClientId()), nil
	case *pb.ApplicationSearchFilter_EntityIdFilter:
		return application.WithEntityID(f.EntityIdFilter.GetEntityId()), nil
	}
	return nil, api.ErrFilter
}
