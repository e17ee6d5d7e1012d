package assurance_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/policy"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is one row of the truth table, in plain flags.
type world struct {
	force, localOnly, password, external, passwordless, multi bool
	listU2F, listTOTP, listEmail                              bool
	readyPasskey, readyU2F, readyTOTP, readyEmail             bool
	// What was checked: 0 never, 1 a moment ago, 2 too long ago.
	didPassword, didExternal, didPasskey, didTOTP int
	// How far the plan has come by which the authenticator app goes, and keys too.
	plan stage
	keys bool
}

// stage is where a plan stands: none, made, closed, announced, off.
type stage int

const (
	none stage = iota
	planned
	closed
	announced
	off
)

// answer is what the oracle and the judge must agree on.
type answer struct {
	enough, weakened, loses bool
	need                    assurance.Need
	factors                 int
}

// oracle says in its own way what must come out.
func (w world) oracle() answer {
	fresh := func(did int) bool { return did == 1 }
	keyPlan := none
	if w.keys {
		keyPlan = w.plan
	}
	totp, u2f := w.listTOTP && w.plan < off, w.listU2F && keyPlan < off
	solo := w.passwordless && w.multi && keyPlan < off // A passkey alone is everything.
	ready := w.readyPasskey || w.readyU2F || w.readyTOTP || w.readyEmail
	byKey, byTOTP, byEmail := w.readyPasskey && (solo || u2f) || w.readyU2F && u2f, w.readyTOTP && totp, w.readyEmail && w.listEmail
	usable := byKey || byTOTP || byEmail
	byPassword := w.password && fresh(w.didPassword)
	byExternal := w.external && fresh(w.didExternal)
	byPasskey := solo && fresh(w.didPasskey)
	out := answer{factors: 1, loses: w.plan == announced && !byEmail && (byTOTP || byKey && w.keys) && (!byKey || w.keys)}
	if byPasskey {
		out.enough, out.factors = true, 2
		return out
	}
	if !byPassword && !byExternal {
		return answer{need: assurance.FirstFactor}
	}
	if totp && fresh(w.didTOTP) || u2f && fresh(w.didPasskey) {
		out.enough, out.factors = true, 2
		return out
	}
	afterExternal := w.force && !w.localOnly
	afterPassword := w.force || w.localOnly || usable
	switch {
	case byExternal && !afterExternal:
		out.enough = true
	case byPassword && !afterPassword:
		out.enough, out.weakened = true, ready
	case usable:
		out.need = assurance.SecondFactor
	case (solo || u2f) && keyPlan < closed || totp && w.plan < closed || w.listEmail:
		out.need = assurance.Enrolment
	default:
		out.need = assurance.Impossible
	}
	return out
}

// plans are those of a policy at now.
func (w world) plans() (out []policy.Retirement) {
	if w.plan == none {
		return nil
	}
	at := func(s stage) time.Time {
		if w.plan >= s {
			return now.Add(-time.Duration(off-s) * time.Second)
		}
		return now.Add(time.Duration(s) * time.Hour)
	}
	goes := func(f policy.Factor) {
		out = append(out, policy.Retirement{Factor: f, Closed: at(closed), Announced: at(announced), Off: at(off)})
	}
	goes(policy.Factor{Second: policy.TOTP})
	if w.keys {
		goes(policy.Factor{Second: policy.U2F})
		goes(policy.Factor{Multi: policy.U2FWithVerification})
	}
	return out
}

const (
	passwordLifetime = 10 * time.Hour
	externalLifetime = 9 * time.Hour
	secondLifetime   = 2 * time.Hour
	multiLifetime    = time.Hour
)

func (w world) policy() policy.LoginPolicy {
	p := policy.LoginPolicy{
		ForceMFA: w.force, ForceMFALocalOnly: w.localOnly, AllowUsernamePassword: w.password, AllowExternalIDP: w.external,
		PasswordCheckLifetime: passwordLifetime, ExternalLoginCheckLifetime: externalLifetime,
		SecondFactorCheckLifetime: secondLifetime, MultiFactorCheckLifetime: multiLifetime,
		IDPs: []policy.LoginIDP{{ID: "idp"}}, Retirements: w.plans(),
	}
	if w.passwordless {
		p.PasswordlessAllowed = 1
	}
	if w.multi {
		p.MultiFactors = []policy.MultiFactor{policy.U2FWithVerification}
	}
	for factor, listed := range map[policy.SecondFactor]bool{policy.U2F: w.listU2F, policy.TOTP: w.listTOTP, policy.OTPEmail: w.listEmail} {
		if listed {
			p.SecondFactors = append(p.SecondFactors, factor)
		}
	}
	return p
}

