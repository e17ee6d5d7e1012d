package test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

var orders = flag.Int("orders", 10, "how often each of 64 writers of TestOrder writes")

// TestOrder lets 64 writers change the same organizations. Whoever follows the log of the
// embedded database, where positions are given at the commit, misses nothing, and none is
// left out (G-32). On PostgreSQL a position is taken before the commit, and whoever follows
// must look back. That sequences have no gaps is checked on both databases, at the end.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var orgs []string
	for i := range 8 {
		orgs = append(orgs, newOrg(t, s, fmt.Sprint("Org ", i)))
	}
	begin := uint64(len(s.Events(t)))
	done := make(chan struct{})
	var writers sync.WaitGroup
	for n := range 64 {
		writers.Go(func() {
			for i := range *orders {
				err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
					_, err := org.Rename(tx, s.InstanceID, orgs[(n+i)%len(orgs)], fmt.Sprint("Org ", n, " ", i))
					return err
				})
				if err != nil {
					t.Errorf("writer %d: %v", n, err)
				}
			}
		})
	}
	go func() { writers.Wait(); close(done) }()
	seen, last := readAlong(t, s, done)
	if s.DB.Dialect() == database.SQLite && (seen != last || seen < begin+uint64(64**orders)) {
		t.Errorf("whoever follows the log sees %d events, and the last is at position %d", seen, last)
	}
	all := len(s.Events(t))
	t.Logf("%s: %d of %d events seen on the way", s.DB.Dialect(), seen, all)
	if all < int(begin)+64**orders {
		t.Errorf("there are %d events", all)
	}
}

// readAlong reads what is new in the log until done, and once more.
func readAlong(t *testing.T, s *testkit.Server, done <-chan struct{}) (seen, last uint64) {
	t.Helper()
	for more := true; more; {
		select {
		case <-done:
			more = false
		default:
		}
		if err := s.DB.Read(context.Background(), database.Query{
			SQL: "SELECT position FROM events WHERE position > ? ORDER BY position", Args: []any{last},
			Row: func(scan database.Scan) error { seen++; return scan(&last) },
		}); err != nil {
			t.Error(err)
		}
	}
	return seen, last
}
