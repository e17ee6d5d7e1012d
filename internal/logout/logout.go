// Package logout is which applications are told that somebody is logged out (OpenID
// Connect Back-Channel Logout 1.0): those that were given tokens in a session, and
// registered where to be told. What is to be told is queued until after the commit; the
// protocol server sends it.
//
// It stands below the aggregates, since sessions end in one of them and users stop in
// another one.
package logout

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

func init() {
	eventstore.DeclareTable("session_logouts", "instance_id, session_id, client_id", "user_id, issuer, created, sequence")
}

// Job is the job that tells one application of one session. Its payload is a Notice.
const Job = "session.logout"

// Notice says what an application is to be told.
type Notice struct {
	SessionID string    `json:"sessionId"`
	ClientID  string    `json:"clientId"`
	At        time.Time `json:"at"` // since when the user is logged out
}

// Application is one that is to be told when a session ends.
type Application struct {
	ClientID string `json:"clientID"`
	UserID   string `json:"userID"`
	Issuer   string `json:"issuer"` // as the application knows it
}

type ended struct {
	ClientID string `json:"clientID"`
	Reason   string `json:"reason,omitempty"`
}

// The events of what is told about a session.
var (
	Registered = eventstore.Declare("session_logout.back_channel.registered", func(f *eventstore.Fold, a Application) error {
		f.Exec(`INSERT INTO session_logouts (instance_id, session_id, client_id, user_id, issuer, created, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (instance_id, session_id, client_id) DO UPDATE SET user_id = excluded.user_id, issuer = excluded.issuer, created = excluded.created, sequence = excluded.sequence`,
			f.Instance, f.ID, a.ClientID, a.UserID, a.Issuer, f.Micros(), f.Sequence)
		return nil
	})
	// Sent is that the application knows.
	Sent = eventstore.Declare("session_logout.back_channel.sent", forget)
	// GivenUp is that the application will not know.
	GivenUp = eventstore.Declare("session_logout.back_channel.given_up", forget)
)

func forget(f *eventstore.Fold, e ended) error {
	f.Exec("DELETE FROM session_logouts WHERE instance_id = ? AND session_id = ? AND client_id = ?", f.Instance, f.ID, e.ClientID)
	return nil
}

func aggregate(instance, sessionID string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "session_logout", ID: sessionID, Owner: instance}
}

// Of asks for an application that is to be told of a session's end.
func Of(instance, sessionID, clientID string, a *Application, found *bool) database.Query {
	return database.One(found, "SELECT client_id, user_id, issuer FROM session_logouts WHERE instance_id = ? AND session_id = ? AND client_id = ?",
		[]any{instance, sessionID, clientID}, &a.ClientID, &a.UserID, &a.Issuer)
}

// Register notes an application that got tokens in a session. That it is known already
// is fine: then it is not new. also are queries that travel along.
func Register(tx *eventstore.Tx, instance, sessionID string, a Application, also ...database.Query) (isNew bool, err error) {
	var known Application
	found := false
	at := aggregate(instance, sessionID)
	if _, err := tx.Lock(at, append(also, Of(instance, sessionID, a.ClientID, &known, &found))...); err != nil || found && known == a {
		return false, err
	}
	_, err = Registered.Emit(tx, at, a)
	return !found, err
}

// Told notes that an application knows or, for a reason, never will.
func Told(tx *eventstore.Tx, instance, sessionID, clientID, reason string) error {
	var known Application
	found := false
	at := aggregate(instance, sessionID)
	if _, err := tx.Lock(at, Of(instance, sessionID, clientID, &known, &found)); err != nil || !found {
		return err
	}
	kind := Sent
	if reason != "" {
		kind = GivenUp
	}
	_, err := kind.Emit(tx, at, ended{clientID, reason})
	return err
}

// List is who is to be told, read before what they are told of happens.
type List struct{ of []Notice }

// OfSessions asks who is to be told when sessions end.
func (l *List) OfSessions(instance string, ids ...string) database.Query {
	return l.which("session_id", instance, ids)
}

// OfUser asks who is to be told, for each session, when a user cannot go on, be it for a
// while.
func (l *List) OfUser(instance, id string) database.Query {
	return l.which("user_id", instance, []string{id})
}

func (l *List) which(column, instance string, ids []string) database.Query {
	l.of = nil
	return database.From("session_id, client_id", "session_logouts").Where("instance_id = ?", instance).In(column, ids).Order("session_id, client_id").
		Rows(func(scan database.Scan) error {
			var n Notice
			err := scan(&n.SessionID, &n.ClientID)
			l.of = append(l.of, n)
			return err
		})
}

// Any reports whether anybody is to be told.
func (l *List) Any() bool { return len(l.of) > 0 }

// Queue queues what they are told.
func (l *List) Queue(tx *eventstore.Tx, instance string) error {
	for _, n := range l.of {
		n.At = tx.Now()
		if err := tx.Job(instance, Job, n, n.At); err != nil {
			return err
		}
	}
	return nil
}
