package test

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	overloaded     = flag.String("overload", "", "the program that TestOverload fills; empty: none")
	overloadIdle   = flag.Int("overload-idle", 14_000, "how many idle connections it gets")
	overloadSlow   = flag.Int("overload-slow", 4_000, "how many slow ones")
	overloadPhase  = flag.Duration("overload-phase", 15*time.Second, "how long each phase takes")
	overloadMemory = flag.Int64("overload-memory", 256, "how many MiB it may take, with what the kernel keeps for its connections and files")
	overloadTimes  = flag.Int("overload-times", 1, "how often all of it is done")
)

// program is the real one, in a process of its own.
type program struct {
	url, address, token string
	pid                 int
	group               *group
	client              *http.Client
}

// startProgram starts the program on a small machine: one core, and little memory.
func startProgram(t *testing.T) *program {
	t.Helper()
	dir, group := t.TempDir(), newGroup(t, *overloadMemory<<20)
	args := group.start(*overloaded, "start", "--data", dir, "--listen", "127.0.0.1:0")
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "GATEHOUSE_LOG_LEVEL=error")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	p := &program{pid: cmd.Process.Pid, group: group, client: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4096}}}
	t.Cleanup(p.client.CloseIdleConnections)
	for lines := bufio.NewScanner(out); p.url == "" && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "Gatehouse is ready at "); ok {
			p.url, _, _ = strings.Cut(rest, " ")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	p.address = strings.TrimPrefix(p.url, "http://")
	found, _ := filepath.Glob(dir + "/*token*")
	if len(found) != 1 || p.url == "" {
		t.Fatalf("the program did not start: %q %q", p.url, found)
	}
	token, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	p.token = strings.TrimSpace(string(token))
	return p
}

// memory gives a value of /proc/PID/status in MiB: RssAnon is its own, RssFile that of files, its own too.
func (p *program) memory(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[0] == name+":" {
			kib, _ := strconv.Atoi(fields[1])
			return kib >> 10
		}
	}
	return 0
}

func (p *program) files() int {
	found, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid))
	return len(found)
}

// tally is what came of calls.
type tally struct {
	mu                sync.Mutex
	good, shed, wrong int
	took              []time.Duration // of the good ones
	waited            time.Duration   // the longest that one was shed after
	why               string
}

func (c *tally) p99() time.Duration {
	slices.Sort(c.took)
	if len(c.took) == 0 {
		return 0
	}
	return c.took[len(c.took)*99/100]
}

// call makes one call and counts it. One that is refused is told to try again in a second, and
// waits for it.
func (p *program) call(c *tally, method, path, body string) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	begun := time.Now()
	res, err := p.client.Do(req)
	took := time.Since(begun)
	status, text := 0, ""
	if err == nil {
		data, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		status, text = res.StatusCode, string(data)
	}
	shed := (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && res.Header.Get("Retry-After") != ""
	if shed {
		defer time.Sleep(time.Second)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == http.StatusOK || status == http.StatusCreated:
		c.good++
		c.took = append(c.took, took)
	case shed:
		c.shed++
		c.waited = max(c.waited, took)
	default:
		c.wrong++
		c.why = fmt.Sprintf("%d %v %.200s", status, err, text)
	}
}

// during makes calls with so many callers, each one after the other, while the phase lasts.
func (p *program) during(callers int, phase time.Duration, method, path, body string) *tally {
	c := &tally{}
	var all sync.WaitGroup
	end := time.Now().Add(phase)
	for range callers {
		all.Go(func() {
			for time.Now().Before(end) {
				p.call(c, method, path, body)
			}
		})
	}
	all.Wait()
	return c
}

// TestOverload fills the real program, and prints each figure beside its limit: goal, what
// was tried, what came of it, the limit.
func TestOverload(t *testing.T) {
	if *overloaded == "" {
		t.Skip("runs by make overload only")
	}
	p := startProgram(t)
	row := func(goal, tried string, got, limit any, ok bool) {
		t.Helper()
		t.Logf("%-5s %-60s %-24v limit %v", goal, tried, got, limit)
		if !ok {
			t.Errorf("%s: %s: %v, want %v", goal, tried, got, limit)
		}
	}
	time.Sleep(3 * time.Second)
	own, files := p.memory(t, "RssAnon"), p.files()
	row("G-17", fmt.Sprintf("memory of its own after the start, MiB, beside %d of the program's file", p.memory(t, "RssFile")), own, 60, own <= 60)

	atRest := 0
	for n := range *overloadTimes {
		if *overloadTimes > 1 {
			t.Logf("time %d of %d", n+1, *overloadTimes)
		}
		p.fill(t, row, fmt.Sprint("ada", n))
		killed := p.group.killed(t)
		row("G-16", "processes killed for want of memory", killed, 0, killed == 0)
		p.client.CloseIdleConnections()
		time.Sleep(150 * time.Second) // Garbage is collected every two minutes where there is little.
		after := p.memory(t, "RssAnon")
		atRest = cmp.Or(atRest, after)
		row("G-17", "memory of its own once nobody calls, MiB", after, fmt.Sprintf("5 %% above %d", atRest), after*100 <= atRest*105)
		row("G-17", fmt.Sprintf("files once nobody calls, %d after the start", files), p.files(), files, p.files() <= files)
	}
}

