package test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestForwardedHeaders: who is no trusted proxy can neither choose the id of a
// request nor claim that TLS protects it.
func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted string
		id      string
		taken   bool
	}{
		"trusted":            {"127.0.0.0/8", "proxy-id-0001", true},
		"anybody":            {"10.0.0.0/8", "proxy-id-0001", false},
		"trusted, too short": {"127.0.0.0/8", "x", false},
		"trusted, too long":  {"127.0.0.0/8", strings.Repeat("x", 129), false},
		"trusted, not an id": {"127.0.0.0/8", `proxy-id" level="x`, false},
	} {
		s := testkit.Start(t, func(o *server.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)} })
		r := s.Send(t, testkit.Call{Do: "GET " + loginPath, Header: map[string]string{"X-Request-Id": c.id, "X-Forwarded-Proto": "https"}})
		if got := r.Header.Get("X-Request-Id"); (got == c.id) != c.taken || got == "" {
			t.Errorf("%s: the request's id is %q", name, got)
		}
		if secure := r.Header.Get("Strict-Transport-Security") != ""; secure != (c.trusted == "127.0.0.0/8") {
			t.Errorf("%s: Strict-Transport-Security: %v", name, secure)
		}
	}
}

// TestNothingForStrangers: without a token nothing of the machinery shows (T-28).
func TestNothingForStrangers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for path, want := range map[string]int{
		"/metrics": 404, "/debug/pprof/": 404, "/debug/pprof/heap": 404, "/debug/vars": 404, "/debug": 404, "/debug/": 404,
		"/debug/healthz": 200, "/debug/ready": 200,
	} {
		r := s.Send(t, testkit.Call{Do: "GET " + path, As: "nobody"})
		if r.Status != want {
			t.Errorf("%s: %d, want %d", path, r.Status, want)
		}
		if want == 200 && string(r.Body) != "ok" {
			t.Errorf("%s says %q", path, r.Body)
		}
		for _, name := range []string{"Server", "X-Powered-By"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s: header %s", path, name)
			}
		}
	}
	db := testdb.Open(t)
	without, err := server.New(db, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRecorder()
	without.ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/debug/ready", nil))
	if r.Code != http.StatusServiceUnavailable || strings.TrimSpace(r.Body.String()) != "not ready: The database does not answer." {
		t.Errorf("without a database: %d %q", r.Code, r.Body)
	}
}

// grpcFrame is a message as gRPC sends it, with a length that may be a lie.
func grpcFrame(data []byte, length int) string {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(length))
	return string(append(frame, data...))
}

// gzipped is so many spaces, packed: a thousandth of them.
func gzipped(t *testing.T, bytes int64) string {
	t.Helper()
	var out strings.Builder
	w := gzip.NewWriter(&out)
	if _, err := io.CopyN(w, spaces{}, bytes); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestLargeMessages: what is too deep or too long, says so or is once it is unpacked, is
// refused fast and without room for it (T-91, T-92).
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, func(o *server.Options) { o.Limits.BodyBytes = 64 << 10 })
	const add = "POST /zitadel.management.v1.ManagementService/AddOrg"
	groups := strings.Repeat("\x13", 10_000) + strings.Repeat("\x14", 10_000) // Field 2, begun and ended.
	grpc := map[string]string{"Content-Type": "application/grpc-web+proto"}
	bomb := gzipped(t, 60<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, c := range map[string]struct {
		call testkit.Call
		code string // of gRPC
	}{
		"lying length, short":    {testkit.Call{Do: add, Body: grpcFrame([]byte("\n\x01a"), 60_000), Header: grpc}, "3"},
		"lying length, 4 GB":     {testkit.Call{Do: add, Body: grpcFrame([]byte("\n\x01a"), 1<<32-1), Header: grpc}, "8"},
		"a large message":        {testkit.Call{Do: add, Body: grpcFrame(bytes.Repeat([]byte("x"), 70_000), 70_000), Header: grpc}, "8"},
		"nested groups":          {testkit.Call{Do: add, Body: grpcFrame([]byte(groups), len(groups)), Header: grpc}, "3"},
		"a large body, Connect":  {testkit.Call{Do: add, Body: `{"name":"` + strings.Repeat("x", 70_000) + `"}`, Header: map[string]string{"Content-Type": "application/json"}, Status: 429}, ""},
		"a large body, REST":     {testkit.Call{Do: "POST /management/v1/orgs", Body: `{"name":"` + strings.Repeat("x", 70_000) + `"}`, Status: 429}, ""},
		"deep JSON, Connect":     {testkit.Call{Do: add, Body: strings.Repeat(`{"x":`, 10_000) + "1" + strings.Repeat("}", 10_000), Header: map[string]string{"Content-Type": "application/json"}, Status: 400}, ""},
		"a bomb, Connect":        {testkit.Call{Do: add, Body: bomb, Header: map[string]string{"Content-Type": "application/json", "Content-Encoding": "gzip"}, Status: 429}, ""},
		"a bomb, gRPC":           {testkit.Call{Do: add, Body: "\x01" + grpcFrame([]byte(bomb), len(bomb))[1:], Header: map[string]string{"Content-Type": grpc["Content-Type"], "Grpc-Encoding": "gzip"}}, "8"},
		"a bomb, REST":           {testkit.Call{Do: "POST /management/v1/orgs", Body: bomb, Header: map[string]string{"Content-Encoding": "gzip"}, Status: 400}, ""},
		"a message that is none": {testkit.Call{Do: add, Body: "\x00\x00", Header: grpc}, "3"},
	} {
		begun := time.Now()
		r := s.Send(t, c.call)
		took := time.Since(begun)
		switch {
		case c.code != "" && !strings.Contains(strings.ToLower(string(r.Body)), "grpc-status: "+c.code) && r.Header.Get("Grpc-Status") != c.code:
			t.Errorf("%s: %d %v %q, want code %s", name, r.Status, r.Header, r.Body, c.code)
		case c.code == "" && r.Status != c.call.Status:
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		case took > 500*time.Millisecond:
			t.Errorf("%s takes %s", name, took)
		}
	}
	runtime.ReadMemStats(&after)
	if more := after.TotalAlloc - before.TotalAlloc; more > 200<<20 {
		t.Errorf("the server took %d MB", more>>20)
	}
}

