//go:build linux

package chaos

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// newCluster starts a PostgreSQL server that keeps what it acknowledges, unless it is
// sabotaged.
func newCluster(t *testing.T) *testdb.Cluster {
	t.Helper()
	if !testdb.Postgres() {
		t.Skip("runs with DB=postgres")
	}
	if *sabotage == asynchronous {
		return testdb.NewCluster(t, "synchronous_commit=off", "wal_writer_delay=2s")
	}
	return testdb.NewCluster(t)
}

// TestKilledPostgres kills the database under load. The server answers that it is away, and
// goes on by itself once it is back, with every connection that it had.
func TestKilledPostgres(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	h := onPostgres(t, c.URL()).with(t, "metrics: {listen: 'localhost:0'}\ndatabase: {connections: 10}\n")
	n := h.start(t)
	l := newLedger(t, n, 8)
	var outages []time.Duration
	for range *crashes {
		l.run(n)
		time.Sleep(200*time.Millisecond + rand.N(300*time.Millisecond))
		c.Kill()
		if r := n.call("GET /management/v1/orgs/me", ""); r.status != http.StatusServiceUnavailable {
			t.Errorf("a read without the database: %s", r)
		}
		c.Start(t)
		began := time.Now()
		l.firstAck.Store(0)
		for l.firstAck.Load() == 0 && time.Since(began) < time.Minute {
			time.Sleep(time.Millisecond)
		}
		outages = append(outages, time.Since(began))
		l.halt()
		l.check(t, n)
		if t.Failed() {
			break
		}
	}
	// Nothing is left of the calls that were cut off.
	if used := connections(t, c, "state <> 'idle'"); used != 0 {
		t.Errorf("%d connections are at work that nobody asked for", used)
	}
	if all := connections(t, c, "true"); all > 10 {
		t.Errorf("%d connections, more than the pool may have", all)
	}
	for range 40 { // All of the pool can be used: the next call would wait for a lost one.
		n.must(t, "GET /management/v1/orgs/me", "")
	}
	if wrong := n.failures(); len(wrong) > 0 {
		t.Errorf("%d failures of its own, such as %s", len(wrong), wrong[0])
	}
	h.command(t, "verify")
	t.Logf("%d kills: %s; the first success after PostgreSQL was back came after %s", *crashes, l, spread(outages))
}

// connections counts those of Gatehouse.
func connections(t *testing.T, c *testdb.Cluster, where string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for range 100 { // What was just answered may still be noted down as running.
		err = conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatehouse' AND "+where).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 || !strings.Contains(where, "state") {
			return n
		}
		time.Sleep(20 * time.Millisecond)
	}
	return n
}
