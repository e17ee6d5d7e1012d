package flow

import (
	"context"
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
	Scopes Scopes
}

// Token is an access token, which is shown once.
type Token struct {
	Secret   string
	Lifetime time.Duration
}

// Machine is a machine user who proved who it is: each token is a login of its own.
type Machine struct {
	user.Proof
	// Scopes are those of the request that mean something for a machine.
	Scopes  Scopes
	jwt     bool
	refused error // what to say where the proof does not hold any more
}

// errAssertion says that an assertion does not prove who its client is, and not why:
// whoever made it may know no key.
var errAssertion = fault.Precondition("OIDC-assertion", "The assertion is not signed with a key of its issuer, or no longer.")

// ProveBySecret finds the machine user that names itself and its secret. An unknown
// name and a wrong secret look the same, and take the same read.
func ProveBySecret(ctx context.Context, store *eventstore.Store, r TokenRequest, name, secret string) (*Machine, error) {
	c, err := findMachine(ctx, store, r.Host, "", user.HashToken(secret), name)
	if err != nil {
		return nil, err
	}
	if !c.active {
		return nil, user.ErrProof
	}
	return c.machine(r, user.ErrProof)
}

// ProveByAssertion finds the machine user that signed a JWT with one of its keys (RFC
// 7523).
func ProveByAssertion(ctx context.Context, store *eventstore.Store, r TokenRequest, assertion string) (*Machine, error) {
	parsed, err := parseAssertion(assertion)
	if err != nil {
		return nil, err
	}
	c, err := findMachine(ctx, store, r.Host, parsed.Headers[0].KeyID, "", "")
	if err != nil {
		return nil, err
	}
	if !c.active || !c.Until.IsZero() && !store.Now().Before(c.Until) {
		return nil, errAssertion
	}
	claims, err := checkAssertion(parsed, c.publicKey, c.UserID, r.Issuer, store.Now())
	if err != nil {
		return nil, err
	}
	if claims.ID != "" {
		c.Assertion, c.AssertionUntil = user.HashToken(claims.ID), claims.Expiry.Time().Add(2*clockSkew)
	}
	return c.machine(r, errAssertion)
}

// machine is the user that is found, with the scopes of the request: a machine has
// no address, and nothing to be refreshed.
func (c *machine) machine(r TokenRequest, refused error) (*Machine, error) {
	m := &Machine{Proof: c.Proof, Scopes: Scopes{}, jwt: c.tokenType == tokenJWT, refused: refused}
	for _, s := range r.Scopes {
		if s != ScopeEmail && s != ScopePhone && s != ScopeAddress && s != ScopeOfflineAccess {
			m.Scopes = append(m.Scopes, s)
		}
	}
	return m, m.Scopes.admit(c.Org, c.orgDomain)
}

// WantsJWT reports whether access tokens of the user are JWTs.
func (m *Machine) WantsJWT() bool { return m.jwt }

// Audience is for whom the user's tokens are, our own API aside.
func (m *Machine) Audience() []string { return m.Scopes.projects() }

// Standing is what a token of the user would rest on, and how long it would last;
// also is a query that travels along.
func (m *Machine) Standing(ctx context.Context, store *eventstore.Store, also Query) (*Standing, time.Duration, error) {
	var st Standing
	src := source{
		sql: `SELECT mu.instance_id, '' AS client_id, mu.user_id, mu.org_id AS user_org, mu.created AS user_since, '' AS session_id, CAST(? AS TEXT) AS scopes
			FROM users mu WHERE mu.instance_id = ? AND mu.user_id = ?`,
		args: []any{plain(strings.Join(m.Scopes, " ")), m.Instance, m.UserID},
	}
	settings, err := policy.OIDC.Resolve(ctx, alongside{store, append(st.queries(src), also)}, eventstore.Scope{Instance: m.Instance})
	now := store.Now()
	if err == nil {
		err = st.stands(now, now)
	}
	lifetime := settings.Doc.Lifetimes().AccessTokenLifetime
	if !m.Until.IsZero() {
		lifetime = min(lifetime, m.Until.Sub(now))
	}
	return &st, lifetime, err
}

