package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Given is what a client may have tokens for now: a login, and what it rests on.
type Given struct {
	Standing
	oauth.Grant
	// Scopes are those of the tokens, which may be fewer than those of the login.
	Scopes Scopes
	// Actor is who acts for the user; nil: they do themselves.
	Actor *oauth.Actor
	// family is the id of the family of tokens, refresh the half that its refresh tokens
	// share, and holder who uses the one at hand; all are empty where there is no family
	// yet.
	family, refresh string
	holder          oauth.Holder
}

// CodeUse is how a client uses an authorization code.
type CodeUse struct {
	Code, RedirectURI, Verifier string
	Key                         string // thumbprint of the key that the client holds; empty: none
	Issuer                      string // under which the client is now
}

func (u CodeUse) of(c *Client) oauth.Use {
	return oauth.Use{ClientID: c.ID, RedirectURI: u.RedirectURI, Verifier: u.Verifier, Key: u.Key}
}

// GivenForCode says what a client may have for a code. A code that does not fit is
// void from now on. also are queries that travel along.
func GivenForCode(ctx context.Context, store *eventstore.Store, c *Client, u CodeUse, also ...database.Query) (Given, error) {
	if !user.LooksLikeCode(u.Code) {
		return Given{}, oauth.ErrCode
	}
	var g Given
	var code oauth.Code
	found, instance, hash := false, c.Instance.ID, user.HashToken(u.Code)
	src := source{
		sql: `SELECT c.instance_id, c.client_id, c.user_id, c.user_org, c.user_since, c.session_id, REPLACE(c.document, '"', ' ') AS scopes
			FROM oauth_codes c WHERE c.instance_id = ? AND c.code_hash = ?`,
		args: []any{instance, hash},
	}
	err := store.Read(ctx, append(append(g.queries(src), oauth.CodeByHash(instance, hash, store.Now(), &code, &found)), also...)...)
	if err != nil {
		return g, err
	}
	if !found || code.Admit(u.of(c)) != nil {
		return g, takeCode(ctx, store, c, u, func(*eventstore.Tx, oauth.Code) error { return oauth.ErrCode })
	}
	if err := g.stands(store.Now(), code.Created); err != nil {
		return g, err
	}
	g.Grant, g.Scopes = code.Grant, code.Scopes
	return g, Scopes(code.Scopes).admit(code.UserOrg, g.Org.PrimaryDomain)
}

// Tokens are those that were made for a client, of which only hashes are kept. An ID
// token is not: it gives nothing.
type Tokens struct {
	Access  oauth.Access   // without an id: none
	Refresh *oauth.Refresh // nil: none
}

// RedeemCode makes tokens count that a code gave, once: of those who use a code at
// the same time one succeeds, and then the tokens of that one are void too.
func RedeemCode(ctx context.Context, store *eventstore.Store, c *Client, u CodeUse, t Tokens) error {
	return takeCode(ctx, store, c, u, func(tx *eventstore.Tx, code oauth.Code) error {
		if err := oauth.Begin(tx, c.Instance.ID, code.FamilyID, user.HashToken(u.Code), code.Grant, t.Access, t.Refresh); err != nil {
			return err
		}
		return tellOfLogout(tx, c, u.Issuer, code.SessionID, code.UserID)
	})
}

// takeCode takes a code away and, if it fits, does something with it.
func takeCode(ctx context.Context, store *eventstore.Store, c *Client, u CodeUse, then func(*eventstore.Tx, oauth.Code) error) error {
	var refusal error
	err := store.Write(ctx, func(tx *eventstore.Tx) error {
		var code oauth.Code
		var err error
		code, refusal, err = oauth.TakeCode(tx, c.Instance.ID, user.HashToken(u.Code), u.of(c))
		if err != nil || refusal != nil {
			return err
		}
		return then(tx, code)
	})
	if err == nil {
		err = refusal
	}
	return err
}

// GivenForRefresh says what a client may have for a refresh token, with fewer scopes
// where it names some, and the key with a thumbprint where it holds one. A token that
// was used before, or by another client, ends all that come from the same login.
func GivenForRefresh(ctx context.Context, store *eventstore.Store, c *Client, token, scope, key string, also ...database.Query) (Given, error) {
	half, familyHash, hash, ok := user.SplitRefreshToken(token)
	if !ok {
		return Given{}, oauth.ErrRefresh
	}
	var g Given
	var f oauth.Family
	instance := c.Instance.ID
	src := source{
		sql: `SELECT f.instance_id, f.client_id, f.user_id, f.user_org, f.user_since, f.session_id, f.scopes
			FROM oidc_sessions f WHERE f.instance_id = ? AND f.refresh_family = ?`,
		args: []any{instance, familyHash},
	}
	err := store.Read(ctx, append(append(g.queries(src), oauth.FamilyByRefresh(instance, familyHash, &f)), also...)...)
	if err != nil {
		return g, err
	}
	now, holder := store.Now(), oauth.Holder{ClientID: c.ID, Hash: hash, Key: key}
	if reason, refusal := f.Admit(holder, now); reason != "" {
		err := store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.End(tx, instance, f.ID, reason) })
		if err == nil {
			err = refusal
		}
		return g, err
	} else if refusal != nil {
		return g, refusal
	}
	if err := g.stands(now, f.Created); err != nil {
		return g, err
	}
	g.Grant, g.family, g.refresh, g.holder = f.Grant, f.ID, half, holder
	g.Nonce = "" // It was for the first ID token (OpenID Connect Core, section 12.2).
	if err := Scopes(f.Scopes).admit(f.UserOrg, g.Org.PrimaryDomain); err != nil {
		return g, err
	}
	g.Scopes, err = Scopes(f.Scopes).Narrow(scope)
	return g, err
}

// Renew makes tokens count that take the place of a refresh token.
func Renew(ctx context.Context, store *eventstore.Store, c *Client, g *Given, t Tokens) error {
	var refusal error
	err := store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		refusal, err = oauth.Renew(tx, c.Instance.ID, g.family, g.holder, t.Access, *t.Refresh)
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}

// NewRefresh makes a refresh token for what is given. key is the thumbprint of the
// client's: a client that cannot prove who it is by other means is bound to it (RFC
// 9449, section 5).
func (g *Given) NewRefresh(c *Client, key string) (token string, r *oauth.Refresh) {
	token, _, family, hash := user.NewRefreshToken(g.refresh)
	r = &oauth.Refresh{Family: family, Hash: hash, Lifetime: c.Settings.RefreshTokenExpiration, IdleTime: c.Settings.RefreshTokenIdleExpiration}
	if c.Public() {
		r.Key = key
	}
	return token, r
}

// Creator makes the user of what is given the one on whose behalf the transactions run.
func (g *Given) Creator(ctx context.Context) context.Context {
	return eventstore.WithOrigin(ctx, eventstore.Origin{Creator: g.UserID})
}

// AccessFor is an access token for what is given, kept by its hash and bound to the key
// with a thumbprint; empty: to none.
func (g *Given) AccessFor(id, token, key string, lifetime time.Duration) oauth.Access {
	return oauth.Access{ID: id, Hash: user.HashToken(token), Lifetime: lifetime, Scopes: g.Scopes, API: g.Scopes.Has(ScopeAPI), Key: key}
}

// NewAccessToken makes an access token that says nothing by itself.
func NewAccessToken() string {
	token, _ := user.NewOIDCToken()
	return token
}
