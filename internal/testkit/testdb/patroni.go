//go:build linux

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

// Patroni is a cluster in which another server takes over by itself: three of PostgreSQL, each under
// Patroni, which agree on a primary by three of etcd, behind HAProxy, which leads to the primary. It is
// the one of docs/high-availability.md, on one machine.
type Patroni struct {
	dir, front  string
	as          *syscall.Credential
	members     []*member
	etcd        []string
	synchronous bool
}

type member struct {
	name, dir, sql, rest string // the last two are addresses
	patroni              *exec.Cmd
}

// StartPatroni starts a cluster, which ends with the test. It skips the test where a program is not
// installed. With synchronous false a commit waits for no standby.
func StartPatroni(t testing.TB, synchronous bool) *Patroni {
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
	c := &Patroni{dir: dir, front: freeAddress(t), synchronous: synchronous}
	if c.as, err = account(dir); err != nil {
		t.Fatal(err)
	}
	c.startEtcd(t)
	for i := range 3 {
		name := fmt.Sprint("pg", i+1)
		m := &member{name: name, dir: filepath.Join(dir, name), sql: freeAddress(t), rest: freeAddress(t)}
		c.members = append(c.members, m)
		c.Start(t, m.name)
	}
	t.Cleanup(func() { // Those whose Patroni is gone.
		for _, m := range c.members {
			signalAll(mainOf(m.dir), syscall.SIGKILL)
		}
	})
	c.write(t, "haproxy.cfg", c.haproxy())
	c.run(t, "haproxy", "-f", filepath.Join(dir, "haproxy.cfg"))
	c.Await(t)
	return c
}

func (c *Patroni) startEtcd(t testing.TB) {
	t.Helper()
	var peers, all []string
	for i := range 3 {
		c.etcd, peers = append(c.etcd, freeAddress(t)), append(peers, freeAddress(t))
		all = append(all, fmt.Sprintf("etcd%d=http://%s", i+1, peers[i]))
	}
	for i := range peers {
		name := fmt.Sprint("etcd", i+1)
		c.run(t, "etcd", "--name", name, "--data-dir", filepath.Join(c.dir, name),
			"--listen-client-urls", "http://"+c.etcd[i], "--advertise-client-urls", "http://"+c.etcd[i],
			"--listen-peer-urls", "http://"+peers[i], "--initial-advertise-peer-urls", "http://"+peers[i], "--initial-cluster", strings.Join(all, ","))
	}
}

// URL names the database of the primary, whichever that is.
func (c *Patroni) URL() string { return c.url(c.front) }

func (c *Patroni) url(at string) string {
	return "postgres://postgres:secret@" + at + "/postgres?sslmode=disable"
}

// Await waits until every member follows a primary, one of them in step with it: only then the
// next failure costs nothing.
func (c *Patroni) Await(t testing.TB) {
	t.Helper()
	for range 900 {
		if c.count("/replica") == len(c.members)-1 && (c.count("/sync") > 0 || !c.synchronous) && waitOnce(c.URL()) == nil {
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
func (c *Patroni) Crash(name string) { signalAll(mainOf(c.member(name).dir), syscall.SIGKILL) }

// Lose kills a member with its Patroni: its machine is gone. Start brings it back.
func (c *Patroni) Lose(name string) {
	signalAll(c.member(name).patroni.Process.Pid, syscall.SIGKILL)
	c.Crash(name)
}

// Freeze stops a member with its Patroni where they are: its machine is silent, and breaks no
// connection. Thaw lets it go on, as if no time had passed.
func (c *Patroni) Freeze(name string) { c.signal(name, syscall.SIGSTOP) }

// Thaw ends Freeze.
func (c *Patroni) Thaw(name string) { c.signal(name, syscall.SIGCONT) }

func (c *Patroni) signal(name string, s syscall.Signal) {
	m := c.member(name)
	signalAll(m.patroni.Process.Pid, s)
	signalAll(mainOf(m.dir), s)
}

// Stall keeps the standbys from taking what the primary writes, until goOn: what was on its way to
// them is lost then.
func (c *Patroni) Stall(t testing.TB) (goOn func()) {
	t.Helper()
	var stalled []int
	for _, m := range c.members {
		if !m.is("/replica") {
			continue
		}
		conn, err := pgx.Connect(t.Context(), c.url(m.sql))
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
			_ = syscall.Kill(pid, syscall.SIGTERM)
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

// is asks a member's Patroni, as HAProxy does.
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

// run starts a program of the cluster, whose processes end with the test.
func (c *Patroni) run(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", keeper, "keeper", filepath.Join(c.dir, name+".log"), "TERM", name}, args...)...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Setpgid: true}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = in.Close()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
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