// alongside is a reader that reads more in the same round trip.
type alongside struct {
	store *eventstore.Store
	more  []database.Query
}

// Read is database.Reader.
func (a alongside) Read(ctx context.Context, queries ...database.Query) error {
	return a.store.Read(ctx, append(queries, a.more...)...)
}

// Issue makes a token of the user count, under a lock of the user: what was revoked a
// moment ago gives none. Where made is empty the token is one that says nothing.
func (m *Machine) Issue(ctx context.Context, store *eventstore.Store, made string) (Token, error) {
	t, hash := Token{Secret: made}, user.HashToken(made)
	if made == "" {
		t.Secret, hash = user.NewAccessToken()
	}
	ctx = eventstore.WithOrigin(ctx, eventstore.Origin{Creator: m.UserID})
	err := store.Write(ctx, func(tx *eventstore.Tx) error {
		settings, err := policy.OIDC.Resolve(ctx, tx.Reader(), eventstore.Scope{Instance: m.Instance})
		if err != nil {
			return err
		}
		expires, err := user.AddToken(tx, m.Proof, hash, settings.Doc.Lifetimes().AccessTokenLifetime, m.Scopes)
		t.Lifetime = expires.Sub(tx.Now())
		return err
	})
	if errors.Is(err, user.ErrProof) {
		err = m.refused
	}
	return t, err
}

// machine is a machine user as the token endpoint finds it.
type machine struct {
	user.Proof
	active    bool // the user and its organization
	publicKey string
	orgDomain string
	tokenType int32
}

const machineSQL = `SELECT d.instance_id, d.limits, COALESCE(u.user_id, ''), COALESCE(u.org_id, ''), COALESCE(u.state, 0), COALESCE(h.state, 0),
	COALESCE(k.public_key, ''), COALESCE(k.expires, 0), COALESCE(h.primary_domain, ''), COALESCE(um.access_token_type, 0)
	FROM instance_domains d
	LEFT JOIN machine_keys k ON k.instance_id = d.instance_id AND k.key_id = ?
	LEFT JOIN machines m ON m.instance_id = d.instance_id AND m.secret_hash = ? AND m.secret_hash <> ''
	LEFT JOIN users u ON u.instance_id = d.instance_id AND u.user_id = COALESCE(k.user_id, m.user_id)
		AND (k.user_id IS NOT NULL OR u.user_name_lower = ?)
	LEFT JOIN machines um ON um.instance_id = u.instance_id AND um.user_id = u.user_id
	LEFT JOIN orgs h ON h.instance_id = u.instance_id AND h.org_id = u.org_id
	WHERE d.domain = ?`

// findMachine looks for the machine user who has a key or, by its name, a secret. It
// refuses a host of no instance, and an instance that is blocked.
// The database compares hashes of secrets that hold 256 bits of chance: how long
// it takes tells nothing about a secret.
func findMachine(ctx context.Context, store *eventstore.Store, host, keyID, secretHash, name string) (machine, error) {
	var c machine
	var in Instance
	var limits string
	var userState, orgState int
	var expires, tokenType int64
	if c.Source = keyID; keyID == "" {
		c.Source, c.SecretHash = user.BySecret, secretHash
	}
	err := store.Read(ctx, database.One(new(bool), machineSQL, []any{plain(keyID), secretHash, strings.ToLower(plain(name)), hostname.Canonical(host)},
		&in.ID, &limits, &c.UserID, &c.Org, &userState, &orgState, &c.publicKey, &expires, &c.orgDomain, &tokenType))
	if err == nil {
		err = in.admit(limits, store.Now())
	}
	c.Instance = in.ID
	if expires != 0 {
		c.Until = time.UnixMicro(expires).UTC()
	}
	c.tokenType = int32(tokenType) //nolint:gosec // a small number
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
