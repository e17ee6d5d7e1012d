package eventstore

import (
	"fmt"
	"maps"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Cells are values of a row by the names of their columns.
type Cells map[string]any

// row is the one row that a table has for an aggregate, on its way there.
type row struct {
	table, instance, id string
	cells               Cells
	fresh               bool
}

// Insert makes the aggregate's row in a table that has one for each: its key is the
// instance and the aggregate's id. It is written as late as possible, together with what
// the next events of the transaction change of it.
func (f *Fold) Insert(table string, cells Cells) {
	f.tx.rows = append(f.tx.rows, &row{table, f.Instance, f.ID, cells, true})
}

// Update changes cells of the aggregate's row, and notes in it which event did and when;
// see Insert.
func (f *Fold) Update(table string, cells Cells) {
	cells["changed"], cells["sequence"] = f.Micros(), f.Sequence
	for _, r := range f.tx.rows {
		if r.table == table && r.id == f.ID && r.instance == f.Instance {
			maps.Copy(r.cells, cells)
			return
		}
	}
	f.tx.rows = append(f.tx.rows, &row{table, f.Instance, f.ID, cells, false})
}

// writeRows writes what Insert and Update left. It comes before all that could see it.
func (tx *Tx) writeRows() {
	for _, r := range tx.rows {
		tx.db.Exec(r.statement())
	}
	tx.rows = tx.rows[:0]
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
		return database.Statement{SQL: sql.String(), Args: append(args, r.instance, r.id)}
	}
	sql.WriteString("INSERT INTO " + r.table + " (")
	args = append(args, r.instance, r.id)
	sql.WriteString(strings.Join(t.Key, ", "))
	name("")
	sql.WriteString(") VALUES (?" + strings.Repeat(", ?", len(args)-1) + ")")
	return database.Statement{SQL: sql.String(), Args: args}
}
