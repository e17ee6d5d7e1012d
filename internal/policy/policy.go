// Package policy holds every setting that an instance has by default and an
// organization may replace, through one mechanism: a policy is a document with a
// scope. An organization's policy replaces the instance's as a whole.
//
// A file per policy declares its document, its rules and its parts. Events carry
// the scope's prefix: "org.policy.login.changed", "instance.policy.login.changed".
// An added event holds the document, a changed event only the keys that changed.
//
// policy imports authz, crypto, eventstore, database and fault.
package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("policies", "instance_id, org_id, kind", "document, created, changed, sequence")
}

// Scope says whose policy it is; without an organization, the instance's.
type Scope = eventstore.Scope

// Details is what a change answers.
type Details = eventstore.Details

// State is a policy as it is stored, or as it is inherited.
type State[D any] struct {
	Doc D
	// IsDefault: the document and the details are the instance's.
	IsDefault bool
	Details   Details
}

// IDs are a policy's error ids on the wire. Those that are empty get a readable
// default from the policy's name.
type IDs struct {
	Exists, Missing, Unchanged, NotReset string
}

// Kind is a sort of policy with document D.
type Kind[D any] struct {
	name     string        // such as "policy.login"
	title    *fault.Phrase // such as "login policy"
	ids      IDs
	validate func(*D) error
	instance events[D]
	org      events[D]
	orgs     bool                              // organizations can have their own
	removed  *eventstore.Kind[eventstore.None] // organizations only

	// What follows is nil or empty for a usual policy.
	access    func(s Scope, verb string) (permission, org string) // who may change it
	elsewhere string                                              // what the permission begins with for system users in any instance
	stream    func(Scope) eventstore.Aggregate                    // the aggregate of its events
	keep      string                                              // a key that every changed event holds
	shadow    *Kind[D]                                            // a second row that goes when the policy is reset
	also      func(*eventstore.Fold)                              // writes what follows from the policy's row
	around    *Around                                             // runs around each change

	parsed Parsed[D] // what readers were given
}

type events[D any] struct {
	added   *eventstore.Kind[D]
	changed *eventstore.Kind[changes]
}

// Change is a verb that is about to change a policy.
type Change func() (Details, error)

// Around runs a change, for those above who must follow it in its transaction.
type Around func(tx *eventstore.Tx, s Scope, change Change) (Details, error)

func (k *Kind[D]) within(tx *eventstore.Tx, s Scope, change Change) (Details, error) {
	if k.around == nil || *k.around == nil {
		return change()
	}
	return (*k.around)(tx, s, change)
}

// changes is the part of a document that is new, by key.
type changes map[string]json.RawMessage

// Declare makes a kind of policy. validate, if not nil, says what is wrong with
// a document before it is added or changed.
func Declare[D any](name string, title *fault.Phrase, ids IDs, validate func(*D) error) *Kind[D] {
	k := &Kind[D]{name: name, title: title, ids: ids, validate: validate, orgs: true}
	declare := func(prefix string) events[D] {
		return events[D]{
			added:   eventstore.Declare(prefix+name+".added", k.foldAdded),
			changed: eventstore.Declare(prefix+name+".changed", k.foldChanged),
		}
	}
	k.instance, k.org = declare("instance."), declare("org.")
	k.removed = eventstore.Declare("org."+name+".removed", k.foldRemoved)
	return k
}

func (k *Kind[D]) events(s Scope) events[D] {
	if s.IsDefault() {
		return k.instance
	}
	return k.org
}

// require refuses callers without the permission for verb ("write", "delete").
func (k *Kind[D]) require(ctx context.Context, s Scope, verb string) error {
	access := k.access
	if access == nil {
		access = ownerAccess
	}
	permission, org := access(s, verb)
	if k.elsewhere != "" {
		return authz.RequireAt(ctx, s.Instance, permission, k.elsewhere+verb)
	}
	return authz.Require(ctx, permission, org)
}

// ownerAccess lets those who administer the scope change its policies.
func ownerAccess(s Scope, verb string) (permission, org string) {
	if s.IsDefault() {
		return "iam.policy." + verb, ""
	}
	return "policy." + verb, s.Org
}

// instanceAccess lets only those change something who have the permission that
// begins with prefix on the instance.
func instanceAccess(prefix string) func(Scope, string) (permission, org string) {
	return func(_ Scope, verb string) (permission, org string) { return prefix + verb, "" }
}

