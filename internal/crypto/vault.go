package crypto

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/gatehouse/gatehouse/internal/database"
)

// MasterKey encrypts the keys that encrypt everything else. It lives outside the
// database, so that a copy of the database alone gives no secret away.
type MasterKey struct {
	aead tink.AEAD
	text string
}

// masterKeyPrefix tells what the text is, to people and to secret scanners.
const masterKeyPrefix = "gatehouse-master-key-v1."

const masterKeyBytes = 32

// NewMasterKey makes a random master key.
func NewMasterKey() (MasterKey, error) {
	raw := make([]byte, masterKeyBytes)
	if _, err := rand.Read(raw); err != nil {
		return MasterKey{}, err
	}
	return ParseMasterKey(masterKeyPrefix + base64.RawURLEncoding.EncodeToString(raw))
}

// ParseMasterKey reads a master key from the text that String gave, with white
// space around it.
func ParseMasterKey(text string) (MasterKey, error) {
	text = strings.TrimSpace(text)
	encoded, ok := strings.CutPrefix(text, masterKeyPrefix)
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if !ok || err != nil || len(raw) != masterKeyBytes {
		return MasterKey{}, fmt.Errorf("this is no master key: it must be %s and %d bytes in base64", masterKeyPrefix, masterKeyBytes)
	}
	a, err := subtle.NewXChaCha20Poly1305(raw)
	return MasterKey{aead: a, text: text}, err
}

// Secret is the text to keep: whoever has it and the database can read everything.
func (k MasterKey) Secret() string { return k.text }

// Place is where a secret is stored. Sealed text opens in its own place only: who
// can write to the database cannot move a secret to where it would be shown.
type Place struct{ Instance, Table, Row, Column string }

func (p Place) bytes() []byte {
	var out []byte
	for _, part := range []string{p.Instance, p.Table, p.Row, p.Column} {
		out = binary.BigEndian.AppendUint32(out, uint32(len(part))) //nolint:gosec // names are short
		out = append(out, part...)
	}
	return out
}

// Vault seals secrets for the database with authenticated encryption (AES-256-GCM
// with 192-bit nonces). Its keys are in the database, encrypted with the master
// key; sealed text names the key that opens it. A vault is safe for concurrent use.
type Vault struct {
	// Watch, where it is set before the first call, is told what was sealed for which place:
	// tests hold that no two texts have one place.
	Watch func(at Place, sealed string)

	db     *database.DB
	master MasterKey
	keys   atomic.Pointer[keys]
	reload sync.Mutex
}

// keys is what the vault knows of the key set.
type keys struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	version int64
}

// ErrMaster says that the master key is not the one of the database.
var ErrMaster = errors.New("the master key does not open the keys of this database: start with the key that made it")

// keysPlace binds the key set to its row.
var keysPlace = Place{Table: "vault", Row: "1", Column: "keys"}

// OpenVault reads the database's keys, or makes the first one.
func OpenVault(ctx context.Context, db *database.DB, master MasterKey) (*Vault, error) {
	v := &Vault{db: db, master: master}
	k, err := v.load(ctx)
	switch {
	case err != nil:
		return nil, err
	case k != nil:
		v.keys.Store(k)
		return v, nil
	}
	return v, v.change(ctx, master, func(m *keyset.Manager, first bool) error {
		if !first { // Another node was faster.
			return nil
		}
		return addKey(m)
	})
}

func addKey(m *keyset.Manager) error {
	id, err := m.Add(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return err
	}
	return m.SetPrimary(id)
}

// HasVault reports whether the database has keys already.
func HasVault(ctx context.Context, db *database.DB) (bool, error) {
	found := false
	err := db.Read(ctx, database.Query{SQL: "SELECT id FROM vault", Row: func(database.Scan) error { found = true; return nil }})
	return found, err
}

// sealedText is strict: one text, one secret.
var sealedText = base64.RawStdEncoding.Strict()

// Seal encrypts a secret for its place.
func (v *Vault) Seal(secret []byte, at Place) (string, error) {
	sealed, err := v.keys.Load().aead.Encrypt(secret, at.bytes())
	if err != nil {
		return "", fmt.Errorf("seal %s.%s: %w", at.Table, at.Column, err)
	}
	text := sealedText.EncodeToString(sealed)
	if v.Watch != nil {
		v.Watch(at, text)
	}
	return text, nil
}

// Unseal decrypts what was sealed for the place. A key that another node has
// made meanwhile is fetched.
func (v *Vault) Unseal(ctx context.Context, sealed string, at Place) ([]byte, error) {
	data, err := sealedText.DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("unseal %s.%s: %w", at.Table, at.Column, err)
	}
	now := v.keys.Load()
	secret, err := now.aead.Decrypt(data, at.bytes())
	if err == nil || now.has(data) {
		return secret, wrap(err, at)
	}
	if err := v.refresh(ctx, now.version); err != nil {
		return nil, err
	}
	secret, err = v.keys.Load().aead.Decrypt(data, at.bytes())
	return secret, wrap(err, at)
}