type rows func(goal, tried string, got, limit any, ok bool)

// fill brings every load upon the program once: many callers, many connections, many logins of a new user.
func (p *program) fill(t *testing.T, row rows, user string) {
	t.Helper()
	const read = "/management/v1/policies/login"
	calm := p.during(32, *overloadPhase, "GET", read, "")
	row("G-20", "reads of 32 callers: "+rate(calm.good, *overloadPhase)+", refused or failed", calm.shed+calm.wrong, 0, calm.shed+calm.wrong == 0)
	const callers = 5 * 128
	full := p.during(callers, *overloadPhase, "GET", read, "")
	row("G-20", fmt.Sprintf("reads of %d callers: %s, share of the peak in %%", callers, rate(full.good, *overloadPhase)), full.good*100/max(calm.good, 1), 80, full.good*100 >= calm.good*80)
	row("G-20", fmt.Sprintf("of them refused with Retry-After: %d, otherwise", full.shed), full.wrong, "0 "+full.why, full.wrong == 0)
	row("G-20", "the longest wait of a refused one", full.waited.Round(time.Millisecond), "1 s in the queue, and the way", full.waited < 4*time.Second)

	p.flood(t, row, read)
	p.storm(t, row, read, user)
}

// flood opens connections that are idle or slow, while honest calls are made on new ones.
func (p *program) flood(t *testing.T, row rows, read string) {
	t.Helper()
	honest := &program{url: p.url, token: p.token, client: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	before := honest.during(2, *overloadPhase/3, "GET", read, "")
	files, stop := 0, atomic.Bool{}
	var conns []net.Conn
	var filling sync.WaitGroup
	filling.Go(func() {
		for i := 0; i < *overloadIdle+*overloadSlow && !stop.Load(); i++ {
			conn, err := net.DialTimeout("tcp", p.address, 5*time.Second)
			if err != nil {
				time.Sleep(10 * time.Millisecond)
				continue
			}
			conns = append(conns, conn)
			if i%(1 + *overloadIdle / *overloadSlow) == 0 {
				_, _ = io.WriteString(conn, "POST /management/v1/orgs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nX-Slow: ")
			}
			if i%500 == 0 {
				files = max(files, p.files())
			}
		}
	})
	during := honest.during(2, *overloadPhase, "GET", read, "")
	stop.Store(true)
	filling.Wait()
	files = max(files, p.files())
	slow := dialIdle(t, p.address, "GET / HTTP/1.1\r\nX: ")
	begun := time.Now()
	_ = slow.SetReadDeadline(begun.Add(20 * time.Second))
	_, _ = io.Copy(io.Discard, slow)
	cutAfter := time.Since(begun)
	tried := fmt.Sprintf("%d connections, idle and slow", len(conns))
	for _, c := range conns {
		_ = c.Close()
	}
	row("G-18", tried+": honest calls "+strconv.Itoa(during.good)+", failed", during.wrong+during.shed, "0 "+during.why, during.wrong+during.shed == 0)
	row("G-18", tried+": files of the server", files, 4096+128, files <= 4096+128)
	was, is := before.p99().Round(100*time.Microsecond), during.p99().Round(100*time.Microsecond)
	row("G-18", fmt.Sprintf("p99 before %v, during", was), is, "twice, or 10 ms", is <= max(2*was, 10*time.Millisecond))
	row("G-18", "a slow connection is cut after", cutAfter.Round(time.Millisecond), "10 s", cutAfter <= 10*time.Second)
}

// storm logs a new user in many times at once, while others read.
func (p *program) storm(t *testing.T, row rows, read, user string) {
	t.Helper()
	made := &tally{}
	p.call(made, "POST", "/v2/users/human", `{"username":"`+user+`","profile":{"givenName":"Ada","familyName":"L"},"email":{"email":"`+user+`@example.com","isVerified":true},"password":{"password":"`+password+`"}}`)
	if made.good != 1 {
		t.Fatalf("no user: %s", made.why)
	}
	before := p.during(4, *overloadPhase/3, "GET", read, "")
	var reads *tally
	var both sync.WaitGroup
	both.Go(func() { reads = p.during(4, *overloadPhase, "GET", read, "") })
	logins := p.during(1000, *overloadPhase, "POST", sessionsPath, `{"checks":{`+with(user)+`}}`)
	both.Wait()
	row("T-98", "1000 at once log in: "+rate(logins.good, *overloadPhase)+", refused "+strconv.Itoa(logins.shed)+", failed", logins.wrong, "0 "+logins.why, logins.wrong == 0)
	row("T-98", "reads meanwhile: "+rate(reads.good, *overloadPhase)+", refused or failed", reads.wrong+reads.shed, "0 "+reads.why, reads.wrong+reads.shed == 0)
	was, is := before.p99().Round(100*time.Microsecond), reads.p99().Round(100*time.Microsecond)
	row("T-98", fmt.Sprintf("p99 of reads before %v, during", was), is, "three times, or 10 ms", is <= max(3*was, 10*time.Millisecond))
}

func rate(n int, in time.Duration) string { return fmt.Sprintf("%.0f/s", float64(n)/in.Seconds()) }
