//go:build sabotage_ackfirst

package database

import (
	"context"
	"sync/atomic"
	"time"
)

// early is by how much writes are answered before their commit, once so many commits were
// honest: a server must be able to start.
const (
	early  = 20 * time.Millisecond
	honest = 100
)

var commits atomic.Int64

// commit answers first. No server is built like this: see make chaos-sabotage.
func (c *sqliteConn) commit(group []*sqliteWrite) error {
	if commits.Add(1) < honest {
		return c.run("COMMIT")
	}
	for _, w := range group {
		w.done <- struct{}{}
	}
	time.Sleep(early)
	return c.run("COMMIT")
}

// commit answers first.
func (s *postgresSession) commit() error {
	if commits.Add(1) < honest {
		return s.send(nil, true)
	}
	if err := s.send(nil, false); err != nil {
		return err
	}
	conn := s.conn.Hijack()
	go func() {
		time.Sleep(early)
		_, _ = conn.Exec(context.Background(), "commit")
		_ = conn.Close(context.Background())
	}()
	return nil
}
