package policy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Factor is one that a login policy lists: a second factor or a multi factor. The
// other of the two is zero.
type Factor struct {
	Second SecondFactor `json:"secondFactor,omitempty"`
	Multi  MultiFactor  `json:"multiFactor,omitempty"`
}

// Retirement is the plan by which a factor goes, in three stages. Nothing has to happen
// at its times: whoever asks what the policy lists, asks for a time.
type Retirement struct {
	Factor
	Closed    time.Time `json:"closed"`    // from then on nobody can set it up
	Announced time.Time `json:"announced"` // from then on those are told who would have no other
	Off       time.Time `json:"off"`       // from then on the policy does not list it
}

// retirement is the plan of a factor; nil where it has none.
func (p *LoginPolicy) retirement(f Factor) *Retirement {
	for i := range p.Retirements {
		if p.Retirements[i].Factor == f {
			return &p.Retirements[i]
		}
	}
	return nil
}

// Lists reports whether the policy lists the factor at a time. It allocates nothing.
func (p *LoginPolicy) Lists(f Factor, at time.Time) bool {
	if f.Multi != 0 && !slices.Contains(p.MultiFactors, f.Multi) || f.Multi == 0 && !slices.Contains(p.SecondFactors, f.Second) {
		return false
	}
	r := p.retirement(f)
	return r == nil || at.Before(r.Off)
}

// Enrols reports whether a factor that the policy lists can be set up at a time.
func (p *LoginPolicy) Enrols(f Factor, at time.Time) bool {
	r := p.retirement(f)
	return p.Lists(f, at) && (r == nil || at.Before(r.Closed))
}

// Ends gives the time at which a factor that the policy lists will be off, where that
// is announced at a time; zero where it is not.
func (p *LoginPolicy) Ends(f Factor, at time.Time) time.Time {
	if r := p.retirement(f); r != nil && !at.Before(r.Announced) && p.Lists(f, at) {
		return r.Off
	}
	return time.Time{}
}

// At is the policy as it is at a time: without the factors that are off.
func (p *LoginPolicy) At(t time.Time) LoginPolicy {
	out := *p
	for _, r := range p.Retirements {
		if p.Lists(r.Factor, t) {
			continue
		}
		out.SecondFactors = slices.DeleteFunc(slices.Clone(out.SecondFactors), func(f SecondFactor) bool { return f == r.Second })
		out.MultiFactors = slices.DeleteFunc(slices.Clone(out.MultiFactors), func(f MultiFactor) bool { return f == r.Multi })
	}
	return out
}

// ResolveLogin gives the login policy that holds in the scope, as it is now.
func ResolveLogin(ctx context.Context, store *eventstore.Store, s Scope) (State[LoginPolicy], error) {
	p, err := Login.Resolve(ctx, store, s)
	p.Doc = p.Doc.At(store.Now())
	return p, err
}

// drop ends the plan of a factor.
func (p *LoginPolicy) drop(f Factor) {
	p.Retirements = slices.DeleteFunc(p.Retirements, func(r Retirement) bool { return r.Factor == f })
	if len(p.Retirements) == 0 {
		p.Retirements = nil
	}
}

var (
	retirementPlanned = Part(Login, "retirement.planned", noOwn(Login.ids.Missing, Login.title),
		func(_ Scope, p *LoginPolicy, r Retirement) error {
			if !p.Lists(r.Factor, time.Time{}) {
				return errNotListed
			}
			return nil
		},
		func(p *LoginPolicy, r Retirement) {
			p.drop(r.Factor)
			p.Retirements = append(p.Retirements, r)
		})

	retirementCancelled = Part(Login, "retirement.cancelled", noOwn(Login.ids.Missing, Login.title),
		func(_ Scope, p *LoginPolicy, f Factor) error {
			if p.retirement(f) == nil {
				return errNoPlan
			}
			return nil
		},
		func(p *LoginPolicy, f Factor) { p.drop(f) })
)

// maxPlanned is how far ahead a retirement can be planned.
const maxPlanned = 10 * 365 * 24 * time.Hour

var (
	errNotListed = fault.NotFound("RETIREMENT-factor", "The login policy does not list this factor.")
	errNoPlan    = fault.NotFound("RETIREMENT-missing", "The retirement of this factor is not planned.")
	errStages    = fault.Invalid("RETIREMENT-stages", "A factor is closed first, then announced and then off, at three times in this order.")
	errPast      = fault.Invalid("RETIREMENT-past", "The factor must go off in the future, within ten years. Remove it to end it at once.")
	errGone      = fault.Precondition("RETIREMENT-over", "The factor is off already. Add it again to bring it back.")
)

// PlanRetirement plans that a factor goes, in place of the plan that it has. A stage
// without a time begins with the plan, but for the last, which must have one.
func PlanRetirement(tx *eventstore.Tx, s Scope, r Retirement) (Details, error) {
	now := tx.Now()
	if r.Closed.IsZero() {
		r.Closed = now
	}
	if r.Announced.IsZero() {
		r.Announced = r.Closed
	}
	for _, t := range []*time.Time{&r.Closed, &r.Announced, &r.Off} {
		*t = t.UTC().Truncate(time.Microsecond)
	}
	if err := requireStanding(tx, s, r.Factor); err != nil {
		return Details{}, err
	}
	switch {
	case !r.Off.After(now) || r.Off.Sub(now) > maxPlanned:
		return Details{}, errPast
	case r.Announced.Before(r.Closed) || r.Off.Before(r.Announced):
		return Details{}, errStages
	}
	if err := guardLastFactor(tx, s, func(p *LoginPolicy) {
		*p = p.At(r.Off)
		p.remove(r.Factor)
	}); err != nil {
		return Details{}, err
	}
	return retirementPlanned.Apply(tx, s, r)
}

// CancelRetirement ends a plan whose last stage has not come: the factor stays.
func CancelRetirement(tx *eventstore.Tx, s Scope, f Factor) (Details, error) {
	if err := requireStanding(tx, s, f); err != nil {
		return Details{}, err
	}
	return retirementCancelled.Apply(tx, s, f)
}

// requireStanding refuses a factor that is off by its plan.
func requireStanding(tx *eventstore.Tx, s Scope, f Factor) error {
	r, err := Login.lock(tx, s, "write")
	if err == nil && r.doc.retirement(f) != nil && !r.doc.Lists(f, tx.Now()) {
		err = errGone
	}
	return err
}

// endRetired takes away a factor that is off by its plan, so that it can be added anew.
func endRetired(tx *eventstore.Tx, s Scope, f Factor) error {
	err := requireStanding(tx, s, f)
	if !errors.Is(err, errGone) {
		return err
	}
	if f.Second != 0 {
		_, err = secondFactorRemoved.Apply(tx, s, secondFactorEvent{f.Second})
	} else {
		_, err = multiFactorRemoved.Apply(tx, s, multiFactorEvent{f.Multi})
	}
	return err
}

// remove takes a factor and its plan away.
func (p *LoginPolicy) remove(f Factor) {
	if f.Second != 0 {
		p.SecondFactors = without(p.SecondFactors, f.Second)
	}
	if f.Multi != 0 {
		p.MultiFactors = without(p.MultiFactors, f.Multi)
	}
	p.drop(f)
}
