package database

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// followEvery is how often the clock of the database is asked for.
	followEvery = 20 * time.Second
	// tolerance is by how much the clocks may differ before the database's counts: less
	// than that can be the way of the answer.
	tolerance = 500 * time.Millisecond
	// backAtMost is by how much one look sets the clock back. What was over must not begin again
	// because somebody set the database's clock back, or because a server took over whose clock
	// is wrong: until they agree the clock goes at half its speed.
	backAtMost = followEvery / 2
)

// Clock is the time by which all nodes on a database agree, however wrong the clocks of their
// machines are: what is over on one is over on every other. On PostgreSQL it is that of the
// database's server, asked for now and then and carried on by the machine; an embedded database
// has no other than the machine's.
type Clock struct {
	db      *DB
	machine func() time.Time

	mu sync.RWMutex
	// at is the machine's time when it was last set, is what it was truly; zero: never.
	at, is time.Time
}

// NewClock makes a clock that is the machine's until it follows. machine may be nil for the
// system's.
func NewClock(db *DB, machine func() time.Time) *Clock {
	if machine == nil {
		machine = time.Now //nolint:forbidigo // the one place where the system's clock comes in
	}
	return &Clock{db: db, machine: machine}
}

// Now is the time. Between two looks at the database it goes on steadily, even where somebody
// sets the machine's clock.
func (c *Clock) Now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	now := c.machine()
	if c.at.IsZero() {
		return now
	}
	return c.is.Add(now.Sub(c.at))
}

// Follow looks at the database's clock now, and again and again until ctx ends.
func (c *Clock) Follow(ctx context.Context) {
	if c.db.Dialect() != PostgreSQL {
		return
	}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		if err := c.Set(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "the clock of the database cannot be read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Set looks at the database's clock once.
func (c *Clock) Set(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, followEvery/2)
	defer cancel()
	var micros int64
	before := c.machine()
	if err := c.db.Read(ctx, Query{SQL: clockSQL, Row: func(scan Scan) error { return scan(&micros) }}); err != nil {
		return err
	}
	after, truly := c.machine(), time.UnixMicro(micros)
	at := before.Add(after.Sub(before) / 2)
	c.mu.Lock()
	defer c.mu.Unlock()
	now, known := at, !c.at.IsZero()
	if known {
		now = c.is.Add(at.Sub(c.at))
	}
	wrong := now.Sub(truly).Abs()
	if known && wrong <= tolerance {
		return nil
	}
	if wrong > tolerance {
		slog.WarnContext(ctx, "the clock of this machine is not that of the database, which counts", "differs_by", now.Sub(truly).Round(time.Millisecond))
		if back := now.Add(-backAtMost); known && truly.Before(back) {
			truly = back
		}
		now = truly
	}
	c.at, c.is = at, now
	return nil
}

// clockSQL asks PostgreSQL for its time, in microseconds.
const clockSQL = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
