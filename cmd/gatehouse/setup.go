package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/server"
)

// tokenFile holds the token of the first administrator, in the data folder.
const tokenFile = "admin.token"

func setupCommand() *cobra.Command {
	c := command("setup", "Prepare the database and the first instance, and end", setup)
	c.Flags().String("external-url", "", "URL under which clients will reach the server (default http://localhost)")
	return c
}

func setup(s *session) error {
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
	if _, err := db.Migrate(s.ctx); err != nil {
		return s.Errorf("database.url", "%s", oneLine(err))
	}
	v, err := s.vault(db)
	if err != nil {
		return err
	}
	external := s.ExternalURL
	if external == "" {
		external = "http://localhost"
	}
	store, err := s.ledger(db)
	if err != nil {
		return err
	}
	created, err := s.firstInstance(store, v, external)
	switch {
	case err != nil:
		return err
	case !created:
		fmt.Fprintln(s.out, "There is an instance already: nothing to do.")
	default:
		fmt.Fprintf(s.out, "The first instance is ready at %s. Its administrator's token is in %s.\n", hostOf(external), s.path(tokenFile))
	}
	return nil
}

// ledger is the store of a command that may run beside servers, and goes by their time.
func (s *session) ledger(db *database.DB) (*eventstore.Store, error) {
	clock := database.NewClock(db, nil)
	store := eventstore.New(db, clock.Now)
	return store, server.BeginClock(s.ctx, store, clock)
}

// firstInstance makes the first instance where there is none, and reports whether
// it did. Either the token's file and the instance are there in the end, or neither.
func (s *session) firstInstance(store *eventstore.Store, v *crypto.Vault, external string) (bool, error) {
	n, err := instance.Count(s.ctx, store)
	if err != nil || n > 0 {
		return false, err
	}
	path := s.path(tokenFile)
	// A token that is there belongs to no instance of this database; perhaps to one
	// of another.
	if err := os.Rename(path, path+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	_, err = flow.Setup(s.ctx, store, v, "Gatehouse", hostOf(external), func(token string) error { return keepSecret(path, token) })
	if err == nil {
		return true, nil
	}
	err = errors.Join(err, forget(path))
	// Another node may have been first.
	if n, cerr := instance.Count(s.ctx, store); cerr == nil && n > 0 {
		return false, nil
	}
	return false, err
}

// keepSecret writes a secret to a new file that only its owner can read.
func keepSecret(path, secret string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = f.WriteString(secret + "\n")
	if err = errors.Join(err, f.Sync(), f.Close(), syncFolder(path)); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), forget(path))
	}
	return nil
}

// syncFolder puts the name of a new file on the disk.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// forget removes the file of a secret that came to nothing.
func forget(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds a secret that is not valid: %w", filepath.Base(path), err)
	}
	return nil
}
