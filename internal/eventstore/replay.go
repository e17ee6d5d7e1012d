package eventstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Table is a table that folds write, so that replay must reproduce it.
type Table struct {
	Name    string
	Key     []string // unique and total: rows are compared in this order
	Columns []string // everything else
}

var tables = map[string]Table{
	"aggregates": {
		Name: "aggregates", Key: list("instance_id, type, id"),
		Columns: list("owner, sequence, hash, created, changed"),
	},
	"claims": {
		Name: "claims", Key: list("instance_id, kind, value"),
		Columns: list("aggregate_type, aggregate_id"),
	},
	purges: {Name: purges, Key: list("instance_id"), Columns: list("created")},
}

// guards are the unique indexes that refuse what must not happen. A replay goes
// without them: history was consistent, positions of concurrent transactions need not be.
var guards []string

// DeclareGuard names a unique index that only verbs have to meet.
func DeclareGuard(index string) { guards = append(guards, index) }

// transient names the tables that replay leaves out, with the reason.
var transient = map[string]string{
	"events":     "the log itself",
	"migrations": "the schema's own book",
	"vault":      "keys, which no event may hold",
	"nodes":      "leases of running processes",
	"jobs":       "work to do, not state",
}

// DeclareTable says that folds write a table. key and columns are separated by commas.
func DeclareTable(name, key, columns string) {
	tables[name] = Table{Name: name, Key: list(key), Columns: list(columns)}
}

