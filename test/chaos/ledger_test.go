//go:build linux

package chaos

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// ledger is what clients write down of what they were told: the other side of the server's.
// Each of its writers counts up a value of metadata, adds and removes a factor of its own
// organization's login policy, and adds users with names that nobody else takes.
type ledger struct {
	writers []*writer
	node    atomic.Pointer[node]
	end     chan struct{}
	wg      sync.WaitGroup

	acked, refused, unknown, repeated atomic.Int64
	mu                                sync.Mutex
	wrong                             []string
	// firstAck is when a write was acknowledged for the first time since it was reset.
	firstAck atomic.Int64
	// lastAck is when one was last, and gap the longest time between two since it was reset.
	lastAck, gap atomic.Int64
}

// writer is one client. What it does not know the outcome of, it makes again.
type writer struct {
	*ledger
	name, org string
	value     int             // the last one that was acknowledged
	listed    bool            // whether the factor is
	users     map[string]bool // by name, those that were acknowledged
	next      int
	step      int
	doubt     bool // whether the last write has an unknown outcome
}

const factorsPath = "/management/v1/policies/login/second_factors"

// ledgers counts those of this run: the names of their writers differ.
var ledgers atomic.Int64

// newLedger makes the organizations of so many writers.
func newLedger(t *testing.T, n *node, writers int) *ledger {
	t.Helper()
	l, number := &ledger{}, ledgers.Add(1)
	l.node.Store(n)
	for i := range writers {
		w := &writer{ledger: l, name: fmt.Sprintf("w%d-%d", number, i), users: map[string]bool{}}
		w.org = n.must(t, "POST /management/v1/orgs", `{"name":"`+w.name+`"}`).get("id")
		if r := n.as(n.token, "POST /management/v1/policies/login", `{}`, w.org); !r.ok() {
			t.Fatal(r)
		}
		l.writers = append(l.writers, w)
	}
	return l
}

// run makes the writers write to the node until halt.
func (l *ledger) run(n *node) {
	l.node.Store(n)
	l.end = make(chan struct{})
	l.measure()
	for _, w := range l.writers {
		l.wg.Go(func() {
			for {
				select {
				case <-l.end:
					return
				default:
					if !w.write() { // The server is away: do not spin.
						time.Sleep(5 * time.Millisecond)
					}
				}
			}
		})
	}
}

// halt ends run, and waits for the calls that are on their way.
func (l *ledger) halt() {
	close(l.end)
	l.wg.Wait()
}

func (l *ledger) complainf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) < 20 {
		l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
	}
}

func encode(value int) string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(value)))
}

// write makes the next write, or again the one in doubt, and reports whether it succeeded.
func (w *writer) write() bool {
	var do, body string
	again := -1 // To count up again is no news.
	switch w.step % 3 {
	case 0:
		do, body = "POST /management/v1/metadata/count", `{"value":"`+encode(w.value+1)+`"}`
	case 1:
		if again = http.StatusConflict; w.listed {
			do, again = "DELETE "+factorsPath+"/1", http.StatusNotFound
		} else {
			do, body = "POST "+factorsPath, `{"type":1}`
		}
	default:
		do, body, again = "POST /management/v1/users/machine", fmt.Sprintf(`{"userName":%q,"name":"x"}`, w.user()), http.StatusConflict
	}
	n := w.node.Load()
	r := n.as(n.token, do, body, w.org)
	switch {
	case r.ok(), w.doubt && r.status == again:
		if !r.ok() {
			w.repeated.Add(1)
		}
		w.acknowledge(time.Now().UnixNano())
		w.count()
		return true
	case r.status == 0, r.status == http.StatusGatewayTimeout:
		w.doubt = true
		w.unknown.Add(1)
	case r.status == http.StatusServiceUnavailable, r.status == http.StatusTooManyRequests:
		w.doubt = true // The commit may have been on its way.
		w.refused.Add(1)
	default:
		w.complainf("%s of %s, tried before: %v: %s", do, w.name, w.doubt, r)
	}
	return false
}

