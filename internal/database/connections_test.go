package database_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestReadsPassTransactionsThatWait: however many transactions wait for one row, there is a
// connection for who only reads.
func TestReadsPassTransactionsThatWait(t *testing.T) {
	t.Parallel()
	if !testdb.Postgres() {
		t.Skip("an embedded database reads and writes on connections of their own: runs with DB=postgres")
	}
	c := testdb.Config(t)
	c.MaxConns, c.Rehearse = 4, false // Who holds the row does so once.
	db := testdb.Connect(t, c)
	row := database.Query{SQL: "SELECT version FROM migrations WHERE version = 1", Row: func(database.Scan) error { return nil }}
	held, release := make(chan struct{}), make(chan struct{})
	outcomes := make(chan error)
	write := func(then func()) {
		outcomes <- db.Write(t.Context(), func(tx *database.Tx) error {
			err := tx.Read(row.ForUpdate())
			then()
			return err
		})
	}
	go write(func() {
		close(held)
		<-release
	})
	<-held
	const others = 12
	for range others {
		go write(func() {})
	}
	awaitLocks(t, c.URL, 2) // With who holds the row, all connections that transactions may have.
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	if err := db.Read(ctx, row); err != nil {
		t.Errorf("a read while transactions wait: %v", err)
	}
	close(release)
	for range 1 + others {
		if err := <-outcomes; err != nil {
			t.Error(err)
		}
	}
}

// awaitLocks waits until so many connections to a database wait for a lock.
func awaitLocks(t *testing.T, url string, want int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for n := 0; n < want; time.Sleep(5 * time.Millisecond) {
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
	}
}
