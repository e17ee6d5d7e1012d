package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// boundMemory makes the garbage collector work harder before the group of processes has
// no memory left, where the machine bounds it and GOMEMLIMIT does not say otherwise: a
// tenth is left for what the collector does not see.
func boundMemory(root string) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit, ok := memoryOfGroup(root)
	if !ok {
		return
	}
	limit -= limit / 10
	debug.SetMemoryLimit(limit)
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
