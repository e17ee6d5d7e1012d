package flow

import (
	"context"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/metadata"
	"github.com/gatehouse/gatehouse/internal/user"
)

// User is a person or a machine with every name to log in with.
type User struct {
	Person
	LoginNames []string
}

// SQL on the user u, joined with personJoins.
const (
	// domainList gives the domains of the user's organization in one column.
	domainList = `COALESCE((SELECT string_agg(d.domain, ' ' ORDER BY d.is_primary DESC, d.domain) FROM org_domains d
		WHERE d.instance_id = u.instance_id AND d.org_id = u.org_id AND d.verified = 1), '')`
	// domainsApply is where names are completed with a domain.
	domainsApply = `(u.login_scope <> '' AND EXISTS (SELECT 1 FROM org_domains d
		WHERE d.instance_id = u.instance_id AND d.org_id = u.org_id AND d.verified = 1))`
)

// displayName is the name that a user is shown with.
var displayName = database.Text{Exact: "COALESCE(h.display_name, m.name, '')", Lower: SortUserDisplay}

// The columns that users are sorted by.
const (
	SortUserCreated = "u.created"
	SortUserName    = "u.user_name_lower"
	SortUserDisplay = "u.display_lower"
	SortUserFirst   = "COALESCE(h.first_name_lower, '')"
	SortUserLast    = "COALESCE(h.last_name_lower, '')"
	SortUserNick    = "COALESCE(h.nick_name_lower, '')"
	SortUserEmail   = "COALESCE(h.email_lower, '')"
	SortUserState   = stateOf
	SortUserKind    = "u.kind"
)

// The filters of lists of users.
var (
	UserWithID  = func(ids ...string) database.Filter { return database.OneOf("u.user_id", ids) }
	UserOfOrg   = func(id string) database.Filter { return database.Is("u.org_id", id) }
	UserOfKind  = func(kind string) database.Filter { return database.Rare(database.Is("u.kind", kind)) }
	UserByName  = database.Text{Exact: "u.user_name", Lower: "u.user_name_lower"}.Match
	UserByTitle = displayName.Match
	UserByFirst = ofHumans("first_name")
	UserByLast  = ofHumans("last_name")
	UserByNick  = ofHumans("nick_name")
	UserByEmail = ofHumans("email")
	UserByPhone = func(m database.TextMethod, number string) database.Filter { // Many users have none.
		return database.Rare(database.Text{Exact: "h.phone", Lower: "h.phone"}.Match(m, number))
	}
)

// UserInState is the filter of a list of users for those in a state: an index leads to them
// by the one in their row.
func UserInState(state int) database.Filter {
	kept := state
	if state == user.Initial {
		kept = user.Active
	}
	return database.Rare(database.AllOf(database.Is("u.state", kept), database.Is(stateOf, state)))
}

// ofHumans makes the filter by a text that humans have. Of machine users the column is
// NULL, which meets no condition; a plain column can be found by its index.
func ofHumans(column string) func(database.TextMethod, string) database.Filter {
	return database.Text{Exact: "h." + column, Lower: "h." + column + "_lower"}.Match
}

// UserWithEmail is the filter of a list of users for those with one of several
// addresses, in any case.
func UserWithEmail(addresses ...string) database.Filter {
	lower := make([]string, len(addresses))
	for i, a := range addresses {
		lower[i] = strings.ToLower(a)
	}
	return database.OneOf("h.email_lower", lower)
}

// UserByMetadata is the filter of a list of users for those with an entry that the
// filters of metadata leave.
func UserByMetadata(filters ...database.Filter) database.Filter {
	return func(s *database.Select) {
		s.InSelect("u.user_id", database.From("object_id", "metadata").
			Where("metadata.instance_id = u.instance_id AND metadata.kind = 'user'").Filter(filters...))
	}
}

