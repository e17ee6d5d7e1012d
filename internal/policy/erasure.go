package policy

import "github.com/gatehouse/gatehouse/internal/fault"

// The modes of erasure.
const (
	// KeepPayloads: the log tells for good what happened to users who were removed.
	KeepPayloads = "off"
	// EraseOnRemoval: whoever is removed is erased from the log too.
	EraseOnRemoval = "removal"
)

// ErasurePolicy says what the log keeps of users. The zero value keeps all of it.
type ErasurePolicy struct {
	Mode string `json:"mode"`
}

// OnRemoval reports whether users who are removed are erased.
func (p *ErasurePolicy) OnRemoval() bool { return p.Mode == EraseOnRemoval }

// Erasure is the erasure of an instance.
var Erasure = DeclareSetting("instance.policy.erasure.set", "instance", "policy.erasure", fault.Say("erasure"),
	"iam.policy.", (*ErasurePolicy).validate)

func (p *ErasurePolicy) validate() error {
	if p.Mode != KeepPayloads && p.Mode != EraseOnRemoval {
		return fault.Invalid("ERASURE-mode", "The erasure is off or removal.")
	}
	return nil
}