// acknowledge notes when a write was acknowledged.
func (l *ledger) acknowledge(now int64) {
	l.firstAck.CompareAndSwap(0, now)
	l.acked.Add(1)
	this := now - l.lastAck.Swap(now)
	for longest := l.gap.Load(); this > longest && !l.gap.CompareAndSwap(longest, this); {
		longest = l.gap.Load()
	}
}

// measure begins to measure the gap anew.
func (l *ledger) measure() {
	l.lastAck.Store(time.Now().UnixNano())
	l.gap.Store(0)
}

// longest is the longest time between two acknowledged writes since measure.
func (l *ledger) longest() time.Duration { return time.Duration(l.gap.Load()).Round(time.Millisecond) }

// await waits until so many more writes are acknowledged.
func (l *ledger) await(t *testing.T, more int) {
	t.Helper()
	began, last := time.Now(), l.acked.Load()
	for want := last + int64(more); l.acked.Load() < want; time.Sleep(5 * time.Millisecond) {
		if now := l.acked.Load(); now > last {
			began, last = time.Now(), now
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("no write is acknowledged: %s; %v", l, l.wrong)
		}
	}
}

func (w *writer) user() string { return fmt.Sprintf("%s-%d", w.name, w.next) }

// count writes down that the write of this step was acknowledged.
func (w *writer) count() {
	switch w.step % 3 {
	case 0:
		w.value++
	case 1:
		w.listed = !w.listed
	default:
		w.users[w.user()] = true
		w.next++
	}
	w.step, w.doubt = w.step+1, false
}

// check compares what a node says with what was acknowledged.
func (l *ledger) check(t *testing.T, n *node) {
	t.Helper()
	for _, w := range l.writers {
		w.check(t, n)
	}
	for _, wrong := range l.wrong {
		t.Error(wrong)
	}
}

func (w *writer) check(t *testing.T, n *node) {
	t.Helper()
	doubted := func(step int) bool { return w.doubt && w.step%3 == step }
	r := n.as(n.token, "GET /management/v1/metadata/count", "", w.org)
	text, _ := base64.StdEncoding.DecodeString(r.get("metadata.value"))
	value, _ := strconv.Atoi(string(text))
	if r.status != http.StatusOK && w.value > 0 || value != w.value && (!doubted(0) || value != w.value+1) {
		t.Errorf("%s was told %d, in doubt %v, and finds %d: %s", w.name, w.value, doubted(0), value, r)
	}
	r = n.as(n.token, "POST "+factorsPath+"/_search", "{}", w.org)
	listed := string(r.body) != "" && r.get("result") != ""
	if r.status != http.StatusOK || listed != w.listed && !doubted(1) {
		t.Errorf("%s was told %v, in doubt %v, and finds %v: %s", w.name, w.listed, doubted(1), listed, r)
	}
	found := w.find(t, n)
	for name := range w.users {
		if found[name] != 1 {
			t.Errorf("the acknowledged user %s is there %d times", name, found[name])
		}
	}
	if extra := len(found) - len(w.users); extra > 1 || extra == 1 && (!doubted(2) || found[w.user()] != 1) {
		t.Errorf("%s made %d users, in doubt %v, and finds %d", w.name, len(w.users), doubted(2), len(found))
	}
}

// find counts the users of the writer by name.
func (w *writer) find(t *testing.T, n *node) map[string]int {
	t.Helper()
	found := map[string]int{}
	for offset := 0; ; offset += 1000 {
		body := fmt.Sprintf(`{"query":{"offset":"%d","limit":1000},"queries":[{"typeQuery":{"type":"TYPE_MACHINE"}}]}`, offset)
		r := n.as(n.token, "POST /management/v1/users/_search", body, w.org)
		var page struct{ Result []struct{ UserName string } }
		if err := json.Unmarshal(r.body, &page); err != nil || !r.ok() {
			t.Fatalf("list of users: %s", r)
		}
		for _, u := range page.Result {
			found[u.UserName]++
		}
		if len(page.Result) < 1000 {
			return found
		}
	}
}

func (l *ledger) String() string {
	return fmt.Sprintf("%d writes acknowledged (%d of them by a refusal to make them again), %d without an answer, %d refused for the moment",
		l.acked.Load(), l.repeated.Load(), l.unknown.Load(), l.refused.Load())
}
