//go:build linux

package chaos

import (
	"flag"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var (
	starts = flag.Int("starts", 2, "how often TestStart starts the server")
	events = flag.Int("events", 2000, "how many events the database of TestStart has")
)

// TestStart kills the server and starts it again on a log of many events: a start reads none
// of them.
func TestStart(t *testing.T) {
	t.Parallel()
	h := anyHome(t)
	n := h.start(t)
	n.must(t, "POST /management/v1/users/machine", `{"userName":"model","name":"model"}`)
	n.kill()
	lengthen(t, h)
	var ready, replies []time.Duration
	for range *starts {
		began := time.Now()
		n = h.start(t)
		ready = append(ready, n.took)
		n.must(t, "GET /management/v1/policies/login", "")
		replies = append(replies, time.Since(began))
		n.must(t, "POST /management/v1/metadata/key", `{"value":"`+encode(len(replies))+`"}`)
		n.kill()
	}
	t.Logf("%d starts on %d events: ready after %s, a good reply after %s", *starts, *events, spread(ready), spread(replies))
}

// lengthen copies the events of a user and what they mean until there are enough. The copies
// have no chain: this database is for starts.
func lengthen(t *testing.T, h home) {
	t.Helper()
	db := testdb.Connect(t, h.database())
	const step = 10000
	for from := 0; from < *events; from += step {
		numbers := "WITH RECURSIVE k(n) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT n + 1 FROM k WHERE n < ?) "
		bounds := []any{int64(from), int64(min(from+step, *events) - 1)}
		err := db.Write(t.Context(), func(tx *database.Tx) error {
			for _, sql := range []string{
				`INSERT INTO events (instance_id, aggregate_type, aggregate_id, sequence, type, owner, creator, created, payload, digest, hash)
				SELECT e.instance_id, e.aggregate_type, 'copy' || k.n, 1, e.type, e.owner, e.creator, e.created, e.payload, e.digest, e.hash || k.n
				FROM events e, k WHERE e.type = 'user.machine.added' AND e.payload LIKE '%model%' AND e.aggregate_id NOT LIKE 'copy%'`,
				`INSERT INTO aggregates (instance_id, type, id, owner, sequence, hash, created, changed)
				SELECT a.instance_id, a.type, 'copy' || k.n, a.owner, 1, a.hash || k.n, a.created, a.changed
				FROM aggregates a JOIN events e ON e.instance_id = a.instance_id AND e.aggregate_type = a.type AND e.aggregate_id = a.id, k
				WHERE e.type = 'user.machine.added' AND e.payload LIKE '%model%' AND e.aggregate_id NOT LIKE 'copy%'`,
			} {
				tx.Exec(database.Statement{SQL: numbers + sql, Args: bounds})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
