package eventstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Filter selects events of one instance. Other zero fields do not filter.
type Filter struct {
	Instance       string
	AggregateTypes []string
	AggregateID    string
	Owner          string
	Creator        string
	Types          []string
	// Mentions is JSON text that the payload must contain, such as "key":"value".
	Mentions string
	// AfterSequence and AfterTime are where an earlier page ended, in the order
	// that Asc gives: what they name is not part of the result.
	AfterSequence uint64
	AfterTime     time.Time
	// Since and Until bound the time, inclusively.
	Since, Until time.Time
	// Asc lists the oldest event first, not the newest.
	Asc   bool
	Limit uint64 // 1 to MaxEvents
}

// MaxEvents is the most events that one search returns.
const MaxEvents = 1000

// Search is the query for the events that f selects, in the order of their times and, of
// those that happened at once, of their positions.
func (f Filter) Search(events *[]Event) database.Query {
	return f.Select(eventColumns).Rows(func(scan database.Scan) error {
		e, err := scanEvent(scan)
		*events = append(*events, e)
		return err
	})
}

// Select is the list of the columns of the events that f selects. Each condition has an index
// in the order of time, but for the object: it has few events, in which no other index is to
// search, and its sequence is the order of time.
func (f Filter) Select(columns string) *database.Select {
	q := database.From(columns, "events").Uneven().Where("instance_id = ?", f.Instance)
	by, unindexed := "created", ""
	if f.AggregateID != "" {
		q.Where("aggregate_id = ?", f.AggregateID)
		unindexed = " || ''"
		if len(f.AggregateTypes) == 1 {
			by = "sequence"
		}
	}
	for _, equal := range []struct{ column, value string }{{"owner", f.Owner}, {"creator", f.Creator}} {
		if equal.value != "" {
			q.Where(equal.column+unindexed+" = ?", equal.value)
		}
	}
	for _, one := range []struct {
		column string
		of     []string
	}{{"aggregate_type", f.AggregateTypes}, {"type", f.Types}} {
		switch {
		case len(one.of) == 0:
		case f.AggregateID == "":
			q.Each(one.column, one.of)
		case one.column == "aggregate_type":
			q.In(one.column, one.of)
		default:
			q.In(one.column+unindexed, one.of)
		}
	}
	if f.Mentions != "" {
		q.Where("replace(payload, ?, '') <> payload", f.Mentions)
	}
	after, order := " < ?", by+" DESC, position DESC"
	if f.Asc {
		after, order = " > ?", by+", position"
	}
	if f.AfterSequence > 0 {
		q.Where("sequence"+after, f.AfterSequence)
	}
	if !f.AfterTime.IsZero() {
		q.Where("created"+after, f.AfterTime.UnixMicro())
	}
	if !f.Since.IsZero() {
		q.Where("created >= ?", f.Since.UnixMicro())
	}
	if !f.Until.IsZero() {
		q.Where("created <= ?", f.Until.UnixMicro())
	}
	return q.Order(order).Page(0, f.Limit)
}

const eventColumns = "position, instance_id, aggregate_type, aggregate_id, sequence, type, owner, creator, created, payload, digest, hash"

func scanEvent(scan database.Scan) (Event, error) {
	var e Event
	var created int64
	var payload string
	err := scan(&e.Position, &e.Instance, &e.Aggregate.Type, &e.ID, &e.Sequence, &e.Type,
		&e.Owner, &e.Creator, &created, &payload, &e.digest, &e.Hash)
	e.Created, e.Payload = microTime(created), []byte(payload)
	return e, err
}

// LastEvent is the position and the time of the newest event of all.
func (s *Store) LastEvent(ctx context.Context) (position uint64, at time.Time, err error) {
	err = s.Read(ctx, database.From("position, created", "events").Order("position DESC").Page(0, 1).
		Rows(func(scan database.Scan) error {
			var created int64
			err := scan(&position, &created)
			at = microTime(created)
			return err
		}))
	return position, at, err
}

// Visible is the event's payload as readers of the log may see it: without the
// values that its kind declares to be secret.
func (e *Event) Visible() (map[string]any, error) {
	if len(e.Payload) == 0 {
		return nil, nil
	}
	var out map[string]any
	if err := json.Unmarshal(e.Payload, &out); err != nil {
		return nil, fmt.Errorf("payload of event %d: %w", e.Position, err)
	}
	if k, ok := kinds[e.Type]; ok {
		for _, key := range k.secrets() {
			delete(out, key)
		}
	}
	return out, nil
}
