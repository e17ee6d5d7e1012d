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
	for _, off = range []time.Duration{5 * time.Minute, -55 * time.Minute, 0} {
		if err := c.Set(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wrong := time.Since(c.Now()).Abs(); wrong > 5*time.Second {
			t.Errorf("the machine off by %s, it is off by %s", off, wrong)
		}
	}
}
