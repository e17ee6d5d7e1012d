//go:build linux

package testdb

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Cluster is a PostgreSQL server of a test's own that keeps what it acknowledges, and that the
// test can kill, start again, copy and promote.
type Cluster struct {
	// Socket is where it listens.
	Socket   string
	dir      string
	settings []string
	as       *syscall.Credential
	shell    *exec.Cmd
	lifeline interface{ Close() error }
}

// keeper runs a program until its standard input closes, which it does with the test binary
// however that ends, and then sends it a signal.
const keeper = `log=$1 signal=$2; shift 2
"$@" >>"$log" 2>&1 &
program=$!
read -r _
kill -$signal $program
wait $program`

// NewCluster starts a server with settings such as "fsync=on". It ends with the test.
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := newCluster(t, settings)
	if out, err := c.program("initdb", "--no-sync", "-A", "trust", "-U", "gatehouse", "-E", "UTF8", "--locale=C.UTF-8", "-D", c.data()).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	c.Start(t)
	return c
}

func newCluster(t testing.TB, settings []string) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-pg-") // Sockets have short names.
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Socket: filepath.Join(dir, ".s.PGSQL.5432"), dir: dir, settings: settings}
	t.Cleanup(func() {
		c.Kill()
		_ = os.RemoveAll(dir)
	})
	if c.as, err = account(dir); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// program is a command of PostgreSQL's.
func (c *Cluster) program(name string, args ...string) *exec.Cmd {
	path, err := program(name)
	if err != nil {
		path = name // The command says that it is not there.
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.SysProcAttr = c.dir, &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

// URL names the database that the server begins with.
func (c *Cluster) URL() string { return "postgres:///postgres?host=" + c.dir + "&user=gatehouse" }

// Start starts the server, after Kill, and waits until it answers.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	postgres := c.program("postgres", "-D", c.data(), "-k", c.dir, "-h", "", "-c", "max_connections=200", "-c", "shared_buffers=64MB")
	for _, setting := range c.settings {
		postgres.Args = append(postgres.Args, "-c", setting)
	}
	_ = os.Remove(filepath.Join(c.data(), "postmaster.pid")) // Nobody else may have its number.
	c.shell = exec.Command("sh", append([]string{"-c", keeper, "keeper", filepath.Join(c.dir, "log"), "QUIT", postgres.Path}, postgres.Args[1:]...)...)
	c.shell.Dir, c.shell.SysProcAttr = c.dir, &syscall.SysProcAttr{Credential: c.as, Setpgid: true}
	in, err := c.shell.StdinPipe()
	if err == nil {
		c.lifeline = in
		err = c.shell.Start()
	}
	if err == nil {
		err = waitFor(c.URL(), filepath.Join(c.dir, "log"))
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
}

// Kill ends every process of the server at once, as a power cut does, and waits until they
// have ended. A server that does not run stays as it is.
func (c *Cluster) Kill() {
	if c.shell == nil {
		return
	}
	for _, pid := range signalAll(c.main(), syscall.SIGKILL) {
		for range 2000 {
			if runs, _ := stateOf(pid); !runs {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	_ = c.lifeline.Close()
	_ = c.shell.Wait()
	c.shell = nil
}

// Pause stops every process of the server where it is; Resume lets them go on.
func (c *Cluster) Pause() { c.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (c *Cluster) Resume() { c.signal(syscall.SIGCONT) }

func (c *Cluster) signal(s syscall.Signal) { signalAll(c.main(), s) }

// signalAll sends a signal to a process and to those that it started. It gives which they are.
func signalAll(main int, s syscall.Signal) []int {
	if main == 0 {
		return nil
	}
	_ = syscall.Kill(main, syscall.SIGSTOP) // It starts no other.
	all := append(childrenOf(main), main)
	for _, pid := range all {
		_ = syscall.Kill(pid, s)
	}
	return all
}

func (c *Cluster) main() int { return mainOf(c.data()) }

// mainOf is the process that a server's others come from; 0: it does not run.
func mainOf(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first)
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if !bytes.Contains(line, []byte(data)) { // It has ended, and somebody else may have its number.
		return 0
	}
	return pid
}

// childrenOf lists the processes that another one started.
func childrenOf(parent int) (out []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if _, of := stateOf(pid); of == parent {
				out = append(out, pid)
			}
		}
	}
	return out
}

// stateOf says whether a process runs, and whose child it is.
func stateOf(pid int) (runs bool, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 2 {
		return false, 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return fields[0] != "Z" && fields[0] != "X", parent
}

// Standby starts a copy that follows the server. A synchronous one confirms each commit before
// it is acknowledged.
func (c *Cluster) Standby(t testing.TB, synchronous bool) *Cluster {
	t.Helper()
	s := newCluster(t, nil)
	if out, err := s.program("pg_basebackup", "-h", c.dir, "-U", "gatehouse", "-D", s.data(), "-R", "-X", "stream", "-c", "fast", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	s.Start(t)
	if !synchronous {
		return s
	}
	for _, sql := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"} {
		if err := execute(c.URL(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Promote makes a standby the server that takes writes.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	if err := execute(c.URL(), "SELECT pg_promote(true, 30)"); err != nil {
		t.Fatalf("promote: %v", err)
	}
}

// Dial connects to the server.
func (c *Cluster) Dial() (net.Conn, error) { return net.DialTimeout("unix", c.Socket, 5*time.Second) }
