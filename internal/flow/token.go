package flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// TokenRequest is what a machine user asks of the token endpoint, besides proving
// who it is.
type TokenRequest struct {
	Host   string // without a port
	Issuer string // the origin under which the client reaches the host
	Scopes []string
}

// Token is an access token, which is shown once.
type Token struct {
	Secret   string
	Lifetime time.Duration
	Scopes   []string // those of the request that mean something here
}

// scopes are what a machine user can ask for. The last is the audience of our API.
var scopes = []string{"openid", "profile", "urn:zitadel:iam:org:project:id:zitadel:aud"}

// errAssertion says that an assertion does not prove who its client is, and not why:
// whoever made it may know no key.
var errAssertion = fault.Precondition("OIDC-assertion", "The assertion is not signed with a key of its issuer, or no longer.")

// TokenForSecret gives a token to a machine user that names itself and its secret.
// An unknown name and a wrong secret look the same, and take the same read.
func TokenForSecret(ctx context.Context, store *eventstore.Store, r TokenRequest, name, secret string) (Token, error) {
	c, err := findClient(ctx, store, r.Host, "", user.HashToken(secret), name)
	if err != nil {
		return Token{}, err
	}
	if !c.active {
		return Token{}, user.ErrProof
	}
	return issue(ctx, store, r, c.Proof)
}

// TokenForAssertion gives a token to a machine user for a JWT that it signed with
// one of its keys (RFC 7523).
func TokenForAssertion(ctx context.Context, store *eventstore.Store, r TokenRequest, assertion string) (Token, error) {
	parsed, err := parseAssertion(assertion)
	if err != nil {
		return Token{}, err
	}
	c, err := findClient(ctx, store, r.Host, parsed.Headers[0].KeyID, "", "")
	if err != nil {
		return Token{}, err
	}
	if !c.active || !c.Until.IsZero() && !store.Now().Before(c.Until) {
		return Token{}, errAssertion
	}
	claims, err := checkAssertion(parsed, c.publicKey, c.UserID, r.Issuer, store.Now())
	if err != nil {
		return Token{}, err
	}
	if claims.ID != "" {
		sum := sha256.Sum256([]byte(claims.ID))
		c.Assertion, c.AssertionUntil = hex.EncodeToString(sum[:]), claims.Expiry.Time().Add(2*clockSkew)
	}
	t, err := issue(ctx, store, r, c.Proof)
	if errors.Is(err, user.ErrProof) {
		err = errAssertion
	}
	return t, err
}

// issue makes a token for a proof, under a lock of the user: what was revoked a
// moment ago gives none.
func issue(ctx context.Context, store *eventstore.Store, r TokenRequest, p user.Proof) (Token, error) {
	token, hash := user.NewAccessToken()
	t := Token{Secret: token, Scopes: []string{}}
	for _, s := range scopes {
		if slices.Contains(r.Scopes, s) {
			t.Scopes = append(t.Scopes, s)
		}
	}
	ctx = eventstore.WithOrigin(ctx, eventstore.Origin{Creator: p.UserID})
	err := store.Write(ctx, func(tx *eventstore.Tx) error {
		settings, err := policy.OIDC.Resolve(ctx, tx.Reader(), eventstore.Scope{Instance: p.Instance})
		if err != nil {
			return err
		}
		expires, err := user.AddToken(tx, p, hash, settings.Doc.Lifetimes().AccessTokenLifetime, t.Scopes)
		t.Lifetime = expires.Sub(tx.Now())
		return err
	})
	return t, err
}

// client is a machine user as the token endpoint finds it.
type client struct {
	user.Proof
	active    bool // the user and its organization
	publicKey string
}

