package user

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"

	"github.com/gatehouse/gatehouse/internal/fault"
)

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

var errKey = fault.Invalid("USER-public-key",
	"The public key must be an RSA key of 2048 to 8192 bits, an ECDSA key on P-256, P-384 or P-521, or an Ed25519 key, in PEM.")

func encodePublic(spki []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
}

// cleanPublicKey gives the PEM form of a public key that a caller made, in PEM or
// DER.
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
	if len(Algorithms(key)) == 0 {
		return "", errKey
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", errKey
	}
	return encodePublic(spki), nil
}

// ParsePublicKey reads a key that KeyPair gave.
func ParsePublicKey(public string) (any, error) {
	block, _ := pem.Decode([]byte(public))
	if block == nil {
		return nil, errKey
	}
	return x509.ParsePKIXPublicKey(block.Bytes)
}

// Algorithms names the signature algorithms (RFC 7518, RFC 8037) that a public
// key can check; none where machines cannot have such a key.
func Algorithms(key any) []string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits >= 2048 && bits <= 8192 {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []string{"ES256"}
		case elliptic.P384():
			return []string{"ES384"}
		case elliptic.P521():
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
