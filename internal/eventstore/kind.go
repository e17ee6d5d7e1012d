package eventstore

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
)

// None is the payload of events that need none.
type None struct{}

// Kind is a sort of event: its wire name, its payload and its fold. Kinds are
// declared once, as package variables.
type Kind[P any] struct {
	name   string
	fold   func(*Fold, P) error
	secret []string
	blank  bool // see Blank
}

// kind is a Kind whose payload type is forgotten, for replay.
type kind interface {
	replay(f *Fold) error
	secrets() []string
}

var kinds = map[string]kind{}

// Declare makes a kind of event. The fold writes what the event means to the
// tables, for rows of the event's own aggregate only; it runs when the event is
// emitted and again on replay, and must accept everything that history holds.
// secret names the keys of the payload that no reader of the log may see.
func Declare[P any](name string, fold func(*Fold, P) error, secret ...string) *Kind[P] {
	if _, dup := kinds[name]; dup {
		panic("eventstore: event " + name + " is declared twice")
	}
	k := &Kind[P]{name: name, fold: fold, secret: secret}
	kinds[name] = k
	return k
}

// Kinds lists the wire names of all events that can happen.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// streams are the types of the aggregates whose events do not begin with it, by
// what they begin with.
var streams = map[string]string{}

// DeclareStream says that the events that begin with prefix, which ends in a dot,
// are those of aggregates of another type than the first word of their names.
func DeclareStream(prefix, aggregateType string) { streams[prefix] = aggregateType }

// AggregateTypes lists the types of all aggregates that can have events.
func AggregateTypes() []string {
	types := map[string]bool{}
	for name := range kinds {
		t, _, _ := strings.Cut(name, ".")
		for prefix, other := range streams {
			if strings.HasPrefix(name, prefix) {
				t = other
			}
		}
		types[t] = true
	}
	return slices.Sorted(maps.Keys(types))
}

// Name is the wire name.
func (k *Kind[P]) Name() string { return k.name }

// Emit appends an event with payload p to aggregate a and folds it.
func (k *Kind[P]) Emit(tx *Tx, a Aggregate, p P) (Details, error) {
	payload, err := json.Marshal(p)
	if err != nil {
		return Details{}, fmt.Errorf("event %s: %w", k.name, err)
	}
	if string(payload) == "{}" {
		payload = nil
	}
	e, err := tx.append(a, k.name, payload)
	if err != nil {
		return Details{}, err
	}
	if err := k.fold(&Fold{Event: e, tx: tx}, p); err != nil {
		return Details{}, fmt.Errorf("fold %s: %w", k.name, err)
	}
	h := tx.heads[a.key()]
	return Details{Sequence: e.Sequence, Created: microTime(h.created), Changed: e.Created, Owner: e.Owner}, nil
}

func (k *Kind[P]) secrets() []string { return k.secret }

func (k *Kind[P]) replay(f *Fold) error {
	var p P
	if f.Erased() && !k.blank {
		return nil
	}
	if len(f.Payload) > 0 {
		if err := json.Unmarshal(f.Payload, &p); err != nil {
			return fmt.Errorf("event %s at position %d: %w", k.name, f.Position, err)
		}
	}
	return k.fold(f, p)
}

// Fold is an event on its way into the tables.
type Fold struct {
	Event
	tx *Tx
}

// Micros is the event's time as tables store it.
func (f *Fold) Micros() int64 { return f.Created.UnixMicro() }

// Exec writes to a table that describes the event's aggregate.
func (f *Fold) Exec(sql string, args ...any) {
	f.tx.writeRows()
	f.tx.db.Exec(database.Statement{SQL: sql, Args: args})
}

// ExecUnique is Exec for a row whose key somebody else may hold already; taken
// says so.
func (f *Fold) ExecUnique(taken error, sql string, args ...any) {
	f.tx.writeRows()
	f.tx.db.Exec(database.Statement{SQL: sql, Args: args, Conflict: taken})
}

// Read sees the tables as the events before this one left them.
func (f *Fold) Read(queries ...database.Query) error { return f.tx.Read(queries...) }

// Memo and Remember share state with the verb that emits; see Tx.
func (f *Fold) Memo(key any) any { return f.tx.Memo(key) }

// Remember keeps value under key until the transaction ends.
func (f *Fold) Remember(key, value any) { f.tx.Remember(key, value) }

// Forget drops what is kept under the keys that match: for folds that change rows
// which others remember.
func (f *Fold) Forget(match func(key any) bool) {
	maps.DeleteFunc(f.tx.memo, func(key, _ any) bool { return match(key) })
}

// Claim takes value for the event's aggregate: among claims of one kind in an
// instance it is unique from the commit on. Who comes second fails with taken.
func (f *Fold) Claim(kind, value string, taken error) {
	sql := "INSERT INTO claims (instance_id, kind, value, aggregate_type, aggregate_id) VALUES (?, ?, ?, ?, ?)"
	if f.tx.replay {
		// History was consistent; positions of concurrent transactions need not be.
		sql += " ON CONFLICT (instance_id, kind, value) DO UPDATE SET aggregate_type = excluded.aggregate_type, aggregate_id = excluded.aggregate_id"
	}
	f.tx.db.Exec(database.Statement{
		SQL: sql, Args: []any{f.Instance, kind, value, f.Aggregate.Type, f.ID}, Conflict: taken,
	})
}

// Release frees a value that the event's aggregate holds.
func (f *Fold) Release(kind, value string) {
	f.Exec("DELETE FROM claims WHERE instance_id = ? AND kind = ? AND value = ? AND aggregate_type = ? AND aggregate_id = ?",
		f.Instance, kind, value, f.Aggregate.Type, f.ID)
}

// ReleaseKind frees every value of one kind that the event's aggregate holds.
func (f *Fold) ReleaseKind(kind string) {
	f.Exec("DELETE FROM claims WHERE instance_id = ? AND kind = ? AND aggregate_type = ? AND aggregate_id = ?",
		f.Instance, kind, f.Aggregate.Type, f.ID)
}

// ReleaseAll frees every value that the event's aggregate holds.
func (f *Fold) ReleaseAll() {
	f.Exec("DELETE FROM claims WHERE instance_id = ? AND aggregate_type = ? AND aggregate_id = ?",
		f.Instance, f.Aggregate.Type, f.ID)
}
