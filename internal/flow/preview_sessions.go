package flow

import (
	"strconv"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// This file counts the sessions that lose assurance. The database sorts the live ones
// by what counts in them, which gives few sorts, and about each of these decides the
// same judge as about each request.

// mark says that a check counts in a role: its time is in the column, and the policy
// says for how long it does.
type mark struct {
	column   string
	method   assurance.Method
	lifetime func(*policy.LoginPolicy) time.Duration
}

func passwordLifetime(p *policy.LoginPolicy) time.Duration { return p.PasswordCheckLifetime }
func secondLifetime(p *policy.LoginPolicy) time.Duration   { return p.SecondFactorCheckLifetime }
func multiLifetime(p *policy.LoginPolicy) time.Duration    { return p.MultiFactorCheckLifetime }

// marks are the bits of a sort. A key has two roles, and is a passkey where the bit
// behind them is set.
var marks = []mark{
	{"webauthn_checked", assurance.U2F, multiLifetime}, {"webauthn_checked", assurance.U2F, secondLifetime},
	{"password_checked", assurance.Password, passwordLifetime}, {"totp_checked", assurance.TOTP, secondLifetime},
	{"sms_checked", assurance.OTPSMS, secondLifetime}, {"email_checked", assurance.OTPEmail, secondLifetime},
	{"recovery_checked", assurance.RecoveryCode, secondLifetime},
}

// The bits of keys.
const (
	keyAsMulti = 1 << iota
	keyAsSecond
)

// defaults are the lifetimes of those that a policy leaves at zero.
var defaults = policy.DefaultLogin()

// since is the time after which a check with the mark counts.
func (v *preview) since(m mark) time.Time {
	d := m.lifetime(&v.before.login)
	if d <= 0 {
		d = m.lifetime(&defaults)
	}
	return v.now.Add(-d)
}

// sessions is the query that counts the sessions which are enough now and would not be
// after the change.
func (v *preview) sessions(lost *uint64) database.Query {
	sort, cutoffs := "s.webauthn_verified * "+strconv.Itoa(1<<len(marks)), []any(nil)
	for i, m := range marks {
		sort += " + CASE WHEN s." + m.column + " > ? THEN " + strconv.Itoa(1<<i) + " ELSE 0 END"
		cutoffs = append(cutoffs, v.since(m).UnixMicro())
	}
	s := database.From("", `sessions s
		JOIN users u ON u.instance_id = s.instance_id AND u.user_id = s.user_id AND u.org_id = s.user_org AND u.created = s.user_since
		JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id
		LEFT JOIN user_factor_sets f ON f.instance_id = s.instance_id AND f.user_id = s.user_id`).
		Where("s.instance_id = ? AND s.ended = 0 AND (s.expires = 0 OR s.expires > ?)", v.scope.Instance, v.now.UnixMicro()).
		Where("u.state = ? AND o.state = ?", user.Active, org.Active)
	v.within(s, "s.user_org")
	v.narrow(s)
	return s.Tally([]string{sort, "COALESCE(f.factors, 0)"}, cutoffs, func(scan database.Scan) error {
		var sort int
		var ready int64
		var n uint64
		if err := scan(&sort, &ready, &n); err != nil {
			return err
		}
		if v.loses(sort, user.FactorSet(ready)) {
			*lost += n
		}
		return nil
	})
}

// checks gives back what a sort has in common: checks that count for just as long.
func (v *preview) checks(sort int) (out []assurance.Check) {
	for i, m := range marks {
		if sort>>i&1 == 1 && m.method != assurance.U2F {
			out = append(out, assurance.Check{Method: m.method, At: v.now})
		}
	}
	key := assurance.Check{Method: assurance.U2F, At: v.now}
	if sort>>len(marks)&1 == 1 {
		key.Method = assurance.Passkey
	}
	switch sort & (keyAsMulti | keyAsSecond) {
	case 0:
		return out
	case keyAsMulti:
		key.At = v.since(marks[1])
	case keyAsSecond:
		key.At = v.since(marks[0])
	}
	return append(out, key)
}

// loses reports whether a session of a sort is enough now and would not be, where its
// user has set up these factors.
func (v *preview) loses(sort int, ready user.FactorSet) bool {
	subject, checks := assurance.Subject{Ready: methodsOf(ready)}, v.checks(sort)
	return v.before.judge(subject, checks, v.now).Enough && !v.after.judge(subject, checks, v.now).Enough
}

// narrow leaves the sessions that have what all sorts have of which some could lose, and
// have not what none of these has: the database need not look at the users of the others.
func (v *preview) narrow(s *database.Select) {
	all, some := 2<<len(marks)-1, 0
	for sort := range 2 << len(marks) {
		for ready := range user.AllFactors + 1 {
			if v.loses(sort, ready) {
				all, some = all&sort, some|sort
				break
			}
		}
	}
	if some == 0 { // Nobody could.
		s.Where("1 = 0")
	}
	for i, m := range marks {
		switch {
		case all>>i&1 == 1:
			s.Where("s."+m.column+" > ?", v.since(m).UnixMicro())
		case some>>i&1 == 0:
			s.Where("s."+m.column+" <= ?", v.since(m).UnixMicro())
		}
	}
}
