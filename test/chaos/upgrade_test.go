//go:build linux

package chaos

import (
	"flag"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var (
	from = flag.String("from", "", "the commit whose nodes TestRollingUpgrade begins with, and goes back to; empty: this one")
	each = flag.Int("each", 50, "how many writes are acknowledged between two nodes that TestRollingUpgrade replaces")
)

// nextStep is a step of the schema as the next version may have it: it adds.
var nextStep = []string{
	"ALTER TABLE orgs ADD COLUMN next TEXT NOT NULL DEFAULT ''",
	"CREATE TABLE nexts (id BIGINT NOT NULL PRIMARY KEY)",
	"CREATE INDEX events_next ON events (creator)",
	"INSERT INTO migrations (version, name, digest, applied) VALUES (9999, 'next', '', 0)",
}

// TestRollingUpgrade replaces three nodes on one database one by one while clients call: those
// of an earlier commit by those of this one, which the schema of a next version then meets while
// they run and when they start, and back to the earlier commit. No call fails.
func TestRollingUpgrade(t *testing.T) {
	if !testdb.Postgres() {
		t.Skip("runs with DB=postgres")
	}
	t.Parallel()
	h := onPostgres(t, testdb.Empty(t).URL)
	old, replaced := h, 1
	if *from != "" {
		old.program, replaced = atCommit(t, *from), 3
	}
	f := newFleet(t, old, 3)
	l, r := newLedger(t, f.front, 4), f.front.read(2)
	l.run(f.front)
	l.await(t, *each)
	phase := func(what string, do func()) {
		calls := l.acked.Load() + r.served.Load()
		l.measure()
		do()
		t.Logf("%s: %d calls, at most %s between two acknowledged writes", what, l.acked.Load()+r.served.Load()-calls, l.longest())
	}
	replaceAll := func(program string) func() {
		return func() {
			f.home.program = program
			for i := range replaced {
				f.replace(t, i)
				l.await(t, *each)
			}
		}
	}
	if *from != "" {
		phase("from "+*from+" to this version", replaceAll(""))
	}
	phase("a step of the next version", func() {
		step := nextStep
		if *sabotage == renaming {
			step = append([]string{"ALTER TABLE orgs RENAME COLUMN name TO title"}, step...)
		}
		edit(t, h, step...)
		l.await(t, *each)
	})
	phase("back from the next version", replaceAll(""))
	if old.program != "" {
		if out, err := exec.Command(old.program, "migrate", "--database", h.args[1]).CombinedOutput(); err != nil {
			t.Logf("%s refuses this schema, so there is no way back to it: %s", *from, out)
		} else {
			phase("back to "+*from, replaceAll(old.program))
		}
	}
	l.halt()
	r.halt()
	l.check(t, f.front)
	if l.refused.Load()+l.unknown.Load() > 0 || len(r.failed) > 0 {
		t.Errorf("calls failed: %s; of reads %d, such as %v", l, len(r.failed), r.failed[:min(3, len(r.failed))])
	}
	for _, n := range f.nodes {
		n.sound(t)
	}
	h.command(t, "verify")
	t.Logf("%s; %d reads", l, r.served.Load())
}

// atCommit builds the program as it was.
func atCommit(t *testing.T, commit string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "gatehouse")
	build := exec.Command("sh", "-ec", `mkdir "$2/tree"; git -C ../.. archive "$1" | tar -x -C "$2/tree"; cd "$2/tree"; go build -trimpath -o "$3" ./cmd/gatehouse; rm -r "$2/tree"`, "sh", commit, dir, file)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", commit, err, out)
	}
	return file
}
