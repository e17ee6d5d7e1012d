package oidc

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// requestable are the types of tokens that an exchange can give (RFC 8693, section 3).
var requestable = []string{flow.ShownAccess, flow.ShownJWT, flow.ShownID}

var (
	errRequested = fault.Invalid("OIDC-exchange-requested", "The requested_token_type must be one of %s.", strings.Join(requestable, ", "))
	errActorType = fault.Invalid("OIDC-exchange-actor-type", "Send an actor_token together with its actor_token_type, or neither.")
	errResource  = fault.Invalid("OIDC-exchange-resource", "The parameter resource is not supported: name the audience.").With(oauth.ErrorCode("invalid_target"))
)

// exchange gives a token for others: with less in it, for another audience, or with
// which somebody acts for somebody else (RFC 8693).
func (q *tokenRequest) exchange(ctx context.Context) (*granted, error) {
	subject, err := q.required("subject_token", "subject_token_type")
	if err != nil {
		return nil, err
	}
	wanted := cmp.Or(q.form.Get("requested_token_type"), flow.ShownAccess)
	switch {
	case !slices.Contains(requestable, wanted):
		return nil, errRequested
	case (q.form.Get("actor_token") == "") != (q.form.Get("actor_token_type") == ""):
		return nil, errActorType
	case q.form.Has("resource"):
		return nil, errResource
	}
	c, err := q.client(ctx, application.GrantTokenExchange)
	if err != nil {
		return nil, err
	}
	r := flow.ExchangeRequest{Host: q.host, Issuer: q.issuer, Scope: q.form.Get("scope"), Audience: q.form["audience"], Roles: q.roles, Key: q.proof.Thumbprint}
	if r.Subject, err = q.shown(ctx, c, subject[1], subject[0]); err != nil {
		return nil, err
	}
	if r.Actor, err = q.shown(ctx, c, q.form.Get("actor_token_type"), q.form.Get("actor_token")); err != nil {
		return nil, err
	}
	x, err := c.Exchange(ctx, q.store, r, q.signing(c))
	if err != nil {
		return nil, err
	}
	return q.exchanged(ctx, c, x, wanted)
}

// shown is a token that is shown. What an ID token says counts for what it is only if one
// of the issuer's keys signed it.
func (q *tokenRequest) shown(ctx context.Context, c *flow.Client, kind, token string) (flow.Shown, error) {
	out := flow.Shown{Type: kind, Token: token}
	if kind != flow.ShownID {
		return out, nil
	}
	var keys webkey.Published
	if err := q.store.Read(ctx, webkey.PublishedIn(&keys, "k.instance_id = ?", c.Instance.ID)); err != nil {
		return out, err
	}
	h, err := readHint(token, q.issuer, &keys)
	if err != nil || h.Expiry == nil { // It stands for nobody.
		return out, nil //nolint:nilerr // as any other token that is of no use
	}
	out.ID = flow.IDToken{Client: h.Client, UserID: h.Subject, SessionID: h.SessionID, Expires: h.Expiry.Time(), Acted: h.Actor != nil}
	return out, nil
}

// exchanged makes the token that the client wants. It ends when the first of those ends
// that it is for.
func (q *tokenRequest) exchanged(ctx context.Context, c *flow.Client, x *flow.Exchanged, wanted string) (*granted, error) {
	now := q.store.Now()
	if !x.Expires.IsZero() {
		left := x.Expires.Sub(now)
		c.Settings.AccessTokenLifetime, c.Settings.IDTokenLifetime = min(c.Settings.AccessTokenLifetime, left), min(c.Settings.IDTokenLifetime, left)
	}
	if wanted == flow.ShownID {
		t := &granted{TokenType: "N_A", IssuedType: wanted, ExpiresIn: int64(c.Settings.IDTokenLifetime / time.Second), Scope: strings.Join(x.Scopes, " ")}
		var err error
		if t.AccessToken, err = q.signer.Sign(ctx, c.Instance.ID, q.key, typeID, q.idToken(c, &x.Given, now, "", "")); err != nil {
			return nil, err
		}
		return t, x.Issue(ctx, q.store, c, flow.Tokens{})
	}
	if wanted == flow.ShownJWT {
		c.GiveJWTs()
	}
	t, tokens, err := q.mint(ctx, c, &x.Given, "")
	if err != nil {
		return nil, err
	}
	t.IssuedType = wanted
	return t, x.Issue(ctx, q.store, c, tokens)
}
