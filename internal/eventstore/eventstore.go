// Package eventstore is the ledger: every change is an event, and every table
// is the fold of the events, written in the same transaction.
//
// A verb runs in Write, locks the aggregate it changes, decides, and emits. Emit
// appends the event and folds it at once, so that what a reply acknowledges is
// what every later read sees. Only folds can write to tables: Tx has no way to.
// Replay runs the same folds over the log into empty tables.
//
// The package knows no aggregate. It imports database and fault.
package eventstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Aggregate names a stream of events: the smallest thing that changes as one.
type Aggregate struct {
	Instance, Type, ID string
	// Owner is the organization, or the instance, that the aggregate belongs to.
	Owner string
}

// Scope says whose something is: an organization's or, where Org is empty, the
// instance's.
type Scope struct{ Instance, Org string }

// Aggregate is the stream that holds what the scope owns.
func (s Scope) Aggregate() Aggregate {
	if s.Org == "" {
		return Aggregate{Instance: s.Instance, Type: "instance", ID: s.Instance, Owner: s.Instance}
	}
	return Aggregate{Instance: s.Instance, Type: "org", ID: s.Org, Owner: s.Org}
}

// Default is the scope that s inherits from.
func (s Scope) Default() Scope { return Scope{Instance: s.Instance} }

// IsDefault reports whether s is the instance's own scope.
func (s Scope) IsDefault() bool { return s.Org == "" }

// Event is one fact in the log.
type Event struct {
	Aggregate
	Position uint64 // order over all aggregates; 0 while the event is being emitted
	Sequence uint64 // 1, 2, 3, … within the aggregate
	Type     string // the wire name, such as "org.policy.login.secondfactor.removed"
	Creator  string // the id of the user, or of the part of the system, that caused it
	Created  time.Time
	Payload  []byte // JSON, or empty
	Hash     string // of the previous event's hash, the fields above and the payload's digest
	digest   string
}

// Details is what a reply says about a change: the aggregate's newest event.
type Details struct {
	Sequence uint64
	Created  time.Time // of the aggregate or row, where it is known
	Changed  time.Time
	Owner    string
}

// Origin says on whose behalf a transaction runs.
type Origin struct {
	Creator string // user id; "SYSTEM" where it is empty
	DryRun  bool   // run everything, then roll back
}

type originKey struct{}

// WithOrigin sets the origin of the transactions that run with the context.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// ForGood makes the transactions that run with the context count, also where the
// caller asked for a dry run: a try of a secret is one.
func ForGood(ctx context.Context) context.Context {
	o, _ := ctx.Value(originKey{}).(Origin)
	o.DryRun = false
	return WithOrigin(ctx, o)
}

// IsDryRun reports whether the transactions that run with the context are rolled back.
func IsDryRun(ctx context.Context) bool {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o.DryRun
}

// Store opens transactions on the ledger.
type Store struct {
	db    *database.DB
	clock func() time.Time
	ids   *idSource
	jobs  chan struct{}
}

// New makes a store. clock may be nil for the system's.
func New(db *database.DB, clock func() time.Time) *Store {
	if clock == nil {
		clock = time.Now //nolint:forbidigo // the one place where the system's clock comes in
	}
	return &Store{db: db, clock: clock, ids: &idSource{db: db, clock: clock}, jobs: make(chan struct{}, 1)}
}

// DB is the database under the ledger.
func (s *Store) DB() *database.DB { return s.db }

// Now is the store's time, in UTC and microseconds.
func (s *Store) Now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Read runs queries in one round trip. It sees every acknowledged write.
func (s *Store) Read(ctx context.Context, queries ...database.Query) error {
	return s.db.Read(ctx, queries...)
}

// Write runs fn in a transaction and returns after the commit, or after the
// rollback where the context asks for a dry run. fn may run again after a lost
// race: it must neither do I/O of its own nor hash passwords.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	origin, _ := ctx.Value(originKey{}).(Origin)
	if origin.Creator == "" {
		origin.Creator = "SYSTEM"
	}
	if err := s.ids.ready(ctx); err != nil {
		return err
	}
	run := s.db.Write
	if origin.DryRun {
		run = s.db.DryRun
	}
	wake := false
	err := run(ctx, func(db *database.Tx) error {
		tx := &Tx{ctx: ctx, db: db, store: s, origin: origin, now: s.Now(), heads: map[Aggregate]*head{}}
		if err := fn(tx); err != nil {
			return err
		}
		tx.flush()
		tx.writeHeads()
		wake = tx.jobs && !origin.DryRun
		return nil
	})
	if err == nil && wake {
		s.WakeJobs()
	}
	return err
}

