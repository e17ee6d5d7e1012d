package flow

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// LoginChange is a change of a login policy: what is empty or nil stays.
type LoginChange struct {
	AddSecond, RemoveSecond     []policy.SecondFactor
	AddMulti, RemoveMulti       []policy.MultiFactor
	ForceMFA, ForceMFALocalOnly *bool
}

// Impact is what a change would mean for people.
type Impact struct {
	Enrolled       uint64 // have set up a factor that would be listed no more
	Administrators uint64 // of those left without
	Demanded       bool   // a second factor would be, after a password
	LeftWithout    database.Listing[Affected]
}

// Affected is a user who would keep no factor that the policy lists.
type Affected struct {
	Person
	Administrator bool
}

var (
	errPreviewEmpty = fault.Invalid("PREVIEW-empty", "Name what would change: factors to add or remove, or whether a second factor is demanded.")
	errPreviewTwice = fault.Invalid("PREVIEW-twice", "A factor cannot be added and removed in one change.")
	errOrgMissing   = fault.NotFound("ORG-missing", "There is no such organization.")
)

// PreviewLogin says what a change of the scope's login policy would mean, in one
// round trip: for the users of the organization, or for those of all organizations
// that have no login policy of their own.
func PreviewLogin(ctx context.Context, r database.Reader, s eventstore.Scope, c LoginChange, p database.Page) (Impact, error) {
	var out Impact
	if err := requirePreview(ctx, s); err != nil {
		return out, err
	}
	if err := c.check(); err != nil {
		return out, err
	}
	now, after := LoginChange{}.lists(), c.lists()
	taken := has("(" + now + ") AND NOT (" + after + ")")
	users := func() *database.Select { return previewed(s).Where(taken) }
	left := func() *database.Select { return users().Where("NOT " + has(after)) }
	var current rules
	found := s.IsDefault()
	var err error
	out.LeftWithout, err = database.List(ctx, r, left(), p, []string{SortUserName, "u.user_id"}, func(scan database.Scan, a *Affected) error {
		var administers int
		dest, done := personDest(&a.Person)
		if err := scan(append(dest, &administers)...); err != nil {
			return err
		}
		a.Administrator = administers == 1
		_, err := done()
		return err
	},
		func(*database.Select) database.Query { return users().Count(&out.Enrolled) },
		func(*database.Select) database.Query { return left().Where(administers).Count(&out.Administrators) },
		func(*database.Select) database.Query { return rulesOf(s, &current) },
		func(*database.Select) database.Query {
			return database.Query{
				SQL: "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ?", Args: []any{s.Instance, s.Org},
				Row: func(database.Scan) error { found = true; return nil },
			}
		})
	if err == nil && !found {
		err = errOrgMissing
	}
	out.Demanded = c.demands(current.login)
	return out, err
}

// requirePreview lets those look who may read the policy and the users.
func requirePreview(ctx context.Context, s eventstore.Scope) error {
	permission := "policy.read"
	if s.IsDefault() {
		permission = "iam.policy.read"
	}
	if err := authz.Require(ctx, permission, s.Org); err != nil {
		return err
	}
	return authz.Require(ctx, "user.read", s.Org)
}

func (c LoginChange) check() error {
	if len(c.AddSecond)+len(c.RemoveSecond)+len(c.AddMulti)+len(c.RemoveMulti) == 0 && c.ForceMFA == nil && c.ForceMFALocalOnly == nil {
		return errPreviewEmpty
	}
	if slices.ContainsFunc(c.AddSecond, func(f policy.SecondFactor) bool { return slices.Contains(c.RemoveSecond, f) }) ||
		slices.ContainsFunc(c.AddMulti, func(f policy.MultiFactor) bool { return slices.Contains(c.RemoveMulti, f) }) {
		return errPreviewTwice
	}
	return nil
}

// demands reports whether a second factor would be demanded after a password.
func (c LoginChange) demands(p policy.LoginPolicy) bool {
	if c.ForceMFA != nil {
		p.ForceMFA = *c.ForceMFA
	}
	if c.ForceMFALocalOnly != nil {
		p.ForceMFALocalOnly = *c.ForceMFALocalOnly
	}
	return p.ForceMFA || p.ForceMFALocalOnly
}

// The users u with their login policy, whose text is loginDocument, and whether
// they administer anything.
const (
	loginDocument = "COALESCE(ol.document, dl.document, '')"
	loginJoins    = ` LEFT JOIN policies ol ON ol.instance_id = u.instance_id AND ol.org_id = u.org_id AND ol.kind = 'policy.login'
		LEFT JOIN policies dl ON dl.instance_id = u.instance_id AND dl.org_id = '' AND dl.kind = 'policy.login'`
	administers = "EXISTS (SELECT 1 FROM members mb WHERE mb.instance_id = u.instance_id AND mb.user_id = u.user_id)"
)

func previewed(s eventstore.Scope) *database.Select {
	q := database.From(personColumns+", CASE WHEN "+administers+" THEN 1 ELSE 0 END", "users u"+personJoins+loginJoins).Where("u.instance_id = ?", s.Instance)
	if s.IsDefault() {
		return q.Where("ol.document IS NULL")
	}
	return q.Where("u.org_id = ?", s.Org)
}

// has is the condition that the user u has set up a factor f that meets another.
func has(condition string) string {
	return "EXISTS (SELECT 1 FROM " + readyFactors + " f WHERE f.instance_id = u.instance_id AND f.user_id = u.user_id AND (" + condition + "))"
}

// lists is the condition that the user's login policy lists the factor f after the
// change. It looks into the document, so that one round trip is enough.
func (c LoginChange) lists() string {
	second := func(f policy.SecondFactor) string {
		return changed("secondFactors", int(f), slices.Contains(c.AddSecond, f), slices.Contains(c.RemoveSecond, f))
	}
	multi := policy.U2FWithVerification
	passkey := "(" + loginDocument + ` LIKE '%"passwordlessType":1,%' AND ` +
		changed("multiFactors", int(multi), slices.Contains(c.AddMulti, multi), slices.Contains(c.RemoveMulti, multi)) + ")"
	return "CASE f.kind WHEN 'totp' THEN " + second(policy.TOTP) + " WHEN 'u2f' THEN " + second(policy.U2F) +
		" WHEN 'otp_sms' THEN " + second(policy.OTPSMS) + " WHEN 'otp_email' THEN " + second(policy.OTPEmail) +
		" WHEN 'recovery' THEN " + second(policy.RecoveryCodes) + " WHEN 'passkey' THEN (" + passkey + " OR " + second(policy.U2F) + ") ELSE 1 = 0 END"
}

// changed is the condition that a list of a login policy, whose entries have one
// digit each, has an entry after a change.
func changed(key string, entry int, added, removed bool) string {
	switch {
	case added:
		return "1 = 1"
	case removed:
		return "1 = 0"
	}
	var places []string
	for before := range int(policy.RecoveryCodes) {
		places = append(places, loginDocument+` LIKE '%"`+key+`":[`+strings.Repeat("_,", before)+strconv.Itoa(entry)+`%'`)
	}
	return "(" + strings.Join(places, " OR ") + ")"
}
