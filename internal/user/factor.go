package user

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func init() {
	eventstore.DeclareTable("user_factors", "instance_id, user_id, factor_id",
		"kind, state, name, document, secret, counter, backed_up, created, changed, sequence")
}

// FactorKind is a way in which a human can prove themselves besides the password.
type FactorKind string

// The kinds.
const (
	TOTP     FactorKind = "totp"
	U2F      FactorKind = "u2f"
	Passkey  FactorKind = "passkey"
	OTPSMS   FactorKind = "otp_sms"
	OTPEmail FactorKind = "otp_email"
	Recovery FactorKind = "recovery"
)

// The states of a factor, numbered as on the wire. One that is not ready was
// begun and proves nothing.
const (
	FactorNotReady = 1
	FactorReady    = 2
)

// Factor is what may be shown of a factor.
type Factor struct {
	ID    string // of a key; others are named by their kind
	Kind  FactorKind
	State int
	Name  string // that the user gave to a key
	Key   Key
}

// factor is a factor as it is stored.
type factor struct {
	Factor
	secret   string
	counter  int64
	backedUp bool
}

// foldFactor writes a factor as the event makes it; a former one of the id is gone.
func foldFactor(f *eventstore.Fold, n factor) error {
	document := ""
	if n.Key.RPID != "" {
		data, err := json.Marshal(n.Key)
		if err != nil {
			return err
		}
		document = string(data)
	}
	f.Exec(`INSERT INTO user_factors (instance_id, user_id, factor_id, kind, state, name, document, secret, counter, backed_up, created, changed, sequence)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance_id, user_id, factor_id) DO UPDATE SET kind = excluded.kind, state = excluded.state, name = excluded.name,
			document = excluded.document, secret = excluded.secret, counter = excluded.counter, backed_up = excluded.backed_up,
			created = excluded.created, changed = excluded.changed, sequence = excluded.sequence`,
		f.Instance, f.ID, n.ID, string(n.Kind), n.State, n.Name, document, n.secret, n.counter, flag(n.backedUp), f.Micros(), f.Micros(), f.Sequence)
	return nil
}

func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}

// foldGone deletes the factors of a kind.
func foldGone(kind FactorKind) func(*eventstore.Fold, eventstore.None) error {
	return andSet(func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("DELETE FROM user_factors WHERE instance_id = ? AND user_id = ? AND kind = ?", f.Instance, f.ID, string(kind))
		return nil
	})
}

// foldNothing is the fold of events that say what happened and change nothing.
func foldNothing[P any](*eventstore.Fold, P) error { return nil }

var (
	errFactorMissing = fault.NotFound("USER-factor-missing", "The user has no such factor.")
	errFactorExists  = fault.AlreadyExists("USER-factor-exists", "The user has this factor already. Remove it first.")
	errAsleep        = fault.Precondition("USER-not-active", "The user is not active.")
	errClosed        = fault.Precondition("USER-factor-closed", "This factor is about to end and cannot be set up any more. Choose another one.")
	errNotListed     = fault.Precondition("USER-factor-policy", "The login policy of the user's organization does not list this factor. Add it there first.")
)

// enrolment is what a verb knows of the factors of a user.
type enrolment struct {
	state                        int
	kind                         string
	emailVerified, phoneVerified bool
	hasPassword                  bool
	org, email, language         string
	factors                      []factor
	found                        bool
}

