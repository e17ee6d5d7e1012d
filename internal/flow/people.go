package flow

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Person is what lists show of a user, with the login name that the domain policy
// of the user's organization makes.
type Person struct {
	ID, OrgID, Kind string
	State           int
	LoginName       string
	user.Machine
	HasSecret bool
	Human     Human // where Kind says so
	Details   eventstore.Details
}

// Human is what is shown of a user who is a person.
type Human struct {
	FirstName, LastName, NickName, DisplayName string
	PreferredLanguage                          string
	Gender                                     int32
	Email, Phone                               string
	EmailVerified, PhoneVerified               bool
	PasswordChanged                            time.Time // zero: there is no password
	PasswordChangeRequired                     bool
	MFASkipped                                 time.Time // zero: never
}

// IsHuman reports whether the user is a person.
func (p Person) IsHuman() bool { return p.Kind == user.KindHuman }

// DisplayName is the name that the user is shown with.
func (p Person) DisplayName() string {
	if p.IsHuman() {
		return p.Human.DisplayName
	}
	return p.Name
}

// personColumns and personJoins go together: they describe the user u.
const (
	// stateOf is the state of a user. Humans are initial who have no password and did
	// not prove their address.
	stateOf = "CASE WHEN u.state = 1 AND h.password_hash = '' AND h.email_verified = 0 THEN 5 ELSE u.state END"

	personColumns = `u.user_id, u.org_id, u.kind, ` + stateOf + `, u.user_name, COALESCE(m.name, ''), COALESCE(m.description, ''),
		COALESCE(m.access_token_type, 0), COALESCE(m.secret_hash, ''), COALESCE(o.primary_domain, ''), u.login_scope,
		COALESCE(h.first_name, ''), COALESCE(h.last_name, ''), COALESCE(h.nick_name, ''), COALESCE(h.display_name, ''),
		COALESCE(h.preferred_language, ''), COALESCE(h.gender, 0), COALESCE(h.email, ''), COALESCE(h.email_verified, 0),
		COALESCE(h.phone, ''), COALESCE(h.phone_verified, 0), COALESCE(h.password_changed, 0),
		COALESCE(h.password_change_required, 0), COALESCE(h.mfa_init_skipped, 0), u.created, u.changed, u.sequence`
	personJoins = ` LEFT JOIN humans h ON h.instance_id = u.instance_id AND h.user_id = u.user_id
		LEFT JOIN machines m ON m.instance_id = u.instance_id AND m.user_id = u.user_id
		LEFT JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id`
)

// personDest gives the destinations of personColumns and a function to call once
// they are filled in.
func personDest(p *Person) (dest []any, done func() (completed bool, err error)) {
	var secret, domain, scope string
	var tokenType, gender, emailVerified, phoneVerified int
	var passwordChanged, skipped, created, changed int64
	var changeRequired int
	h := &p.Human
	dest = []any{
		&p.ID, &p.OrgID, &p.Kind, &p.State, &p.UserName, &p.Name, &p.Description, &tokenType, &secret, &domain, &scope,
		&h.FirstName, &h.LastName, &h.NickName, &h.DisplayName, &h.PreferredLanguage, &gender, &h.Email, &emailVerified,
		&h.Phone, &phoneVerified, &passwordChanged, &changeRequired, &skipped, &created, &changed, &p.Details.Sequence,
	}
	return dest, func() (bool, error) {
		p.AccessTokenType, h.Gender = int32(tokenType), int32(gender) //nolint:gosec // small numbers
		p.HasSecret = secret != ""
		h.EmailVerified, h.PhoneVerified = emailVerified == 1, phoneVerified == 1
		h.PasswordChanged, h.MFASkipped = since(passwordChanged), since(skipped)
		h.PasswordChangeRequired = changeRequired == 1
		p.LoginName = p.UserName
		if scope != "" && domain != "" {
			p.LoginName += "@" + domain
		}
		p.Details.Owner, p.Details.Created, p.Details.Changed = p.OrgID, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		return scope != "", nil
	}
}

