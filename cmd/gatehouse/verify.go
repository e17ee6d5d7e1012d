package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

func verifyCommand() *cobra.Command {
	c := &cobra.Command{Use: "verify", Short: "Replay the event log and compare it with every table", Args: cobra.NoArgs}
	heads := c.Flags().String("heads", "", "file of heads of the log from earlier checks: hold the log against them, and add the one of now")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := newSession(cmd)
		if err != nil {
			return err
		}
		return verify(s, *heads)
	}
	return c
}

func verify(s *session, headsFile string) error {
	known, err := readHeads(headsFile)
	if err != nil {
		return err
	}
	db, err := s.openExisting()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	scratch, remove, err := s.scratch()
	if err != nil {
		return err
	}
	defer remove()
	begun := time.Now() //nolint:forbidigo // measures the check
	said := begun
	report, err := eventstore.New(db, nil).Verify(s.ctx, scratch, func(done uint64) {
		if now := time.Now(); now.Sub(said) > time.Second { //nolint:forbidigo // measures the check
			said = now
			fmt.Fprintf(s.out, "%d events replayed in %s\n", done, now.Sub(begun).Round(time.Second))
		}
	}, known...)
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		fmt.Fprintln(s.out, "PROBLEM:", p)
	}
	if len(report.Problems) > 0 {
		return errors.New("the tables are not what the events say")
	}
	took := time.Since(begun).Round(10 * time.Millisecond) //nolint:forbidigo // measures the check
	fmt.Fprintf(s.out, "Clean: %d events, %d tables, checked in %s.\n", report.Events, report.Tables, took)
	if headsFile == "" {
		return nil
	}
	if report.Head == (eventstore.Head{}) { // A file with it could not be read again.
		fmt.Fprintf(s.out, "The log has the %d heads of before. It is too young for a head of now.\n", len(known))
		return nil
	}
	fmt.Fprintf(s.out, "The log has the %d heads of before. Its head is %s.\n", len(known), report.Head)
	return addHead(headsFile, known, report.Head)
}

// readHeads reads a head a line. There is none in a file that is not there yet.
func readHeads(file string) (heads []eventstore.Head, err error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range strings.Lines(string(data)) {
		h, err := eventstore.ParseHead(strings.TrimSpace(line))
		if err != nil {
			return nil, fmt.Errorf("--heads: %s: %w", file, err)
		}
		heads = append(heads, h)
	}
	if err != nil {
		err = fmt.Errorf("--heads: %w", err)
	}
	return heads, err
}

// addHead writes a head behind the others, where it is a new one.
func addHead(file string, known []eventstore.Head, h eventstore.Head) error {
	if slices.Contains(known, h) {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // the operator names the file
	if err == nil {
		_, err = fmt.Fprintln(f, h)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("--heads: %w", err)
	}
	return nil
}

// scratch is an empty database for the replay, and what removes it.
func (s *session) scratch() (*database.DB, func(), error) {
	dir, err := os.MkdirTemp("", "gatehouse-verify-")
	if err != nil {
		return nil, nil, fmt.Errorf("scratch folder: %w", err)
	}
	db, err := database.Open(s.ctx, database.Config{URL: filepath.Join(dir, "scratch.db")})
	if err == nil {
		_, err = db.Migrate(s.ctx)
	}
	remove := func() {
		if db != nil {
			_ = db.Close()
		}
		_ = os.RemoveAll(dir)
	}
	if err != nil {
		remove()
		return nil, nil, fmt.Errorf("scratch database: %w", err)
	}
	return db, remove, nil
}
