package server

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// TestMemoryOfGroup: the tightest bound of the process's groups counts, and one that the
// environment sets is not touched.
func TestMemoryOfGroup(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, ok := memoryOfGroup(root); ok {
		t.Errorf("without groups: %d", n)
	}
	write("proc/self/cgroup", "1:cpu:/x\n0::/a/b\n")
	write("sys/fs/cgroup/a/b/memory.max", "max\n")
	if n, ok := memoryOfGroup(root); ok {
		t.Errorf("without a bound: %d", n)
	}
	write("sys/fs/cgroup/a/memory.max", "1000000000\n")
	write("sys/fs/cgroup/memory.max", "2000000000\n")
	if n, ok := memoryOfGroup(root); !ok || n != 1_000_000_000 {
		t.Errorf("%d, %v", n, ok)
	}
	was := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(was)
	t.Setenv("GOMEMLIMIT", "5GiB")
	if UseMemory(root); debug.SetMemoryLimit(-1) != was {
		t.Error("the bound of the environment does not count")
	}
	t.Setenv("GOMEMLIMIT", "")
	if UseMemory(root); debug.SetMemoryLimit(-1) != 900_000_000+reserved {
		t.Errorf("the bound is %d", debug.SetMemoryLimit(-1))
	}
}
