package database

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/process"
)

// postgresEngine runs on a pool of connections. Statements travel in pipelines:
// a transaction's begin goes with its first read, its writes and its commit go
// together.
type postgresEngine struct {
	config  *pgxpool.Config
	conns   atomic.Pointer[pgxpool.Pool]
	retired sync.WaitGroup // pools that close
	watch   *watch
	// writers has a place for each connection that transactions may have: the others are for
	// reads, which wait for no lock.
	writers  chan struct{}
	patience time.Duration // for a place
	meter    *meter
	texts    sync.Map // text with ? -> text with $n

	commits atomic.Uint64
	looking atomic.Bool
	looks   sync.WaitGroup // see grown
}

func openPostgres(ctx context.Context, c Config, meter *meter) (*postgresEngine, error) {
	cfg, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if c.MaxConns > 0 {
		cfg.MaxConns = int32(min(c.MaxConns, 1000))
	} else if !strings.Contains(c.URL, "pool_max_conns") {
		cfg.MaxConns = int32(max(16, 4*process.Cores)) //nolint:gosec // bounded by the machine
	}
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	// A connection whose other end is gone without a word is replaced, and does not cost
	// a call all of its time.
	cfg.PingTimeout = 2 * time.Second
	for k, v := range map[string]string{
		"statement_timeout":                   "10000",
		"lock_timeout":                        "8000",
		"idle_in_transaction_session_timeout": "15000",
		"default_transaction_isolation":       "read committed",
		"application_name":                    "gatehouse",
		// Every statement is written for its index; planning it anew for each
		// value costs more than running it.
		"plan_cache_mode": "force_generic_plan",
	} {
		if _, set := cfg.ConnConfig.RuntimeParams[k]; !set {
			cfg.ConnConfig.RuntimeParams[k] = v
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to database: %w", err)
	}
	most := int(cfg.MaxConns)
	e := &postgresEngine{
		config: cfg, meter: meter,
		writers: make(chan struct{}, max(1, most-max(1, most/4))), patience: cmp.Or(c.Patience, time.Second),
	}
	e.conns.Store(pool)
	e.watch = newWatch(cfg.ConnConfig, e.renew)
	return e, nil
}

// renew begins with new connections. Those that wait for a server which says nothing would be
// counted for as long as it takes to end them in order.
func (e *postgresEngine) renew() {
	fresh, err := pgxpool.NewWithConfig(context.Background(), e.config)
	if err != nil {
		return // The configuration was good before.
	}
	old := e.conns.Swap(fresh)
	e.retired.Go(old.Close)
}

func (e *postgresEngine) dialect() Dialect { return PostgreSQL }

func (e *postgresEngine) close() error {
	e.looks.Wait()
	e.conns.Load().Close()
	e.retired.Wait()
	return nil
}

func (e *postgresEngine) pool() Pool {
	s := e.conns.Load().Stat()
	return Pool{Used: int(s.AcquiredConns()), Max: int(s.MaxConns())}
}

func (e *postgresEngine) watched(ctx context.Context) { e.watch.run(ctx) }

func (e *postgresEngine) ping(ctx context.Context) error {
	ctx, done, err := e.watch.while(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := e.conns.Load().Ping(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

var errBusy = fault.Exhausted("DB-busy", "The server has more to do than it can. Try again in a moment.")

// enter waits for a turn to have a transaction.
func (e *postgresEngine) enter(ctx context.Context) error {
	select {
	case e.writers <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(e.patience)
	defer patience.Stop()
	select {
	case e.writers <- struct{}{}:
		return nil
	case <-patience.C:
		return errBusy
	case <-ctx.Done():
		return postgresError(ctx, ctx.Err())
	}
}
