package policy

import "github.com/gatehouse/gatehouse/internal/fault"

// LockoutPolicy says after how many failures a user is locked. Zero attempts
// mean no limit. Failures of passwords and of one-time codes count apart.
type LockoutPolicy struct {
	MaxPasswordAttempts uint64 `json:"maxPasswordAttempts"`
	MaxOTPAttempts      uint64 `json:"maxOTPAttempts"`
	// ShowFailures is kept for clients that read events; no call changes it.
	ShowFailures bool `json:"showLockOutFailures"`
}

// DefaultLockout is the lockout policy of a new instance.
func DefaultLockout() LockoutPolicy { return LockoutPolicy{ShowFailures: true} }

// Lockout is the lockout policy.
var Lockout = Declare[LockoutPolicy]("policy.lockout", fault.Say("lockout policy"), IDs{}, nil)
