// Package metadata holds what callers pin to an organization or to a user: keys
// with a value that Gatehouse does not look into. There is one mechanism for both.
//
// It may import policy and what is under it, and no other aggregate.
package metadata

import (
	"context"
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("metadata", "instance_id, kind, object_id, meta_key", "meta_key_lower, value, created, changed, sequence")
}

// The limits.
const (
	maxKey     = 200      // characters
	maxValue   = 500_000  // bytes
	maxEntries = 1000     // of an object
	maxBulk    = 200      // in one call
	maxSize    = 20 << 20 // bytes of an object's values, as they are stored
)

// Entry is a key with its value.
type Entry struct {
	Key     string
	Value   []byte
	Details eventstore.Details
}

type set struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

type unset struct {
	Key string `json:"key"`
}

type events struct {
	set     *eventstore.Kind[set]
	removed *eventstore.Kind[unset]
}

// kinds are the events, by the type of the aggregate.
var kinds = map[string]events{"org": declare("org"), "user": declare("user")}

func declare(kind string) events {
	return events{
		set: eventstore.Declare(kind+".metadata.set", func(f *eventstore.Fold, e set) error {
			f.Exec(`INSERT INTO metadata (instance_id, kind, object_id, meta_key, meta_key_lower, value, created, changed, sequence)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (instance_id, kind, object_id, meta_key)
				DO UPDATE SET value = excluded.value, changed = excluded.changed, sequence = excluded.sequence`,
				f.Instance, kind, f.ID, e.Key, strings.ToLower(e.Key), encoding.EncodeToString(e.Value), f.Micros(), f.Micros(), f.Sequence)
			return nil
		}),
		removed: eventstore.Declare(kind+".metadata.removed", func(f *eventstore.Fold, e unset) error {
			f.Exec("DELETE FROM metadata WHERE instance_id = ? AND kind = ? AND object_id = ? AND meta_key = ?", f.Instance, kind, f.ID, e.Key)
			return nil
		}),
	}
}

// encoding keeps values in a text column, whatever their bytes are.
var encoding = base64.StdEncoding

var errMissing = fault.NotFound("META-missing", "There is no metadata with this key.")

// Object is what metadata is pinned to.
type Object struct {
	aggregate   eventstore.Aggregate
	read, write string // permissions
	org         string // where they are needed
	exists      database.Query
	missing     error
}

// OfOrg is an organization.
func OfOrg(instance, id string) Object {
	return Object{
		aggregate: eventstore.Scope{Instance: instance, Org: id}.Aggregate(), read: "org.read", write: "org.write", org: id,
		exists:  database.Query{SQL: "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ?", Args: []any{instance, id}},
		missing: fault.NotFound("ORG-missing", "There is no such organization."),
	}
}

// OfUser is a user of an organization.
func OfUser(instance, org, id string) Object {
	return Object{
		aggregate: eventstore.Aggregate{Instance: instance, Type: "user", ID: id, Owner: org}, read: "user.read", write: "user.write", org: org,
		exists:  database.Query{SQL: "SELECT user_id FROM users WHERE instance_id = ? AND user_id = ? AND org_id = ?", Args: []any{instance, id, org}},
		missing: fault.NotFound("USER-missing", "There is no such user."),
	}
}

// OfReadable is a user of whatever organization whom the caller may read, for lists: of
// others, lists are empty. Everybody may read what is pinned to them.
func OfReadable(ctx context.Context, id string) Object {
	c := authz.From(ctx)
	o := OfUser(c.Instance, "", id)
	o.read = ""
	readable, args := authz.Where(ctx, "user.read", "org_id")
	o.exists.SQL = "SELECT user_id FROM users WHERE instance_id = ? AND user_id = ? AND (user_id = ? OR " + readable + ")"
	o.exists.Args = append([]any{c.Instance, id, c.UserID}, args...)
	return o
}

// Own is the caller, who may always read what is pinned to them.
func Own(c *authz.Caller) Object {
	o := OfUser(c.Instance, c.HomeOrg, c.UserID)
	o.read = ""
	return o
}

// held is what a verb knows of the metadata that it changes.
type held struct {
	values map[string]string // of the keys that the call names, as they are stored
	count  int               // of all keys
	size   int               // of all values, as they are stored
}

