//go:build linux

package chaos

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// deadline is how long any request may take: the server's limit for a call, and something for
// a machine that is busy.
const deadline = 13 * time.Second

// What is asked without the database. What needs none, or has been read before, is answered;
// what lets somebody in is refused.
var (
	answered = []string{"GET /debug/healthz", "GET /.well-known/openid-configuration", "GET /.well-known/oauth-authorization-server", "GET /oauth/v2/keys", "GET /openapi"}
	closed   = []string{
		"GET /management/v1/policies/login", "POST /management/v1/policies/login", "POST /v2/sessions", "POST /oauth/v2/token",
		"POST /oauth/v2/introspect", "GET /oidc/v1/userinfo", "GET /oauth/v2/authorize?client_id=1", "GET /ui/login/", "GET /ui/console/", "GET /auth/v1/users/me",
	}
)

// form is a call of OAuth's, as a client makes it.
func (n *node) form(do, body, user, secret string) reply {
	method, path, _ := strings.Cut(do, " ")
	req, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(user, secret)
	return n.send(req)
}

// ask makes one of the calls above.
func (n *node) ask(do string) reply {
	if strings.HasPrefix(do, "POST /oauth/") {
		return n.form(do, "grant_type=client_credentials&scope=openid&token=x", "somebody", "secret")
	}
	return n.call(do, "{}")
}

// within holds what took a while against the goal, where the test is long; the suite runs on
// machines that do other work, and holds it against what no goal is missed by so much.
func within(t *testing.T, what string, took, goal time.Duration) {
	t.Helper()
	if !*long {
		goal = max(goal, 4*time.Second)
	}
	if took > goal {
		t.Errorf("%s: %s, the limit is %s", what, took.Round(time.Millisecond), goal)
	}
}

// TestDatabaseAway takes the database from a node, so that it is refused or silent. What waits
// for it is let go as soon as that is known, and from then on everything is refused at once.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := newProxy(t, c.Dial)
	n := onPostgres(t, p.url()).with(t, "database: {connections: 10}\n").start(t)
	style := string(regexp.MustCompile(`/ui/[^"]+\.css[^"]*`).Find(n.must(t, "GET /ui/login/", "").body))
	for _, do := range answered { // It was up before.
		n.must(t, do, "")
	}
	for _, away := range []struct {
		how    string
		do, in func()
	}{{"refused", p.sever, p.mend}, {"silent", p.freeze, p.mend}, {"paused", c.Pause, c.Resume}} {
		if away.how == "paused" && !*long {
			continue
		}
		away.do()
		refused := func(do string, r reply) {
			if r.status != http.StatusServiceUnavailable {
				t.Errorf("%s: %s: %s", away.how, do, r)
			}
		}
		waited := n.askAll(slices.Concat([]string{"GET /debug/ready"}, closed, closed), refused)
		n.askAll(append([]string{"GET " + style}, answered...), func(do string, r reply) {
			if r.status != http.StatusOK {
				t.Errorf("%s: %s: %s", away.how, do, r)
			}
		})
		took := n.askAll(closed, refused)
		away.in()
		began := time.Now()
		for !n.ask("GET /debug/ready").ok() && time.Since(began) < deadline {
			time.Sleep(5 * time.Millisecond)
		}
		n.must(t, "GET /management/v1/policies/login", "")
		back := time.Since(began)
		within(t, away.how+": to be let go", slices.Max(waited), 2*time.Second)
		within(t, away.how+": to be refused", slices.Max(took), time.Second)
		within(t, away.how+": to be back", back, time.Second)
		t.Logf("%s: let go after %s, refused after %s, back after %s", away.how, spread(waited), spread(took), back.Round(time.Millisecond))
	}
	if used := connections(t, c, "state <> 'idle'"); used != 0 {
		t.Errorf("%d connections are at work that nobody asked for", used)
	}
	if wrong := n.failures(); len(wrong) > 0 {
		t.Errorf("%d failures of its own, such as %s", len(wrong), wrong[0])
	}
}