func (w world) subject() (s assurance.Subject) {
	for _, r := range []struct {
		ready  bool
		method assurance.Method
	}{{w.readyPasskey, assurance.Passkey}, {w.readyU2F, assurance.U2F}, {w.readyTOTP, assurance.TOTP}, {w.readyEmail, assurance.OTPEmail}} {
		if r.ready {
			s.Ready |= assurance.SetOf(r.method)
		}
	}
	return s
}

func (w world) checks() (out []assurance.Check) {
	add := func(did int, m assurance.Method, stale time.Duration) {
		switch did {
		case 1:
			out = append(out, assurance.Check{Method: m, At: now.Add(-time.Second), IDP: "idp"})
		case 2:
			out = append(out, assurance.Check{Method: m, At: now.Add(-stale), IDP: "idp"})
		}
	}
	add(w.didPassword, assurance.Password, passwordLifetime)
	add(w.didExternal, assurance.External, externalLifetime)
	stale := secondLifetime
	if w.passwordless && w.multi && (!w.keys || w.plan < off) {
		stale = multiLifetime
	}
	add(w.didPasskey, assurance.Passkey, stale)
	add(w.didTOTP, assurance.TOTP, secondLifetime)
	return out
}

// TestTruthTable holds every combination of policy, plans, factors and checks against
// the oracle.
func TestTruthTable(t *testing.T) {
	t.Parallel()
	for plan := none; plan <= off; plan++ {
		for _, keys := range []bool{false, true} {
			if plan == none && keys {
				continue
			}
			t.Run(fmt.Sprint(plan, keys), func(t *testing.T) {
				t.Parallel()
				world{plan: plan, keys: keys}.holdTable(t)
			})
		}
	}
}

func (w world) holdTable(t *testing.T) {
	t.Helper()
	flags := []*bool{
		&w.force, &w.localOnly, &w.password, &w.external, &w.passwordless, &w.multi, &w.listU2F, &w.listTOTP, &w.listEmail,
		&w.readyPasskey, &w.readyU2F, &w.readyTOTP, &w.readyEmail,
	}
	counters := []*int{&w.didPassword, &w.didExternal, &w.didPasskey, &w.didTOTP}
	rows, wrong := 0, 0
	for bits := range 1 << len(flags) {
		for i, f := range flags {
			*f = bits>>i&1 == 1
		}
		p, s := w.policy(), w.subject()
		for combination := range 3 * 3 * 3 * 3 {
			for i, n := 0, combination; i < len(counters); i, n = i+1, n/3 {
				*counters[i] = n % 3
			}
			rows++
			v := assurance.Judge(&p, s, w.checks(), now)
			got := answer{v.Enough, v.Weakened, !v.Loses.IsZero(), v.Need, v.Factors}
			if want := w.oracle(); got != want {
				t.Errorf("%+v:\n got %+v\nwant %+v", w, got, want)
				if wrong++; wrong == 5 {
					t.FailNow()
				}
			}
			if v.Enough && !v.Until.After(now) {
				t.Fatalf("%+v is enough until %s", w, v.Until)
			}
		}
	}
	if rows != 1<<13*81 {
		t.Errorf("only %d rows", rows)
	}
}

