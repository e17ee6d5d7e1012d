package user

import (
	"fmt"
	"strings"

	"github.com/gatehouse/gatehouse/internal/eventstore"
)

func init() {
	eventstore.DeclareTable("user_factor_sets", "instance_id, user_id", "org_id, factors")
}

// FactorSet is a set of kinds of factors, as the table of them has it.
type FactorSet int64

// kinds are in the order of their bits, which must not change.
var kinds = []FactorKind{TOTP, U2F, Passkey, OTPSMS, OTPEmail, Recovery}

// SetOf is the set of these kinds.
func SetOf(list ...FactorKind) (s FactorSet) {
	for i, k := range kinds {
		for _, l := range list {
			if k == l {
				s |= 1 << i
			}
		}
	}
	return s
}

// Kinds lists the set.
func (s FactorSet) Kinds() (out []FactorKind) {
	for i, k := range kinds {
		if s>>i&1 == 1 {
			out = append(out, k)
		}
	}
	return out
}

// bitSQL gives the bit of a factor's kind.
var bitSQL = func() string {
	var cases strings.Builder
	for i, k := range kinds {
		fmt.Fprintf(&cases, " WHEN '%s' THEN %d", k, 1<<i)
	}
	return "CASE kind" + cases.String() + " ELSE 0 END"
}()

// andSet makes a fold write anew what the user has set up, once it has changed the
// factors.
func andSet[P any](fold func(*eventstore.Fold, P) error) func(*eventstore.Fold, P) error {
	return func(f *eventstore.Fold, p P) error {
		if err := fold(f, p); err != nil {
			return err
		}
		f.Exec("DELETE FROM user_factor_sets WHERE instance_id = ? AND user_id = ?", f.Instance, f.ID)
		f.Exec(`INSERT INTO user_factor_sets (instance_id, user_id, org_id, factors)
			SELECT instance_id, user_id, ?, SUM(DISTINCT `+bitSQL+`) FROM user_factors
			WHERE instance_id = ? AND user_id = ? AND state = ? GROUP BY instance_id, user_id`, f.Owner, f.Instance, f.ID, FactorReady)
		return nil
	}
}
