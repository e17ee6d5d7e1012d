// Package assurance answers one question for every door, be it a session, a
// login page, a token or a call with one: do these checks satisfy the login
// policy as it is now, and if not, what is missing?
//
// Nothing is remembered. A check earned yesterday is held against the policy of
// today: one made with a factor that the policy no longer lists counts for
// nothing from the next question on.
//
// It may import policy and what is under it, and no aggregate.
package assurance

import (
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/policy"
)

// Method is a way in which somebody proved who they are.
type Method uint8

// The methods.
const (
	Password Method = iota
	External        // an identity provider vouched for them
	Passkey         // WebAuthn with user verification: two factors at once
	U2F             // WebAuthn without user verification
	TOTP            // a code of an authenticator app
	OTPEmail        // a code sent by mail
	OTPSMS          // a code sent by SMS
	RecoveryCode
	Machine // a program's key, secret or token
	methods
)

func (m Method) String() string {
	return [...]string{"password", "external", "passkey", "u2f", "totp", "otp-email", "otp-sms", "recovery-code", "machine"}[m]
}

// Check is one proof that succeeded.
type Check struct {
	Method Method
	At     time.Time
	// IDP is who vouched for an external check.
	IDP string
}

// Subject is what is known about the user apart from checks.
type Subject struct {
	// Ready are the factors that the user has set up and could be asked for.
	Ready []Method
}

// Need is what is missing for a verdict of Enough.
type Need uint8

// What can be missing, from the first thing to do to the last.
const (
	Nothing Need = iota
	// FirstFactor: password, external login or passkey.
	FirstFactor
	// SecondFactor: one of Verdict.Options has to be checked.
	SecondFactor
	// Enrolment: the user has none of the factors that the policy lists and one is
	// demanded; one of Verdict.Options has to be set up.
	Enrolment
	// Impossible: a second factor is demanded and the policy lists none.
	Impossible
)

// Verdict is the answer.
type Verdict struct {
	Enough bool
	Need   Need
	// Options are the methods that would help, in the policy's order.
	Options []Method
	// Counted are the checks that count, by the order in which they were made.
	Counted []Check
	// Factors is how many kinds of factors the counted checks prove: 0, 1 or 2.
	Factors int
	// Until is when the first check that the verdict rests on runs out; zero for
	// one that rests on none.
	Until time.Time
	// Weakened: the user has set up second factors and the policy lists none of
	// them any more, so that one factor is enough where two were asked before.
	Weakened bool
}

// rule says when a method counts, and for what.
type rule struct {
	// first and second say whether the policy accepts the method as a first and as
	// a second factor.
	first, second func(p *policy.LoginPolicy, c Check) bool
	lifetime      func(p *policy.LoginPolicy) time.Duration
}

// rules is the whole of what the login policy says about methods.
//
//	method        first factor where            second factor where     counts for
//	password      passwords are allowed         never                   passwordCheckLifetime
//	external      external logins are allowed   never                   externalLoginCheckLifetime
//	passkey       passwordless is allowed and   both factors at once    multiFactorCheckLifetime
//	              the multi factor is listed
//	passkey, u2f  never                         U2F is listed           secondFactorCheckLifetime
//	totp, …       never                         the factor is listed    secondFactorCheckLifetime
//	machine       always                        nobody asks             the token's own life
var rules = [methods]rule{
	Password:     {first: func(p *policy.LoginPolicy, _ Check) bool { return p.AllowUsernamePassword }, lifetime: func(p *policy.LoginPolicy) time.Duration { return p.PasswordCheckLifetime }},
	External:     {first: external, lifetime: func(p *policy.LoginPolicy) time.Duration { return p.ExternalLoginCheckLifetime }},
	Passkey:      {first: passwordless, second: passkey, lifetime: passkeyLifetime},
	U2F:          {second: lists(policy.U2F), lifetime: secondLifetime},
	TOTP:         {second: lists(policy.TOTP), lifetime: secondLifetime},
	OTPEmail:     {second: lists(policy.OTPEmail), lifetime: secondLifetime},
	OTPSMS:       {second: lists(policy.OTPSMS), lifetime: secondLifetime},
	RecoveryCode: {second: lists(policy.RecoveryCodes), lifetime: secondLifetime},
	Machine:      {first: func(*policy.LoginPolicy, Check) bool { return true }},
}

func external(p *policy.LoginPolicy, c Check) bool {
	return p.AllowExternalIDP && slices.ContainsFunc(p.IDPs, func(l policy.LoginIDP) bool { return l.ID == c.IDP })
}

func passwordless(p *policy.LoginPolicy, _ Check) bool {
	return p.PasswordlessAllowed == 1 && slices.Contains(p.MultiFactors, policy.U2FWithVerification)
}

func passkey(p *policy.LoginPolicy, c Check) bool {
	return passwordless(p, c) || lists(policy.U2F)(p, c)
}

func lists(f policy.SecondFactor) func(*policy.LoginPolicy, Check) bool {
	return func(p *policy.LoginPolicy, _ Check) bool { return slices.Contains(p.SecondFactors, f) }
}

func secondLifetime(p *policy.LoginPolicy) time.Duration { return p.SecondFactorCheckLifetime }

