package api

import (
	"context"

	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

// UserGrant is a user grant as v1 shows it.
func UserGrant(ctx context.Context) func(flow.UserGrant) *userpb.UserGrant {
	return func(g flow.UserGrant) *userpb.UserGrant {
		m := &userpb.UserGrant{
			Id: g.ID, Details: View(g.Details), RoleKeys: RoleKeys(g), State: userpb.UserGrantState(g.State), //nolint:gosec // numbered as on the wire
			UserId: g.UserID, UserName: g.User.UserName, DisplayName: g.User.DisplayName(), PreferredLoginName: g.User.LoginName,
			FirstName: g.User.Human.FirstName, LastName: g.User.Human.LastName, Email: g.User.Human.Email, UserType: UserType(g.User.Kind),
			OrgId: g.Org, OrgName: g.OrgName, OrgDomain: g.OrgDomain, ProjectId: g.ProjectID, ProjectName: g.ProjectName, ProjectGrantId: g.ProjectGrantID,
			AvatarUrl: AssetURL(ctx, g.User.Human.Avatar),
		}
		if g.ProjectGrantID != "" {
			m.GrantedOrgId, m.GrantedOrgName, m.GrantedOrgDomain = g.Org, g.OrgName, g.OrgDomain
		}
		return m
	}
}

// RoleKeys are the keys of the roles of a user grant.
func RoleKeys(g flow.UserGrant) []string {
	return Each(g.Roles, func(r flow.GrantedRole) string { return r.Key })
}

// UserType is the type of users of a kind, as v1 has it.
func UserType(kind string) userpb.Type {
	if kind == user.KindHuman {
		return userpb.Type_TYPE_HUMAN
	}
	return userpb.Type_TYPE_MACHINE
}