// TestSlowClients: connections that send nothing, or next to nothing, are cut,
// and do not keep others from being served (T-96).
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, func(o *server.Options) {
		o.Limits.ReadHeaderTimeout, o.Limits.ReadTimeout = 300*time.Millisecond, 600*time.Millisecond
	})
	var slow sync.WaitGroup
	for i := range 200 {
		text := "GET /debug/ready HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
		if i%2 == 1 {
			text = "POST /management/v1/orgs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + s.Token + "\r\nContent-Length: 100\r\n\r\n{"
		}
		slow.Go(func() {
			conn, err := net.Dial("tcp", s.Address)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			begun := time.Now()
			_, _ = io.Copy(io.Discard, conn)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("a slow connection lives for %s", took)
			}
		})
	}
	for range 50 {
		begun := time.Now()
		if r := s.Send(t, testkit.Call{Do: "GET " + loginPath}); r.Status != 200 || time.Since(begun) > 2*time.Second {
			t.Errorf("an honest call: %d after %s", r.Status, time.Since(begun))
		}
	}
	slow.Wait()
}

// TestHTTP2Floods: a connection that breaks the rules of HTTP/2 ends, and others
// are served (T-97).
func TestHTTP2Floods(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for _, h := range [][2]string{{":method", "GET"}, {":path", "/debug/ready"}, {":scheme", "http"}, {":authority", "localhost"}} {
		_ = encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	for name, flood := range map[string]func(f *http2.Framer, n int) error{
		"continuations": func(f *http2.Framer, n int) error {
			if n == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers.Bytes()})
			}
			var more bytes.Buffer
			e := hpack.NewEncoder(&more)
			_ = e.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", n), Value: strings.Repeat("x", 1000), Sensitive: true})
			return f.WriteContinuation(1, false, more.Bytes())
		},
		"settings": func(f *http2.Framer, _ int) error { return f.WriteSettings() },
		"pings":    func(f *http2.Framer, _ int) error { return f.WritePing(false, [8]byte{}) },
		"resets": func(f *http2.Framer, n int) error {
			id := uint32(2*n + 1)
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: headers.Bytes(), EndHeaders: true, EndStream: true}); err != nil {
				return err
			}
			return f.WriteRSTStream(id, http2.ErrCodeCancel)
		},
		"starvation": func(f *http2.Framer, n int) error { // Nothing can ever be sent.
			if n == 0 {
				return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			}
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: headers.Bytes(), EndHeaders: true, EndStream: true})
		},
	} {
		conn, err := net.Dial("tcp", s.Address)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		_, _ = io.WriteString(conn, http2.ClientPreface)
		framer := http2.NewFramer(conn, conn)
		_ = framer.WriteSettings()
		ended := false
		for n := range 20_000 { // Nothing is read: the server's answers pile up.
			if flood(framer, n) != nil {
				ended = true
				break
			}
		}
		begun := time.Now()
		if r := s.Send(t, testkit.Call{Do: "GET " + loginPath}); r.Status != 200 || time.Since(begun) > 2*time.Second {
			t.Errorf("%s: an honest call: %d after %s", name, r.Status, time.Since(begun))
		}
		if !ended && name == "continuations" {
			t.Errorf("%s: the connection goes on", name)
		}
		_ = conn.Close()
	}
}
