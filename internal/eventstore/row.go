package eventstore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Cells are values of a row by the names of their columns.
type Cells map[string]any

// place is where the one row is that a table has for an aggregate.
type place struct{ table, instance, id string }

// row is such a row on its way there.
type row struct {
	place
	cells Cells
	fresh bool
	taken error // where somebody else has what must be unique
}

// Insert makes the aggregate's row in a table that has one for each: its key is the
// instance and the aggregate's id. It is written as late as possible, together with what
// the next events of the transaction change of it.
func (f *Fold) Insert(table string, cells Cells) { f.InsertUnique(nil, table, cells) }

// InsertUnique is Insert where somebody else may have what must be unique; taken says so.
func (f *Fold) InsertUnique(taken error, table string, cells Cells) {
	f.keep(&row{place{table, f.Instance, f.ID}, cells, true, taken})
}

// Update changes cells of the aggregate's row, and notes in it which event did and when,
// where the table has room for that; see Insert.
func (f *Fold) Update(table string, cells Cells) { f.UpdateUnique(nil, table, cells) }

// UpdateUnique is Update where somebody else may have what must be unique; taken says so.
func (f *Fold) UpdateUnique(taken error, table string, cells Cells) {
	if slices.Contains(tables[table].Columns, "sequence") {
		cells["changed"], cells["sequence"] = f.Micros(), f.Sequence
	}
	at := place{table, f.Instance, f.ID}
	if r := f.tx.rowAt[at]; r != nil {
		maps.Copy(r.cells, cells)
		r.taken = cmp.Or(taken, r.taken)
		return
	}
	f.keep(&row{at, cells, false, taken})
}

// keep has a row written later. A replay has a thousand of them at once.
func (f *Fold) keep(r *row) {
	if f.tx.rowAt == nil {
		f.tx.rowAt = map[place]*row{}
	}
	f.tx.rows, f.tx.rowAt[r.place] = append(f.tx.rows, r), r
}

// tally is what the transaction adds to a number that many share.
type tally struct {
	table string
	key   []any
	n     int
}

// Tally adds to n of the row with that key in a table of counts, which is made where it is
// not there. It is written after all else, so that those who wait for the row wait for the
// commit alone.
func (f *Fold) Tally(table string, n int, key ...any) {
	for _, t := range f.tx.tallies {
		if t.table == table && slices.Equal(t.key, key) {
			t.n += n
			return
		}
	}
	f.tx.tallies = append(f.tx.tallies, &tally{table, key, n})
}

// writeTallies writes what Tally left, in one order for all transactions.
func (tx *Tx) writeTallies() {
	slices.SortFunc(tx.tallies, func(a, b *tally) int {
		return strings.Compare(fmt.Sprint(a.table, a.key), fmt.Sprint(b.table, b.key))
	})
	for _, t := range tx.tallies {
		key := strings.Join(tables[t.table].Key, ", ")
		tx.db.Exec(database.Statement{
			SQL: "INSERT INTO " + t.table + " (n, " + key + ") VALUES (?" + strings.Repeat(", ?", len(t.key)) + ") ON CONFLICT (" + key +
				") DO UPDATE SET n = " + t.table + ".n + excluded.n",
			Args: append([]any{t.n}, t.key...),
		})
	}
	tx.tallies = nil
}

// flush writes all that waits but for the ends of streams.
func (tx *Tx) flush() {
	tx.writeEvents()
	tx.writeRows()
}

// maxEvents is how many events one statement writes at most.
const maxEvents = 8

// insertEvents are the statements for one event, for two and so on.
var insertEvents = func() (texts [maxEvents]string) {
	const one = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	for n := range texts {
		texts[n] = `INSERT INTO events (instance_id, aggregate_type, aggregate_id, sequence, type, owner, creator, created, payload, digest, hash)
			VALUES ` + one + strings.Repeat(", "+one, n)
	}
	return texts
}()

// writeEvents writes what was emitted.
func (tx *Tx) writeEvents() {
	if len(tx.events) == 0 {
		return
	}
	st := database.Statement{SQL: insertEvents[len(tx.events)-1], Conflict: database.ErrRetry}
	for _, e := range tx.events {
		st.Args = append(st.Args, e.Instance, e.Aggregate.Type, e.ID, e.Sequence, e.Type, e.Owner, e.Creator,
			e.Created.UnixMicro(), string(e.Payload), e.digest, e.Hash)
	}
	tx.db.Exec(st)
	tx.events = tx.events[:0]
}

// writeRows writes what Insert, Update and Tally left. It comes before all that could see it.
func (tx *Tx) writeRows() {
	for _, r := range tx.rows {
		if r.fresh || len(r.cells) > 0 {
			tx.db.Exec(r.statement())
		}
	}
	tx.rows = tx.rows[:0]
	clear(tx.rowAt)
	tx.writeTallies()
}

// statement names columns in the order in which the table declares them, so that the same
// columns make the same text.
func (r *row) statement() database.Statement {
	t := tables[r.table]
	var sql strings.Builder
	args := make([]any, 0, len(r.cells)+len(t.Key))
	name := func(after string) {
		named := 0
		for _, c := range t.Columns {
			if value, ok := r.cells[c]; ok {
				if len(args) > 0 {
					sql.WriteString(", ")
				}
				sql.WriteString(c + after)
				args = append(args, value)
				named++
			}
		}
		if named < len(r.cells) {
			panic(fmt.Sprintf("eventstore: table %s lacks some of the columns %v", r.table, r.cells))
		}
	}
	if !r.fresh {
		sql.WriteString("UPDATE " + r.table + " SET ")
		name(" = ?")
		sql.WriteString(" WHERE " + strings.Join(t.Key, " = ? AND ") + " = ?")
		return database.Statement{SQL: sql.String(), Args: append(args, r.instance, r.id), Conflict: r.taken}
	}
	sql.WriteString("INSERT INTO " + r.table + " (")
	args = append(args, r.instance, r.id)
	sql.WriteString(strings.Join(t.Key, ", "))
	name("")
	sql.WriteString(") VALUES (?" + strings.Repeat(", ?", len(args)-1) + ")")
	return database.Statement{SQL: sql.String(), Args: args, Conflict: r.taken}
}
