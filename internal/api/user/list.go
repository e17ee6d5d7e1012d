package user

import (
	"context"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	metadatapb "github.com/gatehouse/gatehouse/gen/zitadel/metadata/v2"
	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/metadata"
)

func (h *Handlers) getUserByID(ctx context.Context, r *pb.GetUserByIDRequest) (*pb.GetUserByIDResponse, error) {
	u, err := flow.OneUser(ctx, h.store, authz.From(ctx).Instance, flow.UserWithID(r.GetUserId()), flow.VisibleUsers(ctx))
	return &pb.GetUserByIDResponse{User: message(ctx)(u), Details: api.ViewV2(u.Details)}, err
}

var columns = map[pb.UserFieldName]string{
	pb.UserFieldName_USER_FIELD_NAME_UNSPECIFIED:   flow.SortUserCreated,
	pb.UserFieldName_USER_FIELD_NAME_USER_NAME:     flow.SortUserName,
	pb.UserFieldName_USER_FIELD_NAME_DISPLAY_NAME:  flow.SortUserDisplay,
	pb.UserFieldName_USER_FIELD_NAME_FIRST_NAME:    flow.SortUserFirst,
	pb.UserFieldName_USER_FIELD_NAME_LAST_NAME:     flow.SortUserLast,
	pb.UserFieldName_USER_FIELD_NAME_NICK_NAME:     flow.SortUserNick,
	pb.UserFieldName_USER_FIELD_NAME_EMAIL:         flow.SortUserEmail,
	pb.UserFieldName_USER_FIELD_NAME_STATE:         flow.SortUserState,
	pb.UserFieldName_USER_FIELD_NAME_TYPE:          flow.SortUserKind,
	pb.UserFieldName_USER_FIELD_NAME_CREATION_DATE: flow.SortUserCreated,
}

func (h *Handlers) listUsers(ctx context.Context, r *pb.ListUsersRequest) (*pb.ListUsersResponse, error) {
	p, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	by, err := api.ColumnOf(columns, r.GetSortingColumn())
	if err != nil {
		return nil, err
	}
	filters, err := api.NestedFilters(r.GetQueries(), group, filter)
	if err != nil {
		return nil, err
	}
	l, err := flow.Users(ctx, h.store, authz.From(ctx).Instance, p, by, append(filters, flow.VisibleUsers(ctx))...)
	return &pb.ListUsersResponse{
		Details: api.ListedV2(l.Total, h.store.Now()), SortingColumn: r.GetSortingColumn(), Result: api.Each(l.Rows, message(ctx)),
	}, err
}

func message(ctx context.Context) func(flow.User) *pb.User {
	return func(u flow.User) *pb.User {
		out := &pb.User{
			UserId: u.ID, State: pb.UserState(u.State), Username: u.UserName, LoginNames: u.LoginNames, PreferredLoginName: u.LoginName, //nolint:gosec // a small number
			Details: api.ViewV2(u.Details),
		}
		if u.IsHuman() {
			out.Type = &pb.User_Human{Human: human(ctx, u, out.GetState())}
		} else {
			out.Type = &pb.User_Machine{Machine: &pb.MachineUser{
				Name: u.Name, Description: u.Description, HasSecret: u.HasSecret, AccessTokenType: pb.AccessTokenType(u.AccessTokenType),
			}}
		}
		return out
	}
}

func human(ctx context.Context, u flow.User, state pb.UserState) *pb.HumanUser {
	h, gender := u.Human, pb.Gender(u.Human.Gender)
	out := &pb.HumanUser{
		UserId: u.ID, State: state, Username: u.UserName, LoginNames: u.LoginNames, PreferredLoginName: u.LoginName,
		Profile: &pb.HumanProfile{
			GivenName: h.FirstName, FamilyName: h.LastName, NickName: &h.NickName, DisplayName: &h.DisplayName,
			PreferredLanguage: &h.PreferredLanguage, Gender: &gender, AvatarUrl: api.AssetURL(ctx, h.Avatar),
		},
		Email:           &pb.HumanEmail{Email: h.Email, IsVerified: h.EmailVerified},
		PasswordChanged: api.Timestamp(h.PasswordChanged), PasswordChangeRequired: h.PasswordChangeRequired,
		MfaInitSkipped: api.Timestamp(h.MFASkipped),
	}
	if h.Phone != "" {
		out.Phone = &pb.HumanPhone{Phone: h.Phone, IsVerified: h.PhoneVerified}
	}
	return out
}

