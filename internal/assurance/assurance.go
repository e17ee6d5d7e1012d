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

// Set is a set of methods.
type Set uint16

// SetOf is the set of the given methods.
func SetOf(list ...Method) (s Set) {
	for _, m := range list {
		s |= 1 << m
	}
	return s
}

// Has reports whether m is in the set.
func (s Set) Has(m Method) bool { return s>>m&1 == 1 }

// Methods lists the set, the strongest method first.
func (s Set) Methods() (out []Method) {
	for _, m := range strongest {
		if s.Has(m) {
			out = append(out, m)
		}
	}
	return out
}

var strongest = [methods]Method{Passkey, Password, External, Machine, U2F, TOTP, OTPSMS, OTPEmail, RecoveryCode}

// Subject is what is known about the user apart from checks.
type Subject struct {
	// Ready are the factors that the user has set up and could be asked for.
	Ready Set
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
	// Options are the methods that would help.
	Options Set
	// Counted are the methods of the checks that count.
	Counted Set
	// Factors is how many kinds of factors the counted checks prove: 0, 1 or 2.
	Factors int
	// Until is when the first check that the verdict rests on runs out; zero for
	// one that rests on none.
	Until time.Time
	// Weakened: the user has set up second factors and the policy lists none of
	// them any more, so that one factor is enough where two were asked before.
	Weakened bool
}

// rule says when a method counts, and for how long. A nil function says no.
type rule struct {
	first, second func(*policy.LoginPolicy) bool
	lifetime      func(*policy.LoginPolicy) time.Duration
}

// rules is the whole of what the login policy says about methods.
//
//	method        first factor where            second factor where     counts for
//	password      passwords are allowed         never                   passwordCheckLifetime
//	external      external logins are allowed   never                   externalLoginCheckLifetime
//	              and the provider is linked
//	passkey       passwordless is allowed and   both factors at once    multiFactorCheckLifetime
//	              the multi factor is listed
//	passkey, u2f  never                         U2F is listed           secondFactorCheckLifetime
//	totp, …       never                         the factor is listed    secondFactorCheckLifetime
//	machine       always                        nobody asks             the token's own life
var rules = [methods]rule{
	Password:     {first: func(p *policy.LoginPolicy) bool { return p.AllowUsernamePassword }, lifetime: func(p *policy.LoginPolicy) time.Duration { return p.PasswordCheckLifetime }},
	External:     {first: func(p *policy.LoginPolicy) bool { return p.AllowExternalIDP }, lifetime: func(p *policy.LoginPolicy) time.Duration { return p.ExternalLoginCheckLifetime }},
	Passkey:      {first: passwordless, second: passkey, lifetime: passkeyLifetime},
	U2F:          {second: lists(policy.U2F), lifetime: secondLifetime},
	TOTP:         {second: lists(policy.TOTP), lifetime: secondLifetime},
	OTPEmail:     {second: lists(policy.OTPEmail), lifetime: secondLifetime},
	OTPSMS:       {second: lists(policy.OTPSMS), lifetime: secondLifetime},
	RecoveryCode: {second: lists(policy.RecoveryCodes), lifetime: secondLifetime},
	Machine:      {first: func(*policy.LoginPolicy) bool { return true }},
}

func passwordless(p *policy.LoginPolicy) bool {
	return p.PasswordlessAllowed == 1 && slices.Contains(p.MultiFactors, policy.U2FWithVerification)
}

func passkey(p *policy.LoginPolicy) bool {
	return passwordless(p) || slices.Contains(p.SecondFactors, policy.U2F)
}

func lists(f policy.SecondFactor) func(*policy.LoginPolicy) bool {
	return func(p *policy.LoginPolicy) bool { return slices.Contains(p.SecondFactors, f) }
}

func secondLifetime(p *policy.LoginPolicy) time.Duration { return p.SecondFactorCheckLifetime }

func passkeyLifetime(p *policy.LoginPolicy) time.Duration {
	if passwordless(p) {
		return p.MultiFactorCheckLifetime
	}
	return p.SecondFactorCheckLifetime
}

// isFirst and isSecond report whether the policy accepts a check in the role.
func isFirst(p *policy.LoginPolicy, c *Check) bool {
	r := &rules[c.Method]
	if r.first == nil || !r.first(p) {
		return false
	}
	return c.Method != External || slices.ContainsFunc(p.IDPs, func(l policy.LoginIDP) bool { return l.ID == c.IDP })
}

