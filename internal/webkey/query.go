package webkey

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Key is what may be shown of a pair of keys.
type Key struct {
	ID     string
	State  State
	Config Config
	// Details.Changed is when the state changed.
	Details eventstore.Details
}

// Keys are all keys of an instance, the oldest first.
type Keys []Key

func (ks Keys) find(is func(Key) bool) *Key {
	for i := range ks {
		if is(ks[i]) {
			return &ks[i]
		}
	}
	return nil
}

func (ks Keys) active() *Key { return ks.find(func(k Key) bool { return k.State == Active }) }

// Signing reports whether one of the keys signs.
func (ks Keys) Signing() bool { return ks.active() != nil }

func (ks Keys) byID(id string) *Key { return ks.find(func(k Key) bool { return k.ID == id }) }

// all is the query for the keys of an instance.
func all(instance string, keys *Keys) database.Query {
	*keys = nil
	return database.From("key_id, state, kind, config, created, changed, sequence", "web_keys").Where("instance_id = ?", instance).
		Order("created, key_id").Rows(func(scan database.Scan) error {
		k, config := Key{}, []byte(nil)
		var created, changed int64
		if err := scan(&k.ID, (*int)(&k.State), &k.Config.Kind, &config, &created, &changed, &k.Details.Sequence); err != nil {
			return err
		}
		k.Details.Owner, k.Details.Created, k.Details.Changed = instance, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		err := json.Unmarshal(config, &k.Config)
		*keys = append(*keys, k)
		return err
	})
}

// List gives all keys of an instance, the oldest first.
func List(ctx context.Context, r database.Reader, instance string) (Keys, error) {
	if err := authz.RequireInstance(ctx, "iam.web_key.read"); err != nil {
		return nil, err
	}
	var keys Keys
	err := r.Read(ctx, all(instance, &keys))
	return keys, err
}

// Published is the public keys of an instance, the newest first.
type Published struct{ jwks [][]byte }

// PublishedIn is the query for the public keys of the instance that where leaves,
// which is a condition on the key k.
func PublishedIn(p *Published, where string, args ...any) database.Query {
	p.jwks = nil
	return database.From("k.public_key", "web_keys k").Where(where, args...).Order("k.created DESC, k.key_id DESC").
		Rows(func(scan database.Scan) error {
			var jwk string
			err := scan(&jwk)
			p.Add(jwk)
			return err
		})
}

// Add adds the row of a key; an empty one stands for no key.
func (p *Published) Add(jwk string) {
	if jwk != "" {
		p.jwks = append(p.jwks, []byte(jwk))
	}
}

// JSON is the set of keys as RFC 7517 has it, with an entity tag for HTTP, which
// changes when the set does.
func (p *Published) JSON() (document []byte, etag string) {
	document = append([]byte(`{"keys":[`), bytes.Join(p.jwks, []byte(","))...)
	document = append(document, "]}"...)
	sum := sha256.Sum256(document)
	return document, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// Key gives the public key of an id, to check with it what the instance signed.
func (p *Published) Key(id string) (jose.JSONWebKey, bool) {
	for _, jwk := range p.jwks {
		var k jose.JSONWebKey
		if json.Unmarshal(jwk, &k) == nil && k.KeyID == id {
			return k, true
		}
	}
	return jose.JSONWebKey{}, false
}
