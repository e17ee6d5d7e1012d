package org

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// The ways to prove a domain, numbered as on the wire.
const (
	ByHTTP = 1
	ByDNS  = 2
)

// maxDomains is the most domains that an organization can have.
const maxDomains = 1000

// Domain is a domain of an organization. It counts once it is verified; then no
// other organization of the instance can have it.
type Domain struct {
	OrgID, Name       string
	Verified, Primary bool
	// Validation is how the domain is being proved; 0: not at all yet.
	Validation int
	Details    eventstore.Details
	code       string // the hash of what proves it
}

type domainEvent struct {
	Domain string `json:"domain"`
}

// verificationEvent keeps only the hash of the token: what an owner publishes is
// hashed and compared, so that reading the log proves nothing.
type verificationEvent struct {
	Domain string         `json:"domain"`
	Type   int            `json:"validationType"`
	Code   validationCode `json:"validationCode"`
}

type validationCode struct {
	SHA256 string `json:"sha256"`
}

const claimDomain = "org.domain"

// The events of an organization's domains.
var (
	DomainAdded = eventstore.Declare("org.domain.added", func(f *eventstore.Fold, e domainEvent) error {
		f.Exec(`INSERT INTO org_domains (instance_id, org_id, domain, verified, is_primary, validation_type, validation_code, created, changed, sequence)
			VALUES (?, ?, ?, 0, 0, 0, '', ?, ?, ?)`, f.Instance, f.ID, e.Domain, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	DomainVerificationAdded = eventstore.Declare("org.domain.verification.added", func(f *eventstore.Fold, e verificationEvent) error {
		setDomain(f, e.Domain, "validation_type = ?, validation_code = ?", e.Type, e.Code.SHA256)
		return nil
	})
	DomainVerificationFailed = eventstore.Declare("org.domain.verification.failed", func(f *eventstore.Fold, e domainEvent) error {
		setDomain(f, e.Domain, "verified = 0")
		return nil
	})
	DomainVerified = eventstore.Declare("org.domain.verified", func(f *eventstore.Fold, e domainEvent) error {
		f.Claim(claimDomain, e.Domain, errDomainTaken)
		setDomain(f, e.Domain, "verified = 1, validation_code = ''")
		return nil
	})
	PrimaryDomainSet = eventstore.Declare("org.domain.primary.set", func(f *eventstore.Fold, e domainEvent) error {
		f.Exec("UPDATE org_domains SET is_primary = 0 WHERE instance_id = ? AND org_id = ? AND is_primary = 1", f.Instance, f.ID)
		setDomain(f, e.Domain, "is_primary = 1")
		f.Exec("UPDATE orgs SET primary_domain = ?, changed = ?, sequence = ? WHERE instance_id = ? AND org_id = ?",
			e.Domain, f.Micros(), f.Sequence, f.Instance, f.ID)
		return nil
	})
	DomainRemoved = eventstore.Declare("org.domain.removed", func(f *eventstore.Fold, e domainEvent) error {
		f.Release(claimDomain, e.Domain)
		f.Exec("DELETE FROM org_domains WHERE instance_id = ? AND org_id = ? AND domain = ?", f.Instance, f.ID, e.Domain)
		return nil
	})
)

func setDomain(f *eventstore.Fold, domain, what string, args ...any) {
	f.Exec("UPDATE org_domains SET "+what+", changed = ?, sequence = ? WHERE instance_id = ? AND org_id = ? AND domain = ?",
		append(args, f.Micros(), f.Sequence, f.Instance, f.ID, domain)...)
}

var (
	errDomain         = fault.Invalid("ORG-domain", "A domain is like example.com: labels of letters, digits and hyphens, 253 characters at most.")
	errDomainTaken    = fault.AlreadyExists("ORG-domain-taken", "This domain belongs to an organization already.")
	errDomainMissing  = fault.NotFound("ORG-domain-missing", "The organization has no such domain.")
	errDomainVerified = fault.Precondition("ORG-domain-verified", "The domain is verified already.")
	errNotVerified    = fault.Precondition("ORG-domain-unverified", "The domain is not verified. Prove that it is yours first.")
	errPrimary        = fault.Precondition("ORG-domain-primary", "This is the primary domain. Make another one primary first.")
	errPrimaryAlready = fault.Precondition("ORG-domain-primary-already", "This is the primary domain already.")
	errNoToken        = fault.Precondition("ORG-domain-token", "There is no validation token for this domain. Generate one first.")
	errTokenReplaced  = fault.New(fault.KindAborted, "ORG-domain-replaced", "The validation token was replaced meanwhile. Try again.")
)

// CanonicalDomain is the form in which domains are stored and compared.
func CanonicalDomain(domain string) string { return hostname.Canonical(strings.TrimSpace(domain)) }

// cleanDomain gives the canonical form of a well-formed domain.
func cleanDomain(domain string) (string, error) {
	if domain = CanonicalDomain(domain); !hostname.IsDomain(domain) {
		return "", errDomain
	}
	return domain, nil
}

// maxLabel is the most characters that a label of a domain can have.
const maxLabel = 63

// GeneratedDomain is the domain that a new organization gets below the
// instance's: its name as one label, or its id where the name gives none.
func GeneratedDomain(name, id, parent string) string {
	label := hostname.Label(name, maxLabel)
	if label == "" {
		label = "org-" + CanonicalDomain(id)
	}
	return label + "." + parent
}

// AddGeneratedDomain gives a new organization its first domain, verified and
// primary, below the instance's domain.
func AddGeneratedDomain(tx *eventstore.Tx, instance, id, name, parent string) error {
	domain := GeneratedDomain(name, id, parent)
	taken, err := domainTaken(tx, instance, domain)
	if err != nil {
		return err
	}
	if taken { // Names that differ can give the same label.
		domain = GeneratedDomain("org-"+id, id, parent)
	}
	if domain, err = cleanDomain(domain); err != nil {
		return nil //nolint:nilerr // An id that is no label gives no domain; the organization can do without.
	}
	a := aggregate(instance, id)
	for _, kind := range []*eventstore.Kind[domainEvent]{DomainAdded, DomainVerified, PrimaryDomainSet} {
		if _, err := kind.Emit(tx, a, domainEvent{domain}); err != nil {
			return err
		}
	}
	return nil
}

func domainTaken(tx *eventstore.Tx, instance, domain string) (taken bool, err error) {
	err = tx.Read(database.Query{
		SQL: "SELECT value FROM claims WHERE instance_id = ? AND kind = ? AND value = ?", Args: []any{instance, claimDomain, domain},
		Row: func(database.Scan) error { taken = true; return nil },
	})
	return taken, err
}

// AddDomain gives the organization one more domain. Where the domain policy asks
// for no proof, it is verified at once.
func AddDomain(tx *eventstore.Tx, instance, id, domain string) (eventstore.Details, error) {
	none := eventstore.Details{}
	if _, err := lock(tx, instance, id, "org.write"); err != nil {
		return none, err
	}
	domain, err := cleanDomain(domain)
	if err != nil {
		return none, err
	}
	taken, err := domainTaken(tx, instance, domain)
	if err != nil {
		return none, err
	}
	count := uint64(0)
	if err := tx.Read(
		database.Query{
			SQL: "SELECT domain FROM org_domains WHERE instance_id = ? AND org_id = ? AND domain = ?", Args: []any{instance, id, domain},
			Row: func(database.Scan) error { taken = true; return nil },
		},
		database.From("domain", "org_domains").Where("instance_id = ? AND org_id = ?", instance, id).Count(&count),
	); err != nil {
		return none, err
	}
	switch {
	case taken:
		return none, errDomainTaken
	case count >= maxDomains:
		return none, fault.Exhausted("ORG-domains", "An organization can have %d domains at most.", maxDomains)
	}
	rules, err := policy.Domain.Resolve(tx.Context(), tx.Reader(), eventstore.Scope{Instance: instance, Org: id})
	if err != nil {
		return none, err
	}
	d, err := DomainAdded.Emit(tx, aggregate(instance, id), domainEvent{domain})
	if err != nil || rules.Doc.ValidateOrgDomains {
		return d, err
	}
	return DomainVerified.Emit(tx, aggregate(instance, id), domainEvent{domain})
}

// lockDomain holds the organization and reads one of its domains.
func lockDomain(tx *eventstore.Tx, instance, id, name string) (Domain, error) {
	if _, err := lock(tx, instance, id, "org.write"); err != nil {
		return Domain{}, err
	}
	return domainByName(tx.Context(), tx.Reader(), instance, id, name)
}

// RemoveDomain takes a domain from the organization; anybody can claim it then.
func RemoveDomain(tx *eventstore.Tx, instance, id, domain string) (eventstore.Details, error) {
	d, err := lockDomain(tx, instance, id, domain)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case d.Primary:
		return eventstore.Details{}, errPrimary
	}
	return DomainRemoved.Emit(tx, aggregate(instance, id), domainEvent{d.Name})
}

// SetPrimaryDomain makes a verified domain the one that login names show.
func SetPrimaryDomain(tx *eventstore.Tx, instance, id, domain string) (eventstore.Details, error) {
	d, err := lockDomain(tx, instance, id, domain)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case !d.Verified:
		return eventstore.Details{}, errNotVerified
	case d.Primary:
		return eventstore.Details{}, errPrimaryAlready
	}
	return PrimaryDomainSet.Emit(tx, aggregate(instance, id), domainEvent{d.Name})
}

// NewDomainToken makes a token that proves a domain once its owner publishes it.
func NewDomainToken() string { return strings.ToLower(rand.Text()) }

// HashDomainToken is the form in which a token is kept and compared.
func HashDomainToken(token string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return hex.EncodeToString(sum[:])
}

// RequestValidation says how the domain will be proved, and by which token. An
// earlier token is void.
func RequestValidation(tx *eventstore.Tx, instance, id, domain string, how int, token string) (eventstore.Details, error) {
	d, err := lockDomain(tx, instance, id, domain)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case d.Verified:
		return eventstore.Details{}, errDomainVerified
	case how != ByHTTP && how != ByDNS:
		return eventstore.Details{}, fault.Invalid("ORG-domain-type", "Prove the domain by HTTP or by DNS.")
	}
	return DomainVerificationAdded.Emit(tx, aggregate(instance, id), verificationEvent{d.Name, how, validationCode{HashDomainToken(token)}})
}

