package oidc

import (
	"encoding/base64"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// claims are those of a token or an answer, by their names.
type claims map[string]any

// The claims that most tokens have.
const (
	claimAudience = "aud"
	claimClient   = "client_id"
	claimExpiry   = "exp"
)

// The claims that the reserved scopes ask for.
const (
	claimRoles         = "urn:zitadel:iam:org:project:roles"
	claimMetadata      = "urn:zitadel:iam:user:metadata"
	claimResourceOwner = "urn:zitadel:iam:user:resourceowner:"
)

// genders are as OpenID Connect names them, by the number on the wire.
var genders = map[int32]string{1: "female", 2: "male", 3: "diverse"}

// set adds a claim that is not empty.
func (c claims) set(name, value string) {
	if value != "" {
		c[name] = value
	}
}

// list adds a claim of several values, if there are any.
func (c claims) list(name string, values []string) {
	if len(values) > 0 {
		c[name] = values
	}
}

// act says who acts for the user; nil: they do themselves (RFC 8693, section 4.1).
func (c claims) act(by *oauth.Actor) {
	if by != nil {
		c["act"] = by
	}
}

// describe adds what the scopes tell about the user.
func (c claims) describe(st *flow.Standing, scopes flow.Scopes) {
	p := &st.Person
	if scopes.Has(flow.ScopeProfile) {
		c.set("name", p.DisplayName())
		c.set("preferred_username", p.LoginName)
		c["updated_at"] = p.Details.Changed.Unix()
		if p.IsHuman() {
			c.set("given_name", p.Human.FirstName)
			c.set("family_name", p.Human.LastName)
			c.set("nickname", p.Human.NickName)
			c.set("gender", genders[p.Human.Gender])
			c.set("locale", p.Human.PreferredLanguage)
		}
	}
	if scopes.Has(flow.ScopeEmail) && p.Human.Email != "" {
		c["email"], c["email_verified"] = p.Human.Email, p.Human.EmailVerified
	}
	if scopes.Has(flow.ScopePhone) && p.Human.Phone != "" {
		c["phone_number"], c["phone_number_verified"] = p.Human.Phone, p.Human.PhoneVerified
	}
	if scopes.Has(flow.ScopeMetadata) && len(st.Metadata) > 0 {
		values := map[string]string{}
		for key, value := range st.Metadata {
			values[key] = base64.RawURLEncoding.EncodeToString(value)
		}
		c[claimMetadata] = values
	}
	if scopes.Has(flow.ScopeResourceOwner) {
		c[claimResourceOwner+"id"] = p.OrgID
		c.set(claimResourceOwner+"name", st.Org.Name)
		c.set(claimResourceOwner+"primary_domain", st.Org.PrimaryDomain)
	}
	if domain := scopes.OrgDomain(); domain != "" {
		c["urn:zitadel:iam:org:domain:primary"] = domain
	}
}

// assert adds the user's roles, by the projects: for each role the organizations
// that give it, with their primary domains.
func (c claims) assert(st *flow.Standing, scopes flow.Scopes, audience []string, asserted bool) {
	var flat []string
	for _, g := range st.RolesIn(scopes, audience, asserted) {
		names := []string{rolesOf(g.ProjectID)}
		if g.ProjectID == st.ProjectID() {
			names = append(names, claimRoles)
			flat = append(flat, g.Roles...)
		}
		for _, name := range names {
			roles, _ := c[name].(map[string]map[string]string)
			if roles == nil {
				roles = map[string]map[string]string{}
				c[name] = roles
			}
			for _, role := range g.Roles {
				if roles[role] == nil {
					roles[role] = map[string]string{}
				}
				roles[role][g.OrgID] = g.PrimaryDomain
			}
		}
	}
	if st.WantsFlatRoles() && len(flat) > 0 {
		slices.Sort(flat)
		c["roles"] = slices.Compact(flat)
	}
}

func rolesOf(projectID string) string { return "urn:zitadel:iam:org:project:" + projectID + ":roles" }

// confirm binds a token to the key with a thumbprint (RFC 9449, section 6); empty: to
// none.
func (c claims) confirm(key string) {
	if key != "" {
		c["cnf"] = map[string]string{"jkt": key}
	}
}

// unix is a time as tokens have it; zero stands for none.
func (c claims) unix(name string, at time.Time) {
	if !at.IsZero() {
		c[name] = at.Unix()
	}
}
