package database

import (
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migration is one step of the schema. There is one list for both databases.
type Migration struct {
	Version int64
	Name    string
	text    string
}

// Digest identifies the step's text, so that a changed step is noticed.
func (m Migration) Digest() string {
	sum := sha256.Sum256([]byte(m.text))
	return hex.EncodeToString(sum[:])
}

// Text is the step's SQL as it is written, for either database.
func (m Migration) Text() string { return m.text }

// statements gives the step's SQL for dialect d. Two words differ: IDENTITY
// stands for a key that the database counts up, where the key of the newest row
// may come again once that is deleted, and a table may end in CLUSTERED to be
// stored in the order of its primary key where that exists. A statement that begins
// with POSTGRESQL is for it alone.
func (m Migration) statements(d Dialect) []string {
	identity, clustered := "INTEGER PRIMARY KEY", "WITHOUT ROWID"
	if d == PostgreSQL {
		identity, clustered = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", ""
	}
	var text strings.Builder
	for line := range strings.Lines(m.text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			text.WriteString(line)
		}
	}
	var out []string
	for s := range strings.SplitSeq(text.String(), ";") {
		s, alone := strings.CutPrefix(strings.TrimSpace(s), "POSTGRESQL ")
		if s != "" && (!alone || d == PostgreSQL) {
			out = append(out, strings.NewReplacer("IDENTITY", identity, "CLUSTERED", clustered).Replace(s))
		}
	}
	return out
}

// Migrations lists every step in order. The list is the same for all: nobody changes it.
func Migrations() ([]Migration, error) { return migrations() }

var migrations = sync.OnceValues(func() ([]Migration, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	var out []Migration
	for _, path := range names {
		text, err := migrationFiles.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		number, name, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(path, "migrations/"), ".sql"), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migrations: %s has no number: %w", path, err)
		}
		out = append(out, Migration{Version: version, Name: name, text: string(text)})
	}
	slices.SortFunc(out, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return out, nil
})

// Migrate brings the schema up to date and returns the steps it took. Several
// processes may start at once: one works, the others wait and find it done.
func (db *DB) Migrate(ctx context.Context) ([]Migration, error) {
	var taken []Migration
	err := db.Write(ctx, func(tx *Tx) error {
		taken = nil
		if tx.Dialect() == PostgreSQL {
			tx.Exec(Statement{SQL: "SELECT pg_advisory_xact_lock(7421904811)"})
		}
		tx.Exec(Statement{SQL: `CREATE TABLE IF NOT EXISTS migrations (
			version BIGINT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL, applied BIGINT NOT NULL)`})
		// A batch is prepared as a whole before its first statement runs: the table
		// must be there by then.
		if err := tx.Read(); err != nil {
			return err
		}
		todo, err := pending(ctx, txReader{tx})
		if err != nil {
			return err
		}
		for _, m := range todo {
			for _, text := range m.statements(tx.Dialect()) {
				tx.Exec(Statement{SQL: text})
				if err := tx.Read(); err != nil {
					return fmt.Errorf("migration %d (%s): %w", m.Version, m.Name, err)
				}
			}
			tx.Exec(Statement{
				SQL:  "INSERT INTO migrations (version, name, digest, applied) VALUES (?, ?, ?, ?)",
				Args: []any{m.Version, m.Name, m.Digest(), time.Now().UnixMicro()}, //nolint:forbidigo // bookkeeping of the schema, not of the domain
			})
			taken = append(taken, m)
		}
		switch {
		case len(taken) == 0:
			return nil
		case tx.Dialect() == SQLite:
			return planSQLite(tx)
		}
		return planPostgres(tx)
	})
	return taken, err
}

// txReader makes a transaction a Reader.
type txReader struct{ tx *Tx }

func (r txReader) Read(_ context.Context, queries ...Query) error { return r.tx.Read(queries...) }
