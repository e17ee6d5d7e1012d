package policy

import "github.com/gatehouse/gatehouse/internal/fault"

// MaxPasswordLength is the most characters that a policy may demand: hashes of
// the bcrypt family see no more than this many bytes.
const MaxPasswordLength = 72

// PasswordComplexityPolicy says what a new password must contain.
type PasswordComplexityPolicy struct {
	MinLength    uint64 `json:"minLength"`
	HasLowercase bool   `json:"hasLowercase"`
	HasUppercase bool   `json:"hasUppercase"`
	HasNumber    bool   `json:"hasNumber"`
	HasSymbol    bool   `json:"hasSymbol"`
}

// DefaultPasswordComplexity is the password complexity policy of a new instance.
func DefaultPasswordComplexity() PasswordComplexityPolicy {
	return PasswordComplexityPolicy{
		MinLength: 8, HasLowercase: true, HasUppercase: true, HasNumber: true, HasSymbol: true,
	}
}

// PasswordComplexity is the password complexity policy. It holds for passwords
// that are set from now on; those that exist stay valid.
var PasswordComplexity = Declare("policy.password.complexity", "password complexity policy",
	IDs{}, (*PasswordComplexityPolicy).validate)

func (p *PasswordComplexityPolicy) validate() error {
	if p.MinLength < 1 || p.MinLength > MaxPasswordLength {
		return fault.Invalid("PASSWORD-length", "The minimum length of passwords must be between 1 and %d.", MaxPasswordLength)
	}
	return nil
}
