package flow

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/user"
)

// ClientProof is how a client proves who it is.
type ClientProof struct {
	ID string
	// Method is the one that the client uses: application.AuthNone where it shows nothing.
	Method int32
	Secret string
	// Assertion is a JWT that the client signed (RFC 7523), and Audience what it may be
	// for: the issuer, and the endpoint for tokens.
	Assertion string
	Audience  []string
}

// errClientProof is the answer to every client that does not prove who it is.
var errClientProof = fault.Unauthenticated("OIDC-client-proof", "The client is unknown, not active, or does not prove who it is by the method that it registered.")

// ProveClient finds the client of a proof in the instance of a host, and refuses
// who is not active or does not prove it. Except for a signed proof, which counts
// once and is noted, it is one round trip.
func ProveClient(ctx context.Context, store *eventstore.Store, host string, p ClientProof) (*Client, error) {
	var parsed *jwt.JSONWebToken
	keyID := ""
	if p.Method == application.AuthPrivateKeyJWT {
		var err error
		if parsed, err = parseAssertion(p.Assertion); err != nil {
			return nil, unauthenticated(err)
		}
		keyID = parsed.Headers[0].KeyID
		var named jwt.Claims
		if err := parsed.UnsafeClaimsWithoutVerification(&named); err != nil || p.ID != "" && named.Subject != p.ID {
			return nil, errClientProof
		}
		p.ID = named.Subject
	}
	c, err := FindClient(ctx, store, host, p.ID, keyID)
	if err != nil {
		return nil, err
	}
	if c.ID == "" || !c.Active() || c.Config.AuthMethod != p.Method {
		return nil, errClientProof
	}
	switch p.Method {
	case application.AuthNone:
		return &c, nil
	case application.AuthBasic, application.AuthPost:
		if c.secretHash == "" || !crypto.SameCode(user.HashToken(p.Secret), c.secretHash) {
			return nil, errClientProof
		}
		return &c, nil
	case application.AuthPrivateKeyJWT:
		return &c, c.checkAssertion(ctx, store, parsed, p.Audience)
	}
	return nil, errClientProof
}

// unauthenticated is a refusal of an assertion that a client shows.
func unauthenticated(err error) error {
	f := *fault.Of(err)
	f.Kind = fault.KindUnauthenticated
	return &f
}

// assertionClaims are those of a client's signed proof. The audience must be one text:
// a list would let another server of the list use the proof here.
type assertionClaims struct {
	jwt.Claims
	Audience json.RawMessage `json:"aud"`
}

// verify reads the claims of a JWT that the client signed with the key that it names.
func (c *Client) verify(parsed *jwt.JSONWebToken, now time.Time, claims ...any) error {
	if c.key.id == "" || c.key.expires != 0 && !now.Before(time.UnixMicro(c.key.expires)) {
		return errClientProof
	}
	key, err := user.ParsePublicKey(c.key.public)
	if err != nil {
		return err
	}
	if !slices.Contains(user.Algorithms(key), parsed.Headers[0].Algorithm) {
		return errClientProof
	}
	if err := parsed.Claims(key, claims...); err != nil {
		return errClientProof.Because(err)
	}
	return nil
}

func (c *Client) checkAssertion(ctx context.Context, store *eventstore.Store, parsed *jwt.JSONWebToken, audience []string) error {
	now := store.Now()
	var claims assertionClaims
	if err := c.verify(parsed, now, &claims); err != nil {
		return err
	}
	var aud string
	wrong := json.Unmarshal(claims.Audience, &aud) != nil || !slices.Contains(audience, aud)
	err := claims.ValidateWithLeeway(jwt.Expected{Issuer: c.ID, Subject: c.ID, Time: now}, clockSkew)
	switch {
	case wrong, err != nil, claims.ID == "", claims.Expiry == nil, claims.IssuedAt == nil,
		claims.Expiry.Time().Sub(now) > maxTokenAge+clockSkew, now.Sub(claims.IssuedAt.Time()) > maxTokenAge:
		return fault.Unauthenticated("OIDC-client-assertion", "The client_assertion must have the client_id as iss and sub, one text that is %s as aud, a jti, "+
			"an iat of less than an hour ago, and an exp within the next hour.", audience[0]).Because(err)
	}
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		oauth.UseAssertion(tx, c.Instance.ID, c.ID, user.HashToken(claims.ID), claims.Expiry.Time().Add(2*clockSkew))
		return nil
	})
}

// AssertionAlgorithms are those that signed proofs can have.
func AssertionAlgorithms() (out []string) {
	for _, a := range signatureAlgorithms {
		out = append(out, string(a))
	}
	return out
}
