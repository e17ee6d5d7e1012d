package test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestPathsKeepTheirGuard: no spelling of a path reaches a method with less
// proof than the plain one.
func TestPathsKeepTheirGuard(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, path := range []string{
		"/management/v1/policies/login/", "//management/v1/policies/login", "/management//v1/policies/login",
		"/management/v1/./policies/login", "/management/v1/x/../policies/login", "/management/v1/policies%2flogin",
		"/management/v1/policies/%6cogin", "/management/v1/policies/login;a=b", "/MANAGEMENT/v1/policies/login",
		"/management/v1/policies/login%00", "/management/v1/policies/login%20", "/zitadel.management.v1.ManagementService/GetLoginPolicy/",
		"/zitadel.management.v1.managementservice/GetLoginPolicy",
	} {
		for _, method := range []string{"GET", "get", "POST", "HEAD"} {
			status := rawStatus(t, s, method+" "+path+" HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: GET\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			if status < 300 || status >= 500 && status != http.StatusNotImplemented {
				t.Errorf("%s %s: %d without a token", method, path, status)
			}
		}
	}
}

// TestMalformedRequests: what is no proper request ends with a client error.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for name, request := range map[string]string{
		"two hosts":             "GET /debug/ready HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
		"no host":               "GET /debug/ready HTTP/1.1\r\n\r\n",
		"bad host":              "GET /debug/ready HTTP/1.1\r\nHost: local host\r\n\r\n",
		"bad length":            "POST /management/v1/orgs HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
		"two lengths":           "POST /management/v1/orgs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"another absolute host": "GET http://evil.example/management/v1/policies/login HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"carriage return":       "GET /debug/ready HTTP/1.1\r\nHost: localhost\r\nX: a\rY: b\r\n\r\n",
		"header without a name": "GET /debug/ready HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n",
		"a long header":         "GET /debug/ready HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n",
	} {
		if status := rawStatus(t, s, request); status < 400 || status >= 500 {
			t.Errorf("%s: %d, want a client error", name, status)
		}
	}
}

func rawStatus(t *testing.T, s *testkit.Server, request string) int {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// TestLargeInput: each limit answers with a client error and says so.
func TestLargeInput(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	many := &bytes.Buffer{}
	for i := range 80_000 {
		fmt.Fprintf(many, `"k%d":1,`, i)
	}
	s.Run(t,
		testkit.Call{
			Name: "deep JSON", Do: "POST /management/v1/orgs", Status: 400,
			Body: `{"name":"x","extra":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}",
		},
		testkit.Call{Name: "many unknown keys", Do: "POST /management/v1/orgs", Body: "{" + many.String() + `"name":""}`, Status: 400},
		testkit.Call{Name: "a long name", Do: "POST /management/v1/orgs", Body: `{"name":"` + strings.Repeat("x", 300) + `"}`, Status: 400},
		testkit.Call{Name: "a large body", Do: "POST /management/v1/orgs", Body: `{"name":"` + strings.Repeat("x", 5<<20) + `"}`, Status: 429},
		testkit.Call{Name: "a long query", Do: "GET " + loginPath + "?a=" + strings.Repeat("x", 20<<10), Status: 400},
		testkit.Call{Name: "invalid UTF-8", Do: "POST /management/v1/orgs", Body: "{\"name\":\"\xff\xfe\"}", Status: 400},
		testkit.Call{Name: "NUL", Do: "POST /management/v1/orgs", Body: `{"name":"a\u0000b"}`, Status: 400},
		testkit.Call{Name: "two documents", Do: "POST /management/v1/orgs", Body: `{"name":"a"}{"name":"b"}`, Status: 400},
		testkit.Call{Name: "no object", Do: "POST /management/v1/orgs", Body: `[]`, Status: 400},
	)
}

// TestEveryBrokenTokenIsRefused flips and cuts a token at every place.
func TestEveryBrokenTokenIsRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var broken []string
	for i := range len(s.Token) {
		broken = append(broken, s.Token[:i], s.Token[:i]+s.Token[i+1:], s.Token[:i]+string(s.Token[i]^1)+s.Token[i+1:])
	}
	broken = slices.DeleteFunc(broken, func(token string) bool { return token == s.Token || strings.ContainsAny(token, "\x00\r\n") })
	for _, token := range broken {
		r := s.Send(t, testkit.Call{Do: "GET " + loginPath, As: "nobody", Header: map[string]string{"Authorization": "Bearer " + token}})
		if r.Status != http.StatusUnauthorized {
			t.Fatalf("token %q: %d", token, r.Status)
		}
	}
}

// TestTextIsNeverSQL sends text that would mean something in SQL or JSON paths.
func TestTextIsNeverSQL(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for i, text := range []string{`'; DROP TABLE orgs; --`, `" OR 1=1`, `$$`, `\`, `%_`, `?`, `$1`, `{"a":1}`, "a\tb", "名前", "\u202eabc"} {
		name := fmt.Sprintf("%d %s", i, text)
		s.Set("text", strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(name))
		s.Run(t,
			testkit.Call{
				Name: "write " + name, Do: "POST /management/v1/orgs", Body: `{"name":"$text"}`,
				Keep: map[string]string{"made": "id"}, Events: orgAdded,
			},
			testkit.Call{Name: "read " + name, Do: "GET /management/v1/orgs/me", In: "$made", Want: `{"org":{"name":"$text"}}`},
		)
		s.Check(t, testkit.Call{Do: "GET /management/v1/orgs/me", In: text, Status: http.StatusForbidden})
	}
}
