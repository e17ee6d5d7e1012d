package eventstore

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Ephemeral is a table of what nobody audits and what may be lost: one-time codes,
// counters of attempts. Verbs write it themselves, in the transaction of their
// events, and replay leaves it out. What happened is an event all the same.
type Ephemeral struct {
	table string
	kept  bool // its rows do not end by time
}

// ephemerals are the declared tables.
var ephemerals []*Ephemeral

// DeclareEphemeral says that a table is ephemeral, and why. key are the columns of
// its key, separated by commas. Its rows go with their instance, by the column
// instance_id, or by Store.Expire after the time in the column expires.
func DeclareEphemeral(table, key, reason string) *Ephemeral {
	transient[table] = reason
	transientTables = append(transientTables, Table{Name: table, Key: list(key)})
	t := &Ephemeral{table: table}
	ephemerals = append(ephemerals, t)
	return t
}

// expireInterval is how often rows that ended are deleted.
const expireInterval = 10 * time.Minute

// Expire deletes the rows of ephemeral tables that ended, now and then until ctx
// ends. Nobody reads them any more; they only take room.
func (s *Store) Expire(ctx context.Context) {
	ticker := time.NewTicker(expireInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.ExpireNow(ctx)
		}
	}
}

// ExpireNow does once what Expire does now and then.
func (s *Store) ExpireNow(ctx context.Context) {
	for _, t := range ephemerals {
		for more := !t.kept; more && ctx.Err() == nil; {
			var err error
			if more, err = t.expire(ctx, s); err != nil {
				slog.WarnContext(ctx, "rows that ended cannot be deleted", "table", t.table, "error", err)
			}
		}
	}
}

// Kept says that the table has no column expires: its rows stay until a verb
// deletes them.
func (t *Ephemeral) Kept() *Ephemeral {
	t.kept = true
	return t
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

// expire deletes rows that ended, at most 1,000 of them, and reports whether
// there may be more.
func (t *Ephemeral) expire(ctx context.Context, s *Store) (more bool, err error) {
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
