package policy

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// maxAge is a hundred years: more days than that are a mistake, and far more
// would overflow a duration.
const maxAge = 36500

// maxLifetime is the same as a duration. Longer ones would not be read back as
// they were written.
const maxLifetime = maxAge * 24 * time.Hour

// PasswordAgePolicy says how long a password lasts. With MaxAgeDays 0 it never
// expires.
type PasswordAgePolicy struct {
	ExpireWarnDays uint64 `json:"expireWarnDays"`
	MaxAgeDays     uint64 `json:"maxAgeDays"`
}

// PasswordAge is the password age policy.
var PasswordAge = Declare("policy.password.age", fault.Say("password age policy"), IDs{}, (*PasswordAgePolicy).validate)

func (p *PasswordAgePolicy) validate() error {
	if p.MaxAgeDays > maxAge || p.ExpireWarnDays > maxAge {
		return fault.Invalid("PASSWORD-age", "A number of days can be at most %d.", maxAge)
	}
	return nil
}
