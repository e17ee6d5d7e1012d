package flow

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/member"
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
	Avatar                                     string    // the key of their picture; empty: none
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
		COALESCE(h.password_change_required, 0), COALESCE(h.mfa_init_skipped, 0), COALESCE(h.avatar, ''), u.created, u.changed, u.sequence`
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
		&h.Phone, &phoneVerified, &passwordChanged, &changeRequired, &skipped, &h.Avatar, &created, &changed, &p.Details.Sequence,
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

// Member is a user who administers an instance, an organization, a project or a grant.
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
	memberObject      = "mb.object_id"
)

// Members lists the members of an instance or an organization. Those of another instance than the one
// that the call came to are for who runs the installation.
func Members(ctx context.Context, r database.Reader, o member.Object, p database.Page, by string, filters ...database.Filter) (database.Listing[Member], error) {
	err := authz.Require(ctx, o.Permission("read"), o.Org)
	if o.Kind() == member.OfInstance {
		err = authz.RequireAt(ctx, o.Instance, o.Permission("read"), "system.iam.member.read")
	}
	if err != nil {
		return database.Listing[Member]{}, err
	}
	exists := false
	q := memberList(o.Instance, "").Where("mb.kind = ? AND mb.object_id = ?", o.Kind(), o.ID()).Filter(filters...)
	l, err := database.List(ctx, r, q, p, []string{by, SortMemberUser}, scanMember(o.Aggregate().Owner),
		func(*database.Select) database.Query { return instance.Known(o.Instance, &exists) })
	if err == nil && !exists {
		err = instance.ErrMissing
	}
	return l, err
}

// memberList begins a list of members in an instance.
func memberList(instance, joins string) *database.Select {
	return database.From(personColumns+", "+roleList+", mb.created, mb.changed, mb.sequence",
		"members mb JOIN users u ON u.instance_id = mb.instance_id AND u.user_id = mb.user_id"+personJoins+joins).Where("mb.instance_id = ?", instance)
}

// scanMember reads a row of memberList.
func scanMember(owner string) func(database.Scan, *Member) error {
	return func(scan database.Scan, m *Member) error {
		var roles string
		var created, changed int64
		dest, done := personDest(&m.Person)
		if err := scan(append(dest, &roles, &created, &changed, &m.Details.Sequence)...); err != nil {
			return err
		}
		m.Roles = strings.Fields(roles)
		m.Details.Owner, m.Details.Created, m.Details.Changed = owner, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		_, err := done()
		return err
	}
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

// Membership is one of the things that a user administers.
type Membership struct {
	member.Object
	UserID  string
	Title   string // of the object: that of the project, where it is a grant
	Roles   []string
	Details eventstore.Details
}

// objectColumns and objectJoins go together: they describe what the membership mb is of.
const (
	objectColumns = `mb.kind, mb.object_id, COALESCE(pj.project_id, ''), COALESCE(pj.org_id, ''), COALESCE(gr.granted_org_id, ''),
		COALESCE(adm.name, pj.name, inst.name, '')`
	objectJoins = ` LEFT JOIN instances inst ON mb.kind = 'instance' AND inst.instance_id = mb.instance_id
		LEFT JOIN orgs adm ON mb.kind = 'org' AND adm.instance_id = mb.instance_id AND adm.org_id = mb.object_id
		LEFT JOIN project_grants gr ON mb.kind = 'project_grant' AND gr.instance_id = mb.instance_id AND gr.grant_id = mb.object_id
		LEFT JOIN projects pj ON pj.instance_id = mb.instance_id
			AND pj.project_id = CASE mb.kind WHEN 'project' THEN mb.object_id ELSE gr.project_id END`
)

// objectDest gives the destinations of objectColumns and a function to call once they
// are filled in.
func objectDest(o *member.Object, title *string) (dest []any, done func()) {
	var kind, id string
	return []any{&kind, &id, &o.Project, &o.Org, &o.GrantedOrg, title}, func() {
		switch kind {
		case member.OfOrg:
			o.Org = id
		case member.OfGrant:
			o.Grant = id
		}
	}
}

// objectVisible is the condition that the caller has the permission on what the
// membership mb is of.
func objectVisible(ctx context.Context, permission func(kind string) string) (string, []any) {
	org, args := authz.Where(ctx, permission(member.OfOrg), memberObject)
	inProject, more := authz.WhereOn(ctx, permission(member.OfProject), authz.Object{Org: "pj.org_id", Project: memberObject})
	args = append(args, more...)
	inGrant, more := authz.WhereOn(ctx, permission(member.OfGrant),
		authz.Object{Org: "pj.org_id", Project: "pj.project_id"}, authz.Object{Org: "gr.granted_org_id", Grant: memberObject})
	args = append(args, more...)
	visible := "mb.kind = 'org' AND " + org + " OR mb.kind = 'project' AND " + inProject + " OR mb.kind = 'project_grant' AND " + inGrant
	if authz.From(ctx).Can(permission(member.OfInstance), "") {
		visible += " OR mb.kind = 'instance'"
	}
	return "(" + visible + ")", args
}

// MembershipIn is the filter of a list of memberships for one object of a kind,
// such as "org".
func MembershipIn(kind, id string) database.Filter {
	return func(s *database.Select) { s.Where("mb.kind = ? AND mb.object_id = ?", kind, id) }
}

// MembershipInGrant is the filter of a list of memberships for the grant of a project
// to an organization.
func MembershipInGrant(projectID, grantedOrg string) database.Filter {
	return func(s *database.Select) {
		s.Where("mb.kind = 'project_grant' AND gr.project_id = ? AND gr.granted_org_id = ?", projectID, grantedOrg)
	}
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
	q := database.From("mb.user_id, "+objectColumns+", "+roleList+", mb.created, mb.changed, mb.sequence", "members mb"+objectJoins).
		Where("mb.instance_id = ? AND mb.user_id = ?", c.Instance, userID).Filter(filters...)
	if userID != c.UserID {
		visible, args := objectVisible(ctx, func(string) string { return "user.membership.read" })
		q.Where(visible, args...)
	}
	return database.List(ctx, r, q, p, []string{"mb.created", "mb.kind", memberObject}, func(scan database.Scan, m *Membership) error {
		var roles string
		var created, changed int64
		m.Instance = c.Instance
		dest, done := objectDest(&m.Object, &m.Title)
		err := scan(append(append([]any{&m.UserID}, dest...), &roles, &created, &changed, &m.Details.Sequence)...)
		done()
		m.Roles = strings.Fields(roles)
		m.Details.Owner, m.Details.Created, m.Details.Changed = m.Object.Aggregate().Owner, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		return err
	})
}
