package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

func (e *postgresEngine) readOn(ctx context.Context, on querier, queries []Query) error {
	ctx, done, err := e.watch.while(ctx)
	if err != nil {
		return err
	}
	defer done()
	start := e.meter.begin()
	err = e.readAll(ctx, on, queries)
	e.meter.end(ctx, "read", start, 0, err)
	return err
}

// planAnew has the queries behind it, up to the end of the transaction, planned for their
// arguments.
var planAnew = Query{SQL: "SELECT set_config('plan_cache_mode', 'force_custom_plan', TRUE)", Row: func(Scan) error { return nil }}

func (e *postgresEngine) readAll(ctx context.Context, on querier, queries []Query) error {
	if slices.ContainsFunc(queries, func(q Query) bool { return q.Uneven }) {
		queries = append([]Query{planAnew}, queries...)
	}
	if len(queries) == 1 { // The usual case needs no batch.
		rows, err := on.Query(ctx, e.text(queries[0].SQL), queries[0].Args...)
		if err == nil {
			err = each(rows, queries[0].Row)
		}
		return postgresError(ctx, err)
	}
	b := &pgx.Batch{}
	for _, q := range queries {
		b.Queue(e.text(q.SQL), q.Args...)
	}
	res := on.SendBatch(ctx, b)
	defer func() { _ = res.Close() }()
	for _, q := range queries {
		rows, err := res.Query()
		if err == nil {
			err = each(rows, q.Row)
		}
		if err != nil {
			return postgresError(ctx, fmt.Errorf("%w in %q", err, q.SQL))
		}
	}
	return nil
}

// postgresSnapshot reads in a transaction that sees one state.
type postgresSnapshot struct {
	e  *postgresEngine
	tx pgx.Tx
}

// Read runs the queries on the snapshot.
func (s postgresSnapshot) Read(ctx context.Context, queries ...Query) error {
	return s.e.readOn(ctx, s.tx, queries)
}

func (e *postgresEngine) snapshot(ctx context.Context, fn func(Reader) error) error {
	tx, err := e.conns.Load().BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return postgresError(ctx, err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	// A check of a large log pauses between its reads for longer than a request may.
	if _, err := tx.Exec(ctx, "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		return postgresError(ctx, err)
	}
	return fn(postgresSnapshot{e: e, tx: tx})
}

func each(rows pgx.Rows, row func(Scan) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (e *postgresEngine) attempt(ctx context.Context, fn func(*Tx) error, _ bool) (err error) {
	ctx, done, err := e.watch.while(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := e.enter(ctx); err != nil {
		return err
	}
	defer func() { <-e.writers }()
	conn, err := e.conns.Load().Acquire(ctx)
	if err != nil {
		return postgresError(ctx, err)
	}
	defer conn.Release()
	s := &postgresSession{ctx: ctx, e: e, conn: conn}
	ended := false
	defer func() { // Also when fn panics.
		if s.begun && !ended {
			// The caller may be gone; the connection must be clean all the same.
			clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			defer context.AfterFunc(e.watch.speech(), cancel)()
			e.meter.begin()
			if _, rerr := conn.Exec(clean, "rollback"); rerr != nil {
				_ = conn.Conn().Close(clean)
			}
		}
	}()
	if err := fn(&Tx{session: s, dia: PostgreSQL}); err != nil {
		return postgresError(ctx, err)
	}
	if !s.begun && len(s.queue) == 0 {
		return nil
	}
	if err := s.commit(); err != nil {
		return postgresError(ctx, err)
	}
	ended = true
	e.grown()
	return nil
}

// postgresSession queues a transaction's writes until a read or the commit
// needs a round trip anyway.
type postgresSession struct {
	ctx   context.Context //nolint:containedctx // the transaction's own
	e     *postgresEngine
	conn  *pgxpool.Conn
	begun bool
	queue []Statement
}

func (s *postgresSession) exec(st Statement) { s.queue = append(s.queue, st) }

func (s *postgresSession) read(queries []Query) error { return s.send(queries, false) }

func (s *postgresSession) send(queries []Query, commit bool) error {
	kind, writes := "transaction", 0
	if commit {
		kind, writes = "commit", 1
	}
	start := s.e.meter.begin()
	err := s.exchange(queries, commit)
	s.e.meter.end(s.ctx, kind, start, writes, err)
	return err
}

func (s *postgresSession) exchange(queries []Query, commit bool) error {
	b := &pgx.Batch{}
	begin := !s.begun
	if begin {
		b.Queue("begin")
	}
	for _, st := range s.queue {
		b.Queue(s.e.text(st.SQL), st.Args...)
	}
	for _, q := range queries {
		b.Queue(s.e.text(q.SQL), q.Args...)
	}
	if commit {
		b.Queue("commit")
	}
	s.begun = true
	queue := s.queue
	s.queue = nil
	res := s.conn.SendBatch(s.ctx, b)
	defer func() { _ = res.Close() }()
	if begin {
		if _, err := res.Exec(); err != nil {
			return err
		}
	}
	for _, st := range queue {
		if _, err := res.Exec(); err != nil {
			if isCode(err, "23505") {
				return conflict(st, err)
			}
			return fmt.Errorf("%w in %q", err, st.SQL)
		}
	}
	for _, q := range queries {
		rows, err := res.Query()
		if err == nil {
			err = each(rows, q.Row)
		}
		if err != nil {
			return fmt.Errorf("%w in %q", err, q.SQL)
		}
	}
	if commit {
		tag, err := res.Exec()
		if err != nil {
			return err
		}
		if tag.String() != "COMMIT" { // A failed transaction answers a commit with ROLLBACK.
			return fmt.Errorf("database: commit answered %q", tag.String())
		}
	}
	return res.Close()
}

// text rewrites ? to $1, $2, ….
func (e *postgresEngine) text(sql string) string {
	if t, ok := e.texts.Load(sql); ok {
		return t.(string) //nolint:forcetypeassert // only strings are stored
	}
	var b strings.Builder
	n := 0
	for _, r := range held(sql) {
		if r == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		} else {
			b.WriteRune(r)
		}
	}
	e.texts.Store(sql, b.String())
	return b.String()
}

func isCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, c := range codes {
		if strings.HasPrefix(pg.Code, c) {
			return true
		}
	}
	return false
}

// postgresError gives the meaning of what PostgreSQL said; other errors pass.
func postgresError(ctx context.Context, err error) error {
	var f *fault.Error
	switch {
	case err == nil, errors.Is(err, ErrRetry), errors.Is(err, errRollback), errors.As(err, &f):
		return err
	case isCode(err, "40001", "40P01"):
		return fmt.Errorf("%w: %w", ErrRetry, err)
	case errors.Is(context.Cause(ctx), errSilent), errors.Is(err, puddle.ErrClosedPool):
		return unavailable(err)
	case isCode(err, "57014", "55P03"), ctx.Err() != nil:
		return timedOut(err)
	case isCode(err, "53"):
		return fault.Unavailable("DB-FULL", "The database is out of resources.").Because(err)
	case isCode(err, "57", "08", "25006"):
		return unavailable(err)
	}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) || !errors.As(err, &pg) && pgconn.SafeToRetry(err) {
		return unavailable(err)
	}
	var network interface{ Timeout() bool }
	// The end of a connection in the middle of an answer has no type of its own.
	if errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return unavailable(err)
	}
	return err
}