// queries read the enrolment of a user in one round trip. A user without a row is
// not found.
func (e *enrolment) queries(instance, userID string) []database.Query {
	var email, phone, password int
	*e = enrolment{} // The transaction may run again.
	return []database.Query{
		{
			SQL: `SELECT u.org_id, u.state, u.kind, COALESCE(h.email_verified, 0), COALESCE(h.phone_verified, 0), CASE WHEN COALESCE(h.password_hash, '') = '' THEN 0 ELSE 1 END,
				COALESCE(h.email, ''), COALESCE(h.preferred_language, '')
				FROM users u LEFT JOIN humans h ON h.instance_id = u.instance_id AND h.user_id = u.user_id
				WHERE u.instance_id = ? AND u.user_id = ?`,
			Args: []any{instance, userID},
			Row: func(scan database.Scan) error {
				err := scan(&e.org, &e.state, &e.kind, &email, &phone, &password, &e.email, &e.language)
				e.found, e.emailVerified, e.phoneVerified, e.hasPassword = true, email == 1, phone == 1, password == 1
				return err
			},
		},
		{
			SQL: `SELECT factor_id, kind, state, name, document, secret, counter, backed_up FROM user_factors
				WHERE instance_id = ? AND user_id = ? ORDER BY created, sequence, factor_id`,
			Args: []any{instance, userID},
			Row: func(scan database.Scan) error {
				var n factor
				var kind string
				var document []byte
				var backedUp int
				if err := scan(&n.ID, &kind, &n.State, &n.Name, &document, &n.secret, &n.counter, &backedUp); err != nil {
					return err
				}
				n.Kind, n.backedUp = FactorKind(kind), backedUp == 1
				e.factors = append(e.factors, n)
				if len(document) == 0 {
					return nil
				}
				return json.Unmarshal(document, &e.factors[len(e.factors)-1].Key)
			},
		},
	}
}

// of gives the factors of a kind.
func (e *enrolment) of(kinds ...FactorKind) (out []factor) {
	for _, f := range e.factors {
		if slices.Contains(kinds, f.Kind) {
			out = append(out, f)
		}
	}
	return out
}

// one gives the factor of a kind of which a user has one at most.
func (e *enrolment) one(kind FactorKind) (factor, bool) {
	if all := e.of(kind); len(all) > 0 {
		return all[0], true
	}
	return factor{}, false
}

// usable reports whether the factor could be asked for. A code can be sent only to
// where the user is known to get it.
func (e *enrolment) usable(f factor) bool {
	switch {
	case f.State != FactorReady:
		return false
	case f.Kind == OTPSMS:
		return e.phoneVerified
	case f.Kind == OTPEmail:
		return e.emailVerified
	}
	return true
}

// mayAct refuses who is neither the user nor has permission on them.
func mayAct(ctx context.Context, r Ref, permission string) error {
	if c := authz.From(ctx); c != nil && !c.System && !c.SystemUser && c.Instance == r.Instance && c.UserID == r.UserID {
		return nil
	}
	return authz.Require(ctx, permission, r.Org)
}

// The permissions that acting on the factors of others needs. A passkey is a login of
// its own.
const (
	toEnrol        = "user.credential.write"
	toEnrolLogin   = "user.passkey.write"
	toRemoveFactor = "user.write"
	toSeeFactors   = "user.read"
)

// admit refuses who may not act on the user, who is not sure enough of themselves, and
// users without factors. Where the permission is empty, the caller has shown that they
// may.
func (e *enrolment) admit(ctx context.Context, r Ref, permission string) error {
	if permission != "" {
		if err := mayAct(ctx, r, permission); err != nil {
			return err
		}
	}
	switch {
	case !e.found || e.org != r.Org:
		return errMissing
	case e.kind != KindHuman:
		return ErrNoHuman
	case permission != "":
		return sure(ctx, r.UserID)
	}
	return nil
}

// lockFactors holds a human and reads their factors. Everybody may act on
// themselves, on others who has the permission.
func lockFactors(tx *eventstore.Tx, r Ref, permission string) (*enrolment, error) {
	e := &enrolment{}
	if _, err := tx.Lock(r.aggregate(), e.queries(r.Instance, r.UserID)...); err != nil {
		return nil, err
	}
	return e, e.admit(tx.Context(), r, permission)
}

// readEnrolment is lockFactors without holding the user.
func readEnrolment(ctx context.Context, store database.Reader, r Ref, permission string) (*enrolment, error) {
	e := &enrolment{}
	if err := store.Read(ctx, e.queries(r.Instance, r.UserID)...); err != nil {
		return nil, err
	}
	return e, e.admit(ctx, r, permission)
}

// requireEnrols refuses to set up a factor that the login policy of the user's
// organization does not list, or is about to list no more.
func requireEnrols(tx *eventstore.Tx, r Ref, kind FactorKind) error {
	p, err := policy.Login.Resolve(tx.Context(), tx.Reader(), policy.Scope{Instance: r.Instance, Org: r.Org})
	switch {
	case err != nil:
		return err
	case !lists(p.Doc, kind, tx.Now()):
		return errNotListed
	case !p.Doc.Enrols(factorOf[kind], tx.Now()):
		return errClosed
	}
	return nil
}

