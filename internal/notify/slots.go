package notify

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

var slots = eventstore.DeclareEphemeral("message_slots", "instance_id, recipient, slot", "what recipients were sent within the last minute")

// maxPerMinute is the most messages that a recipient is sent within a window: who
// makes others send codes floods nobody.
const (
	maxPerMinute = 3
	window       = time.Minute
)

func token() string { return strings.ToLower(rand.Text()) }

// slot takes one of the recipient's places in this minute. Where none is free it
// says when one will be.
func (w *Worker) slot(ctx context.Context, instance, recipient string) (until time.Time, err error) {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(recipient))))
	key := hex.EncodeToString(sum[:])
	err = w.store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) error {
		until = time.Time{}
		ends := map[int]int64{}
		if err := tx.Read(database.Query{
			SQL: "SELECT slot, expires FROM message_slots WHERE instance_id = ? AND recipient = ? FOR UPDATE", Args: []any{instance, key},
			Row: func(scan database.Scan) error {
				var slot int
				var end int64
				err := scan(&slot, &end)
				ends[slot] = end
				return err
			},
		}); err != nil {
			return err
		}
		end := tx.Now().Add(window).UnixMicro()
		first := end
		for i := range maxPerMinute {
			taken, known := ends[i]
			switch {
			case !known: // Who comes second to the same slot looks again.
				slots.ExecUnique(tx, database.ErrRetry, "INSERT INTO message_slots (instance_id, recipient, slot, expires) VALUES (?, ?, ?, ?)", instance, key, i, end)
				return nil
			case taken <= tx.Now().UnixMicro():
				slots.Exec(tx, "UPDATE message_slots SET expires = ? WHERE instance_id = ? AND recipient = ? AND slot = ?", end, instance, key, i)
				return nil
			}
			first = min(first, taken)
		}
		until = time.UnixMicro(first).UTC()
		return nil
	})
	return until, err
}