// PendingDomain gives a domain that is to be proved now.
func PendingDomain(ctx context.Context, r database.Reader, instance, id, domain string) (Domain, error) {
	if err := authz.Require(ctx, "org.write", id); err != nil {
		return Domain{}, err
	}
	d, err := domainByName(ctx, r, instance, id, domain)
	switch {
	case err != nil:
		return d, err
	case d.Verified:
		return d, errDomainVerified
	case d.code == "":
		return d, errNoToken
	}
	return d, nil
}

// ProvedBy reports whether published is the token that proves the domain.
func (d Domain) ProvedBy(published string) bool {
	return d.code != "" && HashDomainToken(published) == d.code
}

// SettleDomain records what the look at the owner's publication found: the domain
// is verified, or the attempt failed.
func SettleDomain(tx *eventstore.Tx, instance, id string, looked Domain, proved bool) (eventstore.Details, error) {
	d, err := lockDomain(tx, instance, id, looked.Name)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case d.Verified:
		return eventstore.Details{}, errDomainVerified
	case d.code != looked.code:
		return eventstore.Details{}, errTokenReplaced
	case !proved:
		return DomainVerificationFailed.Emit(tx, aggregate(instance, id), domainEvent{d.Name})
	}
	return DomainVerified.Emit(tx, aggregate(instance, id), domainEvent{d.Name})
}

