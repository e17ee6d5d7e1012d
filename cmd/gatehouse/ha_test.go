//go:build unix

package main

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var highAvailability = flag.Bool("ha", false, "kill the primary of a cluster of PostgreSQL under load (make ha)")

// TestHighAvailability: three nodes on the cluster of docs/high-availability.md go on when the
// primary dies: nothing that was acknowledged is lost, and writes go on within seconds.
func TestHighAvailability(t *testing.T) {
	if !*highAvailability {
		t.Skip("make ha")
	}
	timing := testdb.Timing
	if *breakIt {
		timing = strings.Replace(timing, "synchronous_mode: true", "synchronous_mode: false", 1)
	}
	cluster := testdb.StartPatroni(t, 3, timing)
	f := startFleet(t, cluster.URL, binary, 3)
	for _, failure := range []struct {
		name  string
		of    func(testing.TB, string)
		limit time.Duration
	}{
		{"its server dies", cluster.Crash, 5 * time.Second},
		{"its machine dies", cluster.Lose, 10 * time.Second}, // That takes as long as Patroni's ttl.
	} {
		cluster.Await(t)
		primary := cluster.Primary()
		l := f.call(6)
		l.until(200)
		l.mu.Lock()
		l.worst = 0
		l.mu.Unlock()
		if *breakIt { // Standbys fall behind, and no commit waits for them.
			goOn := cluster.Stall(t)
			l.until(100)
			failure.of(t, primary)
			goOn()
		} else {
			failure.of(t, primary)
		}
		l.until(1)
		for range 300 {
			if now := cluster.Primary(); now != "" && now != primary {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		l.until(500)
		l.stop()
		t.Logf("%s: %s took over from %s; no write was acknowledged for %s; %d of %d calls failed meanwhile, %d writes were acknowledged",
			failure.name, cluster.Primary(), primary, l.worst.Round(10*time.Millisecond), len(l.fails), l.calls, len(l.acked))
		if cluster.Primary() == primary {
			t.Errorf("%s: %s is the primary still", failure.name, primary)
		}
		if l.worst > failure.limit {
			t.Errorf("%s: no write was acknowledged for %s", failure.name, l.worst)
		}
		if failure.name == "its machine dies" {
			cluster.Start(t, primary)
		}
	}
	cluster.Await(t)
}
