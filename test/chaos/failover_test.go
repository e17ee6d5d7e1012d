//go:build linux

package chaos

import (
	"flag"
	"strings"
	"testing"
	"time"
)

var failovers = flag.Int("failovers", 1, "how often TestPromotedStandby loses the primary")

// TestPromotedStandby loses the primary under load and promotes its synchronous standby. The
// server finds the new primary by itself, and whatever it acknowledged is there.
func TestPromotedStandby(t *testing.T) {
	t.Parallel()
	var outages []time.Duration
	for range *failovers {
		primary := newCluster(t)
		standby := primary.Standby(t, *sabotage != asynchronous)
		old, next := newProxy(t, primary.Dial), newProxy(t, standby.Dial)
		h := onPostgres(t, both(old, next)).with(t, "database: {connections: 10}\n")
		n := h.start(t)
		l := newLedger(t, n, 8)
		l.run(n)
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		primary.Kill()
		l.firstAck.Store(0)
		standby.Promote(t)
		promoted := time.Since(began)
		for l.firstAck.Load() == 0 && time.Since(began) < time.Minute {
			time.Sleep(time.Millisecond)
		}
		outages = append(outages, time.Since(began))
		time.Sleep(200 * time.Millisecond)
		l.halt()
		l.check(t, n)
		if wrong := n.failures(); len(wrong) > 0 {
			t.Errorf("%d failures of its own, such as %s", len(wrong), wrong[0])
		}
		h.command(t, "verify")
		t.Logf("%s; the promotion took %s", l, promoted.Round(time.Millisecond))
		n.kill()
		standby.Kill()
	}
	t.Logf("%d failovers: writes went on after %s, from the kill", *failovers, spread(outages))
}

// both names two servers, of which the one that takes writes is meant.
func both(a, b *proxy) string {
	var hosts []string
	for _, p := range []*proxy{a, b} {
		hosts = append(hosts, p.listener.Addr().String())
	}
	return "postgres://gatehouse@" + strings.Join(hosts, ",") + "/postgres?sslmode=disable&target_session_attrs=read-write"
}
