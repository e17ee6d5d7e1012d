// Package org is the organization: the owner of users, projects and settings
// inside an instance.
//
// It may import policy and what is under it, and no other aggregate.
package org

import (
	"errors"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func init() {
	eventstore.DeclareTable("orgs", "instance_id, org_id", "name, name_lower, state, primary_domain, created, changed, sequence")
	eventstore.DeclareTable("org_domains", "instance_id, org_id, domain",
		"verified, is_primary, validation_type, validation_code, created, changed, sequence")
}

// The states of an organization, numbered as on the wire.
const (
	Active   = 1
	Inactive = 2
)

// Org is an organization as it is stored.
type Org struct {
	ID, Name, PrimaryDomain string
	State                   int
	Details                 eventstore.Details
}

type named struct {
	Name string `json:"name"`
}

const claimName = "org.name"

// The events of an organization.
var (
	Added = eventstore.Declare("org.added", func(f *eventstore.Fold, e named) error {
		f.Claim(claimName, strings.ToLower(e.Name), errTaken)
		f.Exec(`INSERT INTO orgs (instance_id, org_id, name, name_lower, state, primary_domain, created, changed, sequence)
			VALUES (?, ?, ?, ?, ?, '', ?, ?, ?)`,
			f.Instance, f.ID, e.Name, strings.ToLower(e.Name), Active, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	Changed = eventstore.Declare("org.changed", func(f *eventstore.Fold, e named) error {
		f.ReleaseKind(claimName)
		f.Claim(claimName, strings.ToLower(e.Name), errTaken)
		f.Exec("UPDATE orgs SET name = ?, name_lower = ?, changed = ?, sequence = ? WHERE instance_id = ? AND org_id = ?",
			e.Name, strings.ToLower(e.Name), f.Micros(), f.Sequence, f.Instance, f.ID)
		return nil
	})
	Deactivated = eventstore.Declare("org.deactivated", setState(Inactive))
	Reactivated = eventstore.Declare("org.reactivated", setState(Active))
	Removed     = eventstore.Declare("org.removed", func(f *eventstore.Fold, _ eventstore.None) error {
		for _, sql := range []string{
			"DELETE FROM orgs WHERE instance_id = ? AND org_id = ?",
			"DELETE FROM org_domains WHERE instance_id = ? AND org_id = ?",
			"DELETE FROM members WHERE instance_id = ? AND kind = 'org' AND object_id = ?",
			"DELETE FROM member_roles WHERE instance_id = ? AND kind = 'org' AND object_id = ?",
			"DELETE FROM metadata WHERE instance_id = ? AND kind = 'org' AND object_id = ?",
		} {
			f.Exec(sql, f.Instance, f.ID)
		}
		policy.RemoveAll(f)
		f.ReleaseAll()
		return nil
	})
)

var (
	errTaken    = fault.AlreadyExists("Org-Org01", "An organization of this name exists already.")
	errSameName = fault.Precondition("Org-unchanged", "The organization has this name already.")
	errInactive = fault.Precondition("Org-inactive", "The organization is inactive already.")
	errActive   = fault.Precondition("Org-active", "The organization is active already.")
	errIDTaken  = fault.AlreadyExists("ORG-id", "An organization with this id exists already.")
	errIDBusy   = fault.New(fault.KindAborted, "ORG-id-busy", "An organization with this id was removed, and what it had is not all removed yet. Try again.")
	errMissing  = fault.NotFound("ORG-missing", "There is no such organization.")
	errName     = fault.Invalid("ORG-name", "An organization needs a name of 1 to 200 characters.")
)

// Unchanged reports whether err says that the organization is already as the call
// wanted it.
func Unchanged(err error) bool {
	return errors.Is(err, errSameName) || errors.Is(err, errInactive) || errors.Is(err, errActive)
}

// Missing reports whether err says that there is no such organization.
func Missing(err error) bool { return errors.Is(err, errMissing) }

func setState(state int) func(*eventstore.Fold, eventstore.None) error {
	return func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("UPDATE orgs SET state = ?, changed = ?, sequence = ? WHERE instance_id = ? AND org_id = ?",
			state, f.Micros(), f.Sequence, f.Instance, f.ID)
		return nil
	}
}

func aggregate(instance, id string) eventstore.Aggregate {
	return eventstore.Scope{Instance: instance, Org: id}.Aggregate()
}

// Add makes an organization, whose id may be somebody's wish.
func Add(tx *eventstore.Tx, instance, id, name string) (eventstore.Details, error) {
	if err := authz.Require(tx.Context(), "org.create", authz.From(tx.Context()).Org); err != nil {
		return eventstore.Details{}, err
	}
	name, err := cleanName(name)
	if err != nil {
		return eventstore.Details{}, err
	}
	if err := eventstore.CheckID(id); err != nil {
		return eventstore.Details{}, err
	}
	var o Org
	var found, haunted bool
	a := aggregate(instance, id)
	former := func(key, table, org string) database.Query {
		return database.From(key, table).Where("instance_id = ? AND "+org+" = ?", instance, id).Page(0, 1).
			Rows(func(database.Scan) error { haunted = true; return nil })
	}
	switch err := tx.Start(a, query(instance, id, &found, &o),
		former("user_id", "users", "org_id"), former("project_id", "projects", "org_id"), former("grant_id", "project_grants", "granted_org_id"),
		former("grant_id", "user_grants", "org_id"), former("session_id", "sessions", "user_org")); {
	case err != nil:
		return eventstore.Details{}, err
	case found:
		return eventstore.Details{}, errIDTaken
	case haunted: // What is left would become the new one's.
		return eventstore.Details{}, errIDBusy
	}
	return Added.Emit(tx, a, named{name})
}

func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := len([]rune(name)); n == 0 || n > 200 {
		return "", errName
	}
	return name, nil
}

// lock holds the organization and checks the caller's permission on it.
func lock(tx *eventstore.Tx, instance, id, permission string) (Org, error) {
	o := Org{ID: id}
	var found bool
	if _, err := tx.Lock(aggregate(instance, id), query(instance, id, &found, &o)); err != nil {
		return o, err
	}
	if err := authz.Require(tx.Context(), permission, id); err != nil {
		return o, err
	}
	if !found {
		return o, errMissing
	}
	return o, nil
}

// Rename gives the organization another name.
func Rename(tx *eventstore.Tx, instance, id, name string) (eventstore.Details, error) {
	o, err := lock(tx, instance, id, "org.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if name, err = cleanName(name); err != nil {
		return eventstore.Details{}, err
	}
	if name == o.Name {
		return eventstore.Details{}, errSameName
	}
	return Changed.Emit(tx, aggregate(instance, id), named{name})
}

// Deactivate stops logins of the organization's users.
func Deactivate(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	o, err := lock(tx, instance, id, "org.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if o.State == Inactive {
		return eventstore.Details{}, errInactive
	}
	return Deactivated.Emit(tx, aggregate(instance, id), eventstore.None{})
}

// Reactivate ends a deactivation.
func Reactivate(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	o, err := lock(tx, instance, id, "org.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if o.State == Active {
		return eventstore.Details{}, errActive
	}
	return Reactivated.Emit(tx, aggregate(instance, id), eventstore.None{})
}

// Remove ends the organization with its domains, members and policies. Its users
// are flow's to remove, in the same transaction.
func Remove(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	if _, err := lock(tx, instance, id, "org.delete"); err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, aggregate(instance, id), eventstore.None{})
}
