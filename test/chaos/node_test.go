//go:build linux

package chaos

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/program"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// node is the program, serving in a process of its own.
type node struct {
	*exec.Cmd
	url, token string
	// took is how long it took to get ready.
	took     time.Duration
	out, log *program.Output
	ended    chan error
	client   *http.Client
}

// home is the folder that the nodes of a test share: it holds the master key and the token.
type home struct {
	dir string
	// args come after "gatehouse start".
	args []string
	// program is another build than the one of this test.
	program string
}

// onPostgres is a home of nodes on PostgreSQL.
func onPostgres(t *testing.T, url string) home {
	return home{dir: t.TempDir(), args: []string{"--database", url}}
}

// database is the one of the nodes, to be opened beside them.
func (h home) database() database.Config {
	if testdb.Postgres() {
		return database.Config{URL: h.args[1]}
	}
	return database.Config{URL: filepath.Join(h.dir, "gatehouse-data", "gatehouse.db")}
}

// with is the home of nodes with other settings, in YAML.
func (h home) with(t *testing.T, settings string) home {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gatehouse.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	h.args = append(slices.Clip(h.args), "--config", file)
	return h
}

// start starts a node and waits until it says that it is ready.
func (h home) start(t *testing.T, args ...string) *node {
	t.Helper()
	n := &node{out: &program.Output{}, log: &program.Output{}, ended: make(chan error, 1), client: newClient()}
	all := append([]string{"start", "--listen", "localhost:0"}, h.args...)
	n.Cmd = exec.Command(cmp.Or(h.program, gatehouse), append(all, args...)...)
	n.Dir, n.Stdout, n.Stderr = h.dir, n.out, n.log
	n.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	n.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { n.ended <- n.Wait() }()
	t.Cleanup(func() {
		n.kill()
		n.client.CloseIdleConnections()
	})
	ready := regexp.MustCompile(`ready at (\S+)`)
	for time.Since(began) < time.Minute {
		if m := ready.FindStringSubmatch(n.out.String()); m != nil {
			n.took, n.url = time.Since(began), m[1]
			token, err := os.ReadFile(filepath.Join(h.dir, "gatehouse-data", "admin.token"))
			if err != nil {
				t.Fatal(err)
			}
			n.token = strings.TrimSpace(string(token))
			return n
		}
		select {
		case err := <-n.ended:
			n.ended <- err
			t.Fatalf("the node ended: %v\n%s", err, n.log)
		case <-time.After(2 * time.Millisecond):
		}
	}
	t.Fatalf("the node does not get ready\n%s", n.log)
	return nil
}

// kill ends the node at once, and waits until it has.
func (n *node) kill() {
	_ = n.Process.Kill()
	n.ended <- <-n.ended
}

// stop asks the node to end and waits until it has.
func (n *node) stop(t *testing.T) {
	t.Helper()
	_ = n.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-n.ended:
		n.ended <- err
		if err != nil {
			t.Errorf("the node ended with %v\n%s", err, n.log)
		}
	case <-time.After(30 * time.Second):
		t.Error("the node does not end")
	}
}

func (n *node) pause()  { _ = n.Process.Signal(syscall.SIGSTOP) }
func (n *node) resume() { _ = n.Process.Signal(syscall.SIGCONT) }

// command runs another command in the home to its end.
func (h home) command(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if len(h.args) > 0 && h.args[0] == "--database" {
		args = append(args, h.args[:2]...)
	}
	cmd := exec.CommandContext(ctx, gatehouse, args...)
	cmd.Dir, cmd.Env = h.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("gatehouse %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// newClient makes a client that tries no call twice by itself.
func newClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 256,
	}}
}

// reply is what came back for a call; its status is 0 where nothing did.
type reply struct {
	status int
	body   []byte
	err    error
}

// refused says that the call did not count and may be made again.
func (r reply) ok() bool { return r.status >= 200 && r.status < 300 }

func (r reply) String() string {
	if r.status == 0 {
		return fmt.Sprint(r.err)
	}
	return fmt.Sprintf("%d %s", r.status, bytes.TrimSpace(r.body))
}

// get gives the text at a path of the reply, such as "details.sequence".
func (r reply) get(path string) string {
	var v any
	_ = json.Unmarshal(r.body, &v)
	for key := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// call makes a call with the administrator's token; do is method and path.
func (n *node) call(do, body string) reply { return n.as(n.token, do, body, "") }

// as makes a call with a token, in an organization where one is named.
func (n *node) as(token, do, body, org string) reply {
	method, path, _ := strings.Cut(do, " ")
	req, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if org != "" {
		req.Header.Set("X-Zitadel-Orgid", org)
	}
	return n.send(req)
}

func (n *node) send(req *http.Request) reply {
	res, err := n.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{err: err}
	}
	return reply{status: res.StatusCode, body: data}
}

// failures are the lines of the log about what should not happen.
func (n *node) failures() (out []string) {
	for line := range strings.Lines(n.log.String()) {
		if strings.Contains(line, "code=internal") || strings.Contains(line, "panic") {
			out = append(out, line)
		}
	}
	return out
}

// sound holds that the node has not failed for a reason of its own.
func (n *node) sound(t *testing.T) {
	t.Helper()
	if wrong := n.failures(); len(wrong) > 0 {
		t.Errorf("%s: %d failures of its own, such as %s", n.url, len(wrong), wrong[0])
	}
}

// catchUp waits until a sabotaged node sees what was made before the part of a test that is to
// notice.
func catchUp() {
	if *sabotage == lagging {
		time.Sleep(150 * time.Millisecond)
	}
}

// must is call for one that succeeds.
func (n *node) must(t *testing.T, do, body string) reply {
	t.Helper()
	catchUp()
	r := n.call(do, body)
	if !r.ok() {
		t.Fatalf("%s: %s", do, r)
	}
	return r
}
