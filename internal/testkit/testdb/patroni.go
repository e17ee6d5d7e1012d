//go:build unix

package testdb

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Patroni is a cluster: PostgreSQL with a standby that every commit waits for: members under Patroni,
// which agree on a primary by etcd, behind HAProxy, which leads to the primary. It is the one
// of docs/high-availability.md, on one machine.
type Patroni struct {
	URL     string // of the primary, whichever it is
	dir     string
	as      *syscall.Credential
	members []*member
	etcd    string
	timing  string
}

type member struct {
	name, dir, sql, rest string // the last two are addresses
	patroni              *exec.Cmd
}

// StartPatroni starts a cluster of so many members, which ends with the test. It skips the
// test where a program is not installed. timing is Timing, or what a test breaks of it.
func StartPatroni(t testing.TB, members int, timing string) *Patroni {
	t.Helper()
	for _, name := range []string{"etcd", "patroni", "haproxy"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: on Debian, apt-get install postgresql patroni etcd-server haproxy", name)
		}
	}
	dir, err := os.MkdirTemp("", "gatehouse-ha-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &Patroni{dir: dir, timing: timing, etcd: freeAddress(t)}
	if c.as, err = account(dir); err != nil {
		t.Fatal(err)
	}
	peer := "http://" + freeAddress(t)
	c.run(t, "etcd", "--name", "one", "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", "http://"+c.etcd, "--advertise-client-urls", "http://"+c.etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "one="+peer)
	for n := range members {
		m := &member{name: fmt.Sprintf("pg%d", n+1), dir: filepath.Join(dir, fmt.Sprintf("pg%d", n+1)), sql: freeAddress(t), rest: freeAddress(t)}
		c.members = append(c.members, m)
		c.Start(t, m.name)
	}
	front := freeAddress(t)
	c.write(t, "haproxy.cfg", c.haproxy(front))
	c.run(t, "haproxy", "-f", filepath.Join(dir, "haproxy.cfg"))
	c.URL = "postgres://postgres:secret@" + front + "/postgres?sslmode=disable"
	c.Await(t)
	return c
}

// Await waits until every member follows a primary, one of them in step with it: only then the
// next failure costs nothing.
func (c *Patroni) Await(t testing.TB) {
	t.Helper()
	for range 900 {
		if c.count("/replica") == len(c.members)-1 && (c.count("/sync") > 0 || c.timing != Timing) && waitOnce(c.URL) == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the cluster does not get ready\n%s", c.logs())
}

// Start starts a member, or starts it again.
func (c *Patroni) Start(t testing.TB, name string) {
	t.Helper()
	m := c.member(name)
	c.write(t, name+".yml", c.patroni(m))
	m.patroni = c.run(t, "patroni", filepath.Join(c.dir, name+".yml"))
}

// Primary is the name of the member that takes writes; empty while there is none.
func (c *Patroni) Primary() string {
	for _, m := range c.members {
		if m.is("/primary") {
			return m.name
		}
	}
	return ""
}

// Crash kills the server of a member, and leaves its Patroni to act.
func (c *Patroni) Crash(t testing.TB, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.member(name).dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	if _, err := fmt.Sscan(string(data), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// Lose kills a member with its Patroni: its machine is gone.
func (c *Patroni) Lose(t testing.TB, name string) {
	t.Helper()
	_ = c.member(name).patroni.Process.Kill()
	c.Crash(t, name)
}

// Stall keeps the standbys from taking what the primary writes, until goOn.
func (c *Patroni) Stall(t testing.TB) (goOn func()) {
	t.Helper()
	var stalled []int
	for _, m := range c.members {
		if !m.is("/replica") {
			continue
		}
		conn, err := pgx.Connect(t.Context(), "postgres://postgres:secret@"+m.sql+"/postgres?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		pid := 0
		err = conn.QueryRow(t.Context(), "SELECT pid FROM pg_stat_wal_receiver").Scan(&pid)
		_ = conn.Close(t.Context())
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGSTOP)
		}
		if err != nil {
			t.Fatal(err)
		}
		stalled = append(stalled, pid)
	}
	return func() {
		for _, pid := range stalled {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
}

func (c *Patroni) member(name string) *member {
	for _, m := range c.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

func (c *Patroni) count(role string) (n int) {
	for _, m := range c.members {
		if m.is(role) {
			n++
		}
	}
	return n
}

func (m *member) is(role string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.rest+role, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// run starts a program of the cluster. It and what it starts end with the test.
func (c *Patroni) run(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...) //nolint:gosec // programs of the cluster
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = log.Close()
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	return cmd
}

func (c *Patroni) write(t testing.TB, name, text string) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	err := os.WriteFile(path, []byte(text), 0o600)
	if err == nil && c.as != nil {
		err = os.Chown(path, int(c.as.Uid), int(c.as.Gid))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// logs are the ends of what the programs of the cluster say.
func (c *Patroni) logs() string {
	var out strings.Builder
	for _, name := range []string{"etcd", "patroni", "haproxy"} {
		text, _ := os.ReadFile(filepath.Join(c.dir, name+".log"))
		fmt.Fprintf(&out, "%s: %s\n", name, text[max(0, len(text)-9000):])
	}
	return out.String()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
