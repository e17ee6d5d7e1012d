package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// Certificate reads a certificate chain and its key, in PEM, and gives the
// chain's first certificate too.
func Certificate(certFile, keyFile string) (*tls.Certificate, *x509.Certificate, error) {
	c, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, nil, fmt.Errorf("%s, %s: %w", certFile, keyFile, err)
	}
	return &c, c.Leaf, nil
}
