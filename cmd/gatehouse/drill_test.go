//go:build unix

package main

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
)

var drillMB = flag.Int("drill", 0, "megabytes of data for the drills (make drill); 0: what the load writes")

// fill changes metadata, which the log keeps, until the database is of the size that the drill asks for.
func fill(t *testing.T, p *process) {
	t.Helper()
	for n := 0; ; n++ {
		value := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fmt.Sprintf("%016d", n), 25_000)))
		info, err := os.Stat(filepath.Join(p.dir, "gatehouse-data", "gatehouse.db"))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() >= int64(*drillMB)<<20 {
			return
		}
		if status, reply, err := p.call("POST", fmt.Sprintf("/management/v1/metadata/key%d", n%40), `{"value":"`+value+`"}`); err != nil || status != 200 {
			t.Fatalf("fill: %d %v %v", status, reply, err)
		}
	}
}

// TestDrillRestore: after the loss of a database, a backup that was made under load is whole: all
// that was acknowledged before it began is there, what was revoked before is revoked still, and
// the tables are what the log says.
func TestDrillRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	fill(t, p)
	robot, revoked := newRobot(t, p)
	if *breakIt { // The backup is of before.
		slow(t, dir, "backup", "drill.db")
	}
	if status, reply, err := p.call("DELETE", "/management/v1/users/"+robot, ""); err != nil || status != 200 {
		t.Fatalf("revoke: %d %v %v", status, reply, err)
	}
	_, kept := newRobot(t, p)
	l := startLoad(p, "drill")
	l.until(t, 100)
	l.mu.Lock()
	before := maps.Clone(l.acked)
	l.mu.Unlock()
	begun := time.Now()
	if !*breakIt {
		slow(t, dir, "backup", "drill.db")
	}
	backedUp := time.Since(begun)
	l.until(t, len(before)+100)
	l.stop()
	p.kill()
	if err := os.RemoveAll(filepath.Join(dir, "gatehouse-data", "gatehouse.db")); err != nil { // The loss.
		t.Fatal(err)
	}
	begun = time.Now()
	slow(t, dir, "restore", "drill.db")
	again := serve(t, dir)
	t.Logf("backup %s, from the loss to the first answer %s", backedUp.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	if err := missing(names(t, again), before); err != nil {
		t.Error(err)
	}
	for token, want := range map[string]int{revoked: 401, kept: 200} {
		again.token = token
		if status, _, err := again.call("GET", "/auth/v1/users/me", ""); err != nil || status != want {
			t.Errorf("a token answers %d %v, want %d", status, err, want)
		}
	}
	again.stop(t)
	slow(t, dir, "verify")
}

// slow runs a command that succeeds, which takes longer the more data there are.
func slow(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, errors, code := runFor(t, 5*time.Minute, dir, args...); code != 0 {
		t.Fatalf("gatehouse %v: %d %s%s", args, code, out, errors)
	}
}

// newRobot makes a machine user with a token.
func newRobot(t *testing.T, p *process) (id, token string) {
	t.Helper()
	status, reply, err := p.call("POST", "/management/v1/users/machine", fmt.Sprintf(`{"userName":"robot%d","name":"robot"}`, time.Now().UnixNano()))
	if id, _ = reply["userId"].(string); err != nil || status != 200 {
		t.Fatal(status, reply, err)
	}
	status, reply, err = p.call("POST", "/management/v1/users/"+id+"/pats", `{}`)
	if token, _ = reply["token"].(string); err != nil || status != 200 {
		t.Fatal(status, reply, err)
	}
	return id, token
}

// TestDrillRotation: new keys, for secrets and for the keys themselves, cost no call, whatever was
// sealed before.
func TestDrillRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	var clients sync.WaitGroup
	var mu sync.Mutex
	end, rounds, fails := make(chan struct{}), 0, []string{}
	for c := range 4 {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				default:
				}
				err := p.proveAddress(fmt.Sprintf("u%d-%d", c, n))
				mu.Lock()
				if rounds++; err != nil {
					fails = append(fails, err.Error())
				}
				mu.Unlock()
			}
		})
	}
	until := func(more int) {
		want := -1
		for range 6000 {
			mu.Lock()
			have := rounds
			mu.Unlock()
			if want < 0 {
				want = have + more
			}
			if have >= want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("no rounds")
	}
	some := 20 + *drillMB*10 // 10,000 where the drill is for 1,000 MB.
	until(some)
	before, code, err := p.newAddress("before")
	if err != nil {
		t.Fatal(err)
	}
	if *breakIt { // A rotation that forgets the keys of before.
		forgetKeys(t, dir)
	}
	for _, command := range []string{"rotate", "rotate", "rekey"} {
		begun := time.Now()
		must(t, dir, "vault", command)
		t.Logf("vault %s: %s", command, time.Since(begun).Round(time.Millisecond))
		until(20)
	}
	close(end)
	clients.Wait()
	t.Logf("%d rounds, %d failed", rounds, len(fails))
	if len(fails) > 0 {
		t.Errorf("%d of %d rounds failed, such as %s", len(fails), rounds, fails[0])
	}
	p.stop(t)
	again := serve(t, dir) // With the new master key.
	if err := errors.Join(again.proveAddress("after"), again.takeCode(before, code)); err != nil {
		t.Error(err)
	}
	again.stop(t)
}

// proveAddress seals a code and opens it.
func (p *process) proveAddress(name string) error {
	id, code, err := p.newAddress(name)
	if err == nil {
		err = p.takeCode(id, code)
	}
	return err
}

// newAddress makes a user with an address that is to be proved by a code, which is sealed.
func (p *process) newAddress(name string) (id, code string, err error) {
	status, reply, err := p.call("POST", "/v2/users/human", `{"username":"`+name+`","profile":{"givenName":"A","familyName":"B"},"email":{"email":"`+name+`@example.com","returnCode":{}}}`)
	if err != nil || status > 201 {
		return "", "", fmt.Errorf("%d %v %w", status, reply, err)
	}
	return fmt.Sprint(reply["userId"]), fmt.Sprint(reply["emailCode"]), nil
}

// takeCode proves an address: the code is opened.
func (p *process) takeCode(id, code string) error {
	status, reply, err := p.call("POST", "/v2/users/"+id+"/email/verify", `{"verificationCode":"`+code+`"}`)
	if err != nil || status > 201 {
		return fmt.Errorf("%d %v %w", status, reply, err)
	}
	return nil
}

// forgetKeys takes the keys that seal secrets out of a database.
func forgetKeys(t *testing.T, dir string) {
	t.Helper()
	db, err := database.Open(t.Context(), database.Config{URL: filepath.Join(dir, "gatehouse-data", "gatehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Write(t.Context(), func(tx *database.Tx) error {
		tx.Exec(database.Statement{SQL: "DELETE FROM vault"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