// aggregate is the stream that holds the events of the scope's policy.
func (k *Kind[D]) aggregate(s Scope) eventstore.Aggregate {
	if k.stream == nil {
		return s.Aggregate()
	}
	return k.stream(s)
}

// id gives the wire's error id, whose prefix names the scope.
func (k *Kind[D]) id(s Scope, id, fallback string) string {
	if id == "" {
		id = k.name + "." + fallback
	}
	return scopedID(s, id)
}

func scopedID(s Scope, id string) string {
	if s.IsDefault() {
		return "INSTANCE-" + id
	}
	return "Org-" + id
}

// row is a policy in the table; exists is false where the scope has none.
type row[D any] struct {
	exists   bool
	doc      D
	created  int64
	changed  int64
	sequence uint64
}

type memoKey struct {
	scope Scope
	kind  string
}

const selectRow = "SELECT document, created, changed, sequence FROM policies WHERE instance_id = ? AND org_id = ? AND kind = ?"

func (k *Kind[D]) query(s Scope, r *row[D]) database.Query {
	return database.Query{SQL: selectRow, Args: []any{s.Instance, s.Org, k.name}, Row: func(scan database.Scan) error {
		r.exists = true
		var doc []byte
		if err := scan(&doc, &r.created, &r.changed, &r.sequence); err != nil {
			return err
		}
		return json.Unmarshal(doc, &r.doc)
	}}
}

// lock holds the scope and reads its own policy; also are queries that travel
// along.
func (k *Kind[D]) lock(tx *eventstore.Tx, s Scope, verb string, also ...database.Query) (*row[D], error) {
	if !s.IsDefault() && !k.orgs {
		return nil, fmt.Errorf("%s: only instances have this, not organization %s", k.name, s.Org)
	}
	r := &row[D]{}
	if known, ok := tx.Memo(memoKey{s, k.name}).(*row[D]); ok {
		r = known
		if len(also) > 0 {
			if err := tx.Read(also...); err != nil {
				return nil, err
			}
		}
	} else {
		if _, err := tx.Lock(k.aggregate(s), append(also, k.query(s, r))...); err != nil {
			return nil, err
		}
		tx.Remember(memoKey{s, k.name}, r)
	}
	return r, k.require(tx.Context(), s, verb)
}

// lockLiving is lock for verbs that may make the scope's first row: there must be
// such an organization. An instance that is not there has no callers.
func (k *Kind[D]) lockLiving(tx *eventstore.Tx, s Scope, verb string) (*row[D], error) {
	if s.IsDefault() {
		return k.lock(tx, s, verb)
	}
	there := false
	org := database.One(&there, "SELECT 1 FROM orgs WHERE instance_id = ? AND org_id = ?", []any{s.Instance, s.Org}, new(int))
	if k.stream != nil { // The organization must not go while its row in another stream is made.
		if _, err := tx.Lock(s.Aggregate()); err != nil {
			return nil, err
		}
	}
	r, err := k.lock(tx, s, verb, org)
	if err == nil && !there {
		err = fault.NotFound("ORG-missing", "There is no such organization.")
	}
	return r, err
}

// Add gives the scope a policy of its own.
func (k *Kind[D]) Add(tx *eventstore.Tx, s Scope, doc D) (Details, error) {
	return k.within(tx, s, func() (Details, error) { return k.add(tx, s, doc) })
}

