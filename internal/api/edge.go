package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/gen/openapi"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Edge is what a request passes before it reaches a protocol: it gets an id, its
// host is found out, browsers of other origins are answered, and what goes wrong
// inside stays inside.
type Edge struct {
	Next http.Handler
	// Ready reports whether the server can do its work.
	Ready func(ctx context.Context) error
	// TrustedProxies may say for whom they call, by X-Forwarded-For,
	// X-Forwarded-Host or X-Zitadel-Instance-Host, and X-Forwarded-Proto, and may
	// bring an X-Request-Id. From others the headers are ignored.
	TrustedProxies []netip.Prefix
	// Begin and End, where they are not nil, are told of every request that is not
	// about the server itself. Begin may put something into the context.
	Begin func(context.Context, *Call) context.Context
	End   func(context.Context, *Call)
}

// readyTimeout bounds how long the server looks whether it is ready.
const readyTimeout = 2 * time.Second

func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := &Call{
		RequestID: rand.Text(), Method: r.Method, Path: r.URL.EscapedPath(), Header: r.Header, Secure: r.TLS != nil, Protocol: protocol(r),
		Languages: languages(r.Header.Get("Accept-Language")), Started: time.Now(), //nolint:forbidigo // measures the request
	}
	e.origin(call, r)
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, call))
	h := w.Header()
	h.Set("X-Request-Id", call.RequestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Origin")
	if call.Secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if r.Header.Get("Origin") != "" {
		allowOrigin(h)
	}
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	switch r.URL.Path {
	case "/debug/healthz":
		_, _ = w.Write([]byte("ok"))
	case "/debug/ready":
		e.serveReady(w, r, call)
	case "/openapi":
		serveOpenAPI(w, r)
	default:
		e.serve(w, r, call)
	}
}

func (e *Edge) serveReady(w http.ResponseWriter, r *http.Request, call *Call) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := e.Ready(ctx); err != nil {
		http.Error(w, "not ready: "+Sentence(call.Languages, err), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok"))
}

// serve passes the request on and keeps account of it.
func (e *Edge) serve(w http.ResponseWriter, r *http.Request, call *Call) {
	ctx := r.Context()
	if e.Begin != nil {
		ctx = e.Begin(ctx, call)
		r = r.WithContext(ctx)
	}
	defer func() {
		p := recover()
		if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // the documented sentinel
			explain(ctx, fmt.Errorf("panic: %v\n%s", p, debug.Stack())).rest(w)
		}
		call.Took = time.Since(call.Started) //nolint:forbidigo // measures the request
		call.log(ctx)
		if e.End != nil {
			e.End(ctx, call)
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel
			panic(p)
		}
	}()
	e.Next.ServeHTTP(w, r)
}

// log writes one line about a call that failed, or about any at debug level. What
// the caller sent is not in it, nor is what it was told: both can hold secrets.
func (c *Call) log(ctx context.Context) {
	level, text := slog.LevelDebug, "call"
	if c.failed != nil {
		level, text = slog.LevelInfo, "call failed"
		if c.failed.kind == fault.KindInternal || c.failed.kind == fault.KindUnavailable {
			level = slog.LevelError
		}
	}
	if !slog.Default().Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("procedure", c.Procedure), slog.String("protocol", c.Protocol), slog.String("code", c.Code()),
		slog.Duration("took", c.Took), slog.String("request_id", c.RequestID), slog.String("remote_ip", c.RemoteIP),
		slog.String("instance", c.Instance.ID), slog.String("user", c.UserID),
	}
	if c.failed != nil && c.failed.id != "" {
		attrs = append(attrs, slog.String("id", c.failed.id))
	}
	if level == slog.LevelError {
		attrs = append(attrs, slog.String("error", c.cause.Error()))
	}
	slog.LogAttrs(ctx, level, text, attrs...)
}

// protocol names the protocol of a request.
func protocol(r *http.Request) string {
	switch contentType := r.Header.Get("Content-Type"); {
	case !isRPC(r.URL.Path):
		return "rest"
	case strings.HasPrefix(contentType, "application/grpc-web"):
		return "grpc-web"
	case strings.HasPrefix(contentType, "application/grpc"):
		return "grpc"
	}
	return "connect"
}

// origin finds out which host the client named and where it is.
func (e *Edge) origin(call *Call, r *http.Request) {
	call.Host = withoutPort(r.Host)
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return
	}
	call.RemoteIP = peer.Addr().Unmap().String()
	if call.Trusted = e.trusts(peer.Addr().Unmap()); !call.Trusted {
		return
	}
	for _, name := range []string{"X-Zitadel-Instance-Host", "X-Forwarded-Host"} {
		if said := forwarded(r, name); len(said) > 0 {
			call.Host = withoutPort(said[0])
			break
		}
	}
	for _, hop := range forwarded(r, "X-Forwarded-For") {
		ip, err := netip.ParseAddr(hop)
		if err != nil {
			break
		}
		if call.RemoteIP = ip.Unmap().String(); !e.trusts(ip.Unmap()) {
			break
		}
	}
	if said := forwarded(r, "X-Forwarded-Proto"); len(said) > 0 {
		call.Secure = call.Secure || said[0] == "https"
	}
	if id := r.Header.Get("X-Request-Id"); requestID.MatchString(id) {
		call.RequestID = id
	}
}

func (e *Edge) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(e.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// forwarded gives the values of a header to which each proxy appends, the newest
// first: that one comes from the proxy that called us, and older ones perhaps from
// the client.
func forwarded(r *http.Request, name string) (out []string) {
	for value := range strings.SplitSeq(strings.Join(r.Header.Values(name), ","), ",") {
		if value = strings.TrimSpace(value); value != "" {
			out = append(out, value)
		}
	}
	slices.Reverse(out)
	return out
}

// requestID is the form of ids that a proxy may give.
var requestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+=-]{7,127}$`)

func withoutPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

func languages(header string) []language.Tag {
	if header == "" || len(header) > 200 {
		return nil
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return nil
	}
	return tags
}

// allowOrigin lets pages of any origin call with a token. Cookies are never
// allowed across origins, so a page can do nothing that its token cannot.
func allowOrigin(h http.Header) {
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", strings.Join(verbs, ", "))
	h.Set("Access-Control-Allow-Headers", strings.Join([]string{
		"Authorization", "DPoP", "Content-Type", "Accept", "Accept-Language", HeaderOrg, headerDryRun, headerGuard, headerPage,
		"Connect-Protocol-Version", "Connect-Timeout-Ms", "Grpc-Timeout", "X-Grpc-Web", "X-User-Agent",
	}, ", "))
	h.Set("Access-Control-Expose-Headers", "X-Request-Id, WWW-Authenticate, "+headerNextPage+", "+headerNotice+", Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin, Connect-Content-Encoding, Location")
	h.Set("Access-Control-Max-Age", "7200")
}

func serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Add("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", fmt.Sprint(len(openapi.SwaggerGzip)))
		_, _ = w.Write(openapi.SwaggerGzip)
		return
	}
	if plain, err := gzip.NewReader(bytes.NewReader(openapi.SwaggerGzip)); err == nil {
		_, _ = io.Copy(w, plain) //nolint:gosec // our own document
	}
}
