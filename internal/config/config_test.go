package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/config"
)

// write puts text into a new file and gives its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func keyFile(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return write(t, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
}

// TestSources: a flag beats the environment, that beats the file, that beats the
// default, and each value knows where it came from.
func TestSources(t *testing.T) {
	t.Parallel()
	key := keyFile(t)
	file := write(t, `listen: ":1"
external_url: https://id.example.com
data: from-file
log: {level: warn}
database:
  url_file: `+write(t, "postgres://u:canary@db/x\n")+`
trusted_proxies: [10.0.0.0/8]
limits:
  read_timeout: 7s
system_users:
  - name: ops
    key_file: `+key+`
    memberships:
      - {on: system, roles: [SYSTEM_OWNER]}
roles:
  MY_ROLE: [org.read]
`)
	c, err := config.Load(config.Input{
		File: file, Flags: map[string]string{"listen": ":3"},
		Env: []string{"GATEHOUSE_LISTEN=:2", "GATEHOUSE_LOG_FORMAT=json", "GATEHOUSE_TRUSTED_PROXIES=192.0.2.0/24, 2001:db8::/32",
			"GATEHOUSE_LIMITS_IDLE_TIMEOUT=3m", "GATEHOUSE_DATA=", "GATEHOUSE_PORT_8080_TCP=tcp://10.0.0.1:8080", "PATH=/bin"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != ":3" || c.Log.Level != "warn" || c.Log.Format != "json" || c.Data != "from-file" ||
		c.Limits.ReadTimeout != 7*time.Second || c.Limits.IdleTimeout != 3*time.Minute || c.Limits.WriteTimeout != 30*time.Second ||
		len(c.TrustedProxies) != 2 || c.Database.URL != "postgres://u:canary@db/x" || c.SystemUsers[0].Key == nil || len(c.Roles) != 1 {
		t.Errorf("%+v", c)
	}
	for key, want := range map[string]string{
		"listen": "--listen", "log.format": "GATEHOUSE_LOG_FORMAT", "log.level": file + ":4", "external_url": file + ":2",
		"limits.write_timeout": "", "trusted_proxies": "GATEHOUSE_TRUSTED_PROXIES", "system_users.0.memberships.0": file + ":14",
	} {
		if got := string(c.Origin(key)); got != want {
			t.Errorf("%s comes from %q, want %q", key, got, want)
		}
	}
	shown, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shown), "canary") || !strings.Contains(string(shown), "--listen") || !strings.Contains(string(shown), "(secret)") {
		t.Errorf("shown as:\n%s", shown)
	}
	shown = []byte(strings.ReplaceAll(string(shown), "(secret)", ""))
	if _, err := config.Load(config.Input{File: write(t, string(shown))}); err != nil {
		t.Errorf("what is shown cannot be read: %v\n%s", err, shown)
	}
}

// TestMistakes: each mistake is refused by an error that names what to change.
func TestMistakes(t *testing.T) {
	t.Parallel()
	user := "system_users:\n  - name: ops\n    key_file: " + keyFile(t) + "\n    memberships: "
	for _, c := range []struct{ file, env, flag, want string }{
		{file: "\nlissten: x", want: "FILE:2: there is no setting lissten"},
		{file: "exernal_url: https://x", want: "did you mean external_url?"},
		{file: "limits:\n  read_timeot: 1s", want: "FILE:2: there is no setting limits.read_timeot: did you mean limits.read_timeout?"},
		{file: "listen: :1\nlisten: :2", want: "FILE:2: listen is set twice"},
		{file: "limits: 3", want: "FILE:1: limits needs keys below it"},
		{file: "listen: [a]", want: "FILE:1: listen:"},
		{file: "limits: {read_timeout: 5}", want: "FILE:1: limits.read_timeout:"},
		{file: "a: [", want: "FILE: "},
		{file: "listen: localhost", want: `FILE:1: listen: "localhost" is not a host and a port`},
		{file: "listen: :99999", want: "is not a host and a port"},
		{file: "metrics:\n  listen: nine", want: "FILE:2: metrics.listen"},
		{file: "external_url: id.example.com", want: "is not like https://id.example.com"},
		{file: "external_url: https://id.example.com/path", want: "is not like https://id.example.com"},
		{file: "login_url: login.example.com", want: "is not like https://login.example.com/ui"},
		{file: "trusted_proxies: [10.0.0.0]", want: "FILE:1: trusted_proxies"},
		{file: "database: {url: mysql://x}", want: "FILE:1: database.url: the URL must begin with postgres://"},
		{file: "database: {url_file: /nowhere}", want: "FILE:1: database.url_file: open /nowhere"},
		{file: "database: {connections: -1}", want: "database.connections: -1 is not within 0 to 1000"},
		{file: "tls: {cert_file: x}", want: "FILE:1: tls.cert_file: a certificate needs its key"},
		{file: "tls: {key_file: x}", want: "set tls.cert_file"},
		{file: "tracing: {sample: 2}", want: "tracing.sample"},
		{file: "tracing: {endpoint: here}", want: "tracing.endpoint"},
		{file: "log: {level: loud}", want: `log.level: "loud" is none of debug, info, warn, error`},
		{file: "log: {format: xml}", want: "log.format"},
		{file: "limits: {body_bytes: 1}", want: "limits.body_bytes: 1 is not within"},
		{file: "limits: {write_timeout: 1s}", want: "replies would be cut off"},
		{file: "limits: {drain_delay: -1s}", want: "limits.drain_delay"},
		{file: "system_users: [{name: x, key_file: /nowhere}]", want: "FILE:1: system_users.0.key_file: open /nowhere"},
		{file: "system_users:\n  - name: x\n    key_fil: y", want: "FILE:2: there is no setting system_users.0.key_fil: did you mean key_file?"},
		{file: user + "[]", want: "needs memberships"},
		{file: user + "[{on: moon, roles: [A]}]", want: "FILE:4: system_users.0.memberships.0.on: \"moon\" is none of"},
		{file: user + "[{on: org, roles: [A]}]", want: "needs its id"},
		{file: user + "[{on: system, id: 1, roles: [A]}]", want: "has no id"},
		{file: user + "[{on: system}]", want: "needs roles"},
		{env: "GATEHOUSE_LISTN=:1", want: "GATEHOUSE_LISTN: there is no such setting: did you mean GATEHOUSE_LISTEN?"},
		{env: "GATEHOUSE_DATABASE=x", want: "did you mean GATEHOUSE_DATABASE_URL?"},
		{env: "GATEHOUSE_LISTEN=x", want: "GATEHOUSE_LISTEN: listen:"},
		{env: "GATEHOUSE_LIMITS_READ_TIMEOUT=fast", want: "GATEHOUSE_LIMITS_READ_TIMEOUT: limits.read_timeout:"},
		{env: "GATEHOUSE_SYSTEM_USERS=[{name: x, key_fle: y}]", want: "GATEHOUSE_SYSTEM_USERS: there is no setting system_users.0.key_fle: did you mean key_file?"},
		{flag: "x", want: `--listen: "x" is not a host and a port`},
	} {
		in := config.Input{}
		if c.file != "" {
			in.File = write(t, c.file)
		}
		if c.env != "" {
			in.Env = []string{c.env}
		}
		if c.flag != "" {
			in.Flags = map[string]string{"listen": c.flag}
		}
		_, err := config.Load(in)
		want := strings.ReplaceAll(c.want, "FILE", in.File)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q %q: %v\nwant %s", c.file, c.env, err, want)
		}
	}
}

// TestReference: the reference in the documentation has every key.
func TestReference(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range config.Keys() {
		if !strings.Contains(string(page), "| `"+key+"`") {
			t.Errorf("docs/operations.md does not describe %s", key)
		}
	}
}