// TestRemovedFactor is the promise: from the removal on, nothing that was proved
// with the factor counts.
func TestRemovedFactor(t *testing.T) {
	t.Parallel()
	p := policy.DefaultLogin()
	p.ForceMFA = true
	user := assurance.Subject{Ready: assurance.SetOf(assurance.TOTP)}
	checks := []assurance.Check{{Method: assurance.Password, At: now.Add(-time.Minute)}, {Method: assurance.TOTP, At: now.Add(-time.Second)}}
	if v := assurance.Judge(&p, user, checks, now); !v.Enough || v.Factors != 2 || v.Counted != assurance.SetOf(assurance.Password, assurance.TOTP) {
		t.Fatalf("before: %+v", v)
	}
	p.SecondFactors = []policy.SecondFactor{policy.U2F}
	v := assurance.Judge(&p, user, checks, now)
	if v.Enough || v.Need != assurance.Enrolment || v.Counted != assurance.SetOf(assurance.Password) || !slices.Equal(v.Options.Methods(), []assurance.Method{assurance.Passkey, assurance.U2F}) {
		t.Errorf("after, demanded: %+v", v)
	}
	p.ForceMFA = false
	if v := assurance.Judge(&p, user, checks, now); !v.Enough || !v.Weakened || v.Factors != 1 {
		t.Errorf("after, not demanded: %+v", v)
	}
	p.ForceMFA, p.SecondFactors, p.MultiFactors = true, nil, nil
	if v := assurance.Judge(&p, user, checks, now); v.Enough || v.Need != assurance.Impossible {
		t.Errorf("with no factor left: %+v", v)
	}
	p.SecondFactors = []policy.SecondFactor{policy.TOTP}
	if v := assurance.Judge(&p, user, checks, now); !v.Enough {
		t.Errorf("listed again: %+v", v)
	}
}

func TestUntil(t *testing.T) {
	t.Parallel()
	p := policy.DefaultLogin()
	check := func(m assurance.Method, age time.Duration) assurance.Check {
		return assurance.Check{Method: m, At: now.Add(-age)}
	}
	for name, c := range map[string]struct {
		checks []assurance.Check
		want   time.Time
	}{
		"a password":                {[]assurance.Check{check(assurance.Password, time.Hour)}, now.Add(239 * time.Hour)},
		"the newer of two":          {[]assurance.Check{check(assurance.Password, time.Hour), check(assurance.Password, 2*time.Hour)}, now.Add(239 * time.Hour)},
		"password and second":       {[]assurance.Check{check(assurance.Password, time.Hour), check(assurance.TOTP, time.Hour)}, now.Add(17 * time.Hour)},
		"a passkey alone":           {[]assurance.Check{check(assurance.Passkey, time.Hour)}, now.Add(11 * time.Hour)},
		"a program rests on itself": {[]assurance.Check{check(assurance.Machine, time.Hour)}, time.Time{}},
	} {
		if v := assurance.Judge(&p, assurance.Subject{}, c.checks, now); !v.Enough || !v.Until.Equal(c.want) {
			t.Errorf("%s: %+v, want until %s", name, v, c.want)
		}
	}
}

// TestLifetimeOfZero: a policy that names no lifetimes has those of a new instance.
func TestLifetimeOfZero(t *testing.T) {
	t.Parallel()
	p := policy.LoginPolicy{AllowUsernamePassword: true}
	for age, enough := range map[time.Duration]bool{0: true, 239 * time.Hour: true, 240 * time.Hour: false} {
		v := assurance.Judge(&p, assurance.Subject{}, []assurance.Check{{Method: assurance.Password, At: now.Add(-age)}}, now)
		if v.Enough != enough {
			t.Errorf("a password of %s ago: %+v", age, v)
		}
	}
}

// TestUnlinkedProvider: an external login counts while the policy has its provider.
func TestUnlinkedProvider(t *testing.T) {
	t.Parallel()
	p := policy.DefaultLogin()
	p.IDPs = []policy.LoginIDP{{ID: "one"}}
	for idp, enough := range map[string]bool{"one": true, "two": false, "": false} {
		v := assurance.Judge(&p, assurance.Subject{}, []assurance.Check{{Method: assurance.External, At: now, IDP: idp}}, now)
		if v.Enough != enough {
			t.Errorf("%q: %+v", idp, v)
		}
	}
}

