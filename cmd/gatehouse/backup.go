package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/database"
)

func backupCommand() *cobra.Command {
	c := &cobra.Command{Use: "backup FILE", Short: "Copy the embedded database to a new file, while a server runs or not", Args: cobra.ExactArgs(1)}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := newSession(cmd)
		if err != nil {
			return err
		}
		return backup(s, args[0])
	}
	return c
}

func backup(s *session, file string) error {
	if !s.embedded() {
		return s.Errorf("database.url", "%v", database.ErrEmbeddedOnly)
	}
	db, err := s.openExisting()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if err := db.Backup(s.ctx, file); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s exists already: a backup never replaces a file", file)
		}
		return err
	}
	events, err := database.Check(s.ctx, file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s: %d events, %d kB, intact.\n", file, events, (info.Size()+999)/1000)
	return nil
}

func restoreCommand() *cobra.Command {
	c := &cobra.Command{Use: "restore FILE", Short: "Put a backup in the place of the embedded database, which is kept aside", Args: cobra.ExactArgs(1)}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := newSession(cmd)
		if err != nil {
			return err
		}
		return restore(s, args[0])
	}
	return c
}

func restore(s *session, file string) error {
	if !s.embedded() {
		return s.Errorf("database.url", "%v", database.ErrEmbeddedOnly)
	}
	unlock, err := s.prepare()
	if err != nil {
		return err
	}
	defer unlock()
	_, err = os.Stat(s.databaseFile())
	replaced := err == nil
	aside := s.databaseFile() + ".before-" + time.Now().UTC().Format("20060102T150405.000") //nolint:forbidigo // names a file
	if err := database.Restore(s.ctx, file, s.databaseFile(), aside); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s is restored from %s.\n", s.databaseFile(), file)
	if replaced {
		fmt.Fprintf(s.out, "The former database is kept as %s: remove it when it is not needed.\n", aside)
	}
	return nil
}
