package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func migrateCommand() *cobra.Command {
	return command("migrate", "Bring the database's schema up to date", migrate)
}

func migrate(s *session) error {
	unlock, err := s.prepare()
	if err != nil {
		return err
	}
	defer unlock()
	db, err := s.open(nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	taken, err := db.Migrate(s.ctx)
	for _, m := range taken {
		fmt.Fprintf(s.out, "applied %d %s\n", m.Version, m.Name)
	}
	if err == nil && len(taken) == 0 {
		fmt.Fprintln(s.out, "The schema is up to date.")
	}
	return err
}
