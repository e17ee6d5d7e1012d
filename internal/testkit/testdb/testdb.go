//go:build unix

// Package testdb gives tests real databases: a SQLite file each or, with
// DB=postgres in the environment, a database each on a PostgreSQL server that
// the package starts and that ends with the test binary. DB may also be the URL
// of a server that runs already. With REHEARSE=1 each transaction runs twice.
//
// It imports database and nothing above, so that every room can use it.
package testdb

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Postgres reports whether the tests run on PostgreSQL.
func Postgres() bool { return os.Getenv("DB") != "" && os.Getenv("DB") != "sqlite" }

// Rehearsing reports whether each transaction runs twice; see database.Config.
func Rehearsing() bool { return os.Getenv("REHEARSE") != "" }

// Once leaves out a test of what happens once, where each transaction runs twice.
func Once(t testing.TB) {
	t.Helper()
	if Rehearsing() {
		t.Skip("each transaction runs twice")
	}
}

// Config names a new database with the present schema and no rows. It is gone
// after the test.
func Config(t testing.TB) database.Config {
	t.Helper()
	if !Postgres() {
		return SQLite(t)
	}
	admin := postgresURL(t)
	template.Do(func() { template.err = makeTemplate(admin) })
	if template.err != nil {
		t.Fatalf("template database: %v", template.err)
	}
	return create(t, " TEMPLATE "+templateName())
}

// Empty names a new database of PostgreSQL that has no schema. It is gone after the test.
func Empty(t testing.TB) database.Config {
	t.Helper()
	return create(t, "")
}

func create(t testing.TB, like string) database.Config {
	t.Helper()
	admin, name := postgresURL(t), "t_"+strings.ToLower(rand.Text()[:16])
	if err := execute(admin, "CREATE DATABASE "+name+like); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() { _ = execute(admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	// Tests count what comes of many calls at once, on machines that do other work.
	return database.Config{URL: onDatabase(admin, name), MaxConns: 12, Patience: time.Minute, Rehearse: Rehearsing()}
}

// SQLite names a new database of the embedded kind, whatever DB says.
func SQLite(t testing.TB) database.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.db")
	blank, err := blank()
	if err == nil {
		err = os.WriteFile(file, blank, 0o600)
	}
	if err != nil {
		t.Fatalf("template database: %v", err)
	}
	return database.Config{URL: file, Readers: 4, Rehearse: Rehearsing()}
}

// blank is the migrated file that the others are copied from.
var blank = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "gatehouse-template-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "template.db")
	if err := migrate(database.Config{URL: file, Readers: 1}); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// Open opens a new, migrated, empty database for the test.
func Open(t testing.TB) *database.DB {
	t.Helper()
	return Connect(t, Config(t))
}

// Scratch opens a new, migrated, empty database of the embedded kind: the place
// for a replay.
func Scratch(t testing.TB) *database.DB {
	t.Helper()
	return Connect(t, SQLite(t))
}

// Connect opens the database that c names, brings its schema up to date and
// closes it after the test.
func Connect(t testing.TB, c database.Config) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), c)
	if err != nil {
		t.Fatalf("open database: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close database: %v", err)
		}
	})
	if _, err := db.Migrate(context.Background()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return db
}

var template struct {
	sync.Once
	err error
}

// templateName is the migrated database that the others are copied from. Test
// binaries that share a server have one each.
func templateName() string { return "gatehouse_template_" + processID }

var processID = strings.ToLower(rand.Text()[:8])

func makeTemplate(admin string) error {
	if err := execute(admin, "CREATE DATABASE "+templateName()); err != nil {
		return err
	}
	return migrate(database.Config{URL: onDatabase(admin, templateName()), MaxConns: 2})
}

// migrate gives a database the present schema.
func migrate(c database.Config) error {
	db, err := database.Open(context.Background(), c)
	if err != nil {
		return err
	}
	_, err = db.Migrate(context.Background())
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

func execute(url, sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// onDatabase is url with another database's name in its path.
func onDatabase(url, name string) string {
	head, query, _ := strings.Cut(url, "?")
	return head[:strings.LastIndex(head, "/")+1] + name + "?" + query
}
