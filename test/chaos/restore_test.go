//go:build linux

package chaos

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var megabytes = flag.Int("megabytes", 0, "how large the database of TestRestore is at least")

// TestRestore is the drill for the loss of a database. It is backed up under load, with the tools
// that docs/operations.md names, and restored in another place. All that was acknowledged before the
// backup began is there, under the hashes that it had; what was revoked is revoked still.
func TestRestore(t *testing.T) {
	t.Parallel()
	h := anyHome(t)
	n := h.start(t)
	enlarge(t, h, n)
	file := filepath.Join(t.TempDir(), "backup")
	if *sabotage == stale {
		h.backup(t, file)
	}
	sealed := &sealer{nodes: []*node{n}}
	id, code, err := sealed.seal("sealed")
	if err != nil {
		t.Fatal(err)
	}
	tokens := revoke(t, n)
	before := newLedger(t, n, 4)
	before.run(n)
	time.Sleep(150 * time.Millisecond)
	before.halt()
	position, hashes := hashesOf(t, h, 0)
	heads := filepath.Join(t.TempDir(), "heads")
	h.command(t, "verify", "--heads", heads)

	during := newLedger(t, n, 4)
	during.run(n)
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	if *sabotage != stale {
		h.backup(t, file)
	}
	backedUp := time.Since(began)
	time.Sleep(100 * time.Millisecond)
	n.kill()
	during.halt()

	began = time.Now()
	other := h.restore(t, file)
	again := other.start(t)
	again.must(t, "GET /management/v1/policies/login", "")
	restored := time.Since(began)
	before.check(t, again)
	if at, got := hashesOf(t, other, position); at != position || got != hashes {
		t.Errorf("the log was %s at %d and is %s at %d", hashes, position, got, at)
	}
	for token, revoked := range tokens {
		if got := again.as(token, "GET /auth/v1/users/me", "", "").ok(); got == (revoked != "") {
			t.Errorf("a token, %s: let in is %v", revoked, got)
		}
	}
	sealed.nodes = []*node{again}
	if err := sealed.open(id, code); err != nil {
		t.Error(err)
	}
	after := newLedger(t, again, 2) // It takes writes.
	after.run(again)
	time.Sleep(100 * time.Millisecond)
	after.halt()
	after.check(t, again)
	other.command(t, "verify", "--heads", heads)
	again.sound(t)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a database of %d MB, a backup of %d: made in %s, %d writes acknowledged meanwhile; from the loss to the first good answer %s; all of %d writes of before and %d tokens as they were",
		size(t, other)>>20, info.Size()>>20, backedUp.Round(time.Millisecond), during.acked.Load(), restored.Round(time.Millisecond), before.acked.Load(), len(tokens))
}

// backup backs the database up while its node runs.
func (h home) backup(t *testing.T, file string) {
	t.Helper()
	if !testdb.Postgres() {
		h.command(t, "backup", file)
	} else if err := testdb.Dump(h.args[1], file); err != nil {
		t.Fatal(err)
	}
}

// restore puts a backup into another place, with the master key and the administrator's token,
// which are kept elsewhere.
func (h home) restore(t *testing.T, file string) home {
	t.Helper()
	other := home{dir: t.TempDir()}
	data := filepath.Join(other.dir, "gatehouse-data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"master.key", "admin.token"} {
		text, err := os.ReadFile(filepath.Join(h.dir, "gatehouse-data", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(data, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !testdb.Postgres() {
		other.command(t, "restore", file)
		return other
	}
	other.args = []string{"--database", testdb.Empty(t).URL}
	if err := testdb.Load(other.args[1], file); err != nil {
		t.Fatal(err)
	}
	return other
}

// revoke makes tokens and ends all but one, each by another way. It gives why each ended.
func revoke(t *testing.T, n *node) map[string]string {
	t.Helper()
	out := map[string]string{}
	for i, end := range []string{"", "the token was removed", "its user was removed", "its user was deactivated", "its user was locked"} {
		user := n.must(t, "POST /management/v1/users/machine", fmt.Sprintf(`{"userName":"robot%d","name":"robot"}`, i)).get("userId")
		pat := n.must(t, "POST /management/v1/users/"+user+"/pats", `{}`)
		out[pat.get("token")] = end
		switch end {
		case "the token was removed":
			n.must(t, "DELETE /management/v1/users/"+user+"/pats/"+pat.get("tokenId"), "")
		case "its user was removed":
			n.must(t, "DELETE /management/v1/users/"+user, "")
		case "its user was deactivated":
			n.must(t, "POST /management/v1/users/"+user+"/_deactivate", `{}`)
		case "its user was locked":
			n.must(t, "POST /management/v1/users/"+user+"/_lock", `{}`)
		}
	}
	return out
}

// hashesOf is one digest of the hashes of all events up to a position; 0: up to the last one.
func hashesOf(t *testing.T, h home, upTo int64) (position int64, digest string) {
	t.Helper()
	sum := sha256.New()
	look(t, h, func(db *database.DB) error {
		return db.Read(t.Context(), database.Query{
			SQL: "SELECT position, hash FROM events WHERE position <= ? OR ? = 0 ORDER BY position", Args: []any{upTo, upTo},
			Row: func(scan database.Scan) error {
				var hash string
				err := scan(&position, &hash)
				fmt.Fprintln(sum, position, hash)
				return err
			},
		})
	})
	return position, fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// enlarge changes metadata, which the log keeps, until the database is as large as the drill asks for.
func enlarge(t *testing.T, h home, n *node) {
	t.Helper()
	for i := 0; *megabytes > 0; i++ {
		if i%50 == 0 && size(t, h) >= int64(*megabytes)<<20 {
			return
		}
		raw := make([]byte, 400_000)
		_, _ = rand.Read(raw) // PostgreSQL would make anything else smaller.
		value := base64.StdEncoding.EncodeToString(raw)
		n.must(t, fmt.Sprintf("POST /management/v1/metadata/key%d", i%20), `{"value":"`+value+`"}`)
	}
}

// size is that of the database, in bytes.
func size(t *testing.T, h home) (bytes int64) {
	t.Helper()
	sql := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if testdb.Postgres() {
		sql = "SELECT pg_database_size(current_database())"
	}
	found := false
	look(t, h, func(db *database.DB) error { return db.Read(t.Context(), database.One(&found, sql, nil, &bytes)) })
	return bytes
}