func list(names string) []string {
	parts := strings.Split(names, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return parts
}

// transientTables are those of the transient tables whose rows belong to instances.
var transientTables = []Table{{Name: "jobs", Key: []string{"id"}}}

// Tables lists the declared tables by name.
func Tables() []Table {
	out := slices.Collect(maps.Values(tables))
	slices.SortFunc(out, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Transient lists the tables that replay leaves out.
func Transient() []string { return slices.Sorted(maps.Keys(transient)) }

// Report is what Verify found.
type Report struct {
	Events   uint64
	Tables   int
	Problems []string // empty: the log holds and the tables are its fold
	// Head is what a later Verify can be given; on PostgreSQL without the last minutes.
	Head Head
}

// How many events a replay reads at a time, and how many problems it lists.
const (
	replayBatch = 1000
	maxProblems = 20
)

// Verify checks every event's hash and sequence, replays the log into scratch,
// an empty migrated database, and compares all declared tables row by row.
// Both sides are read from one snapshot, so the server may run. progress, if
// not nil, is told the number of events done. known are heads of before, which the log
// must still have.
func (s *Store) Verify(ctx context.Context, scratch *database.DB, progress func(done uint64), known ...Head) (Report, error) {
	var r Report
	problem := func(format string, args ...any) {
		if len(r.Problems) < maxProblems {
			r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
		}
	}
	if err := dropGuards(ctx, scratch); err != nil {
		return r, err
	}
	err := s.db.Snapshot(ctx, func(source database.Reader) error {
		chains, ends := map[Aggregate]*head{}, newHeads(s.db, s.Now(), known)
		for position, more := uint64(0), true; more; {
			events, query := eventsAfter(position)
			if err := source.Read(ctx, query); err != nil {
				return err
			}
			for _, e := range *events {
				checkLink(chains, e, problem)
				ends.add(e, problem)
				position = e.Position
			}
			if err := replay(ctx, scratch, *events, problem); err != nil {
				return err
			}
			r.Events += uint64(len(*events))
			more = len(*events) == replayBatch
			if progress != nil {
				progress(r.Events)
			}
		}
		ends.rest(problem)
		r.Head = ends.now
		for _, t := range Tables() {
			if err := compare(ctx, source, scratch, t, problem); err != nil {
				return err
			}
			r.Tables++
		}
		return nil
	})
	return r, err
}

func dropGuards(ctx context.Context, scratch *database.DB) error {
	return scratch.Write(ctx, func(tx *database.Tx) error {
		for _, index := range guards {
			tx.Exec(database.Statement{SQL: "DROP INDEX IF EXISTS " + index})
		}
		return nil
	})
}

func eventsAfter(position uint64) (*[]Event, database.Query) {
	events := make([]Event, 0, replayBatch)
	return &events, database.From(eventColumns, "events").Where("position > ?", position).
		Order("position").Page(0, replayBatch).Rows(func(scan database.Scan) error {
		e, err := scanEvent(scan)
		events = append(events, e)
		return err
	})
}

// checkLink holds an event against the one before it in its stream.
func checkLink(chains map[Aggregate]*head, e Event, problem func(string, ...any)) {
	key := e.key()
	h := chains[key]
	if h == nil {
		h = &head{Aggregate: e.Aggregate}
		chains[key] = h
	}
	if e.Sequence != h.sequence+1 {
		problem("event %d (%s %s): sequence %d follows %d", e.Position, e.Aggregate.Type, e.ID, e.Sequence, h.sequence)
	}
	if digestOf(e.Payload) != e.digest && !e.Erased() {
		problem("event %d (%s): the payload is not the one that was written", e.Position, e.Type)
	}
	check := e
	if check.seal(h.hash); check.Hash != e.Hash {
		problem("event %d (%s): the hash chain of %s %s is broken", e.Position, e.Type, e.Aggregate.Type, e.ID)
	}
	h.advance(e)
}

// replay folds events into the scratch database.
func replay(ctx context.Context, scratch *database.DB, events []Event, problem func(string, ...any)) error {
	if len(events) == 0 {
		return nil
	}
	return scratch.Write(ctx, func(db *database.Tx) error {
		tx := &Tx{ctx: ctx, db: db, heads: map[Aggregate]*head{}, replay: true}
		for _, e := range events {
			if _, err := tx.Lock(e.Aggregate); err != nil {
				return err
			}
			tx.heads[e.key()].advance(e)
			k, ok := kinds[e.Type]
			if !ok {
				problem("event %d: unknown type %q", e.Position, e.Type)
				continue
			}
			if err := k.replay(&Fold{Event: e, tx: tx}); err != nil {
				return err
			}
		}
		tx.writeRows()
		tx.writeHeads()
		return nil
	})
}

// compare reads a table from both sides, without the instances that are gone.
func compare(ctx context.Context, source, scratch database.Reader, t Table, problem func(string, ...any)) error {
	want, err := rows(ctx, scratch, t)
	if err != nil {
		return err
	}
	got, err := rows(ctx, source, t)
	if err != nil {
		return err
	}
	for key, w := range want {
		switch g, ok := got[key]; {
		case !ok:
			problem("table %s lacks the row %s that the events describe", t.Name, key)
		case g != w:
			problem("table %s, row %s: is %s, the events say %s", t.Name, key, g, w)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			problem("table %s has a row %s that no event explains", t.Name, key)
		}
	}
	return nil
}

func rows(ctx context.Context, r database.Reader, t Table) (map[string]string, error) {
	cast := make([]string, 0, len(t.Key)+len(t.Columns))
	for _, c := range append(slices.Clone(t.Key), t.Columns...) {
		cast = append(cast, "CAST("+c+" AS TEXT)")
	}
	out := map[string]string{}
	values, dest := make([]string, len(cast)), make([]any, len(cast))
	for i := range values {
		dest[i] = &values[i]
	}
	q := database.From(strings.Join(cast, ", "), t.Name)
	if t.perInstance() {
		q.Where("instance_id NOT IN (SELECT instance_id FROM purges)")
	}
	err := r.Read(ctx, q.Rows(func(scan database.Scan) error {
		if err := scan(dest...); err != nil {
			return err
		}
		n := len(t.Key)
		out[strings.Join(values[:n], " ")] = fmt.Sprintf("%q", values[n:])
		return nil
	}))
	return out, err
}
