package flow

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Bearer is who has an access token, and everything that the token rests on.
type Bearer struct {
	Standing
	Instance Instance
	// Family is the login that the token comes from; without an id for machine users,
	// who log in with each token.
	Family          oauth.Family
	TokenID         string
	Key             string // thumbprint of the key that the token is bound to; empty: none
	ClientID        string // a machine user is its own client
	Scopes          Scopes
	Audience        []string
	Issued, Expires time.Time // Expires zero: never
}

// ErrInactive says that a token is worth nothing, and not why.
var ErrInactive = fault.Unauthenticated("OIDC-token", "The token is unknown, has expired or was revoked, or what it rests on does not stand any more.")

// ofInstance is the instance of a host.
const ofInstance = "(SELECT d.instance_id FROM instance_domains d WHERE d.domain = ?)"

// The tokens of logins and those of machine users, as sources, and their own rows.
const (
	loginTokenFrom = ` FROM oidc_access_tokens t JOIN oidc_sessions f ON f.instance_id = t.instance_id AND f.family_id = t.family_id
		WHERE t.instance_id = ` + ofInstance + " AND t.token_hash = ?"
	loginTokenSQL = "SELECT f.instance_id, f.client_id, f.user_id, f.user_org, f.user_since, f.session_id, t.scopes" + loginTokenFrom

	machineTokenFrom = ` FROM access_tokens t JOIN users mu ON mu.instance_id = t.instance_id AND mu.user_id = t.user_id
		WHERE t.instance_id = ` + ofInstance + " AND t.token_hash = ?"
	machineTokenSQL = "SELECT t.instance_id, '' AS client_id, t.user_id, mu.org_id AS user_org, mu.created AS user_since, '' AS session_id, t.scopes" + machineTokenFrom
)

// FindBearer says who has an access token, if the token and all that it rests on
// stand now. It is one round trip, and another one for a token that was exchanged.
func FindBearer(ctx context.Context, store *eventstore.Store, host, token string) (*Bearer, error) {
	b := &Bearer{}
	var s site
	var settings policy.OIDCSettings
	args := []any{hostname.Canonical(host), user.HashToken(token)}
	queries := []database.Query{{
		SQL: "SELECT " + siteColumns + siteFrom + " WHERE d.domain = ?", Args: args[:1], Row: func(scan database.Scan) error { return scan(s.dest(&b.Instance)...) },
	}}
	const own = "SELECT t.token_id, t.scopes, t.created, t.expires, t.key_thumbprint, "
	if kind := kindOf(token); kind == loginToken {
		queries = append(queries, database.Query{SQL: own + oauth.FamilyColumns + loginTokenFrom, Args: args, Row: b.readLogin})
		queries = append(queries, b.queries(source{loginTokenSQL, args})...)
	} else if kind == machineToken {
		queries = append(queries, database.Query{SQL: own + "t.user_id" + machineTokenFrom, Args: args, Row: b.readMachine})
		queries = append(queries, b.queries(source{machineTokenSQL, args})...)
	}
	err := store.Read(ctx, queries...)
	now := store.Now()
	if err == nil {
		err = s.done(&b.Instance, &settings, now)
	}
	switch {
	case err != nil:
		return nil, err
	case b.TokenID == "", !b.Expires.IsZero() && !now.Before(b.Expires):
		return nil, ErrInactive
	}
	if err = b.stands(now, b.began()); err == nil {
		err = restsOn(ctx, store, b.Instance.ID, b.Family.Exchange)
	}
	if err != nil {
		return nil, inactive(err)
	}
	return b, nil
}

// inactive is ErrInactive for a refusal, and the error itself where there is another one.
func inactive(err error) error {
	if fault.KindOf(err) == fault.KindFailedPrecondition {
		return ErrInactive.Because(err)
	}
	return err
}

// began is when the login was that the token comes from.
func (b *Bearer) began() time.Time {
	if b.Family.ID == "" {
		return b.Issued
	}
	return b.Family.LoggedIn()
}

// IsLogin reports whether the token comes from somebody's login at a client.
func (b *Bearer) IsLogin() bool { return b.Family.ID != "" }

// AllowsOrigin reports whether pages of an origin are of the application that the token
// was given to.
func (b *Bearer) AllowsOrigin(origin string) bool { return b.app.Config.AllowsOrigin(origin) }

// For reports whether the token is for a client.
func (b *Bearer) For(c *Client) bool {
	return c.ID != "" && (slices.Contains(b.Audience, c.ID) || slices.Contains(b.Audience, c.project.id))
}

func (b *Bearer) readLogin(scan database.Scan) error {
	err := b.Family.Read(b.row(scan))
	b.ClientID, b.Audience = b.Family.ClientID, b.Family.Audience
	return err
}

