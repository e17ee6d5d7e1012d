// Package job does the work that transactions leave behind: what eventstore's
// Tx.Job recorded runs here, after the commit, at least once.
//
// A runner claims due jobs by moving their due time to the end of a lease. Who
// dies with a claim loses it then, and another node goes on. What fails is tried
// again, later and later, and never dropped.
//
// The package imports eventstore, database and fault. Which kinds of jobs there
// are is for those to know who record them.
package job

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

const (
	// pollInterval is how often a runner looks for jobs that nobody woke it for:
	// those of other nodes, those of the future and those whose lease ran out.
	pollInterval = 5 * time.Second
	// lease is how long a claim holds. Work must end before.
	lease = time.Minute
	// maxWork bounds one run of a job, well within the lease.
	maxWork = 45 * time.Second
	// stopGrace is for how long work may go on while the runner stops.
	stopGrace = 5 * time.Second
	// maxAtOnce is how many jobs a runner works on at a time.
	maxAtOnce = 4
	// firstRetry and lastRetry bound the pause after a failure, which doubles.
	firstRetry = time.Second
	lastRetry  = time.Hour
	// maxError bounds what is kept of an error, in bytes.
	maxError = 500
)

// Job is a piece of work.
type Job struct {
	Instance, Kind string
	Payload        []byte // JSON
	Attempts       int    // with the present one
}

// Into reads the payload.
func (j Job) Into(payload any) error {
	if err := json.Unmarshal(j.Payload, payload); err != nil {
		return fmt.Errorf("payload of %s: %w", j.Kind, err)
	}
	return nil
}

// Work does a job. Where there is more to do, it returns when to run the same job
// again; the zero time ends it. It must expect to run twice.
type Work func(ctx context.Context, j Job) (again time.Time, err error)

// Runner runs jobs of the kinds that it knows.
type Runner struct {
	store *eventstore.Store
	work  map[string]Work
}

// New makes a runner with the work for each kind of job.
func New(store *eventstore.Store, work map[string]Work) *Runner {
	return &Runner{store: store, work: work}
}

// claimed is a job under a lease: due is its end, and shows whose claim it is.
type claimed struct {
	Job
	id, due int64
}

// Run works until ctx ends. What it has begun by then may go on for a moment and
// is told to end after it.
func (r *Runner) Run(ctx context.Context) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	running, ended := 0, make(chan struct{}, maxAtOnce)
	for {
		for _, j := range r.claim(ctx, maxAtOnce-running) {
			running++
			go func() {
				r.do(ctx, j)
				ended <- struct{}{}
			}()
		}
		select {
		case <-ctx.Done():
			for ; running > 0; running-- {
				<-ended
			}
			return
		case <-ended: // There may be more than there were places.
			running--
		case <-r.store.Jobs():
		case <-ticker.C:
		}
	}
}