// lock holds the object, checks the caller and reads what is there of keys.
func (o Object) lock(tx *eventstore.Tx, keys []string) (held, error) {
	if len(keys) == 0 || len(keys) > maxBulk {
		return held{}, fault.Invalid("META-bulk", "Name 1 to %d keys at a time.", maxBulk)
	}
	h, found, a := held{values: map[string]string{}}, false, o.aggregate
	exists := o.exists
	exists.Row = func(database.Scan) error { found = true; return nil }
	_, err := tx.Lock(a, exists,
		database.Query{
			SQL:  "SELECT count(*), COALESCE(SUM(length(value)), 0) FROM metadata WHERE instance_id = ? AND kind = ? AND object_id = ?",
			Args: []any{a.Instance, a.Type, a.ID}, Row: func(scan database.Scan) error { return scan(&h.count, &h.size) },
		},
		database.From("meta_key, value", "metadata").Where("instance_id = ? AND kind = ? AND object_id = ?", a.Instance, a.Type, a.ID).
			In("meta_key", keys).Rows(func(scan database.Scan) error {
			var key, value string
			err := scan(&key, &value)
			h.values[key] = value
			return err
		}))
	if err == nil {
		err = authz.Require(tx.Context(), o.write, o.org)
	}
	if err == nil && !found {
		err = o.missing
	}
	return h, err
}

// Set gives keys their values. A key that has its value already is fine and
// changes nothing.
func Set(tx *eventstore.Tx, o Object, entries ...Entry) (eventstore.Details, error) {
	d := eventstore.Details{Owner: o.aggregate.Owner, Changed: tx.Now()}
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
		if n := utf8.RuneCountInString(e.Key); n == 0 || n > maxKey || len(e.Value) > maxValue {
			return d, fault.Invalid("META-entry", "A key has 1 to %d characters, a value %d bytes at most.", maxKey, maxValue)
		}
	}
	h, err := o.lock(tx, keys)
	if err != nil {
		return d, err
	}
	for _, e := range entries {
		value := encoding.EncodeToString(e.Value)
		old, exists := h.values[e.Key]
		if exists && old == value {
			continue
		}
		if !exists {
			h.count++
		}
		if h.size += len(value) - len(old); h.count > maxEntries || h.size > maxSize {
			return d, fault.Exhausted("META-entries", "There can be %d keys with values of %d bytes altogether. Remove one first.", maxEntries, maxSize)
		}
		h.values[e.Key] = value
		if d, err = kinds[o.aggregate.Type].set.Emit(tx, o.aggregate, set{e.Key, e.Value}); err != nil {
			return d, err
		}
	}
	return d, nil
}

// Remove takes keys away, all or none.
func Remove(tx *eventstore.Tx, o Object, keys ...string) (eventstore.Details, error) {
	var d eventstore.Details
	h, err := o.lock(tx, keys)
	if err != nil {
		return d, err
	}
	for _, key := range keys {
		if _, ok := h.values[key]; !ok {
			return d, errMissing
		}
		delete(h.values, key)
		if d, err = kinds[o.aggregate.Type].removed.Emit(tx, o.aggregate, unset{key}); err != nil {
			return d, err
		}
	}
	return d, nil
}

// ByKey is the filter of a list by key.
func ByKey(m database.TextMethod, key string) database.Filter {
	return database.Text{Exact: "meta_key", Lower: "meta_key_lower"}.Match(m, key)
}

// WithValue is the filter of a list for a value.
func WithValue(value []byte) database.Filter {
	return database.Is("value", encoding.EncodeToString(value))
}

// List gives the object's metadata in the order of the keys.
func List(ctx context.Context, r database.Reader, o Object, p database.Page, filters ...database.Filter) (database.Listing[Entry], error) {
	if o.read != "" {
		if err := authz.Require(ctx, o.read, o.org); err != nil {
			return database.Listing[Entry]{}, err
		}
	}
	a := o.aggregate
	s := database.From("meta_key, value, created, changed, sequence", "metadata").
		Where("instance_id = ? AND kind = ? AND object_id = ?", a.Instance, a.Type, a.ID).
		Where("EXISTS ("+o.exists.SQL+")", o.exists.Args...).Filter(filters...)
	return database.List(ctx, r, s, p, []string{"meta_key"}, func(scan database.Scan, e *Entry) error {
		var value string
		var created, changed int64
		if err := scan(&e.Key, &value, &created, &changed, &e.Details.Sequence); err != nil {
			return err
		}
		e.Details.Owner, e.Details.Created, e.Details.Changed = a.Owner, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		var err error
		e.Value, err = encoding.DecodeString(value)
		return err
	})
}

// One gives the value of a key.
func One(ctx context.Context, r database.Reader, o Object, key string) (Entry, error) {
	found, err := List(ctx, r, o, database.Page{Limit: 1}, database.Is("meta_key", key))
	if err == nil && len(found.Rows) == 0 {
		err = errMissing
	}
	if err != nil {
		return Entry{}, err
	}
	return found.Rows[0], nil
}
