package user

import (
	"context"
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
		f.Exec("DELETE FROM access_tokens WHERE instance_id = ? AND user_id = ? AND token_id = ? AND source = ''", f.Instance, f.ID, p.ID)
		return nil
	})
	KeyAdded = eventstore.Declare("user.machine.key.added", func(f *eventstore.Fold, k keyAdded) error {
		f.ExecUnique(errKeyIDTaken, `INSERT INTO machine_keys (instance_id, key_id, user_id, kind, expires, public_key, created, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, k.ID, f.ID, k.Type, expiryMicros(k.Expiration), k.PublicKey, f.Micros(), f.Sequence)
		return nil
	})
	// KeyRemoved ends a key and what it gave.
	KeyRemoved = eventstore.Declare("user.machine.key.removed", func(f *eventstore.Fold, k keyRemoved) error {
		f.Exec("DELETE FROM machine_keys WHERE instance_id = ? AND user_id = ? AND key_id = ?", f.Instance, f.ID, k.ID)
		endTokens(f, k.ID)
		return nil
	})
)

// credentials is one of the two sorts of credentials, by their table. also
// narrows the table down.
type credentials struct {
	table, also, id, columns string
	missing, full            *fault.Error
}

var (
	tokens = credentials{
		"access_tokens", "c.source = ''", "token_id", "scopes",
		fault.NotFound("USER-token", "The user has no such token."),
		fault.Exhausted("USER-tokens", "A user can have %d tokens at most. Remove one first.", maxCredentials),
	}
	keys = credentials{
		"machine_keys", "1 = 1", "key_id", "kind",
		fault.NotFound("USER-key", "The user has no such key."),
		fault.Exhausted("USER-keys", "A user can have %d keys at most. Remove one first.", maxCredentials),
	}
)

// of selects the credentials of a user.
func (c credentials) of(instance, userID string) *database.Select {
	return database.From("c.user_id", c.table+" c").Where("c.instance_id = ? AND c.user_id = ?", instance, userID).Where(c.also)
}

// room refuses one credential too many.
func (c credentials) room(tx *eventstore.Tx, instance, userID string) error {
	var n uint64
	if err := tx.Read(c.of(instance, userID).Count(&n)); err != nil {
		return err
	}
	if n >= maxCredentials {
		return c.full
	}
	return nil
}

func (c credentials) exists(tx *eventstore.Tx, instance, userID, id string) error {
	found := false
	err := tx.Read(c.of(instance, userID).Where("c."+c.id+" = ?", id).Rows(func(database.Scan) error { found = true; return nil }))
	if err == nil && !found {
		err = c.missing
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

var errKeyIDTaken = fault.AlreadyExists("USER-key-id", "A key with this id exists already.")

// AddKey gives a machine user a key to sign with, of which the public part is
// kept. Its id may be somebody's wish; empty stands for a new one. expires may be zero for
// a key that does not end.
func AddKey(tx *eventstore.Tx, instance, org, userID, id, public string, expires time.Time) (string, eventstore.Details, error) {
	if _, err := lockMachine(tx, instance, org, userID); err != nil {
		return "", eventstore.Details{}, err
	}
	if id == "" {
		id = tx.NewID()
	}
	if err := eventstore.CheckID(id); err != nil {
		return "", eventstore.Details{}, err
	}
	if id == BySecret { // Tokens name by it that they were given for the secret.
		return "", eventstore.Details{}, errKeyIDTaken
	}
	ends, err := expiry(tx, expires)
	if err == nil {
		err = keys.room(tx, instance, userID)
	}
	if err != nil {
		return "", eventstore.Details{}, err
	}
	k := keyAdded{ID: id, Type: JSONKey, Expiration: ends, PublicKey: public}
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
	ID, UserID string
	Expires    time.Time // zero: never
	Scopes     []string  // of a token
	Kind       int       // of a key
	Details    eventstore.Details
}

// CredentialColumn is what a list of credentials can be sorted by.
type CredentialColumn string

// The columns, of tokens as of keys.
const (
	SortCredentialCreated CredentialColumn = "c.created"
	SortCredentialUser    CredentialColumn = "c.user_id"
	SortCredentialOrg     CredentialColumn = "u.org_id"
	SortCredentialExpires CredentialColumn = ends
	SortCredentialID      CredentialColumn = "" // each table has its own
)

// ends is when a credential ends; one that never does ends last.
const ends = "CASE WHEN c.expires = 0 THEN 9223372036854775807 ELSE c.expires END"

// The filters of lists of credentials.
var (
	CredentialOfUser  = func(id string) database.Filter { return database.Is("c.user_id", id) }
	CredentialOfOrg   = func(id string) database.Filter { return database.Is("u.org_id", id) }
	TokenWithID       = func(id string) database.Filter { return database.Is("c.token_id", id) }
	KeyWithID         = func(id string) database.Filter { return database.Is("c.key_id", id) }
	CredentialCreated = database.Time("c.created")
	CredentialExpires = database.Time(ends)
)

// list selects the credentials that the caller may read.
func (c credentials) list(ctx context.Context, r database.Reader, instance string, p database.Page, by CredentialColumn, filters ...database.Filter) (database.Listing[Credential], error) {
	if by == SortCredentialID {
		by = CredentialColumn("c." + c.id)
	}
	visible, args := authz.Where(ctx, "user.read", "u.org_id")
	s := database.From("c."+c.id+", c.user_id, u.org_id, c.expires, c."+c.columns+", c.created, c.sequence",
		c.table+" c JOIN users u ON u.instance_id = c.instance_id AND u.user_id = c.user_id").
		Where("c.instance_id = ?", instance).Where(c.also).Where(visible, args...).Filter(filters...)
	return database.List(ctx, r, s, p, []string{string(by), "c." + c.id}, func(scan database.Scan, out *Credential) error {
		var expires, created int64
		var scopes string
		special := any(&scopes)
		if c == keys {
			special = &out.Kind
		}
		err := scan(&out.ID, &out.UserID, &out.Details.Owner, &expires, special, &created, &out.Details.Sequence)
		if expires != 0 {
			out.Expires = time.UnixMicro(expires).UTC()
		}
		out.Scopes = strings.Fields(scopes)
		at := time.UnixMicro(created).UTC()
		out.Details.Created, out.Details.Changed = at, at
		return err
	})
}

// ofUser lists the credentials of a user, who must be one of the organization's.
func (c credentials) ofUser(ctx context.Context, r database.Reader, instance, org, userID string, p database.Page, filters ...database.Filter) (database.Listing[Credential], error) {
	if err := authz.Require(ctx, "user.read", org); err != nil {
		return database.Listing[Credential]{}, err
	}
	return c.list(ctx, r, instance, p, SortCredentialCreated, append(filters, CredentialOfUser(userID), CredentialOfOrg(org))...)
}

func (c credentials) byID(ctx context.Context, r database.Reader, instance, org, userID, id string) (Credential, error) {
	found, err := c.ofUser(ctx, r, instance, org, userID, database.Page{Limit: 1}, database.Is("c."+c.id, id))
	if err == nil && len(found.Rows) == 0 {
		err = c.missing
	}
	if err != nil {
		return Credential{}, err
	}
	return found.Rows[0], nil
}

// PATs lists a user's tokens.
func PATs(ctx context.Context, r database.Reader, instance, org, userID string, p database.Page) (database.Listing[Credential], error) {
	return tokens.ofUser(ctx, r, instance, org, userID, p)
}

// AllPATs lists the tokens of all users that the caller may read.
func AllPATs(ctx context.Context, r database.Reader, instance string, p database.Page, by CredentialColumn, filters ...database.Filter) (database.Listing[Credential], error) {
	return tokens.list(ctx, r, instance, p, by, filters...)
}

// PATByID gives a token of a user.
func PATByID(ctx context.Context, r database.Reader, instance, org, userID, id string) (Credential, error) {
	return tokens.byID(ctx, r, instance, org, userID, id)
}

// Keys lists a user's keys.
func Keys(ctx context.Context, r database.Reader, instance, org, userID string, p database.Page) (database.Listing[Credential], error) {
	return keys.ofUser(ctx, r, instance, org, userID, p)
}

// AllKeys lists the keys of all users that the caller may read.
func AllKeys(ctx context.Context, r database.Reader, instance string, p database.Page, by CredentialColumn, filters ...database.Filter) (database.Listing[Credential], error) {
	return keys.list(ctx, r, instance, p, by, filters...)
}

// KeyByID gives a key of a user.
func KeyByID(ctx context.Context, r database.Reader, instance, org, userID, id string) (Credential, error) {
	return keys.byID(ctx, r, instance, org, userID, id)
}
