package test

import (
	"context"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestReadsSeeOneState: what is written between two queries that one read makes is seen
// by neither of them, and the connection is as good as before, also after a failure.
func TestReadsSeeOneState(t *testing.T) {
	t.Parallel()
	db := testdb.Open(t)
	if db.Dialect() != database.SQLite {
		t.Skip("PostgreSQL answers each query by itself")
	}
	write := func() {
		t.Helper()
		if err := db.Write(t.Context(), func(tx *database.Tx) error {
			tx.Exec(database.Statement{SQL: "INSERT INTO assertions (instance_id, user_id, hash, expires) SELECT '1', '1', CAST(count(*) AS TEXT), 0 FROM assertions"})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	write()
	const count = "SELECT count(*) FROM assertions"
	for round := range 5 { // On each connection of the pool.
		var first, second int
		if err := db.Read(t.Context(), database.Query{SQL: count, Row: func(scan database.Scan) error {
			err := scan(&first)
			write()
			return err
		}}, database.Query{SQL: count, Row: func(scan database.Scan) error { return scan(&second) }}); err != nil || first != second || first != round+1 {
			t.Errorf("%d and then %d, %v", first, second, err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if db.Read(ended, database.Query{SQL: count, Row: func(database.Scan) error { return nil }}, database.Query{SQL: "SELECT x FROM nothing"}) == nil {
			t.Error("a read that cannot be answered")
		}
	}
}