// askAll makes calls at the same time and gives how long each took.
func (n *node) askAll(calls []string, judge func(do string, r reply)) []time.Duration {
	var wg sync.WaitGroup
	took := make([]time.Duration, len(calls))
	for i, do := range calls {
		wg.Go(func() {
			began := time.Now()
			r := n.ask(do)
			took[i] = time.Since(began)
			judge(do, r)
		})
	}
	wg.Wait()
	return took
}

// TestSlowDatabase delays what passes between node and database. More calls than there are
// connections wait, and none longer than its deadline. A database that answers within a second
// is not away: everybody is served.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := newProxy(t, c.Dial)
	n := onPostgres(t, p.url()).with(t, "database: {connections: 6}\n").start(t)
	for _, do := range answered {
		n.must(t, do, "")
	}
	delays := []time.Duration{100 * time.Millisecond} // Each way.
	if *long {
		delays = append(delays, 200*time.Millisecond, time.Second)
	}
	for _, delay := range delays {
		p.delay.Store(int64(delay))
		calls := make([]string, 0, 40)
		for i := range 40 {
			calls = append(calls, []string{"GET /management/v1/policies/login", "POST /management/v1/policies/login", "GET /auth/v1/users/me", "GET /debug/healthz"}[i%4])
		}
		var mu sync.Mutex
		outcomes := map[int]int{}
		took := n.askAll(calls, func(do string, r reply) {
			mu.Lock()
			defer mu.Unlock()
			outcomes[r.status]++
			if r.status == 0 || r.status == http.StatusInternalServerError || r.status >= 500 && delay < time.Second || strings.HasSuffix(do, "healthz") && !r.ok() {
				t.Errorf("at %s: %s: %s", delay, do, r)
			}
		})
		for i, d := range took {
			if d > deadline {
				t.Errorf("at %s: %s took %s", delay, calls[i], d)
			}
		}
		open := connections(t, c, "true")
		if open > 6 {
			t.Errorf("at %s: %d connections, more than the pool may have", delay, open)
		}
		p.mend()
		began := time.Now()
		for !n.ask("GET /management/v1/policies/login").ok() && time.Since(began) < deadline {
			time.Sleep(5 * time.Millisecond)
		}
		fine := time.Since(began)
		within(t, delay.String()+": to be fine again", fine, time.Second)
		t.Logf("%s each way: outcomes %v, took %s; %d connections; fine after %s", delay, outcomes, spread(took), open, fine.Round(time.Millisecond))
	}
}

// TestFullDisk fills the disk of the embedded database. Writes are refused, reads go on, and
// so do writes when there is room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := home{dir: t.TempDir()}
	disk := filepath.Join(h.dir, "gatehouse-data")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+*diskSize+",mode=0700"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	n := h.start(t)
	l := newLedger(t, n, 4)
	l.run(n)
	time.Sleep(100 * time.Millisecond)
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	refused := l.refused.Load()
	for began := time.Now(); l.refused.Load() < refused+20 && time.Since(began) < 20*time.Second; {
		time.Sleep(5 * time.Millisecond)
	}
	if l.refused.Load() < refused+20 {
		t.Fatal("the disk is full, and writes are acknowledged")
	}
	for _, do := range []string{"GET /management/v1/policies/login", "GET /debug/healthz", "GET /debug/ready", "GET /oauth/v2/keys", "GET /ui/login/", "GET /auth/v1/users/me"} {
		n.must(t, do, "")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	l.firstAck.Store(0)
	for l.firstAck.Load() == 0 {
		if time.Since(began) > 20*time.Second {
			t.Fatal("there is room again, and writes are refused")
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	l.halt()
	l.check(t, n)
	h.command(t, "verify")
	n.stop(t)
	if wrong := n.failures(); len(wrong) > 0 {
		t.Errorf("%d failures of its own, such as %s", len(wrong), wrong[0])
	}
	h.command(t, "verify")
	t.Logf("%s; writes went on %s after there was room", l, took.Round(time.Millisecond))
}

// diskSize is the room on the disk of TestFullDisk: less than the 16 MB that the log of writes has
// where there is room, so that the log itself would fill it.
var diskSize = flag.String("disk", "12m", "how large the disk of TestFullDisk is")

// fill takes all the room that a disk has, for good: what is freed meanwhile too.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
}
