package policy

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// LimitsDoc is what those who run the installation take from an instance. What is
// nil is not limited.
type LimitsDoc struct {
	// AuditLogRetention is how far back events are shown. They are kept all the same.
	AuditLogRetention *time.Duration `json:"auditLogRetention,omitempty"`
	// Block refuses every call but those of system users.
	Block *bool `json:"block,omitempty"`
}

// Limits are an instance's limits.
var Limits = declareLimits()

var limitsReset = eventstore.Declare("limits.reset", func(f *eventstore.Fold, _ eventstore.None) error {
	return Limits.kind.foldRemoved(f, eventstore.None{})
})

func declareLimits() *Setting[LimitsDoc] {
	s := DeclareSetting("limits.set", "limits", "limits", fault.Say("set of limits"), "system.limits.", (*LimitsDoc).validate)
	s.kind.elsewhere, s.kind.also = "system.limits.", CopyLimits
	return s
}

// CopyLimits writes the limits of an instance beside each of its domains, where
// every request looks anyway.
func CopyLimits(f *eventstore.Fold) {
	f.Exec(`UPDATE instance_domains SET limits = COALESCE((SELECT p.document FROM policies p
		WHERE p.instance_id = ? AND p.org_id = '' AND p.kind = 'limits'), '') WHERE instance_id = ?`, f.Instance, f.Instance)
}

func (l *LimitsDoc) validate() error {
	if l.AuditLogRetention != nil && *l.AuditLogRetention < 0 {
		return fault.Invalid("LIMITS-retention", "The retention of the audit log cannot be negative.")
	}
	return nil
}

// SetLimits sets the limits in l that are not nil. That the instance exists is
// the caller's to know.
func SetLimits(tx *eventstore.Tx, instance string, l LimitsDoc) (Details, error) {
	if l == (LimitsDoc{}) {
		return Details{}, fault.Invalid("LIMITS-none", "Name at least one limit.")
	}
	return Limits.Set(tx, instance, func(doc *LimitsDoc) {
		if l.AuditLogRetention != nil {
			doc.AuditLogRetention = l.AuditLogRetention
		}
		if l.Block != nil {
			doc.Block = l.Block
		}
	})
}

// ResetLimits takes back all limits.
func ResetLimits(tx *eventstore.Tx, instance string) (Details, error) {
	s := Scope{Instance: instance}
	r, err := Limits.kind.lock(tx, s, "delete")
	if err != nil {
		return Details{}, err
	}
	if !r.exists {
		return Details{}, fault.NotFound("LIMITS-missing", "The instance has no limits.")
	}
	return limitsReset.Emit(tx, Limits.kind.aggregate(s), eventstore.None{})
}
