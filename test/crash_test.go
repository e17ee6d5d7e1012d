package test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// crashDatabase names the database that the process of TestServeUntilKilled serves.
const crashDatabase = "GATEHOUSE_TEST_CRASH_DATABASE"

// crashKey is its master key, where it needs one.
const crashKey = "GATEHOUSE_TEST_CRASH_KEY"

// TestServeUntilKilled is the server that TestKilledServer starts in a process of
// its own.
func TestServeUntilKilled(t *testing.T) {
	if os.Getenv(crashDatabase) == "" {
		t.Skip("runs in a process of TestKilledServer only")
	}
	db, err := database.Open(context.Background(), database.Config{URL: os.Getenv(crashDatabase)})
	if err != nil {
		t.Fatal(err)
	}
	o := server.Options{ExternalURL: "http://localhost"}
	if key := os.Getenv(crashKey); key != "" {
		nearby(&o)
		o.Vault = vaultOf(t, db, key)
	}
	s, err := server.New(db, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "listens on %s\n", l.Addr())
	t.Fatal(s.Serve(context.Background(), l))
}

// victim is a server in a process that can be killed.
type victim struct {
	process *exec.Cmd
	url     string
}

func startVictim(t *testing.T, databaseURL string, env ...string) victim {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestServeUntilKilled$", "-test.v")
	cmd.Env = append(append(os.Environ(), crashDatabase+"="+databaseURL), env...)
	cmd.Stderr = io.Discard
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "listens on "); ok {
			_, port, _ := net.SplitHostPort(address)
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return victim{cmd, "http://localhost:" + port}
		}
	}
	_ = cmd.Wait()
	t.Fatal("the server did not start")
	return victim{}
}

func (v victim) kill() {
	_ = v.process.Process.Kill()
	_ = v.process.Wait()
}

// call gives the status and the body of the reply; 0 where none came.
func (v victim) call(t *testing.T, token, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := (&http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	return res.StatusCode, string(text)
}

// TestKilledServer kills the server in the middle of removals and additions: what
// was acknowledged is there afterwards, what was not is there with its event or
// not at all, and to try again answers as it should.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	config := testdb.Config(t)
	db := testdb.Connect(t, config)
	store := eventstore.New(db, nil)
	created, err := flow.Setup(context.Background(), store, nil, "Gatehouse", "localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	const factors = "/management/v1/policies/login/second_factors"
	v := startVictim(t, config.URL)
	if status, text := v.call(t, created.Token, "POST", "/management/v1/policies/login", `{}`); status != http.StatusOK {
		t.Fatalf("own policy: %d %s", status, text)
	}
	listed, changes := false, 0 // the factor, and how often it came or went
	for round := range 12 {
		if round > 0 {
			v = startVictim(t, config.URL)
		}
		status, text := v.call(t, created.Token, "POST", factors+"/_search", "{}")
		if status != http.StatusOK {
			t.Fatalf("round %d: list: %d %s", round, status, text)
		}
		if now := strings.Contains(text, factorOTP); now != listed { // The call that had no reply was committed.
			listed, changes = now, changes+1
		}
		timer := time.AfterFunc(time.Duration(round*7)*time.Millisecond, func() { _ = v.process.Process.Kill() })
		first := true
		for {
			method, path, body, refused := "POST", factors, `{"type":1}`, http.StatusConflict
			if listed {
				method, path, body, refused = "DELETE", factors+"/1", "", http.StatusNotFound
			}
			status, text := v.call(t, created.Token, method, path, body)
			if status == 0 {
				break
			}
			if status != http.StatusOK {
				t.Fatalf("round %d: %s: %d %s", round, method, status, text)
			}
			listed, changes = !listed, changes+1
			if first { // The same again.
				if status, text := v.call(t, created.Token, method, path, body); status != refused && status != 0 {
					t.Fatalf("round %d: %s again: %d %s", round, method, status, text)
				}
				first = false
			}
		}
		timer.Stop()
		v.kill()
	}
	v = startVictim(t, config.URL)
	defer v.kill()
	if _, text := v.call(t, created.Token, "POST", factors+"/_search", "{}"); strings.Contains(text, factorOTP) != listed {
		changes++
	}
	events := 0
	if err := db.Read(context.Background(), database.Query{
		SQL: "SELECT count(*) FROM events WHERE type LIKE 'org.policy.login.secondfactor.%'", Row: func(scan database.Scan) error { return scan(&events) },
	}); err != nil {
		t.Fatal(err)
	}
	if events != changes || changes < 12 {
		t.Errorf("%d events for %d changes", events, changes)
	}
	report, err := store.Verify(context.Background(), testdb.Scratch(t), nil)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("verify: %v %q", err, report.Problems)
	}
}
