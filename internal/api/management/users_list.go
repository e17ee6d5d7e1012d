package management

import (
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/flow"
)

var userColumns = map[userpb.UserFieldName]string{
	userpb.UserFieldName_USER_FIELD_NAME_UNSPECIFIED:   flow.SortUserCreated,
	userpb.UserFieldName_USER_FIELD_NAME_USER_NAME:     flow.SortUserName,
	userpb.UserFieldName_USER_FIELD_NAME_DISPLAY_NAME:  flow.SortUserDisplay,
	userpb.UserFieldName_USER_FIELD_NAME_FIRST_NAME:    flow.SortUserFirst,
	userpb.UserFieldName_USER_FIELD_NAME_LAST_NAME:     flow.SortUserLast,
	userpb.UserFieldName_USER_FIELD_NAME_NICK_NAME:     flow.SortUserNick,
	userpb.UserFieldName_USER_FIELD_NAME_EMAIL:         flow.SortUserEmail,
	userpb.UserFieldName_USER_FIELD_NAME_STATE:         flow.SortUserState,
	userpb.UserFieldName_USER_FIELD_NAME_TYPE:          flow.SortUserKind,
	userpb.UserFieldName_USER_FIELD_NAME_CREATION_DATE: flow.SortUserCreated,
}

func userGroup(q *userpb.SearchQuery) (g api.Group[*userpb.SearchQuery]) {
	switch f := q.GetQuery().(type) {
	case *userpb.SearchQuery_AndQuery:
		g = api.Every(f.AndQuery.GetQueries())
	case *userpb.SearchQuery_OrQuery:
		g = api.Some(f.OrQuery.GetQueries())
	case *userpb.SearchQuery_NotQuery:
		g = api.None(f.NotQuery.GetQuery())
	}
	return g
}

func userFilter(q *userpb.SearchQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *userpb.SearchQuery_UserNameQuery:
		return flow.UserByName(database.TextMethod(f.UserNameQuery.GetMethod()), f.UserNameQuery.GetUserName()), nil
	case *userpb.SearchQuery_DisplayNameQuery:
		return flow.UserByTitle(database.TextMethod(f.DisplayNameQuery.GetMethod()), f.DisplayNameQuery.GetDisplayName()), nil
	case *userpb.SearchQuery_LoginNameQuery:
		return flow.UserByLogin(database.TextMethod(f.LoginNameQuery.GetMethod()), f.LoginNameQuery.GetLoginName()), nil
	case *userpb.SearchQuery_StateQuery:
		return flow.UserInState(api.UserState(f.StateQuery.GetState())), nil
	case *userpb.SearchQuery_TypeQuery:
		return flow.UserOfKind(api.UserKind(f.TypeQuery.GetType())), nil
	case *userpb.SearchQuery_InUserIdsQuery:
		return api.InIDs(flow.UserWithID, f.InUserIdsQuery.GetUserIds())
	}
	return personFilter(q)
}

// personFilter is a condition on what only humans have.
func personFilter(q *userpb.SearchQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *userpb.SearchQuery_FirstNameQuery:
		return flow.UserByFirst(database.TextMethod(f.FirstNameQuery.GetMethod()), f.FirstNameQuery.GetFirstName()), nil
	case *userpb.SearchQuery_LastNameQuery:
		return flow.UserByLast(database.TextMethod(f.LastNameQuery.GetMethod()), f.LastNameQuery.GetLastName()), nil
	case *userpb.SearchQuery_NickNameQuery:
		return flow.UserByNick(database.TextMethod(f.NickNameQuery.GetMethod()), f.NickNameQuery.GetNickName()), nil
	case *userpb.SearchQuery_EmailQuery:
		return flow.UserByEmail(database.TextMethod(f.EmailQuery.GetMethod()), f.EmailQuery.GetEmailAddress()), nil
	case *userpb.SearchQuery_InUserEmailsQuery:
		return api.InIDs(flow.UserWithEmail, f.InUserEmailsQuery.GetUserEmails())
	}
	return nil, api.ErrFilter
}
