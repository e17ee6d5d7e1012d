package config

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Origin says where the value of key came from; empty for a default.
func (c *Config) Origin(key string) Origin { return c.origins[key] }

// origin is the origin of key, or of the nearest key above it.
func (c *Config) origin(key string) Origin {
	for {
		if o := c.origins[key]; o != "" {
			return o
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return ""
		}
		key = key[:i]
	}
}

// Errorf is an error about the value of key. It begins with the line, variable
// or flag to change.
func (c *Config) Errorf(key, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	switch o := c.origin(key); o {
	case "":
		return fmt.Errorf("%s: %s", key, text)
	case Origin("--" + flagName(key)):
		return fmt.Errorf("%s: %s", o, text)
	default:
		return fmt.Errorf("%s: %s: %s", o, key, text)
	}
}

// check validates what can be judged without the rest of the server.
func (c *Config) check() error {
	return errors.Join(
		c.checkAddresses(), c.checkDatabase(), c.checkTLS(), c.checkTracing(), c.checkLog(), c.checkLimits(),
		c.checkSystemUsers(), c.checkRoles(),
	)
}

func (c *Config) checkAddresses() error {
	if c.Data == "" {
		return c.Errorf("data", "name a folder")
	}
	for key, address := range map[string]string{"listen": c.Listen, "metrics.listen": c.Metrics.Listen} {
		if address == "" && key == "metrics.listen" {
			continue
		}
		_, port, err := net.SplitHostPort(address)
		if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
			return c.Errorf(key, "%q is not a host and a port, such as localhost:8080 or :8080", address)
		}
	}
	if u, err := url.Parse(c.LoginURL); c.LoginURL != "" && (err != nil || !isWeb(u)) {
		return c.Errorf("login_url", "%q is not like https://login.example.com/ui", c.LoginURL)
	}
	if c.ExternalURL == "" {
		return nil
	}
	u, err := url.Parse(c.ExternalURL)
	if err != nil || !isWeb(u) || strings.Trim(u.Path, "/") != "" {
		return c.Errorf("external_url", "%q is not like https://id.example.com", c.ExternalURL)
	}
	return nil
}

// isWeb reports whether u is an address of the web, with at most a path.
func isWeb(u *url.URL) bool {
	return u.Hostname() != "" && (u.Scheme == "http" || u.Scheme == "https") && u.RawQuery == "" && u.User == nil
}

func (c *Config) checkDatabase() error {
	if c.Database.Connections < 0 || c.Database.Connections > 1000 {
		return c.Errorf("database.connections", "%d is not within 0 to 1000", c.Database.Connections)
	}
	if u := string(c.Database.URL); u != "" && !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") {
		return c.Errorf("database.url", "the URL must begin with postgres://; leave it out for the embedded database")
	}
	return nil
}

func (c *Config) checkTLS() error {
	switch {
	case c.TLS.CertFile != "" && c.TLS.KeyFile == "":
		return c.Errorf("tls.cert_file", "a certificate needs its key: set tls.key_file")
	case c.TLS.KeyFile != "" && c.TLS.CertFile == "":
		return c.Errorf("tls.key_file", "a key needs its certificate: set tls.cert_file")
	}
	return nil
}

func (c *Config) checkTracing() error {
	if c.Tracing.Sample < 0 || c.Tracing.Sample > 1 {
		return c.Errorf("tracing.sample", "%v is not within 0 to 1", c.Tracing.Sample)
	}
	if u, err := url.Parse(c.Tracing.Endpoint); c.Tracing.Endpoint != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return c.Errorf("tracing.endpoint", "%q is not like http://localhost:4318", c.Tracing.Endpoint)
	}
	return nil
}

func (c *Config) checkLog() error {
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, c.Log.Level) {
		return c.Errorf("log.level", "%q is none of %s", c.Log.Level, strings.Join(levels, ", "))
	}
	if formats := []string{"text", "json"}; !slices.Contains(formats, c.Log.Format) {
		return c.Errorf("log.format", "%q is none of %s", c.Log.Format, strings.Join(formats, ", "))
	}
	return nil
}

func (c *Config) checkLimits() error {
	l := c.Limits
	for key, n := range map[string]int{"limits.header_bytes": l.HeaderBytes, "limits.body_bytes": l.BodyBytes, "limits.json_bytes": l.JSONBytes} {
		if n < 4<<10 || n > 64<<20 {
			return c.Errorf(key, "%d is not within 4096 to 67108864 bytes", n)
		}
	}
	if l.Connections < 16 || l.Connections > 1_000_000 {
		return c.Errorf("limits.connections", "%d is not within 16 to 1000000", l.Connections)
	}
	for key, d := range map[string]time.Duration{
		"limits.read_header_timeout": l.ReadHeaderTimeout, "limits.read_timeout": l.ReadTimeout,
		"limits.write_timeout": l.WriteTimeout, "limits.idle_timeout": l.IdleTimeout,
		"limits.call_timeout": l.CallTimeout, "limits.drain_timeout": l.DrainTimeout,
	} {
		if d < 100*time.Millisecond || d > time.Hour {
			return c.Errorf(key, "%s is not within 100ms to 1h", d)
		}
	}
	if l.DrainDelay < 0 || l.DrainDelay > time.Hour {
		return c.Errorf("limits.drain_delay", "%s is not within 0s to 1h", l.DrainDelay)
	}
	if l.WriteTimeout < l.CallTimeout {
		return c.Errorf("limits.write_timeout", "%s is shorter than limits.call_timeout, %s: replies would be cut off", l.WriteTimeout, l.CallTimeout)
	}
	return nil
}

func (c *Config) checkSystemUsers() error {
	seen := map[string]bool{}
	for i := range c.SystemUsers {
		u, at := &c.SystemUsers[i], fmt.Sprintf("system_users.%d", i)
		if u.Name == "" || len(u.Name) > 200 || seen[u.Name] {
			return c.Errorf(at, "a system user needs a name of 1 to 200 bytes that no other has")
		}
		seen[u.Name] = true
		data, err := readFile(u.KeyFile)
		if err != nil {
			return c.Errorf(at+".key_file", "%v", err)
		}
		if u.Key, err = publicKey(data); err != nil {
			return c.Errorf(at+".key_file", "%s: %v", u.KeyFile, err)
		}
		if len(u.Memberships) == 0 {
			return c.Errorf(at, "%s needs memberships, or it may do nothing", u.Name)
		}
		for j, m := range u.Memberships {
			if err := c.checkMembership(fmt.Sprintf("%s.memberships.%d", at, j), m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Config) checkMembership(at string, m Membership) error {
	switch {
	case m.On != "system" && m.On != "instance" && m.On != "org":
		return c.Errorf(at+".on", "%q is none of system, instance, org", m.On)
	case m.On == "system" && m.ID != "":
		return c.Errorf(at+".id", "a membership on the system has no id")
	case m.On == "org" && m.ID == "":
		return c.Errorf(at, "a membership on an organization needs its id")
	case len(m.Roles) == 0:
		return c.Errorf(at, "a membership needs roles")
	}
	return nil
}

func (c *Config) checkRoles() error {
	for name, permissions := range c.Roles {
		if name == "" || slices.Contains(permissions, "") {
			return c.Errorf("roles."+name, "roles and permissions need names")
		}
	}
	return nil
}

var errPublicKey = errors.New("not a public key in PEM: RSA of at least 2048 bits, ECDSA or Ed25519")

func publicKey(data []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errPublicKey
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PublicKey(block.Bytes); err != nil {
			return nil, errPublicKey
		}
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return k, nil
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return k, nil
	}
	return nil, errPublicKey
}
