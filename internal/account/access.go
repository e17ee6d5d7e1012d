package account

import (
	"cmp"
	"net/url"
	"strings"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	idppb "github.com/gatehouse/gatehouse/gen/zitadel/idp/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
)

func accessPages() []page {
	return []page{
		{path: "access", get: showAccess},
		question{path: "access/links/remove/{idp}/{id}", name: "remove-link", about: linkName, to: "access", done: "removed", do: func(v *visit) error {
			return v.do(&authpb.RemoveMyLinkedIDPRequest{IdpId: v.R.PathValue("idp"), LinkedUserId: v.R.PathValue("id")})
		}}.pages(),
	}
}

// accessPage is what the page shows.
type accessPage struct {
	Grants  []grant
	Members []grant
	Links   []link
}

// grant is what somebody may do somewhere.
type grant struct {
	Where, Kind, Roles string
	Active             bool
}

// link is an account elsewhere that lets somebody in.
type link struct{ Provider, Name, Remove string }

// maxRows is how many rows a table of the page shows.
const maxRows = 500

// everything asks for as many as a table shows.
func everything() *objectpb.ListQuery { return &objectpb.ListQuery{Limit: maxRows, Asc: true} }

// showAccess shows what the visitor may do, and which accounts elsewhere let them in.
func showAccess(v *visit) error {
	grants, err := call[*authpb.ListMyUserGrantsResponse](v, &authpb.ListMyUserGrantsRequest{Query: everything()})
	if err != nil {
		return err
	}
	p := accessPage{}
	for _, g := range grants.GetResult() {
		p.Grants = append(p.Grants, grant{
			Where: g.GetProjectName(), Kind: g.GetOrgName(), Roles: strings.Join(g.GetRoleKeys(), ", "),
			Active: g.GetState() == userpb.UserGrantState_USER_GRANT_STATE_ACTIVE,
		})
	}
	members, err := call[*authpb.ListMyMembershipsResponse](v, &authpb.ListMyMembershipsRequest{Query: everything()})
	if err != nil {
		return err
	}
	for _, m := range members.GetResult() {
		p.Members = append(p.Members, v.memberOf(m))
	}
	links, err := v.links()
	if err != nil {
		return err
	}
	for _, l := range links {
		p.Links = append(p.Links, link{providerName(l), l.GetProvidedUserName(), prefix + "access/links/remove/" + url.PathEscape(l.GetIdpId()) + "/" + url.PathEscape(l.GetProvidedUserId())})
	}
	return v.show("access", v.Texts.T("nav-access"), p)
}

func (v *visit) memberOf(m *userpb.Membership) grant {
	out := grant{Where: m.GetDisplayName(), Roles: strings.Join(m.GetRoles(), ", "), Active: true}
	switch m.GetType().(type) {
	case *userpb.Membership_Iam:
		out.Kind = v.Texts.T("member-instance")
	case *userpb.Membership_OrgId:
		out.Kind = v.Texts.T("member-org")
	case *userpb.Membership_ProjectId:
		out.Kind = v.Texts.T("member-project")
	case *userpb.Membership_ProjectGrantId:
		out.Kind = v.Texts.T("member-grant")
	}
	return out
}

// links asks for the visitor's accounts elsewhere.
func (v *visit) links() ([]*idppb.IDPUserLink, error) {
	res, err := call[*authpb.ListMyLinkedIDPsResponse](v, &authpb.ListMyLinkedIDPsRequest{Query: everything()})
	return res.GetResult(), err
}

// providerName is how the place of an account elsewhere is called, or its id.
func providerName(l *idppb.IDPUserLink) string { return cmp.Or(l.GetIdpName(), l.GetIdpId()) }

// linkName is how the account elsewhere is called that the page is about, which is one of
// the visitor's.
func linkName(v *visit) (string, error) {
	links, err := v.links()
	if err != nil {
		return "", err
	}
	for _, l := range links {
		if l.GetIdpId() == v.R.PathValue("idp") && l.GetProvidedUserId() == v.R.PathValue("id") {
			return providerName(l) + " · " + l.GetProvidedUserName(), nil
		}
	}
	return "", errNoPage
}