// due is the list of jobs of known kinds that are due.
func (r *Runner) due(most int) *database.Select {
	kinds := make([]string, 0, len(r.work))
	for kind := range r.work {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return database.From("id, instance_id, kind, payload, attempts", "jobs").
		Where("due <= ?", r.store.Now().UnixMicro()).In("kind", kinds).Order("due, id").Page(0, uint64(most)) //nolint:gosec // a small number
}

// claim takes at most so many jobs that are due. A look without a transaction
// comes first: mostly there is nothing to do.
func (r *Runner) claim(ctx context.Context, most int) []claimed {
	some := false
	if most == 0 || ctx.Err() != nil {
		return nil
	}
	err := r.store.Read(ctx, r.due(most).Rows(func(database.Scan) error { some = true; return nil }))
	var jobs []claimed
	if err == nil && some {
		err = r.store.DB().Write(ctx, func(tx *database.Tx) (err error) {
			jobs, err = r.take(tx, most)
			return err
		})
	}
	if err != nil {
		if ctx.Err() == nil {
			slog.ErrorContext(ctx, "jobs cannot be claimed", "error", err)
		}
		return nil
	}
	return jobs
}

func (r *Runner) take(tx *database.Tx, most int) (jobs []claimed, err error) {
	until := r.store.Now().Add(lease).UnixMicro()
	q := r.due(most).Rows(func(scan database.Scan) error {
		j := claimed{due: until}
		err := scan(&j.id, &j.Instance, &j.Kind, &j.Payload, &j.Attempts)
		j.Attempts++
		jobs = append(jobs, j)
		return err
	})
	// Who waits for a row that another node claims sees that it is not due any more.
	if err := tx.Read(q.ForUpdate()); err != nil {
		return nil, err
	}
	for _, j := range jobs {
		tx.Exec(database.Statement{SQL: "UPDATE jobs SET due = ?, attempts = ? WHERE id = ?", Args: []any{until, j.Attempts, j.id}})
	}
	return jobs, nil
}

// do runs a job and writes down what came of it, also while the runner stops: a
// finished job must not run again.
func (r *Runner) do(ctx context.Context, j claimed) {
	again, err := r.attempt(ctx, j.Job)
	end := database.Statement{SQL: "DELETE FROM jobs WHERE id = ? AND due = ?", Args: []any{j.id, j.due}}
	switch {
	case err != nil:
		slog.ErrorContext(ctx, "job failed", "kind", j.Kind, "instance", j.Instance, "attempt", j.Attempts, "error", err)
		end = later(j, r.store.Now().Add(pause(j.Attempts)), j.Attempts, err.Error())
	case !again.IsZero():
		end = later(j, again, 0, "")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease-maxWork)
	defer cancel()
	if err := r.store.DB().Write(ctx, func(tx *database.Tx) error {
		tx.Exec(end)
		return nil
	}); err != nil {
		slog.ErrorContext(ctx, "the end of a job cannot be written: it will run again", "kind", j.Kind, "error", err)
	}
}

// attempt does the work within its time. When ctx ends, it has a moment more. A
// panic is the job's error.
func (r *Runner) attempt(ctx context.Context, j Job) (again time.Time, err error) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxWork)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, cancel) })()
	defer func() {
		if p := recover(); p != nil {
			slog.ErrorContext(ctx, "panic in a job", "kind", j.Kind, "value", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r.work[j.Kind](work, j)
}

func later(j claimed, at time.Time, attempts int, message string) database.Statement {
	if len(message) > maxError {
		message = strings.ToValidUTF8(message[:maxError], "")
	}
	return database.Statement{
		SQL:  "UPDATE jobs SET due = ?, attempts = ?, last_error = ? WHERE id = ? AND due = ?",
		Args: []any{at.UnixMicro(), attempts, message, j.id, j.due},
	}
}

// pause is how long to wait after the given number of failures: twice as long
// each time, and somewhat by chance, so that many do not come back at once.
func pause(attempts int) time.Duration {
	d := lastRetry
	if attempts < 12 {
		d = min(d, firstRetry<<(attempts-1))
	}
	return d/2 + rand.N(d/2) //nolint:gosec // jitter, not a secret
}

// Failure is what fails of one kind of jobs.
type Failure struct {
	Kind     string
	Count    int
	Attempts int    // in a row, of the one that failed most
	Error    string // one of them
}

// Failing lists the kinds of jobs that failed when they ran last, of an instance or, where
// it is empty, of all.
func Failing(ctx context.Context, r database.Reader, instance string) (out []Failure, err error) {
	err = r.Read(ctx, database.Query{
		SQL: `SELECT kind, COUNT(*), MAX(attempts), MAX(last_error) FROM jobs
			WHERE last_error <> '' AND (? = '' OR instance_id = ?) GROUP BY kind ORDER BY kind`,
		Args: []any{instance, instance},
		Row: func(scan database.Scan) error {
			var f Failure
			err := scan(&f.Kind, &f.Count, &f.Attempts, &f.Error)
			out = append(out, f)
			return err
		},
	})
	return out, err
}