func (k *Kind[D]) add(tx *eventstore.Tx, s Scope, doc D) (Details, error) {
	r, err := k.lockLiving(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	if r.exists {
		return Details{}, fault.AlreadyExists(k.id(s, k.ids.Exists, "exists"), "There is a %s already. Change it instead.", k.title)
	}
	if err := k.check(&doc); err != nil {
		return Details{}, err
	}
	return k.events(s).added.Emit(tx, k.aggregate(s), doc)
}

// Change lets edit alter the scope's own policy.
func (k *Kind[D]) Change(tx *eventstore.Tx, s Scope, edit func(*D)) (Details, error) {
	return k.within(tx, s, func() (Details, error) { return k.change(tx, s, edit) })
}

func (k *Kind[D]) change(tx *eventstore.Tx, s Scope, edit func(*D)) (Details, error) {
	r, err := k.lock(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	if !r.exists {
		return Details{}, fault.NotFound(k.id(s, k.ids.Missing, "missing"), "There is no own %s. Add one first.", k.title)
	}
	c, err := k.edited(r.doc, edit)
	if err != nil {
		return Details{}, err
	}
	if len(c) == 0 {
		return Details{}, k.unchanged(s)
	}
	return k.events(s).changed.Emit(tx, k.aggregate(s), c)
}

// edited gives what edit makes of the document, by the keys that are new.
func (k *Kind[D]) edited(doc D, edit func(*D)) (changes, error) {
	before, err := fields(doc)
	if err != nil {
		return nil, err
	}
	after, err := k.whole(doc, edit)
	if err != nil {
		return nil, err
	}
	kept := after[k.keep]
	for key, value := range after {
		if bytes.Equal(value, before[key]) {
			delete(after, key)
		}
	}
	if len(after) > 0 && kept != nil {
		after[k.keep] = kept
	}
	return after, nil
}

// whole gives what edit makes of the document, by all its keys.
func (k *Kind[D]) whole(doc D, edit func(*D)) (changes, error) {
	doc, err := clone(doc)
	if err != nil {
		return nil, err
	}
	edit(&doc)
	if err := k.check(&doc); err != nil {
		return nil, err
	}
	return fields(doc)
}

func (k *Kind[D]) unchanged(s Scope) error {
	return fault.Precondition(k.id(s, k.ids.Unchanged, "unchanged"), "The %s is like this already.", k.title)
}

// Set adds the policy or changes it, whichever applies; doc equal to what is
// there is fine and changes nothing.
func (k *Kind[D]) Set(tx *eventstore.Tx, s Scope, edit func(*D)) (Details, error) {
	return k.within(tx, s, func() (Details, error) { return k.set(tx, s, edit) })
}

func (k *Kind[D]) set(tx *eventstore.Tx, s Scope, edit func(*D)) (Details, error) {
	r, err := k.lock(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	if !r.exists {
		var doc D
		edit(&doc)
		return k.add(tx, s, doc)
	}
	d, err := k.change(tx, s, edit)
	if fault.KindOf(err) == fault.KindFailedPrecondition {
		return k.details(r, s), nil
	}
	return d, err
}

// Reset removes an organization's own policy, so that the default holds again.
func (k *Kind[D]) Reset(tx *eventstore.Tx, s Scope) (Details, error) {
	return k.within(tx, s, func() (Details, error) { return k.reset(tx, s) })
}

func (k *Kind[D]) reset(tx *eventstore.Tx, s Scope) (Details, error) {
	r, err := k.lock(tx, s, "delete")
	if err != nil {
		return Details{}, err
	}
	if !r.exists || s.IsDefault() {
		return Details{}, fault.NotFound(k.id(s, k.ids.NotReset, "not_reset"), "There is no own %s to remove.", k.title)
	}
	return k.removed.Emit(tx, k.aggregate(s), eventstore.None{})
}

// Resolve gives the policy that holds in the scope: its own, else the instance's.
func (k *Kind[D]) Resolve(ctx context.Context, store database.Reader, s Scope) (out State[D], err error) {
	err = store.Read(ctx, k.Ask(s, &out))
	return out, err
}

// Ask is the query of Resolve, for who has more to ask. Kinds that a newer version
// brings have no document in older instances: their zero value holds. Nobody may change
// what the slices and maps of a document hold.
func (k *Kind[D]) Ask(s Scope, out *State[D]) database.Query {
	*out = State[D]{IsDefault: true, Details: k.details(&row[D]{}, s.Default())}
	return database.Query{
		SQL: `SELECT org_id, document, created, changed, sequence FROM policies
			WHERE instance_id = ? AND org_id IN (?, '') AND kind = ?`,
		Args: []any{s.Instance, s.Org, k.name},
		Row: func(scan database.Scan) error {
			var r row[D]
			var org string
			var doc []byte
			if err := scan(&org, &doc, &r.created, &r.changed, &r.sequence); err != nil {
				return err
			}
			if org == "" && !out.IsDefault { // The organization's own came first.
				return nil
			}
			var err error
			if r.doc, err = k.parsed.Of(doc); err != nil {
				return fmt.Errorf("%s of %+v: %w", k.name, s, err)
			}
			*out = State[D]{Doc: r.doc, IsDefault: org == "", Details: k.details(&r, Scope{Instance: s.Instance, Org: org})}
			return nil
		},
	}
}

func (k *Kind[D]) check(doc *D) error {
	if k.validate == nil {
		return nil
	}
	return k.validate(doc)
}

func (k *Kind[D]) details(r *row[D], s Scope) Details {
	owner := k.aggregate(s).Owner
	if r.sequence == 0 { // There is no row.
		return Details{Owner: owner}
	}
	return Details{
		Sequence: r.sequence, Owner: owner,
		Created: time.UnixMicro(r.created).UTC(), Changed: time.UnixMicro(r.changed).UTC(),
	}
}

func fields(doc any) (changes, error) {
	data, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	out := changes{}
	return out, json.Unmarshal(data, &out)
}

func clone[D any](doc D) (out D, err error) {
	data, err := json.Marshal(doc)
	if err == nil {
		err = json.Unmarshal(data, &out)
	}
	return out, err
}

// stored is the row that a fold starts from.
func (k *Kind[D]) stored(f *eventstore.Fold) (*row[D], Scope, error) {
	s := scopeOf(f)
	if r, ok := f.Memo(memoKey{s, k.name}).(*row[D]); ok {
		return r, s, nil
	}
	r := &row[D]{}
	if err := f.Read(k.query(s, r)); err != nil {
		return nil, s, err
	}
	f.Remember(memoKey{s, k.name}, r)
	return r, s, nil
}

func scopeOf(f *eventstore.Fold) Scope {
	switch f.Aggregate.Type {
	case "org", orgSettingsStream:
		return Scope{Instance: f.Instance, Org: f.ID}
	}
	return Scope{Instance: f.Instance}
}

func (k *Kind[D]) foldAdded(f *eventstore.Fold, doc D) error {
	r, s, err := k.stored(f)
	if err != nil {
		return err
	}
	*r = row[D]{exists: true, doc: doc, created: f.Micros()}
	return k.write(f, s, r)
}

func (k *Kind[D]) foldChanged(f *eventstore.Fold, c changes) error {
	return k.alter(f, patch[D](c))
}

// patch is the edit that gives a document's keys their new values.
func patch[D any](c changes) func(*D) error {
	return func(doc *D) error {
		data, err := json.Marshal(c)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, doc)
	}
}

func (k *Kind[D]) foldRemoved(f *eventstore.Fold, _ eventstore.None) error {
	r, s, err := k.stored(f)
	if err != nil {
		return err
	}
	*r = row[D]{}
	f.Exec("DELETE FROM policies WHERE instance_id = ? AND org_id = ? AND kind = ?", s.Instance, s.Org, k.name)
	k.follow(f)
	if k.shadow != nil {
		return k.shadow.foldRemoved(f, eventstore.None{})
	}
	return nil
}

func (k *Kind[D]) follow(f *eventstore.Fold) {
	if k.also != nil {
		k.also(f)
	}
}

// alter changes the stored document; an event on a policy that is not there has
// no effect.
func (k *Kind[D]) alter(f *eventstore.Fold, edit func(*D) error) error {
	r, s, err := k.stored(f)
	if err != nil || !r.exists {
		return err
	}
	if err := edit(&r.doc); err != nil {
		return err
	}
	return k.write(f, s, r)
}

// upsert is alter for documents that begin with their first change.
func (k *Kind[D]) upsert(f *eventstore.Fold, edit func(*D) error) error {
	r, _, err := k.stored(f)
	if err != nil {
		return err
	}
	if !r.exists {
		*r = row[D]{exists: true, created: f.Micros()}
	}
	return k.alter(f, edit)
}

func (k *Kind[D]) write(f *eventstore.Fold, s Scope, r *row[D]) error {
	doc, err := json.Marshal(r.doc)
	if err != nil {
		return err
	}
	r.changed, r.sequence = f.Micros(), f.Sequence
	f.Exec(`INSERT INTO policies (instance_id, org_id, kind, document, created, changed, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance_id, org_id, kind) DO UPDATE SET document = excluded.document,
		created = excluded.created, changed = excluded.changed, sequence = excluded.sequence`,
		s.Instance, s.Org, k.name, string(doc), r.created, r.changed, r.sequence)
	k.follow(f)
	return nil
}

// RemoveAll deletes every policy of an organization: for the fold of its removal.
func RemoveAll(f *eventstore.Fold) {
	s := scopeOf(f)
	f.Exec("DELETE FROM policies WHERE instance_id = ? AND org_id = ?", s.Instance, s.Org)
	f.Exec("DELETE FROM assets WHERE instance_id = ? AND org_id = ?", s.Instance, s.Org)
	f.Forget(func(key any) bool {
		k, ok := key.(memoKey)
		return ok && k.scope == s
	})
}
