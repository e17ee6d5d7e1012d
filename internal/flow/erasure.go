package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

// jobErase is the job that takes what the log tells about users away who were removed.
const jobErase = "user.erase"

type erasedUsers struct {
	Users []user.Ended `json:"users"`
	At    time.Time    `json:"at"` // when they were removed
}

const (
	// eraseBatch is the most events that one transaction erases.
	eraseBatch = 500
	// eraseRun is the most transactions of one run of the job.
	eraseRun = 50
	// erasePause is how long the job waits for sessions to end.
	erasePause = 5 * time.Second
)

// erases reports whether users who are removed are erased.
func erases(tx *eventstore.Tx, instance string) (bool, error) {
	p, err := policy.Erasure.Resolve(tx.Context(), tx.Reader(), instance)
	return p.Doc.OnRemoval(), err
}

// eraseUsers lets a job erase users whom the transaction removes: the log can be long.
func eraseUsers(tx *eventstore.Tx, instance string, ended ...user.Ended) error {
	return tx.Job(instance, jobErase, erasedUsers{ended, tx.Now()}, tx.Now())
}

// erase is the work of jobErase. It is done once nothing is left to erase and nothing
// more can come: calls that were let in before have ended, and so have the sessions.
func erase(store *eventstore.Store) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		var p erasedUsers
		if err := j.Into(&p); err != nil {
			return again, err
		}
		for range eraseRun {
			var more, open bool
			if err := store.Write(ctx, func(tx *eventstore.Tx) (err error) {
				more, open, err = p.some(tx, j.Instance)
				return err
			}); err != nil {
				return again, err
			}
			last := p.At.Add(2 * lastCall)
			switch {
			case more:
			case open:
				return store.Now().Add(erasePause), nil
			case store.Now().Before(last):
				return last, nil
			default:
				return again, nil
			}
		}
		return store.Now(), nil
	}
}

// some erases some of what is left, and reports whether there may be more, and
// whether sessions of the users have not ended yet.
func (p erasedUsers) some(tx *eventstore.Tx, instance string) (more, open bool, err error) {
	if more, err = user.EraseSome(tx, instance, p.Users, eraseBatch); err != nil || more {
		return more, false, err
	}
	ids := make([]string, len(p.Users))
	for i, u := range p.Users {
		ids[i] = u.ID
	}
	return session.EraseSome(tx, instance, ids, p.At, eraseBatch)
}
