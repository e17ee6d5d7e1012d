package server

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/gatehouse/gatehouse/internal/config"
)

// TLS is the configuration of a listener whose certificate is read again when
// its files change. It fails where there is none that can be used now.
func TLS(certFile, keyFile string) (*tls.Config, error) {
	f := &certificateFiles{cert: certFile, key: keyFile}
	f.stamp = f.stamps()
	var err error
	if f.current, _, err = config.Certificate(certFile, keyFile); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// What version 1.2 may use: forward secrecy and authenticated encryption.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.get(), nil },
	}, nil
}

type certificateFiles struct {
	cert, key string
	mu        sync.Mutex
	stamp     [2]time.Time
	current   *tls.Certificate
}

// get gives the certificate that the files hold; the former one while they hold
// none that can be used.
func (f *certificateFiles) get() *tls.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	if stamp := f.stamps(); stamp != f.stamp {
		f.stamp = stamp
		if c, _, err := config.Certificate(f.cert, f.key); err == nil {
			f.current = c
		} else {
			slog.Warn("the former certificate stays in use", "error", err)
		}
	}
	return f.current
}

func (f *certificateFiles) stamps() (out [2]time.Time) {
	for i, path := range []string{f.cert, f.key} {
		if info, err := os.Stat(path); err == nil {
			out[i] = info.ModTime()
		}
	}
	return out
}
