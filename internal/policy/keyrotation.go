package policy

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// KeyRotationSetting says whether the web keys of an instance take turns by
// themselves. The zero value is off.
type KeyRotationSetting struct {
	Enabled bool `json:"enabled"`
	// Interval is how long a key signs.
	Interval time.Duration `json:"interval"`
	// Retention is how long a key is published after it signed.
	Retention time.Duration `json:"retention"`
}

// KeyRotation is the rotation of the web keys of an instance.
var KeyRotation = DeclareSetting("instance.web_key.rotation.set", "instance", "web_key.rotation", fault.Say("rotation of web keys"),
	"iam.web_key.", (*KeyRotationSetting).validate)

func (s *KeyRotationSetting) validate() error {
	for _, d := range []time.Duration{s.Interval, s.Retention} {
		if s.Enabled && (d < time.Hour || d > maxLifetime) {
			return fault.Invalid("WEBKEY-rotation", "The interval and the retention of web keys are 1 hour to %d days.", maxAge)
		}
	}
	return nil
}
