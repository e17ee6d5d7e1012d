//go:build unix

// Command load drives the real program with many clients at once and writes what it saw
// into a page: how many requests a second, how long they take, and how much processor time
// of the program and of the database each of them costs.
//
//	go run ./test/load                          every scene on every site
//	go run ./test/load -run introspection       only scenes whose name has this in it
//	go run ./test/load -people 1000000          how far the growth goes
//	go run ./test/load -page docs/performance.md
//
// Clients, servers and databases share one machine, so that throughput is a lower bound;
// processor time is what to compare.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

var (
	only   = flag.String("run", "", "drive only scenes whose name contains this")
	span   = flag.Duration("span", 3*time.Second, "how long a scene is driven on a site")
	people = flag.Int("people", 100_000, "how many users the growth goes up to, a million at most; 0: none")
	page   = flag.String("page", "", "write the page to this file")
)

// drivers is how many clients send one request after the other.
const drivers = 16

func main() {
	flag.Parse()
	var out bytes.Buffer
	err := report(io.MultiWriter(os.Stdout, &out))
	if err == nil && *page != "" {
		err = os.WriteFile(*page, out.Bytes(), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// sites are what the scenes are driven on.
var sites = []struct {
	name       string
	postgresql bool
	nodes      int
}{{"SQLite", false, 1}, {"PostgreSQL, 1 node", true, 1}, {"PostgreSQL, 3 nodes", true, 3}}

func report(w io.Writer) error {
	fmt.Fprintf(w, preface, drivers, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	program, done, err := build()
	if err != nil {
		return err
	}
	defer done()
	for _, at := range sites {
		if err := drive(w, program, at.name, at.postgresql, at.nodes); err != nil {
			return fmt.Errorf("%s: %w", at.name, err)
		}
	}
	if *people == 0 {
		return nil
	}
	fmt.Fprint(w, growing)
	for _, at := range sites[:2] {
		if err := grow(w, program, at.name, at.postgresql); err != nil {
			return fmt.Errorf("%s: %w", at.name, err)
		}
	}
	return nil
}

const preface = `# Performance

What ` + "`make bench-report`" + ` measured: %d clients, each sending one request after the other over connections that stay
open (4 where passwords are checked), on one machine with %d processors (%s/%s) that clients, servers and databases share. Every write is durable before it is
answered (an fsync of SQLite's log or of PostgreSQL's). Processor time is that of all nodes together, and of all processes of
the database. ` + "`make bench`" + ` holds the same paths against floors of the machine, as ratios.
`

const growing = `
## Growth

The median of a call, one after the other, with so many users in the instance, of whom one of five has a live session.
`

// drive makes a site and drives every scene on it.
func drive(w io.Writer, program, name string, postgresql bool, nodes int) error {
	s, err := open(program, postgresql, nodes)
	if err != nil {
		return err
	}
	defer s.close()
	f, err := s.furnish()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n## %s\n\n| scene | requests/s | median | 99 of 100 below | processor time | of the database |\n|---|--:|--:|--:|--:|--:|\n", name)
	for _, scene := range scenes {
		if !strings.Contains(scene.name, *only) {
			continue
		}
		op := scene.make(f)
		m, err := s.measure(scene.clients, op)
		if err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
		database := "" // The embedded one is part of the program.
		if postgresql {
			database = micros(m.database)
		}
		fmt.Fprintf(w, "| %s | %.0f | %s | %s | %s | %s |\n", scene.name, m.rate, millis(m.median), millis(m.p99), micros(m.program), database)
	}
	before, err := s.size()
	if err != nil {
		return err
	}
	const more = 2000
	for i := range more {
		if err := f.addHuman(fmt.Sprintf("weighed%d", i)); err != nil {
			return err
		}
	}
	after, err := s.size()
	memory, files := s.resident()
	fmt.Fprintf(w, "\nA user with its events and indexes takes %.1f kB; a node takes %d MB of memory after this, and %d open files.\n",
		float64(after-before)/more/1000, memory>>20, files)
	return err
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1e3) }
func micros(d time.Duration) string { return fmt.Sprintf("%d µs", d.Microseconds()) }