const domainColumns = "d.org_id, d.domain, d.verified, d.is_primary, d.validation_type, d.validation_code, d.created, d.changed, d.sequence"

func scanDomain(scan database.Scan, d *Domain) error {
	var verified, primary int
	var created, changed int64
	err := scan(&d.OrgID, &d.Name, &verified, &primary, &d.Validation, &d.code, &created, &changed, &d.Details.Sequence)
	d.Verified, d.Primary = verified == 1, primary == 1
	d.Details = details(d.OrgID, created, changed, d.Details.Sequence)
	return err
}

func domainByName(ctx context.Context, r database.Reader, instance, id, name string) (Domain, error) {
	var d Domain
	var found bool
	err := r.Read(ctx, database.Query{
		SQL:  "SELECT " + domainColumns + " FROM org_domains d WHERE d.instance_id = ? AND d.org_id = ? AND d.domain = ?",
		Args: []any{instance, id, CanonicalDomain(name)},
		Row:  func(scan database.Scan) error { found = true; return scanDomain(scan, &d) },
	})
	if err == nil && !found {
		err = errDomainMissing
	}
	return d, err
}

// domainName is the text of a domain, which has only one case.
var domainName = database.Text{Exact: string(SortDomainName), Lower: string(SortDomainName)}

// DomainByName is the filter of a list of domains by name.
func DomainByName(m database.TextMethod, name string) database.Filter {
	return domainName.Match(m, name)
}

// The columns that domains are sorted by.
const (
	SortDomainName    Column = "d.domain"
	SortDomainCreated Column = "d.created"
)

// Domains lists the domains of an organization.
func Domains(ctx context.Context, r database.Reader, instance, id string, p database.Page, by Column, filters ...database.Filter) (database.Listing[Domain], error) {
	if err := authz.Require(ctx, "org.read", id); err != nil {
		return database.Listing[Domain]{}, err
	}
	s := database.From(domainColumns, "org_domains d").Where("d.instance_id = ? AND d.org_id = ?", instance, id).Filter(filters...)
	return database.List(ctx, r, s, p, []string{string(by), "d.domain"}, scanDomain)
}
