package oidc

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// The grants: RFC 6749, sections 4.1, 4.4 and 6, RFC 7523, section 2.1, RFC 8628,
// section 3.4, and RFC 8693, section 2.1.
const (
	grantCode              = "authorization_code"
	grantRefresh           = "refresh_token"
	grantClientCredentials = "client_credentials"
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // a name
	grantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange          = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// grants are the ways to a token. Each proves by its own means who asks.
var grants = map[string]func(*tokenRequest, context.Context) (*granted, error){
	grantCode:              (*tokenRequest).code,
	grantRefresh:           (*tokenRequest).refresh,
	grantClientCredentials: (*tokenRequest).clientCredentials,
	grantJWTBearer:         (*tokenRequest).assertion,
	grantDevice:            (*tokenRequest).device,
	grantExchange:          (*tokenRequest).exchange,
}

// grantNames are the grants in an order that stays.
var grantNames = []string{grantCode, grantRefresh, grantClientCredentials, grantJWTBearer, grantDevice, grantExchange}

// granted is the answer of RFC 6749, section 5.1.
type granted struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	IssuedType   string `json:"issued_token_type,omitempty"` // of an exchange
}

// tokenRequest is a request for tokens.
type tokenRequest struct {
	*Server
	r      *http.Request
	host   string
	issuer string
	form   url.Values
	// key is the one that the instance signs with; it is read with what the grant reads.
	key webkey.Signing
}

// token answers a request for tokens.
func (s *Server) token(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	call := api.CallOf(ctx)
	q := &tokenRequest{Server: s, r: r, host: call.Host, issuer: s.issuer(call), form: form}
	t, err := q.grant(ctx)
	if err != nil {
		refuseGrant(ctx, w, err)
		return
	}
	reply(w, http.StatusOK, t)
}

func (q *tokenRequest) grant(ctx context.Context) (*granted, error) {
	name := q.form.Get("grant_type")
	if name == "" {
		return nil, fault.Invalid("", "The parameter grant_type is missing.")
	}
	grant, ok := grants[name]
	if !ok {
		return nil, fault.Unimplemented("The grant types are %s.", strings.Join(grantNames, ", "))
	}
	return grant(q, ctx)
}

// client is the application that asks, which proves who it is and may use the grant.
func (q *tokenRequest) client(ctx context.Context, grant int32) (*flow.Client, error) {
	p, err := q.proofOf(q.r, q.issuer, q.form)
	if err != nil {
		return nil, err
	}
	c, err := flow.ProveClient(ctx, q.store, q.host, p)
	if err != nil {
		return nil, err
	}
	if !c.May(grant) {
		return nil, fault.Invalid("OIDC-grant-type", "The application may not use the grant %s.", q.form.Get("grant_type")).With(oauth.UnauthorizedClient)
	}
	return c, nil
}

// required gives parameters of which none may be missing.
func (q *tokenRequest) required(names ...string) ([]string, error) {
	var out []string
	for _, name := range names {
		value := q.form.Get(name)
		if value == "" {
			return nil, fault.Invalid("", "The parameter %s is missing.", name)
		}
		out = append(out, value)
	}
	return out, nil
}

func (q *tokenRequest) code(ctx context.Context) (*granted, error) {
	values, err := q.required("code", "redirect_uri")
	if err != nil {
		return nil, err
	}
	c, err := q.client(ctx, application.GrantCode)
	if err != nil {
		return nil, err
	}
	use := flow.CodeUse{Code: values[0], RedirectURI: values[1], Verifier: q.form.Get("code_verifier"), Issuer: q.issuer}
	return q.redeem(ctx, c, use, use.Code)
}

// redeem gives tokens for a code that a login left. shown is the code as the ID token
// names it; empty: it does not.
func (q *tokenRequest) redeem(ctx context.Context, c *flow.Client, use flow.CodeUse, shown string) (*granted, error) {
	g, err := flow.GivenForCode(ctx, q.store, c, use, q.signing(c))
	if err != nil {
		return nil, err
	}
	t, tokens, err := q.mint(ctx, c, &g, shown)
	if err != nil {
		return nil, err
	}
	return t, flow.RedeemCode(g.Creator(ctx), q.store, c, use, tokens)
}

func (q *tokenRequest) refresh(ctx context.Context) (*granted, error) {
	values, err := q.required("refresh_token")
	if err != nil {
		return nil, err
	}
	c, err := q.client(ctx, application.GrantRefresh)
	if err != nil {
		return nil, err
	}
	g, err := flow.GivenForRefresh(ctx, q.store, c, values[0], q.form.Get("scope"), q.signing(c))
	if err != nil {
		return nil, err
	}
	t, tokens, err := q.mint(ctx, c, &g, "")
	if err != nil {
		return nil, err
	}
	return t, flow.Renew(g.Creator(ctx), q.store, c, &g, tokens)
}

// signing asks for the key that the instance signs with.
func (q *tokenRequest) signing(c *flow.Client) flow.Query {
	return webkey.SigningIn(&q.key, "k.instance_id = ?", c.Instance.ID)
}

// bearer is the type of the tokens, which say themselves who has them: nothing binds
// them to a key of the client's. Where something does, it is to be found out here.
const bearer = "Bearer"

