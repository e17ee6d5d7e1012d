//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDoctor: each trouble is found, with the line to change, and problems end
// with exit code 1.
func TestDoctor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, dir, "setup")
	if out := must(t, dir, "doctor"); strings.Contains(out, "warning") || !strings.Contains(out, "localhost leads to one") ||
		!strings.Contains(out, "note     messages       nobody carries mail") || !strings.Contains(out, "nobody carries SMS") {
		t.Errorf("a good installation:\n%s", out)
	}
	for _, c := range []struct {
		name, config, want string
		code               int
		prepare            func(dir string)
	}{
		{name: "misspelt key", config: "\nlisen: x", want: "PROBLEM  configuration  gatehouse.yaml:2: there is no setting lisen: did you mean listen?", code: 1},
		{name: "unknown role", config: "roles: {X: [org.reed]}", want: "PROBLEM  configuration  gatehouse.yaml:1: roles.X: there is no permission org.reed", code: 1},
		{name: "open without TLS", config: "listen: :8080\nexternal_url: http://localhost:8080", want: "warning  listener", code: 0},
		{name: "open, local URL", config: "listen: :8080", want: "warning  external URL", code: 0},
		{name: "another port", config: "external_url: http://localhost:9", want: "warning  external URL   it names port 9, the server listens on port 8080 and trusts no proxy: change external_url (gatehouse.yaml:1)", code: 0},
		{name: "https without TLS", config: "external_url: https://localhost:8080", want: "PROBLEM  external URL", code: 1},
		{name: "https by a proxy", config: "external_url: https://localhost\ntrusted_proxies: [127.0.0.1/32]", want: "ok       external URL", code: 0},
		{name: "http for the world", config: "external_url: http://id.example.com:8080", want: "warning  external URL   tokens travel unencrypted", code: 1},
		{name: "no such instance", config: "external_url: http://id.example.com:8080", want: "PROBLEM  instances      no instance is reached at id.example.com, but at localhost: change external_url (gatehouse.yaml:1)", code: 1},
		{name: "proxies everywhere", config: "trusted_proxies: [0.0.0.0/0]", want: "PROBLEM  proxies", code: 1},
		{name: "metrics for all", config: "metrics: {listen: ':9090'}", want: "warning  metrics", code: 0},
		{name: "good TLS", config: tlsConfig + "external_url: https://localhost:8080", want: "ok       certificate", code: 0,
			prepare: func(dir string) { certificate(t, dir, time.Now().Add(900*time.Hour), "localhost") }},
		{name: "http with TLS", config: tlsConfig + "external_url: http://localhost:8080", want: "PROBLEM  external URL   it begins with http://", code: 1,
			prepare: func(dir string) { certificate(t, dir, time.Now().Add(900*time.Hour), "localhost") }},
		{name: "TLS ends soon", config: tlsConfig, want: "warning  certificate    it expires on", code: 0,
			prepare: func(dir string) { certificate(t, dir, time.Now().Add(72*time.Hour), "localhost") }},
		{name: "TLS ended", config: tlsConfig, want: "PROBLEM  certificate    it expired on", code: 1,
			prepare: func(dir string) { certificate(t, dir, time.Now().Add(-time.Hour), "localhost") }},
		{name: "TLS for another", config: tlsConfig, want: "PROBLEM  certificate    it is not for localhost", code: 1,
			prepare: func(dir string) { certificate(t, dir, time.Now().Add(900*time.Hour), "other.example") }},
		{name: "no TLS files", config: "tls: {cert_file: no.crt, key_file: no.key}", want: "PROBLEM  certificate    no.crt", code: 1},
		{name: "readable key", config: tlsConfig, want: "PROBLEM  certificate    tls.key can be used by other users of this machine: chmod 600 tls.key", code: 1,
			prepare: func(dir string) {
				certificate(t, dir, time.Now().Add(900*time.Hour), "localhost")
				_ = os.Chmod(filepath.Join(dir, "tls.key"), 0o644)
			}},
		{name: "readable folder", want: "PROBLEM  data folder    gatehouse-data can be used by other users of this machine: chmod 700", code: 1,
			prepare: func(dir string) { _ = os.Chmod(filepath.Join(dir, "gatehouse-data"), 0o755) }},
		{name: "readable token", want: "PROBLEM  data folder    gatehouse-data/admin.token can be used", code: 1,
			prepare: func(dir string) { _ = os.Chmod(filepath.Join(dir, "gatehouse-data", "admin.token"), 0o640) }},
		{name: "no database server", config: "database: {url: 'postgres://u:canary@localhost:1/x'}", want: "PROBLEM  database       gatehouse.yaml:1: database.url: connect to database", code: 1},
		{name: "readable password", config: "database: {url: 'postgres://u:canary@localhost:1/x'}", want: "PROBLEM  configuration  gatehouse.yaml can be used by other users", code: 1,
			prepare: func(dir string) { _ = os.Chmod(filepath.Join(dir, "gatehouse.yaml"), 0o644) }},
		{name: "no data", config: "data: other", want: "ok       database       there is none yet", code: 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			here := t.TempDir()
			if err := os.CopyFS(here, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			_ = os.Chmod(filepath.Join(here, "gatehouse-data"), 0o700)
			for _, name := range []string{"admin.token", "gatehouse.db", "master.key"} {
				_ = os.Chmod(filepath.Join(here, "gatehouse-data", name), 0o600)
			}
			put(t, here, "gatehouse.yaml", c.config)
			if c.prepare != nil {
				c.prepare(here)
			}
			out, errors, code := run(t, here, "doctor", "--config", "gatehouse.yaml")
			if code != c.code || !strings.Contains(out, c.want) || strings.Contains(out+errors, "canary") {
				t.Errorf("%d, want %d and %q:\n%s%s", code, c.code, c.want, out, errors)
			}
		})
	}
}
