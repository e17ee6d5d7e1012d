// Command proof runs the short form of every promise that has a test, on both databases,
// and prints what was tried: a line for each goal of docs/reliability.md.
//
//	go run ./test/proof              everything: about ten minutes
//	go run ./test/proof -run G-10    one goal
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// goal is a promise with the tests that hold the program to it.
type goal struct {
	id, promise string
	tests       []string
}

var goals = []goal{
	{"G-01", "nothing acknowledged is lost when the server is killed", []string{"TestKilledNode", "TestKilledServer"}},
	{"G-02", "nothing acknowledged is lost when PostgreSQL is killed", []string{"TestKilledPostgres"}},
	{"G-04", "a start on a long log is quick", []string{"TestStart"}},
	{"G-06", "a standby that is promoted goes on with all of it", []string{"TestPromotedStandby"}},
	{"G-07", "without the database everything is refused, and keys are published", []string{"TestDatabaseAway"}},
	{"G-08", "a slow database delays, and blocks nothing", []string{"TestSlowDatabase"}},
	{"G-09", "a full disk refuses writes, and loses none", []string{"TestFullDisk"}},
	{"G-10", "a removed factor is refused on every node, from the next request on", []string{"TestRemovedFactorEverywhere", "TestRemovedFactorIsRefusedEverywhere"}},
	{"G-11", "what ends has ended on every node", []string{"TestEndsEverywhere", "TestEndsCountAtOnce"}},
	{"G-12", "every node reads every acknowledged write", []string{"TestReadYourWrites"}},
	{"G-13", "an order explains every history of policy changes", []string{"TestHistories"}},
	{"G-14", "what counts once counts once, however many try", []string{"TestOnce"}},
	{"G-15", "wrong clocks let nobody in", []string{"TestWrongClocks", "TestWrongClockOfTheDatabase"}},
	{"G-18", "connections without calls cost the others nothing", []string{"TestConnectionsAreBounded", "TestSlowClients", "TestHTTP2Floods"}},
	{"G-19", "large and malformed input is refused", []string{"TestCaps", "TestLargeInput", "TestLargeMessages", "TestMalformedRequests"}},
	{"G-20", "a storm of logins is shed, and reads go on", []string{"TestLoginStorm"}},
	{"G-24", "nodes are replaced under load, also where the schema is a newer one, and no call fails", []string{"TestRollingUpgrade"}},
	{"G-25", "a stop drops no call", []string{"TestStopUnderLoad"}},
	{"G-26", "a backup that was made under load is whole, and brings back nothing that was revoked", []string{"TestRestore"}},
	{"G-27", "no secret is in a file of the database", []string{"TestEverySecretFieldIsSearchedFor", "TestTheSearchFindsSecrets", "TestErasure.*"}},
	{"G-28", "new keys cost no call, and no client that caches keys a token", []string{"TestRotatedKeys", "TestKeysRotateUnderACachingVerifier"}},
	{"G-29", "tampering is found", []string{"TestTampering"}},
	{"G-30", "nothing changes without its event", []string{"TestNothingWithoutItsEvent"}},
	{"G-31", "nobody is told who exists", []string{"TestNobodyIsTold", "TestNoClientIsTold"}},
	{"G-32", "who follows the log sees all of it in order", []string{"TestOrder"}},
	{"G-33", "a node that is lost is not missed", []string{"TestLostNode"}},
	{"G-34", "every role can do what its permissions say, and no more", []string{"TestEveryRoleOnEveryMethod", "TestTenancy", "TestTenancyOfOrganizations"}},
}

// count is what became of a goal's tests on one database, subtests included.
type count struct{ passed, failed, skipped int }

func (c count) String() string {
	if c.passed+c.failed == 0 {
		return "–"
	}
	return fmt.Sprintf("%d of %d", c.passed, c.passed+c.failed)
}

func main() {
	only := flag.String("run", "", "only goals whose id or promise contains this")
	flag.Parse()
	chosen := slices.DeleteFunc(slices.Clone(goals), func(g goal) bool { return !strings.Contains(g.id+" "+g.promise, *only) })
	if err := prove(chosen); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

func prove(goals []goal) error {
	engines := []string{"sqlite", "postgres"}
	results := make([]map[string]count, len(engines)) // by test
	for i, engine := range engines {
		fmt.Fprintf(os.Stderr, "on %s …\n", engine)
		var err error
		if results[i], err = run(engine, goals); err != nil {
			return err
		}
	}
	failed := false
	fmt.Printf("| goal | promise | SQLite | PostgreSQL | limit |\n|---|---|--:|--:|--:|\n")
	for _, g := range goals {
		fmt.Printf("| %s | %s |", g.id, g.promise)
		sum := count{}
		for i := range engines {
			c := count{}
			for name, of := range results[i] {
				if slices.ContainsFunc(g.tests, func(test string) bool { return matches(test, name) }) {
					c.passed, c.failed, c.skipped = c.passed+of.passed, c.failed+of.failed, c.skipped+of.skipped
				}
			}
			sum.passed, sum.failed = sum.passed+c.passed, sum.failed+c.failed
			fmt.Printf(" %s |", c)
		}
		fmt.Println(" 0 fail |")
		failed = failed || sum.failed > 0 || sum.passed == 0
	}
	if failed {
		return errors.New("a goal is missed, or nothing was tried for it")
	}
	return nil
}

// matches reports whether a test is one of a goal's: its name, or a beginning and ".*".
func matches(test, name string) bool {
	if prefix, ok := strings.CutSuffix(test, ".*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return test == name
}

// run makes the tests of the goals on a database, and counts by test.
func run(engine string, goals []goal) (map[string]count, error) {
	var names []string
	for _, g := range goals {
		names = append(names, g.tests...)
	}
	cmd := exec.Command("go", "test", "-count=1", "-json", "-timeout", "30m", "-run", "^("+strings.Join(names, "|")+")$", "./test", "./test/chaos")
	cmd.Env = append(os.Environ(), "DB="+engine)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	counts, said := map[string]count{}, map[string][]string{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // What the build says.
		}
		name, _, _ := strings.Cut(e.Test, "/")
		c := counts[name]
		switch e.Action {
		case "output":
			said[e.Test] = append(said[e.Test], e.Output)
			continue
		case "pass":
			c.passed++
		case "fail":
			c.failed++
			fmt.Fprint(os.Stderr, strings.Join(said[e.Test], ""))
		case "skip":
			c.skipped++
		default:
			continue
		}
		counts[name] = c
	}
	_ = cmd.Wait() // What failed is counted.
	delete(counts, "")
	if len(counts) == 0 {
		return nil, fmt.Errorf("no test ran on %s", engine)
	}
	return counts, nil
}
