package eventstore

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Filter selects events. Zero fields do not filter.
type Filter struct {
	Instance       string
	AggregateTypes []string
	AggregateID    string
	Owner          string
	Creator        string
	Types          []string
	// FromSequence and From bound from below or, with Desc, from above; both are
	// exclusive. Until bounds the time from the other side, inclusive.
	FromSequence uint64
	From, Until  time.Time
	Desc         bool
	Offset       uint64
	Limit        uint64
}

// MaxEvents is the most events that one search returns.
const MaxEvents = 1000

// Search lists the events that f selects, in the order of their positions.
func (s *Store) Search(ctx context.Context, f Filter) ([]Event, error) {
	if f.Limit == 0 || f.Limit > MaxEvents {
		return nil, fault.Invalid("EVENT-limit", "Ask for 1 to %d events at a time.", MaxEvents)
	}
	events, rows := collect(f)
	if err := s.Read(ctx, rows); err != nil {
		return nil, err
	}
	return *events, nil
}

func collect(f Filter) (*[]Event, database.Query) {
	var out []Event
	q := database.From(eventColumns, "events")
	if f.Instance != "" {
		q.Where("instance_id = ?", f.Instance)
	}
	if len(f.AggregateTypes) > 0 {
		q.In("aggregate_type", f.AggregateTypes)
	}
	if f.AggregateID != "" {
		q.Where("aggregate_id = ?", f.AggregateID)
	}
	if f.Owner != "" {
		q.Where("owner = ?", f.Owner)
	}
	if f.Creator != "" {
		q.Where("creator = ?", f.Creator)
	}
	if len(f.Types) > 0 {
		q.In("type", f.Types)
	}
	after, before, order := " > ?", " <= ?", "position"
	if f.Desc {
		after, before, order = " < ?", " >= ?", "position DESC"
	}
	if f.FromSequence > 0 {
		q.Where("sequence"+after, f.FromSequence)
	}
	if !f.From.IsZero() {
		q.Where("created"+after, f.From.UnixMicro())
	}
	if !f.Until.IsZero() {
		q.Where("created"+before, f.Until.UnixMicro())
	}
	return &out, q.Order(order).Page(f.Offset, f.Limit).Rows(func(scan database.Scan) error {
		e, err := scanEvent(scan)
		out = append(out, e)
		return err
	})
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
