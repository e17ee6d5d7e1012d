package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestOrigin: only trusted proxies say who calls and for which host.
func TestOrigin(t *testing.T) {
	t.Parallel()
	e := &Edge{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	const client, proxy = "192.0.2.1:1234", "10.0.0.1:1234"
	for name, c := range map[string]struct {
		peer, host string
		headers    [][2]string
		wantHost   string
		wantIP     string
		wantSecure bool
	}{
		"a client": {client, "id.example:8080", nil, "id.example", "192.0.2.1", false},
		"a client that pretends": {client, "id.example", [][2]string{
			{"X-Forwarded-Host", "evil.example"}, {"X-Zitadel-Instance-Host", "evil.example"}, {"X-Forwarded-For", "8.8.8.8"},
			{"X-Forwarded-Proto", "https"}, {"X-Real-Ip", "8.8.8.8"}, {"Forwarded", "host=evil.example;for=8.8.8.8"},
			{"X-Original-Host", "evil.example"}, {"X-Zitadel-Forward-Host", "evil.example"},
		}, "id.example", "192.0.2.1", false},
		"a proxy":                        {proxy, "internal:80", [][2]string{{"X-Forwarded-Host", "id.example:443"}, {"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}}, "id.example", "192.0.2.1", true},
		"a proxy that says nothing":      {proxy, "id.example", nil, "id.example", "10.0.0.1", false},
		"the instance's host stands out": {proxy, "internal", [][2]string{{"X-Forwarded-Host", "other.example"}, {"X-Zitadel-Instance-Host", "id.example"}}, "id.example", "10.0.0.1", false},
		"a client behind a proxy that appends": {proxy, "internal", [][2]string{
			{"X-Forwarded-For", "8.8.8.8"}, {"X-Forwarded-For", "9.9.9.9, 192.0.2.1"}, {"X-Forwarded-Host", "evil.example, id.example"}, {"X-Forwarded-Proto", "https, http"},
		}, "id.example", "192.0.2.1", false},
		"two proxies":             {proxy, "id.example", [][2]string{{"X-Forwarded-For", "8.8.8.8, 192.0.2.1, 10.0.0.2"}}, "id.example", "192.0.2.1", false},
		"only proxies":            {proxy, "id.example", [][2]string{{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}}, "id.example", "10.0.0.3", false},
		"what is no address":      {proxy, "id.example", [][2]string{{"X-Forwarded-For", "192.0.2.1, unknown"}}, "id.example", "10.0.0.1", false},
		"a proxy by IPv6":         {"[fd00::1]:1234", "[::1]:80", [][2]string{{"X-Forwarded-For", "2001:db8::1"}}, "::1", "2001:db8::1", false},
		"a proxy by mapped IPv4":  {"[::ffff:10.0.0.1]:1234", "id.example", [][2]string{{"X-Forwarded-For", "192.0.2.1"}}, "id.example", "192.0.2.1", false},
		"a client by mapped IPv4": {"[::ffff:192.0.2.1]:1234", "id.example", [][2]string{{"X-Forwarded-For", "8.8.8.8"}}, "id.example", "192.0.2.1", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://x/", nil)
		r.RemoteAddr, r.Host = c.peer, c.host
		for _, h := range c.headers {
			r.Header.Add(h[0], h[1])
		}
		var got Call
		e.origin(&got, r)
		if got.Host != c.wantHost || got.RemoteIP != c.wantIP || got.Secure != c.wantSecure {
			t.Errorf("%s: host %s, address %s, secure %v; want %s, %s, %v", name, got.Host, got.RemoteIP, got.Secure, c.wantHost, c.wantIP, c.wantSecure)
		}
	}
}