func isSecond(p *policy.LoginPolicy, m Method) bool {
	r := &rules[m]
	return r.second != nil && r.second(p)
}

// Allowed reports whether the policy lets the check be made at all.
func Allowed(p *policy.LoginPolicy, c Check) bool { return isFirst(p, &c) || isSecond(p, c.Method) }

// Judge holds the checks of a user against the login policy, at a time. Where
// several first factors were proved, the one that leads furthest decides. It
// allocates nothing.
func Judge(p *policy.LoginPolicy, s Subject, checks []Check, now time.Time) Verdict {
	var counted Set
	var second time.Time // when the second factor that lasts longest runs out
	proved := false
	for i := range checks {
		c := &checks[i]
		asSecond, end := isSecond(p, c.Method), expiry(p, c)
		if !asSecond && !isFirst(p, c) || !end.IsZero() && !now.Before(end) {
			continue
		}
		counted |= 1 << c.Method
		if asSecond && (!proved || end.After(second)) {
			second, proved = end, true
		}
	}
	out, found := Verdict{Need: FirstFactor, Options: firstOptions(p)}, false
	for i := range checks {
		if c := &checks[i]; counted.Has(c.Method) && isFirst(p, c) {
			if end := expiry(p, c); end.IsZero() || now.Before(end) {
				if v := judge(p, s, c, proved, second); !found || v.better(&out) {
					out, found = v, true
				}
			}
		}
	}
	out.Counted = counted
	return out
}

// Again says what a user has to prove again who shall be as sure as they can be made:
// by checks since a time, a first factor and, where they have set up a second one that
// the policy lists, that too. Of each set that is not empty, one method is missing.
func Again(p *policy.LoginPolicy, s Subject, checks []Check, since, now time.Time) (first, second Set) {
	recent := slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return c.At.Before(since) })
	v, listed := Judge(p, s, recent, now), secondOptions(p)
	if v.Factors < 2 && v.Counted&listed == 0 {
		second = listed & s.Ready
	}
	if v.Factors == 0 {
		first = firstOptions(p)
		if !s.Ready.Has(Passkey) {
			first &^= SetOf(Passkey)
		}
	}
	return first, second
}

// judge says how far a user has come with this first factor and, where one was
// proved, a second one until the given time.
func judge(p *policy.LoginPolicy, s Subject, first *Check, proved bool, second time.Time) Verdict {
	v := Verdict{Factors: 1, Until: expiry(p, first)}
	listed := secondOptions(p)
	usable := listed & s.Ready
	switch {
	case first.Method == Machine:
		v.Enough, v.Factors = true, 2
	case proved:
		v.Enough, v.Factors = true, 2
		v.Until = earliest(v.Until, second)
	case !demanded(p, first) && (usable == 0 || first.Method == External):
		v.Enough = true
		v.Weakened = first.Method == Password && s.Ready != 0
	case usable != 0:
		v.Need, v.Options = SecondFactor, usable
	case listed != 0:
		v.Need, v.Options = Enrolment, enrollable(listed)
	default:
		v.Need = Impossible
	}
	return v
}

// better reports whether v lets its user in where o does not, or for longer.
func (v *Verdict) better(o *Verdict) bool {
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

// defaults are the lifetimes of those that a policy leaves at zero: an own policy
// that names none must not let every check run out at once.
var defaults = policy.DefaultLogin()

// expiry is when a check runs out; zero for never.
func expiry(p *policy.LoginPolicy, c *Check) time.Time {
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

// demanded reports whether the policy wants a second factor after this first one.
func demanded(p *policy.LoginPolicy, first *Check) bool {
	if first.Method == External {
		return p.ForceMFA && !p.ForceMFALocalOnly
	}
	return p.ForceMFA || p.ForceMFALocalOnly
}

// secondOptions are the methods that the policy accepts as second factors.
func secondOptions(p *policy.LoginPolicy) (s Set) {
	for m := range methods {
		if isSecond(p, m) {
			s |= 1 << m
		}
	}
	return s
}

// enrollable leaves out what nobody sets up as their only factor: recovery codes
// stand in for another one.
func enrollable(s Set) Set {
	if left := s &^ SetOf(RecoveryCode); left != 0 {
		return left
	}
	return s
}

func firstOptions(p *policy.LoginPolicy) (s Set) {
	if passwordless(p) {
		s |= 1 << Passkey
	}
	if p.AllowUsernamePassword {
		s |= 1 << Password
	}
	if p.AllowExternalIDP && len(p.IDPs) > 0 {
		s |= 1 << External
	}
	return s
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
