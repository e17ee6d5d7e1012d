package flow

import (
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// The scopes that clients can ask for. Those that end in a colon go on with a value.
const (
	ScopeOpenID        = "openid"
	ScopeProfile       = "profile"
	ScopeEmail         = "email"
	ScopePhone         = "phone"
	ScopeAddress       = "address"
	ScopeOfflineAccess = "offline_access"
	ScopeMetadata      = "urn:zitadel:iam:user:metadata"
	ScopeResourceOwner = "urn:zitadel:iam:user:resourceowner"
	// ScopeAPI makes our own API an audience.
	ScopeAPI = "urn:zitadel:iam:org:project:id:zitadel:aud"
	// ScopeRoles asks for the roles in every project of the audience.
	ScopeRoles = "urn:zitadel:iam:org:projects:roles"

	scopeRole      = "urn:zitadel:iam:org:project:role:"
	scopeProject   = "urn:zitadel:iam:org:project:id:" // the id, and then
	scopeAudience  = ":aud"
	scopeOrg       = "urn:zitadel:iam:org:id:"
	scopeOrgDomain = "urn:zitadel:iam:org:domain:primary:"
	scopeRolesOf   = "urn:zitadel:iam:org:roles:id:"
	scopeIDP       = "urn:zitadel:iam:org:idp:id:"
)

// Scopes are what a client asks for, and has a meaning here.
type Scopes []string

// plainScopes have no value.
var plainScopes = []string{
	ScopeOpenID, ScopeProfile, ScopeEmail, ScopePhone, ScopeAddress, ScopeOfflineAccess, ScopeMetadata, ScopeResourceOwner, ScopeAPI, ScopeRoles,
}

const (
	maxScopes     = 100
	maxScopeBytes = 4 << 10
)

var errScopes = fault.Invalid("OIDC-scopes", "A request can have %d scopes, of %d bytes altogether.", maxScopes, maxScopeBytes).With(oauth.InvalidScope)

// ParseScopes keeps the scopes that mean something here, each once: RFC 6749 lets a
// server leave out others. A request for two organizations is one for none.
func ParseScopes(text string) (out Scopes, err error) {
	asked := strings.Fields(text)
	if len(asked) > maxScopes || len(text) > maxScopeBytes {
		return nil, errScopes
	}
	for _, s := range asked {
		if isScope(s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if len(out.values(scopeOrg)) > 1 || len(out.values(scopeOrgDomain)) > 1 {
		return nil, fault.Invalid("OIDC-scope-organization", "Ask for one organization at most.").With(oauth.InvalidScope)
	}
	return out, nil
}

func isScope(s string) bool {
	if slices.Contains(plainScopes, s) {
		return true
	}
	if _, ok := projectOf(s); ok {
		return true
	}
	return slices.ContainsFunc([]string{scopeRole, scopeOrg, scopeOrgDomain, scopeRolesOf, scopeIDP}, func(prefix string) bool {
		value, ok := strings.CutPrefix(s, prefix)
		return ok && value != ""
	})
}

// projectOf gives the project that a scope makes an audience.
func projectOf(scope string) (id string, ok bool) {
	rest, begins := strings.CutPrefix(scope, scopeProject)
	id, ends := strings.CutSuffix(rest, scopeAudience)
	return id, begins && ends && id != "" && !strings.Contains(id, ":")
}

// values are what stands behind a prefix.
func (s Scopes) values(prefix string) (out []string) {
	for _, scope := range s {
		if value, ok := strings.CutPrefix(scope, prefix); ok {
			out = append(out, value)
		}
	}
	return out
}

// Has reports whether a scope is asked for.
func (s Scopes) Has(scope string) bool { return slices.Contains(s, scope) }

// without leaves out a scope.
func (s Scopes) without(scope string) Scopes {
	return slices.DeleteFunc(slices.Clone(s), func(other string) bool { return other == scope })
}

// projects are those that the scopes make an audience.
func (s Scopes) projects() (out []string) {
	for _, scope := range s {
		if id, ok := projectOf(scope); ok && scope != ScopeAPI {
			out = append(out, id)
		}
	}
	return out
}

// roles are those that the scopes name one by one.
func (s Scopes) roles() []string { return s.values(scopeRole) }

var (
	errOrgScope       = fault.Precondition("OIDC-organization", "The client asked for users of another organization. Log in as one of its users.").With(oauth.AccessDenied)
	errScopeBroadened = fault.Invalid("OIDC-scope-broadened", "A token can be asked for fewer scopes than the login had, and not for more.").With(oauth.InvalidScope)
)

// admit refuses users of another organization than the one that the scopes demand.
func (s Scopes) admit(orgID, primaryDomain string) error {
	for _, id := range s.values(scopeOrg) {
		if id != orgID {
			return errOrgScope
		}
	}
	for _, domain := range s.values(scopeOrgDomain) {
		if primaryDomain == "" || !strings.EqualFold(domain, primaryDomain) {
			return errOrgScope
		}
	}
	return nil
}

// Narrow gives the scopes that a client asks for again, of those that it had; all of
// them where it names none.
func (s Scopes) Narrow(text string) (Scopes, error) {
	if strings.TrimSpace(text) == "" {
		return s, nil
	}
	asked, err := ParseScopes(text)
	if err != nil {
		return nil, err
	}
	for _, scope := range asked {
		if !s.Has(scope) {
			return nil, errScopeBroadened
		}
	}
	return asked, nil
}

// demandsOrg reports whether the scopes demand users of one organization.
func (s Scopes) demandsOrg() bool { return len(s.values(scopeOrg))+len(s.values(scopeOrgDomain)) > 0 }

// OrgDomain is the primary domain of the organization that the scopes demand.
func (s Scopes) OrgDomain() string {
	if domains := s.values(scopeOrgDomain); len(domains) == 1 {
		return domains[0]
	}
	return ""
}
