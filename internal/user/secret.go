package user

import (
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// BySecret is the source of tokens that were given for the machine's secret.
// Those that were given for a key have the key's id.
const BySecret = "secret"

type secretSet struct {
	Hash string `json:"hashedSecret"`
}

// tokenAdded says that a token was given, and for what. Where the proof was an
// assertion with an id of its own, the hash of that keeps it from working twice.
type tokenAdded struct {
	ID               string   `json:"tokenId"`
	Source           string   `json:"source"`
	Expires          int64    `json:"expires"` // microseconds
	Scopes           []string `json:"scopes"`
	Hash             string   `json:"hash"`
	Key              string   `json:"jkt,omitempty"` // thumbprint of the key that it is bound to
	Assertion        string   `json:"assertion,omitempty"`
	AssertionExpires int64    `json:"assertionExpires,omitempty"` // microseconds
}

// The events of secrets, and of the tokens that keys and secrets give.
var (
	// SecretSet makes a secret the machine's only one and ends what an earlier one gave.
	SecretSet = eventstore.Declare("user.machine.secret.set", func(f *eventstore.Fold, s secretSet) error {
		setSecret(f, s.Hash)
		return nil
	}, "hashedSecret")
	// SecretRemoved ends the secret and what it gave.
	SecretRemoved = eventstore.Declare("user.machine.secret.removed", func(f *eventstore.Fold, _ eventstore.None) error {
		setSecret(f, "")
		return nil
	})
	// TokenAdded also forgets what has expired of the user's, so that the tables
	// do not grow with time.
	TokenAdded = eventstore.Declare("user.token.added", func(f *eventstore.Fold, t tokenAdded) error {
		f.Exec("DELETE FROM access_tokens WHERE instance_id = ? AND user_id = ? AND source <> '' AND expires > 0 AND expires <= ?", f.Instance, f.ID, f.Micros())
		f.Exec("DELETE FROM assertions WHERE instance_id = ? AND user_id = ? AND expires <= ?", f.Instance, f.ID, f.Micros())
		f.Exec(`INSERT INTO access_tokens (instance_id, token_hash, token_id, user_id, source, expires, scopes, key_thumbprint, created, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, t.Hash, t.ID, f.ID, t.Source, t.Expires, strings.Join(t.Scopes, " "), t.Key, f.Micros(), f.Sequence)
		if t.Assertion != "" {
			f.Exec("INSERT INTO assertions (instance_id, user_id, hash, expires) VALUES (?, ?, ?, ?)", f.Instance, f.ID, t.Assertion, t.AssertionExpires)
		}
		return nil
	}, "hash", "assertion")
)

func setSecret(f *eventstore.Fold, hash string) {
	setMachine(f, eventstore.Cells{"secret_hash": hash})
	endTokens(f, BySecret)
}

// endTokens ends the tokens that a source gave.
func endTokens(f *eventstore.Fold, source string) {
	f.Exec("DELETE FROM access_tokens WHERE instance_id = ? AND user_id = ? AND source = ?", f.Instance, f.ID, source)
}

// SetSecret gives a machine user a secret, of which only the hash is kept. An
// earlier one is void. It gives the user name, which goes with the secret.
func SetSecret(tx *eventstore.Tx, instance, org, userID, hash string) (name string, d eventstore.Details, err error) {
	u, err := lockMachine(tx, instance, org, userID)
	if err != nil {
		return "", d, err
	}
	d, err = SecretSet.Emit(tx, aggregate(instance, org, userID), secretSet{hash})
	return u.UserName, d, err
}

// RemoveSecret voids the secret of a machine user.
func RemoveSecret(tx *eventstore.Tx, instance, org, userID string) (eventstore.Details, error) {
	u, err := lockMachine(tx, instance, org, userID)
	if err != nil {
		return eventstore.Details{}, err
	}
	if !u.secret {
		return eventstore.Details{}, fault.Precondition("USER-no-secret", "The user has no secret.")
	}
	return SecretRemoved.Emit(tx, aggregate(instance, org, userID), eventstore.None{})
}

// Proof is what a machine user proved itself with, checked already.
type Proof struct {
	Instance, Org, UserID string
	// Source is BySecret or the id of a key; SecretHash is the secret's.
	Source, SecretHash string
	// Until is when the proof ends, and with it what is given for it; zero: never.
	Until time.Time
	// Assertion is the hash of the id of a signed proof that works once, until
	// AssertionUntil; empty where it has none.
	Assertion      string
	AssertionUntil time.Time
	// Key is the thumbprint of a key that the user holds, to which the token is bound;
	// empty: none.
	Key string
}

var (
	// ErrProof says that a proof does not hold, and not why.
	ErrProof  = fault.Unauthenticated("USER-proof", "The client is unknown, or does not prove who it is.")
	errReplay = fault.Precondition("USER-replay", "The assertion has been used already.")
)

// AddToken gives a machine user a token for a proof, if what the proof rests on
// still stands. The caller is whoever the proof is of: there is nothing to require.
func AddToken(tx *eventstore.Tx, p Proof, hash string, lifetime time.Duration, scopes []string) (expires time.Time, err error) {
	stands, used := false, false
	a := aggregate(p.Instance, p.Org, p.UserID)
	if _, err := tx.Lock(a, p.standing(&stands), database.Query{
		SQL:  "SELECT hash FROM assertions WHERE instance_id = ? AND user_id = ? AND hash = ? AND expires > ?",
		Args: []any{p.Instance, p.UserID, p.Assertion, tx.Now().UnixMicro()}, Row: func(database.Scan) error { used = true; return nil },
	}); err != nil {
		return expires, err
	}
	switch expires = tx.Now().Add(lifetime); {
	case !stands:
		return expires, ErrProof
	case used:
		return expires, errReplay
	case !p.Until.IsZero() && p.Until.Before(expires):
		expires = p.Until
	}
	t := tokenAdded{ID: tx.NewID(), Source: p.Source, Expires: expires.UnixMicro(), Scopes: scopes, Hash: hash, Key: p.Key, Assertion: p.Assertion}
	if p.Assertion != "" {
		t.AssertionExpires = p.AssertionUntil.UnixMicro()
	}
	_, err = TokenAdded.Emit(tx, a, t)
	return expires, err
}

// standing looks whether the user is active and has the key or the secret.
func (p Proof) standing(stands *bool) database.Query {
	return database.Query{
		SQL: `SELECT u.user_id FROM users u JOIN machines m ON m.instance_id = u.instance_id AND m.user_id = u.user_id
			LEFT JOIN machine_keys k ON k.instance_id = u.instance_id AND k.user_id = u.user_id AND k.key_id = ?
			WHERE u.instance_id = ? AND u.user_id = ? AND u.state = ? AND (k.key_id IS NOT NULL OR m.secret_hash <> '' AND m.secret_hash = ?)`,
		Args: []any{p.Source, p.Instance, p.UserID, Active, p.SecretHash},
		Row:  func(database.Scan) error { *stands = true; return nil },
	}
}
