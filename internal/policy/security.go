package policy

import (
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// SecurityPolicy holds what an instance permits beyond the safe default.
type SecurityPolicy struct {
	// EnableIframeEmbedding lets pages of the AllowedOrigins show the login in a frame.
	EnableIframeEmbedding bool `json:"enable_iframe_embedding"`
	AllowedOrigins        list `json:"allowedOrigins"`
	// EnableImpersonation lets users with the role for it act as others.
	EnableImpersonation bool `json:"enable_impersonation"`
}

// Security is the security policy of instances.
var Security = DeclareSetting("instance.policy.security.set", "instance", "policy.security", fault.Say("security policy"),
	"iam.policy.", (*SecurityPolicy).validate)

// maxOrigins keeps the header that carries the origins in bounds.
const maxOrigins = 100

// validate refuses what would end the origin inside the header that carries it.
func (p *SecurityPolicy) validate() error {
	if len(p.AllowedOrigins) > maxOrigins {
		return fault.Invalid("SECURITY-origins", "There can be %d allowed origins at most.", maxOrigins)
	}
	for _, origin := range p.AllowedOrigins {
		if origin == "" || len(origin) > maxText || strings.ContainsFunc(origin, func(r rune) bool { return r <= ' ' || r > '~' || r == ';' || r == ',' }) {
			return fault.Invalid("SECURITY-origin", "An allowed origin must look like https://example.com, in %d bytes at most.", maxText)
		}
	}
	return nil
}
