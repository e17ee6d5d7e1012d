package database

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/gatehouse/gatehouse/internal/fault"
)

const (
	// How many writes may share one fsync. More would only delay the first of them.
	maxGroup = 256
	// Prepared statements kept for each connection. Lists build their SQL, so the
	// number of texts is bounded only by the number of filter combinations.
	maxStatements = 300
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
		readers = max(2, runtime.GOMAXPROCS(0))
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

func (e *sqliteEngine) attempt(ctx context.Context, fn func(*Tx) error) error {
	w := &sqliteWrite{ctx: ctx, fn: fn, done: make(chan struct{})}
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
// each closure in a savepoint of one transaction, commits once and only then
// answers all of them.
func (e *sqliteEngine) writeLoop(c *sqliteConn) {
	defer close(e.stopped)
	defer func() { _ = c.Close() }()
	group := make([]*sqliteWrite, 0, maxGroup)
	for {
		select {
		case w := <-e.writes:
			group = append(group[:0], w)
		case <-e.stop:
			return
		}
		e.commitGroup(c, &group)
		for _, w := range group {
			close(w.done)
		}
	}
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
	// e.writes is not closed, so the loop ends when nothing waits any more.
	for n := 0; n < len(*group); n++ { //nolint:intrange // the group grows meanwhile
		e.runOne(c, (*group)[n])
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

func (e *sqliteEngine) runOne(c *sqliteConn, w *sqliteWrite) {
	if err := w.ctx.Err(); err != nil {
		w.err = timedOut(err)
		return
	}
	if w.err = c.run("SAVEPOINT w"); w.err != nil {
		return
	}
	s := &sqliteSession{ctx: w.ctx, conn: c, meter: e.meter}
	func() {
		defer func() { w.panicked = recover() }()
		w.err = w.fn(&Tx{session: s, dia: SQLite})
	}()
	if w.err == nil {
		w.err = s.err
	}
	if w.err != nil || w.panicked != nil {
		w.err = sqliteError(w.ctx, w.err)
		if err := c.run("ROLLBACK TO w"); err != nil {
			w.err = errors.Join(w.err, err)
		}
	}
	if err := c.run("RELEASE w"); err != nil {
		w.err = errors.Join(w.err, err)
	}
}

// sqliteSession runs a transaction's statements at once and keeps the first
// error for the next read or the commit, as the queue of PostgreSQL does.
type sqliteSession struct {
	ctx   context.Context //nolint:containedctx // the transaction's own
	conn  *sqliteConn
	meter *meter
	err   error
}

func (s *sqliteSession) exec(st Statement) {
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

// sqliteConn is a connection with its prepared statements. It is used by one
// goroutine at a time.
type sqliteConn struct {
	*sqlite3.Conn
	prepared map[string]*sqlite3.Stmt
}

func openConn(path string, readOnly bool) (*sqliteConn, error) {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)",
		"foreign_keys(OFF)", "temp_store(MEMORY)", "cache_size(-4000)",
		// Pages of the log, 16 MB, after which a commit copies them into the
		// database: many commits change the same pages, and one copy serves all.
		"wal_autocheckpoint(4000)",
	}}
	if readOnly {
		pragmas.Add("_pragma", "query_only(ON)")
	}
	c, err := sqlite3.Open("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	// A plan is made once for each text. Else SQLite makes another one for each pattern
	// of a LIKE, which takes longer than most statements run.
	if _, err := c.Config(sqlite3.DBCONFIG_ENABLE_QPSG, true); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return &sqliteConn{Conn: c, prepared: map[string]*sqlite3.Stmt{}}, nil
}

// Close releases the connection. The last one of all processes tidies up the log
// of writes.
func (c *sqliteConn) Close() error {
	for _, s := range c.prepared {
		_ = s.Close() // Says only what went wrong when it last ran.
	}
	return c.Conn.Close()
}

// own drops from a text what goes without saying here: the writer is alone, and texts are
// compared by their bytes.
var own = strings.NewReplacer(" FOR UPDATE", "", " FOR SHARE", "", byBytes, "")

func (c *sqliteConn) statement(text string) (*sqlite3.Stmt, error) {
	if s, ok := c.prepared[text]; ok {
		return s, nil
	}
	if len(c.prepared) >= maxStatements {
		for k, s := range c.prepared { // Any victim will do: hot texts come back at once.
			_ = s.Close()
			delete(c.prepared, k)
			break
		}
	}
	s, tail, err := c.PrepareFlags(own.Replace(text), sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	if strings.TrimSpace(tail) != "" {
		return nil, fmt.Errorf("database: more than one statement in %q", text)
	}
	c.prepared[text] = s
	return s, nil
}

func (c *sqliteConn) run(text string) error { return c.exec(Statement{SQL: text}) }

func (c *sqliteConn) exec(st Statement) error {
	s, err := c.bound(st.SQL, st.Args)
	if err != nil {
		return err
	}
	err = s.Exec() // Exec resets the statement.
	if errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) || errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY) {
		return conflict(st, err)
	}
	if err != nil {
		return fmt.Errorf("%w in %q", err, st.SQL)
	}
	return nil
}

func (c *sqliteConn) query(q Query) error {
	s, err := c.bound(q.SQL, q.Args)
	if err != nil {
		return err
	}
	defer func() { _ = s.Reset() }()
	scan := func(dest ...any) error { return scanSQLite(s, dest) }
	for s.Step() {
		if err := q.Row(scan); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%w in %q", err, q.SQL)
	}
	return nil
}

func (c *sqliteConn) bound(text string, args []any) (*sqlite3.Stmt, error) {
	s, err := c.statement(text)
	if err != nil {
		return nil, err
	}
	if n := s.BindCount(); n != len(args) {
		return nil, fmt.Errorf("database: %d arguments for %d parameters in %q", len(args), n, text)
	}
	for i, a := range args {
		if err := bindSQLite(s, i+1, a); err != nil {
			return nil, fmt.Errorf("%w in %q", err, text)
		}
	}
	return s, nil
}

func bindSQLite(s *sqlite3.Stmt, i int, arg any) error {
	switch v := arg.(type) {
	case nil:
		return s.BindNull(i)
	case string:
		return s.BindText(i, v)
	case []byte:
		return s.BindBlob(i, v)
	case bool:
		return s.BindBool(i, v)
	case int:
		return s.BindInt64(i, int64(v))
	case int64:
		return s.BindInt64(i, v)
	case uint64:
		return s.BindInt64(i, int64(v)) //nolint:gosec // sequences stay below 2^63
	default:
		return fmt.Errorf("database: cannot bind a %T", arg)
	}
}

func scanSQLite(s *sqlite3.Stmt, dest []any) error {
	for i, d := range dest {
		switch d := d.(type) {
		case *string:
			*d = s.ColumnText(i)
		case *[]byte:
			*d = s.ColumnBlob(i, nil)
		case *bool:
			*d = s.ColumnBool(i)
		case *int:
			*d = s.ColumnInt(i)
		case *int64:
			*d = s.ColumnInt64(i)
		case *uint64:
			*d = uint64(s.ColumnInt64(i)) //nolint:gosec // sequences stay below 2^63
		case *any:
			*d = nil
			switch s.ColumnType(i) {
			case sqlite3.NULL:
			case sqlite3.INTEGER:
				*d = s.ColumnInt64(i)
			default:
				*d = s.ColumnText(i)
			}
		case **string:
			*d = nil
			if s.ColumnType(i) != sqlite3.NULL {
				v := s.ColumnText(i)
				*d = &v
			}
		case **int64:
			*d = nil
			if s.ColumnType(i) != sqlite3.NULL {
				v := s.ColumnInt64(i)
				*d = &v
			}
		default:
			return fmt.Errorf("database: cannot scan into a %T", d)
		}
	}
	return nil
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
