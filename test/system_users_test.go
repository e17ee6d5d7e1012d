package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestSystemUsers: users from the configuration sign their own tokens, and only
// theirs, only for this server, only for a while.
func TestSystemUsers(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := testkit.Start(t, func(o *server.Options) {
		o.ExternalURL = "https://id.example.com/"
		o.SystemUsers = []flow.SystemUser{
			{Name: "operator", Key: key.Public(), Memberships: []flow.SystemMembership{{On: flow.OnSystem, Roles: []string{"SYSTEM_OWNER", "IAM_OWNER", "ORG_OWNER"}}}},
			{Name: "elsewhere", Key: curve.Public(), Memberships: []flow.SystemMembership{{On: flow.OnInstance, ID: "1", Roles: []string{"IAM_OWNER"}}}},
			{Name: "everywhere", Key: curve.Public(), Memberships: []flow.SystemMembership{{On: flow.OnInstance, Roles: []string{"IAM_OWNER"}}}},
		}
	})
	now := s.Clock.Now()
	good := jwt.Claims{
		Issuer: "operator", Subject: "operator", Audience: jwt.Audience{"https://id.example.com"},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
	}
	with := func(edit func(*jwt.Claims)) string {
		c := good
		edit(&c)
		return sign(t, jose.RS256, key, c)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		strings.Split(sign(t, jose.RS256, key, good), ".")[1] + "."
	for name, c := range map[string]struct {
		token  string
		status int
	}{
		"good":                    {sign(t, jose.RS256, key, good), http.StatusOK},
		"another key":             {sign(t, jose.RS256, other, good), http.StatusUnauthorized},
		"another's name":          {sign(t, jose.ES256, curve, good), http.StatusUnauthorized},
		"no such user":            {with(func(c *jwt.Claims) { c.Issuer, c.Subject = "x", "x" }), http.StatusUnauthorized},
		"subject is another":      {with(func(c *jwt.Claims) { c.Subject = "everywhere" }), http.StatusUnauthorized},
		"another audience":        {with(func(c *jwt.Claims) { c.Audience = jwt.Audience{"https://other.example.com"} }), http.StatusUnauthorized},
		"no audience":             {with(func(c *jwt.Claims) { c.Audience = nil }), http.StatusUnauthorized},
		"expired":                 {with(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(now.Add(-time.Minute)) }), http.StatusUnauthorized},
		"never expires":           {with(func(c *jwt.Claims) { c.Expiry = nil }), http.StatusUnauthorized},
		"too old":                 {with(func(c *jwt.Claims) { c.IssuedAt = jwt.NewNumericDate(now.Add(-2 * time.Hour)) }), http.StatusUnauthorized},
		"without a date":          {with(func(c *jwt.Claims) { c.IssuedAt = nil }), http.StatusUnauthorized},
		"from the future":         {with(func(c *jwt.Claims) { c.IssuedAt = jwt.NewNumericDate(now.Add(time.Minute)) }), http.StatusUnauthorized},
		"not yet":                 {with(func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(now.Add(time.Minute)) }), http.StatusUnauthorized},
		"not signed":              {unsigned, http.StatusUnauthorized},
		"the key as a secret":     {sign(t, jose.HS256, public, good), http.StatusUnauthorized},
		"a member of another one": {sign(t, jose.ES256, curve, renamed(good, "elsewhere")), http.StatusNotFound},
		"a member of every one":   {sign(t, jose.ES256, curve, renamed(good, "everywhere")), http.StatusOK},
	} {
		s.SetToken(name, c.token)
		r := s.Send(t, testkit.Call{As: name, Do: "GET /admin/v1/policies/login"})
		if r.Status != c.status {
			t.Errorf("%s: %d %s, want %d", name, r.Status, r.Body, c.status)
		}
	}
	s.Run(t,
		testkit.Call{
			Name: "an operator changes an instance", As: "good", Do: "PUT /admin/v1/policies/login", Body: `{"forceMfa":true}`,
			Events: []string{"instance.policy.login.changed"},
		},
		testkit.Call{Name: "its own organization is the default one", As: "good", Do: "GET /management/v1/orgs/me", Want: `{"org":{"id":"$org"}}`},
		testkit.Call{Name: "no such organization", As: "good", In: "1", Do: "GET /management/v1/orgs/me", Status: 403},
		testkit.Call{Name: "no such host", As: "good", Host: "nowhere.example.com", Do: "GET /admin/v1/policies/login", Status: 404},
		testkit.Call{Name: "the system is no instance's", As: "a member of every one", Do: "POST /system/v1/instances/_search", Status: 404},
		testkit.Call{Name: "nor an owner's", As: "owner", Do: "POST /system/v1/instances/_search", Status: 403},
	)
}

func renamed(c jwt.Claims, name string) jwt.Claims {
	c.Issuer, c.Subject = name, name
	return c
}
