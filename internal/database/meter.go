package database

import (
	"context"
	"sync/atomic"
	"time"
)

// Trip is one exchange with the database, as an observer sees it.
type Trip struct {
	// Kind is "read", "transaction" for reads and writes in one, or "commit" for
	// the end of a transaction.
	Kind  string
	Start time.Time
	Took  time.Duration
	// Writes is how many transactions a commit ended: several may share one.
	Writes int
	Err    error
}

// Pool is the state of the connections that serve requests.
type Pool struct{ Used, Max int }

// Pool says how many connections are in use.
func (db *DB) Pool() Pool { return db.pool() }

// meter counts round trips and tells the observer, if there is one.
type meter struct {
	trips   atomic.Int64
	observe func(context.Context, Trip)
}

// begin counts a round trip and gives its start, which only an observer needs.
func (m *meter) begin() (start time.Time) {
	m.trips.Add(1)
	if m.observe != nil {
		start = time.Now() //nolint:forbidigo // measures the database
	}
	return start
}

func (m *meter) end(ctx context.Context, kind string, start time.Time, writes int, err error) {
	if m.observe != nil {
		m.observe(ctx, Trip{Kind: kind, Start: start, Took: time.Since(start), Writes: writes, Err: err}) //nolint:forbidigo // measures the database
	}
}