func passkeyLifetime(p *policy.LoginPolicy) time.Duration {
	if passwordless(p, Check{}) {
		return p.MultiFactorCheckLifetime
	}
	return p.SecondFactorCheckLifetime
}

// order is the policy's order of second factors, from the strongest.
var order = []Method{Passkey, U2F, TOTP, OTPSMS, OTPEmail, RecoveryCode}

// Judge holds the checks of a user against the login policy, at a time. Where
// several first factors were proved, the one that leads furthest decides.
func Judge(p policy.LoginPolicy, s Subject, checks []Check, now time.Time) Verdict {
	all := counted(&p, checks, now)
	out := Verdict{Need: FirstFactor, Options: firstOptions(&p)}
	found := false
	for _, c := range all {
		if accepts := rules[c.Method].first; accepts == nil || !accepts(&p, c) {
			continue
		}
		if v := judge(&p, s, c, all); !found || v.better(out) {
			out, found = v, true
		}
	}
	out.Counted = all
	return out
}

// judge says how far a user has come with this first factor.
func judge(p *policy.LoginPolicy, s Subject, first Check, counted []Check) Verdict {
	v := Verdict{Factors: 1, Until: expiry(p, first)}
	second, proved := longestSecond(p, counted)
	usable, allowed := usableFactors(p, s.Ready), listed(p)
	switch {
	case first.Method == Machine:
		v.Enough, v.Factors = true, 2
	case proved:
		v.Enough, v.Factors = true, 2
		v.Until = earliest(v.Until, expiry(p, second))
	case !demanded(p, first) && (len(usable) == 0 || first.Method == External):
		v.Enough = true
		v.Weakened = first.Method == Password && len(s.Ready) > 0
	case len(usable) > 0:
		v.Need, v.Options = SecondFactor, usable
	case len(allowed) > 0:
		v.Need, v.Options = Enrolment, enrollable(allowed)
	default:
		v.Need = Impossible
	}
	return v
}

// better reports whether v lets its user in where o does not, or for longer.
func (v Verdict) better(o Verdict) bool {
	switch {
	case v.Enough != o.Enough:
		return v.Enough
	case v.Need != o.Need:
		return v.Need < o.Need
	case v.Weakened != o.Weakened:
		return o.Weakened
	}
	return v.Until.IsZero() || !o.Until.IsZero() && v.Until.After(o.Until)
}

// Allowed reports whether the policy lets the method be checked at all.
func Allowed(p policy.LoginPolicy, c Check) bool {
	r := rules[c.Method]
	return r.first != nil && r.first(&p, c) || r.second != nil && r.second(&p, c)
}

// counted are the checks that the policy accepts and that are not too old.
func counted(p *policy.LoginPolicy, checks []Check, now time.Time) []Check {
	var out []Check
	for _, c := range checks {
		if end := expiry(p, c); Allowed(*p, c) && (end.IsZero() || now.Before(end)) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Check) int { return a.At.Compare(b.At) })
	return out
}

// defaults are the lifetimes of those that a policy leaves at zero: an own policy
// that names none must not let every check run out at once.
var defaults = policy.DefaultLogin()

// expiry is when a check runs out; zero for never.
func expiry(p *policy.LoginPolicy, c Check) time.Time {
	lifetime := rules[c.Method].lifetime
	if lifetime == nil {
		return time.Time{}
	}
	d := lifetime(p)
	if d <= 0 {
		d = lifetime(&defaults)
	}
	return c.At.Add(d)
}

// longestSecond is the second factor that was proved and lasts longest.
func longestSecond(p *policy.LoginPolicy, checks []Check) (out Check, found bool) {
	for _, c := range checks {
		accepts := rules[c.Method].second
		if accepts != nil && accepts(p, c) && (!found || expiry(p, c).After(expiry(p, out))) {
			out, found = c, true
		}
	}
	return out, found
}

// demanded reports whether the policy wants a second factor after this first one.
func demanded(p *policy.LoginPolicy, first Check) bool {
	if first.Method == External {
		return p.ForceMFA && !p.ForceMFALocalOnly
	}
	return p.ForceMFA || p.ForceMFALocalOnly
}

// listed are the methods that the policy accepts as second factors.
func listed(p *policy.LoginPolicy) []Method {
	return slices.DeleteFunc(slices.Clone(order), func(m Method) bool { return !rules[m].second(p, Check{}) })
}

// usableFactors are those of the ready factors that the policy lists.
func usableFactors(p *policy.LoginPolicy, ready []Method) []Method {
	return slices.DeleteFunc(listed(p), func(m Method) bool { return !slices.Contains(ready, m) })
}

// enrollable leaves out what nobody sets up as their only factor: recovery codes
// stand in for another one.
func enrollable(methods []Method) []Method {
	if left := slices.DeleteFunc(slices.Clone(methods), func(m Method) bool { return m == RecoveryCode }); len(left) > 0 {
		return left
	}
	return methods
}

func firstOptions(p *policy.LoginPolicy) (out []Method) {
	if passwordless(p, Check{}) {
		out = append(out, Passkey)
	}
	if p.AllowUsernamePassword {
		out = append(out, Password)
	}
	if p.AllowExternalIDP && len(p.IDPs) > 0 {
		out = append(out, External)
	}
	return out
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
