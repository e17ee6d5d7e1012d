package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// group is a control group of Linux in which a program has little memory. Both versions of
// the interface are known; who runs the test must be allowed to make groups.
type group struct{ dir, limit, events string }

// newGroup makes a group that may take so many bytes.
func newGroup(t *testing.T, bytes int64) *group {
	t.Helper()
	g := &group{dir: "/sys/fs/cgroup", limit: "memory.max", events: "memory.events"}
	if _, err := os.Stat("/sys/fs/cgroup/memory/memory.limit_in_bytes"); err == nil {
		g = &group{dir: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", events: "memory.oom_control"}
	}
	g.dir = filepath.Join(g.dir, fmt.Sprint("gatehouse-", os.Getpid()))
	err := os.Mkdir(g.dir, 0o700)
	if err == nil {
		t.Cleanup(func() { _ = os.Remove(g.dir) })
		err = os.WriteFile(filepath.Join(g.dir, g.limit), []byte(strconv.FormatInt(bytes, 10)), 0o600)
	}
	if err != nil {
		t.Fatalf("no control group can be made, which needs root: %v", err)
	}
	return g
}

// start is what runs a program in the group, on the first core.
func (g *group) start(program ...string) []string {
	return append([]string{"/bin/sh", "-c", `echo $$ >"$0/cgroup.procs" && exec taskset -c 0 "$@"`, g.dir}, program...)
}

// killed is how many processes of the group the kernel has killed for want of memory.
func (g *group) killed(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, g.events))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "oom_kill" {
			n, _ := strconv.Atoi(fields[1])
			return n
		}
	}
	t.Fatalf("the kernel does not count whom it kills: %s", text)
	return 0
}
