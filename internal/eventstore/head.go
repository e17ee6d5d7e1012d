package eventstore

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Head says what the log was at a moment: all its events, in their order. Whoever can
// write to the database can write another log, with hashes and tables that fit it, or an
// older one. Neither has a head that somebody kept elsewhere.
type Head struct {
	Events, Position uint64
	Hash             string // of all positions and hashes of events up to Position
}

// String is the head as ParseHead reads it.
func (h Head) String() string { return fmt.Sprintf("%d-%d-%s", h.Events, h.Position, h.Hash) }

// ParseHead reads a head.
func ParseHead(text string) (Head, error) {
	var h Head
	if _, err := fmt.Sscanf(text, "%d-%d-%64s", &h.Events, &h.Position, &h.Hash); err != nil || len(h.Hash) != 2*sha256.Size || h.String() != text {
		return h, fmt.Errorf("%q is no head of a log: it must be as gatehouse verify printed it", text)
	}
	return h, nil
}

// with is the head of a log with one event more.
func (h Head) with(e Event) Head {
	buf := binary.BigEndian.AppendUint64([]byte(h.Hash), e.Position)
	sum := sha256.Sum256(append(buf, e.Hash...))
	return Head{Events: h.Events + 1, Position: e.Position, Hash: hex.EncodeToString(sum[:])}
}

// settling is how long a transaction may take at most before the position of its events
// is final, with the clocks of nodes apart. On PostgreSQL a transaction that took its
// positions earlier may commit later.
const settling = 10 * time.Minute

// heads follows the log and holds it against heads of before.
type heads struct {
	now     Head
	final   time.Time // events of before do not get new neighbours; zero: none does
	settled bool      // now is as far as it goes
	known   map[uint64][]Head
}

func newHeads(db *database.DB, now time.Time, known []Head) *heads {
	h := &heads{known: map[uint64][]Head{}}
	if db.Dialect() != database.SQLite {
		h.final = now.Add(-settling)
	}
	for _, k := range known {
		h.known[k.Position] = append(h.known[k.Position], k)
	}
	return h
}

func (h *heads) add(e Event, problem func(string, ...any)) {
	if h.settled = h.settled || !h.final.IsZero() && !e.Created.Before(h.final); h.settled {
		return
	}
	h.now = h.now.with(e)
	for _, k := range h.known[e.Position] {
		if k != h.now {
			problem("up to position %d the log is not the one that had the head %s: it has %s", e.Position, k, h.now)
		}
	}
	delete(h.known, e.Position)
}

// rest reports the heads that the log does not reach.
func (h *heads) rest(problem func(string, ...any)) {
	for _, list := range h.known {
		for _, k := range list {
			if k != (Head{}) {
				problem("the log had the head %s, and has no event at position %d now", k, k.Position)
			}
		}
	}
}
