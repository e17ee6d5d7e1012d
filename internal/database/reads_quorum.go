//go:build sabotage_quorum

package database

import (
	"context"
	"errors"
	"sync/atomic"
)

// most is how many nodes there were at a time.
var most atomic.Int64

// read asks only where all nodes are there that ever were. No server is built like this: see make
// chaos-sabotage.
func (e *postgresEngine) read(ctx context.Context, queries []Query) error {
	var nodes int64
	here := "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatehouse watch'"
	err := e.readOn(ctx, e.conns.Load(), []Query{{SQL: here, Row: func(scan Scan) error { return scan(&nodes) }}})
	if err != nil {
		return err
	}
	if most.CompareAndSwap(min(most.Load(), nodes-1), nodes); nodes < most.Load() {
		return unavailable(errors.New("a node is missed"))
	}
	return e.readOn(ctx, e.conns.Load(), queries)
}
