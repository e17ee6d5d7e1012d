package user

import (
	"net/url"
	"slices"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"golang.org/x/net/publicsuffix"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
)

// Key is what is known of a security key or passkey. All of it is public.
type Key struct {
	RPID              string   `json:"rpID"` // the domain that it is for
	CredentialID      []byte   `json:"keyId,omitempty"`
	PublicKey         []byte   `json:"publicKey,omitempty"` // COSE
	AAGUID            []byte   `json:"aaguid,omitempty"`    // the model
	AttestationType   string   `json:"attestationType,omitempty"`
	AttestationFormat string   `json:"attestationFormat,omitempty"`
	Transports        []string `json:"transports,omitempty"`
	// BackupEligible says that the key may be copied to other devices. It never changes.
	BackupEligible bool `json:"backupEligible,omitempty"`
}

// credential is the key as the library knows it.
func (f factor) credential() webauthn.Credential {
	k := f.Key
	c := webauthn.Credential{
		ID: k.CredentialID, PublicKey: k.PublicKey, AttestationType: k.AttestationType, AttestationFormat: k.AttestationFormat,
		Flags:         webauthn.CredentialFlags{BackupEligible: k.BackupEligible, BackupState: f.backedUp},
		Authenticator: webauthn.Authenticator{AAGUID: k.AAGUID, SignCount: uint32(f.counter)}, //nolint:gosec // it was one
	}
	for _, t := range k.Transports {
		c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
	}
	return c
}

// holder is a user as the library wants to know them.
type holder struct {
	id, name, displayName string
	keys                  []factor
}

func (h holder) WebAuthnID() []byte          { return []byte(h.id) }
func (h holder) WebAuthnName() string        { return h.name }
func (h holder) WebAuthnDisplayName() string { return h.displayName }

func (h holder) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, len(h.keys))
	for i, k := range h.keys {
		out[i] = k.credential()
	}
	return out
}

// keysFor gives the ready keys for a domain.
func (e *enrolment) keysFor(rpID string, kinds ...FactorKind) []factor {
	return slices.DeleteFunc(e.of(kinds...), func(f factor) bool { return f.State != FactorReady || f.Key.RPID != rpID })
}

var (
	errRPID = fault.Invalid("USER-domain",
		"The domain must be one at which the instance is reached or that it trusts, or one above it that somebody can register, without scheme and port, and no IP address.")
	errOrigin = fault.Invalid("USER-origin",
		"The key was asked by a page of another origin: it must be served over https, by the domain of the key or one below it, which the instance is reached at or trusts.")
	errKeyForm = fault.Invalid("USER-key-form", "This is not what a browser gives for a key: send the PublicKeyCredential with its binary values in base64url.")
	// ErrWrongKey refuses an answer that is not the one that was asked for.
	ErrWrongKey = fault.Invalid("USER-key", "The answer of the key does not fit the challenge, or its signature is wrong. Begin anew.")
)

// sites are the hosts on which an instance may ask for keys.
type sites []string

// readSites reads the sites of an instance.
func readSites(instance string, into *sites) database.Query {
	*into = nil // The transaction may run again.
	return database.Query{
		SQL:  "SELECT domain FROM instance_domains WHERE instance_id = ? UNION SELECT domain FROM trusted_domains WHERE instance_id = ?",
		Args: []any{instance, instance},
		Row: func(scan database.Scan) error {
			var domain string
			err := scan(&domain)
			*into = append(*into, domain)
			return err
		},
	}
}

// rpID gives the canonical form of a domain that keys can be for.
func (s sites) rpID(domain string) (string, error) {
	domain = hostname.Canonical(domain)
	if protocol.ValidateRPID(domain) != nil || !hostname.IsDomain(domain) {
		return "", errRPID
	}
	if slices.Contains(s, domain) {
		return domain, nil
	}
	if _, err := publicsuffix.EffectiveTLDPlusOne(domain); err != nil {
		return "", errRPID // Everybody's: com, co.uk.
	}
	if !slices.ContainsFunc(s, func(site string) bool { return strings.HasSuffix(site, "."+domain) }) {
		return "", errRPID
	}
	return domain, nil
}

// party is the relying party that takes the answer of a key that a page of origin
// asked. http will do on the machine of the browser only, as for browsers.
func (s sites) party(rpID, origin string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || strings.TrimSuffix(origin, "/") != u.Scheme+"://"+u.Host {
		return nil, errOrigin
	}
	host := hostname.Canonical(u.Hostname())
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	within := host == rpID || strings.HasSuffix(host, "."+rpID)
	if u.Scheme != "https" && (u.Scheme != "http" || !local) || !within || !slices.Contains(s, host) {
		return nil, errOrigin
	}
	return relyingParty(rpID, origin)
}

// relyingParty is the library's. What a key says of its maker is kept and not
// judged: no list of makers is trusted here.
func relyingParty(rpID, origin string) (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{
		RPID: rpID, RPDisplayName: rpID, RPOrigins: []string{origin}, AttestationPreference: protocol.PreferNoAttestation,
	})
}
