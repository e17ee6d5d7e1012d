// Package group is groups of an organization's users, under a name.
//
// It may import policy and what is under it, and no other aggregate.
package group

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("user_groups", "instance_id, group_id", "org_id, name, name_lower, description, created, changed, sequence")
	eventstore.DeclareTable("group_users", "instance_id, group_id, user_id", "created")
}

// The limits.
const (
	maxText = 200  // characters of a name or a description
	maxBulk = 1000 // users in one call
)

// Group is a group of an organization's users.
type Group struct {
	ID, Org           string
	Name, Description string
	Details           eventstore.Details
}

type added struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// changed holds what is new; nil stays as it is.
type changed struct {
	Name        *string `json:"name,omitempty"`
	Description *string `json:"description,omitempty"`
}

type removed struct {
	ID string `json:"id"`
}

type users struct {
	IDs []string `json:"userIds"`
}

// The events of a group.
var (
	Added = eventstore.Declare("group.added", func(f *eventstore.Fold, e added) error {
		f.Claim(claimName, nameClaim(f.Owner, e.Name), errTaken)
		f.Exec(`INSERT INTO user_groups (instance_id, group_id, org_id, name, name_lower, description, created, changed, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			f.Instance, f.ID, f.Owner, e.Name, strings.ToLower(e.Name), e.Description, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	Changed = eventstore.Declare("group.changed", func(f *eventstore.Fold, e changed) error {
		if e.Name != nil {
			f.ReleaseKind(claimName)
			f.Claim(claimName, nameClaim(f.Owner, *e.Name), errTaken)
			touch(f, ", name = ?, name_lower = ?", *e.Name, strings.ToLower(*e.Name))
		}
		if e.Description != nil {
			touch(f, ", description = ?", *e.Description)
		}
		return nil
	})
	Removed = eventstore.Declare("group.removed", func(f *eventstore.Fold, _ removed) error {
		f.Exec("DELETE FROM user_groups WHERE instance_id = ? AND group_id = ?", f.Instance, f.ID)
		f.Exec("DELETE FROM group_users WHERE instance_id = ? AND group_id = ?", f.Instance, f.ID)
		f.ReleaseAll()
		return nil
	})
	UsersAdded = eventstore.Declare("group.users.added", func(f *eventstore.Fold, e users) error {
		for _, id := range e.IDs {
			f.Exec("INSERT INTO group_users (instance_id, group_id, user_id, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
				f.Instance, f.ID, id, f.Micros())
		}
		touch(f, "")
		return nil
	})
	UsersRemoved = eventstore.Declare("group.users.removed", func(f *eventstore.Fold, e users) error {
		for _, id := range e.IDs {
			f.Exec("DELETE FROM group_users WHERE instance_id = ? AND group_id = ? AND user_id = ?", f.Instance, f.ID, id)
		}
		touch(f, "")
		return nil
	})
)

// touch writes what is new of a group, and when.
func touch(f *eventstore.Fold, also string, args ...any) {
	args = append([]any{f.Micros(), f.Sequence}, args...)
	f.Exec("UPDATE user_groups SET changed = ?, sequence = ?"+also+" WHERE instance_id = ? AND group_id = ?", append(args, f.Instance, f.ID)...)
}

var (
	errName        = fault.Invalid("GROUP-name", "A group needs a name of 1 to %d characters.", maxText)
	errDescription = fault.Invalid("GROUP-description", "A description has %d characters at most.", maxText)
	errTaken       = fault.AlreadyExists("GROUP-taken", "The organization has a group of this name already.")
	errIDTaken     = fault.AlreadyExists("GROUP-id", "A group with this id exists already.")
	errMissing     = fault.NotFound("GROUP-missing", "There is no such group.")
	errNoOrg       = fault.NotFound("ORG-missing", "There is no such organization.")
	errBulk        = fault.Invalid("GROUP-bulk", "Name 1 to %d users at a time.", maxBulk)
	errNoUser      = fault.Precondition("GROUP-user", "All users of a group must be users of its organization.")
)

// claimName is the kind of claims on names: an organization has one group of a name,
// in any case.
const claimName = "group.name"

func nameClaim(org, name string) string { return org + " " + strings.ToLower(name) }

func (g Group) aggregate(instance string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "group", ID: g.ID, Owner: g.Org}
}

// clean is the group with its texts as they are kept.
func (g Group) clean() (Group, error) {
	g.Name, g.Description = strings.TrimSpace(g.Name), strings.TrimSpace(g.Description)
	switch {
	case g.Name == "" || utf8.RuneCountInString(g.Name) > maxText:
		return g, errName
	case utf8.RuneCountInString(g.Description) > maxText:
		return g, errDescription
	}
	return g, nil
}

// Add makes a group of an organization, whose id may be somebody's wish.
func Add(tx *eventstore.Tx, instance string, g Group) (eventstore.Details, error) {
	if err := authz.Require(tx.Context(), "group.create", g.Org); err != nil {
		return eventstore.Details{}, err
	}
	g, err := g.clean()
	if err != nil {
		return eventstore.Details{}, err
	}
	if err := eventstore.CheckID(g.ID); err != nil {
		return eventstore.Details{}, err
	}
	var there, taken bool
	err = tx.Start(g.aggregate(instance),
		database.One(&there, "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ?", []any{instance, g.Org}, new(string)),
		database.One(&taken, "SELECT group_id FROM user_groups WHERE instance_id = ? AND group_id = ?", []any{instance, g.ID}, new(string)))
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case !there:
		return eventstore.Details{}, errNoOrg
	case taken:
		return eventstore.Details{}, errIDTaken
	}
	return Added.Emit(tx, g.aggregate(instance), added{g.Name, g.Description})
}

// lock holds a group and checks the caller's permission in its organization.
// Outsiders learn nothing: they are told the same as about a group that never was.
func lock(tx *eventstore.Tx, instance, id, permission string, also ...database.Query) (Group, error) {
	var g Group
	found := false
	_, err := tx.Lock(Group{ID: id}.aggregate(instance), append(also, database.From(columns, "user_groups g").
		Where("g.instance_id = ? AND g.group_id = ?", instance, id).Rows(func(scan database.Scan) error {
		found = true
		return scanGroup(scan, &g)
	}))...)
	if err == nil && (!found || !authz.From(tx.Context()).Within(g.Org)) {
		err = errMissing
	}
	if err == nil {
		err = authz.Require(tx.Context(), permission, g.Org)
	}
	return g, err
}

// Change gives a group another name or description; nil stays as it is. To change
// nothing answers with the last change.
func Change(tx *eventstore.Tx, instance, id string, name, description *string) (eventstore.Details, error) {
	g, err := lock(tx, instance, id, "group.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	was := g
	if name != nil {
		g.Name = *name
	}
	if description != nil {
		g.Description = *description
	}
	if g, err = g.clean(); err != nil {
		return eventstore.Details{}, err
	}
	var e changed
	if g.Name != was.Name {
		e.Name = &g.Name
	}
	if g.Description != was.Description {
		e.Description = &g.Description
	}
	if e == (changed{}) {
		return g.Details, nil
	}
	return Changed.Emit(tx, g.aggregate(instance), e)
}

// Remove ends a group. Its users stay.
func Remove(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	g, err := lock(tx, instance, id, "group.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, g.aggregate(instance), removed{id})
}

// RemoveOf ends the groups of an organization that is gone.
func RemoveOf(tx *eventstore.Tx, instance, org string) error {
	var ids []string
	if err := tx.Read(database.From("group_id", "user_groups").Where("instance_id = ? AND org_id = ?", instance, org).
		Order("group_id").Rows(func(scan database.Scan) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := Removed.Emit(tx, Group{ID: id, Org: org}.aggregate(instance), removed{id}); err != nil {
			return err
		}
	}
	return nil
}

// AddUsers puts users of its organization into a group, all or none. Who is in it
// already stays.
func AddUsers(tx *eventstore.Tx, instance, id string, ids []string) (eventstore.Details, error) {
	ids, err := distinct(ids)
	if err != nil {
		return eventstore.Details{}, err
	}
	inOrg := map[string]string{}
	members, within := membership(instance, id, ids)
	g, err := lock(tx, instance, id, "group.user.write", members, database.From("user_id, org_id", "users").
		Where("instance_id = ?", instance).In("user_id", ids).Rows(func(scan database.Scan) error {
		var user, org string
		err := scan(&user, &org)
		inOrg[user] = org
		return err
	}))
	if err != nil {
		return eventstore.Details{}, err
	}
	if slices.ContainsFunc(ids, func(user string) bool { return inOrg[user] != g.Org }) {
		return eventstore.Details{}, errNoUser
	}
	ids = slices.DeleteFunc(ids, func(user string) bool { return within[user] })
	if len(ids) == 0 {
		return g.Details, nil
	}
	return UsersAdded.Emit(tx, g.aggregate(instance), users{ids})
}

// RemoveUsers takes users out of a group. Who is not in it stays out.
func RemoveUsers(tx *eventstore.Tx, instance, id string, ids []string) (eventstore.Details, error) {
	ids, err := distinct(ids)
	if err != nil {
		return eventstore.Details{}, err
	}
	members, within := membership(instance, id, ids)
	g, err := lock(tx, instance, id, "group.user.delete", members)
	if err != nil {
		return eventstore.Details{}, err
	}
	ids = slices.DeleteFunc(ids, func(user string) bool { return !within[user] })
	if len(ids) == 0 {
		return g.Details, nil
	}
	return UsersRemoved.Emit(tx, g.aggregate(instance), users{ids})
}

// distinct are the ids of a call, each once.
func distinct(ids []string) ([]string, error) {
	if len(ids) == 0 || len(ids) > maxBulk {
		return nil, errBulk
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// membership asks which of the users are in a group.
func membership(instance, id string, ids []string) (database.Query, map[string]bool) {
	within := map[string]bool{}
	return database.From("user_id", "group_users").Where("instance_id = ? AND group_id = ?", instance, id).In("user_id", ids).
		Rows(func(scan database.Scan) error {
			var user string
			err := scan(&user)
			within[user] = true
			return err
		}), within
}