func (b *Bearer) readMachine(scan database.Scan) error {
	err := b.row(scan)(&b.ClientID)
	b.Audience = b.Scopes.projects()
	return err
}

// row reads what the rows of both kinds begin with, and then what follows.
func (b *Bearer) row(scan database.Scan) database.Scan {
	return func(dest ...any) error {
		var scopes string
		var created, expires int64
		err := scan(append([]any{&b.TokenID, &scopes, &created, &expires, &b.Key}, dest...)...)
		b.Scopes, b.Issued, b.Expires = strings.Fields(scopes), since(created), since(expires)
		return err
	}
}

// tokenKind says in which table a token is.
type tokenKind uint8

// The kinds of tokens, as far as their form tells.
const (
	noToken      tokenKind = iota
	loginToken             // of a client, from somebody's login
	sessionToken           // of a session itself, which it names
	unnamedToken           // of a session that it does not name
	machineToken           // of a machine user, or a personal one
)

// ownTokens are the access tokens of a host's instance with one hash that are for our
// own API, while their clients are active.
const ownTokens = "" +
	`(SELECT lt.instance_id, lt.expires, lt.key_thumbprint, lf.user_id, lf.session_id, lf.exchange FROM oidc_access_tokens lt
	JOIN oidc_sessions lf ON lf.instance_id = lt.instance_id AND lf.family_id = lt.family_id
	JOIN users lu ON lu.instance_id = lf.instance_id AND lu.user_id = lf.user_id AND lu.org_id = lf.user_org AND lu.created = lf.user_since
	JOIN applications la ON la.instance_id = lf.instance_id AND la.client_id = lf.client_id AND la.client_id <> '' AND la.state = 1
	JOIN projects lp ON lp.instance_id = la.instance_id AND lp.project_id = la.project_id AND lp.state = 1
	JOIN orgs lo ON lo.instance_id = lp.instance_id AND lo.org_id = lp.org_id AND lo.state = 1
	WHERE lt.instance_id = ` + ofInstance + ` AND lt.token_hash = ? AND lt.api = 1)`

// kindOf says which table knows a token. A JWT is looked for like any other token,
// by what it is letter by letter: what it says about itself only says where.
func kindOf(token string) tokenKind {
	switch {
	case user.LooksLikeOIDCToken(token):
		return loginToken
	case user.LooksLikeSessionToken(token) && user.SessionOfToken(token) == "":
		return unnamedToken
	case user.LooksLikeSessionToken(token):
		return sessionToken
	case user.LooksLikeToken(token):
		return machineToken
	case !looksLikeJWT(token):
		return noToken
	}
	var named struct {
		Subject string `json:"sub"`
		Client  string `json:"client_id"`
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || json.Unmarshal(payload, &named) != nil || named.Client == "" {
		return noToken
	}
	if named.Client == named.Subject {
		return machineToken
	}
	return loginToken
}

var errOthersToken = fault.Denied("OIDC-revoke-client", "The token was given to another client.").With(oauth.UnauthorizedClient)

// given is how Revoke finds out whose a token is: its id, its family and its client, of
// which the last two are empty for a machine user's.
var given = map[tokenKind]string{ //nolint:gosec // names of columns
	loginToken: `SELECT t.token_id, t.family_id, f.client_id FROM oidc_access_tokens t
		JOIN oidc_sessions f ON f.instance_id = t.instance_id AND f.family_id = t.family_id WHERE t.instance_id = ? AND t.token_hash = ?`,
	machineToken: "SELECT t.token_id, '', '' FROM access_tokens t WHERE t.instance_id = ? AND t.token_hash = ?",
}

// Revoke ends a token of a client: with a refresh token all that come from the same
// login. A token that does not exist, or no longer, is fine.
func Revoke(ctx context.Context, store *eventstore.Store, c *Client, token string) error {
	if _, hash, _, ok := user.SplitRefreshToken(token); ok {
		return revokeFamily(ctx, store, c, hash)
	}
	sql, ok := given[kindOf(token)]
	if !ok {
		return nil
	}
	var id, family, client string
	found := false
	err := store.Read(ctx, database.One(&found, sql, []any{c.Instance.ID, user.HashToken(token)}, &id, &family, &client))
	switch {
	case err != nil || !found:
		return err
	case client != c.ID:
		return errOthersToken
	}
	return store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.EndAccess(tx, c.Instance.ID, family, id) })
}

func revokeFamily(ctx context.Context, store *eventstore.Store, c *Client, hash string) error {
	var f oauth.Family
	if err := store.Read(ctx, oauth.FamilyByRefresh(c.Instance.ID, hash, &f)); err != nil || f.ID == "" {
		return err
	}
	if f.ClientID != c.ID {
		return errOthersToken
	}
	return store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.End(tx, c.Instance.ID, f.ID, oauth.ReasonRevoked) })
}
