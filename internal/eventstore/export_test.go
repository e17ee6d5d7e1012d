package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
)

var errRefused = errors.New("the payload has another form")

// Replayed folds one event with any payload in a transaction that is rolled back. An error
// that is no error of the payload's form is one of the fold.
func Replayed(ctx context.Context, db *database.DB, name string, a Aggregate, payload []byte) (form, fold error) {
	err := db.DryRun(ctx, func(db *database.Tx) error {
		tx := &Tx{ctx: ctx, db: db, heads: map[Aggregate]*head{}, replay: true}
		if _, err := tx.Lock(a); err != nil {
			return err
		}
		e := Event{Aggregate: a, Position: 1, Sequence: 1, Type: name, Created: time.Unix(1_700_000_000, 0), Payload: payload, digest: digestOf(payload)}
		if form = kinds[name].(interface{ form(payload []byte) error }).form(payload); form != nil {
			return errRefused // Nothing is folded.
		}
		fold = kinds[name].replay(&Fold{Event: e, tx: tx})
		return fold
	})
	if fold == nil && !errors.Is(err, errRefused) {
		fold = err
	}
	return form, fold
}

// form reads a payload and writes it again.
func (k *Kind[P]) form(payload []byte) error {
	_, err := k.Again(payload)
	return err
}

// Again is a payload as the kind writes what it read.
func (*Kind[P]) Again(payload []byte) ([]byte, error) {
	var p P
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &p); err != nil {
			return nil, err
		}
	}
	return json.Marshal(p)
}

// Written is Again of the kind with a name.
func Written(name string, payload []byte) ([]byte, error) {
	return kinds[name].(interface {
		Again(payload []byte) ([]byte, error)
	}).Again(payload)
}
