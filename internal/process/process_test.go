package process

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
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
		t.Errorf("version 2: %d, %v", n, ok)
	}
	write("proc/self/cgroup", "7:cpu:/x\n6:hugetlb,memory:/c\n0::/\n")
	write("sys/fs/cgroup/memory.max", "max\n")
	write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "1000000000\n")
	write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
	if n, ok := memoryOfGroup(root); !ok || n != 1_000_000_000 {
		t.Errorf("version 1: %d, %v", n, ok)
	}
	was := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(was)
	t.Setenv("GOMAXPROCS", strconv.Itoa(Cores))
	t.Setenv("GOMEMLIMIT", "5GiB")
	if Use(root); debug.SetMemoryLimit(-1) != was {
		t.Error("the bound of the environment does not count")
	}
	t.Setenv("GOMEMLIMIT", "")
	if Use(root); debug.SetMemoryLimit(-1) != 900_000_000+reserved {
		t.Errorf("the bound is %d", debug.SetMemoryLimit(-1))
	}
}

// TestCores: while every core hashes, as many threads are free for the rest.
func TestCores(t *testing.T) {
	defer runtime.GOMAXPROCS(Cores)
	t.Setenv("GOGC", "100")
	t.Setenv("GOMAXPROCS", strconv.Itoa(Cores))
	if Use("/"); runtime.GOMAXPROCS(0) != Cores {
		t.Errorf("the environment does not count: %d threads", runtime.GOMAXPROCS(0))
	}
	t.Setenv("GOMAXPROCS", "")
	if Use("/"); runtime.GOMAXPROCS(0) != 2*Cores {
		t.Errorf("%d threads for %d cores", runtime.GOMAXPROCS(0), Cores)
	}
}
