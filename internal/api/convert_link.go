package api

import (
	idppb "github.com/gatehouse/gatehouse/gen/zitadel/idp/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/user"
)

// LinkV2 is an account of an identity provider that a request names.
func LinkV2(l *userv2.IDPLink) user.Link {
	return user.Link{IDP: l.GetIdpId(), ExternalID: l.GetUserId(), Name: l.GetUserName()}
}

// ShownLinkV2 is an account of an identity provider as version 2 shows it.
func ShownLinkV2(l user.Link) *userv2.IDPLink {
	return &userv2.IDPLink{IdpId: l.IDP, UserId: l.ExternalID, UserName: l.Name}
}

// Links are accounts of identity providers of a user as version 1 shows them.
func Links(userID string, links []user.Link) []*idppb.IDPUserLink {
	return Each(links, func(l user.Link) *idppb.IDPUserLink {
		return &idppb.IDPUserLink{UserId: userID, IdpId: l.IDP, ProvidedUserId: l.ExternalID, ProvidedUserName: l.Name}
	})
}
