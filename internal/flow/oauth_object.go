package flow

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// RequestObject is an authorization request that a client signed (RFC 9101).
type RequestObject struct{ parsed *jwt.JSONWebToken }

// objectTypes are what the header of a request object can say about it.
var objectTypes = []string{"", "JWT", "oauth-authz-req+jwt"}

var errObject = fault.Invalid("OIDC-request-object",
	"The request must be a JWT, signed by the client with one of its keys: with the key's id as kid, the client_id as client_id and iss and not as sub, this issuer in aud, "+
		"an exp within the next hour, and neither request nor request_uri.").With(oauth.InvalidRequestObject)

// ParseRequestObject reads the outside of a request object. One that is not signed with
// a private key is none.
func ParseRequestObject(text string) (*RequestObject, error) {
	if len(text) > maxTokenSize {
		return nil, errObject
	}
	parsed, err := jwt.ParseSigned(text, signatureAlgorithms)
	if err != nil {
		return nil, errObject.Because(err)
	}
	h := parsed.Headers[0]
	typ, typed := h.ExtraHeaders[jose.HeaderType]
	name, isText := typ.(string)
	_, critical := h.ExtraHeaders["crit"]
	if h.KeyID == "" || typed && !isText || critical || !slices.ContainsFunc(objectTypes, func(t string) bool { return strings.EqualFold(t, name) }) {
		return nil, errObject
	}
	return &RequestObject{parsed}, nil
}

// KeyID is the key that the object says it is signed with.
func (o *RequestObject) KeyID() string { return o.parsed.Headers[0].KeyID }

// ofJWT are the claims of an object that are about itself, and no parameters.
var ofJWT = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// Open gives the parameters of an object that the client signed for an issuer.
func (c *Client) Open(o *RequestObject, issuer string, now time.Time) (url.Values, error) {
	var members map[string]json.RawMessage
	var claims jwt.Claims
	if err := c.verify(o.parsed, now, &members, &claims); err != nil {
		return nil, errObject.Because(err)
	}
	form := url.Values{}
	for name, value := range members {
		if text, ok := parameter(value); ok && !slices.Contains(ofJWT, name) {
			form.Set(name, text)
		}
	}
	err := claims.ValidateWithLeeway(jwt.Expected{Issuer: c.ID, AnyAudience: jwt.Audience{issuer}, Time: now}, clockSkew)
	switch {
	// As the subject, it would let others use the object as its proof of who it is.
	case err != nil, claims.Subject == c.ID, form.Get("client_id") != c.ID, form.Has("request"), form.Has("request_uri"),
		claims.Expiry == nil, claims.Expiry.Time().Sub(now) > maxTokenAge+clockSkew:
		return nil, errObject.Because(err)
	}
	return form, nil
}

// parameter is a member of an object as a parameter: a text, or a number or truth as it
// is written. Lists and objects are none.
func parameter(value json.RawMessage) (text string, ok bool) {
	switch {
	case len(value) == 0, value[0] == '{', value[0] == '[', string(value) == "null":
		return "", false
	case value[0] != '"':
		return string(value), true
	}
	return text, json.Unmarshal(value, &text) == nil
}
