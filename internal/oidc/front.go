package oidc

import (
	"context"
	"net/http"
	"strconv"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// front adds to an answer the tokens that a client asked to get by way of the browser
// (OpenID Connect Core, section 3.2.2.5). They rest on what those for a code rest on,
// and on the same login. Where the client may not be sent an answer any more, nothing
// is.
func (s *Server) front(ctx context.Context, r *http.Request, a *oauth.Answer) error {
	call := api.CallOf(ctx)
	c, err := flow.FindLoginClient(ctx, s.store, call.Host, a.Front.ClientID, "")
	if err == nil {
		err = c.Redirect(a.URI)
	}
	if err != nil {
		return err
	}
	q := &tokenRequest{Server: s, r: r, host: call.Host, issuer: s.issuer(call)}
	t, err := q.front(ctx, c, flow.CodeUse{Code: a.Front.Code, RedirectURI: a.URI, Issuer: q.issuer}, a.Front.ResponseType)
	if err != nil {
		a.Parameters = append(refused(ctx, err), a.Parameters...)
		return nil
	}
	a.Parameters = append(t.parameters(), a.Parameters...)
	return nil
}

var errNotFront = fault.Denied("OIDC-front", "The application may not get tokens in this way any more.").With(oauth.UnauthorizedClient)

func (q *tokenRequest) front(ctx context.Context, c *flow.Client, use flow.CodeUse, kind string) (*granted, error) {
	if !c.Answers(kind) {
		return nil, errNotFront
	}
	g, err := flow.GivenForCode(ctx, q.store, c, use, q.signing(c))
	if err != nil {
		return nil, err
	}
	t, tokens := &granted{}, flow.Tokens{}
	if kind == flow.TypeIDTokenToken {
		t, tokens, err = q.mint(ctx, c, &g, "")
	} else {
		t.IDToken, err = q.signer.Sign(ctx, c.Instance.ID, q.key, typeID, q.idToken(c, &g, q.store.Now(), "", ""))
	}
	if err != nil {
		return nil, err
	}
	return t, flow.RedeemCode(g.Creator(ctx), q.store, c, use, tokens)
}

// refused is an error as an answer says it. What does not stand any more is denied: there
// is no grant that the client could have made better.
func refused(ctx context.Context, err error) [][2]string {
	f, _ := explain(ctx, err)
	if f.Code == string(oauth.InvalidGrant) {
		f.Code = string(oauth.AccessDenied)
	}
	return [][2]string{{"error", f.Code}, {"error_description", f.Text}}
}

// parameters are tokens as an answer says them.
func (t *granted) parameters() [][2]string {
	id := [2]string{"id_token", t.IDToken}
	if t.AccessToken == "" {
		return [][2]string{id}
	}
	return [][2]string{{"access_token", t.AccessToken}, {"token_type", t.TokenType}, {"expires_in", strconv.FormatInt(t.ExpiresIn, 10)}, {"scope", t.Scope}, id}
}
