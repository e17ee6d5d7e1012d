// Package org is the organization: the owner of users, projects and settings
// inside an instance.
//
// It may import policy and what is under it, and no other aggregate.
package org

import (
	"context"
	"strings"
	"time"

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
		f.Exec("DELETE FROM claims WHERE instance_id = ? AND kind = ? AND aggregate_type = 'org' AND aggregate_id = ?", f.Instance, claimName, f.ID)
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
		} {
			f.Exec(sql, f.Instance, f.ID)
		}
		policy.RemoveAll(f)
		f.ReleaseAll()
		return nil
	})
)

var (
	errTaken   = fault.AlreadyExists("Org-Org01", "An organization of this name exists already.")
	errMissing = fault.NotFound("ORG-missing", "There is no such organization.")
	errName    = fault.Invalid("ORG-name", "An organization needs a name of 1 to 200 characters.")
)

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

// Add makes an organization with a new id.
func Add(tx *eventstore.Tx, instance, id, name string) (eventstore.Details, error) {
	if err := authz.RequireInstance(tx.Context(), "org.create"); err != nil {
		return eventstore.Details{}, err
	}
	name, err := cleanName(name)
	if err != nil {
		return eventstore.Details{}, err
	}
	a := aggregate(instance, id)
	tx.Create(a)
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
		return eventstore.Details{}, fault.Precondition("Org-unchanged", "The organization has this name already.")
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
		return eventstore.Details{}, fault.Precondition("Org-inactive", "The organization is inactive already.")
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
		return eventstore.Details{}, fault.Precondition("Org-active", "The organization is active already.")
	}
	return Reactivated.Emit(tx, aggregate(instance, id), eventstore.None{})
}

func query(instance, id string, found *bool, o *Org) database.Query {
	return database.Query{
		SQL:  "SELECT name, state, primary_domain, created, changed, sequence FROM orgs WHERE instance_id = ? AND org_id = ?",
		Args: []any{instance, id},
		Row: func(scan database.Scan) error {
			*found = true
			var created, changed int64
			err := scan(&o.Name, &o.State, &o.PrimaryDomain, &created, &changed, &o.Details.Sequence)
			o.ID, o.Details.Owner = id, id
			o.Details.Created, o.Details.Changed = time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
			return err
		},
	}
}

// ByID gives an organization.
func ByID(ctx context.Context, r database.Reader, instance, id string) (Org, error) {
	var o Org
	var found bool
	if err := r.Read(ctx, query(instance, id, &found, &o)); err != nil {
		return o, err
	}
	if !found {
		return o, errMissing
	}
	return o, nil
}

// Remove ends the organization with its domains, members and policies. Its users
// are flow's to remove, in the same transaction.
func Remove(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	if _, err := lock(tx, instance, id, "org.delete"); err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, aggregate(instance, id), eventstore.None{})
}
