package flow

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// LoginChange is a change of a login policy: what is empty or nil stays.
type LoginChange struct {
	AddSecond, RemoveSecond     []policy.SecondFactor
	AddMulti, RemoveMulti       []policy.MultiFactor
	ForceMFA, ForceMFALocalOnly *bool
	// At is a time by which plans have gone on; zero: now.
	At time.Time
}

// Impact is what a change would mean for people.
type Impact struct {
	Enrolled       uint64 // have set up a factor that would be listed no more
	Administrators uint64 // of those left without
	Demanded       bool   // a second factor would be, after a password
	Sessions       uint64 // are enough now, and would not be any more
	LeftWithout    database.Listing[Affected]
	Retirements    []policy.Retirement
}

// Affected is a user who would keep no factor that the policy lists.
type Affected struct {
	Person
	Administrator bool
}

var (
	errPreviewEmpty = fault.Invalid("PREVIEW-empty", "Name what would change: factors to add or remove, whether a second factor is demanded, or a time by which plans have gone on.")
	errPreviewTwice = fault.Invalid("PREVIEW-twice", "A factor cannot be added and removed in one change.")
	errPreviewPast  = fault.Invalid("PREVIEW-past", "The time of the preview is in the future.")
	errOrgMissing   = fault.NotFound("ORG-missing", "There is no such organization.")
)

// PreviewLogin says what a change of the scope's login policy would mean: for the users
// of the organization, or for those of all organizations that have no login policy of
// their own. It reads the policy first, and then asks about people by what the policy
// says: two round trips.
func PreviewLogin(ctx context.Context, store *eventstore.Store, s eventstore.Scope, c LoginChange, p database.Page) (Impact, error) {
	now := store.Now()
	if err := requirePreview(ctx, s); err != nil {
		return Impact{}, err
	}
	if err := c.check(now); err != nil {
		return Impact{}, err
	}
	v := preview{scope: s, now: now}
	if err := v.read(ctx, store, c); err != nil {
		return Impact{}, err
	}
	return v.impact(ctx, store, p)
}

// Retirements gives the login policy that holds in a scope to who may read it, for the
// plans by which its factors go.
func Retirements(ctx context.Context, r database.Reader, s policy.Scope) (p policy.State[policy.LoginPolicy], err error) {
	if err := requirePolicyRead(ctx, s); err != nil {
		return p, err
	}
	found := s.IsDefault()
	if err = r.Read(ctx, policy.Login.Ask(s, &p), orgThere(s, &found)); err == nil && !found {
		err = errOrgMissing
	}
	return p, err
}

func requirePolicyRead(ctx context.Context, s policy.Scope) error {
	if s.IsDefault() {
		return authz.RequireInstance(ctx, "iam.policy.read")
	}
	return authz.Require(ctx, "policy.read", s.Org)
}

// requirePreview lets those look who may read the policy and the users.
func requirePreview(ctx context.Context, s eventstore.Scope) error {
	if err := requirePolicyRead(ctx, s); err != nil {
		return err
	}
	return authz.Require(ctx, "user.read", s.Org)
}

func (c LoginChange) check(now time.Time) error {
	if len(c.AddSecond)+len(c.RemoveSecond)+len(c.AddMulti)+len(c.RemoveMulti) == 0 && c.ForceMFA == nil && c.ForceMFALocalOnly == nil && c.At.IsZero() {
		return errPreviewEmpty
	}
	if !c.At.IsZero() && c.At.Before(now) {
		return errPreviewPast
	}
	if slices.ContainsFunc(c.AddSecond, func(f policy.SecondFactor) bool { return slices.Contains(c.RemoveSecond, f) }) ||
		slices.ContainsFunc(c.AddMulti, func(f policy.MultiFactor) bool { return slices.Contains(c.RemoveMulti, f) }) {
		return errPreviewTwice
	}
	return nil
}

// apply gives the policy after the change, which is as at the change's time.
func (c LoginChange) apply(p policy.LoginPolicy, now time.Time) policy.LoginPolicy {
	at := c.At
	if at.IsZero() {
		at = now
	}
	p = p.At(at)
	p.Retirements = nil
	p.SecondFactors = altered(p.SecondFactors, c.AddSecond, c.RemoveSecond)
	p.MultiFactors = altered(p.MultiFactors, c.AddMulti, c.RemoveMulti)
	if c.ForceMFA != nil {
		p.ForceMFA = *c.ForceMFA
	}
	if c.ForceMFALocalOnly != nil {
		p.ForceMFALocalOnly = *c.ForceMFALocalOnly
	}
	return p
}

