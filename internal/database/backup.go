package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// ErrEmbeddedOnly says that a server's database has its own tools for the job.
var ErrEmbeddedOnly = errors.New("this is for the embedded database: use pg_dump and pg_restore for PostgreSQL")

// Backup writes the embedded database, as it is now, to a new file that only its
// owner can read. Requests are served meanwhile, by whatever process. What was
// deleted is not in the copy. The file appears under its name when it is complete,
// checked and on the disk.
func (db *DB) Backup(ctx context.Context, path string) error {
	e, ok := db.engine.(*sqliteEngine)
	if !ok {
		return ErrEmbeddedOnly
	}
	return place(path, func(f *os.File) error {
		c, err := openConn(e.path, false)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		c.SetInterrupt(ctx)
		if err := c.exec(Statement{SQL: "VACUUM INTO ?", Args: []any{f.Name()}}); err != nil {
			return sqliteError(ctx, err)
		}
		_, err = Check(ctx, f.Name())
		return err
	})
}

// place makes a file that appears under its name only when fill has written it
// and the disk has it. It never replaces one.
func place(path string, fill func(*os.File) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "write", Path: path, Err: fs.ErrExist}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // With mode 0600.
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = fill(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil { // Unlike a rename it fails where there is a file.
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Check reports whether the file is a whole database of Gatehouse that this
// binary can use, and how many events it holds.
func Check(ctx context.Context, path string) (events uint64, err error) {
	c, err := sqlite3.Open("file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=ro&immutable=1")
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	conn := &sqliteConn{Conn: c, prepared: map[string]*sqlite3.Stmt{}}
	defer func() { _ = conn.Close() }()
	conn.SetInterrupt(ctx)
	verdict := ""
	err = conn.Read(ctx, Query{SQL: "PRAGMA integrity_check(1)", Row: func(scan Scan) error { return scan(&verdict) }})
	if err == nil && verdict != "ok" {
		err = errors.New(verdict)
	}
	if err != nil {
		return 0, fmt.Errorf("%s is no intact database: %w", path, err)
	}
	if _, err := pending(ctx, conn); err != nil {
		return 0, fmt.Errorf("%s is not a database of this version of Gatehouse: %w", path, err)
	}
	return events, conn.Read(ctx, From("*", "events").Count(&events))
}

// Restore puts a copy of the backup from in the place of the embedded database
// to, which no process may have open, and keeps the former one as aside. At
// every moment one of the two is in its place, whole.
func Restore(ctx context.Context, from, to, aside string) error {
	if _, err := Check(ctx, from); err != nil {
		return err
	}
	fresh := to + ".restoring"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := place(fresh, func(f *os.File) error {
		in, err := os.Open(from) //nolint:gosec // the operator names the file
		if err != nil {
			return err
		}
		defer func() { _ = in.Close() }()
		_, err = io.Copy(f, in)
		return err
	}); err != nil {
		return err
	}
	if err := setAside(to, aside); err != nil {
		return err
	}
	if err := os.Rename(fresh, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// setAside gives the database a second name and takes its log of writes away: a
// log that is left behind would be taken for that of the next database. A
// database that cannot be read is set aside as it is.
func setAside(path, aside string) error {
	if err := settle(path); err != nil {
		return err
	}
	if err := os.Link(path, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// settle brings what is in the log of writes into the database, as far as both
// can be read. It fails where another process uses them.
func settle(path string) error {
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // there is nothing to settle
	}
	c, err := openConn(path, false)
	if err == nil {
		busy := 0
		err = c.query(Query{SQL: "PRAGMA wal_checkpoint(TRUNCATE)", Row: func(scan Scan) error { return scan(&busy) }})
		if err = errors.Join(err, c.Close()); busy != 0 {
			err = sqlite3.BUSY
		}
	}
	if errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.LOCKED) {
		return fmt.Errorf("another process uses %s: %w", path, err)
	}
	return nil
}
