//go:build unix

package testdb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var server struct {
	sync.Once
	url string
	err error
}

// postgresURL is the maintenance database of the server that the tests use.
func postgresURL(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("DB"); strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return url
	}
	server.Do(func() { server.url, server.err = startPostgres(fast) })
	if server.err != nil {
		t.Fatalf("start PostgreSQL: %v\nOn Debian: apt-get install postgresql", server.err)
	}
	return server.url
}

// The server runs under a shell that waits for the test binary: when that ends,
// however it ends, the pipe closes, the server stops and its files go.
const guard = `"$1" -D "$2/data" -k "$2" -h "" -c max_connections=400 -c shared_buffers=64MB $3 \
	>"$2/log" 2>&1 &
server=$!
read -r _
kill -QUIT $server
wait $server
rm -rf "$2"`

// fast gives up durability: a test's database does not outlive it.
const fast = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"

// StartPostgres starts a durable server and gives the URL of an empty database.
// The server ends with the process.
func StartPostgres() (string, error) { return startPostgres("") }

func startPostgres(settings string) (string, error) {
	initdb, err := program("initdb")
	if err != nil {
		return "", err
	}
	postgres, err := program("postgres")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "gatehouse-pg-")
	if err != nil {
		return "", err
	}
	as, err := account(dir)
	if err != nil {
		return "", err
	}
	init := exec.Command(initdb, "--no-sync", "-A", "trust", "-U", "gatehouse", "-E", "UTF8", "--locale=C.UTF-8", "-D", filepath.Join(dir, "data"))
	init.Dir, init.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as}
	if out, err := init.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	shell := exec.Command("sh", "-c", guard, "guard", postgres, dir, settings)
	shell.Dir, shell.SysProcAttr = dir, &syscall.SysProcAttr{Credential: as, Setpgid: true}
	if _, err := shell.StdinPipe(); err != nil { // Kept open until the process ends.
		return "", err
	}
	if err := shell.Start(); err != nil {
		return "", err
	}
	go func() { _ = shell.Wait() }()
	url := "postgres:///postgres?host=" + dir + "&user=gatehouse"
	return url, waitFor(url, filepath.Join(dir, "log"))
}

// program finds one of PostgreSQL's programs, also where Debian keeps them.
func program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("%s is not installed", name)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

// Dump writes what pg_dump says of the database that the URL names to a file.
func Dump(url, file string) error {
	dump, err := program("pg_dump")
	if err != nil {
		return err
	}
	if out, err := exec.Command(dump, "--no-owner", "-f", file, url).CombinedOutput(); err != nil {
		return fmt.Errorf("pg_dump: %w: %s", err, out)
	}
	return nil
}

// Load puts what Dump wrote into the empty database that the URL names.
func Load(url, file string) error {
	psql, err := program("psql")
	if err != nil {
		return err
	}
	if out, err := exec.Command(psql, "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", file, url).CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w: %s", err, out)
	}
	return nil
}

// Folder is where the server that the tests have started keeps its data; empty where none was.
func Folder() string {
	u, err := url.Parse(server.url)
	if err != nil || server.url == "" {
		return ""
	}
	return filepath.Join(u.Query().Get("host"), "data")
}

// account is whom the server runs as: PostgreSQL refuses root.
func account(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no other account is needed
	}
	var errs []error
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
	}
	return nil, errors.Join(errs...)
}

func waitFor(url, log string) error {
	var err error
	for range 200 {
		if err = waitOnce(url); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(log)
	return fmt.Errorf("%w: %s", err, text)
}

// waitOnce says whether the server answers now.
func waitOnce(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
