// Package database opens the store and runs SQL on it: an embedded SQLite file
// or PostgreSQL, behind one text per statement. It owns connections,
// transactions, round trips, retries and migrations. It knows nothing of what
// the tables mean and imports only fault.
//
// Statements are written in the common subset of both databases, with ? for
// parameters. "FOR UPDATE" and "FOR SHARE" are honoured where rows are locked one by
// one and dropped where the writer is alone anyway.
package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// Dialect says which database is behind a DB.
type Dialect uint8

// The two databases.
const (
	SQLite Dialect = iota
	PostgreSQL
)

func (d Dialect) String() string {
	if d == PostgreSQL {
		return "postgres"
	}
	return "sqlite"
}

// Scan copies the current row's columns. Destinations are *string, *[]byte,
// *bool, *int, *int64, *uint64, for columns that may be NULL **string and
// **int64, and *any, which gets an int64, a string or nil.
type Scan func(dest ...any) error

// Query is one SELECT and what to do with each of its rows.
type Query struct {
	SQL  string
	Args []any
	Row  func(scan Scan) error
	// Uneven says that it depends on the arguments how many rows there are, and so by which
	// way they are best found. Else, and within a Write, PostgreSQL chooses the way once,
	// without arguments.
	Uneven bool
}

// ForUpdate is the query for rows that nobody else may change before the transaction ends.
func (q Query) ForUpdate() Query {
	q.SQL += " FOR UPDATE"
	return q
}

// Statement is one INSERT, UPDATE or DELETE.
type Statement struct {
	SQL  string
	Args []any
	// Conflict is what a violated unique constraint means here. Where it is nil,
	// a violation is a bug and reported as such.
	Conflict error
}

// ErrRetry rolls back and runs the closure again, where a Write closure returns it
// or a Conflict names it: somebody else changed the same aggregate first.
var ErrRetry = errors.New("database: concurrent change, run again")

// errRollback ends a dry run.
var errRollback = errors.New("database: dry run")

// How often a transaction that lost a race runs again before it gives up.
const maxAttempts = 24

// Config names a database.
type Config struct {
	// URL is "postgres://…" for PostgreSQL, or the path of a SQLite file.
	URL string
	// Readers bounds the SQLite connections that read; MaxConns those to
	// PostgreSQL. Zero picks a number that fits the machine.
	Readers, MaxConns int
	// Patience is how long a transaction on PostgreSQL waits for its turn; zero: a second. Where
	// all would wait, each for as long as its call may take, none would be done.
	Patience time.Duration
	// Rehearse runs each transaction in vain before it runs for good, as one that loses a
	// race does. It is for tests: what a closure gets wrong the second time shows.
	Rehearse bool
	// Observe, where it is not nil, is told of every round trip, on the
	// goroutine that made it.
	Observe func(ctx context.Context, t Trip)
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine
	meter    meter
	rehearse bool
}

// engine is what differs between the two databases.
type engine interface {
	dialect() Dialect
	read(ctx context.Context, queries []Query) error
	// attempt runs fn in a transaction of its own and commits it. undone says that
	// fn is known to fail in the end.
	attempt(ctx context.Context, fn func(*Tx) error, undone bool) error
	// snapshot runs fn on one unchanging view of the data.
	snapshot(ctx context.Context, fn func(Reader) error) error
	ping(ctx context.Context) error
	pool() Pool
	// watched runs until ctx ends, and lets calls know that the database says nothing.
	watched(ctx context.Context)
	close() error
}

// Reader runs queries; DB is one, and so is a snapshot.
type Reader interface {
	Read(ctx context.Context, queries ...Query) error
}

// session runs statements inside a transaction.
type session interface {
	read(queries []Query) error
	exec(s Statement)
}

// Tx is a transaction. It lives as long as the closure it is given to and must
// stay on the closure's goroutine.
type Tx struct {
	session
	dia Dialect
}

