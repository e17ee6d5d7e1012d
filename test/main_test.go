// Package test looks at Gatehouse from outside: scenarios over every protocol,
// and the laws that hold for the whole of it.
package test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/leak"
)

// TestMain ends with a law: every RPC that answers succeeds in a scenario. It can
// only be judged after a run of all of them.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		code = leak.Check()
	}
	whole := true
	flag.Visit(func(f *flag.Flag) {
		if slices.Contains([]string{"test.run", "test.skip", "test.list", "test.bench", "test.fuzz"}, f.Name) {
			whole = false
		}
	})
	if code == 0 && whole && !testing.Short() {
		for _, procedure := range withoutScenario() {
			fmt.Fprintf(os.Stderr, "FAIL: %s answers, but succeeds in no scenario\n", procedure)
			code = 1
		}
	}
	for _, what := range searchFolder() {
		fmt.Fprintf(os.Stderr, "FAIL: a secret can be read in %s\n", what)
		code = 1
	}
	os.Exit(code)
}

// onlyRefuse are the RPCs whose one true answer is a refusal.
var onlyRefuse = []string{
	"/zitadel.system.v1.SystemService/RemoveFailedEvent", // no event fails
}

func withoutScenario() (out []string) {
	s, err := server.New(&database.DB{}, server.Options{})
	if err != nil {
		return []string{err.Error()}
	}
	for procedure, built := range s.API.Built() {
		if built && !testkit.Answered(procedure) && !slices.Contains(onlyRefuse, procedure) {
			out = append(out, procedure)
		}
	}
	slices.Sort(out)
	return out
}
