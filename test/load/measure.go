//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// measured is what a scene cost.
type measured struct {
	rate              float64
	median, p99       time.Duration
	program, database time.Duration // processor time of one request
}

// measure drives an operation from so many clients, after a while that warms up.
func (s *site) measure(clients int, op func(client int) error) (measured, error) {
	if _, err := together(clients, op, *span/4); err != nil {
		return measured{}, err
	}
	program, base, start := s.spent(), s.databaseSpent(), time.Now()
	took, err := together(clients, op, *span)
	if err != nil || len(took) == 0 {
		return measured{}, fmt.Errorf("%d answers: %w", len(took), err)
	}
	n := time.Duration(len(took))
	m := measured{
		rate: float64(n) / time.Since(start).Seconds(), program: (s.spent() - program) / n, database: (s.databaseSpent() - base) / n,
	}
	slices.Sort(took)
	m.median, m.p99 = took[len(took)/2], took[len(took)*99/100]
	return m, nil
}

// together runs op from the clients for a while, and gives how long each run took.
func together(clients int, op func(client int) error, span time.Duration) (took []time.Duration, failure error) {
	var all sync.WaitGroup
	var lock sync.Mutex
	end := time.Now().Add(span)
	for client := range clients {
		all.Go(func() {
			var mine []time.Duration
			var err error
			for last := time.Now(); err == nil && last.Before(end); {
				err = op(client)
				now := time.Now()
				mine, last = append(mine, now.Sub(last)), now
			}
			lock.Lock()
			defer lock.Unlock()
			took = append(took, mine...)
			if err != nil {
				failure = err
			}
		})
	}
	all.Wait()
	return took, failure
}

// spent is the processor time of all nodes so far.
func (s *site) spent() (sum time.Duration) {
	for _, n := range s.nodes {
		own, _, _ := processor(strconv.Itoa(n.Process.Pid))
		sum += own
	}
	return sum
}

// databaseSpent is that of PostgreSQL: of the server, of those that it has, and of those
// that it had.
func (s *site) databaseSpent() time.Duration {
	data, err := os.ReadFile(s.postmaster)
	if err != nil {
		return 0
	}
	server, _, _ := strings.Cut(string(data), "\n")
	own, former, _ := processor(server)
	sum := own + former
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		if own, _, parent := processor(filepath.Base(folder)); parent == server {
			sum += own
		}
	}
	return sum
}

// tick is the unit of the processor times in /proc.
const tick = time.Second / 100

// processor reads from /proc what processor time a process took, and those of its children
// that have ended, and which process its parent is.
func processor(pid string) (own, former time.Duration, parent string) {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, 0, ""
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])) // from the third on
	ticks := func(i int) time.Duration {
		n, _ := strconv.Atoi(fields[i-3])
		return time.Duration(n) * tick
	}
	return ticks(14) + ticks(15), ticks(16) + ticks(17), fields[1]
}

// resident is how many bytes of memory the first node takes, and how many files it has open.
func (s *site) resident() (bytes int64, files int) {
	pid := strconv.Itoa(s.nodes[0].Process.Pid)
	if data, err := os.ReadFile("/proc/" + pid + "/statm"); err == nil {
		pages, _ := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
		bytes = pages * int64(os.Getpagesize())
	}
	open, _ := os.ReadDir("/proc/" + pid + "/fd")
	return bytes, len(open)
}
