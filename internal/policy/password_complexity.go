package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/fault"
)

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
var PasswordComplexity = Declare("policy.password.complexity", fault.Say("password complexity policy"),
	IDs{}, (*PasswordComplexityPolicy).validate)

func (p *PasswordComplexityPolicy) validate() error {
	if p.MinLength < 1 || p.MinLength > MaxPasswordLength {
		return fault.Invalid("PASSWORD-length", "The minimum length of passwords must be between 1 and %d.", MaxPasswordLength)
	}
	return nil
}

// Check says what a password lacks. Whatever the policy demands, one that everybody
// tries first is refused.
func (p *PasswordComplexityPolicy) Check(password string) error {
	has := func(is func(rune) bool) bool { return strings.ContainsFunc(password, is) }
	symbol := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }
	switch {
	case uint64(utf8.RuneCountInString(password)) < p.MinLength: //nolint:gosec // not negative
		return fault.Invalid("PASSWORD-short", "The password must have at least %d characters.", p.MinLength)
	case p.HasLowercase && !has(unicode.IsLower):
		return fault.Invalid("PASSWORD-lower", "The password must contain a lower case letter.")
	case p.HasUppercase && !has(unicode.IsUpper):
		return fault.Invalid("PASSWORD-upper", "The password must contain an upper case letter.")
	case p.HasNumber && !has(unicode.IsNumber):
		return fault.Invalid("PASSWORD-number", "The password must contain a number.")
	case p.HasSymbol && !has(symbol):
		return fault.Invalid("PASSWORD-symbol", "The password must contain a symbol: a character that is no letter and no number.")
	}
	common, err := crypto.CommonPassword(password)
	if err == nil && common {
		err = fault.Invalid("PASSWORD-common", "This is one of the passwords that are tried first, or one with other digits: choose another one.")
	}
	return err
}
