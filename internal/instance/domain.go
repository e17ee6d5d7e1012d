package instance

import (
	"crypto/rand"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// maxDomains is the most domains, and the most trusted domains, of an instance.
const maxDomains = 1000

// Domain is a host at which an instance is reached, or one that it trusts.
type Domain struct {
	Instance, Name     string
	Primary, Generated bool
	Details            eventstore.Details
}

type domainEvent struct {
	Domain    string `json:"domain"`
	Generated bool   `json:"generated,omitempty"`
}

type domainNamed struct {
	Domain string `json:"domain"`
}

// The events of an instance's domains.
var (
	DomainAdded = eventstore.Declare("instance.domain.added", func(f *eventstore.Fold, e domainEvent) error {
		generated := 0
		if e.Generated {
			generated = 1
		}
		f.ExecUnique(errDomainTaken, `INSERT INTO instance_domains (domain, instance_id, is_primary, generated, created, changed, sequence)
			VALUES (?, ?, 0, ?, ?, ?, ?)`, e.Domain, f.Instance, generated, f.Micros(), f.Micros(), f.Sequence)
		policy.CopyLimits(f)
		return nil
	})
	PrimaryDomainSet = eventstore.Declare("instance.domain.primary.set", func(f *eventstore.Fold, e domainNamed) error {
		f.Exec("UPDATE instance_domains SET is_primary = 0 WHERE instance_id = ? AND is_primary = 1", f.Instance)
		f.Exec("UPDATE instance_domains SET is_primary = 1, changed = ?, sequence = ? WHERE instance_id = ? AND domain = ?",
			f.Micros(), f.Sequence, f.Instance, e.Domain)
		return nil
	})
	DomainRemoved = eventstore.Declare("instance.domain.removed", func(f *eventstore.Fold, e domainNamed) error {
		f.Exec("DELETE FROM instance_domains WHERE instance_id = ? AND domain = ?", f.Instance, e.Domain)
		return nil
	})
	TrustedDomainAdded = eventstore.Declare("instance.trusted_domains.added", func(f *eventstore.Fold, e domainNamed) error {
		f.Exec("INSERT INTO trusted_domains (instance_id, domain, created, sequence) VALUES (?, ?, ?, ?)", f.Instance, e.Domain, f.Micros(), f.Sequence)
		return nil
	})
	TrustedDomainRemoved = eventstore.Declare("instance.trusted_domains.removed", func(f *eventstore.Fold, e domainNamed) error {
		f.Exec("DELETE FROM trusted_domains WHERE instance_id = ? AND domain = ?", f.Instance, e.Domain)
		return nil
	})
)

var (
	errDomain         = fault.Invalid("INSTANCE-domain-form", "A domain is like id.example.com, without a port: labels of letters, digits and hyphens, or an IP address.")
	errDomainTaken    = fault.AlreadyExists("INSTANCE-domain", "This domain belongs to an instance already.")
	errDomainMissing  = fault.NotFound("INSTANCE-domain-missing", "The instance has no such domain.")
	errDomainPrimary  = fault.Precondition("INSTANCE-domain-primary", "This is the primary domain. Make another one primary first.")
	errPrimaryAlready = fault.Precondition("INSTANCE-domain-primary-already", "This is the primary domain already.")
	errGenerated      = fault.Precondition("INSTANCE-domain-generated", "The domain that came with the instance cannot be removed.")
	errTooMany        = fault.Exhausted("INSTANCE-domains", "An instance can have %d domains at most. Remove one first.", maxDomains)
	errTrusted        = fault.AlreadyExists("INSTANCE-trusted", "The instance trusts this domain already.")
	errNotTrusted     = fault.NotFound("INSTANCE-trusted-missing", "The instance does not trust such a domain.")
)

// cleanDomain gives the canonical form of a domain.
func cleanDomain(name string) (string, error) {
	if name = hostname.Canonical(strings.TrimSpace(name)); !hostname.IsHost(name) {
		return "", errDomain
	}
	return name, nil
}

const (
	// maxSlug leaves room for the chance in a generated label of 63 characters.
	maxSlug = 50
	chance  = 6
)

// GeneratedDomain makes the domain that a new instance gets below the
// installation's: its name as far as a label can show it, and chance.
func GeneratedDomain(name, parent string) string {
	label := strings.ToLower(rand.Text()[:chance])
	if slug := hostname.Label(name, maxSlug); slug != "" {
		label = slug + "-" + label
	}
	return label + "." + hostname.Canonical(parent)
}

// AddGeneratedDomain gives a new instance the domain that comes with it.
func AddGeneratedDomain(tx *eventstore.Tx, id, domain string) error {
	if _, err := lock(tx, id, "system.domain.write", "system.domain.write"); err != nil {
		return err
	}
	domain, err := cleanDomain(domain)
	if err != nil {
		return err
	}
	if _, err := DomainAdded.Emit(tx, aggregate(id), domainEvent{Domain: domain, Generated: true}); err != nil {
		return err
	}
	_, err = PrimaryDomainSet.Emit(tx, aggregate(id), domainNamed{domain})
	return err
}

// AddDomain lets an instance be reached at one more domain.
func AddDomain(tx *eventstore.Tx, id, domain string) (eventstore.Details, error) {
	if _, err := lock(tx, id, "system.domain.write", "system.domain.write"); err != nil {
		return eventstore.Details{}, err
	}
	domain, err := cleanDomain(domain)
	if err != nil {
		return eventstore.Details{}, err
	}
	taken, count := false, uint64(0)
	err = tx.Read(
		database.Query{
			SQL: "SELECT domain FROM instance_domains WHERE domain = ?", Args: []any{domain},
			Row: func(database.Scan) error { taken = true; return nil },
		},
		database.From("domain", "instance_domains").Where("instance_id = ?", id).Count(&count),
	)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case taken:
		return eventstore.Details{}, errDomainTaken
	case count >= maxDomains:
		return eventstore.Details{}, errTooMany
	}
	return DomainAdded.Emit(tx, aggregate(id), domainEvent{Domain: domain})
}

