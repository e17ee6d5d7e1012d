package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/config"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/telemetry"
)

// session is one run of a command: its configuration and where it writes.
type session struct {
	*config.Config
	ctx context.Context //nolint:containedctx // a session is one call
	out io.Writer
}

// flagKeys are the settings that have a flag.
var flagKeys = map[string]string{"data": "data", "database": "database.url", "listen": "listen", "external-url": "external_url"}

func newSession(cmd *cobra.Command) (*session, error) {
	c, err := config.Load(input(cmd))
	if err != nil {
		return nil, err
	}
	slog.SetDefault(slog.New(logHandler(os.Stderr, c.Log)))
	return &session{Config: c, ctx: cmd.Context(), out: cmd.OutOrStdout()}, nil
}

func input(cmd *cobra.Command) config.Input {
	in := config.Input{Env: os.Environ(), Flags: map[string]string{}}
	in.File, _ = cmd.Flags().GetString("config")
	for flag, key := range flagKeys {
		if f := cmd.Flags().Lookup(flag); f != nil && f.Changed {
			in.Flags[key] = f.Value.String()
		}
	}
	return in
}

func logHandler(w io.Writer, c config.Log) slog.Handler {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil { // The configuration is checked.
		panic(err)
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

// embedded reports whether the database is the one in the data folder.
func (s *session) embedded() bool { return s.Database.URL == "" }

// path is a file in the data folder.
func (s *session) path(name string) string { return filepath.Join(s.Data, name) }

func (s *session) databaseFile() string { return s.path("gatehouse.db") }

// makeData makes the data folder, which only its owner can look into.
func (s *session) makeData() error {
	err := os.MkdirAll(s.Data, 0o700)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(s.Data, ".probe*"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		return s.Errorf("data", "the folder cannot be written: %v", err)
	}
	return nil
}

// open opens the database, and makes an embedded one where there is none.
func (s *session) open(t *telemetry.Telemetry) (*database.DB, error) {
	c := database.Config{URL: string(s.Database.URL), Readers: s.Database.Connections, MaxConns: s.Database.Connections}
	if s.embedded() {
		c.URL = s.databaseFile()
	}
	if t != nil {
		c.Observe = t.Trip
	}
	db, err := database.Open(s.ctx, c)
	if err != nil {
		return nil, s.Errorf("database.url", "%s", oneLine(err))
	}
	return db, nil
}

// openExisting opens the database where there is one.
func (s *session) openExisting() (*database.DB, error) {
	if _, err := os.Stat(s.databaseFile()); s.embedded() && errors.Is(err, fs.ErrNotExist) {
		return nil, s.Errorf("data", "there is no database in %s: gatehouse start makes one", s.Data)
	}
	return s.open(nil)
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
