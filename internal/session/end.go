package session

import (
	"errors"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/logout"
)

// Gone is who is gone: a user, or an organization with its users.
type Gone struct {
	UserID string `json:"userId,omitempty"`
	Org    string `json:"orgId,omitempty"`
	// At is when that was: who was made later is somebody else.
	At time.Time `json:"at"`
}

// EndSome ends at most so many sessions of those who are gone, and reports whether
// there may be more. What the caller may remove, they may remove with its sessions.
func EndSome(tx *eventstore.Tx, instance string, g Gone, most uint64) (more bool, err error) {
	q := database.From("session_id", "sessions").Where("instance_id = ? AND ended = 0 AND user_since <= ?", instance, g.At.UnixMicro())
	if g.UserID != "" {
		q.Where("user_id = ?", g.UserID)
	} else {
		q.Where("user_org = ?", g.Org)
	}
	var ids []string
	if err := tx.Read(q.Order("session_id").Page(0, most).Rows(func(scan database.Scan) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})); err != nil {
		return false, err
	}
	for _, id := range ids {
		if err := end(tx, instance, id); err != nil {
			return false, err
		}
	}
	var told logout.List
	if len(ids) > 0 {
		if err := tx.Read(told.OfSessions(instance, ids...)); err != nil {
			return false, err
		}
	}
	return uint64(len(ids)) == most, told.Queue(tx, instance)
}

// EraseSome takes away what at most so many events tell of the sessions of users who
// went at a time: what they were in, and what was pinned to them. It reports whether
// there may be more, and whether sessions have not ended yet: those are for later.
func EraseSome(tx *eventstore.Tx, instance string, users []string, at time.Time, most uint64) (more, open bool, err error) {
	of := func(ended int) *database.Select {
		return database.From("s.session_id", "sessions s").
			Where("s.instance_id = ? AND s.ended = ? AND s.user_since <= ?", instance, ended, at.UnixMicro()).In("s.user_id", users)
	}
	if err := tx.Read(of(0).Page(0, 1).Rows(func(database.Scan) error { open = true; return nil })); err != nil {
		return false, open, err
	}
	more, err = tx.Erase(eventstore.Log(instance).Where("e.aggregate_type = 'session'").
		In("e.type", []string{Added.Name(), MetadataSet.Name()}).InSelect("e.aggregate_id", of(1)), most)
	return more, open, err
}

// end looks at a session under its lock: somebody may have ended it meanwhile.
func end(tx *eventstore.Tx, instance, id string) error {
	open := false
	_, err := tx.Lock(aggregate(instance, id),
		database.One(&open, "SELECT session_id FROM sessions WHERE instance_id = ? AND session_id = ? AND ended = 0", []any{instance, id}, new(string)))
	if err == nil && open {
		_, err = Terminated.Emit(tx, aggregate(instance, id), eventstore.None{})
	}
	return err
}

// AskEnd asks when a session expires; out stays zero where it does not.
func AskEnd(instance, id string, out *time.Time) database.Query {
	*out = time.Time{} // The transaction may run again.
	return database.Query{
		SQL: "SELECT expires FROM sessions WHERE instance_id = ? AND session_id = ?", Args: []any{instance, id},
		Row: func(scan database.Scan) error {
			var expires int64
			err := scan(&expires)
			*out = at(expires)
			return err
		},
	}
}

// EndExpired ends a session whose lifetime has passed, as if somebody logged out, where
// applications are to be told of that. Where it has not passed, later is when it will have.
func EndExpired(tx *eventstore.Tx, instance, id string) (ended bool, later time.Time, err error) {
	var told logout.List
	tx.Ahead(told.OfSessions(instance, id))
	s, err := lock(tx, instance, id, ToDelete, "")
	switch {
	case errors.Is(err, errMissing):
		return false, later, nil
	case err != nil || s.Ended || s.Expires.IsZero() || !told.Any():
		return false, later, err
	case !s.Expired(tx.Now()):
		return false, s.Expires, nil
	}
	if _, err = Terminated.Emit(tx, aggregate(instance, id), eventstore.None{}); err == nil {
		err = told.Queue(tx, instance)
	}
	return err == nil, later, err
}