// lockDomain holds an instance and reads one of its domains.
func lockDomain(tx *eventstore.Tx, id, name, permission string) (Domain, error) {
	if _, err := lock(tx, id, permission, permission); err != nil {
		return Domain{}, err
	}
	d, found := Domain{}, false
	err := tx.Read(database.From(domainColumns, "instance_domains d").
		Where("d.instance_id = ? AND d.domain = ?", id, hostname.Canonical(strings.TrimSpace(name))).
		Rows(func(scan database.Scan) error { found = true; return scanDomain(scan, &d) }))
	if err == nil && !found {
		err = errDomainMissing
	}
	return d, err
}

// RemoveDomain takes a domain from an instance: requests for it are refused from
// then on.
func RemoveDomain(tx *eventstore.Tx, id, domain, permission string) (eventstore.Details, error) {
	d, err := lockDomain(tx, id, domain, permission)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case d.Primary:
		return eventstore.Details{}, errDomainPrimary
	case d.Generated:
		return eventstore.Details{}, errGenerated
	}
	return DomainRemoved.Emit(tx, aggregate(id), domainNamed{d.Name})
}

// SetPrimaryDomain makes a domain of the instance the one that links and issuers
// name.
func SetPrimaryDomain(tx *eventstore.Tx, id, domain string) (eventstore.Details, error) {
	d, err := lockDomain(tx, id, domain, "system.domain.write")
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case d.Primary:
		return eventstore.Details{}, errPrimaryAlready
	}
	return PrimaryDomainSet.Emit(tx, aggregate(id), domainNamed{d.Name})
}

// lockTrusted holds an instance and says whether it trusts the domain, whose
// canonical form it gives, and how many it trusts.
func lockTrusted(tx *eventstore.Tx, id, domain string) (name string, trusted bool, count uint64, err error) {
	if _, err := lock(tx, id, "iam.write", "system.domain.write"); err != nil {
		return "", false, 0, err
	}
	if name, err = cleanDomain(domain); err != nil {
		return "", false, 0, err
	}
	all := database.From("domain", "trusted_domains").Where("instance_id = ?", id)
	same := database.From("domain", "trusted_domains").Where("instance_id = ? AND domain = ?", id, name)
	err = tx.Read(all.Count(&count), same.Rows(func(database.Scan) error { trusted = true; return nil }))
	return name, trusted, count, err
}

// AddTrustedDomain lets the instance name a domain as its own when a trusted proxy
// sends it. It is not reached there.
func AddTrustedDomain(tx *eventstore.Tx, id, domain string) (eventstore.Details, error) {
	name, trusted, count, err := lockTrusted(tx, id, domain)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case trusted:
		return eventstore.Details{}, errTrusted
	case count >= maxDomains:
		return eventstore.Details{}, errTooMany
	}
	return TrustedDomainAdded.Emit(tx, aggregate(id), domainNamed{name})
}

// RemoveTrustedDomain takes that back.
func RemoveTrustedDomain(tx *eventstore.Tx, id, domain string) (eventstore.Details, error) {
	name, trusted, _, err := lockTrusted(tx, id, domain)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case !trusted:
		return eventstore.Details{}, errNotTrusted
	}
	return TrustedDomainRemoved.Emit(tx, aggregate(id), domainNamed{name})
}
