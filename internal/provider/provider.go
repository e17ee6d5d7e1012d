// Package provider is who carries messages for an instance: mail servers and
// endpoints for mail, Twilio and endpoints for SMS. Of each sort at most one is
// active.
//
// It may import policy, crypto and what is under them, and no aggregate. The
// secret of a provider is sealed for its place, in events too.
package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("providers", "instance_id, provider_id", "sort, kind, active, document, created, changed, sequence")
}

// Sort is what a provider carries.
type Sort string

// The sorts.
const (
	Email Sort = "email"
	SMS   Sort = "sms"
)

const (
	// maxProviders is the most providers of an instance.
	maxProviders = 100
	// maxSecret is the most bytes of a secret.
	maxSecret = 1000
)

var (
	errMissing     = fault.NotFound("PROVIDER-missing", "There is no such provider.")
	errNoneActive  = fault.NotFound("PROVIDER-none-active", "No provider of this sort is active.")
	errActive      = fault.Precondition("PROVIDER-active", "The provider is active already.")
	errInactive    = fault.Precondition("PROVIDER-inactive", "The provider is not active.")
	errUnchanged   = fault.Precondition("PROVIDER-unchanged", "The provider is like this already.")
	errMany        = fault.Exhausted("PROVIDER-many", "An instance can have %d providers at most. Remove one first.", maxProviders)
	errSecret      = fault.Invalid("PROVIDER-secret", "Give the password or secret that belongs to this provider, of %d bytes at most.", maxSecret)
	errSecretAgain = fault.Invalid("PROVIDER-secret-again", "Give the password or secret again: the one that is stored was meant for another host or another way to prove who sends.")
)

// document is a provider's configuration by its keys. In payloads it holds the
// provider's id too.
type document map[string]json.RawMessage

type identified struct {
	ID string `json:"id"`
}

// config is what a kind of provider is told.
type config interface {
	check() error
	// secret is where the sealed secret is; nil where the configuration has none.
	secret() *string
	// shownTo says to whom the secret is shown, and how: it stays only while this
	// does.
	shownTo() string
}

// flavour is a kind of provider with its events.
type flavour struct {
	sort           Sort
	kind           string
	added, changed *eventstore.Kind[document]
}

func declare(sort Sort, kind, event string, secrets ...string) *flavour {
	f := &flavour{sort: sort, kind: kind}
	f.added = eventstore.Declare(event+".added", f.foldAdded, secrets...)
	f.changed = eventstore.Declare(event+".changed", foldChanged, secrets...)
	return f
}

// switches are the events that every provider of a sort has.
type switches struct{ activated, deactivated, removed *eventstore.Kind[identified] }

func declareSwitches(sort Sort, event string) switches {
	return switches{
		activated: eventstore.Declare(event+"activated", func(f *eventstore.Fold, e identified) error {
			f.Exec("UPDATE providers SET active = 0 WHERE instance_id = ? AND sort = ? AND provider_id <> ?", f.Instance, string(sort), e.ID)
			setActive(f, e.ID, 1)
			return nil
		}),
		deactivated: eventstore.Declare(event+"deactivated", func(f *eventstore.Fold, e identified) error {
			setActive(f, e.ID, 0)
			return nil
		}),
		removed: eventstore.Declare(event+"removed", func(f *eventstore.Fold, e identified) error {
			f.Exec("DELETE FROM providers WHERE instance_id = ? AND provider_id = ?", f.Instance, e.ID)
			return nil
		}),
	}
}

func setActive(f *eventstore.Fold, id string, active int) {
	f.Exec("UPDATE providers SET active = ?, changed = ?, sequence = ? WHERE instance_id = ? AND provider_id = ?",
		active, f.Micros(), f.Sequence, f.Instance, id)
}

// The events of the sorts.
var sorts = map[Sort]switches{
	Email: declareSwitches(Email, "instance.smtp.config."),
	SMS:   declareSwitches(SMS, "instance.sms.config"),
}

// split gives the id in a payload and the rest of it.
func split(payload document) (id string, rest document, err error) {
	rest = document{}
	for key, value := range payload {
		if key == "id" {
			err = json.Unmarshal(value, &id)
		} else {
			rest[key] = value
		}
	}
	return id, rest, err
}

