//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// fleet is nodes on one database, as a balancer sees them: it asks each whether it is ready, and
// sends calls to those that are.
type fleet struct {
	t        *testing.T
	dir      string
	database string
	token    string
	nodes    []*process
	urls     []string
	ready    []atomic.Bool
	watching sync.WaitGroup
	end      chan struct{}
}

// startFleet starts nodes of the program on the database. Their folder is one: so is the master key.
func startFleet(t *testing.T, database, program string, nodes int) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), database: database, nodes: make([]*process, nodes), urls: make([]string, nodes), ready: make([]atomic.Bool, nodes), end: make(chan struct{})}
	put(t, f.dir, "gatehouse.yaml", "limits: {drain_delay: 1s}\n")
	for n := range nodes {
		f.start(n, program, "localhost:0")
		f.watching.Go(func() { f.watch(n) })
	}
	t.Cleanup(func() {
		close(f.end)
		f.watching.Wait()
	})
	return f
}

func (f *fleet) start(n int, program, listen string) {
	f.t.Helper()
	p := serveBy(f.t, program, f.dir, "--listen", listen, "--config", "gatehouse.yaml", "--database", f.database)
	f.nodes[n] = p
	if f.urls[n] == "" {
		f.urls[n], f.token = p.url, p.token
	}
	f.ready[n].Store(true)
}

// replace stops a node in order and starts another program in its place.
func (f *fleet) replace(n int, program string) {
	f.t.Helper()
	old := f.nodes[n]
	_ = old.Process.Signal(syscall.SIGTERM)
	for range 200 { // The balancer notices.
		if !f.ready[n].Load() {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	old.stopped(f.t)
	f.start(n, program, strings.TrimPrefix(old.url, "http://"))
}

// watch asks a node whether it is ready, as a balancer does.
func (f *fleet) watch(n int) {
	asking := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		select {
		case <-f.end:
			return
		case <-time.After(50 * time.Millisecond):
		}
		res, err := asking.Get(f.urls[n] + "/debug/ready")
		if err == nil {
			_ = res.Body.Close()
		}
		f.ready[n].Store(err == nil && res.StatusCode == http.StatusOK)
	}
}

// ledger is what the clients of a fleet know: what was acknowledged, what failed, and how long
// none of them got an answer that they wanted.
type ledger struct {
	fleet *fleet
	wg    sync.WaitGroup
	mu    sync.Mutex
	acked map[string]string // organizations by their ids
	calls int
	fails []string
	last  time.Time
	worst time.Duration // between two acknowledged writes
	end   chan struct{}
}

// call has clients write and read, until stop. Each reads what it wrote on whatever node.
func (f *fleet) call(clients int) *ledger {
	l := &ledger{fleet: f, acked: map[string]string{}, last: time.Now(), end: make(chan struct{})}
	for c := range clients {
		l.wg.Go(func() { l.client(c) })
	}
	return l
}

func (l *ledger) client(c int) {
	for n := c; ; n++ {
		select {
		case <-l.end:
			return
		default:
		}
		name := fmt.Sprintf("org %d-%d", c, n)
		reply, err := l.send(n, http.MethodPost, "/management/v1/orgs", `{"name":"`+name+`"}`, "")
		if id, _ := reply["id"].(string); err == nil {
			l.ack(id, name)
			reply, err = l.send(n+1, http.MethodGet, "/management/v1/orgs/me", "", id)
			if org, _ := reply["org"].(map[string]any); err == nil && org["name"] != name {
				l.fail(fmt.Errorf("what was written is not read: %v", reply))
			}
		}
		if err != nil {
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// send makes a call to a node that is ready. Where a connection cannot be made, nothing was sent
// and another node is asked: that is what a balancer does.
func (l *ledger) send(n int, method, path, body, org string) (reply map[string]any, err error) {
	f := l.fleet
	for range 100 {
		at := n % len(f.urls)
		n++
		if !f.ready[at].Load() {
			time.Sleep(time.Millisecond)
			continue
		}
		reply, err = f.send(at, method, path, body, org)
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			continue
		}
		break
	}
	if err == nil && reply == nil {
		err = errors.New("no node is ready")
	}
	l.mu.Lock()
	l.calls++
	l.mu.Unlock()
	if err != nil {
		l.fail(fmt.Errorf("%s %s: %w", method, path, err))
	}
	return reply, err
}

func (f *fleet) send(n int, method, path, body, org string) (reply map[string]any, err error) {
	req, err := http.NewRequest(method, f.urls[n]+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	if org != "" {
		req.Header.Set("X-Zitadel-Orgid", org)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%d %s", res.StatusCode, data)
	}
	return reply, json.Unmarshal(data, &reply)
}

func (l *ledger) ack(id, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.worst, l.last = max(l.worst, now.Sub(l.last)), now
	l.acked[id] = name
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = append(l.fails, err.Error())
}

// until waits until so many more writes are acknowledged.
func (l *ledger) until(more int) {
	l.fleet.t.Helper()
	want := 0
	for i := range 6000 {
		l.mu.Lock()
		have := len(l.acked)
		l.mu.Unlock()
		if i == 0 {
			want = have + more
		}
		if have >= want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.fleet.t.Fatalf("the fleet takes no writes: %q", l.fails)
}

// stop ends the clients and holds that all that was acknowledged is there, and that the tables
// are what the log says.
func (l *ledger) stop() {
	f := l.fleet
	f.t.Helper()
	close(l.end)
	l.wg.Wait()
	if err := missing(names(f.t, f.nodes[0]), l.acked); err != nil {
		f.t.Error(err)
	}
	must(f.t, f.dir, "verify", "--database", f.database)
}

// faultless holds that nothing has failed.
func (l *ledger) faultless() {
	l.fleet.t.Helper()
	if len(l.fails) > 0 {
		l.fleet.t.Errorf("%d of %d calls failed, such as %s", len(l.fails), l.calls, l.fails[0])
	}
}
