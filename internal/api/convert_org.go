package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	authnpb "github.com/gatehouse/gatehouse/gen/zitadel/authn/v1"
	memberpb "github.com/gatehouse/gatehouse/gen/zitadel/member/v1"
	metadatapb "github.com/gatehouse/gatehouse/gen/zitadel/metadata/v1"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/metadata"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Org is an organization as v1 shows it.
func Org(o org.Org) *orgpb.Org {
	return &orgpb.Org{
		Id: o.ID, Name: o.Name, PrimaryDomain: o.PrimaryDomain,
		State: orgpb.OrgState(o.State), Details: View(o.Details), //nolint:gosec // a small number
	}
}

// OrgColumns are what v1 sorts organizations by.
var OrgColumns = map[orgpb.OrgFieldName]org.Column{
	orgpb.OrgFieldName_ORG_FIELD_NAME_UNSPECIFIED: org.SortCreated,
	orgpb.OrgFieldName_ORG_FIELD_NAME_NAME:        org.SortName,
}

// OrgFilter is a filter of v1 for organizations.
func OrgFilter(instance string) func(*orgpb.OrgQuery) (database.Filter, error) {
	return func(q *orgpb.OrgQuery) (database.Filter, error) {
		switch f := q.GetQuery().(type) {
		case *orgpb.OrgQuery_NameQuery:
			return org.ByName(database.TextMethod(f.NameQuery.GetMethod()), f.NameQuery.GetName()), nil
		case *orgpb.OrgQuery_DomainQuery:
			return org.WithDomain(instance, database.TextMethod(f.DomainQuery.GetMethod()), f.DomainQuery.GetDomain()), nil
		case *orgpb.OrgQuery_StateQuery:
			return org.ByState(int(f.StateQuery.GetState())), nil
		case *orgpb.OrgQuery_IdQuery:
			return org.WithID(f.IdQuery.GetId()), nil
		}
		return nil, ErrFilter
	}
}

// OrgDomain is a domain of an organization as v1 shows it.
func OrgDomain(d org.Domain) *orgpb.Domain {
	return &orgpb.Domain{
		OrgId: d.OrgID, DomainName: d.Name, IsVerified: d.Verified, IsPrimary: d.Primary,
		ValidationType: orgpb.DomainValidationType(d.Validation), Details: View(d.Details), //nolint:gosec // a small number
	}
}

// OrgDomainFilter is a filter of v1 for domains of an organization.
func OrgDomainFilter(q *orgpb.DomainSearchQuery) (database.Filter, error) {
	if f, ok := q.GetQuery().(*orgpb.DomainSearchQuery_DomainNameQuery); ok {
		return org.DomainByName(database.TextMethod(f.DomainNameQuery.GetMethod()), f.DomainNameQuery.GetName()), nil
	}
	return nil, ErrFilter
}

// Metadata is a key and its value as v1 shows it.
func Metadata(e metadata.Entry) *metadatapb.Metadata {
	return &metadatapb.Metadata{Key: e.Key, Value: e.Value, Details: View(e.Details)}
}

// MetadataFilter is a filter of v1 for metadata.
func MetadataFilter(q *metadatapb.MetadataQuery) (database.Filter, error) {
	if f, ok := q.GetQuery().(*metadatapb.MetadataQuery_KeyQuery); ok {
		return metadata.ByKey(database.TextMethod(f.KeyQuery.GetMethod()), f.KeyQuery.GetKey()), nil
	}
	return nil, ErrFilter
}

// Entries makes entries of the keys and values of a request.
func Entries[E interface {
	GetKey() string
	GetValue() []byte
}](in []E,
) []metadata.Entry {
	return Each(in, func(e E) metadata.Entry { return metadata.Entry{Key: e.GetKey(), Value: e.GetValue()} })
}

// Member is a member as v1 shows it.
func Member(ctx context.Context) func(flow.Member) *memberpb.Member {
	return func(m flow.Member) *memberpb.Member {
		return &memberpb.Member{
			UserId: m.ID, Roles: m.Roles, PreferredLoginName: m.LoginName, DisplayName: m.DisplayName(),
			UserType: UserType(m.Kind), UserResourceOwner: m.OrgID, Details: View(m.Details),
			Email: m.Human.Email, FirstName: m.Human.FirstName, LastName: m.Human.LastName, AvatarUrl: AssetURL(ctx, m.Human.Avatar),
		}
	}
}

