// Package instance is the tenant: a closed world with its own organizations,
// users and settings, found by the host that a request names.
//
// It may import policy and what is under it, and no other aggregate.
package instance

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("instances", "instance_id", "name, name_lower, state, default_org, default_language, created, changed, sequence")
	eventstore.DeclareTable("instance_domains", "domain", "instance_id, is_primary, generated, limits, created, changed, sequence")
	eventstore.DeclareTable("trusted_domains", "instance_id, domain", "created, sequence")
}

// Running is the state of an instance that serves requests, numbered as on the
// wire.
const Running = 2

// maxName is the most characters of a name.
const maxName = 200

type named struct {
	Name string `json:"name"`
}

type defaultOrg struct {
	Org string `json:"orgId"`
}

type defaultLanguage struct {
	Language string `json:"language"`
}

// The events of an instance.
var (
	Added = eventstore.Declare("instance.added", func(f *eventstore.Fold, e named) error {
		f.Exec(`INSERT INTO instances (instance_id, name, name_lower, state, default_org, default_language, created, changed, sequence)
			VALUES (?, ?, ?, ?, '', 'en', ?, ?, ?)`, f.Instance, e.Name, strings.ToLower(e.Name), Running, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	Changed = eventstore.Declare("instance.changed", func(f *eventstore.Fold, e named) error {
		set(f, "name = ?, name_lower = ?", e.Name, strings.ToLower(e.Name))
		return nil
	})
	DefaultOrgSet = eventstore.Declare("instance.default.org.set", func(f *eventstore.Fold, e defaultOrg) error {
		set(f, "default_org = ?", e.Org)
		return nil
	})
	DefaultLanguageSet = eventstore.Declare("instance.default.language.set", func(f *eventstore.Fold, e defaultLanguage) error {
		set(f, "default_language = ?", e.Language)
		return nil
	})
	// Removed is the end: no request finds the instance any more. What else tables
	// hold of it goes away in the background.
	Removed = eventstore.Declare("instance.removed", func(f *eventstore.Fold, _ eventstore.None) error {
		f.Exec("DELETE FROM instances WHERE instance_id = ?", f.Instance)
		f.Exec("DELETE FROM instance_domains WHERE instance_id = ?", f.Instance)
		f.Purge()
		return nil
	})
)

func set(f *eventstore.Fold, what string, args ...any) {
	f.Exec("UPDATE instances SET "+what+", changed = ?, sequence = ? WHERE instance_id = ?", append(args, f.Micros(), f.Sequence, f.Instance)...)
}

// ErrMissing says that there is no such instance.
var ErrMissing = fault.NotFound("INSTANCE-missing", "There is no such instance.")

var (
	errName     = fault.Invalid("INSTANCE-name", "An instance needs a name of 1 to %d characters.", maxName)
	errSameName = fault.Precondition("INSTANCE-unchanged", "The instance has this name already.")
)

// Unchanged reports whether err says that the instance is already as the call
// wanted it.
func Unchanged(err error) bool { return errors.Is(err, errSameName) }

func aggregate(id string) eventstore.Aggregate { return eventstore.Scope{Instance: id}.Aggregate() }

// Add starts an instance without any domain.
func Add(tx *eventstore.Tx, id, name string) (eventstore.Details, error) {
	if err := authz.RequireSystem(tx.Context(), "system.instance.write"); err != nil {
		return eventstore.Details{}, err
	}
	name, err := cleanName(name)
	if err != nil {
		return eventstore.Details{}, err
	}
	tx.Create(aggregate(id))
	return Added.Emit(tx, aggregate(id), named{name})
}

func cleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxName {
		return "", errName
	}
	return name, nil
}

// lock holds an instance for a change that the permission own allows, or other
// where the instance is not the one that the call came to. It asks first: nobody
// can hold up an instance in which they are nobody.
func lock(tx *eventstore.Tx, id, own, other string) (Instance, error) {
	if err := authz.RequireAt(tx.Context(), id, own, other); err != nil {
		return Instance{}, err
	}
	var i Instance
	var found bool
	if _, err := tx.Lock(aggregate(id), byID(id, &found, &i)); err != nil {
		return i, err
	}
	if !found {
		return i, ErrMissing
	}
	return i, nil
}

// Hold keeps an instance from being removed meanwhile, or says that there is
// none. Whether the caller may know is to be settled before.
func Hold(tx *eventstore.Tx, id string) error {
	found := false
	if _, err := tx.Lock(aggregate(id), Known(id, &found)); err != nil {
		return err
	}
	if !found {
		return ErrMissing
	}
	return nil
}

// Rename gives the instance another name.
func Rename(tx *eventstore.Tx, id, name string) (eventstore.Details, error) {
	i, err := lock(tx, id, "iam.write", "system.instance.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if name, err = cleanName(name); err != nil {
		return eventstore.Details{}, err
	}
	if name == i.Name {
		return eventstore.Details{}, errSameName
	}
	return Changed.Emit(tx, aggregate(id), named{name})
}

// Remove ends the instance: from the commit on no request finds it. To delete its
// rows is flow's, in the background.
func Remove(tx *eventstore.Tx, id string) (eventstore.Details, error) {
	if _, err := lock(tx, id, "system.instance.delete", "system.instance.delete"); err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, aggregate(id), eventstore.None{})
}

// SetDefaultOrg makes org the one where users without another belong.
func SetDefaultOrg(tx *eventstore.Tx, id, org string) (eventstore.Details, error) {
	if _, err := tx.Lock(aggregate(id)); err != nil {
		return eventstore.Details{}, err
	}
	if err := authz.RequireInstance(tx.Context(), "iam.write"); err != nil {
		return eventstore.Details{}, err
	}
	return DefaultOrgSet.Emit(tx, aggregate(id), defaultOrg{org})
}
