//go:build unix

package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestScenarios runs the scripts that show something with the program itself: on one
// process with the embedded database, or on two with PostgreSQL.
func TestScenarios(t *testing.T) {
	t.Parallel()
	device := filepath.Join(t.TempDir(), "device")
	if out, err := exec.Command("go", "build", "-o", device, "../../test/scenarios/device").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	scripts, err := filepath.Glob("../../test/scenarios/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(script), func(t *testing.T) {
			t.Parallel()
			env := environ("GATEHOUSE="+binary, "DEVICE="+device, "TMPDIR="+t.TempDir())
			if testdb.Postgres() {
				env = append(env, "DATABASE="+testdb.Config(t).URL)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, script)
			cmd.Env, cmd.Cancel = env, func() error { return cmd.Process.Signal(syscall.SIGTERM) } // It stops what it started.
			cmd.WaitDelay = 20 * time.Second
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			} else {
				t.Logf("%s", out)
			}
		})
	}
}