const clientSQL = `SELECT i.instance_id, COALESCE(u.user_id, ''), COALESCE(u.org_id, ''), COALESCE(u.state, 0), COALESCE(h.state, 0),
	COALESCE(k.public_key, ''), COALESCE(k.expires, 0)
	FROM instance_domains d
	JOIN instances i ON i.instance_id = d.instance_id
	LEFT JOIN machine_keys k ON k.instance_id = d.instance_id AND k.key_id = ?
	LEFT JOIN machines m ON m.instance_id = d.instance_id AND m.secret_hash = ? AND m.secret_hash <> ''
	LEFT JOIN users u ON u.instance_id = d.instance_id AND u.user_id = COALESCE(k.user_id, m.user_id)
		AND (k.user_id IS NOT NULL OR u.user_name_lower = ?)
	LEFT JOIN orgs h ON h.instance_id = u.instance_id AND h.org_id = u.org_id
	WHERE d.domain = ?`

// findClient looks for the machine user who has a key or, by its name, a secret.
// The database compares hashes of secrets that hold 256 bits of chance: how long
// it takes tells nothing about a secret.
func findClient(ctx context.Context, r database.Reader, host, keyID, secretHash, name string) (client, error) {
	var c client
	var found bool
	var userState, orgState int
	var expires int64
	if c.Source = keyID; keyID == "" {
		c.Source, c.SecretHash = user.BySecret, secretHash
	}
	// What no text in the database can be like names nobody.
	plain := func(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD") }
	err := r.Read(ctx, database.One(&found, clientSQL, []any{plain(keyID), secretHash, strings.ToLower(plain(name)), hostname.Canonical(host)},
		&c.Instance, &c.UserID, &c.Org, &userState, &orgState, &c.publicKey, &expires))
	if err == nil && !found {
		err = errHost
	}
	if expires != 0 {
		c.Until = time.UnixMicro(expires).UTC()
	}
	c.active = c.UserID != "" && userState == user.Active && orgState == org.Active
	return c, err
}

// parseAssertion reads the outside of a signed JWT.
func parseAssertion(assertion string) (*jwt.JSONWebToken, error) {
	if len(assertion) > maxTokenSize {
		return nil, fault.Invalid("OIDC-assertion-size", "The assertion is larger than %d bytes.", maxTokenSize)
	}
	parsed, err := jwt.ParseSigned(assertion, signatureAlgorithms)
	if err != nil {
		return nil, fault.Invalid("OIDC-assertion-form", "The assertion must be a JWT, signed with one of %s.", signatureAlgorithms).Because(err)
	}
	h := parsed.Headers[0]
	typ, typed := h.ExtraHeaders[jose.HeaderType]
	_, critical := h.ExtraHeaders["crit"]
	switch name, _ := typ.(string); {
	case h.KeyID == "":
		return nil, fault.Invalid("OIDC-assertion-key", "The header of the assertion must name the id of the key as kid.")
	case typed && !strings.EqualFold(name, "JWT"), critical:
		return nil, fault.Invalid("OIDC-assertion-header", "The header of the assertion must have the typ JWT, or none, and no crit.")
	}
	return parsed, nil
}

// checkAssertion holds an assertion against the key that it names and the user
// whose key that is. What is wrong with it is told to those only who have the key.
func checkAssertion(parsed *jwt.JSONWebToken, publicKey, userID, issuer string, now time.Time) (claims jwt.Claims, err error) {
	key, err := user.ParsePublicKey(publicKey)
	if err != nil {
		return claims, err
	}
	if !slices.Contains(user.Algorithms(key), parsed.Headers[0].Algorithm) {
		return claims, errAssertion
	}
	if err := parsed.Claims(key, &claims); err != nil {
		return claims, errAssertion.Because(err)
	}
	err = claims.ValidateWithLeeway(jwt.Expected{Issuer: userID, Subject: userID, AnyAudience: jwt.Audience{issuer}, Time: now}, clockSkew)
	switch {
	case err != nil:
		return claims, fault.Precondition("OIDC-assertion-claims",
			"The assertion must have the id of the user as iss and sub, %s as aud, and be valid now.", issuer).Because(err)
	case claims.Expiry == nil || claims.IssuedAt == nil, claims.Expiry.Time().Sub(now) > maxTokenAge+clockSkew,
		now.Sub(claims.IssuedAt.Time()) > maxTokenAge:
		return claims, fault.Precondition("OIDC-assertion-times", "The assertion needs an iat of less than an hour ago and an exp within the next hour.")
	}
	return claims, nil
}
