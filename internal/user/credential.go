package user

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// maxCredentials is the most tokens, and the most keys, that a user can have.
const maxCredentials = 1000

type patAdded struct {
	ID         string   `json:"tokenId"`
	Expiration string   `json:"expiration,omitempty"` // RFC 3339; empty: never
	Scopes     []string `json:"scopes"`
	Hash       string   `json:"hash"`
}

type patRemoved struct {
	ID string `json:"tokenId"`
}

type keyAdded struct {
	ID         string `json:"keyId"`
	Type       int    `json:"type"`
	Expiration string `json:"expirationDate,omitempty"` // RFC 3339; empty: never
	PublicKey  string `json:"publicKey"`                // PEM
}

type keyRemoved struct {
	ID string `json:"keyId"`
}

// The events of tokens and keys.
var (
	PATAdded = eventstore.Declare("user.pat.added", func(f *eventstore.Fold, p patAdded) error {
		f.Exec(`INSERT INTO access_tokens (instance_id, token_hash, token_id, user_id, expires, scopes, created, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, p.Hash, p.ID, f.ID, expiryMicros(p.Expiration), strings.Join(p.Scopes, " "), f.Micros(), f.Sequence)
		return nil
	}, "hash")
	PATRemoved = eventstore.Declare("user.pat.removed", func(f *eventstore.Fold, p patRemoved) error {
		f.Exec("DELETE FROM access_tokens WHERE instance_id = ? AND user_id = ? AND token_id = ?", f.Instance, f.ID, p.ID)
		return nil
	})
	KeyAdded = eventstore.Declare("user.machine.key.added", func(f *eventstore.Fold, k keyAdded) error {
		f.Exec(`INSERT INTO machine_keys (instance_id, key_id, user_id, kind, expires, public_key, created, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, k.ID, f.ID, k.Type, expiryMicros(k.Expiration), k.PublicKey, f.Micros(), f.Sequence)
		return nil
	})
	KeyRemoved = eventstore.Declare("user.machine.key.removed", func(f *eventstore.Fold, k keyRemoved) error {
		f.Exec("DELETE FROM machine_keys WHERE instance_id = ? AND user_id = ? AND key_id = ?", f.Instance, f.ID, k.ID)
		return nil
	})
)

// credentials is one of the two sorts of credentials, by their table.
type credentials struct{ table, id, columns, title string }

var (
	tokens = credentials{"access_tokens", "token_id", "scopes", "token"}
	keys   = credentials{"machine_keys", "key_id", "kind", "key"}
)

func (c credentials) missing() error {
	return fault.NotFound("USER-"+c.title, "The user has no such "+c.title+".")
}

// room refuses one credential too many.
func (c credentials) room(tx *eventstore.Tx, instance, userID string) error {
	var n uint64
	if err := tx.Read(database.From("*", c.table).Where("instance_id = ? AND user_id = ?", instance, userID).Count(&n)); err != nil {
		return err
	}
	if n >= maxCredentials {
		return fault.Exhausted("USER-"+c.title+"s", "A user can have %d of them at most. Remove one first.", maxCredentials)
	}
	return nil
}

func (c credentials) exists(tx *eventstore.Tx, instance, userID, id string) error {
	found := false
	err := tx.Read(database.Query{
		SQL:  "SELECT user_id FROM " + c.table + " WHERE instance_id = ? AND user_id = ? AND " + c.id + " = ?",
		Args: []any{instance, userID, id}, Row: func(database.Scan) error { found = true; return nil },
	})
	if err == nil && !found {
		err = c.missing()
	}
	return err
}

// AddPAT gives a machine user a personal access token, of which only the hash is
// kept. expires may be zero for a token that does not end.
func AddPAT(tx *eventstore.Tx, instance, org, userID, hash string, expires time.Time) (string, eventstore.Details, error) {
	if _, err := lockMachine(tx, instance, org, userID); err != nil {
		return "", eventstore.Details{}, err
	}
	ends, err := expiry(tx, expires)
	if err == nil {
		err = tokens.room(tx, instance, userID)
	}
	if err != nil {
		return "", eventstore.Details{}, err
	}
	p := patAdded{ID: tx.NewID(), Expiration: ends, Scopes: []string{}, Hash: hash}
	d, err := PATAdded.Emit(tx, aggregate(instance, org, userID), p)
	return p.ID, d, err
}

// RemovePAT ends a token: the next call with it is refused.
func RemovePAT(tx *eventstore.Tx, instance, org, userID, tokenID string) (eventstore.Details, error) {
	if _, err := lock(tx, instance, org, userID, "user.write"); err != nil {
		return eventstore.Details{}, err
	}
	if err := tokens.exists(tx, instance, userID, tokenID); err != nil {
		return eventstore.Details{}, err
	}
	return PATRemoved.Emit(tx, aggregate(instance, org, userID), patRemoved{tokenID})
}

// JSONKey is the only type of a machine key.
const JSONKey = 1

// KeyPair gives the public key that a caller made, or a new pair where that is
// empty, in PEM. It takes a while and must not run in a transaction.
func KeyPair(made []byte) (private, public string, err error) {
	if len(made) > 0 {
		public, err = cleanPublicKey(made)
		return "", public, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", "", err
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", "", err
	}
	private = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return private, encodePublic(spki), nil
}

var errKey = fault.Invalid("USER-public-key", "The public key must be an RSA key of 2048 to 8192 bits in PEM.")

func encodePublic(spki []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
}

// cleanPublicKey gives the PEM form of a public key that a caller made: RSA of
// 2048 to 8192 bits, in PEM or DER.
func cleanPublicKey(data []byte) (string, error) {
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	key, err := x509.ParsePKIXPublicKey(data)
	if err != nil {
		if key, err = x509.ParsePKCS1PublicKey(data); err != nil {
			return "", errKey
		}
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok || public.N.BitLen() < 2048 || public.N.BitLen() > 8192 {
		return "", errKey
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", errKey
	}
	return encodePublic(spki), nil
}

// AddKey gives a machine user a key to sign with, of which the public part is
// kept. expires may be zero for a key that does not end.
func AddKey(tx *eventstore.Tx, instance, org, userID, public string, expires time.Time) (string, eventstore.Details, error) {
	if _, err := lockMachine(tx, instance, org, userID); err != nil {
		return "", eventstore.Details{}, err
	}
	ends, err := expiry(tx, expires)
	if err == nil {
		err = keys.room(tx, instance, userID)
	}
	if err != nil {
		return "", eventstore.Details{}, err
	}
	k := keyAdded{ID: tx.NewID(), Type: JSONKey, Expiration: ends, PublicKey: public}
	d, err := KeyAdded.Emit(tx, aggregate(instance, org, userID), k)
	return k.ID, d, err
}

// RemoveKey ends a key: what is signed with it counts for nothing any more.
func RemoveKey(tx *eventstore.Tx, instance, org, userID, keyID string) (eventstore.Details, error) {
	if _, err := lock(tx, instance, org, userID, "user.write"); err != nil {
		return eventstore.Details{}, err
	}
	if err := keys.exists(tx, instance, userID, keyID); err != nil {
		return eventstore.Details{}, err
	}
	return KeyRemoved.Emit(tx, aggregate(instance, org, userID), keyRemoved{keyID})
}

// Credential is what may be shown of a token or of a key.
type Credential struct {
	ID      string
	Expires time.Time // zero: never
	Scopes  []string  // of a token
	Kind    int       // of a key
	Details eventstore.Details
}

// list selects a user's credentials. The user must be one of the organization's.
func (c credentials) list(ctx context.Context, r database.Reader, instance, org, userID string, p database.Page, filters ...database.Filter) (database.Listing[Credential], error) {
	if err := authz.Require(ctx, "user.read", org); err != nil {
		return database.Listing[Credential]{}, err
	}
	s := database.From("c."+c.id+", c.expires, c."+c.columns+", c.created, c.sequence", c.table+" c").
		Where("c.instance_id = ? AND c.user_id = ?", instance, userID).
		InSelect("c.user_id", database.From("u.user_id", "users u").Where("u.instance_id = ? AND u.user_id = ? AND u.org_id = ?", instance, userID, org)).
		Filter(filters...)
	return database.List(ctx, r, s, p, []string{"c.created", "c." + c.id}, func(scan database.Scan, out *Credential) error {
		var expires, created int64
		var scopes string
		special := any(&scopes)
		if c == keys {
			special = &out.Kind
		}
		err := scan(&out.ID, &expires, special, &created, &out.Details.Sequence)
		if expires != 0 {
			out.Expires = time.UnixMicro(expires).UTC()
		}
		out.Scopes = strings.Fields(scopes)
		at := time.UnixMicro(created).UTC()
		out.Details.Owner, out.Details.Created, out.Details.Changed = org, at, at
		return err
	})
}

func (c credentials) byID(ctx context.Context, r database.Reader, instance, org, userID, id string) (Credential, error) {
	found, err := c.list(ctx, r, instance, org, userID, database.Page{Limit: 1}, database.Is("c."+c.id, id))
	if err == nil && len(found.Rows) == 0 {
		err = c.missing()
	}
	if err != nil {
		return Credential{}, err
	}
	return found.Rows[0], nil
}

// PATs lists a user's tokens.
func PATs(ctx context.Context, r database.Reader, instance, org, userID string, p database.Page) (database.Listing[Credential], error) {
	return tokens.list(ctx, r, instance, org, userID, p)
}

// PATByID gives a token of a user.
func PATByID(ctx context.Context, r database.Reader, instance, org, userID, id string) (Credential, error) {
	return tokens.byID(ctx, r, instance, org, userID, id)
}

// Keys lists a user's keys.
func Keys(ctx context.Context, r database.Reader, instance, org, userID string, p database.Page) (database.Listing[Credential], error) {
	return keys.list(ctx, r, instance, org, userID, p)
}

// KeyByID gives a key of a user.
func KeyByID(ctx context.Context, r database.Reader, instance, org, userID, id string) (Credential, error) {
	return keys.byID(ctx, r, instance, org, userID, id)
}