// mint makes the tokens of what is given. Nothing counts yet. code is the one that
// they are for, if it is one.
func (q *tokenRequest) mint(ctx context.Context, c *flow.Client, g *flow.Given, code string) (t *granted, tokens flow.Tokens, err error) {
	now, lifetime := q.store.Now(), c.Settings.AccessTokenLifetime
	t = &granted{TokenType: bearer, ExpiresIn: int64(lifetime / time.Second), Scope: strings.Join(g.Scopes, " ")}
	id := rand.Text()
	if c.WantsJWT() {
		own := q.common(g, now, lifetime)
		own["jti"], own[claimClient], own[claimAudience], own["scope"] = id, c.ID, q.audience(g.Audience, g.Scopes), t.Scope
		if c.Config.AccessTokenRoleAssertion {
			own.assert(&g.Standing, g.Scopes, g.Audience, true)
		}
		t.AccessToken, err = q.signer.Sign(ctx, c.Instance.ID, q.key, typeAccess, own)
	} else {
		t.AccessToken = flow.NewAccessToken()
	}
	if err != nil {
		return nil, tokens, err
	}
	tokens.Access = g.AccessFor(id, t.AccessToken, lifetime)
	if slices.Contains(g.Grant.Scopes, flow.ScopeOfflineAccess) && c.May(application.GrantRefresh) {
		t.RefreshToken, tokens.Refresh = g.NewRefresh(c)
	}
	if g.Scopes.Has(flow.ScopeOpenID) {
		t.IDToken, err = q.signer.Sign(ctx, c.Instance.ID, q.key, typeID, q.idToken(c, g, now, t.AccessToken, code))
	}
	return t, tokens, err
}

// common are the claims that tokens of a login share.
func (q *tokenRequest) common(g *flow.Given, now time.Time, lifetime time.Duration) claims {
	c := claims{"iss": q.issuer, "sub": g.UserID, "iat": now.Unix(), "nbf": now.Unix(), claimExpiry: now.Add(lifetime).Unix()}
	c.list("amr", g.Methods)
	c.unix("auth_time", g.AuthTime)
	c.set("acr", g.ACR)
	c.set("sid", g.SessionID)
	c.act(g.Actor)
	return c
}

// audience is for whom a JWT is; our own API goes by the name of the issuer.
func (q *tokenRequest) audience(list []string, scopes flow.Scopes) []string {
	if scopes.Has(flow.ScopeAPI) {
		list = append(slices.Clone(list), q.issuer)
	}
	return list
}

// idToken are the claims for the client itself.
func (q *tokenRequest) idToken(c *flow.Client, g *flow.Given, now time.Time, access, code string) claims {
	own := q.common(g, now, c.Settings.IDTokenLifetime)
	own[claimAudience], own["azp"], own[claimClient] = []string{c.ID}, c.ID, c.ID
	if access != "" {
		own["at_hash"] = halfHash(q.key.Algorithm(), access)
	}
	if code != "" {
		own["c_hash"] = halfHash(q.key.Algorithm(), code)
		own.set("nonce", g.Nonce)
	}
	if c.Config.IDTokenUserinfoAssertion {
		own.describe(&g.Standing, g.Scopes)
	}
	if c.Config.IDTokenRoleAssertion {
		own.assert(&g.Standing, g.Scopes, g.Audience, true)
	}
	return own
}

// Machine users are clients of their own: they log in with each token.

func (q *tokenRequest) assertion(ctx context.Context) (*granted, error) {
	values, err := q.required("assertion")
	if err != nil {
		return nil, err
	}
	return q.machine(ctx, func(r flow.TokenRequest) (*flow.Machine, error) {
		return flow.ProveByAssertion(ctx, q.store, r, values[0])
	})
}

func (q *tokenRequest) clientCredentials(ctx context.Context) (*granted, error) {
	p, err := q.proofOf(q.r, q.issuer, q.form)
	if err != nil {
		return nil, err
	}
	return q.machine(ctx, func(r flow.TokenRequest) (*flow.Machine, error) {
		return flow.ProveBySecret(ctx, q.store, r, p.ID, p.Secret)
	})
}

func (q *tokenRequest) machine(ctx context.Context, prove func(flow.TokenRequest) (*flow.Machine, error)) (*granted, error) {
	scopes, err := flow.ParseScopes(q.form.Get("scope"))
	if err != nil {
		return nil, err
	}
	m, err := prove(flow.TokenRequest{Host: q.host, Issuer: q.issuer, Scopes: scopes})
	if err != nil {
		return nil, err
	}
	token := ""
	if m.WantsJWT() {
		if token, err = q.machineToken(ctx, m); err != nil {
			return nil, err
		}
	}
	t, err := m.Issue(ctx, q.store, token)
	return &granted{AccessToken: t.Secret, TokenType: bearer, ExpiresIn: int64(t.Lifetime / time.Second), Scope: strings.Join(m.Scopes, " ")}, err
}

// machineToken is the JWT of a machine user who wants one.
func (q *tokenRequest) machineToken(ctx context.Context, m *flow.Machine) (string, error) {
	st, lifetime, err := m.Standing(ctx, q.store, webkey.SigningIn(&q.key, "k.instance_id = ?", m.Instance))
	if err != nil {
		return "", err
	}
	now, audience := q.store.Now(), m.Audience()
	own := claims{
		"iss": q.issuer, "sub": m.UserID, claimClient: m.UserID, "jti": rand.Text(), "iat": now.Unix(), "nbf": now.Unix(), claimExpiry: now.Add(lifetime).Unix(),
		claimAudience: q.audience(audience, m.Scopes), "scope": strings.Join(m.Scopes, " "),
	}
	own.assert(st, m.Scopes, audience, false)
	return q.signer.Sign(ctx, m.Instance, q.key, typeAccess, own)
}
