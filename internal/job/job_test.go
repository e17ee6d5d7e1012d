//go:build unix

package job_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// bench is a store with a clock that the test moves.
type bench struct {
	*eventstore.Store
	offset *atomic.Int64
}

func newBench(t *testing.T, db *database.DB) bench {
	t.Helper()
	offset := &atomic.Int64{}
	return bench{eventstore.New(db, func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }), offset}
}

func (b bench) record(t *testing.T, kind, payload string) {
	t.Helper()
	if err := b.Write(t.Context(), func(tx *eventstore.Tx) error { return tx.Job("1", kind, payload, tx.Now()) }); err != nil {
		t.Fatal(err)
	}
}

// run runs the work until the test ends, and gives a function that ends it before.
func run(t *testing.T, b bench, work map[string]job.Work) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		job.New(b.Store, work).Run(ctx)
		close(ended)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func (b bench) jobs(t *testing.T) (n uint64, lastError string) {
	t.Helper()
	if err := b.Read(t.Context(), database.From("id", "jobs").Count(&n), database.From("last_error", "jobs").Rows(func(scan database.Scan) error {
		return scan(&lastError)
	})); err != nil {
		t.Fatal(err)
	}
	return n, lastError
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 400 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(what)
}

// TestAtOnce: a commit wakes the runner, a dry run and other kinds do not concern it.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, testdb.Open(t))
	done := make(chan string, 10)
	run(t, b, map[string]job.Work{"mine": func(_ context.Context, j job.Job) (time.Time, error) {
		done <- j.Instance + string(j.Payload)
		return time.Time{}, nil
	}})
	b.record(t, "others", "x")
	dry := eventstore.WithOrigin(t.Context(), eventstore.Origin{DryRun: true})
	if err := b.Write(dry, func(tx *eventstore.Tx) error { return tx.Job("1", "mine", "dry", tx.Now()) }); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.record(t, "mine", "x")
	if got := <-done; got != `1"x"` || time.Since(began) > 2*time.Second {
		t.Errorf("%s after %v", got, time.Since(began))
	}
	eventually(t, "the job is still there", func() bool { n, _ := b.jobs(t); return n == 1 })
	if len(done) > 0 {
		t.Errorf("also ran %s", <-done)
	}
}

// TestRetry: what fails or panics runs again after a pause, what asks for it runs
// again when it says.
func TestRetry(t *testing.T) {
	t.Parallel()
	b := newBench(t, testdb.Open(t))
	var runs atomic.Int64
	run(t, b, map[string]job.Work{"mine": func(_ context.Context, j job.Job) (time.Time, error) {
		switch n := runs.Add(1); {
		case n == 1:
			return time.Time{}, errors.New("out of order")
		case n == 2 && j.Attempts == 2:
			panic("aargh")
		case n == 3 && j.Attempts == 3:
			return b.Now().Add(time.Hour), nil
		case n == 4 && j.Attempts == 1:
			return time.Time{}, nil
		}
		return time.Time{}, errors.New("unexpected")
	}})
	b.record(t, "mine", "x")
	failed := func(text string) func() bool {
		return func() bool { _, e := b.jobs(t); return strings.Contains(e, text) }
	}
	eventually(t, "no error is noted", failed("out of order"))
	for _, e := range []string{"aargh", ""} {
		b.offset.Add(int64(2 * time.Second))
		b.WakeJobs()
		eventually(t, "no error is noted", failed(e))
	}
	eventually(t, "it did not run for the third time", func() bool { return runs.Load() == 3 })
	b.WakeJobs()
	time.Sleep(50 * time.Millisecond)
	if runs.Load() != 3 {
		t.Error("it did not wait for the hour")
	}
	b.offset.Add(int64(time.Hour))
	eventually(t, "the job is still there", func() bool { b.WakeJobs(); n, _ := b.jobs(t); return n == 0 })
}

// TestNodes: several runners share the jobs, and each job runs once. What a dead
// one had claimed comes back when its lease is over.
func TestNodes(t *testing.T) {
	t.Parallel()
	db := testdb.Open(t)
	const n = 40
	var mu sync.Mutex
	count := map[string]int{}
	work := map[string]job.Work{"mine": func(_ context.Context, j job.Job) (time.Time, error) {
		mu.Lock()
		defer mu.Unlock()
		count[string(j.Payload)]++
		return time.Time{}, nil
	}}
	b := newBench(t, db)
	for i := range n {
		b.record(t, "mine", strings.Repeat("x", i))
	}
	if err := db.Write(t.Context(), func(tx *database.Tx) error { // As if a node had died with it.
		tx.Exec(database.Statement{
			SQL: "UPDATE jobs SET due = ?, attempts = 1 WHERE payload = ?", Args: []any{b.Now().Add(time.Minute).UnixMicro(), `"x"`},
		})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	nodes := []bench{b, newBench(t, db), newBench(t, db)}
	for _, node := range nodes {
		run(t, node, work)
	}
	eventually(t, "jobs are left", func() bool { left, _ := b.jobs(t); return left == 1 })
	b.offset.Add(int64(time.Minute))
	eventually(t, "the dead node's job is left", func() bool { b.WakeJobs(); left, _ := b.jobs(t); return left == 0 })
	mu.Lock()
	defer mu.Unlock()
	for payload, times := range count {
		if times != 1 {
			t.Errorf("%s ran %d times", payload, times)
		}
	}
	if len(count) != n {
		t.Errorf("%d jobs ran, want %d", len(count), n)
	}
}

// TestStop: a runner that stops takes no more jobs and waits for those it has.
func TestStop(t *testing.T) {
	t.Parallel()
	b := newBench(t, testdb.Open(t))
	began, end := make(chan struct{}), make(chan struct{})
	stop := run(t, b, map[string]job.Work{"mine": func(ctx context.Context, _ job.Job) (time.Time, error) {
		close(began)
		<-end
		return time.Time{}, ctx.Err()
	}})
	b.record(t, "mine", "x")
	<-began
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	time.Sleep(20 * time.Millisecond)
	select {
	case <-stopped:
		t.Error("the runner did not wait")
	default:
	}
	close(end)
	<-stopped
	if n, _ := b.jobs(t); n != 0 {
		t.Error("the finished job was not noted")
	}
}

// TestLostLease: who was too slow does not end a job that another node has claimed.
func TestLostLease(t *testing.T) {
	t.Parallel()
	b := newBench(t, testdb.Open(t))
	done := make(chan struct{})
	stop := run(t, b, map[string]job.Work{"mine": func(ctx context.Context, _ job.Job) (time.Time, error) {
		defer close(done)
		return time.Time{}, b.DB().Write(ctx, func(tx *database.Tx) error {
			tx.Exec(database.Statement{SQL: "UPDATE jobs SET due = due + 1000000"})
			return nil
		})
	}})
	b.record(t, "mine", "x")
	<-done
	stop()
	if n, _ := b.jobs(t); n != 1 {
		t.Error("the job of another node is gone")
	}
}
