package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

// methodOf gives the method that a factor is checked by.
var methodOf = map[user.FactorKind]assurance.Method{
	user.TOTP: assurance.TOTP, user.U2F: assurance.U2F, user.Passkey: assurance.Passkey,
	user.OTPSMS: assurance.OTPSMS, user.OTPEmail: assurance.OTPEmail, user.Recovery: assurance.RecoveryCode,
}

// methodsOf gives the methods that the factors which somebody has set up are checked by.
func methodsOf(s user.FactorSet) (out assurance.Set) {
	for _, k := range s.Kinds() {
		out |= assurance.SetOf(methodOf[k])
	}
	return out
}

// Assured is a session with the answer to what its checks are worth now.
type Assured struct {
	assurance.Verdict
	Session session.Session
	rules   rules
	ready   assurance.Set
	active  bool // there is such a user, who is active in an active organization
}

// Login is the login policy that the verdict rests on.
func (a *Assured) Login() *policy.LoginPolicy { return &a.rules.login }

// Ready are the factors that the session's user has set up and could be asked for.
func (a *Assured) Ready() assurance.Set { return a.ready }

// rules are the login policy that holds for somebody, and how it is enforced.
type rules struct {
	login       policy.LoginPolicy
	enforcement policy.EnforcementPolicy
}

const (
	sessionSQL = "SELECT " + session.Columns + `, COALESCE(u.state, 0), COALESCE(o.state, 0), COALESCE(f.factors, 0) FROM sessions s
		LEFT JOIN user_factor_sets f ON f.instance_id = s.instance_id AND f.user_id = s.user_id
		LEFT JOIN users u ON u.instance_id = s.instance_id AND u.user_id = s.user_id AND u.org_id = s.user_org AND u.created = s.user_since
		LEFT JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id WHERE `
	sessionRulesSQL = `SELECT p.kind, p.document FROM sessions s JOIN policies p ON p.instance_id = s.instance_id AND p.org_id IN (s.user_org, '')
		AND p.kind IN ('policy.login', 'policy.enforcement') WHERE %s ORDER BY p.org_id`
)

// logins are the login policies that were read.
var logins policy.Parsed[policy.LoginPolicy]

// read is the row of sessionRulesSQL and rulesOf: what is the organization's
// own comes last and replaces the default as a whole.
func (r *rules) read(scan database.Scan) error {
	var kind string
	var document []byte
	err := scan(&kind, &document)
	if err == nil && kind == "policy.login" {
		r.login, err = logins.Of(document)
	} else if err == nil {
		err = json.Unmarshal(document, &r.enforcement)
	}
	return err
}

// rulesOf asks for the rules of a scope.
func rulesOf(s eventstore.Scope, r *rules) database.Query {
	return r.query(s.Instance, database.OneOf("p.org_id", []string{"", s.Org}))
}

// rulesOfFirst asks for the rules of the organization that a select finds first.
func rulesOfFirst(instance string, org *database.Select, r *rules) database.Query {
	return r.query(instance, func(s *database.Select) { s.OrFirst("p.org_id", "", org) })
}

func (r *rules) query(instance string, of database.Filter) database.Query {
	return r.asked(database.From("p.kind, p.document", "policies p").
		Where("p.instance_id = ? AND p.kind IN ('policy.login', 'policy.enforcement')", instance).Filter(of).Order("p.org_id").Rows(r.read))
}

// queries ask for everything that judge needs about the session s that meets a
// condition: they are made in one round trip.
func (a *Assured) queries(condition string, args ...any) []database.Query {
	return []database.Query{
		{SQL: sessionSQL + condition, Args: args, Row: func(scan database.Scan) error {
			var userState, orgState int
			var factors int64
			err := a.Session.Read(func(dest ...any) error { return scan(append(dest, &userState, &orgState, &factors)...) })
			a.active = userState == user.Active && orgState == org.Active
			a.ready = methodsOf(user.FactorSet(factors))
			return err
		}},
		a.rules.asked(database.Query{SQL: fmt.Sprintf(sessionRulesSQL, condition), Args: args, Row: a.rules.read}),
	}
}

// judge gives the verdict. Who is not active, or whose session is over, has none.
func (a *Assured) judge(now time.Time) {
	if s := &a.Session; a.active && !s.Ended && !s.Expired(now) {
		a.Verdict = a.rules.judge(assurance.Subject{Ready: a.ready}, checksOf(s), now)
	}
}

// judge holds checks against the rules. Where they are lenient, a factor that is
// not listed may lead to the end too.
func (r *rules) judge(s assurance.Subject, checks []assurance.Check, now time.Time) assurance.Verdict {
	v := assurance.Judge(&r.login, s, checks, now)
	if r.enforcement.Strict() {
		return v
	}
	v.Weakened = false
	lenient := r.lenient()
	if w := assurance.Judge(&lenient, s, checks, now); !v.Enough && w.Enough {
		return w
	}
	return v
}

// lenient is the login policy as if it listed every factor.
func (r *rules) lenient() policy.LoginPolicy {
	p := r.login
	p.SecondFactors = []policy.SecondFactor{policy.TOTP, policy.U2F, policy.OTPEmail, policy.OTPSMS, policy.RecoveryCodes}
	p.MultiFactors = []policy.MultiFactor{policy.U2FWithVerification}
	p.Retirements = nil
	return p
}

