package database

import (
	"fmt"
	"slices"
	"strings"
)

// few are the columns that hold one of a few values: a row is not found by them.
var few = []string{"kind", "type", "state", "ended", "is_primary", "verified"}

// planSQLite tells SQLite what its indexes are good for. It would look once at the rows
// that are there, or guess; both go wrong for an instance that is to grow: the guess
// is that the id of an instance leads to ten rows, and so every search of an instance
// would read all of it by the primary key. What is told here stays the same for every
// database: one instance with many rows, in which all other columns tell rows apart.
func planSQLite(tx *Tx) error {
	type index struct {
		table, name string
		unique      bool
		columns     []string
	}
	var indexes []index
	err := tx.Read(Query{
		SQL: `SELECT m.name, l.name, l."unique", l.origin, c.name FROM sqlite_schema m, pragma_index_list(m.name) l, pragma_index_info(l.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, l.name, c.seqno`,
		Row: func(scan Scan) error {
			var i index
			var unique int
			var origin string
			var column *string
			if err := scan(&i.table, &i.name, &unique, &origin, &column); err != nil {
				return err
			}
			if last := len(indexes) - 1; last < 0 || indexes[last].table != i.table || indexes[last].name != i.name {
				i.unique = unique == 1
				indexes = append(indexes, i)
			}
			if column != nil { // An expression has no name.
				indexes[len(indexes)-1].columns = append(indexes[len(indexes)-1].columns, *column)
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	tx.Exec(Statement{SQL: "ANALYZE"})
	if err := tx.Read(); err != nil { // Creates the table that is written next.
		return err
	}
	tx.Exec(Statement{SQL: "DELETE FROM sqlite_stat1"})
	for _, i := range indexes {
		tx.Exec(Statement{SQL: "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", Args: []any{i.table, i.name, usefulness(i.columns, i.unique)}})
	}
	tx.Exec(Statement{SQL: "ANALYZE sqlite_schema"}) // Reads what was written.
	return tx.Read()
}

// usefulness is what SQLite keeps of an index: how many rows there are, and how many of
// them have the same first column, the same first two, and so on.
func usefulness(columns []string, unique bool) string {
	const many, some = 1_000_000, 10
	out, rows := []string{fmt.Sprint(many)}, many
	for n, c := range columns {
		switch {
		case unique && n == len(columns)-1:
			rows = 1
		case c == "instance_id":
		case slices.Contains(few, c):
			rows = max(rows/2, some)
		default:
			rows = min(rows, some)
		}
		out = append(out, fmt.Sprint(rows))
	}
	return strings.Join(out, " ")
}
