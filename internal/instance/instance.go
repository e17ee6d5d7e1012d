// Package instance is the tenant: a closed world with its own organizations,
// users and settings, found by the host that a request names.
//
// It may import policy and what is under it, and no other aggregate.
package instance

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("instances", "instance_id", "name, state, default_org, default_language, created, changed, sequence")
	eventstore.DeclareTable("instance_domains", "domain", "instance_id, is_primary, generated, created, changed, sequence")
	eventstore.DeclareTable("trusted_domains", "instance_id, domain", "created, sequence")
}

// Running is the state of an instance that serves requests.
const Running = 3

type added struct {
	Name string `json:"name"`
}

type domainEvent struct {
	Domain    string `json:"domain"`
	Generated bool   `json:"generated,omitempty"`
}

type defaultOrg struct {
	Org string `json:"orgId"`
}

type defaultLanguage struct {
	Language string `json:"language"`
}

// The events of an instance.
var (
	Added = eventstore.Declare("instance.added", func(f *eventstore.Fold, e added) error {
		f.Exec(`INSERT INTO instances (instance_id, name, state, default_org, default_language, created, changed, sequence)
			VALUES (?, ?, ?, '', 'en', ?, ?, ?)`, f.Instance, e.Name, Running, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	DomainAdded = eventstore.Declare("instance.domain.added", func(f *eventstore.Fold, e domainEvent) error {
		generated := 0
		if e.Generated {
			generated = 1
		}
		f.ExecUnique(fault.AlreadyExists("INSTANCE-domain", "The domain %s belongs to an instance already.", e.Domain),
			`INSERT INTO instance_domains (domain, instance_id, is_primary, generated, created, changed, sequence)
			VALUES (?, ?, 0, ?, ?, ?, ?)`, e.Domain, f.Instance, generated, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	PrimaryDomainSet = eventstore.Declare("instance.domain.primary.set", func(f *eventstore.Fold, e domainEvent) error {
		f.Exec("UPDATE instance_domains SET is_primary = CASE WHEN domain = ? THEN 1 ELSE 0 END, changed = ?, sequence = ? WHERE instance_id = ?",
			e.Domain, f.Micros(), f.Sequence, f.Instance)
		return nil
	})
	DefaultOrgSet = eventstore.Declare("instance.default.org.set", func(f *eventstore.Fold, e defaultOrg) error {
		f.Exec("UPDATE instances SET default_org = ?, changed = ?, sequence = ? WHERE instance_id = ?",
			e.Org, f.Micros(), f.Sequence, f.Instance)
		return nil
	})
	DefaultLanguageSet = eventstore.Declare("instance.default.language.set", func(f *eventstore.Fold, e defaultLanguage) error {
		f.Exec("UPDATE instances SET default_language = ?, changed = ?, sequence = ? WHERE instance_id = ?",
			e.Language, f.Micros(), f.Sequence, f.Instance)
		return nil
	})
)

// Instance is an instance as it is stored.
type Instance struct {
	ID, Name, DefaultOrg, DefaultLanguage string
	State                                 int
	Details                               eventstore.Details
}

func aggregate(id string) eventstore.Aggregate { return eventstore.Scope{Instance: id}.Aggregate() }

// Add starts an instance that is reached at domain.
func Add(tx *eventstore.Tx, id, name, domain string) (eventstore.Details, error) {
	if err := authz.RequireInstance(tx.Context(), "system.instance.write"); err != nil {
		return eventstore.Details{}, err
	}
	if name = strings.TrimSpace(name); name == "" || len(name) > 200 {
		return eventstore.Details{}, fault.Invalid("INSTANCE-name", "An instance needs a name of 1 to 200 bytes.")
	}
	a := aggregate(id)
	tx.Create(a)
	if _, err := Added.Emit(tx, a, added{name}); err != nil {
		return eventstore.Details{}, err
	}
	if _, err := DomainAdded.Emit(tx, a, domainEvent{Domain: Canonical(domain), Generated: true}); err != nil {
		return eventstore.Details{}, err
	}
	return PrimaryDomainSet.Emit(tx, a, domainEvent{Domain: Canonical(domain)})
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

// Canonical is the form in which hosts are stored and compared: lower case, no
// trailing dot.
func Canonical(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// Count is the number of instances.
func Count(ctx context.Context, r database.Reader) (n uint64, err error) {
	err = r.Read(ctx, database.From("instance_id", "instances").Count(&n))
	return n, err
}

// ByID gives an instance.
func ByID(ctx context.Context, r database.Reader, id string) (Instance, error) {
	i := Instance{ID: id}
	var found bool
	var created, changed int64
	err := r.Read(ctx, database.One(&found,
		"SELECT name, state, default_org, default_language, created, changed, sequence FROM instances WHERE instance_id = ?", []any{id},
		&i.Name, &i.State, &i.DefaultOrg, &i.DefaultLanguage, &created, &changed, &i.Details.Sequence))
	if err == nil && !found {
		return i, fault.NotFound("INSTANCE-missing", "There is no such instance.")
	}
	i.Details.Created, i.Details.Changed, i.Details.Owner = time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC(), id
	return i, err
}
