package database_test

import (
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestClock: a clock follows the database's, whatever happens to the machine's.
func TestClock(t *testing.T) {
	t.Parallel()
	if !testdb.Postgres() {
		t.Skip("an embedded database has no clock of its own: runs with DB=postgres")
	}
	off := 5 * time.Minute
	c := database.NewClock(testdb.Open(t), func() time.Time { return time.Now().Add(off) })
	if wrong := time.Since(c.Now()); wrong > -4*time.Minute {
		t.Errorf("before a look it is off by %s", wrong)
	}
	look := func() time.Duration {
		t.Helper()
		if err := c.Set(t.Context()); err != nil {
			t.Fatal(err)
		}
		return time.Since(c.Now())
	}
	for _, off = range []time.Duration{5 * time.Minute, -55 * time.Minute} {
		if wrong := look().Abs(); wrong > 5*time.Second {
			t.Errorf("the machine off by %s, it is off by %s", off, wrong)
		}
	}
	// To a clock that goes on, a database whose clock is set back looks like this. What was over
	// does not begin again.
	off += 5 * time.Minute
	before := c.Now()
	if wrong := look(); wrong > -5*time.Minute+5*time.Second || c.Now().Before(before) {
		t.Errorf("it went back to %s from the database's", wrong)
	}
	for passed, lost := range map[time.Duration]time.Duration{4 * time.Minute: 2 * time.Minute, 10 * time.Minute: 5 * time.Minute, time.Hour: 5 * time.Minute} {
		off += passed
		if wrong := time.Until(c.Now()) - (5*time.Minute + passed - lost); wrong.Abs() > 5*time.Second {
			t.Errorf("after %s it lost %s too little", passed, wrong)
		}
		off -= passed
	}
}

// TestClockBegins: a process that starts while the clock of the database is set back begins with
// what was written last, and follows from there.
func TestClockBegins(t *testing.T) {
	t.Parallel()
	if !testdb.Postgres() {
		t.Skip("an embedded database has no clock of its own: runs with DB=postgres")
	}
	db := testdb.Open(t)
	for written, want := range map[time.Duration]time.Duration{
		-time.Hour: 0, 100 * time.Millisecond: 0, 5 * time.Minute: 5 * time.Minute, 23 * time.Hour: 23 * time.Hour, 25 * time.Hour: 0,
	} {
		c := database.NewClock(db, nil)
		if err := c.Begin(t.Context(), time.Now().Add(written)); err != nil {
			t.Fatal(err)
		}
		if ahead := time.Until(c.Now()); (ahead - want).Abs() > 5*time.Second {
			t.Errorf("what was written last is ahead by %s, it begins ahead by %s", written, ahead)
		}
		if err := c.Set(t.Context()); err != nil {
			t.Fatal(err)
		}
		if ahead := time.Until(c.Now()); (ahead - want).Abs() > 5*time.Second {
			t.Errorf("what was written last is ahead by %s, it is ahead by %s after a look", written, ahead)
		}
	}
}
