package session

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
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
	return uint64(len(ids)) == most, nil
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
