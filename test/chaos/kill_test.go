//go:build linux

package chaos

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var (
	kills   = flag.Int("kills", 4, "how often TestKilledNode kills the server")
	crashes = flag.Int("crashes", 1, "how often TestKilledPostgres kills PostgreSQL")
)

// any is a home on a database of its own, as DB in the environment says.
func anyHome(t *testing.T) home {
	t.Helper()
	if testdb.Postgres() {
		return onPostgres(t, testdb.Config(t).URL)
	}
	return home{dir: t.TempDir()}
}

// TestKilledNode kills the server under load. What it acknowledged is there afterwards, what
// it did not is there whole or not at all, and to make it again is done or clearly refused.
func TestKilledNode(t *testing.T) {
	t.Parallel()
	h := anyHome(t)
	n := h.start(t)
	l := newLedger(t, n, 8)
	var starts, replies []time.Duration
	for round := range *kills {
		l.run(n)
		time.Sleep(100*time.Millisecond + rand.N(150*time.Millisecond))
		n.kill()
		l.halt()
		began := time.Now()
		n = h.start(t)
		starts = append(starts, n.took)
		n.must(t, "GET /management/v1/orgs/me", "")
		replies = append(replies, time.Since(began))
		if round%20 == 0 || *kills < 50 { // Each comparison reads everything.
			l.check(t, n)
		}
		if t.Failed() {
			break
		}
	}
	l.run(n)
	time.Sleep(100 * time.Millisecond) // What is in doubt is made again.
	l.halt()
	l.check(t, n)
	h.command(t, "verify")
	t.Logf("%d kills: %s; ready after %s, a good reply after %s", *kills, l, spread(starts), spread(replies))
}

// spread describes durations.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "-"
	}
	d = slices.Sorted(slices.Values(d))
	at := func(p int) string { return d[(len(d)-1)*p/100].Round(time.Millisecond).String() }
	return at(50) + " (p50), " + at(99) + " (p99), " + at(100) + " (most)"
}