// requireCounted refuses to check a factor that the login policy does not list. Where
// the instance's enforcement is lenient, what somebody has set up counts all the same.
func requireCounted(tx *eventstore.Tx, r Ref, kinds ...FactorKind) error {
	return counts(tx.Context(), tx.Reader(), tx.Now(), r, kinds...)
}

// counts is requireCounted for who does not hold the user yet.
func counts(ctx context.Context, store database.Reader, now time.Time, r Ref, kinds ...FactorKind) error {
	p, err := policy.Login.Resolve(ctx, store, policy.Scope{Instance: r.Instance, Org: r.Org})
	if err != nil || slices.ContainsFunc(kinds, func(k FactorKind) bool { return lists(p.Doc, k, now) }) {
		return err
	}
	e, err := policy.Enforcement.Resolve(ctx, store, r.Instance)
	if err == nil && e.Doc.Strict() {
		err = errNotListed
	}
	return err
}

// factorOf gives the names that login policies have for the kinds.
var factorOf = map[FactorKind]policy.Factor{
	TOTP: {Second: policy.TOTP}, U2F: {Second: policy.U2F}, OTPSMS: {Second: policy.OTPSMS}, OTPEmail: {Second: policy.OTPEmail},
	Recovery: {Second: policy.RecoveryCodes}, Passkey: {Multi: policy.U2FWithVerification},
}

func lists(p policy.LoginPolicy, kind FactorKind, now time.Time) bool {
	return (kind != Passkey || p.PasswordlessAllowed == 1) && p.Lists(factorOf[kind], now)
}

// Factors lists the factors of a user, except for recovery codes, in the order of
// their addition.
func Factors(ctx context.Context, store database.Reader, r Ref) ([]Factor, error) {
	e, err := seeFactors(ctx, store, r)
	if err != nil {
		return nil, err
	}
	out := []Factor{}
	for _, f := range e.factors {
		if f.Kind != Recovery {
			out = append(out, f.Factor)
		}
	}
	return out, nil
}

// Methods are the ways in which a user can authenticate.
type Methods struct {
	Password bool
	Linked   bool         // to an account of an identity provider
	Factors  []FactorKind // each once, in the order of their addition
}

// MethodsOf gives the ways in which a user can authenticate, by keys of a domain
// only where one is named.
func MethodsOf(ctx context.Context, store database.Reader, r Ref, domain string) (Methods, error) {
	linked := false
	e, err := seeFactors(ctx, store, r, database.From("idp_id", "user_idp_links").Where("instance_id = ? AND user_id = ?", r.Instance, r.UserID).Page(0, 1).
		Rows(func(database.Scan) error { linked = true; return nil }))
	if err != nil {
		return Methods{}, err
	}
	return Methods{Password: e.hasPassword, Linked: linked, Factors: e.ready(func(f factor) bool {
		return domain == "" || f.Key.RPID == "" || f.Key.RPID == hostname.Canonical(domain)
	})}, nil
}

// seeFactors reads the factors of a user, and what else is asked for, in one round trip.
func seeFactors(ctx context.Context, store database.Reader, r Ref, also ...database.Query) (*enrolment, error) {
	e := &enrolment{}
	err := store.Read(ctx, append(e.queries(r.Instance, r.UserID), also...)...)
	if err == nil {
		err = maySee(ctx, r, e.org)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// maySee refuses who may not look at how a user of the organization org, empty for
// nobody, proves who they are. Everybody may look at their own. r.Org may be empty where
// the caller did not name one; then who is no member of the user's organization learns
// nothing.
func maySee(ctx context.Context, r Ref, org string) error {
	if r.Org == "" {
		if r.Org = org; org == "" || mayAct(ctx, r, toSeeFactors) != nil && !authz.From(ctx).Within(org) {
			return errMissing
		}
	}
	err := mayAct(ctx, r, toSeeFactors)
	if err == nil && org != r.Org {
		err = errMissing
	}
	return err
}

// ready gives the kinds of the usable factors that pass, each once.
func (e *enrolment) ready(pass func(factor) bool) (out []FactorKind) {
	for _, f := range e.factors {
		if e.usable(f) && pass(f) && !slices.Contains(out, f.Kind) {
			out = append(out, f.Kind)
		}
	}
	return out
}
