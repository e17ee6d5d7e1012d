package database

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// few are the columns that hold one of a few values: a row is not found by them.
var few = []string{"kind", "type", "aggregate_type", "owner", "state", "ended", "is_primary", "verified"}

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

// planPostgres tells PostgreSQL the same of instances; what tells the rows of one apart it
// sees by itself, once it looks.
func planPostgres(tx *Tx) error {
	var tables []string
	err := tx.Read(Query{
		SQL: "SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() AND column_name = 'instance_id' ORDER BY table_name",
		Row: func(scan Scan) error {
			tables = append(tables, "")
			return scan(&tables[len(tables)-1])
		},
	})
	for _, table := range tables {
		tx.Exec(Statement{SQL: "ALTER TABLE " + pgx.Identifier{table}.Sanitize() + " ALTER COLUMN instance_id SET (n_distinct = 1)"})
	}
	return err
}

// grown is called after each commit. Plans are made for the rows that PostgreSQL knows of,
// and kept; it looks for more once in a while, and in between tables grow from nothing to
// many rows. So they are looked at whenever this process has made twice the commits, which
// is seldom.
func (e *postgresEngine) grown() {
	const first = 16
	if n := e.commits.Add(1); n < first || bits.OnesCount64(n) > 1 || !e.looking.CompareAndSwap(false, true) {
		return
	}
	e.looks.Go(func() {
		defer e.looking.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.look(ctx) // PostgreSQL looks later.
	})
}

// look has PostgreSQL count the tables that take twice the room they took when it did last.
func (e *postgresEngine) look(ctx context.Context) error {
	rows, err := e.conns.Load().Query(ctx, `SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
		AND pg_relation_size(oid) > 2 * current_setting('block_size')::int * relpages`)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, table := range tables {
		if _, err := e.conns.Load().Exec(ctx, "ANALYZE (SKIP_LOCKED) "+pgx.Identifier{table}.Sanitize()); err != nil {
			return err
		}
	}
	return err
}