func (fl *flavour) foldAdded(f *eventstore.Fold, payload document) error {
	id, doc, err := split(payload)
	if err != nil {
		return err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	f.Exec(`INSERT INTO providers (instance_id, provider_id, sort, kind, active, document, created, changed, sequence)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)`, f.Instance, id, string(fl.sort), fl.kind, string(text), f.Micros(), f.Micros(), f.Sequence)
	return nil
}

// foldChanged replaces the keys that the payload has.
func foldChanged(f *eventstore.Fold, payload document) error {
	id, changes, err := split(payload)
	if err != nil {
		return err
	}
	var found bool
	var text []byte
	if err := f.Read(database.One(&found, "SELECT document FROM providers WHERE instance_id = ? AND provider_id = ?", []any{f.Instance, id}, &text)); err != nil || !found {
		return err
	}
	doc := document{}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	maps.Copy(doc, changes)
	if text, err = json.Marshal(doc); err != nil {
		return err
	}
	f.Exec("UPDATE providers SET document = ?, changed = ?, sequence = ? WHERE instance_id = ? AND provider_id = ?",
		string(text), f.Micros(), f.Sequence, f.Instance, id)
	return nil
}

func aggregate(instance string) eventstore.Aggregate {
	return eventstore.Scope{Instance: instance}.Aggregate()
}

func place(instance, id string) crypto.Place {
	return crypto.Place{Instance: instance, Table: "providers", Row: id, Column: "secret"}
}

func asDocument(c config) (document, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	out := document{}
	return out, json.Unmarshal(data, &out)
}

// with adds the id, which makes a payload of a document.
func (d document) with(id string) document {
	d["id"] = json.RawMessage(fmt.Sprintf("%q", id))
	return d
}

// add makes an inactive provider.
func (fl *flavour) add(tx *eventstore.Tx, v *crypto.Vault, instance string, c config, secret string) (id string, d eventstore.Details, err error) {
	count := uint64(0)
	if _, err := tx.Lock(aggregate(instance), database.From("provider_id", "providers").Where("instance_id = ?", instance).Count(&count)); err != nil {
		return "", d, err
	}
	if err := authz.RequireInstance(tx.Context(), "iam.write"); err != nil {
		return "", d, err
	}
	if count >= maxProviders {
		return "", d, errMany
	}
	if err := c.check(); err != nil {
		return "", d, err
	}
	id = tx.NewID()
	if err := seal(v, instance, id, c, secret); err != nil {
		return "", d, err
	}
	doc, err := asDocument(c)
	if err != nil {
		return "", d, err
	}
	d, err = fl.added.Emit(tx, aggregate(instance), doc.with(id))
	return id, d, err
}

// seal puts the secret into the configuration.
func seal(v *crypto.Vault, instance, id string, c config, secret string) error {
	slot := c.secret()
	if slot == nil {
		return nil
	}
	if secret == "" || len(secret) > maxSecret {
		return errSecret
	}
	sealed, err := v.Seal([]byte(secret), place(instance, id))
	*slot = sealed
	return err
}

// lock holds the instance and reads one of its providers.
func lock(tx *eventstore.Tx, instance, id string, sort Sort) (Provider, error) {
	var p Provider
	found := false
	q := database.From(columns, "providers p").Where("p.instance_id = ? AND p.provider_id = ? AND p.sort = ?", instance, id, string(sort)).
		Rows(func(scan database.Scan) error { found = true; return scanProvider(scan, &p) })
	if _, err := tx.Lock(aggregate(instance), q); err != nil {
		return p, err
	}
	if err := authz.RequireInstance(tx.Context(), "iam.write"); err != nil {
		return p, err
	}
	if !found {
		return p, errMissing
	}
	return p, nil
}

// change writes what edit makes of a configuration. Without a secret the one that
// is stored stays, as long as it is shown to the same.
func (fl *flavour) change(tx *eventstore.Tx, v *crypto.Vault, instance, id string, edit func(config) error, secret string) (eventstore.Details, error) {
	p, err := lock(tx, instance, id, fl.sort)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case p.Kind != fl.kind:
		return eventstore.Details{}, errMissing
	}
	before, err := asDocument(p.config())
	if err != nil {
		return eventstore.Details{}, err
	}
	after := p.config()
	stored, shownTo := after.secret(), after.shownTo()
	sealed := ""
	if stored != nil {
		sealed = *stored
	}
	if err := edit(after); err != nil {
		return eventstore.Details{}, err
	}
	if err := after.check(); err != nil {
		return eventstore.Details{}, err
	}
	switch slot := after.secret(); {
	case slot == nil:
	case secret != "":
		err = seal(v, instance, id, after, secret)
	case sealed == "" || shownTo != after.shownTo():
		err = errSecretAgain
	default:
		*slot = sealed
	}
	if err != nil {
		return eventstore.Details{}, err
	}
	changes, err := asDocument(after)
	if err != nil {
		return eventstore.Details{}, err
	}
	for key, value := range changes {
		if bytes.Equal(value, before[key]) {
			delete(changes, key)
		}
	}
	if len(changes) == 0 {
		return eventstore.Details{}, errUnchanged
	}
	return fl.changed.Emit(tx, aggregate(instance), changes.with(id))
}

// Activate makes a provider the one that is used; another of its sort is not any
// more.
func Activate(tx *eventstore.Tx, instance, id string, sort Sort) (eventstore.Details, error) {
	p, err := lock(tx, instance, id, sort)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case p.Active:
		return eventstore.Details{}, errActive
	}
	return sorts[sort].activated.Emit(tx, aggregate(instance), identified{id})
}

// Deactivate stops the use of a provider.
func Deactivate(tx *eventstore.Tx, instance, id string, sort Sort) (eventstore.Details, error) {
	p, err := lock(tx, instance, id, sort)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case !p.Active:
		return eventstore.Details{}, errInactive
	}
	return sorts[sort].deactivated.Emit(tx, aggregate(instance), identified{id})
}

// Remove forgets a provider and its secret.
func Remove(tx *eventstore.Tx, instance, id string, sort Sort) (eventstore.Details, error) {
	if _, err := lock(tx, instance, id, sort); err != nil {
		return eventstore.Details{}, err
	}
	return sorts[sort].removed.Emit(tx, aggregate(instance), identified{id})
}

// Secret opens the secret of a provider for who sends with it.
func Secret(ctx context.Context, v *crypto.Vault, p Provider) (string, error) {
	slot := p.config().secret()
	if slot == nil || *slot == "" {
		return "", nil
	}
	secret, err := v.Unseal(ctx, *slot, place(p.Instance, p.ID))
	return string(secret), err
}