// UserByLogin is the filter of a list of users for those of whose login names one
// matches.
func UserByLogin(m database.TextMethod, value string) database.Filter {
	return func(s *database.Select) {
		// The name alone decides about most rows, by an index.
		whole := strings.ToLower(value)
		name, _ := cutLast(whole, "@")
		if m|1 == database.EqualsFold {
			s.Where("u.user_name_lower IN (?, ?)", whole, name)
		}
		if m|1 == database.StartsWithFold {
			begins := UserByName(database.StartsWithFold, whole)
			if name != whole {
				begins = database.AnyOf(begins, UserByName(database.EqualsFold, name))
			}
			s.Filter(begins)
		}
		completed := func(s *database.Select) {
			with := database.From("d.org_id", "org_domains d").Where("d.instance_id = u.instance_id AND d.org_id = u.org_id AND d.verified = 1").
				Filter(database.Text{Exact: "u.user_name || '@' || d.domain", Lower: "u.user_name_lower || '@' || d.domain"}.Match(m, value))
			s.Where(domainsApply).InSelect("u.org_id", with)
		}
		plain := func(s *database.Select) { s.Where("NOT " + domainsApply).Filter(UserByName(m, value)) }
		s.Filter(database.AnyOf(completed, plain))
	}
}

// cutLast cuts s around the last separator; without one, before is all of s.
func cutLast(s, separator string) (before, after string) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):]
	}
	return s, ""
}

// VisibleUsers is the filter for the users that the caller may read: themselves,
// and those of organizations where they have the permission.
func VisibleUsers(ctx context.Context) database.Filter {
	where, args := authz.Where(ctx, "user.read", "u.org_id")
	c := authz.From(ctx)
	if !c.Can("user.read", c.HomeOrg) { // Else they are among them.
		where, args = "(u.user_id = ? OR "+where+")", append([]any{c.UserID}, args...)
	}
	return func(s *database.Select) { s.Where(where, args...) }
}

// Users lists users of the instance. Which of them the caller may see is for the
// filters to say.
func Users(ctx context.Context, r database.Reader, instance string, p database.Page, by string, filters ...database.Filter) (database.Listing[User], error) {
	q := database.From(personColumns+", "+domainList, "users u").With(personJoins).Counted("user_counts", "u.instance_id", "u.org_id", "u.kind").
		Where("u.instance_id = ?", instance).Filter(filters...)
	return database.List(ctx, r, q, p, []string{by, "u.user_id"}, func(scan database.Scan, u *User) error {
		var domains string
		dest, done := personDest(&u.Person)
		if err := scan(append(dest, &domains)...); err != nil {
			return err
		}
		required, err := done()
		u.LoginNames = []string{u.LoginName}
		if all := strings.Fields(domains); required && len(all) > 0 {
			u.LoginNames = nil
			for _, domain := range all {
				u.LoginNames = append(u.LoginNames, u.UserName+"@"+domain)
			}
		}
		return err
	})
}

var errNoPerson = fault.NotFound("USER-missing", "There is no such user.")

// sortLogin puts those first whom a login name means: a name that a domain
// completes before a plain one, and that before a name for which there is no domain.
const sortLogin = "CASE WHEN " + domainsApply + " THEN 2 WHEN u.login_scope = '' THEN 1 ELSE 0 END"

// UserByLoginName gives the user whom a login name means, in any case.
func UserByLoginName(ctx context.Context, r database.Reader, instance, name string) (User, error) {
	return oneUser(ctx, r, instance, sortLogin, UserByLogin(database.EqualsFold, name))
}

// OneUser gives the user that the filters leave.
func OneUser(ctx context.Context, r database.Reader, instance string, filters ...database.Filter) (User, error) {
	return oneUser(ctx, r, instance, SortUserCreated, filters...)
}

func oneUser(ctx context.Context, r database.Reader, instance, by string, filters ...database.Filter) (User, error) {
	found, err := Users(ctx, r, instance, database.Page{Limit: 1}, by, filters...)
	if err == nil && len(found.Rows) == 0 {
		err = errNoPerson
	}
	if err != nil {
		return User{}, err
	}
	return found.Rows[0], nil
}

