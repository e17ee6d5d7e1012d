//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes tls.crt and tls.key for the names, and gives what trusts them.
func certificate(t *testing.T, dir string, ends time.Time, names ...string) (*x509.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: time.Now().Add(-72 * time.Hour), NotAfter: ends, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return leaf, pool
}

const tlsConfig = "tls: {cert_file: tls.crt, key_file: tls.key}\n"

// TestTLS: version 1.2 with good ciphers at least, HTTP/2 by ALPN, and a new
// certificate without a restart.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, roots := certificate(t, dir, time.Now().Add(time.Hour), "localhost")
	put(t, dir, "gatehouse.yaml", tlsConfig)
	p := serve(t, dir, "--config", "gatehouse.yaml")
	address, ok := strings.CutPrefix(p.url, "https://")
	if !ok {
		t.Fatalf("ready at %s", p.url)
	}
	for name, c := range map[string]*struct {
		config tls.Config
		want   string // protocol; empty: refused
	}{
		"HTTP/2":         {tls.Config{NextProtos: []string{"h2", "http/1.1"}}, "h2"},
		"HTTP/1.1":       {tls.Config{NextProtos: []string{"http/1.1"}}, "http/1.1"},
		"TLS 1.2":        {tls.Config{MaxVersion: tls.VersionTLS12, NextProtos: []string{"h2"}}, "h2"},
		"TLS 1.1":        {tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ""},
		"CBC":            {tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, ""},
		"other protocol": {tls.Config{NextProtos: []string{"imap"}}, ""},
	} {
		c.config.RootCAs, c.config.ServerName = roots, "localhost"
		conn, err := tls.Dial("tcp", address, &c.config)
		switch {
		case err != nil && c.want != "":
			t.Errorf("%s: %v", name, err)
		case err == nil:
			if got := conn.ConnectionState().NegotiatedProtocol; got != c.want || c.want == "" {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
			_ = conn.Close()
		}
	}
	secure := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
	}}
	res, err := secure.Get(p.url + "/debug/ready")
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.Proto != "HTTP/2.0" || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %v", res.Proto, res.Header)
	}
	if res, err := client.Get("http://" + address + "/debug/ready"); err == nil {
		if _ = res.Body.Close(); res.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %d", res.StatusCode)
		}
	}
	served := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0]
	}
	put(t, dir, "tls.crt", "broken")
	if !served().Equal(first) {
		t.Error("a broken file ends the use of the certificate")
	}
	time.Sleep(20 * time.Millisecond) // So that the time of the file tells.
	if other, _ := certificate(t, dir, time.Now().Add(time.Hour), "localhost"); !served().Equal(other) {
		t.Error("the new certificate is not served")
	}
	p.stop(t)
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
