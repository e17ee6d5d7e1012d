package database

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// sqliteConn is a connection with its prepared statements. It is used by one
// goroutine at a time.
type sqliteConn struct {
	*sqlite3.Conn
	prepared map[string]*sqlite3.Stmt
}

const (
	// longLog is how many pages the log of writes has, 16 MB, when a commit copies them into the
	// database: many commits change the same pages, and one copy serves all.
	longLog = 4000
	// pageSize is that of databases and, with what describes it, of their logs.
	pageSize = 4096 + 24
)

// leaveRoom has the log brought into the database also before it takes the room that this needs:
// a disk that is full of the log would stay full.
func (c *sqliteConn) leaveRoom(path string) {
	c.WALHook(func(_ *sqlite3.Conn, schema string, pages int) error {
		free, err := FreeSpace(path)
		if pages >= longLog || err == nil && free < uint64(pages)*pageSize { //nolint:gosec // no log has less than no page
			_, _, _ = c.WALCheckpoint(schema, sqlite3.CHECKPOINT_PASSIVE) // What it leaves there is not lost.
		}
		return nil
	})
}

func openConn(path string, readOnly bool) (*sqliteConn, error) {
	pragmas := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)",
		"foreign_keys(OFF)", "temp_store(MEMORY)", "cache_size(-4000)",
		fmt.Sprintf("wal_autocheckpoint(%d)", longLog),
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
