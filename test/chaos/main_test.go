//go:build linux

// Package chaos does to the program what happens to programs: it is killed, paused, cut off
// from its database and stopped under load, and so is PostgreSQL. What clients were told must
// stay true.
//
// The tests run the real binary in processes of its own. Each is short in the suite and long
// by flags, see make chaos. With -sabotage NAME the binary, or the database, is broken on
// purpose, and the test that it concerns must fail: see make chaos-sabotage.
package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

var sabotage = flag.String("sabotage", "", "break the binary by the build tag sabotage_NAME, or what is beside it: async, forget, stale, rename")

// long makes the tests that count nothing try all that they know.
var long = flag.Bool("long", false, "try what takes long, too")

// asynchronous is the sabotage of PostgreSQL: it answers a commit before the disk has it.
// lagging is that of reads, which see what was there a moment ago. forgetful is that of a
// rotation, which loses the keys of before, stale that of a backup, which is an old one, and renaming that
// of an upgrade, which takes from older versions what they use.
const (
	asynchronous = "async"
	lagging      = "lag"
	forgetful    = "forget"
	stale        = "stale"
	renaming     = "rename"
)

// outside are the sabotages that need no build of their own.
var outside = []string{"", asynchronous, forgetful, stale, renaming}

// gatehouse is the program, built once for all tests.
var gatehouse string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "gatehouse-chaos-")
	if err == nil {
		gatehouse = filepath.Join(dir, "gatehouse")
		args := []string{"build", "-o", gatehouse}
		if !slices.Contains(outside, *sabotage) {
			args = append(args, "-tags", "sabotage_"+*sabotage)
		}
		build := exec.Command("go", append(args, "../../cmd/gatehouse")...)
		build.Stderr = os.Stderr
		err = build.Run()
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}
