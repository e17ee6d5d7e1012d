package main

import (
	"errors"
	"io/fs"
	"os"

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
