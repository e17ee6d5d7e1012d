package eventstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Ephemeral is a table of what nobody audits and what may be lost: one-time codes,
// counters of attempts. Verbs write it themselves, in the transaction of their
// events, and replay leaves it out. What happened is an event all the same.
type Ephemeral struct{ table string }

// DeclareEphemeral says that a table is ephemeral, and why. key are the columns of
// its key, separated by commas. Its rows go with their instance, by the column
// instance_id, or by Expire after the time in the column expires.
func DeclareEphemeral(table, key, reason string) *Ephemeral {
	transient[table] = reason
	transientTables = append(transientTables, Table{Name: table, Key: list(key)})
	return &Ephemeral{table}
}

// Exec writes to the table with the transaction's next read, or with its commit.
func (t *Ephemeral) Exec(tx *Tx, sql string, args ...any) {
	t.ExecUnique(tx, nil, sql, args...)
}

// ExecUnique is Exec for a row whose key somebody else may hold already; taken
// says so.
func (t *Ephemeral) ExecUnique(tx *Tx, taken error, sql string, args ...any) {
	if !strings.Contains(sql+" ", " "+t.table+" ") {
		panic(fmt.Sprintf("eventstore: %q does not write %s", sql, t.table))
	}
	tx.db.Exec(database.Statement{SQL: sql, Args: args, Conflict: taken})
}

// Expire deletes rows that ended, at most 1,000 of them, and reports whether
// there may be more.
func (t *Ephemeral) Expire(ctx context.Context, s *Store) (more bool, err error) {
	const most = 1000
	var ended []int64
	now := s.Now().UnixMicro()
	err = s.Read(ctx, database.From("expires", t.table).Where("expires < ?", now).Order("expires").Page(0, most).Rows(func(scan database.Scan) error {
		var at int64
		err := scan(&at)
		ended = append(ended, at)
		return err
	}))
	if err != nil || len(ended) == 0 {
		return false, err
	}
	err = s.db.Write(ctx, func(tx *database.Tx) error {
		tx.Exec(database.Statement{SQL: "DELETE FROM " + t.table + " WHERE expires <= ?", Args: []any{ended[len(ended)-1]}})
		return nil
	})
	return len(ended) == most, err
}
