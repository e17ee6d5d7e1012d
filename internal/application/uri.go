package application

import (
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// maxURI bounds an address, in bytes.
const maxURI = 2048

// The schemes of the web.
const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
)

// hostile are schemes that run code, show what somebody made up, or lead elsewhere
// than to an application.
var hostile = []string{
	"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem", "ws", "wss", "ftp", "mailto", "tel", "jar", "intent", "livescript", "mocha",
}

// parseURI reads an address that means the same to every program that reads it.
func parseURI(uri string) (*url.URL, bool) {
	odd := func(r rune) bool { return r <= ' ' || r == '\\' || r == '#' || r >= 0x7f && r <= 0xa0 || r == 0xfffd }
	if uri == "" || len(uri) > maxURI || strings.ContainsFunc(uri, odd) {
		return nil, false
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" || u.User != nil || slices.Contains(hostile, u.Scheme) {
		return nil, false
	}
	return u, true
}

func isWeb(u *url.URL) bool {
	return (u.Scheme == schemeHTTP || u.Scheme == schemeHTTPS) && u.Opaque == "" && u.Hostname() != ""
}

func checkRedirect(uri string) error {
	u, ok := parseURI(uri)
	if !ok || (u.Scheme == schemeHTTP || u.Scheme == schemeHTTPS) && !isWeb(u) {
		return fault.Invalid("APP-redirect", "No browser may be sent back to %q. An address needs a scheme that runs no code, and neither fragment, user name, backslash nor white space, in %d bytes at most.", uri, maxURI)
	}
	return nil
}

func checkWeb(uri string) error {
	if u, ok := parseURI(uri); !ok || !isWeb(u) {
		return fault.Invalid("APP-url", "%q must be an http or https address without fragment and user name, of %d bytes at most.", uri, maxURI)
	}
	return nil
}

func checkOrigin(uri string) error {
	if u, ok := parseURI(uri); !ok || !isWeb(u) || origin(u) != uri {
		return fault.Invalid("APP-origin", "%q is no origin: that is http or https, a host and perhaps a port, such as https://app.example.com.", uri)
	}
	return nil
}

// origin is what browsers say of where a page of an address comes from.
func origin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

// isLoopback reports whether an address is one of the machine itself, without TLS.
func isLoopback(u *url.URL) bool {
	host := u.Hostname()
	ip := net.ParseIP(host)
	return u.Scheme == schemeHTTP && (host == "localhost" || ip != nil && ip.IsLoopback())
}