func wrap(err error, at Place) error {
	if err != nil {
		err = fmt.Errorf("unseal %s.%s of row %s: %w", at.Table, at.Column, at.Row, err)
	}
	return err
}

// has reports whether the key that sealed data is known. Sealed text begins with
// a byte for the form and the key's number.
func (k *keys) has(data []byte) bool {
	if len(data) < 5 {
		return true
	}
	for _, info := range k.handle.KeysetInfo().GetKeyInfo() {
		if info.GetKeyId() == binary.BigEndian.Uint32(data[1:5]) {
			return true
		}
	}
	return false
}

// refresh reads the keys anew, unless somebody has done so since version.
func (v *Vault) refresh(ctx context.Context, version int64) error {
	v.reload.Lock()
	defer v.reload.Unlock()
	if v.keys.Load().version != version {
		return nil
	}
	k, err := v.load(ctx)
	if err == nil && k != nil {
		v.keys.Store(k)
	}
	return err
}

// FollowEvery is how often a node looks for keys that another process has made.
const FollowEvery = time.Second

// Follow looks for new keys again and again until ctx ends, so that a node seals with a key that
// another process has made. What went wrong is tried again: the keys that are known still count.
func (v *Vault) Follow(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for said := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := v.refresh(ctx, v.keys.Load().version)
		if errors.Is(err, ErrMaster) && !said {
			slog.Warn("there is a new master key: restart this node with it", "error", err)
			said = true
		}
	}
}

// Rotate makes a new key and seals with it from now on; older keys go on opening
// what they sealed. Other nodes fetch the key when they meet it, or look for it: see Follow.
func (v *Vault) Rotate(ctx context.Context) error {
	return v.change(ctx, v.master, func(m *keyset.Manager, _ bool) error { return addKey(m) })
}

// ChangeMaster encrypts the keys with another master key. Nodes that know only
// the old one go on until they restart, with the keys that they have: whoever has just rotated
// waits for longer than FollowEvery first.
func (v *Vault) ChangeMaster(ctx context.Context, master MasterKey) error {
	if err := v.change(ctx, master, func(*keyset.Manager, bool) error { return nil }); err != nil {
		return err
	}
	v.master = master
	return nil
}

// change edits the key set as it is in the database, or the first one, and
// writes it back, encrypted with master.
func (v *Vault) change(ctx context.Context, master MasterKey, edit func(m *keyset.Manager, first bool) error) error {
	v.reload.Lock()
	defer v.reload.Unlock()
	var changed *keys
	err := v.db.Write(ctx, func(tx *database.Tx) error {
		now, err := v.read(func(q database.Query) error { return tx.Read(q) }, " FOR UPDATE")
		if err != nil {
			return err
		}
		manager, version := keyset.NewManager(), int64(1)
		if now != nil {
			manager, version = keyset.NewManagerFromHandle(now.handle), now.version+1
		}
		if err := edit(manager, now == nil); err != nil {
			return err
		}
		handle, err := manager.Handle()
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), master.aead, keysPlace.bytes()); err != nil {
			return err
		}
		st := database.Statement{
			SQL:  "INSERT INTO vault (id, version, keys) VALUES (1, ?, ?)",
			Args: []any{version, base64.StdEncoding.EncodeToString(out.Bytes())}, Conflict: database.ErrRetry,
		}
		if now != nil {
			st = database.Statement{SQL: "UPDATE vault SET version = ?, keys = ? WHERE id = 1", Args: st.Args}
		}
		tx.Exec(st)
		changed, err = newKeys(handle, version)
		return err
	})
	if err == nil {
		v.keys.Store(changed)
	}
	return err
}

func (v *Vault) load(ctx context.Context) (*keys, error) {
	return v.read(func(q database.Query) error { return v.db.Read(ctx, q) }, "")
}

// read gives the key set of the database; nil where there is none yet.
func (v *Vault) read(run func(database.Query) error, lock string) (*keys, error) {
	var found bool
	var version int64
	var encrypted string
	err := run(database.One(&found, "SELECT version, keys FROM vault WHERE id = 1"+lock, nil, &version, &encrypted))
	if err != nil || !found {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		return nil, fmt.Errorf("keys of the database: %w", err)
	}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(data)), v.master.aead, keysPlace.bytes())
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrMaster, err)
	}
	return newKeys(handle, version)
}

func newKeys(handle *keyset.Handle, version int64) (*keys, error) {
	a, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("keys of the database: %w", err)
	}
	return &keys{handle: handle, aead: a, version: version}, nil
}
