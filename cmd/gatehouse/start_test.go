//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// TestFirstStart: an empty folder is all that a start needs; it prints what the
// README shows, and a second start finds everything.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`code=\w+`).ReplaceAllString(strings.ReplaceAll(p.out.String(), p.url, "http://localhost:8080"), "code=…")
	for line := range strings.Lines(shown) {
		if !strings.Contains(string(readme), strings.TrimSpace(line)) {
			t.Errorf("README.md does not show %q", line)
		}
	}
	if status, _, err := p.call("GET", "/management/v1/policies/login", ""); status != http.StatusOK || err != nil {
		t.Errorf("the first call: %d %v", status, err)
	}
	for name, want := range map[string]os.FileMode{"": 0o700, "admin.token": 0o600, "gatehouse.db": 0o600, "gatehouse.db-wal": 0o600, "gatehouse.db-shm": 0o600} {
		info, err := os.Stat(filepath.Join(dir, "gatehouse-data", name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
	p.stop(t)
	again := serve(t, dir)
	if lines := strings.Count(again.out.String(), "\n"); lines != 5 || !strings.Contains(again.out.String(), "/ui/login/setup?code=") || again.token != p.token {
		t.Errorf("a second start prints:\n%s", again.out)
	}
	again.stop(t)
	if out := must(t, dir, "verify"); !regexp.MustCompile(`^Clean: \d+ events, \d+ tables, checked in [0-9.]+m?s\.\n$`).MatchString(out) {
		t.Errorf("verify prints %q", out)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "gatehouse-data", "*")); len(left) != 4 { // Database, lock, token, master key.
		t.Errorf("a server that ended leaves %q", left)
	}
}

// TestStartRefuses: what cannot work ends with one line that says what to change,
// and leaves nothing half made.
func TestStartRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	address := strings.TrimPrefix(p.url, "http://")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(dir, "blocked")
	if err := os.MkdirAll(filepath.Join(blocked, "admin.token.old", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(blocked, "admin.token"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"start --listen localhost:0", fmt.Sprintf("gatehouse: data: a server (process %d) runs on gatehouse-data: stop it, or choose another folder", p.Process.Pid)},
		{"migrate", "a server (process"},
		{"start --data other --listen " + address, "gatehouse: --listen: another program listens on " + address},
		{"start --data file", "gatehouse: --data: the folder cannot be written"},
		{"start --data blocked --listen localhost:0", "gatehouse: blocked/admin.token: "},
		{"start --data other --listen localhost:0 --database postgres://u:canary@localhost:1/x", "gatehouse: --database: connect to database"},
		{"start --data other --database nonsense", "gatehouse: --database: the URL must begin with postgres://"},
		{"start --external-url here", "gatehouse: --external-url: "},
		{"verify --data nowhere", "gatehouse: --data: there is no database in nowhere"},
		{"start --config nowhere", "gatehouse: --config: open nowhere"},
	} {
		begun := time.Now()
		out, said, code := run(t, dir, strings.Fields(c.args)...)
		if code != 1 || out != "" || !strings.Contains(said, c.want) || strings.Count(said, "\n") != 1 || strings.Contains(said, "canary") {
			t.Errorf("%s: %d %q %q, want %q", c.args, code, out, said, c.want)
		}
		if took := time.Since(begun); took > 8*time.Second {
			t.Errorf("%s takes %s", c.args, took)
		}
	}
	if err := os.RemoveAll(filepath.Join(blocked, "admin.token.old")); err != nil {
		t.Fatal(err)
	}
	if out := must(t, dir, "setup", "--data", "blocked"); !strings.Contains(out, "first instance is ready") {
		t.Errorf("an instance was made without its token: %s", out)
	}
	if out := must(t, dir, "setup", "--data", "blocked"); !strings.Contains(out, "nothing to do") {
		t.Errorf("a second setup says %q", out)
	}
	p.stop(t)
}

// TestKill: what was acknowledged before a kill is there after it, whole.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked := map[string]string{}
	for round := range 3 {
		p := serve(t, dir)
		l := startLoad(p, fmt.Sprint(round))
		l.until(t, 100)
		p.kill()
		maps.Copy(acked, l.stop())
	}
	p := serve(t, dir)
	if err := missing(names(t, p), acked); err != nil {
		t.Error(err)
	}
	must(t, dir, "verify") // Beside the server.
	p.stop(t)
	must(t, dir, "verify")
}

// TestDrain: a server that is asked to stop first says so, and ends the calls
// that run.
func TestDrain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "gatehouse.yaml")
	if err := os.WriteFile(config, []byte("limits: {drain_delay: 500ms}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, dir, "--config", config)
	address := strings.TrimPrefix(p.url, "http://")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	health := grpc_health_v1.NewHealthClient(conn)
	watch, err := health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("before: %v %v", r, err)
	}
	body, pipe := io.Pipe()
	running := make(chan int, 1)
	go func() {
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/management/v1/orgs", body)
		req.Header.Set("Authorization", "Bearer "+p.token)
		res, err := client.Do(req)
		if err != nil {
			running <- -1
			return
		}
		_ = res.Body.Close()
		running <- res.StatusCode
	}()
	if _, err := io.WriteString(pipe, `{"name":`); err != nil {
		t.Fatal(err)
	}
	_ = p.Process.Signal(syscall.SIGTERM)
	if r, err := watch.Recv(); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the watch says %v %v", r, err)
	}
	if _, err := watch.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("the watch does not end: %v", err)
	}
	if r, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil || r.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("while it drains: %v %v", r, err)
	}
	res, err := client.Get(p.url + "/debug/ready")
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready answers %d", res.StatusCode)
	}
	time.Sleep(600 * time.Millisecond) // The listener is closed by now.
	if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = c.Close()
		t.Error("new connections are taken")
	}
	if _, err := io.WriteString(pipe, `"slow"}`); err != nil {
		t.Fatal(err)
	}
	_ = pipe.Close()
	if status := <-running; status != http.StatusOK {
		t.Errorf("the running call: %d", status)
	}
	if err := <-p.ended; err != nil {
		t.Errorf("the server ended with %v\n%s", err, p.log)
	}
}

// TestOnePort: HTTP/1.1 and HTTP/2 without TLS share a port.
func TestOnePort(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	for proto, c := range map[string]*http.Client{"HTTP/1.1": client, "HTTP/2.0": h2c} {
		res, err := c.Get(p.url + "/debug/ready")
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != http.StatusOK || res.Proto != proto || res.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %s %d %v", proto, res.Proto, res.StatusCode, res.Header)
		}
	}
	p.stop(t)
}
