package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Health is what an operator should know of a database.
type Health struct {
	// Version is the server's, such as 170002, or the library's, such as "3.50.1".
	Version string
	// Clock is the database's time; on an embedded database the machine's.
	Clock time.Time
	// Weak are the settings by which an acknowledged write can be lost.
	Weak []string
	// Pending are the steps that the schema lacks.
	Pending []Migration
}

// durable lists the settings that must have a value, for each database.
var durable = map[Dialect]map[string][]string{
	SQLite:     {"journal_mode": {"wal"}, "synchronous": {"2", "3"}},
	PostgreSQL: {"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": {"on", "remote_apply", "remote_write", "local"}},
}

// Health asks the database about itself.
func (db *DB) Health(ctx context.Context) (h Health, err error) {
	var micros int64
	clock, version := "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)", "SELECT sqlite_version()"
	show := "PRAGMA "
	if db.Dialect() == PostgreSQL {
		clock, version = clockSQL, "SHOW server_version_num"
		show = "SHOW "
	}
	queries := []Query{
		{SQL: version, Row: func(scan Scan) error { return scan(&h.Version) }},
		{SQL: clock, Row: func(scan Scan) error { return scan(&micros) }},
	}
	for name, good := range durable[db.Dialect()] {
		queries = append(queries, Query{SQL: show + name, Row: func(scan Scan) error {
			var value string
			err := scan(&value)
			if !slices.Contains(good, value) {
				h.Weak = append(h.Weak, name+" is "+value)
			}
			return err
		}})
	}
	if err := db.Read(ctx, queries...); err != nil {
		return h, err
	}
	h.Clock = time.UnixMicro(micros).UTC()
	h.Pending, err = pending(ctx, db)
	return h, err
}

// breaking ends the name of a step after which older versions cannot use the database.
const breaking = "_breaking"

// pending lists the steps of the schema that are still to take. It fails where
// the schema is not one that this binary can bring up to date or use: steps of a newer
// version only add, so that both run beside each other, unless their name says otherwise.
func pending(ctx context.Context, r Reader) ([]Migration, error) {
	all, err := Migrations()
	if err != nil {
		return nil, err
	}
	type step struct{ name, digest string }
	done := map[int64]step{}
	if err := r.Read(ctx, Query{SQL: "SELECT version, name, digest FROM migrations", Row: func(scan Scan) error {
		var version int64
		var s step
		err := scan(&version, &s.name, &s.digest)
		done[version] = s
		return err
	}}); err != nil {
		return nil, err
	}
	var todo []Migration
	for _, m := range all {
		s, ok := done[m.Version]
		switch {
		case !ok:
			todo = append(todo, m)
		case s.digest != m.Digest():
			return nil, fmt.Errorf("migration %d (%s) was applied with another text: this binary does not fit the database", m.Version, m.Name)
		}
		delete(done, m.Version)
	}
	for version, s := range done {
		if strings.HasSuffix(s.name, breaking) || version < all[len(all)-1].Version {
			return nil, fmt.Errorf("the database has migration %d (%s), which this binary does not know: start a newer version", version, s.name)
		}
	}
	return todo, nil
}

// OutgrownBy names the step that a newer version has taken and after which this one cannot use the
// database any more; empty where there is none. A version that starts finds out when it migrates.
func (db *DB) OutgrownBy(ctx context.Context) (step string, err error) {
	all, err := Migrations()
	if err != nil {
		return "", err
	}
	newest := all[len(all)-1].Version
	err = db.Read(ctx, Query{SQL: "SELECT name FROM migrations WHERE version > ? ORDER BY version", Args: []any{newest}, Row: func(scan Scan) error {
		var name string
		err := scan(&name)
		if strings.HasSuffix(name, breaking) {
			step = name
		}
		return err
	}})
	return step, err
}