// recent is for how long a proof is enough for a user who changes how they log in.
const recent = 15 * time.Minute

// sure refuses a session in which its user has not just proved all that they can: see
// authz.RequireSure.
func (a *Assured) sure(now time.Time) error {
	login := a.rules.login
	if !a.rules.enforcement.Strict() {
		login = a.rules.lenient()
	}
	first, second := assurance.Again(&login, assurance.Subject{Ready: a.ready}, checksOf(&a.Session), now.Add(-recent), now)
	minutes := int(recent.Minutes())
	switch {
	case first|second == 0:
		return nil
	case first != 0 && second != 0:
		return fault.Precondition("AUTH-reauth", "Prove again who you are before you do this: check %s, and then %s, in this session. What was checked counts for %d minutes here.",
			oneOf(first), oneOf(second), minutes)
	}
	return fault.Precondition("AUTH-reauth", "Prove again who you are before you do this: check %s in this session. What was checked counts for %d minutes here.",
		oneOf(first|second), minutes)
}

// spoken are the methods as people call them.
var spoken = map[assurance.Method]*fault.Phrase{
	assurance.Password: fault.Say("the password"), assurance.External: fault.Say("the identity provider"), assurance.Passkey: fault.Say("the passkey"),
	assurance.U2F: fault.Say("the security key"), assurance.TOTP: fault.Say("a code of the authenticator app"), assurance.OTPEmail: fault.Say("a code by mail"),
	assurance.OTPSMS: fault.Say("a code by SMS"), assurance.RecoveryCode: fault.Say("a recovery code"), assurance.Machine: fault.Say("the secret of the program"),
}

// oneOf names the methods of a set, in words for people.
func oneOf(s assurance.Set) (words *fault.Phrase) {
	for _, m := range s.Methods() {
		if words == nil {
			words = spoken[m]
			continue
		}
		words = fault.Say("%s or %s", words, spoken[m])
	}
	return words
}

// Caller is the user of the session, who acts on themselves with nothing but it: of
// those who look at sessions by themselves, as the gate does.
func (a *Assured) Caller(now time.Time) *authz.Caller {
	s := &a.Session
	return &authz.Caller{
		Instance: s.Instance, UserID: s.UserID, HomeOrg: s.UserOrg, Org: s.UserOrg, SessionID: s.ID,
		Sure: func() error { return a.sure(now) },
	}
}

// errFactor refuses a check with a factor that is not for these users, or no longer.
var errFactor = fault.Precondition("SESSION-factor", "The login policy does not allow this factor.")

// allow refuses to check what the login policy does not list.
func (r *rules) allow(now time.Time, methods ...assurance.Method) error {
	p := r.login
	if !r.enforcement.Strict() {
		p = r.lenient()
	}
	if !slices.ContainsFunc(methods, func(m assurance.Method) bool { return assurance.Allowed(&p, assurance.Check{Method: m}, now) }) {
		return errFactor
	}
	return nil
}

// checksOf lists what was proved in a session.
func checksOf(s *session.Session) (out []assurance.Check) {
	key := assurance.U2F
	if s.UserVerified {
		key = assurance.Passkey
	}
	for _, c := range []assurance.Check{
		{Method: assurance.Password, At: s.PasswordChecked}, {Method: key, At: s.WebAuthNChecked}, {Method: assurance.TOTP, At: s.TOTPChecked},
		{Method: assurance.OTPSMS, At: s.SMSChecked}, {Method: assurance.OTPEmail, At: s.EmailChecked}, {Method: assurance.RecoveryCode, At: s.RecoveryChecked},
	} {
		if !c.At.IsZero() {
			out = append(out, c)
		}
	}
	return out
}

// Assurance says what a session's checks are worth by the login policy of its
// user's organization as it is now, in one round trip. A session that is not
// there has no id and is worth nothing.
func Assurance(ctx context.Context, store *eventstore.Store, instance, sessionID string) (Assured, error) {
	var a Assured
	err := store.Read(ctx, a.queries("s.instance_id = ? AND s.session_id = ?", instance, sessionID)...)
	a.judge(store.Now())
	return a, err
}

// SessionAssurance is Assurance for who may read the session or has its token.
func SessionAssurance(ctx context.Context, store *eventstore.Store, id, token string) (Assured, error) {
	a, err := Assurance(ctx, store, authz.From(ctx).Instance, id)
	if err == nil {
		err = a.Session.Admit(ctx, session.ToRead, hashOf(token), store.Now())
	}
	if err != nil {
		return Assured{}, err
	}
	return a, nil
}

// noteWeakened writes, once in a session, that one factor was enough where the user
// has others that the login policy lists no more.
func (a *Assured) noteWeakened(ctx context.Context, store *eventstore.Store) error {
	if !a.Weakened || a.Session.Weakened {
		return nil
	}
	ctx = eventstore.WithOrigin(ctx, eventstore.Origin{Creator: a.Session.UserID})
	return store.Write(ctx, func(tx *eventstore.Tx) error { return session.NoteWeakened(tx, a.Session.Instance, a.Session.ID) })
}
