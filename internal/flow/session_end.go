package flow

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/session"
)

// jobSessions is the job that ends sessions of a user or an organization that was
// removed: where there are many, and those that calls made which were let in before.
const jobSessions = "session.end"

type goneSessions struct {
	session.Gone
	Creator string `json:"creator"` // who removed the user or the organization
}

// sessionBatch is the most sessions that one transaction ends.
const sessionBatch = 200

// endSessions ends the sessions of those whom the transaction removes: at once or,
// where there are many, by a job. None of them lets anybody in, in any case.
func endSessions(tx *eventstore.Tx, instance string, g session.Gone) error {
	g.At = tx.Now()
	more, err := session.EndSome(tx, instance, g, sessionBatch)
	if err != nil {
		return err
	}
	due := tx.Now()
	if !more {
		due = due.Add(lastCall)
	}
	return tx.Job(instance, jobSessions, goneSessions{g, tx.Creator()}, due)
}

// endMoreSessions is the work of jobSessions.
func endMoreSessions(store *eventstore.Store) job.Work {
	some := inBatches(store, func(p goneSessions) string { return p.Creator }, func(tx *eventstore.Tx, instance string, p goneSessions) (bool, error) {
		return session.EndSome(tx, instance, p.Gone, sessionBatch)
	})
	return func(ctx context.Context, j job.Job) (time.Time, error) {
		var p goneSessions
		again, err := some(ctx, j)
		if err == nil && again.IsZero() {
			err = json.Unmarshal(j.Payload, &p)
		}
		if last := p.At.Add(lastCall); err == nil && again.IsZero() && store.Now().Before(last) {
			again = last // What is written until then ends in one more run.
		}
		return again, err
	}
}

// inBatches is the work of a job that does some of it in each transaction, for whom
// by names, and reports whether there is more.
func inBatches[P any](store *eventstore.Store, by func(P) string, some func(tx *eventstore.Tx, instance string, p P) (more bool, err error)) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		var p P
		if err := j.Into(&p); err != nil {
			return again, err
		}
		ctx = eventstore.WithOrigin(authz.AsSystem(ctx, j.Instance), eventstore.Origin{Creator: by(p)})
		more := false
		err = store.Write(ctx, func(tx *eventstore.Tx) error {
			more, err = some(tx, j.Instance, p)
			return err
		})
		if more {
			again = store.Now()
		}
		return again, err
	}
}
