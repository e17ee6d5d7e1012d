package doctor

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/gatehouse/gatehouse/internal/config"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// The schemes of URLs.
const (
	plain   = "http"
	secured = "https"
)

// network looks at how the server is reached, and by whom.
func (l *look) network() {
	l.external()
	l.reach()
	l.certificate()
}

// external holds the URL that clients use against what is served.
func (l *look) external() {
	if l.ExternalURL == "" {
		if loopback(l.Listen) {
			l.well(aboutExternal, fault.Say("clients on this machine only"))
		} else {
			l.warning(aboutExternal, fault.Say("the server listens on %s, but tells clients to use localhost: %s", l.Listen, l.at("external_url")))
		}
		return
	}
	u, err := url.Parse(l.ExternalURL)
	if err != nil { // The configuration is checked.
		l.problem(aboutExternal, as(err.Error()))
		return
	}
	_, port, _ := net.SplitHostPort(l.Listen)
	secure, proxied := l.TLS.CertFile != "", len(l.TrustedProxies) > 0
	promised := cmp.Or(u.Port(), map[string]string{plain: "80", secured: "443"}[u.Scheme])
	switch {
	case u.Scheme == plain && secure:
		l.problem(aboutExternal, fault.Say("it begins with http://, but the server speaks TLS: %s", l.at("external_url")))
	case u.Scheme == secured && !secure && !proxied:
		l.problem(aboutExternal, fault.Say("it begins with https://, but the server speaks no TLS and trusts no proxy that does: set tls.cert_file or trusted_proxies"))
	case u.Scheme == plain && u.Hostname() != "localhost" && !loopbackHost(u.Hostname()):
		l.warning(aboutExternal, fault.Say("tokens travel unencrypted: use https and %s", l.at("external_url")))
	case port != promised && !proxied && port != "0":
		l.warning(aboutExternal, fault.Say("it names port %s, the server listens on port %s and trusts no proxy: %s", promised, port, l.at("external_url")))
	default:
		l.well(aboutExternal, as(l.ExternalURL))
	}
}

// reach looks at who can reach the server, and whom it believes.
func (l *look) reach() {
	if !loopback(l.Listen) && l.TLS.CertFile == "" && len(l.TrustedProxies) == 0 {
		l.warning(aboutListener, fault.Say("%s is open to the network without TLS: set tls.cert_file, or %s to a loopback address", l.Listen, l.at("listen")))
	} else {
		l.well(aboutListener, as(l.Listen))
	}
	for _, p := range l.TrustedProxies {
		if p.Bits() == 0 {
			l.problem(aboutProxies, fault.Say("%s trusts everybody to say who they are: %s", p, l.at("trusted_proxies")))
		}
	}
	if l.Metrics.Listen != "" && !loopback(l.Metrics.Listen) {
		l.warning(aboutMetrics, fault.Say("%s asks for no token: let only the operator's network reach it, or %s", l.Metrics.Listen, l.at("metrics.listen")))
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

func (l *look) certificate() {
	if l.TLS.CertFile == "" {
		return
	}
	_, leaf, err := config.Certificate(l.TLS.CertFile, l.TLS.KeyFile)
	if err != nil {
		l.problem(aboutCertificate, fault.Say("%v: %s", err, l.at("tls.cert_file")))
		return
	}
	left := time.Until(leaf.NotAfter) //nolint:forbidigo // the certificate is judged by the machine's clock
	host := hostOf(cmp.Or(l.ExternalURL, "https://localhost"))
	switch {
	case left < 0:
		l.problem(aboutCertificate, fault.Say("it expired on %s: renew %s", leaf.NotAfter.Format(time.DateOnly), l.TLS.CertFile))
	case time.Until(leaf.NotBefore) > 0: //nolint:forbidigo // as above
		l.problem(aboutCertificate, fault.Say("it is not valid before %s: check the clock", leaf.NotBefore.Format(time.DateTime)))
	case leaf.VerifyHostname(host) != nil:
		l.problem(aboutCertificate, fault.Say("it is not for %s: %s or external_url", host, l.at("tls.cert_file")))
	case left < renewal:
		l.warning(aboutCertificate, fault.Say("it expires on %s: renew %s", leaf.NotAfter.Format(time.DateOnly), l.TLS.CertFile))
	default:
		l.well(aboutCertificate, fault.Say("valid until %s", leaf.NotAfter.Format(time.DateOnly)))
	}
	l.private(aboutCertificate, l.TLS.KeyFile)
}

// hostOf is the host that a checked URL names.
func hostOf(external string) string {
	u, err := url.Parse(external)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
