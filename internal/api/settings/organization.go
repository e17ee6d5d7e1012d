package settings

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// organization is the scope that a request names.
func organization(ctx context.Context, r interface{ GetOrganizationId() string }) policy.Scope {
	return policy.Scope{Instance: authz.From(ctx).Instance, Org: r.GetOrganizationId()}
}

func (h *Handlers) setOrganization(ctx context.Context, r *pb.SetOrganizationSettingsRequest) (*pb.SetOrganizationSettingsResponse, error) {
	if r.OrganizationScopedUsernames == nil {
		return nil, fault.Invalid("SETTINGS-none", "Name at least one setting.")
	}
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.OrgSettings.SetIn(tx, organization(ctx, r), func(s *policy.OrgSettingsDoc) {
			s.ScopedUsernames = r.GetOrganizationScopedUsernames()
		})
	})
	return &pb.SetOrganizationSettingsResponse{SetDate: timestamppb.New(d.Changed)}, err
}

func (h *Handlers) deleteOrganization(ctx context.Context, r *pb.DeleteOrganizationSettingsRequest) (*pb.DeleteOrganizationSettingsResponse, error) {
	d, err := api.Write(ctx, h.store, func(tx *eventstore.Tx) (eventstore.Details, error) {
		return policy.OrgSettings.ResetIn(tx, organization(ctx, r))
	})
	return &pb.DeleteOrganizationSettingsResponse{DeletionDate: api.Timestamp(d.Changed)}, err
}

var organizationColumns = map[pb.OrganizationSettingsFieldName]string{
	pb.OrganizationSettingsFieldName_ORGANIZATION_SETTINGS_FIELD_NAME_UNSPECIFIED:     policy.SortOrgSettingsCreated,
	pb.OrganizationSettingsFieldName_ORGANIZATION_SETTINGS_FIELD_NAME_ORGANIZATION_ID: policy.SortOrgSettingsOrg,
	pb.OrganizationSettingsFieldName_ORGANIZATION_SETTINGS_FIELD_NAME_CREATION_DATE:   policy.SortOrgSettingsCreated,
	pb.OrganizationSettingsFieldName_ORGANIZATION_SETTINGS_FIELD_NAME_CHANGE_DATE:     policy.SortOrgSettingsChanged,
}

func (h *Handlers) listOrganizations(ctx context.Context, r *pb.ListOrganizationSettingsRequest) (*pb.ListOrganizationSettingsResponse, error) {
	p, err := api.PageOf(ctx, r.GetPagination())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(organizationColumns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	filters, err := api.Filters(r.GetFilters(), organizationFilter)
	if err != nil {
		return nil, err
	}
	l, err := policy.ListOrgSettings(ctx, h.store, authz.From(ctx).Instance, p, by, filters...)
	return &pb.ListOrganizationSettingsResponse{
		Pagination: api.Paginated(l.Total, p), OrganizationSettings: api.Each(l.Rows, organizationSettings),
	}, err
}

func organizationSettings(o policy.OrgSettingsOf) *pb.OrganizationSettings {
	return &pb.OrganizationSettings{
		OrganizationId: o.Org, CreationDate: timestamppb.New(o.Created), ChangeDate: timestamppb.New(o.Changed),
		OrganizationScopedUsernames: o.Doc.ScopedUsernames,
	}
}

func organizationFilter(q *pb.OrganizationSettingsSearchFilter) (database.Filter, error) {
	switch f := q.GetFilter().(type) {
	case *pb.OrganizationSettingsSearchFilter_InOrganizationIdsFilter:
		return policy.OrgSettingsWithin(f.InOrganizationIdsFilter.GetIds()), nil
	case *pb.OrganizationSettingsSearchFilter_OrganizationScopedUsernamesFilter:
		return policy.OrgSettingsScoped(f.OrganizationScopedUsernamesFilter.GetOrganizationScopedUsernames()), nil
	}
	return nil, api.ErrFilter
}