// UserByID gives a user of the organization.
func UserByID(ctx context.Context, r database.Reader, s eventstore.Scope, id string) (User, error) {
	return OneUser(ctx, r, s.Instance, UserWithID(id), UserOfOrg(s.Org))
}

// ScopeOf gives the organization of a user that a call is about. Who is neither the
// user nor a member of it learns nothing: they are told the same as about a user that
// never was.
func ScopeOf(ctx context.Context, r database.Reader, id string) (eventstore.Scope, error) {
	c := authz.From(ctx)
	s, found := eventstore.Scope{Instance: c.Instance}, false
	err := r.Read(ctx, database.One(&found, "SELECT org_id FROM users WHERE instance_id = ? AND user_id = ?", []any{s.Instance, id}, &s.Org))
	if err == nil && (!found || !user.IsSelf(ctx, id) && !c.Within(s.Org)) {
		err = errNoPerson
	}
	return s, err
}

// AddMachine makes a machine user of an organization with metadata.
func AddMachine(tx *eventstore.Tx, s eventstore.Scope, id string, m user.Machine, entries ...metadata.Entry) (eventstore.Details, error) {
	d, err := user.AddMachine(tx, s.Instance, s.Org, id, m)
	if err == nil {
		err = orgExists(tx, s)
	}
	if err == nil && len(entries) > 0 {
		d, err = metadata.Set(tx, metadata.OfUser(s.Instance, s.Org, id), entries...)
	}
	return d, err
}

var errNoOrg = fault.Precondition("ORG-none", "There is no such organization.")

func orgExists(tx *eventstore.Tx, s eventstore.Scope) error {
	found := s.IsDefault()
	err := tx.Read(database.Query{
		SQL: "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ?", Args: []any{s.Instance, s.Org},
		Row: func(database.Scan) error { found = true; return nil },
	})
	if err == nil && !found {
		err = errNoOrg
	}
	return err
}

// UserEdit is what a machine user shall be like: what is nil, or empty, stays.
type UserEdit struct {
	UserName *string
	Machine  func(*user.Machine)
	Metadata []metadata.Entry
}

// EditUser changes a machine user, at once or not at all. To change nothing is
// fine and answers with the last change.
func EditUser(tx *eventstore.Tx, s eventstore.Scope, id string, e UserEdit) (d eventstore.Details, err error) {
	if err := authz.Require(tx.Context(), "user.write", s.Org); err != nil {
		return d, err
	}
	var verbs []func() (eventstore.Details, error)
	if e.UserName != nil {
		verbs = append(verbs, func() (eventstore.Details, error) { return user.Rename(tx, s.Instance, s.Org, id, *e.UserName) })
	}
	if e.Machine != nil {
		verbs = append(verbs, func() (eventstore.Details, error) { return user.ChangeMachine(tx, s.Instance, s.Org, id, e.Machine) })
	}
	if len(e.Metadata) > 0 {
		verbs = append(verbs, func() (eventstore.Details, error) {
			return metadata.Set(tx, metadata.OfUser(s.Instance, s.Org, id), e.Metadata...)
		})
	}
	return editAll(tx, s, id, verbs)
}

// editAll runs the verbs that change a user, of which each may find nothing to
// change, and gives the last change.
func editAll(tx *eventstore.Tx, s eventstore.Scope, id string, verbs []func() (eventstore.Details, error)) (d eventstore.Details, err error) {
	if err := user.MayEdit(tx.Context(), s.Org, id); err != nil {
		return d, err
	}
	for _, verb := range verbs {
		changed, err := verb()
		switch {
		case err == nil:
			d = changed
		case !user.Unchanged(err):
			return d, err
		}
	}
	if !d.Changed.IsZero() {
		return d, nil
	}
	u, err := UserByID(tx.Context(), tx.Reader(), s, id)
	return u.Details, err
}

// LockUser stops a user from calling until they are unlocked.
func LockUser(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	return keepInstanceOwner(tx, s.Instance, id, func() (eventstore.Details, error) {
		return user.Lock(tx, s.Instance, s.Org, id)
	})
}
