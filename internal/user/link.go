package user

import (
	"context"
	"net/url"
	"slices"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func init() {
	eventstore.DeclareTable("user_idp_links", "instance_id, user_id, idp_id, external_id", "name, created, sequence")
}

// Link is an account of an identity provider with which a human can log in.
type Link struct {
	IDP        string
	ExternalID string // of the account there
	Name       string // of the account there
}

type linkAdded struct {
	IDP        string `json:"idpConfigId"`
	ExternalID string `json:"userId"`
	Name       string `json:"displayName,omitempty"`
}

type linkRemoved struct {
	IDP        string `json:"idpConfigId"`
	ExternalID string `json:"userId"`
}

// claimLink is the claim of an account of a provider: it is one user's of an instance.
const claimLink = "user.externalidp"

func linkClaim(idp, externalID string) string { return url.PathEscape(idp) + "/" + externalID }

// The events of links.
var (
	LinkAdded = eventstore.Declare("user.human.externalidp.added", func(f *eventstore.Fold, e linkAdded) error {
		f.Claim(claimLink, linkClaim(e.IDP, e.ExternalID), errLinkTaken)
		f.Exec("INSERT INTO user_idp_links (instance_id, user_id, idp_id, external_id, name, created, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)",
			f.Instance, f.ID, e.IDP, e.ExternalID, e.Name, f.Micros(), f.Sequence)
		return nil
	})
	LinkRemoved = eventstore.Declare("user.human.externalidp.removed", foldLinkGone)
	// LinkCascaded is the end of a link with its user.
	LinkCascaded = eventstore.Declare("user.human.externalidp.cascade.removed", foldLinkGone)
)

func foldLinkGone(f *eventstore.Fold, e linkRemoved) error {
	f.Release(claimLink, linkClaim(e.IDP, e.ExternalID))
	f.Exec("DELETE FROM user_idp_links WHERE instance_id = ? AND user_id = ? AND idp_id = ? AND external_id = ?", f.Instance, f.ID, e.IDP, e.ExternalID)
	return nil
}

const (
	// maxLinks is the most links of a user.
	maxLinks = 100
	// toLink is the permission that a link takes, also one of the caller's own: who
	// makes it vouches that the account is the user's. Else people could take the
	// accounts of others, and who owns one would log in as somebody else.
	toLink = "user.write"
)

var (
	errLinkTaken   = fault.AlreadyExists("USER-link-taken", "The account of the identity provider is linked to a user already. Remove that link first.")
	errLink        = fault.Invalid("USER-link", "Name an identity provider and the id of the account there.")
	errLinkMissing = fault.NotFound("USER-link-missing", "The user has no such account of an identity provider.")
	errLinkIDP     = fault.Precondition("USER-link-policy", "The login policy of the user's organization does not list this identity provider. Add it there first.")
	errLinks       = fault.Exhausted("USER-links", "A user can have %d accounts of identity providers at most. Remove one first.", maxLinks)
)

// AddLink lets a human log in with an account of a provider that the login policy of
// their organization lists.
func AddLink(tx *eventstore.Tx, r Ref, l Link) (d eventstore.Details, err error) {
	if err := authz.Require(tx.Context(), toLink, r.Org); err != nil {
		return d, err
	}
	if l.IDP == "" || l.ExternalID == "" {
		return d, errLink
	}
	if _, err := lockFactors(tx, r, toLink); err != nil {
		return d, err
	}
	p, err := policy.Login.Resolve(tx.Context(), tx.Reader(), policy.Scope{Instance: r.Instance, Org: r.Org})
	if err != nil {
		return d, err
	}
	links, err := linksOf(tx, r.Instance, r.UserID)
	switch {
	case err != nil:
		return d, err
	case !p.Doc.ListsIDP(l.IDP):
		return d, errLinkIDP
	case len(links[r.UserID]) >= maxLinks:
		return d, errLinks
	}
	return LinkAdded.Emit(tx, r.aggregate(), linkAdded(l))
}

// RemoveLink ends a link. Everybody may remove their own.
func RemoveLink(tx *eventstore.Tx, r Ref, idp, externalID string) (d eventstore.Details, err error) {
	if _, err := lockFactors(tx, r, toRemoveFactor); err != nil {
		return d, err
	}
	links, err := linksOf(tx, r.Instance, r.UserID)
	if err != nil {
		return d, err
	}
	gone := linkRemoved{idp, externalID}
	if !slices.Contains(links[r.UserID], gone) {
		return d, errLinkMissing
	}
	return LinkRemoved.Emit(tx, r.aggregate(), gone)
}

// linksOf gives the links of users who are held.
func linksOf(tx *eventstore.Tx, instance string, userIDs ...string) (map[string][]linkRemoved, error) {
	links := map[string][]linkRemoved{}
	err := tx.Read(database.From("user_id, idp_id, external_id", "user_idp_links").Where("instance_id = ?", instance).In("user_id", userIDs).
		Order("user_id, idp_id, external_id").Rows(func(scan database.Scan) error {
		var id string
		var l linkRemoved
		err := scan(&id, &l.IDP, &l.ExternalID)
		links[id] = append(links[id], l)
		return err
	}))
	return links, err
}

// Links lists the links of a user, in the order of their addition where the page is
// ascending. Who may look at them is as for factors.
func Links(ctx context.Context, store database.Reader, r Ref, p database.Page) (database.Listing[Link], error) {
	found, org := false, ""
	s := database.From("l.idp_id, l.external_id, l.name", "user_idp_links l").Where("l.instance_id = ? AND l.user_id = ?", r.Instance, r.UserID)
	l, err := database.List(ctx, store, s, p, []string{"l.created", "l.idp_id", "l.external_id"}, func(scan database.Scan, l *Link) error {
		return scan(&l.IDP, &l.ExternalID, &l.Name)
	}, func(*database.Select) database.Query {
		return database.One(&found, "SELECT org_id FROM users WHERE instance_id = ? AND user_id = ?", []any{r.Instance, r.UserID}, &org)
	})
	if err == nil {
		err = maySee(ctx, r, org)
	}
	if err != nil {
		return database.Listing[Link]{}, err
	}
	return l, nil
}
