package webkey

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// The kinds of keys.
const (
	RSA     = "rsa"
	ECDSA   = "ecdsa"
	Ed25519 = "ed25519"
)

// Config says what a pair of keys is made from.
type Config struct {
	Kind string `json:"-"`
	// Bits and Hash are those of RSA: 2048, 3072 or 4096, and 256, 384 or 512.
	Bits int `json:"bits,omitempty"`
	Hash int `json:"hash,omitempty"`
	// Curve is that of ECDSA: P-256, P-384 or P-521.
	Curve string `json:"curve,omitempty"`
}

// Default is what keys are made from where nobody chose: RS256 is what every client
// must understand.
func Default() Config { return Config{Kind: RSA, Bits: 2048, Hash: 256} }

var errConfig = fault.Invalid("WEBKEY-config", "A key is RSA of 2048, 3072 or 4096 bits with SHA-256, SHA-384 or SHA-512, ECDSA on P-256, P-384 or P-521, or Ed25519.")

// curves are those of ECDSA, with the one algorithm that each of them has.
var curves = map[string]struct {
	elliptic.Curve
	algorithm jose.SignatureAlgorithm
}{
	"P-256": {elliptic.P256(), jose.ES256},
	"P-384": {elliptic.P384(), jose.ES384},
	"P-521": {elliptic.P521(), jose.ES512},
}

var rsaAlgorithms = map[int]jose.SignatureAlgorithm{256: jose.RS256, 384: jose.RS384, 512: jose.RS512}

// algorithm is what a key of the configuration signs with.
func (c Config) algorithm() (a jose.SignatureAlgorithm, err error) {
	switch {
	case c.Kind == RSA && (c.Bits == 2048 || c.Bits == 3072 || c.Bits == 4096):
		a = rsaAlgorithms[c.Hash]
	case c.Kind == ECDSA:
		a = curves[c.Curve].algorithm
	case c.Kind == Ed25519:
		a = jose.EdDSA
	}
	if a == "" {
		err = errConfig
	}
	return a, err
}

// Pair is a new pair of keys that no instance has yet.
type Pair struct {
	config    Config
	algorithm jose.SignatureAlgorithm
	private   []byte // PKCS #8
	public    crypto.PublicKey
}

// making holds who makes keys: RSA takes a processor for up to seconds, and calls
// that need none shall not wait for them.
var making = make(chan struct{}, 1)

// Make makes a pair of keys, one at a time. It takes long: it is not for Write
// closures.
func Make(ctx context.Context, c Config) (Pair, error) {
	algorithm, err := c.algorithm()
	if err != nil {
		return Pair{}, err
	}
	select {
	case making <- struct{}{}:
		defer func() { <-making }()
	case <-ctx.Done():
		return Pair{}, ctx.Err()
	}
	key, err := c.generate()
	if err != nil {
		return Pair{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return Pair{config: c, algorithm: algorithm, private: private, public: key.Public()}, err
}

func (c Config) generate() (crypto.Signer, error) {
	switch c.Kind {
	case RSA:
		return rsa.GenerateKey(rand.Reader, c.Bits)
	case ECDSA:
		return ecdsa.GenerateKey(curves[c.Curve].Curve, rand.Reader)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// FirstPairs makes what an instance starts with: a pair to sign with, and one that
// clients know by the time that it is needed.
func FirstPairs(ctx context.Context) ([]Pair, error) {
	var out []Pair
	for range 2 {
		p, err := Make(ctx, Default())
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}
