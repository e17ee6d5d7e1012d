package webkey

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"sync"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Signing is the key that signs in an instance, as a request read it; zero where
// the instance has none yet.
type Signing struct{ instance, id, algorithm, sealed string }

// Algorithm is what the key signs with, such as "RS256"; empty where there is none.
func (s *Signing) Algorithm() string { return s.algorithm }

// SigningIn is the query for the key that signs in the instance that where leaves,
// which is a condition on the key k. It is meant to travel with what a request reads
// anyway.
func SigningIn(s *Signing, where string, args ...any) database.Query {
	*s = Signing{}
	return database.From("k.instance_id, k.key_id, k.algorithm, k.private_key", "web_keys k").Where(where, args...).
		Where("k.state = ?", int(Active)).Rows(func(scan database.Scan) error {
		return scan(&s.instance, &s.id, &s.algorithm, &s.sealed)
	})
}

// Signer signs with the active keys of instances. It is safe for concurrent use.
type Signer struct {
	store *eventstore.Store
	vault *crypto.Vault

	first sync.Mutex // held by who makes first keys
	mu    sync.RWMutex
	open  map[Signing]jose.SigningKey
}

// maxOpen is the most keys that a signer keeps unsealed.
const maxOpen = 1000

// NewSigner makes a signer.
func NewSigner(store *eventstore.Store, v *crypto.Vault) *Signer {
	return &Signer{store: store, vault: v, open: map[Signing]jose.SigningKey{}}
}

// Sign gives a JWT of the instance with the claims, which become JSON. typ is in its
// header: "JWT", "at+jwt", "logout+jwt". key is the one that the request read;
// should the instance have none yet, it gets its first ones.
func (s *Signer) Sign(ctx context.Context, instance string, key Signing, typ string, claims any) (string, error) {
	if key.id == "" {
		var err error
		if key, err = s.firstKey(ctx, instance); err != nil {
			return "", err
		}
	}
	with, err := s.unseal(ctx, key)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(with, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// unseal gives the private key. One that was unsealed before counts only for the very
// row that the request read: whatever changes the row makes it another key.
func (s *Signer) unseal(ctx context.Context, key Signing) (jose.SigningKey, error) {
	s.mu.RLock()
	with, ok := s.open[key]
	s.mu.RUnlock()
	if ok {
		return with, nil
	}
	der, err := s.vault.Unseal(ctx, key.sealed, place(key.instance, key.id))
	if err != nil {
		return with, err
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return with, err
	}
	with = jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.algorithm), Key: jose.JSONWebKey{Key: private, KeyID: key.id}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for other := range s.open {
		if len(s.open) < maxOpen {
			break
		}
		delete(s.open, other)
	}
	s.open[key] = with
	return with, nil
}

// firstKey gives the key that signs in an instance which had none when the request
// looked: it is older than keys are.
func (s *Signer) firstKey(ctx context.Context, instance string) (key Signing, err error) {
	s.first.Lock()
	defer s.first.Unlock()
	read := func() error { return s.store.Read(ctx, SigningIn(&key, "k.instance_id = ?", instance)) }
	if err := read(); err != nil || key.id != "" { // Another request was faster.
		return key, err
	}
	if err := Ensure(ctx, s.store, s.vault, instance); err != nil {
		return key, err
	}
	return key, read()
}

// Ensure gives an instance its first keys where it has no active one. It makes them
// for good, also for a request that is a dry run, and on the server's behalf.
func Ensure(ctx context.Context, store *eventstore.Store, v *crypto.Vault, instance string) error {
	pairs, err := FirstPairs(ctx)
	if err != nil {
		return err
	}
	ctx = eventstore.WithOrigin(authz.AsSystem(ctx, instance), eventstore.Origin{})
	return store.Write(ctx, func(tx *eventstore.Tx) error { return First(tx, v, instance, pairs) })
}
