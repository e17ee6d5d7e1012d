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
	// aheadAtMost is how far what was written may be ahead of the clock of the database for a process
	// that begins to go by it. The clock of a machine may be off by some hours, such as those of a time
	// zone; what is further ahead was written under a clock that has been set right since, and to follow
	// it would take longer than to start anew.
	aheadAtMost = 24 * time.Hour
)

// Clock is the time by which all nodes on a database agree, however wrong the clocks of their
// machines are: what is over on one is over on every other. On PostgreSQL it is that of the
// database's server, asked for now and then and carried on by the machine; an embedded database
// has no other than the machine's.
//
// It never goes back. What was over must not begin again because somebody set the database's clock
// back, or because a server took over whose clock is wrong: until they agree it goes at half its speed.
type Clock struct {
	db      *DB
	machine func() time.Time

	mu sync.RWMutex
	// at is the machine's time when it was last set, is what it was truly; zero: never.
	at, is time.Time
	ahead  time.Duration // of the database's, at that time
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
	return c.when(c.machine())
}

// when is the time while the machine's is at. The lock is held.
func (c *Clock) when(at time.Time) time.Time {
	if c.at.IsZero() {
		return at
	}
	since := at.Sub(c.at)
	return c.is.Add(since - min(max(since, 0)/2, c.ahead))
}

// Begin looks at the database's clock before anything is done by it. written is when somebody last
// wrote something: a process that starts while the clock is set back begins there, where those that
// run are at least, so that what was over does not begin again with it either. A clock that has
// begun stays as it is.
func (c *Clock) Begin(ctx context.Context, written time.Time) error {
	if c.db.Dialect() != PostgreSQL || c.begun() {
		return nil
	}
	if err := c.Set(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.machine()
	now := c.when(at)
	ahead := written.Sub(now)
	switch {
	case ahead <= tolerance:
	case ahead <= aheadAtMost:
		slog.WarnContext(ctx, "the clock of the database is behind what was written already: the time goes on from there, at half its speed", "behind_by", ahead.Round(time.Millisecond))
		c.at, c.is, c.ahead = at, written, ahead
	default:
		slog.WarnContext(ctx, "something was written at a time that is still to come: the clock of the database counts, look whether it is right", "written", written, "clock", now)
	}
	return nil
}

func (c *Clock) begun() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return !c.at.IsZero()
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
	at := c.machine()
	truly := time.UnixMicro(micros).Add(at.Sub(before) / 2)
	c.mu.Lock()
	defer c.mu.Unlock()
	known, now := !c.at.IsZero(), c.when(at)
	ahead := now.Sub(truly)
	if ahead.Abs() > tolerance {
		slog.WarnContext(ctx, "the clock of this machine is not that of the database, which counts", "differs_by", ahead.Round(time.Millisecond))
		if !known || ahead < 0 {
			now, ahead = truly, 0
		}
	} else {
		ahead = 0
	}
	c.at, c.is, c.ahead = at, now, ahead
	return nil
}

// clockSQL asks PostgreSQL for its time, in microseconds.
const clockSQL = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
