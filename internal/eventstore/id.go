package eventstore

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// An id has 63 bits: 39 of time in units of 10 ms, 8 of a counter, 16 of the
// node. They last until the year 2199.
const (
	idTick      = 10 * time.Millisecond
	idNodes     = 1 << 16
	idLease     = 10 * time.Minute
	idRenew     = 5 * time.Minute
	idSequences = 1 << 8
)

var idEpoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// idSource hands out ids under a node number that it leases in the database.
type idSource struct {
	db    *database.DB
	clock func() time.Time

	lease sync.Mutex // held while leasing
	mu    sync.Mutex
	node  int64
	token string
	until time.Time
	renew time.Time
	tick  int64
	count int64
}

// ready makes sure that the lease holds, renewing it in good time.
func (s *idSource) ready(ctx context.Context) error {
	s.mu.Lock()
	fine := s.token != "" && s.clock().Before(s.renew)
	s.mu.Unlock()
	if fine {
		return nil
	}
	s.lease.Lock()
	defer s.lease.Unlock()
	s.mu.Lock()
	now, node, token := s.clock(), s.node, s.token
	fine = token != "" && now.Before(s.renew)
	s.mu.Unlock()
	if fine {
		return nil
	}
	if token == "" {
		token = rand.Text()
	}
	err := s.db.Write(ctx, func(tx *database.Tx) error {
		var held bool
		var holder string
		if err := tx.Read(database.One(&held, "SELECT token FROM nodes WHERE id = ? AND token = ? FOR UPDATE", []any{node, token}, &holder)); err != nil {
			return err
		}
		if !held { // The lowest number that is free or whose lease ran out.
			free, taken := int64(1), map[int64]bool{}
			err := tx.Read(database.Query{
				SQL: "SELECT id FROM nodes WHERE until >= ?", Args: []any{now.UnixMicro()},
				Row: func(scan database.Scan) error {
					var id int64
					err := scan(&id)
					taken[id] = true
					return err
				},
			})
			if err != nil {
				return err
			}
			for taken[free] {
				free++
			}
			if free >= idNodes {
				return fault.Exhausted("ID-NODES", "More than %d processes run on this database.", idNodes-1)
			}
			node = free
			tx.Exec(database.Statement{SQL: "DELETE FROM nodes WHERE id = ? AND until < ?", Args: []any{node, now.UnixMicro()}})
			tx.Exec(database.Statement{
				SQL: "INSERT INTO nodes (id, token, until) VALUES (?, ?, ?)", Args: []any{node, token, now.Add(idLease).UnixMicro()},
				Conflict: database.ErrRetry,
			})
			return nil
		}
		tx.Exec(database.Statement{SQL: "UPDATE nodes SET until = ? WHERE id = ?", Args: []any{now.Add(idLease).UnixMicro(), node}})
		return nil
	})
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.token != "" && now.Before(s.until) {
			return nil // The lease still holds; the next write tries again.
		}
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.node, s.token, s.until, s.renew = node, token, now.Add(idLease), now.Add(idRenew)
	return nil
}

func (s *idSource) next() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tick := int64(s.clock().Sub(idEpoch) / idTick)
	if tick > s.tick {
		s.tick, s.count = tick, 0
	} else if s.count++; s.count == idSequences { // Borrow from the next tick rather than wait.
		s.tick, s.count = s.tick+1, 0
	}
	return strconv.FormatInt(s.tick<<24|s.count<<16|s.node, 10)
}

func microTime(us int64) time.Time { return time.UnixMicro(us).UTC() }

// CheckID refuses ids, chosen by somebody, that a path could not name.
func CheckID(id string) error {
	if id == "" || len(id) > 200 || strings.ContainsFunc(id, func(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return fault.Invalid("ID-form", "An id has 1 to 200 bytes, no white space and no slash.")
	}
	return nil
}
