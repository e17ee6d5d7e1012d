package policy

import (
	"cmp"
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// OIDCSettings say how long tokens last. A refresh token ends when it is not
// used for the idle expiration, and after its expiration in any case.
type OIDCSettings struct {
	AccessTokenLifetime        time.Duration `json:"accessTokenLifetime"`
	IDTokenLifetime            time.Duration `json:"idTokenLifetime"`
	RefreshTokenIdleExpiration time.Duration `json:"refreshTokenIdleExpiration"`
	RefreshTokenExpiration     time.Duration `json:"refreshTokenExpiration"`
}

// DefaultOIDC are the OIDC settings of a new instance.
func DefaultOIDC() OIDCSettings {
	return OIDCSettings{
		AccessTokenLifetime: 12 * time.Hour, IDTokenLifetime: 12 * time.Hour,
		RefreshTokenIdleExpiration: 720 * time.Hour, RefreshTokenExpiration: 2160 * time.Hour,
	}
}

// Lifetimes are the settings with the defaults of a new instance for what nobody has
// set: an instance can be older than the settings.
func (s *OIDCSettings) Lifetimes() OIDCSettings {
	d := DefaultOIDC()
	return OIDCSettings{
		AccessTokenLifetime: cmp.Or(s.AccessTokenLifetime, d.AccessTokenLifetime), IDTokenLifetime: cmp.Or(s.IDTokenLifetime, d.IDTokenLifetime),
		RefreshTokenIdleExpiration: cmp.Or(s.RefreshTokenIdleExpiration, d.RefreshTokenIdleExpiration),
		RefreshTokenExpiration:     cmp.Or(s.RefreshTokenExpiration, d.RefreshTokenExpiration),
	}
}

// OIDC are the OIDC settings. Only instances have them.
var OIDC = declareOIDC()

func declareOIDC() *Kind[OIDCSettings] {
	k := &Kind[OIDCSettings]{
		name: "oidc.settings", title: fault.Say("set of OIDC settings"),
		validate: (*OIDCSettings).validate, access: instanceAccess("iam."),
	}
	k.instance = events[OIDCSettings]{
		added:   eventstore.Declare("instance.oidc.settings.added", k.foldAdded),
		changed: eventstore.Declare("instance.oidc.settings.changed", k.foldChanged),
	}
	return k
}

func (s *OIDCSettings) validate() error {
	for _, d := range []time.Duration{
		s.AccessTokenLifetime, s.IDTokenLifetime, s.RefreshTokenIdleExpiration, s.RefreshTokenExpiration,
	} {
		if d <= 0 || d > maxLifetime {
			return fault.Invalid("OIDC-lifetime", "Every lifetime and expiration must be longer than zero, and %d days at most.", maxAge)
		}
	}
	return nil
}
