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
	if wrong := look(); wrong > -4*time.Minute {
		t.Errorf("it went back to %s from the database's at once", wrong)
	}
	for range 40 {
		look()
	}
	if wrong := look().Abs(); wrong > 5*time.Second {
		t.Errorf("it does not come back to the database's: it is off by %s", wrong)
	}
}