// Open connects to the database that c names.
func Open(ctx context.Context, c Config) (*DB, error) {
	db := &DB{meter: meter{observe: c.Observe}, rehearse: c.Rehearse}
	var err error
	if strings.HasPrefix(c.URL, "postgres://") || strings.HasPrefix(c.URL, "postgresql://") {
		db.engine, err = openPostgres(ctx, c, &db.meter)
	} else {
		db.engine, err = openSQLite(c, &db.meter)
	}
	if err != nil {
		return nil, err
	}
	return db, nil
}

// Dialect says which database this is.
func (db *DB) Dialect() Dialect { return db.dialect() }

// Close releases every connection. Running transactions end first.
func (db *DB) Close() error { return db.close() }

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.ping(ctx) }

// Watch notices, until ctx ends, when a database of its own processes says nothing any more, which
// is within two seconds. Until it does again, everything is refused at once.
func (db *DB) Watch(ctx context.Context) { db.watched(ctx) }

// RoundTrips counts the exchanges with the database since Open: a transaction's
// begin and commit travel with its first and last statement.
func (db *DB) RoundTrips() int64 { return db.meter.trips.Load() }

// Read runs the queries in one round trip, outside a transaction. What was
// acknowledged before the call is visible to it.
func (db *DB) Read(ctx context.Context, queries ...Query) error { return db.read(ctx, queries) }

// Snapshot runs fn with a reader that sees the data as they are now, whatever
// is written meanwhile. It holds a connection and, on SQLite, keeps the log of
// writes from being trimmed: it is for checks and backups.
func (db *DB) Snapshot(ctx context.Context, fn func(Reader) error) error {
	return db.snapshot(ctx, fn)
}

// Write runs fn in a transaction and commits it; a reply may be sent when Write
// has returned nil. fn may run more than once, so it must do nothing that a
// rollback does not undo, and it runs while others wait, so it must do no I/O
// but the transaction's.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	if db.rehearse {
		_ = db.DryRun(ctx, fn)
	}
	return db.write(ctx, fn, false)
}

func (db *DB) write(ctx context.Context, fn func(*Tx) error, undone bool) error {
	for n := 1; ; n++ {
		err := db.attempt(ctx, fn, undone)
		if !errors.Is(err, ErrRetry) {
			return err
		}
		if n == maxAttempts {
			return fault.New(fault.KindAborted, "DB-RETRY",
				"Too many changes to the same object at once. Try again.").Because(err)
		}
		pause := time.Duration(rand.Int64N(int64(min(n, 10)) * int64(2*time.Millisecond))) //nolint:gosec // jitter, not a secret
		select {
		case <-ctx.Done():
			return timedOut(ctx.Err())
		case <-time.After(pause):
		}
	}
}

// DryRun runs fn like Write and rolls it back, whatever it returns.
func (db *DB) DryRun(ctx context.Context, fn func(*Tx) error) error {
	err := db.write(ctx, func(tx *Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if err := tx.read(nil); err != nil { // Send what is queued, so that conflicts show.
			return err
		}
		return errRollback
	}, true)
	if errors.Is(err, errRollback) {
		return nil
	}
	return err
}

// Dialect says which database this is.
func (tx *Tx) Dialect() Dialect { return tx.dia }

// Read runs the queries in one round trip and sees what the transaction wrote.
func (tx *Tx) Read(queries ...Query) error { return tx.read(queries) }

// Exec runs s with the transaction's next Read, or with its commit. An error
// comes back from there.
func (tx *Tx) Exec(s Statement) { tx.exec(s) }

// One makes a Query for at most one row and reports in found whether it came.
func One(found *bool, sql string, args []any, dest ...any) Query {
	return Query{SQL: sql, Args: args, Row: func(scan Scan) error {
		*found = true
		return scan(dest...)
	}}
}

func timedOut(err error) error {
	return fault.New(fault.KindDeadline, "DB-TIME", "The database did not answer in time.").Because(err)
}

func unavailable(err error) error {
	return fault.Unavailable("DB-DOWN", "The database does not answer.").Because(err)
}

func conflict(s Statement, err error) error {
	if s.Conflict != nil {
		return s.Conflict
	}
	return fmt.Errorf("database: unexpected unique violation in %q: %w", s.SQL, err)
}
