package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

var errUnproven = fault.Invalid("OIDC-introspect-client", "Introspection is for applications that prove who they are: with a secret, or with a signed assertion.")

// introspect says to an application what a token is worth that somebody showed to it
// (RFC 7662). Of a token that is not for the application it says nothing.
func (s *Server) introspect(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	call := api.CallOf(ctx)
	c, err := s.proven(ctx, r, form.Get("token"), form)
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	b, err := flow.FindBearer(ctx, s.store, call.Host, form.Get("token"))
	switch {
	case errors.Is(err, flow.ErrInactive), err == nil && !b.For(c):
		reply(w, http.StatusOK, claims{"active": false})
	case err != nil:
		refuse(ctx, w, err)
	default:
		readable(w, r, c.Config.AllowsOrigin)
		reply(w, http.StatusOK, active(b, s.issuer(call)))
	}
}

// active is what is said about a token that counts.
func active(b *flow.Bearer, issuer string) claims {
	c := claims{
		"active": true, "iss": issuer, "sub": b.Person.ID, claimClient: b.ClientID, "jti": b.TokenID, "token_type": flow.TokenType(b.Key), "scope": strings.Join(b.Scopes, " "),
		"username": b.Person.LoginName, claimAudience: b.Audience,
	}
	c.confirm(b.Key)
	c.unix("iat", b.Issued)
	c.unix("nbf", b.Issued)
	c.unix(claimExpiry, b.Expires)
	if b.IsLogin() {
		c.unix("auth_time", b.Family.AuthTime)
		c.list("amr", b.Family.Methods)
		c.set("acr", b.Family.ACR)
		c.set("sid", b.Family.SessionID)
		c.act(b.Actor())
	}
	c.describe(&b.Standing, b.Scopes)
	c.assert(&b.Standing, b.Scopes, b.Audience, false)
	return c
}

var errNoToken = fault.Invalid("", "The parameter token is missing.")

// proven is the application that asks about a token or ends one.
func (s *Server) proven(ctx context.Context, r *http.Request, token string, form url.Values) (*flow.Client, error) {
	if token == "" {
		return nil, errNoToken
	}
	call := api.CallOf(ctx)
	p, err := s.proofOf(r, s.issuer(call), form)
	if err != nil {
		return nil, err
	}
	if p.Method == application.AuthNone && (r.URL.Path == pathIntrospect || p.ID == "") {
		return nil, errUnproven
	}
	return flow.ProveClient(ctx, s.store, call.Host, p)
}

// revoke ends a token that a client does not need any more (RFC 7009).
func (s *Server) revoke(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	c, err := s.proven(ctx, r, form.Get("token"), form)
	if err == nil {
		err = flow.Revoke(ctx, s.store, c, form.Get("token"))
	}
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	readable(w, r, c.Config.AllowsOrigin)
	w.WriteHeader(http.StatusOK)
}

// challenge is what who shows no token, or one that is bound to no key, is told.
const challenge = `Bearer realm="gatehouse"`

var errNoScope = fault.Denied("OIDC-userinfo-scope", "The token was not given for the scope openid.").With(oauth.ErrorCode("insufficient_scope"))

// userinfo tells who has a token what its scopes tell about the user.
func (s *Server) userinfo(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	token, bound, err := tokenOf(w, r)
	if err == nil && token == "" {
		w.Header().Set("WWW-Authenticate", challenge)
		w.Header().Add("WWW-Authenticate", api.DPoPChallenge(""))
		reply(w, http.StatusUnauthorized, failure{Code: string(oauth.InvalidToken), Text: "This endpoint needs an access token."})
		return
	}
	var b *flow.Bearer
	if err == nil {
		b, err = s.bearerOf(ctx, token, bound)
	}
	if err == nil && !b.Scopes.Has(flow.ScopeOpenID) {
		err = errNoScope
	}
	if err != nil {
		refuseBearer(ctx, w, err)
		return
	}
	c := claims{"sub": b.Person.ID}
	c.describe(&b.Standing, b.Scopes)
	c.assert(&b.Standing, b.Scopes, b.Audience, false)
	readable(w, r, b.AllowsOrigin)
	reply(w, http.StatusOK, c)
}

// bearerOf finds who has a token. One that is bound to a key must come as such, with a
// proof of that key.
func (s *Server) bearerOf(ctx context.Context, token string, bound bool) (b *flow.Bearer, err error) {
	call := api.CallOf(ctx)
	var proof crypto.Proof
	if bound {
		proof, err = call.Sender(s.external).Prove(token, s.store.Now())
	}
	if err == nil {
		b, err = flow.FindBearer(ctx, s.store, call.Host, token)
	}
	if err == nil {
		err = b.ShownWith(ctx, s.store, proof)
	}
	return b, err
}

// tokenOf gives the token of the header or, where the request is a form, of the form
// (RFC 6750, section 2), and whether it is shown as one that is bound to a key.
func tokenOf(w http.ResponseWriter, r *http.Request) (token string, bound bool, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "" {
		form, err := readForm(w, r)
		switch {
		case err != nil:
			return "", false, err
		case form.Has("access_token") && scheme != "":
			return "", false, errTwoTokens
		case form.Has("access_token"):
			return form.Get("access_token"), false, nil
		}
	}
	bound = flow.IsDPoP(scheme)
	if scheme != "" && !bound && !strings.EqualFold(scheme, "Bearer") {
		return "", false, errScheme
	}
	return token, bound, nil
}

var (
	errTwoTokens = fault.Invalid("", "Send the token in the header or in the body, not in both.")
	errScheme    = fault.Invalid("", "The Authorization header must be \"Bearer\" or \"DPoP\" and a token.")
)

// refuseBearer answers who shows a token with an error (RFC 6750, section 3).
func refuseBearer(ctx context.Context, w http.ResponseWriter, err error) {
	f, status := explain(ctx, err)
	if code, ok := fault.Of(err).Detail.(oauth.ErrorCode); ok && status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", api.DPoPChallenge(code))
		reply(w, status, f)
		return
	}
	switch status {
	case http.StatusUnauthorized:
		f.Code = string(oauth.InvalidToken)
		fallthrough
	case http.StatusForbidden:
		w.Header().Set("WWW-Authenticate", challenge+`, error="`+f.Code+`"`)
	}
	reply(w, status, f)
}
