//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var (
	upgrade     = flag.Bool("upgrade", false, "replace nodes by those of another version under load (make upgrade)")
	upgradeFrom = flag.String("from", "HEAD~50", "the commit to upgrade from")
	upgradeEach = flag.Int("each", 300, "acknowledged writes between two nodes that are replaced")
	breakIt     = flag.Bool("sabotage", false, "break what the drills, make ha and make upgrade hold: each must fail")
)

// TestRollingUpgrade replaces three nodes one by one: those of an earlier commit by those of this
// one, these by those of a version that adds to the schema, and back. No call fails.
func TestRollingUpgrade(t *testing.T) {
	if !*upgrade {
		t.Skip("make upgrade")
	}
	if !testdb.Postgres() {
		t.Fatal("runs with DB=postgres")
	}
	f := startFleet(t, testdb.Empty(t).URL, atCommit(t, *upgradeFrom), 3)
	l := f.call(4)
	l.until(*upgradeEach)
	next := nextVersion(t)
	for _, to := range []struct{ what, program string }{{"this version", binary}, {"the next one", next}, {"this version again", binary}} {
		before := l.calls
		for n := range f.nodes {
			f.replace(n, to.program)
			l.until(*upgradeEach)
		}
		t.Logf("to %s: %d calls, %d failed since the beginning", to.what, l.calls-before, len(l.fails))
	}
	l.stop()
	l.faultless()
	t.Logf("%d calls, %d acknowledged writes, %d failed", l.calls, len(l.acked), len(l.fails))
}

// atCommit is the program as it was.
func atCommit(t *testing.T, commit string) string {
	t.Helper()
	tree, out := filepath.Join(t.TempDir(), "tree"), filepath.Join(t.TempDir(), "gatehouse")
	shell(t, "../..", "git", "worktree", "add", "--detach", tree, commit)
	t.Cleanup(func() { shell(t, "../..", "git", "worktree", "remove", "--force", tree) })
	shell(t, tree, "go", "build", "-trimpath", "-o", out, "./cmd/gatehouse")
	return out
}

// nextVersion is this program with one more step of the schema, of the kind that versions may have.
func nextVersion(t *testing.T) string {
	t.Helper()
	dir, name := t.TempDir(), "9999_next.sql"
	step := "ALTER TABLE orgs ADD COLUMN next TEXT NOT NULL DEFAULT '';\nCREATE TABLE nexts (id BIGINT NOT NULL PRIMARY KEY);\nCREATE INDEX events_next ON events (creator);\n"
	if *breakIt {
		step = "ALTER TABLE orgs RENAME COLUMN name TO title;\n"
	}
	put(t, dir, name, step)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "internal/database/migrations", name): filepath.Join(dir, name)}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "overlay.json", string(overlay))
	out := filepath.Join(dir, "gatehouse")
	shell(t, root, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", out, "./cmd/gatehouse")
	program, err := os.ReadFile(out)
	if err != nil || !bytes.Contains(program, []byte(strings.TrimSpace(step))) {
		t.Fatalf("the next version has no step of its own: %v", err)
	}
	return out
}

func shell(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...) //nolint:gosec // git and go
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
}
