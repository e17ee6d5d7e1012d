package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
)

// keyFile holds the master key, in the data folder, where the configuration gives
// none.
const keyFile = "master.key"

// vault opens the database's vault with the master key. A database that has no
// vault yet gets one, and a master key where there is none.
func (s *session) vault(db *database.DB) (*crypto.Vault, error) {
	key, err := s.masterKey(db)
	if err != nil {
		return nil, err
	}
	v, err := crypto.OpenVault(s.ctx, db, key)
	if errors.Is(err, crypto.ErrMaster) {
		return nil, s.Errorf("master_key", "%v", crypto.ErrMaster)
	}
	return v, err
}

func (s *session) masterKey(db *database.DB) (crypto.MasterKey, error) {
	path, text := s.path(keyFile), string(s.MasterKey)
	if text == "" {
		data, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
		if errors.Is(err, fs.ErrNotExist) {
			return s.newMasterKey(db, path)
		}
		if err != nil {
			return crypto.MasterKey{}, s.Errorf("data", "%v", err)
		}
		text = string(data)
	}
	key, err := crypto.ParseMasterKey(text)
	if err != nil && s.MasterKey == "" {
		return key, s.Errorf("data", "%s: %v", path, err)
	}
	if err != nil {
		return key, s.Errorf("master_key", "%v", err)
	}
	return key, nil
}

// newMasterKey makes the master key of a new database. An old one was made under
// another, which no new key can replace.
func (s *session) newMasterKey(db *database.DB, path string) (crypto.MasterKey, error) {
	exists, err := crypto.HasVault(s.ctx, db)
	if err != nil {
		return crypto.MasterKey{}, err
	}
	if exists {
		return crypto.MasterKey{}, s.Errorf("master_key",
			"this database was made under a master key, and there is none in %s: give the key of the node that made it", path)
	}
	key, err := crypto.NewMasterKey()
	if err != nil {
		return key, err
	}
	return key, keepSecret(path, key.Secret())
}

func vaultCommand() *cobra.Command {
	c := &cobra.Command{Use: "vault", Short: "The keys that seal secrets in the database"}
	c.AddCommand(
		command("rotate", "Seal with a new key from now on; older keys go on opening what they sealed", vaultRotate),
		command("rekey", "Encrypt the keys with a new master key, for nodes that start from now on", vaultRekey))
	return c
}

// openVault opens the vault of a database that is there.
func (s *session) openVault() (v *crypto.Vault, done func(), err error) {
	db, err := s.openExisting()
	if err != nil {
		return nil, nil, err
	}
	if v, err = s.vault(db); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return v, func() { _ = db.Close() }, nil
}

// vaultRotate may run beside servers: they fetch the new key when they meet it.
func vaultRotate(s *session) error {
	v, done, err := s.openVault()
	if err != nil {
		return err
	}
	defer done()
	if err := v.Rotate(s.ctx); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "Secrets are sealed with a new key from now on.")
	return nil
}

// vaultRekey keeps the new master key on the disk before the database needs it,
// and the old one beside it, for backups.
func vaultRekey(s *session) error {
	v, done, err := s.openVault()
	if err != nil {
		return err
	}
	defer done()
	key, err := crypto.NewMasterKey()
	if err != nil {
		return err
	}
	path := s.path(keyFile)
	fresh := path + ".new"
	if err := keepSecret(fresh, key.Secret()); err != nil {
		return err
	}
	select { // Nodes that run cannot take up keys afterwards.
	case <-s.ctx.Done():
		return errors.Join(s.ctx.Err(), forget(fresh))
	case <-time.After(2 * crypto.FollowEvery):
	}
	if err := v.ChangeMaster(s.ctx, key); err != nil {
		return errors.Join(err, forget(fresh))
	}
	if s.MasterKey != "" {
		fmt.Fprintf(s.out, "The new master key is in %s. Put it where %s gets the old one from, and restart every node.\n", fresh, s.Origin("master_key"))
		return nil
	}
	if err := errors.Join(os.Rename(path, path+".old"), os.Rename(fresh, path), syncFolder(path)); err != nil {
		return fmt.Errorf("the new master key counts already, and is in %s or %s: %w", fresh, path, err)
	}
	fmt.Fprintf(s.out, "The new master key is in %s, the old one, which older backups need, in %s.old. Restart the server.\n", path, path)
	return nil
}
