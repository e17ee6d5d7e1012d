package test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

var orders = flag.Int("orders", 10, "how often each of 64 writers of TestOrder writes")

// TestOrder lets 64 writers change the same organizations. Whoever follows the log as the
// reference of ListEvents says misses nothing (G-32), nor does who follows the positions of
// the embedded database, where they are given at the commit. That sequences have no gaps is
// checked at the end, as after every test.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgs := newOrgs(t, s, 8)
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
	var followed int
	var following sync.WaitGroup
	following.Go(func() { followed = followLog(t, s, done) })
	seen, last := readAlong(t, s, done)
	following.Wait()
	if s.DB.Dialect() == database.SQLite && (seen != last || seen < begin+uint64(64**orders)) {
		t.Errorf("whoever follows the log sees %d events, and the last is at position %d", seen, last)
	}
	all := len(s.Events(t))
	t.Logf("%s: %d of %d events seen by position", s.DB.Dialect(), seen, all)
	if followed != all {
		t.Errorf("who follows the log sees %d of %d events", followed, all)
	}
	if all < int(begin)+64**orders {
		t.Errorf("there are %d events", all)
	}
}

// newOrgs makes so many organizations.
func newOrgs(t *testing.T, s *testkit.Server, n int) (ids []string) {
	t.Helper()
	for i := range n {
		ids = append(ids, newOrg(t, s, fmt.Sprint("Org ", i)))
	}
	return ids
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

var lookBack = flag.Duration("look-back", 30*time.Second, "how far who follows the log in TestOrder looks back")

// followLog reads what is new in the log by the dates of events until done, and once more, and
// counts what it sees.
func followLog(t *testing.T, s *testkit.Server, done <-chan struct{}) int {
	t.Helper()
	type key struct {
		aggregate eventstore.Aggregate
		sequence  uint64
	}
	seen := map[key]bool{}
	var newest time.Time
	for more := true; more; {
		select {
		case <-done:
			more = false
		default:
		}
		since := newest.Add(-*lookBack)
		for {
			var page []eventstore.Event
			f := eventstore.Filter{Instance: s.InstanceID, Asc: true, Since: since, Limit: eventstore.MaxEvents}
			if err := s.Store.Read(context.Background(), f.Search(&page)); err != nil {
				t.Error(err)
				return 0
			}
			for _, e := range page {
				seen[key{e.Aggregate, e.Sequence}] = true
				if since = e.Created; since.After(newest) {
					newest = since
				}
			}
			if len(page) < eventstore.MaxEvents {
				break
			}
		}
	}
	return len(seen)
}

// TestLogIsInOrderOfTime: of one object also where a node that changed it has a clock that is
// behind; of several kinds of events as of all.
func TestLogIsInOrderOfTime(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgs := newOrgs(t, s, 3)
	for i, id := range append(orgs, orgs...) {
		s.Clock.Advance(-time.Minute)
		err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
			_, err := org.Rename(tx, s.InstanceID, id, fmt.Sprint("Name ", i))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	search := func(f eventstore.Filter) (page []eventstore.Event) {
		f.Instance, f.Limit = s.InstanceID, cmp.Or(f.Limit, eventstore.MaxEvents)
		if err := s.Store.Read(t.Context(), f.Search(&page)); err != nil {
			t.Fatal(err)
		}
		return page
	}
	for _, id := range orgs {
		history := search(eventstore.Filter{AggregateTypes: []string{"org"}, AggregateID: id, Asc: true})
		rising := slices.IsSortedFunc(history, func(a, b eventstore.Event) int {
			return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Sequence, b.Sequence))
		})
		if len(history) < 3 || !rising {
			t.Errorf("the history of %s: %v", id, history)
		}
	}
	for _, asc := range []bool{false, true} {
		for _, f := range []eventstore.Filter{
			{Types: []string{"org.added", "org.changed", "instance.added"}},
			{AggregateTypes: []string{"org", "instance"}},
			{AggregateTypes: []string{"org", "instance"}, Types: []string{"org.added", "org.changed"}, Owner: orgs[1]},
			{AggregateID: orgs[0], Types: []string{"org.added", "org.changed"}},
		} {
			f.Asc = asc
			want := slices.DeleteFunc(search(eventstore.Filter{Asc: asc}), func(e eventstore.Event) bool {
				in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
				return !in(f.Types, e.Type) || !in(f.AggregateTypes, e.Aggregate.Type) || f.Owner != "" && f.Owner != e.Owner || f.AggregateID != "" && f.AggregateID != e.ID
			})
			f.Limit = uint64(len(want) - 1)
			if got := search(f); len(want) < 2 || !slices.EqualFunc(got, want[:f.Limit], func(a, b eventstore.Event) bool { return a.Position == b.Position }) {
				t.Errorf("%+v gives %v, want %v", f, got, want[:f.Limit])
			}
		}
	}
}
