//go:build !sabotage_lag

package database

import "context"

// read asks the primary, each time anew: it sees every write that was acknowledged. The other
// build of this function reads what was there a moment ago, as a replica that lags does, and is
// there to show that the tests notice.
func (e *postgresEngine) read(ctx context.Context, queries []Query) error {
	return e.readOn(ctx, e.conns, queries)
}
