package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// on makes a node whose machine's clock is off by so much, in nanoseconds.
func on(off *atomic.Int64) func(*server.Options) {
	return func(o *server.Options) {
		o.Clock, o.Machine = nil, func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	}
}

// TestWrongClocks runs nodes whose clocks are wrong by five minutes, and one that jumps back by
// an hour. All of them go by the clock of the database.
func TestWrongClocks(t *testing.T) {
	t.Parallel()
	if !testdb.Postgres() {
		t.Skip("nodes with clocks of their own need DB=postgres")
	}
	var right, fast, slow, jumps atomic.Int64
	fast.Store(int64(5 * time.Minute))
	slow.Store(-int64(5 * time.Minute))
	s := testkit.Start(t, on(&right))
	nodes := []*testkit.Server{s, s.Sibling(t, on(&fast)), s.Sibling(t, on(&slow)), s.Sibling(t, on(&jumps))}
	for i, n := range nodes {
		for tries := 0; time.Since(n.Store.Now()).Abs() > 2*time.Second; tries++ {
			if tries == 300 {
				t.Fatalf("node %d has the time %s", i, n.Store.Now())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	addMachine(t, s, s.OrgID, "robot", "")
	ends := time.Now().Add(3 * time.Second)
	var pat struct{ Token string }
	r := nodes[1].Send(t, testkit.Call{Do: "POST /management/v1/users/" + s.Var("robot") + "/pats", Body: `{"expirationDate":"` + ends.UTC().Format(time.RFC3339Nano) + `"}`})
	if err := json.Unmarshal(r.Body, &pat); err != nil || pat.Token == "" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	me := func(n *testkit.Server) int {
		n.SetToken("pat", pat.Token)
		return n.Send(t, testkit.Call{As: "pat", Do: "GET /auth/v1/users/me"}).Status
	}
	if got := me(nodes[2]); got != http.StatusOK && time.Now().Before(ends) {
		t.Errorf("before its end: %d", got)
	}
	jumps.Store(-int64(time.Hour))
	var sequences []uint64
	for i := range 20 { // Nobody fails, and the order is that of the answers.
		n := nodes[i%len(nodes)]
		var d struct {
			Details struct {
				Sequence uint64 `json:",string"`
			}
		}
		r := n.Send(t, testkit.Call{Do: "POST /management/v1/metadata/key", Body: fmt.Sprintf(`{"value":"eA%02d"}`, i)})
		if err := json.Unmarshal(r.Body, &d); err != nil || r.Status != http.StatusOK {
			t.Fatalf("write %d: %d %s", i, r.Status, r.Body)
		}
		sequences = append(sequences, d.Details.Sequence)
		if r := n.Send(t, testkit.Call{Do: "POST /v2/organizations", Body: fmt.Sprintf(`{"name":"Org %d"}`, i)}); r.Status != http.StatusCreated {
			t.Fatalf("organization %d: %d %s", i, r.Status, r.Body)
		}
	}
	if !slices.IsSorted(sequences) || len(slices.Compact(slices.Clone(sequences))) != len(sequences) {
		t.Errorf("the sequences are %v", sequences)
	}
	time.Sleep(time.Until(ends.Add(time.Second)))
	for i, n := range nodes[:3] {
		if got := me(n); got != http.StatusUnauthorized {
			t.Errorf("a second after its end node %d says %d", i, got)
		}
	}
}

// TestWrongClockOfTheDatabase: where the clock of the database is wrong, all nodes go by it, so
// that what one issued ends on every other, and nothing lives for longer than it was given.
func TestWrongClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	if !testdb.Postgres() {
		t.Skip("a database with a clock of its own needs DB=postgres")
	}
	for _, by := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			wrongDatabase(t, by)
		})
	}
}

func wrongDatabase(t *testing.T, by time.Duration) {
	config := testdb.Config(t)
	setClock(t, config.URL, by)
	var right, fast atomic.Int64
	fast.Store(int64(5 * time.Minute))
	s := testkit.StartOn(t, config, on(&right))
	nodes := []*testkit.Server{s, s.Sibling(t, on(&fast))}
	for i, n := range nodes {
		for tries := 0; time.Since(n.Store.Now().Add(-by)).Abs() > 2*time.Second; tries++ {
			if tries == 300 {
				t.Fatalf("the database is off by %s, node %d has the time %s", by, i, n.Store.Now())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	addMachine(t, s, s.OrgID, "robot", "")
	const life = 2 * time.Second
	ends := time.Now().Add(life)
	var pat struct{ Token string }
	r := s.Send(t, testkit.Call{Do: "POST /management/v1/users/" + s.Var("robot") + "/pats", Body: `{"expirationDate":"` + ends.Add(by).UTC().Format(time.RFC3339Nano) + `"}`})
	if err := json.Unmarshal(r.Body, &pat); err != nil || pat.Token == "" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	for i, n := range nodes {
		n.SetToken("pat", pat.Token)
		if got := n.Send(t, testkit.Call{As: "pat", Do: "GET /auth/v1/users/me"}).Status; got != http.StatusOK && time.Now().Before(ends) {
			t.Errorf("off by %s, before its end node %d says %d", by, i, got)
		}
	}
	time.Sleep(time.Until(ends.Add(time.Second)))
	for i, n := range nodes {
		if got := n.Send(t, testkit.Call{As: "pat", Do: "GET /auth/v1/users/me"}).Status; got != http.StatusUnauthorized {
			t.Errorf("off by %s, a second after its end node %d says %d", by, i, got)
		}
	}
}

// TestClockSetBack: a node that starts while the clock of the database is set back does not take
// its time at once. What was over stays over.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	if !testdb.Postgres() {
		t.Skip("a database with a clock of its own needs DB=postgres")
	}
	config := testdb.Config(t)
	var right atomic.Int64
	s := testkit.StartOn(t, config, on(&right))
	addMachine(t, s, s.OrgID, "robot", "")
	ends := time.Now().Add(2 * time.Second)
	var pat struct{ Token string }
	r := s.Send(t, testkit.Call{Do: "POST /management/v1/users/" + s.Var("robot") + "/pats", Body: `{"expirationDate":"` + ends.UTC().Format(time.RFC3339Nano) + `"}`})
	if err := json.Unmarshal(r.Body, &pat); err != nil || pat.Token == "" {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	time.Sleep(time.Until(ends.Add(100 * time.Millisecond)))
	if r := s.Send(t, testkit.Call{Do: "POST /management/v1/metadata/key", Body: `{"value":"eA=="}`}); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	setClock(t, config.URL, -5*time.Minute)
	for _, n := range []*testkit.Server{s, s.Sibling(t, on(&right))} {
		n.SetToken("pat", pat.Token)
		if r := n.Send(t, testkit.Call{As: "pat", Do: "GET /auth/v1/users/me"}); r.Status != http.StatusUnauthorized {
			t.Errorf("what is over counts again: %d %s", r.Status, r.Body)
		}
	}
}

// setClock sets the clock that a database tells those who connect from now on.
func setClock(t *testing.T, url string, by time.Duration) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, sql := range []string{
		"CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.clock_timestamp() + interval '" + fmt.Sprint(by.Seconds()) + " seconds' $$",
		`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}
