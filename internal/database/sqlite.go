package database

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/process"
)

const (
	// How many writes may share one fsync. More would only delay the first of them.
	maxGroup = 256
	// Prepared statements kept for each connection. Lists build their SQL, so the
	// number of texts is bounded only by the number of filter combinations.
	maxStatements = 300
	// How long nobody must have written before the log of writes is brought into the
	// database and emptied: until then it holds what was overwritten and deleted.
	quiet = 5 * time.Second
	// How long a connection waits for a lock that another process holds.
	busyTimeout = 10 * time.Second
)

// sqliteEngine is one writer and a bounded pool of readers on one file in WAL
// mode with synchronous FULL: an acknowledged write survives a power failure.
type sqliteEngine struct {
	path    string
	meter   *meter
	readers chan *sqliteConn // a nil entry stands for a connection not yet opened
	writes  chan *sqliteWrite
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

// sqliteWrite is one closure that waits for the writer.
type sqliteWrite struct {
	ctx      context.Context //nolint:containedctx // travels to the writer with its closure
	fn       func(*Tx) error
	undone   bool // a dry run
	err      error
	panicked any
	done     chan struct{}
}

func openSQLite(c Config, meter *meter) (*sqliteEngine, error) {
	// The file is created here, so that it is never readable by others.
	f, err := os.OpenFile(c.URL, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	readers := c.Readers
	if readers <= 0 {
		// Readers that saturate every core would starve the writer's fsync.
		readers = max(2, process.Cores)
	}
	e := &sqliteEngine{
		path: c.URL, meter: meter,
		readers: make(chan *sqliteConn, readers),
		writes:  make(chan *sqliteWrite, maxGroup),
		stop:    make(chan struct{}), stopped: make(chan struct{}),
	}
	for range readers {
		e.readers <- nil
	}
	writer, err := openConn(c.URL, false)
	if err != nil {
		return nil, err
	}
	writer.leaveRoom(c.URL)
	go e.writeLoop(writer)
	return e, nil
}

func (e *sqliteEngine) dialect() Dialect { return SQLite }

func (e *sqliteEngine) close() error {
	e.once.Do(func() {
		close(e.stop)
		<-e.stopped
		for range cap(e.readers) {
			if c := <-e.readers; c != nil {
				_ = c.Close()
			}
		}
	})
	return nil
}

func (e *sqliteEngine) pool() Pool {
	return Pool{Used: cap(e.readers) - len(e.readers), Max: cap(e.readers)}
}

// watched has nothing to do: the database is in this process.
func (e *sqliteEngine) watched(context.Context) {}

func (e *sqliteEngine) ping(ctx context.Context) error {
	return e.read(ctx, []Query{{SQL: "SELECT 1", Row: func(Scan) error { return nil }}})
}

func (e *sqliteEngine) read(ctx context.Context, queries []Query) error {
	var c *sqliteConn
	select {
	case c = <-e.readers:
	case <-ctx.Done():
		return timedOut(ctx.Err())
	case <-e.stop:
		return unavailable(errors.New("database closed"))
	}
	defer func() { e.readers <- c }()
	if c == nil {
		opened, err := openConn(e.path, true)
		if err != nil {
			return unavailable(err)
		}
		c = opened
	}
	start := e.meter.begin()
	c.SetInterrupt(ctx)
	defer c.SetInterrupt(context.Background())
	err := c.readTogether(ctx, queries)
	e.meter.end(ctx, "read", start, 0, err)
	return err
}

// readTogether makes queries that see one state of the database, and lock it once.
func (c *sqliteConn) readTogether(ctx context.Context, queries []Query) (err error) {
	if len(queries) < 2 {
		return c.Read(ctx, queries...)
	}
	if err := c.run("BEGIN"); err != nil {
		return sqliteError(ctx, err)
	}
	defer func() {
		c.SetInterrupt(context.Background()) // What began must end.
		if end := c.run("COMMIT"); err == nil && end != nil {
			err = sqliteError(ctx, end)
		}
	}()
	return c.Read(ctx, queries...)
}

// Read makes a connection a Reader, for snapshots.
func (c *sqliteConn) Read(ctx context.Context, queries ...Query) error {
	for _, q := range queries {
		if err := c.query(q); err != nil {
			return sqliteError(ctx, err)
		}
	}
	return nil
}

func (e *sqliteEngine) snapshot(ctx context.Context, fn func(Reader) error) error {
	c, err := openConn(e.path, true)
	if err != nil {
		return unavailable(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.run("BEGIN"); err != nil {
		return sqliteError(ctx, err)
	}
	return fn(c)
}

func (e *sqliteEngine) attempt(ctx context.Context, fn func(*Tx) error, undone bool) error {
	w := &sqliteWrite{ctx: ctx, fn: fn, undone: undone, done: make(chan struct{})}
	select {
	case e.writes <- w:
	case <-ctx.Done():
		return timedOut(ctx.Err())
	case <-e.stop:
		return unavailable(errors.New("database closed"))
	}
	select {
	case <-w.done: // Not before: the closure may still run, and its outcome is what counts.
	case <-e.stopped:
		select {
		case <-w.done:
		default:
			return unavailable(errors.New("database closed"))
		}
	}
	if w.panicked != nil {
		panic(w.panicked)
	}
	return w.err
}

// writeLoop owns the only connection that writes. It takes whatever waits, runs
// each closure in one transaction, commits once and only then answers all of them.
func (e *sqliteEngine) writeLoop(c *sqliteConn) {
	defer close(e.stopped)
	defer func() { _ = c.Close() }()
	group, wait := make([]*sqliteWrite, 0, maxGroup), quiet
	for {
		select {
		case w := <-e.writes:
			group = append(group[:0], w)
			wait = quiet
		case <-time.After(wait):
			if c.emptyLog() {
				wait = forever
			}
			continue
		case <-e.stop:
			return
		}
		e.commitGroup(c, &group)
		for _, w := range group {
			close(w.done)
		}
	}
}

const forever = time.Duration(math.MaxInt64)

// emptyLog brings the log of writes into the database, where no reader needs it, so that
// nothing is on the disk that was overwritten or deleted: that is zeros in the database.
func (c *sqliteConn) emptyLog() bool {
	busy := 1
	err := errors.Join(
		c.BusyTimeout(0), // Nobody waits for it.
		c.query(Query{SQL: "PRAGMA wal_checkpoint(TRUNCATE)", Row: func(scan Scan) error { return scan(&busy) }}),
		c.BusyTimeout(busyTimeout))
	return err == nil && busy == 0
}

// commitGroup fills in the outcome of every write in group, which it extends
// with those that arrive while it works.
func (e *sqliteEngine) commitGroup(c *sqliteConn, group *[]*sqliteWrite) {
	fail := func(err error) {
		for _, w := range *group {
			w.err = sqliteError(w.ctx, err)
		}
	}
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		fail(err)
		return
	}
	careful := false
	// e.writes is not closed, so the loop ends when nothing waits any more.
	for n := 0; n < len(*group); n++ {
		if !e.runOne(c, (*group)[n], careful) {
			_ = c.run("ROLLBACK") // Fails where SQLite has rolled back already.
			if err := c.run("BEGIN IMMEDIATE"); err != nil {
				fail(err)
				return
			}
			if n > 0 { // The writes before it are undone, too: all run once more.
				careful, n = true, -1
				continue
			}
		}
		for more := true; more && len(*group) < maxGroup; {
			select {
			case w := <-e.writes:
				*group = append(*group, w)
			default:
				more = false
			}
		}
	}
	start := e.meter.begin()
	err := c.commit(*group)
	if err != nil {
		_ = c.run("ROLLBACK")
		fail(err)
	}
	e.meter.end((*group)[0].ctx, "commit", start, len(*group), err)
}

// runOne runs a write in the transaction that is open, and reports whether only that
// is left in it which shall stay. A savepoint sees to that where care is asked for: it
// costs a tenth of a write, for what nearly never happens.
func (e *sqliteEngine) runOne(c *sqliteConn, w *sqliteWrite, careful bool) (clean bool) {
	w.panicked = nil
	if err := w.ctx.Err(); err != nil {
		w.err = timedOut(err)
		return true
	}
	careful = careful || w.undone
	if careful {
		if w.err = c.run("SAVEPOINT w"); w.err != nil {
			return true
		}
	}
	s := &sqliteSession{ctx: w.ctx, conn: c, meter: e.meter}
	func() {
		defer func() { w.panicked = recover() }()
		w.err = w.fn(&Tx{session: s, dia: SQLite})
	}()
	if w.err == nil {
		w.err = s.err
	}
	failed := w.err != nil || w.panicked != nil
	w.err = sqliteError(w.ctx, w.err)
	if !careful {
		return !failed || !s.wrote
	}
	if failed {
		w.err = errors.Join(w.err, c.run("ROLLBACK TO w"))
	}
	if err := c.run("RELEASE w"); err != nil {
		w.err = errors.Join(w.err, err)
	}
	return true
}

// sqliteSession runs a transaction's statements at once and keeps the first
// error for the next read or the commit, as the queue of PostgreSQL does.
type sqliteSession struct {
	ctx   context.Context //nolint:containedctx // the transaction's own
	conn  *sqliteConn
	meter *meter
	wrote bool
	err   error
}

func (s *sqliteSession) exec(st Statement) {
	s.wrote = true
	if s.err == nil {
		s.err = s.conn.exec(st)
	}
}

func (s *sqliteSession) read(queries []Query) error {
	if s.err != nil {
		return s.err
	}
	start := s.meter.begin()
	var err error
	for _, q := range queries {
		if err = s.conn.query(q); err != nil {
			break
		}
	}
	s.meter.end(s.ctx, "transaction", start, 0, err)
	return err
}

// sqliteError gives the meaning of what SQLite said; other errors pass.
func sqliteError(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, ErrRetry):
		return err
	case errors.Is(err, sqlite3.INTERRUPT):
		return timedOut(errors.Join(err, ctx.Err()))
	case errors.Is(err, sqlite3.FULL):
		return fault.Unavailable("DB-FULL", "The disk that holds the database is full.").Because(err)
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return fmt.Errorf("%w: %w", ErrRetry, err)
	case errors.Is(err, sqlite3.IOERR), errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.READONLY):
		return unavailable(err)
	}
	return err
}
