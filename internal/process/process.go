// Package process says how the program uses the machine that it runs on: its cores and its
// memory. It imports nothing of the program.
package process

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// Cores is how many cores the process may keep busy: those of the machine, of its share of
// them, or as many as GOMAXPROCS says.
var Cores = runtime.GOMAXPROCS(0)

// Use makes the process use the machine whose files are below root as a server should, but
// for what GOMAXPROCS, GOMEMLIMIT and GOGC in the environment say otherwise.
func Use(root string) {
	if os.Getenv("GOMAXPROCS") == "" {
		useCores()
	}
	if os.Getenv("GOMEMLIMIT") == "" && os.Getenv("GOGC") == "" {
		useMemory(root)
	}
}

// useCores has twice as many threads at work as there are cores. Passwords are hashed on as
// many as there are cores at most, for 20 ms each time; a call that came meanwhile would wait
// for them, where the runtime lets a goroutine go on for 10 ms. The system's scheduler lets
// the threads that are free for it run at once.
func useCores() { runtime.GOMAXPROCS(2 * Cores) }

// reserve is memory that is never touched, so that no machine has to have it. The garbage
// collector counts it as in use and waits until as much again was allocated: else, with
// the few MB that are in use here, it would run dozens of times a second and take a fifth
// of the time of a busy server.
var reserve []byte

const reserved = 64 << 20

// useMemory makes the garbage collector run rarely, and work harder before the group of
// processes has no memory left, where the machine bounds it. A tenth is left for what it
// does not see.
func useMemory(root string) {
	if reserve == nil {
		reserve = make([]byte, reserved)
	}
	limit, ok := memoryOfGroup(root)
	if !ok {
		return
	}
	limit -= limit / 10
	debug.SetMemoryLimit(limit + reserved)
	slog.Debug("memory is bounded", "bytes", limit)
}

// memoryOfGroup is the least that the groups of this process may take: of version 2 of
// control groups, below root, or of the controller of memory of version 1.
func memoryOfGroup(root string) (least int64, ok bool) {
	lines, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) //nolint:gosec // the kernel's
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(lines)) {
		_, group, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, path, _ := strings.Cut(group, ":")
		dir, file := "sys/fs/cgroup", "memory.max"
		switch {
		case slices.Contains(strings.Split(controllers, ","), "memory"):
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case controllers != "":
			continue
		}
		for path = filepath.Clean("/" + path); ; path = filepath.Dir(path) {
			text, err := os.ReadFile(filepath.Join(root, dir, path, file))
			if n, nerr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && nerr == nil && n > 0 && n < unbounded && (!ok || n < least) {
				least, ok = n, true
			}
			if path == "/" {
				break
			}
		}
	}
	return least, ok
}

// unbounded is more than any machine has: version 1 says so where nothing is set.
const unbounded = 1 << 60
