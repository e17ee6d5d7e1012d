package eventstore

import "github.com/gatehouse/gatehouse/internal/database"

// noDigest is the digest of an event that never had a payload.
var noDigest = digestOf(nil)

// Erased reports whether the event had a payload that was taken away.
func (e *Event) Erased() bool { return len(e.Payload) == 0 && e.digest != noDigest }

// Blank says that the fold knows what to do with an event whose payload was erased:
// it gets the zero value. Replay passes over other events that were.
func (k *Kind[P]) Blank() *Kind[P] {
	k.blank = true
	return k
}

// Log begins a list of events e of an instance, for Erase.
func Log(instance string) *database.Select {
	return database.From("e.position", "events e").Where("e.instance_id = ?", instance)
}

// Erase takes the payload of at most so many events of a list away, for good, and
// reports whether there may be more. The digest and all else stay, so that the chain
// holds. Tables must not rest on these payloads any more: an event that Replay
// passes over must be of an aggregate that is gone, or of a kind that is Blank.
func (tx *Tx) Erase(events *database.Select, most uint64) (more bool, err error) {
	var positions []any
	err = tx.Read(events.Only("e.position").Where("e.payload <> ''").Page(0, most).Rows(func(scan database.Scan) error {
		var position int64
		err := scan(&position)
		positions = append(positions, position)
		return err
	}))
	if err != nil {
		return false, err
	}
	for _, position := range positions {
		tx.db.Exec(database.Statement{SQL: "UPDATE events SET payload = '' WHERE position = ?", Args: []any{position}})
	}
	return uint64(len(positions)) == most, nil
}
