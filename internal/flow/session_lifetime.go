package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/session"
)

// A session that has expired lets nobody in, so nothing happens to it by itself. Only where
// applications are to be told of its end does it end like one that somebody logged out of:
// by a job that is due then.

// jobLifetime is the job that ends a session at the end of its lifetime.
const jobLifetime = "session.lifetime"

type lifetime struct {
	SessionID string `json:"sessionId"`
}

func endAtLifetime(tx *eventstore.Tx, instance, sessionID string, at time.Time) error {
	return tx.Job(instance, jobLifetime, lifetime{sessionID}, at)
}

// setLifetime makes a session end so long from now. Nobody is to be told of a new one yet;
// that another one has got more time is what the job that there is finds out.
func setLifetime(tx *eventstore.Tx, s *session.Session, isNew bool, lasts time.Duration) error {
	ends := tx.Now().Add(lasts)
	err := s.SetLifetime(tx, lasts)
	if err == nil && !isNew && (s.Expires.IsZero() || ends.Before(s.Expires)) {
		err = endAtLifetime(tx, s.Instance, s.ID, ends)
	}
	return err
}

// endByLifetime is the work of jobLifetime: it ends the session, unless nobody is to be told
// or it got more time meanwhile.
func endByLifetime(store *eventstore.Store) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		var p lifetime
		if err := j.Into(&p); err != nil {
			return again, err
		}
		ctx = eventstore.WithOrigin(authz.AsSystem(ctx, j.Instance), eventstore.Origin{})
		err = store.Write(ctx, func(tx *eventstore.Tx) error {
			var ended bool
			ended, again, err = session.EndExpired(tx, j.Instance, p.SessionID)
			if err == nil && ended {
				err = oauth.EndOfSession(tx, j.Instance, p.SessionID, oauth.ReasonExpired)
			}
			return err
		})
		return again, err
	}
}
