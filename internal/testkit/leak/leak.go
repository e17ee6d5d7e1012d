// Package leak ends a test binary with an error where goroutines are left. It imports
// nothing of Gatehouse, so that every room can use it.
package leak

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main is what TestMain does.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = Check()
	}
	os.Exit(code)
}

// Check waits for a moment until no goroutine is left, and gives the exit code.
func Check() int {
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		return 0 // The engine has some of its own.
	}
	err := goleak.Find(
		// The server of PostgreSQL lives as long as the process.
		goleak.IgnoreAnyFunction("github.com/gatehouse/gatehouse/internal/testkit/testdb.startPostgres.func1"),
	)
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: goroutines are left: %v\n", err)
		return 1
	}
	return 0
}
