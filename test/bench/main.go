//go:build unix

// Command bench measures Gatehouse against the floor that the machine sets: a
// bare HTTP handler, the bare database driver, one fsync. Both sides of a figure
// run in turns in one process, so that their ratio means something on a noisy
// machine; baseline.json keeps the ratios that were reached.
//
//	go run ./test/bench                  compare with the baseline
//	go run ./test/bench -write           make this run the baseline
//	go run ./test/bench -run policy      only figures whose name has this in it
//	go run ./test/bench -run crowd -people 1000000
//
// Figures on PostgreSQL need its programs; see package testdb.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse/gatehouse/internal/process"
	"github.com/gatehouse/gatehouse/internal/testkit/crowd"
)

const baselineFile = "test/bench/baseline.json"

// figure is one ratio: ours operations per second over floor's.
type figure struct {
	name    string
	least   float64 // below this the figure fails
	slower  float64 // the figure says nothing where the floor is faster than this; 0: always
	clients int
	setup   func(*lab) (ours, floor func(client int) error, err error)
}

// lab cleans up what figures set up.
type lab struct{ cleanups []func() }

func (l *lab) after(f func()) { l.cleanups = append(l.cleanups, f) }

func (l *lab) close() {
	for _, f := range slices.Backward(l.cleanups) {
		f()
	}
}

var (
	people = flag.Int("people", 50_000, "how many users the crowd has that limits are about: as many as a million, which takes minutes")
	place  = flag.String("data", ".", "where databases are made: not in a folder that is only memory")
)

func main() {
	write := flag.Bool("write", false, "make this run the baseline")
	only := flag.String("run", "", "measure only figures whose name contains this")
	span := flag.Duration("span", time.Second, "how long one side of one round runs")
	profile := flag.String("profile", "", "write a CPU profile of everything to this file")
	flag.Parse()
	process.Use("/") // As the program does.
	*people = min(*people, crowd.Most)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	if err := run(*write, *only, *span); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		pprof.StopCPUProfile()
		os.Exit(1) //nolint:gocritic // stopped above
	}
}

func run(write bool, only string, span time.Duration) error {
	defer shared.close()
	baseline := map[string]float64{}
	if data, err := os.ReadFile(baselineFile); err == nil {
		if err := json.Unmarshal(data, &baseline); err != nil {
			return fmt.Errorf("%s: %w", baselineFile, err)
		}
	}
	failed := false
	fmt.Printf("%-44s %12s %12s %8s %8s %9s\n", "figure", "ours/s", "floor/s", "ratio", "least", "baseline")
	for _, f := range figures {
		if !strings.Contains(f.name, only) {
			continue
		}
		ours, floor, err := measure(f, span)
		if errors.Is(err, errSkip) {
			fmt.Printf("%-44s skipped: %v\n", f.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		ratio := ours / floor
		verdict := ""
		switch {
		case f.slower > 0 && floor > f.slower:
			verdict = "  not judged: this machine's floor is so fast that something else is the limit"
		case ratio < f.least:
			verdict, failed = "  BELOW", true
		}
		fmt.Printf("%-44s %12.0f %12.0f %8.2f %8.2f %9.2f%s\n", f.name, ours, floor, ratio, f.least, baseline[f.name], verdict)
		baseline[f.name] = round(ratio)
	}
	fmt.Printf("\n%-52s %10s %10s %9s\n", fmt.Sprintf("limit (of crowds, with %d people)", *people), "is", "most", "baseline")
	for _, f := range slices.Concat(limits, peopleLimits) {
		if !strings.Contains(f.name, only) {
			continue
		}
		l := &lab{}
		is, err := f.read(l)
		l.close()
		if errors.Is(err, errSkip) {
			fmt.Printf("%-52s skipped: %v\n", f.name, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		verdict := ""
		if is > f.most {
			verdict, failed = "  ABOVE", true
		}
		fmt.Printf("%-52s %7.1f %-2s %10.1f %9.2f%s\n", f.name, is, f.unit, f.most, baseline[f.name], verdict)
		baseline[f.name] = round(is / f.most)
	}
	if write {
		data, err := json.MarshalIndent(baseline, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(baselineFile, append(data, '\n'), 0o600)
	}
	if failed {
		return errors.New("a figure is below what it must reach")
	}
	return nil
}

// round keeps two places.
func round(x float64) float64 { return float64(int(x*100)) / 100 }

var errSkip = errors.New("not available here")

// rounds is how often both sides run in turns; the median of each counts.
const rounds = 5

func measure(f figure, span time.Duration) (ours, floor float64, err error) {
	l := &lab{}
	defer l.close()
	a, b, err := f.setup(l)
	if err != nil {
		return 0, 0, err
	}
	var as, bs []float64
	for i := range rounds + 1 {
		ra, err := rate(f.clients, span, a)
		if err != nil {
			return 0, 0, fmt.Errorf("ours: %w", err)
		}
		rb, err := rate(f.clients, span, b)
		if err != nil {
			return 0, 0, fmt.Errorf("floor: %w", err)
		}
		if i > 0 { // The first round warms up.
			as, bs = append(as, ra), append(bs, rb)
		}
	}
	slices.Sort(as)
	slices.Sort(bs)
	return as[rounds/2], bs[rounds/2], nil
}

// rate runs op from n clients for about span and gives operations per second.
func rate(n int, span time.Duration, op func(client int) error) (float64, error) {
	var count atomic.Int64
	var failure atomic.Value
	var wg sync.WaitGroup
	start := time.Now()
	for client := range n {
		wg.Go(func() {
			for time.Since(start) < span && failure.Load() == nil {
				if err := op(client); err != nil {
					failure.CompareAndSwap(nil, err)
					return
				}
				count.Add(1)
			}
		})
	}
	wg.Wait()
	if err, ok := failure.Load().(error); ok {
		return 0, err
	}
	return float64(count.Load()) / time.Since(start).Seconds(), nil
}