// since is a time as tables keep it, where 0 stands for never.
func since(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Member is a user who administers an instance or an organization.
type Member struct {
	Person
	Roles   []string
	Details eventstore.Details // of the membership
}

// roleList gives the roles of a membership mb in one column.
const roleList = `COALESCE((SELECT string_agg(r.role, ' ' ORDER BY r.place) FROM member_roles r WHERE r.instance_id = mb.instance_id
	AND r.user_id = mb.user_id AND r.kind = mb.kind AND r.object_id = mb.object_id), '')`

// The columns that members are sorted by.
const (
	SortMemberCreated = "mb.created"
	SortMemberChanged = "mb.changed"
	SortMemberUser    = "mb.user_id"
	SortMemberOrg     = "u.org_id"
)

// Members lists the members of the scope. Those of another instance than the one
// that the call came to are for who runs the installation.
func Members(ctx context.Context, r database.Reader, s eventstore.Scope, p database.Page, by string, filters ...database.Filter) (database.Listing[Member], error) {
	err := authz.Require(ctx, "org.member.read", s.Org)
	if s.IsDefault() {
		err = authz.RequireAt(ctx, s.Instance, "iam.member.read", "system.iam.member.read")
	}
	if err != nil {
		return database.Listing[Member]{}, err
	}
	a, exists := s.Aggregate(), false
	q := database.From(personColumns+", "+roleList+", mb.created, mb.changed, mb.sequence",
		"members mb JOIN users u ON u.instance_id = mb.instance_id AND u.user_id = mb.user_id"+personJoins).
		Where("mb.instance_id = ? AND mb.kind = ? AND mb.object_id = ?", s.Instance, a.Type, a.ID).Filter(filters...)
	l, err := database.List(ctx, r, q, p, []string{by, "mb.user_id"}, func(scan database.Scan, m *Member) error {
		var roles string
		var created, changed int64
		dest, done := personDest(&m.Person)
		if err := scan(append(dest, &roles, &created, &changed, &m.Details.Sequence)...); err != nil {
			return err
		}
		m.Roles = strings.Fields(roles)
		m.Details.Owner, m.Details.Created, m.Details.Changed = a.Owner, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		_, err := done()
		return err
	}, func(*database.Select) database.Query { return instance.Known(s.Instance, &exists) })
	if err == nil && !exists {
		err = instance.ErrMissing
	}
	return l, err
}

// MemberWithID is the filter of a list of members for one user.
func MemberWithID(id string) database.Filter { return database.Is("mb.user_id", id) }

// The filters of a list of members by what humans have and machine users have not.
var (
	MemberByFirstName = memberBy("first_name")
	MemberByLastName  = memberBy("last_name")
	MemberByEmail     = memberBy("email")
)

func memberBy(column string) func(m database.TextMethod, value string) database.Filter {
	text := database.Text{Exact: "COALESCE(h." + column + ", '')", Lower: "COALESCE(h." + column + "_lower, '')"}
	return text.Match
}

// Membership is one of the things that a user administers. OrgID is empty where
// it is the instance.
type Membership struct {
	UserID, OrgID string
	Title         string // of the organization or the instance
	Roles         []string
	Details       eventstore.Details
}

// MembershipIn is the filter of a list of memberships for one object of a kind,
// such as "org".
func MembershipIn(kind, id string) database.Filter {
	return func(s *database.Select) { s.Where("mb.kind = ? AND mb.object_id = ?", kind, id) }
}

// MembershipOfInstance is the filter of a list of memberships for the instance.
func MembershipOfInstance(wanted bool) database.Filter {
	return func(s *database.Select) {
		if wanted {
			s.Where("mb.kind = 'instance'")
		} else {
			s.Where("mb.kind <> 'instance'")
		}
	}
}

// Memberships lists what a user administers. Everybody may ask about themselves;
// about others only what the caller may read.
func Memberships(ctx context.Context, r database.Reader, userID string, p database.Page, filters ...database.Filter) (database.Listing[Membership], error) {
	c := authz.From(ctx)
	q := database.From("mb.user_id, mb.kind, mb.object_id, COALESCE(o.name, i.name), "+roleList+", mb.created, mb.changed, mb.sequence",
		`members mb JOIN instances i ON i.instance_id = mb.instance_id
		LEFT JOIN orgs o ON o.instance_id = mb.instance_id AND mb.kind = 'org' AND o.org_id = mb.object_id`).
		Where("mb.instance_id = ? AND mb.user_id = ?", c.Instance, userID).Filter(filters...)
	if userID != c.UserID {
		visible, args := authz.Where(ctx, "user.membership.read", "mb.object_id")
		q.Where(visible, args...)
	}
	return database.List(ctx, r, q, p, []string{"mb.created", "mb.kind", "mb.object_id"}, func(scan database.Scan, m *Membership) error {
		var kind, object, roles string
		var created, changed int64
		err := scan(&m.UserID, &kind, &object, &m.Title, &roles, &created, &changed, &m.Details.Sequence)
		if kind == "org" {
			m.OrgID = object
		}
		m.Roles = strings.Fields(roles)
		m.Details.Owner, m.Details.Created, m.Details.Changed = object, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		return err
	})
}
