package main

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/gatehouse/gatehouse/internal/server"
)

// checkExternalURL holds the URL that clients use against what is served.
func (d *doctor) checkExternalURL() {
	if d.ExternalURL == "" {
		if loopback(d.Listen) {
			d.okf("external URL", "clients on this machine only")
		} else {
			d.warningf("external URL", "the server listens on %s, but tells clients to use localhost: %s", d.Listen, d.at("external_url"))
		}
		return
	}
	u, err := url.Parse(d.ExternalURL)
	if err != nil { // The configuration is checked.
		d.problemf("external URL", "%v", err)
		return
	}
	_, port, _ := net.SplitHostPort(d.Listen)
	secure, proxied := d.TLS.CertFile != "", len(d.TrustedProxies) > 0
	promised := cmp.Or(u.Port(), map[string]string{plain: "80", secured: "443"}[u.Scheme])
	switch {
	case u.Scheme == plain && secure:
		d.problemf("external URL", "it begins with http://, but the server speaks TLS: %s", d.at("external_url"))
	case u.Scheme == secured && !secure && !proxied:
		d.problemf("external URL", "it begins with https://, but the server speaks no TLS and trusts no proxy that does: set tls.cert_file or trusted_proxies")
	case u.Scheme == plain && u.Hostname() != "localhost" && !loopbackHost(u.Hostname()):
		d.warningf("external URL", "tokens travel unencrypted: use https and %s", d.at("external_url"))
	case port != promised && !proxied && port != "0":
		d.warningf("external URL", "it names port %s, the server listens on port %s and trusts no proxy: %s", promised, port, d.at("external_url"))
	default:
		d.okf("external URL", "%s", d.ExternalURL)
	}
}

// checkReach looks at who can reach the server, and whom it believes.
func (d *doctor) checkReach() {
	if !loopback(d.Listen) && d.TLS.CertFile == "" && len(d.TrustedProxies) == 0 {
		d.warningf("listener", "%s is open to the network without TLS: set tls.cert_file, or %s to a loopback address", d.Listen, d.at("listen"))
	} else {
		d.okf("listener", "%s", d.Listen)
	}
	for _, p := range d.TrustedProxies {
		if p.Bits() == 0 {
			d.problemf("proxies", "%s trusts everybody to say who they are: %s", p, d.at("trusted_proxies"))
		}
	}
	if d.Metrics.Listen != "" && !loopback(d.Metrics.Listen) {
		d.warningf("metrics", "%s asks for no token: let only the operator's network reach it, or %s", d.Metrics.Listen, d.at("metrics.listen"))
	}
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && (host == "localhost" || loopbackHost(host))
}

func loopbackHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// renewal is how long before its end a certificate should be renewed.
const renewal = 14 * 24 * time.Hour

func (d *doctor) checkCertificate() {
	if d.TLS.CertFile == "" {
		return
	}
	_, leaf, err := server.Certificate(d.TLS.CertFile, d.TLS.KeyFile)
	if err != nil {
		d.problemf("certificate", "%v: %s", err, d.at("tls.cert_file"))
		return
	}
	left := time.Until(leaf.NotAfter) //nolint:forbidigo // the certificate is judged by the machine's clock
	host := hostOf(cmp.Or(d.ExternalURL, "https://localhost"))
	switch {
	case left < 0:
		d.problemf("certificate", "it expired on %s: renew %s", leaf.NotAfter.Format(time.DateOnly), d.TLS.CertFile)
	case time.Until(leaf.NotBefore) > 0: //nolint:forbidigo // as above
		d.problemf("certificate", "it is not valid before %s: check the clock", leaf.NotBefore.Format(time.DateTime))
	case leaf.VerifyHostname(host) != nil:
		d.problemf("certificate", "it is not for %s: %s or external_url", host, d.at("tls.cert_file"))
	case left < renewal:
		d.warningf("certificate", "it expires on %s: renew %s", leaf.NotAfter.Format(time.DateOnly), d.TLS.CertFile)
	default:
		d.okf("certificate", "valid until %s", leaf.NotAfter.Format(time.DateOnly))
	}
	d.private("certificate", d.TLS.KeyFile)
}