// Jobs gives a value after transactions of this process that recorded jobs.
// Those of other processes show in the table only.
func (s *Store) Jobs() <-chan struct{} { return s.jobs }

// WakeJobs is what a commit with jobs does: it makes Jobs give a value.
func (s *Store) WakeJobs() {
	select {
	case s.jobs <- struct{}{}:
	default: // One is waiting already; it stands for both.
	}
}

// Tx is a transaction on the ledger. It can read and emit, and write nothing else.
type Tx struct {
	ctx     context.Context //nolint:containedctx // a transaction is one call
	db      *database.Tx
	store   *Store
	origin  Origin
	now     time.Time
	heads   map[Aggregate]*head
	order   []*head
	memo    map[any]any
	ahead   []database.Query // what the next lock reads first
	events  []Event          // what was emitted and is to be written
	rows    []*row           // what folds left to be written, first these
	rowAt   map[place]*row
	tallies []*tally
	replay  bool
	jobs    bool // some were recorded
}

// head is the end of an aggregate's stream.
type head struct {
	Aggregate
	sequence         uint64
	hash             string
	created, changed int64
	fresh, dirty     bool
}

// Context is the call's context: who calls, until when.
func (tx *Tx) Context() context.Context { return tx.ctx }

// Now is the transaction's time: all its events carry it.
func (tx *Tx) Now() time.Time { return tx.now }

// Creator is the id under which the transaction's events are recorded.
func (tx *Tx) Creator() string { return tx.origin.Creator }

// NewID gives a new id: a decimal number below 2^63, ordered by time.
func (tx *Tx) NewID() string { return tx.store.ids.next() }

// Read runs queries in one round trip and sees what the transaction emitted.
func (tx *Tx) Read(queries ...database.Query) error {
	tx.flush()
	return tx.db.Read(queries...)
}

// Lock holds the aggregate until the transaction ends, so that what is read
// after it stays true; also are queries that travel along and see the state
// under the lock. It reports whether the aggregate has events.
func (tx *Tx) Lock(a Aggregate, also ...database.Query) (exists bool, err error) {
	key, ahead := a.key(), tx.ahead
	tx.ahead = nil
	if h := tx.heads[key]; h != nil {
		if also = append(ahead, also...); len(also) == 0 {
			return !h.fresh || h.dirty, nil
		}
		return !h.fresh || h.dirty, tx.Read(also...)
	}
	h := &head{Aggregate: a}
	lock := database.One(&exists,
		"SELECT owner, sequence, hash, created, changed FROM aggregates WHERE instance_id = ? AND type = ? AND id = ? FOR UPDATE",
		[]any{a.Instance, a.Type, a.ID}, &h.Owner, &h.sequence, &h.hash, &h.created, &h.changed)
	if err := tx.Read(slices.Concat(ahead, []database.Query{lock}, also)...); err != nil {
		return false, err
	}
	h.fresh = !exists
	tx.track(key, h)
	return exists, nil
}

// Ahead makes queries travel with the next lock, in front of it.
func (tx *Tx) Ahead(queries ...database.Query) { tx.ahead = append(tx.ahead, queries...) }

// Share makes queries that hold scopes as they are until the transaction ends: who
// locks one of them waits, and who shares it too does not. Aggregates are held from
// the instance down, so that nobody waits for each other.
func Share(scopes ...Scope) []database.Query {
	queries := make([]database.Query, len(scopes))
	for i, s := range scopes {
		a := s.Aggregate()
		queries[i] = database.One(new(bool), "SELECT sequence FROM aggregates WHERE instance_id = ? AND type = ? AND id = ? FOR SHARE",
			[]any{a.Instance, a.Type, a.ID}, new(uint64))
	}
	return queries
}

// Create starts the stream of an aggregate whose id is new, without looking for
// it first. Should it exist after all, the transaction fails with taken.
func (tx *Tx) Create(a Aggregate) { tx.track(a.key(), &head{Aggregate: a, fresh: true}) }

// Start is Create for an id that somebody may have chosen. Where a former bearer of the id
// is gone, its stream goes on under a's owner: that nobody bears the id now is
// the caller's to check, after Start, which holds the stream.
func (tx *Tx) Start(a Aggregate, also ...database.Query) error {
	if _, err := tx.Lock(a, also...); err != nil {
		return err
	}
	tx.heads[a.key()].Owner = a.Owner
	return nil
}

