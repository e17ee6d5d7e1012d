//go:build sabotage_lag

package database

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// replica is a view of the data that lags, by this much at most.
var replica struct {
	sync.Mutex
	tx    pgx.Tx
	until time.Time
}

const lag = 100 * time.Millisecond

// read asks the replica. No server is built like this: see make chaos-sabotage.
func (e *postgresEngine) read(ctx context.Context, queries []Query) error {
	replica.Lock()
	defer replica.Unlock()
	if time.Now().After(replica.until) {
		if replica.tx != nil {
			_ = replica.tx.Rollback(context.Background())
		}
		var err error
		if replica.tx, err = e.conns.Load().BeginTx(context.Background(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead}); err != nil {
			return postgresError(ctx, err)
		}
		replica.until = time.Now().Add(lag)
	}
	err := e.readOn(context.WithoutCancel(ctx), replica.tx, queries)
	if err != nil {
		replica.until = time.Time{}
	}
	return err
}
