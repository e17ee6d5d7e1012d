//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestPostgres: two servers share a database, and what is for the embedded one
// says so.
func TestPostgres(t *testing.T) {
	if !testdb.Postgres() {
		t.Skip("runs with DB=postgres")
	}
	t.Parallel()
	url := testdb.Config(t).URL
	dir := t.TempDir()
	first := serve(t, dir, "--database", url)
	second := serve(t, dir, "--database", url) // The folder is not locked: the database is elsewhere.
	status, reply, err := first.call("POST", "/management/v1/orgs", `{"name":"shared"}`)
	if err != nil || status != 200 {
		t.Fatal(status, reply, err)
	}
	if id, _ := reply["id"].(string); names(t, second)[id] != "shared" {
		t.Error("the second server does not see what the first wrote")
	}
	out, _, _ := run(t, dir, "doctor", "--database", url) // The tests' server gives up durability.
	for _, want := range []string{"ok       database       PostgreSQL ", "PROBLEM  durability     acknowledged writes can be lost: fsync is off", "ok       clock", "ok       schema", "ok       instances"} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor does not say %q:\n%s", want, out)
		}
	}
	for range 2 { // Nothing is old enough to be kept as a head, and what is kept can be read.
		if out := must(t, dir, "verify", "--heads", "heads", "--database", url); !strings.Contains(out, "too young for a head") {
			t.Errorf("verify says %q", out)
		}
	}
	must(t, dir, "admin", "reset", "--token", "--database", url)
	for _, args := range [][]string{{"backup", "x"}, {"restore", "x"}} {
		if _, errors, code := run(t, dir, append(args, "--database", url)...); code != 1 || !strings.Contains(errors, "use pg_dump") {
			t.Errorf("%s: %d %s", args[0], code, errors)
		}
	}
	second.kill()
	if status, _, err := first.call("GET", "/management/v1/orgs/me", ""); status != 200 || err != nil {
		t.Errorf("after the second server is gone: %d %v", status, err)
	}
	first.stop(t)
}