// MemberColumns are what v1 sorts members by.
var MemberColumns = map[memberpb.MemberFieldColumnName]string{
	memberpb.MemberFieldColumnName_MEMBER_FIELD_NAME_UNSPECIFIED:         flow.SortMemberCreated,
	memberpb.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_ID:             flow.SortMemberUser,
	memberpb.MemberFieldColumnName_MEMBER_FIELD_NAME_CREATION_DATE:       flow.SortMemberCreated,
	memberpb.MemberFieldColumnName_MEMBER_FIELD_NAME_CHANGE_DATE:         flow.SortMemberChanged,
	memberpb.MemberFieldColumnName_MEMBER_FIELD_NAME_USER_RESOURCE_OWNER: flow.SortMemberOrg,
}

// MemberFilter is a filter of v1 for members.
func MemberFilter(q *memberpb.SearchQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *memberpb.SearchQuery_UserIdQuery:
		return flow.MemberWithID(f.UserIdQuery.GetUserId()), nil
	case *memberpb.SearchQuery_FirstNameQuery:
		return flow.MemberByFirstName(database.TextMethod(f.FirstNameQuery.GetMethod()), f.FirstNameQuery.GetFirstName()), nil
	case *memberpb.SearchQuery_LastNameQuery:
		return flow.MemberByLastName(database.TextMethod(f.LastNameQuery.GetMethod()), f.LastNameQuery.GetLastName()), nil
	case *memberpb.SearchQuery_EmailQuery:
		return flow.MemberByEmail(database.TextMethod(f.EmailQuery.GetMethod()), f.EmailQuery.GetEmail()), nil
	}
	return nil, ErrFilter
}

// Membership is a membership as v1 shows it to its user.
func Membership(m flow.Membership) *userpb.Membership {
	out := &userpb.Membership{UserId: m.UserID, Roles: m.Roles, DisplayName: m.Title, Details: View(m.Details)}
	switch m.Kind() {
	case member.OfInstance:
		out.Type = &userpb.Membership_Iam{Iam: true}
	case member.OfOrg:
		out.Type = &userpb.Membership_OrgId{OrgId: m.Org}
	case member.OfProject:
		out.Type = &userpb.Membership_ProjectId{ProjectId: m.Project}
	case member.OfGrant:
		out.Type = &userpb.Membership_ProjectGrantId{ProjectGrantId: m.Grant}
	}
	return out
}

// MembershipFilter is a filter of v1 for memberships.
func MembershipFilter(q *userpb.MembershipQuery) (database.Filter, error) {
	switch f := q.GetQuery().(type) {
	case *userpb.MembershipQuery_OrgQuery:
		return flow.MembershipIn("org", f.OrgQuery.GetOrgId()), nil
	case *userpb.MembershipQuery_ProjectQuery:
		return flow.MembershipIn("project", f.ProjectQuery.GetProjectId()), nil
	case *userpb.MembershipQuery_ProjectGrantQuery:
		return flow.MembershipIn("project_grant", f.ProjectGrantQuery.GetProjectGrantId()), nil
	case *userpb.MembershipQuery_IamQuery:
		return flow.MembershipOfInstance(f.IamQuery.GetIam()), nil
	}
	return nil, ErrFilter
}

// User is a user as v1 shows it.
func User(ctx context.Context) func(flow.User) *userpb.User {
	return func(u flow.User) *userpb.User {
		out := &userpb.User{
			Id: u.ID, State: UserStateV1(u.State), UserName: u.UserName, LoginNames: u.LoginNames, PreferredLoginName: u.LoginName,
			Details: View(u.Details),
		}
		if u.IsHuman() {
			out.Type = &userpb.User_Human{Human: human(ctx, u.Human)}
		} else {
			out.Type = &userpb.User_Machine{Machine: &userpb.Machine{
				Name: u.Name, Description: u.Description, HasSecret: u.HasSecret, AccessTokenType: userpb.AccessTokenType(u.AccessTokenType),
			}}
		}
		return out
	}
}

// forever is the date that stands for "never" on the wire.
var forever = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ExpirationDate is the end of something on the wire.
func ExpirationDate(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		t = forever
	}
	return timestamppb.New(t)
}

// Expiration is a requested end; none and "never" are the zero time.
func Expiration(t *timestamppb.Timestamp) time.Time {
	if t == nil || !t.AsTime().Before(forever) {
		return time.Time{}
	}
	return t.AsTime()
}

// PAT is a personal access token as v1 shows it.
func PAT(c user.Credential) *userpb.PersonalAccessToken {
	return &userpb.PersonalAccessToken{Id: c.ID, ExpirationDate: ExpirationDate(c.Expires), Scopes: c.Scopes, Details: View(c.Details)}
}

// Key is a machine user's key as v1 shows it.
func Key(c user.Credential) *authnpb.Key {
	return &authnpb.Key{Id: c.ID, Type: authnpb.KeyType(c.Kind), ExpirationDate: ExpirationDate(c.Expires), Details: View(c.Details)} //nolint:gosec // a small number
}
