// Package outbound is the way out: every request that Gatehouse makes to an
// address which a user chose goes through here. An address inside the operator's
// network is refused when it is dialled, so that neither a name's second answer
// nor a redirect leads there. Time and size are bounded.
//
// It imports nothing of Gatehouse.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// The limits of a request.
const (
	dialTimeout    = 3 * time.Second
	requestTimeout = 6 * time.Second
	postTimeout    = 10 * time.Second
	maxRedirects   = 3
	maxHeader      = 16 << 10
)

// errRefused says that an address must not be reached.
var errRefused = errors.New("outbound: the address is not a public one")

// Client makes requests. Its zero value reaches every public address. Set the
// fields before the first request.
type Client struct {
	// Allow lists networks that may be reached although they are not public.
	Allow []netip.Prefix
	// Resolver finds addresses and records; nil is the system's.
	Resolver *net.Resolver
	// Roots are the certificate authorities to trust; nil are the system's.
	Roots *x509.CertPool
	// Redial, if not nil, replaces the address (host:port) to dial.
	Redial func(address string) string
}

// special are the networks that are neither public nor covered by a method of
// netip.Addr.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("192.88.99.0/24"),  // relays of 6to4
	netip.MustParsePrefix("::/96"),           // an IPv4 address in disguise
	netip.MustParsePrefix("2001::/23"),       // protocol assignments: Teredo, an IPv4 address in disguise, and others
	netip.MustParsePrefix("3fff::/20"),       // documentation
	netip.MustParsePrefix("5f00::/16"),       // segment routing
	netip.MustParsePrefix("64:ff9b::/96"),    // NAT64: an IPv4 address in disguise
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4: an IPv4 address in disguise
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("fec0::/10"),       // site local
}

// allowed reports whether the address may be reached.
func (c *Client) allowed(addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, p := range c.Allow {
		if p.Contains(addr) {
			return true
		}
	}
	for _, p := range special {
		if p.Contains(addr) {
			return false
		}
	}
	return addr.IsGlobalUnicast() && !addr.IsPrivate()
}

// control runs after the name is resolved and before the connection is made.
func (c *Client) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !c.allowed(ap.Addr()) {
		return errRefused
	}
	return nil
}

// Dial connects to an address (host:port) that a user chose.
func (c *Client) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.Redial != nil {
		address = c.Redial(address)
	}
	d := net.Dialer{Timeout: dialTimeout, Control: c.control, Resolver: c.Resolver}
	return d.DialContext(ctx, network, address)
}

// TXT gives the TXT records of a DNS name; none where there is no such name.
func (c *Client) TXT(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r := c.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	// The trailing dot keeps the resolver from trying the machine's own domains.
	records, err := r.LookupTXT(ctx, name+".")
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, nil
	}
	return records, err
}

// Reach refuses a URL whose host is an address that must not be reached, or has one.
// A name that has none now is no reason to refuse: every dial looks again.
func (c *Client) Reach(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errURL
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	r := c.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	found, _ := r.LookupNetIP(ctx, "ip", u.Hostname())
	for _, addr := range found {
		if !c.allowed(addr) {
			return errRefused
		}
	}
	return nil
}

// transport makes connections for one request.
func (c *Client) transport() *http.Transport {
	return &http.Transport{
		DialContext: c.Dial, DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader,
		TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: postTimeout,
		TLSClientConfig: &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
	}
}

// Post sends a body to an address and gives the answer's, of at most limit bytes: what
// is longer is cut off. An answer other than 2xx is an error that tells its status
// and nothing more. Redirects are not followed: the body is for this URL alone.
func (c *Client) Post(ctx context.Context, address string, header http.Header, body []byte, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, errURL
	}
	req.Header = header.Clone()
	req.Header.Set("User-Agent", "Gatehouse")
	client := &http.Client{Transport: c.transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, fmt.Errorf("outbound: the answer is %d", res.StatusCode)
	}
	return io.ReadAll(io.LimitReader(res.Body, limit))
}

// errURL and withoutURL keep URLs, which may hold secrets, out of errors.
var errURL = errors.New("outbound: this is no URL")

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("outbound: %w", u.Err)
	}
	return err
}

// Text gives the body behind an https URL, which must not be longer than limit
// bytes. Redirects are followed to other https URLs.
func (c *Client) Text(ctx context.Context, url string, limit int64) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "Gatehouse")
	client := &http.Client{Transport: c.transport(), CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || r.URL.Scheme != "https" {
			return errors.New("outbound: too many redirects, or one to plain HTTP")
		}
		return nil
	}}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("outbound: %s answers %s", url, res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("outbound: %s is longer than %d bytes", url, limit)
	}
	return string(body), err
}
