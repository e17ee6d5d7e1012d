package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

func verifyCommand() *cobra.Command {
	return command("verify", "Replay the event log and compare it with every table", verify)
}

func verify(s *session) error {
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
	})
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
