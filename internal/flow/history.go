package flow

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Entry is an event as a history shows it: with the one who caused it, where
// that is a user who still exists.
type Entry struct {
	eventstore.Event
	Editor Person
}

// History lists the events that f selects, in one round trip: of those that the
// instance still shows. Who may see them is the caller's to know.
func History(ctx context.Context, r database.Reader, f eventstore.Filter) ([]Entry, error) {
	if f.Limit == 0 || f.Limit > eventstore.MaxEvents {
		return nil, fault.Invalid("EVENT-limit", "Ask for 1 to %d events at a time.", eventstore.MaxEvents)
	}
	if c := authz.From(ctx); c != nil && c.LogSince.After(f.Since) {
		f.Since = c.LogSince
	}
	var events []eventstore.Event
	editors := map[string]Person{}
	err := r.Read(ctx, f.Search(&events),
		database.From(personColumns, "users u"+personJoins).Where("u.instance_id = ?", f.Instance).
			InSelect("u.user_id", f.Select("creator")).Rows(func(scan database.Scan) error {
			var p Person
			dest, done := personDest(&p)
			if err := scan(dest...); err != nil {
				return err
			}
			_, err := done()
			editors[p.ID] = p
			return err
		}))
	entries := make([]Entry, len(events))
	for i, e := range events {
		entries[i] = Entry{Event: e, Editor: editors[e.Creator]}
	}
	return entries, err
}
