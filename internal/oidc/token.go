package oidc

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

// The grants: RFC 6749, section 4.4, and RFC 7523, section 2.1.
const (
	grantClientCredentials = "client_credentials"
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // a name
)

// granted is the answer of RFC 6749, section 5.1.
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	Scope       string `json:"scope,omitempty"`
}

// token answers a request for an access token.
func (s *Server) token(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	t, err := s.grant(ctx, r, form)
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	reply(w, http.StatusOK, granted{
		AccessToken: t.Secret, TokenType: "Bearer", ExpiresIn: int64(t.Lifetime / time.Second), Scope: strings.Join(t.Scopes, " "),
	})
}

// grant gives a token by the grant that the request names.
func (s *Server) grant(ctx context.Context, r *http.Request, form url.Values) (flow.Token, error) {
	call := api.CallOf(ctx)
	q := flow.TokenRequest{Host: call.Host, Issuer: s.issuer(call), Scopes: strings.Fields(form.Get("scope"))}
	switch form.Get("grant_type") {
	case grantJWTBearer:
		if form.Get("assertion") == "" {
			return flow.Token{}, fault.Invalid("", "The parameter assertion is missing.")
		}
		return flow.TokenForAssertion(ctx, s.store, q, form.Get("assertion"))
	case grantClientCredentials:
		name, secret, err := clientOf(r, form)
		if err != nil {
			return flow.Token{}, err
		}
		return flow.TokenForSecret(ctx, s.store, q, name, secret)
	case "":
		return flow.Token{}, fault.Invalid("", "The parameter grant_type is missing.")
	}
	return flow.Token{}, fault.Unimplemented("The grant types are %s and %s.", grantClientCredentials, grantJWTBearer)
}

// readForm reads the parameters. Those of the URL do not count: what is in there
// ends in logs.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.URL.RawQuery != "" {
		return nil, fault.Invalid("", "Send the parameters in the body and not in the URL.")
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, fault.Invalid("", "The Content-Type must be application/x-www-form-urlencoded.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, fault.Exhausted("", "The request is larger than %d bytes.", maxBody)
	}
	if err != nil {
		return nil, fault.Invalid("", "The request ends too early.").Because(err)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fault.Invalid("", "The parameters cannot be decoded.").Because(err)
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, fault.Invalid("", "A parameter is there more than once.")
		}
	}
	return form, nil
}

// clientOf gives the name and the secret of a client (RFC 6749, section 2.3.1):
// from the header or from the body, but not from both.
func clientOf(r *http.Request, form url.Values) (name, secret string, err error) {
	basicName, basicSecret, basic := r.BasicAuth()
	switch {
	case !basic && r.Header.Get("Authorization") != "":
		return "", "", user.ErrProof
	case !basic:
		return form.Get("client_id"), form.Get("client_secret"), nil
	case form.Has("client_secret"):
		return "", "", fault.Invalid("", "Authenticate in the header or in the body, not in both.")
	}
	name, err = url.QueryUnescape(basicName)
	if err == nil {
		secret, err = url.QueryUnescape(basicSecret)
	}
	if err != nil || form.Has("client_id") && form.Get("client_id") != name {
		return "", "", user.ErrProof
	}
	return name, secret, nil
}
