package database_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestWritesOfOneCommit: where one of the writes that share a commit fails, in whatever way,
// nothing of it stays, and everything of the others does.
func TestWritesOfOneCommit(t *testing.T) {
	t.Parallel()
	db, err := database.Open(t.Context(), database.Config{URL: filepath.Join(t.TempDir(), "test.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	insert := func(tx *database.Tx, table, value string) {
		tx.Exec(database.Statement{SQL: "INSERT INTO " + table + " VALUES (?)", Args: []any{value}, Conflict: errTaken})
	}
	if err := db.Write(t.Context(), func(tx *database.Tx) error {
		tx.Exec(database.Statement{SQL: "CREATE TABLE a (v TEXT PRIMARY KEY)"})
		tx.Exec(database.Statement{SQL: "CREATE TABLE b (v TEXT PRIMARY KEY)"})
		insert(tx, "b", "taken")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	kinds := []struct {
		name   string
		stays  bool
		run    func(*database.Tx) error
		write  func(context.Context, func(*database.Tx) error) error
		expect error
	}{
		{"good", true, func(*database.Tx) error { return nil }, db.Write, nil},
		{"refused", false, func(*database.Tx) error { return errRefused }, db.Write, errRefused},
		{"taken", false, func(tx *database.Tx) error { insert(tx, "b", "taken"); return nil }, db.Write, errTaken},
		{"dry", false, func(*database.Tx) error { return nil }, db.DryRun, nil},
		{"panic", false, func(*database.Tx) error { panic(errRefused) }, func(ctx context.Context, fn func(*database.Tx) error) (err error) {
			defer func() { err, _ = recover().(error) }()
			return db.Write(ctx, fn)
		}, errRefused},
	}
	// All wait until the first of them goes on.
	begun, more := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := db.Write(t.Context(), func(tx *database.Tx) error {
			if begun != nil {
				close(begun)
				<-more
			}
			begun = nil // It may run again.
			insert(tx, "a", "first")
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	<-begun
	const each = 20
	var queued sync.WaitGroup
	for n := range each * len(kinds) {
		queued.Add(1)
		wg.Go(func() {
			k := kinds[n%len(kinds)]
			queued.Done()
			if err := k.write(t.Context(), func(tx *database.Tx) error {
				insert(tx, "a", fmt.Sprint(k.name, n))
				insert(tx, "b", fmt.Sprint(k.name, n))
				return k.run(tx)
			}); !errors.Is(err, k.expect) {
				t.Errorf("%s: %v, want %v", k.name, err, k.expect)
			}
		})
	}
	queued.Wait()
	close(more)
	wg.Wait()
	for n := range each * len(kinds) {
		k := kinds[n%len(kinds)]
		stayed := 0
		for _, table := range []string{"a", "b"} {
			found := false
			if err := db.Read(t.Context(), database.One(&found, "SELECT v FROM "+table+" WHERE v = ?", []any{fmt.Sprint(k.name, n)}, new(string))); err != nil {
				t.Fatal(err)
			}
			if found {
				stayed++
			}
		}
		if k.stays && stayed != 2 || !k.stays && stayed != 0 {
			t.Errorf("of %s %d, %d rows of 2 stayed", k.name, n, stayed)
		}
	}
}

// TestRehearsal: each transaction runs twice, and counts once.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	c := testdb.Config(t)
	c.Rehearse = true
	db := testdb.Connect(t, c)
	runs, rows := 0, 0
	if err := db.Write(t.Context(), func(tx *database.Tx) error {
		runs++
		tx.Exec(database.Statement{SQL: "INSERT INTO purges (instance_id, created) VALUES (?, 0)", Args: []any{fmt.Sprint(runs)}})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	err := db.Read(t.Context(), database.Query{SQL: "SELECT count(*) FROM purges WHERE instance_id = '2'", Row: func(scan database.Scan) error { return scan(&rows) }})
	if err != nil || runs != 2 || rows != 1 {
		t.Errorf("%d runs, %d rows, %v", runs, rows, err)
	}
}

var (
	errRefused = errors.New("refused")
	errTaken   = errors.New("taken")
)
