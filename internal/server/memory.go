package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// reserve is memory that is never touched, so that no machine has to have it. The garbage
// collector counts it as in use and waits until as much again was allocated: else, with
// the few MB that are in use here, it would run dozens of times a second and take a fifth
// of the time of a busy server.
var reserve []byte

const reserved = 64 << 20

// UseMemory says how the process shall use memory, where GOMEMLIMIT and GOGC do not: the
// garbage collector runs rarely, and works harder before the group of processes has no
// memory left, where the machine bounds it. A tenth is left for what it does not see.
func UseMemory(root string) {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		return
	}
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

// memoryOfGroup is the least that the groups of this process may take, in version 2 of
// control groups, below root.
func memoryOfGroup(root string) (least int64, ok bool) {
	lines, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) //nolint:gosec // the kernel's
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(lines)) {
		path, found := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !found {
			continue
		}
		for path = filepath.Clean("/" + path); ; path = filepath.Dir(path) {
			text, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", path, "memory.max"))
			if n, nerr := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && nerr == nil && n > 0 && (!ok || n < least) {
				least, ok = n, true
			}
			if path == "/" {
				break
			}
		}
	}
	return least, ok
}
