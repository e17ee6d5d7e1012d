package test

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var silent = flag.Bool("silent", false, "lose the events of TestNothingWithoutItsEvent as they are written: it must fail")

// everyCall makes a request for every built RPC, in an order in which what is made is
// used before it is removed.
type everyCall struct {
	s       *testkit.Server
	methods []*api.Method
	ids     map[string][]string
	auditor string // who calls
}

func newEveryCall(t *testing.T) *everyCall {
	t.Helper()
	s := startSystem(t)
	addInstance(t, s, "second")
	machine(t, s, s.OrgID, "auditor", "IAM_OWNER") // Nobody removes them: their id is in no request.
	e := &everyCall{s: s, methods: builtMethods(t, s), ids: map[string][]string{"instance_id": {s.Var("second")}, "": {"123456789012345678"}}}
	e.auditor, _ = s.Send(t, me("", "auditor", 0)).JSON(t).(map[string]any)["user"].(map[string]any)["id"].(string)
	removes := func(m *api.Method) int {
		name := string(m.Descriptor.Name())
		for i, words := range [][]string{{"Deactivate", "Lock"}, {"Remove", "Delete", "Clear", "Reset", "Terminate"}} {
			if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(name, w) }) {
				return i + 1 + strings.Count(name, "Org") // Organizations take others along.
			}
		}
		return 0
	}
	slices.SortStableFunc(e.methods, func(a, b *api.Method) int { return removes(a) - removes(b) })
	return e
}

func (e *everyCall) do(t *testing.T, visit func(m *api.Method, call func() testkit.Reply)) {
	t.Helper()
	for _, m := range e.methods {
		as := "auditor"
		if strings.HasPrefix(m.Procedure, "/zitadel.system.") {
			as = "operator"
		}
		for variant := range 3 {
			g := &generator{variant: variant, text: "audit", id: func(field string) string { return pick(e.ids, field, variant) }}
			req := g.request(t, m)
			visit(m, func() testkit.Reply {
				r := sendMessage(t, e.s, m, req, testkit.Call{As: as})
				if r.Status == http.StatusOK {
					e.learn(r.JSON(t))
				}
				return r
			})
		}
	}
}

// learn takes the ids out of an answer that is not about the caller.
func (e *everyCall) learn(answer any) {
	found := map[string][]string{}
	collect(found, answer)
	for name, ids := range found {
		for _, id := range ids {
			if id != e.auditor && !slices.Contains(e.ids[name], id) {
				e.ids[name] = append(e.ids[name], id)
			}
		}
	}
}

// state is a sum over all tables that events describe.
func state(t *testing.T, db *database.DB) string {
	t.Helper()
	sum, queries := fnv.New128a(), []database.Query(nil)
	for _, table := range eventstore.Tables() {
		columns := append(slices.Clone(table.Key), table.Columns...)
		values, dest := make([]string, len(columns)), make([]any, len(columns))
		for i, c := range columns {
			columns[i], dest[i] = "CAST("+c+" AS TEXT)", &values[i]
		}
		queries = append(queries, database.Query{
			SQL: "SELECT " + strings.Join(columns, ", ") + " FROM " + table.Name + " ORDER BY " + strings.Join(table.Key, ", "),
			Row: func(scan database.Scan) error {
				err := scan(dest...)
				fmt.Fprintf(sum, "%s%q\n", table.Name, values)
				return err
			},
		})
	}
	if err := db.Read(context.Background(), queries...); err != nil {
		t.Fatal(err)
	}
	return string(sum.Sum(nil))
}

// trigger makes what is inserted into the log fail or, skipped, be lost; remove undoes it.
func trigger(t *testing.T, db *database.DB, skip bool) (remove func()) {
	t.Helper()
	statements := func(list ...string) {
		t.Helper()
		if err := db.Write(t.Context(), func(tx *database.Tx) error {
			for _, sql := range list {
				tx.Exec(database.Statement{SQL: sql})
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if db.Dialect() == database.SQLite {
		what := "RAISE(ABORT, 'the log is full')"
		if skip {
			what = "RAISE(IGNORE)"
		}
		statements("CREATE TRIGGER test_log BEFORE INSERT ON events BEGIN SELECT " + what + "; END")
		return func() { statements("DROP TRIGGER test_log") }
	}
	what := "RAISE EXCEPTION 'the log is full'"
	if skip {
		what = "RETURN NULL"
	}
	statements("CREATE FUNCTION test_log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "+strings.ReplaceAll(what, "'", "''")+"; END'",
		"CREATE TRIGGER test_log BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION test_log()")
	return func() { statements("DROP TRIGGER test_log ON events", "DROP FUNCTION test_log") }
}

// TestNothingWithoutItsEvent makes every call of the contract, first while the log takes
// no events, which must change nothing, and then as it should be: whatever changes
// something is written down (G-29, G-30).
func TestNothingWithoutItsEvent(t *testing.T) {
	t.Parallel()
	e := newEveryCall(t)
	fill(t, e.s, "", "") // So that there is something to change.
	e.s.Settle(t)
	before, answered := state(t, e.s.DB), map[string]bool{}
	repair := trigger(t, e.s.DB, *silent)
	failed := 0
	e.do(t, func(m *api.Method, call func() testkit.Reply) {
		switch r := call(); r.Status {
		case http.StatusOK:
			answered[m.Procedure] = true
		case http.StatusInternalServerError:
			failed++
		}
	})
	repair()
	if state(t, e.s.DB) != before {
		t.Errorf("the log took no events, and the state is another")
	}
	calls, writes := 0, 0
	now := before
	e.do(t, func(m *api.Method, call func() testkit.Reply) {
		calls++
		events := len(e.s.Events(t))
		r := call()
		e.s.Settle(t)
		then := state(t, e.s.DB)
		wrote := len(e.s.Events(t)) - events
		switch {
		case then != now && wrote == 0:
			t.Errorf("%s (%d): changes something without an event", m.Procedure, r.Status)
		case wrote > 0:
			writes++
		}
		now = then
	})
	t.Logf("%d calls, %d of them wrote, %d failed for the sake of the log (%d RPCs answered without it, PostgreSQL: %v)",
		calls, writes, failed, len(answered), testdb.Postgres())
	if writes < 150 || failed < 150 {
		t.Errorf("%d calls wrote, %d failed without the log: the test has become blind", writes, failed)
	}
}