// TestAgain: to be sure of somebody takes a recent first factor, and a recent second
// one of those who have one that is listed.
func TestAgain(t *testing.T) {
	t.Parallel()
	of := assurance.SetOf
	p := policy.DefaultLogin()
	p.IDPs = []policy.LoginIDP{{ID: "idp"}}
	const late, soon = 20 * time.Minute, time.Minute
	check := func(m assurance.Method, age time.Duration) assurance.Check {
		return assurance.Check{Method: m, At: now.Add(-age), IDP: "idp"}
	}
	first := of(assurance.Password, assurance.External)
	for name, c := range map[string]struct {
		ready         assurance.Set
		checks        []assurance.Check
		first, second assurance.Set
	}{
		"nothing":                 {0, nil, first, 0},
		"a password":              {0, []assurance.Check{check(assurance.Password, soon)}, 0, 0},
		"an old one":              {0, []assurance.Check{check(assurance.Password, late)}, first, 0},
		"an app is set up":        {of(assurance.TOTP), []assurance.Check{check(assurance.Password, soon)}, 0, of(assurance.TOTP)},
		"also after a provider":   {of(assurance.TOTP), []assurance.Check{check(assurance.External, soon)}, 0, of(assurance.TOTP)},
		"the app is old":          {of(assurance.TOTP), []assurance.Check{check(assurance.Password, soon), check(assurance.TOTP, late)}, 0, of(assurance.TOTP)},
		"the password is old":     {of(assurance.TOTP), []assurance.Check{check(assurance.Password, late), check(assurance.TOTP, soon)}, first, 0},
		"both":                    {of(assurance.TOTP), []assurance.Check{check(assurance.Password, soon), check(assurance.TOTP, soon)}, 0, 0},
		"mail is not listed":      {of(assurance.OTPEmail), []assurance.Check{check(assurance.Password, soon)}, 0, 0},
		"a passkey is everything": {of(assurance.Passkey, assurance.TOTP), []assurance.Check{check(assurance.Passkey, soon)}, 0, 0},
		"an old passkey":          {of(assurance.Passkey), []assurance.Check{check(assurance.Passkey, late)}, first | of(assurance.Passkey), of(assurance.Passkey)},
	} {
		a, b := assurance.Again(&p, assurance.Subject{Ready: c.ready}, c.checks, now.Add(-15*time.Minute), now)
		if a != c.first || b != c.second {
			t.Errorf("%s: %s and %s, want %s and %s", name, a.Methods(), b.Methods(), c.first.Methods(), c.second.Methods())
		}
	}
}

// TestJudgeIsCheap: it runs in every request.
func TestJudgeIsCheap(t *testing.T) {
	p, user, checks := usual()
	if n := testing.AllocsPerRun(100, func() { assurance.Judge(&p, user, checks, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// usual is a login with two factors, of which one is planned to go.
func usual() (policy.LoginPolicy, assurance.Subject, []assurance.Check) {
	p := policy.DefaultLogin()
	p.ForceMFA = true
	p.Retirements = world{plan: announced}.plans()
	checks := []assurance.Check{{Method: assurance.Password, At: now}, {Method: assurance.TOTP, At: now}}
	return p, assurance.Subject{Ready: assurance.SetOf(assurance.TOTP)}, checks
}

func BenchmarkJudge(b *testing.B) {
	p, user, checks := usual()
	for b.Loop() {
		assurance.Judge(&p, user, checks, now)
	}
}

// TestOnlyLocal: who logged in elsewhere needs no second factor where the policy demands one of
// local logins only, and does where it demands one of all.
func TestOnlyLocal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ all, local, external, password bool }{
		{false, false, true, true}, {true, false, false, false}, {false, true, true, false}, {true, true, true, false},
	} {
		p := policy.DefaultLogin()
		p.ForceMFA, p.ForceMFALocalOnly, p.AllowExternalIDP, p.IDPs = c.all, c.local, true, []policy.LoginIDP{{ID: "idp"}}
		for m, want := range map[assurance.Method]bool{assurance.External: c.external, assurance.Password: c.password} {
			if v := assurance.Judge(&p, assurance.Subject{}, []assurance.Check{{Method: m, IDP: "idp", At: now.Add(-time.Minute)}}, now); v.Enough != want {
				t.Errorf("demanded of all %v, of local logins %v, method %v: %+v", c.all, c.local, m, v)
			}
		}
	}
}
