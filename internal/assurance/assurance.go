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
	// Loses is when the last second factor that the user has set up and that counts is
	// off, where that is announced; zero where it is not.
	Loses time.Time
}

// rule says when a method counts, and for how long. A nil function says no.
type rule struct {
	first, second func(*policy.LoginPolicy, time.Time) bool
	lifetime      func(*policy.LoginPolicy, time.Time) time.Duration
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
	Password:     {first: func(p *policy.LoginPolicy, _ time.Time) bool { return p.AllowUsernamePassword }, lifetime: func(p *policy.LoginPolicy, _ time.Time) time.Duration { return p.PasswordCheckLifetime }},
	External:     {first: func(p *policy.LoginPolicy, _ time.Time) bool { return p.AllowExternalIDP }, lifetime: func(p *policy.LoginPolicy, _ time.Time) time.Duration { return p.ExternalLoginCheckLifetime }},
	Passkey:      {first: passwordless, second: passkey, lifetime: passkeyLifetime},
	U2F:          {second: lists(policy.U2F), lifetime: secondLifetime},
	TOTP:         {second: lists(policy.TOTP), lifetime: secondLifetime},
	OTPEmail:     {second: lists(policy.OTPEmail), lifetime: secondLifetime},
	OTPSMS:       {second: lists(policy.OTPSMS), lifetime: secondLifetime},
	RecoveryCode: {second: lists(policy.RecoveryCodes), lifetime: secondLifetime},
	Machine:      {first: func(*policy.LoginPolicy, time.Time) bool { return true }},
}

// The factors of keys.
var (
	keyFactor     = policy.Factor{Second: policy.U2F}
	passkeyFactor = policy.Factor{Multi: policy.U2FWithVerification}
)

func passwordless(p *policy.LoginPolicy, now time.Time) bool {
	return p.PasswordlessAllowed == 1 && p.Lists(passkeyFactor, now)
}

func passkey(p *policy.LoginPolicy, now time.Time) bool {
	return passwordless(p, now) || p.Lists(keyFactor, now)
}

func lists(f policy.SecondFactor) func(*policy.LoginPolicy, time.Time) bool {
	return func(p *policy.LoginPolicy, now time.Time) bool { return p.Lists(policy.Factor{Second: f}, now) }
}

func secondLifetime(p *policy.LoginPolicy, _ time.Time) time.Duration {
	return p.SecondFactorCheckLifetime
}

func passkeyLifetime(p *policy.LoginPolicy, now time.Time) time.Duration {
	if passwordless(p, now) {
		return p.MultiFactorCheckLifetime
	}
	return p.SecondFactorCheckLifetime
}

// factors are the names that login policies have for the methods that need to be set
// up. A passkey can be listed by each of two.
var factors = [methods][2]policy.Factor{
	Passkey: {passkeyFactor, keyFactor}, U2F: {keyFactor}, TOTP: {{Second: policy.TOTP}}, OTPEmail: {{Second: policy.OTPEmail}},
	OTPSMS: {{Second: policy.OTPSMS}}, RecoveryCode: {{Second: policy.RecoveryCodes}},
}

// isFirst and isSecond report whether the policy accepts a check in the role.
func isFirst(p *policy.LoginPolicy, c *Check, now time.Time) bool {
	r := &rules[c.Method]
	if r.first == nil || !r.first(p, now) {
		return false
	}
	return c.Method != External || slices.ContainsFunc(p.IDPs, func(l policy.LoginIDP) bool { return l.ID == c.IDP })
}

func isSecond(p *policy.LoginPolicy, m Method, now time.Time) bool {
	r := &rules[m]
	return r.second != nil && r.second(p, now)
}

// Allowed reports whether the policy lets the check be made at all.
func Allowed(p *policy.LoginPolicy, c Check, now time.Time) bool {
	return isFirst(p, &c, now) || isSecond(p, c.Method, now)
}