func (tx *Tx) track(key Aggregate, h *head) {
	tx.heads[key] = h
	tx.order = append(tx.order, h)
}

// key leaves out the owner, which is a property and not part of the name.
func (a Aggregate) key() Aggregate { return Aggregate{Instance: a.Instance, Type: a.Type, ID: a.ID} }

func (tx *Tx) writeHeads() {
	for _, h := range tx.order {
		if !h.dirty {
			continue
		}
		st := database.Statement{
			SQL:  "UPDATE aggregates SET owner = ?, sequence = ?, hash = ?, changed = ? WHERE instance_id = ? AND type = ? AND id = ?",
			Args: []any{h.Owner, h.sequence, h.hash, h.changed, h.Instance, h.Type, h.ID},
		}
		if h.fresh {
			st = database.Statement{
				SQL:  "INSERT INTO aggregates (instance_id, type, id, owner, sequence, hash, created, changed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
				Args: []any{h.Instance, h.Type, h.ID, h.Owner, h.sequence, h.hash, h.created, h.changed},
				// Somebody else started the stream: look again.
				Conflict: database.ErrRetry,
			}
		}
		tx.db.Exec(st)
		h.dirty, h.fresh = false, false
	}
}

// Job records work to do after the commit: mail, a webhook, a clean-up. It runs
// at least once, after due. payload becomes JSON.
func (tx *Tx) Job(instance, kind string, payload any, due time.Time) error {
	data, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("job %s: %w", kind, err)
	}
	tx.jobs = true
	tx.db.Exec(database.Statement{
		SQL:  "INSERT INTO jobs (instance_id, kind, payload, due, attempts, last_error) VALUES (?, ?, ?, ?, 0, '')",
		Args: []any{instance, kind, string(data), due.UnixMicro()},
	})
	return nil
}

// Reader is the transaction for reads that take a context; they see what it
// emitted.
func (tx *Tx) Reader() database.Reader { return reader{tx} }

type reader struct{ tx *Tx }

func (r reader) Read(_ context.Context, queries ...database.Query) error {
	return r.tx.Read(queries...)
}

// Memo returns what a fold or a verb remembered under key in this transaction.
// It spares a second read of a row that the transaction already knows.
func (tx *Tx) Memo(key any) any { return tx.memo[key] }

// Remember keeps value under key until the transaction ends.
func (tx *Tx) Remember(key, value any) {
	if tx.memo == nil {
		tx.memo = map[any]any{}
	}
	tx.memo[key] = value
}

// append adds the event to those to be written and moves the head.
func (tx *Tx) append(a Aggregate, kind string, payload []byte) (Event, error) {
	if _, err := tx.Lock(a); err != nil {
		return Event{}, err
	}
	h := tx.heads[a.key()]
	e := Event{
		Aggregate: h.Aggregate, Sequence: h.sequence + 1, Type: kind,
		Creator: tx.origin.Creator, Created: tx.now, Payload: payload,
	}
	if before := microTime(h.changed); before.After(e.Created) { // Another change was waited for.
		e.Created = before
	}
	e.seal(h.hash)
	if tx.events = append(tx.events, e); len(tx.events) == maxEvents {
		tx.writeEvents()
	}
	h.advance(e)
	return e, nil
}

func (h *head) advance(e Event) {
	h.Owner, h.sequence, h.hash, h.changed = e.Owner, e.Sequence, e.Hash, e.Created.UnixMicro()
	if h.created == 0 {
		h.created = h.changed
	}
	h.dirty = true
}

// digestOf is the digest of a payload.
func digestOf(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:])
}

// seal computes the payload's digest and the event's hash. The hash covers the
// digest and not the payload, so that a payload can be erased and the chain
// still holds.
func (e *Event) seal(previous string) {
	if e.digest == "" {
		e.digest = digestOf(e.Payload)
	}
	buf := make([]byte, 0, 512)
	for _, field := range []string{
		previous, e.Instance, e.Aggregate.Type, e.ID, e.Owner, e.Type, e.Creator, e.digest,
	} {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(field))) //nolint:gosec // fields are short
		buf = append(buf, field...)
	}
	buf = binary.BigEndian.AppendUint64(buf, e.Sequence)
	buf = binary.BigEndian.AppendUint64(buf, uint64(e.Created.UnixMicro()))
	sum := sha256.Sum256(buf)
	e.Hash = hex.EncodeToString(sum[:])
}
