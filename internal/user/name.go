package user

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// A user name is unique in its scope: in the instance where it is the login name as
// it is, in the organization where the organization's domains complete it. The
// index users_login holds that. The scope is decided when a user is added and
// when a policy changes, and by nothing else: to rename somebody keeps it.

// naming is the part of an event that says whether domains complete names.
type naming struct {
	// Completed is missing in events of a time when all names were.
	Completed *bool `json:"userLoginMustBeDomain,omitempty"`
}

// scope is what names of the organization are unique in; empty: the instance.
func (n naming) scope(org string) string {
	if n.Completed != nil && !*n.Completed {
		return ""
	}
	return org
}

// domainOf is what follows the last @ of a name.
func domainOf(name string) string {
	if i := strings.LastIndexByte(name, '@'); i >= 0 {
		return strings.ToLower(name[i+1:])
	}
	return ""
}

// The events of names. Those of scopes and instances are of all users that there are.
var (
	DomainClaimed = eventstore.Declare("user.domain.claimed", foldRenamed)
	OrgNames      = eventstore.Declare("org.user.names.scope.changed", func(f *eventstore.Fold, n naming) error {
		f.ExecUnique(database.ErrRetry, "UPDATE users SET login_scope = ? WHERE instance_id = ? AND org_id = ?", n.scope(f.ID), f.Instance, f.ID)
		return nil
	})
	InstanceNames = eventstore.Declare("instance.user.names.scope.changed", func(f *eventstore.Fold, n naming) error {
		scope := "''"
		if n.scope("completed") != "" {
			scope = "org_id"
		}
		own, args := policy.NamesOwn(f.Instance)
		f.ExecUnique(database.ErrRetry, "UPDATE users SET login_scope = "+scope+" WHERE instance_id = ? AND org_id NOT IN ("+own+")",
			append([]any{f.Instance}, args...)...)
		return nil
	})
)

func foldRenamed(f *eventstore.Fold, n Named) error {
	f.UpdateUnique(errTaken, "users", eventstore.Cells{
		"user_name": n.UserName, "user_name_lower": strings.ToLower(n.UserName), "login_domain": domainOf(n.UserName),
	})
	return nil
}

var errForeign = fault.AlreadyExists("USER-domain", "The user name ends in a domain of another organization. Choose another one.")

// foreignDomain is the query that says whether the name ends in a verified domain
// of another organization.
func foreignDomain(s eventstore.Scope, name string, foreign *bool) database.Query {
	*foreign = false
	return database.One(foreign, "SELECT 1 FROM org_domains WHERE instance_id = ? AND domain = ? AND verified = 1 AND org_id <> ?",
		[]any{s.Instance, domainOf(name), s.Org}, new(int))
}

// Rename gives the user another name to log in with. Users may do so themselves.
func Rename(tx *eventstore.Tx, instance, org, id, name string) (eventstore.Details, error) {
	name = strings.TrimSpace(name)
	foreign := false
	tx.Ahead(foreignDomain(eventstore.Scope{Instance: instance, Org: org}, name, &foreign))
	u, err := lock(tx, instance, org, id, writeOrSelf)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case name == "" || utf8.RuneCountInString(name) > maxName:
		return eventstore.Details{}, errName
	case name == u.UserName:
		return eventstore.Details{}, errSame
	case foreign && !u.completed:
		return eventstore.Details{}, errForeign
	}
	return Renamed.Emit(tx, aggregate(instance, org, id), Named{name})
}

