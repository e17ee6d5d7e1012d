//go:build !sabotage_ackfirst

package database

// commit ends the transaction that the writes of group are in. None of them is answered before
// it has returned: what is acknowledged is on the disk. The other build of this function answers
// first, and is there to show that the tests notice.
func (c *sqliteConn) commit([]*sqliteWrite) error { return c.run("COMMIT") }

// commit sends what is queued, and commits.
func (s *postgresSession) commit() error { return s.send(nil, true) }
