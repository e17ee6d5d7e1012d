package policy

import "github.com/gatehouse/gatehouse/internal/fault"

// The modes of enforcement.
const (
	// Strict: what the login policy does not list counts for nothing.
	Strict = "strict"
	// Lenient is for the time of a move from elsewhere: a factor that somebody has
	// set up counts, whether the login policy lists it or not.
	Lenient = "reference"
)

// EnforcementPolicy says how strictly an instance holds people to its login
// policies. The zero value is strict.
type EnforcementPolicy struct {
	Mode string `json:"mode"`
}

// Strict reports whether only listed factors count.
func (p *EnforcementPolicy) Strict() bool { return p.Mode != Lenient }

// Enforcement is the enforcement of an instance.
var Enforcement = DeclareSetting("instance.policy.enforcement.set", "instance", "policy.enforcement", fault.Say("enforcement"),
	"iam.policy.", (*EnforcementPolicy).validate)

func (p *EnforcementPolicy) validate() error {
	if p.Mode != Strict && p.Mode != Lenient {
		return fault.Invalid("ENFORCEMENT-mode", "The enforcement is strict or reference.")
	}
	return nil
}