func group(q *pb.SearchQuery) (g api.Group[*pb.SearchQuery]) {
	switch f := q.GetQuery().(type) {
	case *pb.SearchQuery_AndQuery:
		g = api.Every(f.AndQuery.GetQueries())
	case *pb.SearchQuery_OrQuery:
		g = api.Some(f.OrQuery.GetQueries())
	case *pb.SearchQuery_NotQuery:
		g = api.None(f.NotQuery.GetQuery())
	}
	return g
}

func filter(q *pb.SearchQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *pb.SearchQuery_UserNameQuery:
		return flow.UserByName(database.TextMethod(f.UserNameQuery.GetMethod()), f.UserNameQuery.GetUserName()), nil
	case *pb.SearchQuery_DisplayNameQuery:
		return flow.UserByTitle(database.TextMethod(f.DisplayNameQuery.GetMethod()), f.DisplayNameQuery.GetDisplayName()), nil
	case *pb.SearchQuery_LoginNameQuery:
		return flow.UserByLogin(database.TextMethod(f.LoginNameQuery.GetMethod()), f.LoginNameQuery.GetLoginName()), nil
	case *pb.SearchQuery_StateQuery:
		return flow.UserInState(int(f.StateQuery.GetState())), nil
	case *pb.SearchQuery_TypeQuery:
		return flow.UserOfKind(api.UserKind(f.TypeQuery.GetType())), nil
	case *pb.SearchQuery_InUserIdsQuery:
		return api.InIDs(flow.UserWithID, f.InUserIdsQuery.GetUserIds())
	case *pb.SearchQuery_OrganizationIdQuery:
		return flow.UserOfOrg(f.OrganizationIdQuery.GetOrganizationId()), nil
	}
	return personFilter(q)
}

// personFilter is a condition on what only humans have, or on metadata.
func personFilter(q *pb.SearchQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *pb.SearchQuery_FirstNameQuery:
		return flow.UserByFirst(database.TextMethod(f.FirstNameQuery.GetMethod()), f.FirstNameQuery.GetFirstName()), nil
	case *pb.SearchQuery_LastNameQuery:
		return flow.UserByLast(database.TextMethod(f.LastNameQuery.GetMethod()), f.LastNameQuery.GetLastName()), nil
	case *pb.SearchQuery_NickNameQuery:
		return flow.UserByNick(database.TextMethod(f.NickNameQuery.GetMethod()), f.NickNameQuery.GetNickName()), nil
	case *pb.SearchQuery_EmailQuery:
		return flow.UserByEmail(database.TextMethod(f.EmailQuery.GetMethod()), f.EmailQuery.GetEmailAddress()), nil
	case *pb.SearchQuery_PhoneQuery:
		return flow.UserByPhone(database.TextMethod(f.PhoneQuery.GetMethod()), f.PhoneQuery.GetNumber()), nil
	case *pb.SearchQuery_InUserEmailsQuery:
		return api.InIDs(flow.UserWithEmail, f.InUserEmailsQuery.GetUserEmails())
	case *pb.SearchQuery_MetadataKeyFilter:
		return flow.UserByMetadata(metadata.ByKey(database.TextMethod(f.MetadataKeyFilter.GetMethod()), f.MetadataKeyFilter.GetKey())), nil
	case *pb.SearchQuery_MetadataValueFilter:
		return valueFilter(f.MetadataValueFilter), nil
	}
	return nil, api.ErrFilter
}

func valueFilter(f *metadatapb.MetadataValueFilter) database.Filter {
	is := metadata.WithValue(f.GetValue())
	if f.GetMethod() == filterpb.ByteFilterMethod_BYTE_FILTER_METHOD_NOT_EQUALS {
		is = database.Not(is)
	}
	return flow.UserByMetadata(is)
}