// Unique reports whether a new user of the organization can have the name, and no
// user has the address whose names it could collide with. Either may be empty.
func Unique(ctx context.Context, r database.Reader, s eventstore.Scope, name, email string) (bool, error) {
	var completed, foreign bool
	name, email = strings.TrimSpace(name), strings.TrimSpace(email)
	if err := r.Read(ctx, policy.NamesCompleted(s, &completed), foreignDomain(s, name, &foreign)); err != nil {
		return false, err
	}
	scope, taken := naming{&completed}.scope(s.Org), false
	err := r.Read(ctx,
		database.Query{
			SQL:  "SELECT 1 FROM users WHERE instance_id = ? AND user_name_lower = ? AND login_scope = ?",
			Args: []any{s.Instance, strings.ToLower(name), scope}, Row: func(database.Scan) error { taken = true; return nil },
		},
		database.Query{
			SQL: `SELECT 1 FROM humans h JOIN users u ON u.instance_id = h.instance_id AND u.user_id = h.user_id
				WHERE h.instance_id = ? AND h.email_lower = ? AND h.email_lower <> '' AND ? IN ('', u.org_id) LIMIT 1`,
			Args: []any{s.Instance, strings.ToLower(email), scope}, Row: func(database.Scan) error { taken = true; return nil },
		})
	return !taken && (completed || !foreign), err
}

// ScopeNames follows a policy that completes names with domains from now on, or
// makes them plain: of the organization's users, or of all whom the instance's
// policy reaches. Nobody's name may become somebody else's.
func ScopeNames(tx *eventstore.Tx, s eventstore.Scope, completed bool) error {
	if !completed {
		if err := checkPlain(tx, s); err != nil {
			return err
		}
	}
	event := OrgNames
	if s.IsDefault() {
		event = InstanceNames
	}
	_, err := event.Emit(tx, s.Aggregate(), naming{&completed})
	return err
}

// checkPlain refuses where names would be no longer one user's once they are plain.
func checkPlain(tx *eventstore.Tx, s eventstore.Scope) error {
	concerned := func(of string) (string, []any) {
		if !s.IsDefault() {
			return of + ".org_id = ?", []any{s.Org}
		}
		own, args := policy.NamesOwn(s.Instance)
		return of + ".org_id NOT IN (" + own + ")", args
	}
	mine, args := concerned("u")
	theirs, more := concerned("o")
	clashes, example := 0, ""
	err := tx.Read(database.One(new(bool), `SELECT COUNT(DISTINCT u.user_name_lower), COALESCE(MIN(u.user_name_lower), '') FROM users u
		WHERE u.instance_id = ? AND u.login_scope <> '' AND `+mine+` AND (
			EXISTS (SELECT 1 FROM users o WHERE o.instance_id = u.instance_id AND o.user_name_lower = u.user_name_lower
				AND o.user_id <> u.user_id AND (o.login_scope = '' OR `+theirs+`))
			OR EXISTS (SELECT 1 FROM org_domains d WHERE d.instance_id = u.instance_id AND d.domain = u.login_domain
				AND d.verified = 1 AND d.org_id <> u.org_id))`,
		append(append([]any{s.Instance}, args...), more...), &clashes, &example))
	if err == nil && clashes > 0 {
		err = fault.Precondition("USER-names-clash",
			"%d user names would then be those of several users, or end in a domain of another organization, such as %q. Rename these users first.", clashes, example)
	}
	return err
}

// LoseDomain takes a name from a user that ends in a domain which another
// organization owns now. They get a name that nobody has, and are told.
func LoseDomain(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id, domain string) error {
	var email, language string
	tx.Ahead(database.One(new(bool), "SELECT email, preferred_language FROM humans WHERE instance_id = ? AND user_id = ?",
		[]any{s.Instance, id}, &email, &language))
	u, err := lock(tx, s.Instance, s.Org, id, "")
	if err != nil || u.completed || domainOf(u.UserName) != domain { // Somebody was faster.
		return err
	}
	name := tx.NewID()
	if _, err := DomainClaimed.Emit(tx, aggregate(s.Instance, s.Org, id), Named{name}); err != nil || email == "" {
		return err
	}
	return message.Queue(tx, v, s.Instance, message.Message{
		Kind: message.DomainClaimed, Channel: message.Email, Org: s.Org, UserID: id, Recipient: email, Language: language,
		Args: map[string]string{"Domain": domain, "TempUsername": name},
	})
}
