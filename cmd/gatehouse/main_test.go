//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/leak"
	"github.com/gatehouse/gatehouse/internal/testkit/program"
)

// binary is the program, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gatehouse-cmd-")
	if err == nil {
		binary = filepath.Join(dir, "gatehouse")
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Stderr = os.Stderr
		err = build.Run()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
	} else {
		code = m.Run()
	}
	if code == 0 {
		code = leak.Check()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// TestCommands: the documentation lists every command. As this test holds the
// whole program, its cached result, and that of the others, ends with any change.
func TestCommands(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range root().Commands() {
		if !strings.Contains(string(page), "`"+c.Use) {
			t.Errorf("docs/operations.md does not list %s", c.Use)
		}
	}
}

// environ is a clean environment: no variable of the developer's counts.
func environ(extra ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}, extra...)
}

// run runs a command to its end.
func run(t *testing.T, dir string, args ...string) (out, errors string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ(), &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// must is run for a command that succeeds.
func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, errors, code := run(t, dir, args...)
	if code != 0 {
		t.Fatalf("gatehouse %v: %d\n%s%s", args, code, out, errors)
	}
	return out
}

// node is a running server.
type node struct {
	*exec.Cmd
	dir, url string
	token    string
	out, log *program.Output
	ended    chan error
}

// serve starts a server in dir and waits until it says that it is ready.
func serve(t *testing.T, dir string, args ...string) *node {
	t.Helper()
	p := &node{dir: dir, out: &program.Output{}, log: &program.Output{}, ended: make(chan error, 1)}
	p.Cmd = exec.Command(binary, append([]string{"start", "--listen", "localhost:0"}, args...)...)
	p.Dir, p.Env, p.Stdout, p.Stderr = dir, environ(), p.out, p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() { _ = p.Process.Kill() })
	ready := regexp.MustCompile(`ready at (\S+)`)
	for range 2000 {
		if m := ready.FindStringSubmatch(p.out.String()); m != nil {
			p.url = m[1]
			token, err := os.ReadFile(filepath.Join(dir, "gatehouse-data", "admin.token"))
			if err != nil {
				t.Fatal(err)
			}
			p.token = strings.TrimSpace(string(token))
			return p
		}
		select {
		case err := <-p.ended:
			t.Fatalf("the server ended: %v\n%s", err, p.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Fatalf("the server does not get ready\n%s", p.log)
	return nil
}

// stop ends the server in order.
func (p *node) stop(t *testing.T) {
	t.Helper()
	_ = p.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.ended:
		if err != nil {
			t.Errorf("the server ended with %v\n%s", err, p.log)
		}
	case <-time.After(15 * time.Second):
		t.Error("the server does not end")
	}
}

// kill ends it at once.
func (p *node) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

// call makes a request with the administrator's token.
func (p *node) call(method, path, body string) (status int, reply map[string]any, err error) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err
	}
	return res.StatusCode, reply, json.Unmarshal(data, &reply)
}

var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// load writes with several clients until it is told to stop, and remembers what
// was acknowledged.
type load struct {
	p     *node
	wg    sync.WaitGroup
	mu    sync.Mutex
	acked map[string]string // id: name
	end   chan struct{}
}

func startLoad(p *node, prefix string) *load {
	l := &load{p: p, acked: map[string]string{}, end: make(chan struct{})}
	for c := range 8 {
		l.wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.end:
					return
				default:
				}
				name := fmt.Sprintf("%s %d-%d", prefix, c, n)
				status, reply, err := p.call("POST", "/management/v1/orgs", `{"name":"`+name+`"}`)
				if err != nil || status != http.StatusOK {
					return
				}
				l.mu.Lock()
				l.acked[fmt.Sprint(reply["id"])] = name
				l.mu.Unlock()
			}
		})
	}
	return l
}

// until waits until n writes are acknowledged.
func (l *load) until(t *testing.T, n int) {
	t.Helper()
	for range 2000 {
		l.mu.Lock()
		have := len(l.acked)
		l.mu.Unlock()
		if have >= n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the server takes no writes")
}

func (l *load) stop() map[string]string {
	close(l.end)
	l.wg.Wait()
	return l.acked
}

// names reads every organization.
func names(t *testing.T, p *node) map[string]string {
	t.Helper()
	out := map[string]string{}
	for offset := 0; ; offset += 1000 {
		status, reply, err := p.call("POST", "/v2/organizations/_search", fmt.Sprintf(`{"query":{"offset":"%d","limit":1000}}`, offset))
		if err != nil || status != http.StatusOK {
			t.Fatal(status, reply, err)
		}
		page, _ := reply["result"].([]any)
		for _, o := range page {
			org, _ := o.(map[string]any)
			out[fmt.Sprint(org["id"])] = fmt.Sprint(org["name"])
		}
		if len(page) < 1000 {
			return out
		}
	}
}

func missing(have, want map[string]string) error {
	for id, name := range want {
		if have[id] != name {
			return fmt.Errorf("the acknowledged organization %s (%s) is not there", id, name)
		}
	}
	if len(want) == 0 {
		return errors.New("nothing was written")
	}
	return nil
}
