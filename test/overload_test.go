package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// dialIdle opens a connection and sends text, which is no whole request.
func dialIdle(t testing.TB, address, text string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, _ = io.WriteString(conn, text)
	return conn
}

// alive counts the connections that the server has not ended.
func alive(conns []net.Conn) int {
	var n atomic.Int64
	var reads sync.WaitGroup
	for _, c := range conns {
		reads.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			var timeout net.Error
			if _, err := c.Read(make([]byte, 1)); asNetError(err, &timeout) && timeout.Timeout() {
				n.Add(1)
			}
		})
	}
	reads.Wait()
	return int(n.Load())
}

func asNetError(err error, target *net.Error) bool {
	var e net.Error
	ok := errors.As(err, &e)
	*target = e
	return ok
}

// TestConnectionsAreBounded: whoever opens many connections, and sends nothing or never all
// of a request, ends their own and nobody else's (G-18).
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const most = 50
	s := testkit.Start(t, func(o *server.Options) { o.Limits.Connections = most })
	fresh := &http.Client{Transport: &http.Transport{DialContext: s.Dial, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	kinds := []string{
		"", "GET /debug/ready HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "POST /management/v1/orgs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + s.Token + "\r\nContent-Length: 100\r\n\r\n{",
		"GET /debug/ready HTTP/1.1\r\nHost: localhost\r\n\r\n", // Idle after it.
	}
	var conns []net.Conn
	for i := range 300 {
		if c := dialIdle(t, s.Address, kinds[i%len(kinds)]); c != nil {
			conns = append(conns, c)
		}
		if i%10 != 0 {
			continue
		}
		res, err := fresh.Get(s.URL + "/debug/ready")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("an honest call after %d connections: %v, %v", i, res, err)
		}
		_ = res.Body.Close()
	}
	for _, c := range conns { // What was answered is read.
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, _ = io.Copy(io.Discard, c)
	}
	if n := alive(conns); n > most {
		t.Errorf("%d connections live, want %d at most", n, most)
	}
}

// TestLoginStorm: more logins at once than there can be are refused, and say so, while
// everything else is answered (T-98).
func TestLoginStorm(t *testing.T) {
	t.Parallel()
	config := testdb.Config(t)
	config.Patience = 0 // As in production.
	s, _ := startSessionsOn(t, config)
	person(t, s, s.OrgID, "ada")
	body := s.Expand(`{"checks":{` + with("ada") + `}}`)
	var done, shed atomic.Int64
	var logins sync.WaitGroup
	for range 400 {
		logins.Go(func() {
			r := s.Send(t, testkit.Call{As: "client", Do: "POST " + sessionsPath, Body: body})
			switch {
			case r.Status == http.StatusCreated:
				done.Add(1)
			case r.Status == http.StatusTooManyRequests && r.Header.Get("Retry-After") != "":
				shed.Add(1)
			default:
				t.Errorf("a login: %d %s", r.Status, r.Body)
			}
		})
	}
	for range 100 {
		if r := s.Send(t, testkit.Call{Do: "GET " + loginPath}); r.Status != http.StatusOK {
			t.Errorf("a read: %d %s", r.Status, r.Body)
		}
	}
	logins.Wait()
	if done.Load() == 0 || shed.Load() == 0 {
		t.Errorf("%d logins, %d refused", done.Load(), shed.Load())
	}
}

// TestCaps: every message has a bound of its own kind, and the largest import fits (G-19).
func TestCaps(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const add = "POST /zitadel.management.v1.ManagementService/AddOrg"
	json := func(bytes int) string { return `{"unknown":"` + strings.Repeat("x", bytes) + `"}` }
	large := bytes.Repeat([]byte("x"), 4<<20+1)
	plain, grpc := map[string]string{"Content-Type": "application/json"}, map[string]string{"Content-Type": "application/grpc-web+proto"}
	for name, c := range map[string]struct {
		call testkit.Call
		want string // the status, or that of gRPC
	}{
		"JSON of 1 MiB, REST":        {testkit.Call{Do: "POST /management/v1/orgs", Body: json(1<<20 - 100)}, "400"},
		"JSON over 1 MiB, REST":      {testkit.Call{Do: "POST /management/v1/orgs", Body: json(1 << 20)}, "429"},
		"JSON of 1 MiB, Connect":     {testkit.Call{Do: add, Body: json(1<<20 - 100), Header: plain}, "400"},
		"JSON over 1 MiB, Connect":   {testkit.Call{Do: add, Body: json(1 << 20), Header: plain}, "429"},
		"an import of 3 MiB":         {testkit.Call{Do: importData, Body: json(3 << 20)}, "400"},
		"an import over 4 MiB":       {testkit.Call{Do: importData, Body: json(4 << 20)}, "429"},
		"a message of 3 MiB, gRPC":   {testkit.Call{Do: add, Body: grpcFrame(large[:3<<20], 3<<20), Header: grpc}, "3"},
		"a message over 4 MiB, gRPC": {testkit.Call{Do: add, Body: grpcFrame(large, len(large)), Header: grpc}, "8"},
		"a header over 32 KiB":       {testkit.Call{Do: "GET " + loginPath, Header: map[string]string{"X-Large": strings.Repeat("x", 40<<10)}}, "431"},
	} {
		r := s.Send(t, c.call)
		got := fmt.Sprint(r.Status)
		if len(c.want) == 1 {
			_, rest, _ := strings.Cut(strings.ToLower(string(r.Body)), "grpc-status: ")
			if got = r.Header.Get("Grpc-Status"); got == "" && rest != "" {
				got = rest[:1]
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s: %.200s", name, got, c.want, r.Body)
		}
	}
}
