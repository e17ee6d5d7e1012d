// Command mutation makes small mistakes in the rooms that decide who is let in, one at a time, and
// counts those that a test notices.
//
//	go run ./test/mutation                          every room: about an hour
//	go run ./test/mutation -rooms crypto,session    two of them
//
// The mistakes are built into one binary, each behind a switch. Every test is run once to see which
// of them it comes by, and for each mistake the tests that do, until one fails.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

var (
	rooms = flag.String("rooms", "authz,assurance,crypto,session,oauth", "the rooms under internal/")
	tests = flag.String("tests", "^(Test|Fuzz)", "which tests may notice")
	spare = flag.String("skip", "Browser|Console|Chromium|Terraform|Overload|Documentation|Timing|TestTenancy|TestEveryRole", "which may not: they take long")
	every = flag.Int("every", 1, "try every so many-th mutant only")
	most  = flag.Duration("most", 40*time.Second, "for how long tests are run for one mutant")
)

func main() {
	flag.Parse()
	dir, err := os.MkdirTemp("", "gatehouse-mutation-")
	if err == nil {
		err = measure(dir)
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

func measure(dir string) error {
	mutants, err := plant(dir)
	if err != nil {
		return err
	}
	var all []*test
	packages := []string{"test"}
	for room := range strings.SplitSeq(*rooms, ",") {
		packages = append(packages, "internal/"+room)
	}
	for _, p := range packages {
		some, err := build(dir, p)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	fmt.Fprintf(os.Stderr, "%d mutants; looking which of %d tests come by them …\n", len(mutants), len(all))
	each(all, func(t *test) { t.look(dir) })
	slices.SortFunc(all, func(a, b *test) int { return cmp.Compare(a.took, b.took) })
	fmt.Fprintln(os.Stderr, "running them …")
	verdicts := make([]verdict, len(mutants)+1)
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return m.id%*every != 0 })
	each(mutants, func(m mutant) { verdicts[m.id] = judge(m, all) })
	report(mutants, verdicts)
	return nil
}

// each does something with all of some, as many at a time as there are processors.
func each[T any](some []T, do func(T)) {
	work := make(chan T)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for x := range work {
				do(x)
			}
		})
	}
	for _, x := range some {
		work <- x
	}
	close(work)
	workers.Wait()
}

// plant writes the sources with mutants, and where the compiler finds them.
func plant(dir string) ([]mutant, error) {
	m := &mutator{}
	replace := map[string]string{}
	put := func(path, text string) error {
		at, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		replace[at] = filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		return os.WriteFile(replace[at], []byte(text), 0o600)
	}
	for room := range strings.SplitSeq(*rooms, ",") {
		files, err := filepath.Glob("internal/" + room + "/*.go")
		if err != nil {
			return nil, err
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_sabotage.go") {
				continue
			}
			text, err := m.mutate(room, path)
			if err == nil {
				err = put(path, text)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if err := put("internal/mutant/mutant.go", switches); err != nil {
		return nil, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	return m.mutants, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600)
}

// test is one test of a binary, and the mutants that it comes by.
type test struct {
	binary, in, name string
	took             time.Duration
	reached          map[int]bool
}

// build builds the tests of a package with the mutants.
func build(dir, in string) ([]*test, error) {
	binary := filepath.Join(dir, strings.ReplaceAll(in, "/", "-")+".test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, "./"+in)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, nil //nolint:nilerr // the package has no tests
	}
	list := exec.Command(binary, "-test.list", *tests)
	list.Dir = in
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in, err)
	}
	var all []*test
	for name := range strings.FieldsSeq(string(out)) {
		if !skipped(name) {
			all = append(all, &test{binary: binary, in: in, name: name})
		}
	}
	return all, nil
}

func skipped(name string) bool {
	return slices.ContainsFunc(strings.Split(*spare, "|"), func(part string) bool { return strings.Contains(name, part) })
}

// run runs tests of one binary and reports whether they passed.
func run(tests []*test, limit time.Duration, env ...string) bool {
	var names []string
	for _, t := range tests {
		names = append(names, t.name)
	}
	cmd := exec.Command(tests[0].binary, "-test.failfast", "-test.timeout", limit.String(), "-test.run", "^("+strings.Join(names, "|")+")$")
	cmd.Dir, cmd.Env = tests[0].in, append(os.Environ(), append(env, "DB=sqlite")...)
	return cmd.Run() == nil
}

// look runs the test to see which mutants it comes by. One that fails, or takes too long, is of
// no use.
func (t *test) look(dir string) {
	trace := filepath.Join(dir, t.name+".trace")
	began := time.Now()
	passed := run([]*test{t}, 30*time.Second, "MUTANT_TRACE="+trace)
	t.took, t.reached = time.Since(began), map[int]bool{}
	text, err := os.ReadFile(trace)
	_ = os.Remove(trace)
	if !passed || err != nil {
		return
	}
	for id := range strings.FieldsSeq(string(text)) {
		n := 0
		_, _ = fmt.Sscan(id, &n)
		t.reached[n] = true
	}
}

// verdict is what became of a mutant.
type verdict uint8

const (
	missed   verdict = iota // no test comes by it
	survived                // and no test fails
	killed
)

// judge runs the tests that come by a mutant, the quick ones first.
func judge(m mutant, all []*test) verdict {
	v, spent := missed, time.Duration(0)
	for i := 0; i < len(all) && spent < *most; {
		var some []*test
		sum := time.Duration(0)
		for ; i < len(all) && len(some) < 8; i++ {
			t := all[i]
			if !t.reached[m.id] {
				continue
			}
			if len(some) > 0 && some[0].binary != t.binary {
				break
			}
			some, sum = append(some, t), sum+t.took
		}
		if len(some) == 0 {
			break
		}
		v = survived
		if !run(some, 10*time.Second+3*sum, fmt.Sprint("MUTANT=", m.id)) {
			return killed
		}
		spent += sum
	}
	return v
}

func report(mutants []mutant, verdicts []verdict) {
	for _, m := range mutants {
		switch verdicts[m.id] {
		case missed:
			fmt.Println("no test comes by", m)
		case survived:
			fmt.Println("survived", m)
		case killed:
		}
	}
	fmt.Printf("\n| room | mutants | killed | survived | no test comes by | score |\n|---|--:|--:|--:|--:|--:|\n")
	row := func(name string, of func(mutant) bool) {
		var n [3]int
		for _, m := range mutants {
			if of(m) {
				n[verdicts[m.id]]++
			}
		}
		all := n[missed] + n[survived] + n[killed]
		fmt.Printf("| %s | %d | %d | %d | %d | %d %% |\n", name, all, n[killed], n[survived], n[missed], 100*n[killed]/max(all, 1))
	}
	for room := range strings.SplitSeq(*rooms, ",") {
		row(room, func(m mutant) bool { return m.room == room })
	}
	row("all", func(mutant) bool { return true })
}