func altered[F comparable](list, add, remove []F) []F {
	return slices.DeleteFunc(slices.Concat(list, add), func(f F) bool { return slices.Contains(remove, f) })
}

// preview is a change on its way.
type preview struct {
	scope       eventstore.Scope
	now         time.Time
	before      rules
	after       rules
	taken, left user.FactorSet // what would be listed no more, and what would
}

func (v *preview) read(ctx context.Context, store *eventstore.Store, c LoginChange) error {
	found := v.scope.IsDefault()
	err := store.Read(ctx, rulesOf(v.scope, &v.before), orgThere(v.scope, &found))
	if err == nil && !found {
		err = errOrgMissing
	}
	v.after = v.before
	v.after.login = c.apply(v.before.login, v.now)
	v.left = listedFactors(&v.after.login, v.now)
	v.taken = listedFactors(&v.before.login, v.now) &^ v.left
	return err
}

// orgThere asks whether there is such an organization.
func orgThere(s eventstore.Scope, found *bool) database.Query {
	return database.Query{
		SQL: "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ?", Args: []any{s.Instance, s.Org},
		Row: func(database.Scan) error { *found = true; return nil },
	}
}

// listedFactors are the kinds that the policy accepts as second factors.
func listedFactors(p *policy.LoginPolicy, now time.Time) (s user.FactorSet) {
	for kind, m := range methodOf {
		if assurance.Allowed(p, assurance.Check{Method: m}, now) {
			s |= user.SetOf(kind)
		}
	}
	return s
}

// people are the sets f of factors of the users for whom the policy holds.
func (v *preview) people() *database.Select {
	return v.within(database.From("f.user_id", "user_factor_sets f"), "f.org_id").Where("f.instance_id = ?", v.scope.Instance)
}

// within leaves what is of the organizations in which the policy holds.
func (v *preview) within(s *database.Select, column string) *database.Select {
	if v.scope.IsDefault() {
		return s.Where(column+" NOT IN (SELECT p.org_id FROM policies p WHERE p.instance_id = ? AND p.kind = 'policy.login')", v.scope.Instance)
	}
	return s.Where(column+" = ?", v.scope.Org)
}

// without are those who have set up what is taken away, and nothing that is left.
func (v *preview) without() *database.Select {
	return v.people().Where("f.factors & ? <> 0 AND f.factors & ? = 0", int64(v.taken), int64(v.left))
}

// administers is the condition that the user f administers anything.
const administers = "f.user_id IN (SELECT mb.user_id FROM members mb WHERE mb.instance_id = f.instance_id)"

func (v *preview) impact(ctx context.Context, store *eventstore.Store, p database.Page) (Impact, error) {
	out := Impact{Demanded: v.after.login.ForceMFA || v.after.login.ForceMFALocalOnly, Retirements: v.before.login.Retirements}
	persons, administrators := map[string]Person{}, map[string]bool{}
	tally := v.sessions(&out.Sessions)
	ids, err := database.List(ctx, store, v.without(), p, []string{"f.user_id"}, func(scan database.Scan, id *string) error { return scan(id) },
		func(*database.Select) database.Query {
			return v.people().Where("f.factors & ? <> 0", int64(v.taken)).Count(&out.Enrolled)
		},
		func(*database.Select) database.Query {
			return v.without().Where(administers).Count(&out.Administrators)
		},
		func(page *database.Select) database.Query {
			return usersOf(v.scope.Instance, page.Only("f.user_id"), persons)
		},
		func(page *database.Select) database.Query {
			return database.From("mb.user_id", "members mb").Where("mb.instance_id = ?", v.scope.Instance).InSelect("mb.user_id", page.Only("f.user_id")).
				Rows(func(scan database.Scan) error {
					var id string
					err := scan(&id)
					administrators[id] = true
					return err
				})
		},
		func(*database.Select) database.Query { return tally })
	out.LeftWithout.Total = ids.Total
	for _, id := range ids.Rows {
		out.LeftWithout.Rows = append(out.LeftWithout.Rows, Affected{Person: persons[id], Administrator: administrators[id]})
	}
	return out, err
}
