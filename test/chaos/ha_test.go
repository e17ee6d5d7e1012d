//go:build linux

package chaos

import (
	"flag"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var ha = flag.Int("ha", 0, "how often TestHighAvailability loses the primary in each way")

// echo is a client that reads at once what it has written: a primary of before would not know it.
type echo struct {
	rounds int
	stale  []string
	end    chan struct{}
	wg     sync.WaitGroup
}

func (n *node) echo() *echo {
	e := &echo{end: make(chan struct{})}
	e.wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-e.end:
				return
			default:
			}
			if r := n.call("POST /management/v1/metadata/echo", `{"value":"`+encode(i)+`"}`); !r.ok() {
				time.Sleep(5 * time.Millisecond)
			} else if r = n.call("GET /management/v1/metadata/echo", ""); r.ok() {
				if e.rounds++; r.get("metadata.value") != encode(i) {
					e.stale = append(e.stale, r.String())
				}
			}
		}
	})
	return e
}

func (e *echo) halt(t *testing.T) {
	t.Helper()
	close(e.end)
	e.wg.Wait()
	if len(e.stale) > 0 {
		t.Errorf("%d of %d reads did not see what was written before, such as %s", len(e.stale), e.rounds, e.stale[0])
	}
}

// TestHighAvailability has three nodes on the cluster of docs/high-availability.md. The primary dies
// under load, in each of three ways, and another one takes over: nothing that was acknowledged is
// lost, and writes go on within seconds.
func TestHighAvailability(t *testing.T) {
	if *ha == 0 {
		t.Skip("make ha")
	}
	c := testdb.StartPatroni(t, *sabotage != asynchronous)
	f := newFleet(t, onPostgres(t, c.URL()).with(t, "database: {connections: 20}\n"), 3)
	l := newLedger(t, f.front, 6)
	for range *ha {
		for _, failure := range []struct {
			of    string
			do    func(name string)
			limit time.Duration
			after func(name string)
		}{
			{"its server is killed", c.Crash, 5 * time.Second, func(string) {}},
			// The others take over when its lease has ended, 5 seconds after it was renewed.
			{"its machine is gone", c.Lose, 10 * time.Second, func(name string) { c.Start(t, name) }},
			{"its machine is silent", c.Freeze, 12 * time.Second, c.Thaw},
		} {
			c.Await(t)
			old, began := c.Primary(), l.acked.Load()
			l.run(f.front)
			e := f.front.echo()
			l.await(t, 200)
			l.measure()
			goOn := func() {}
			if *sabotage == asynchronous { // Standbys fall behind, and no commit waits for them.
				goOn = c.Stall(t)
				l.await(t, 40)
			}
			failure.do(old)
			goOn()
			l.await(t, 200)
			outage := l.longest()
			failure.after(old) // It comes back, and must not think that it is the primary still.
			l.await(t, 500)
			l.halt()
			e.halt(t)
			l.check(t, f.front)
			if now := c.Primary(); now == old {
				t.Errorf("%s: %s is the primary still", failure.of, now)
			}
			if outage > failure.limit {
				t.Errorf("%s: no write was acknowledged for %s, more than %s", failure.of, outage, failure.limit)
			}
			t.Logf("%s: %s took over from %s; no write was acknowledged for %s, later for %s at most; %d writes, %d of others were read back", failure.of, c.Primary(), old, outage, l.longest(), l.acked.Load()-began, e.rounds)
			if t.Failed() {
				return
			}
		}
	}
	c.Await(t)
	for _, n := range f.nodes {
		n.sound(t)
	}
	f.home.command(t, "verify")
	t.Logf("%s", l)
}
