// Package config is what an operator can set: one struct, filled from defaults,
// a YAML file, the environment and flags, in rising order, and checked as a
// whole. It remembers where each value came from, so that an error can name the
// line to change.
//
// It imports nothing of Gatehouse.
package config

import (
	"crypto"
	"net/netip"
	"time"
)

// Config is every setting. The key of a setting in the file is the path of the
// yaml tags; in the environment it is GATEHOUSE_ and the path in capitals, with _
// between its parts.
type Config struct {
	// Data is the folder of the embedded database and of the first token.
	Data string `default:"gatehouse-data" yaml:"data"`
	// Listen is the address that the API is served on.
	Listen string `default:"localhost:8080" yaml:"listen"`
	// ExternalURL is under which clients reach the server. Empty: the scheme that
	// is served, localhost and the port of Listen.
	ExternalURL string `yaml:"external_url"`
	// LoginURL is where people log in whose instance and application name no other
	// page. Empty: /ui/v2/login under the address of the instance.
	LoginURL string `yaml:"login_url"`
	// TrustedProxies are the networks whose X-Forwarded- headers, request ids and
	// trace contexts count.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// AllowedNetworks are networks that are not public and that the server may reach
	// all the same where a user names an address in them: a mail server, a webhook.
	AllowedNetworks []netip.Prefix `yaml:"allowed_networks"`

	// MasterKey encrypts the keys that seal secrets in the database. Empty: the one
	// in the file master.key of the data folder, which the first start makes. Every
	// node on a database needs the same.
	MasterKey Secret `yaml:"master_key"`

	Database Database `yaml:"database"`
	TLS      TLS      `yaml:"tls"`
	Metrics  Metrics  `yaml:"metrics"`
	Tracing  Tracing  `yaml:"tracing"`
	Log      Log      `yaml:"log"`
	Limits   Limits   `yaml:"limits"`

	// SystemUsers are callers who are known by this configuration alone.
	SystemUsers []SystemUser `yaml:"system_users"`
	// Roles replaces the permissions of roles, or adds roles.
	Roles map[string][]string `yaml:"roles"`

	origins map[string]Origin
}

// Database says where the data are.
type Database struct {
	// URL is "postgres://…"; empty for the embedded database in the data folder.
	URL Secret `yaml:"url"`
	// Connections bounds the pool: connections to PostgreSQL, or readers of the
	// embedded database. 0 picks a number that fits the machine.
	Connections int `yaml:"connections"`
}

// TLS is a certificate chain and its key, in PEM. Both are read again when they
// change.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Metrics are served on a listener of their own, with pprof beside them.
type Metrics struct {
	// Listen is the address; empty: closed.
	Listen string `yaml:"listen"`
}

// Tracing sends a trace of each call over OTLP/HTTP.
type Tracing struct {
	// Endpoint is the collector's URL, such as http://localhost:4318; empty: off.
	Endpoint string `yaml:"endpoint"`
	// Sample is the share of calls that are traced, 0 to 1.
	Sample float64 `default:"1" yaml:"sample"`
}

// Log says what is written to standard error.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `default:"info" yaml:"level"`
	// Format is text or json.
	Format string `default:"text" yaml:"format"`
}

// Limits bound what a request may cost.
type Limits struct {
	HeaderBytes int `default:"32768"   yaml:"header_bytes"`
	BodyBytes   int `default:"4194304" yaml:"body_bytes"`
	// JSONBytes bounds a message in JSON, which takes many times its size while it is read.
	JSONBytes int `default:"1048576" yaml:"json_bytes"`
	// Connections is how many there are at once. One more ends the one that is quiet for
	// the longest.
	Connections       int           `default:"4096" yaml:"connections"`
	ReadHeaderTimeout time.Duration `default:"5s"   yaml:"read_header_timeout"`
	ReadTimeout       time.Duration `default:"10s"  yaml:"read_timeout"`
	WriteTimeout      time.Duration `default:"30s"  yaml:"write_timeout"`
	IdleTimeout       time.Duration `default:"2m"   yaml:"idle_timeout"`
	// CallTimeout bounds the work on one call.
	CallTimeout time.Duration `default:"10s" yaml:"call_timeout"`
	// DrainDelay is how long the server, asked to stop, goes on taking requests
	// while it says that it is not ready.
	DrainDelay time.Duration `default:"0s" yaml:"drain_delay"`
	// DrainTimeout bounds how long it then waits for running calls.
	DrainTimeout time.Duration `default:"10s" yaml:"drain_timeout"`
}

// SystemUser is a caller that proves itself with tokens it signs itself.
type SystemUser struct {
	Name string `yaml:"name"`
	// KeyFile holds the public key in PEM.
	KeyFile     string       `yaml:"key_file"`
	Memberships []Membership `yaml:"memberships"`

	// Key is what KeyFile holds.
	Key crypto.PublicKey `yaml:"-"`
}

// Membership is roles of a system user.
type Membership struct {
	// On is system, instance or org.
	On string `yaml:"on"`
	// ID is of the instance or the organization; empty for every instance.
	ID    string   `yaml:"id,omitempty"`
	Roles []string `yaml:"roles"`
}

// Secret is a text that is never shown. Each key of a secret has a second one,
// ending in _file, that names a file which holds it.
type Secret string

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// MarshalYAML hides the secret.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
