package flow

import (
	"cmp"
	"crypto"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// SystemUser is a caller from the configuration: an operator or a program that
// administers the installation. It proves itself with a JWT (RFC 7519) that it
// signs itself: iss and sub are its name, aud is the external URL.
type SystemUser struct {
	Name        string
	Key         crypto.PublicKey // RSA, ECDSA or Ed25519
	Memberships []SystemMembership
}

// SystemMembership is roles that a system user has.
type SystemMembership struct {
	On    SystemTarget
	ID    string // of the instance or organization; empty for every instance
	Roles []string
}

// SystemTarget says what a membership is about.
type SystemTarget uint8

// The targets: the system API; an instance, or all of them; an organization.
// Roles on the system hold on every instance too.
const (
	OnSystem SystemTarget = iota
	OnInstance
	OnOrg
)

const (
	// maxTokenAge bounds how long after iat a self-signed token counts.
	maxTokenAge = time.Hour
	// clockSkew is how far the caller's clock may be off.
	clockSkew = 5 * time.Second
	// maxTokenSize bounds what is parsed, in bytes.
	maxTokenSize = 8 << 10
)

// The algorithms of signatures: those that need a private key to sign.
var signatureAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// looksLikeJWT reports whether a token has the form of a signed JWT.
func looksLikeJWT(token string) bool {
	return len(token) <= maxTokenSize && strings.Count(token, ".") == 2
}

// systemUser finds the system user who signed the token, or refuses it.
func (g *Gate) systemUser(token string) (SystemUser, error) {
	parsed, err := jwt.ParseSigned(token, signatureAlgorithms)
	if err != nil {
		return SystemUser{}, errToken.Because(err)
	}
	var named jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&named); err != nil {
		return SystemUser{}, errToken.Because(err)
	}
	u, ok := g.systemUsers[named.Issuer]
	if !ok {
		return SystemUser{}, errToken
	}
	var claims jwt.Claims
	if err := parsed.Claims(u.Key, &claims); err != nil {
		return SystemUser{}, errToken.Because(err)
	}
	now := g.store.Now()
	err = claims.ValidateWithLeeway(jwt.Expected{Issuer: u.Name, Subject: u.Name, Time: now}, clockSkew)
	switch {
	case err != nil:
		return SystemUser{}, errToken.Because(err)
	case claims.Expiry == nil || claims.IssuedAt == nil || now.Sub(claims.IssuedAt.Time()) > maxTokenAge:
		return SystemUser{}, errTokenTimes
	case !slices.ContainsFunc(claims.Audience, g.isAudience):
		return SystemUser{}, errAudience
	}
	return u, nil
}

var (
	errTokenTimes = fault.Unauthenticated("AUTH-7fs1e", "A self-signed token needs exp and an iat of less than an hour ago.")
	errAudience   = fault.Unauthenticated("AUTH-7fs1e", "The audience of a self-signed token must be the external URL of this server.")
)

func (g *Gate) isAudience(aud string) bool {
	return g.audience != "" && strings.TrimSuffix(aud, "/") == g.audience
}

// caller is the system user in an instance or, where that has no id, in the
// installation: at home in the instance's default organization, unless the request
// names another one.
func (u SystemUser) caller(in Instance, home, org string, roles *authz.Roles) *authz.Caller {
	return &authz.Caller{
		Instance: in.ID, UserID: u.Name, HomeOrg: home, Org: cmp.Or(org, home), Roles: roles, SystemUser: true,
		Memberships: u.memberships(in.ID), Elsewhere: u.memberships, LogSince: in.logSince,
	}
}

// memberships are those that hold in the instance or, where it is empty, in the
// installation.
func (u SystemUser) memberships(instance string) (out []authz.Membership) {
	for _, m := range u.Memberships {
		switch {
		case m.On == OnSystem, m.On == OnInstance && instance != "" && (m.ID == "" || m.ID == instance):
			out = append(out, authz.Membership{Roles: m.Roles, OfSystem: m.On == OnSystem})
		case m.On == OnOrg && instance != "" && m.ID != "":
			out = append(out, authz.Membership{Org: m.ID, Roles: m.Roles})
		}
	}
	return out
}
