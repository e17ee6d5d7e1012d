//go:build !sabotage_lag && !sabotage_quorum

package database

import "context"

// read asks the primary, each time anew: it sees every write that was acknowledged. One other
// build of this function reads what was there a moment ago, as a replica that lags does, and one
// needs every node: they are there to show that the tests notice.
func (e *postgresEngine) read(ctx context.Context, queries []Query) error {
	return e.readOn(ctx, e.conns.Load(), queries)
}