// Judge holds the checks of a user against the login policy, at a time. Where
// several first factors were proved, the one that leads furthest decides. It
// allocates nothing.
func Judge(p *policy.LoginPolicy, s Subject, checks []Check, now time.Time) Verdict {
	var counted Set
	var second time.Time // when the second factor that lasts longest runs out
	proved := false
	for i := range checks {
		c := &checks[i]
		asSecond, end := isSecond(p, c.Method, now), expiry(p, c, now)
		if !asSecond && !isFirst(p, c, now) || !end.IsZero() && !now.Before(end) {
			continue
		}
		counted |= 1 << c.Method
		if asSecond && (!proved || end.After(second)) {
			second, proved = end, true
		}
	}
	out, found := Verdict{Need: FirstFactor, Options: firstOptions(p, now)}, false
	for i := range checks {
		if c := &checks[i]; counted.Has(c.Method) && isFirst(p, c, now) {
			if end := expiry(p, c, now); end.IsZero() || now.Before(end) {
				if v := judge(p, s, c, proved, second, now); !found || v.better(&out) {
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
	v, listed := Judge(p, s, recent, now), secondOptions(p, now)
	if v.Factors < 2 && v.Counted&listed == 0 {
		second = listed & s.Ready
	}
	if v.Factors == 0 {
		first = firstOptions(p, now)
		if !s.Ready.Has(Passkey) {
			first &^= SetOf(Passkey)
		}
	}
	return first, second
}

// judge says how far a user has come with this first factor and, where one was
// proved, a second one until the given time.
func judge(p *policy.LoginPolicy, s Subject, first *Check, proved bool, second, now time.Time) Verdict {
	v := Verdict{Factors: 1, Until: expiry(p, first, now)}
	listed := secondOptions(p, now)
	usable, open := listed&s.Ready, openOptions(p, listed, now)
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
	case open != 0:
		v.Need, v.Options = Enrolment, enrollable(open)
	default:
		v.Need = Impossible
	}
	v.Loses = lastEnd(p, usable, now)
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
func expiry(p *policy.LoginPolicy, c *Check, now time.Time) time.Time {
	lifetime := rules[c.Method].lifetime
	if lifetime == nil {
		return time.Time{}
	}
	d := lifetime(p, now)
	if d <= 0 {
		d = lifetime(&defaults, now)
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
func secondOptions(p *policy.LoginPolicy, now time.Time) (s Set) {
	for m := range methods {
		if isSecond(p, m, now) {
			s |= 1 << m
		}
	}
	return s
}

// openOptions leaves out the methods that nobody can set up any more.
func openOptions(p *policy.LoginPolicy, listed Set, now time.Time) (s Set) {
	for m := range methods {
		if listed.Has(m) && enrols(p, m, now) {
			s |= 1 << m
		}
	}
	return s
}

// enrols reports whether the method can be set up: a passkey, where it can be a login
// of its own.
func enrols(p *policy.LoginPolicy, m Method, now time.Time) bool {
	if m == Passkey && !passwordless(p, now) {
		return false
	}
	return p.Enrols(factors[m][0], now)
}

// lastEnd is when the last of the methods that a user could be asked for is off, where
// that is announced for all of them.
func lastEnd(p *policy.LoginPolicy, usable Set, now time.Time) (last time.Time) {
	for m := range methods {
		if !usable.Has(m) {
			continue
		}
		end := ends(p, m, now)
		if end.IsZero() {
			return time.Time{}
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// ends is when the method is off by all its names.
func ends(p *policy.LoginPolicy, m Method, now time.Time) (last time.Time) {
	for _, f := range factors[m] {
		if f == (policy.Factor{}) || f == passkeyFactor && p.PasswordlessAllowed != 1 || !p.Lists(f, now) {
			continue
		}
		end := p.Ends(f, now)
		if end.IsZero() {
			return time.Time{}
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// enrollable leaves out what nobody sets up as their only factor: recovery codes
// stand in for another one.
func enrollable(s Set) Set {
	if left := s &^ SetOf(RecoveryCode); left != 0 {
		return left
	}
	return s
}

func firstOptions(p *policy.LoginPolicy, now time.Time) (s Set) {
	if passwordless(p, now) {
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
