package crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// SealUnder encrypts data for whoever has a token of at least 128 random bits that seals
// nothing else: with AES-256 in GCM, and a key that HKDF (RFC 5869) derives from the token.
// Who keeps the result beside a hash of the token cannot read it.
func SealUnder(token string, data []byte) (string, error) {
	aead, err := under(token)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, data, nil)), nil //nolint:gosec // the cipher chooses a random nonce
}

// UnsealUnder is the way back.
func UnsealUnder(token, sealed string) ([]byte, error) {
	aead, err := under(token)
	if err != nil {
		return nil, err
	}
	data, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errOtherToken
	}
	if data, err = aead.Open(nil, nil, data, nil); err != nil {
		return nil, errOtherToken
	}
	return data, nil
}

var errOtherToken = errors.New("crypto: sealed under another token")

// under is the cipher of a token: each encrypts once, and chooses its own nonce.
func under(token string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "gatehouse sealed under a token", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
