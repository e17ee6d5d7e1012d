//go:build unix

package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/program"
)

// TestTelemetry: calls are logged, counted and traced, and no secret that a
// caller sends, or that the server holds, is in any of it.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	traces := &program.Output{}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			_, _ = io.Copy(traces, r.Body)
		}
	}))
	defer collector.Close()
	l, err := net.Listen("tcp", "localhost:0") // A free port.
	if err != nil {
		t.Fatal(err)
	}
	metrics := l.Addr().String()
	_ = l.Close()
	dir := t.TempDir()
	put(t, dir, "gatehouse.yaml", "log: {level: debug, format: json}\nmetrics: {listen: '"+metrics+"'}\ntracing: {endpoint: '"+collector.URL+"'}\n")
	p := serve(t, dir, "--config", "gatehouse.yaml")
	const canary = "cAnArY7291"
	send := func(method, path, contentType string, body []byte, headers ...string) {
		t.Helper()
		req, err := http.NewRequest(method, p.url+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", contentType)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		c := client
		if contentType == "application/grpc" {
			c = h2c
		}
		res, err := c.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	const login = "/management/v1/policies/login"
	bearer := "Bearer " + p.token
	send("GET", login, "", nil, "Authorization", bearer)
	send("GET", login, "", nil, "Authorization", "Bearer gatehouse_pat_"+canary)
	send("GET", login, "", nil, "Authorization", "Basic "+canary, "Cookie", "session="+canary, "X-Zitadel-Orgid", canary)
	send("GET", login+"?access_token="+canary, "", nil, "Authorization", bearer, "User-Agent", canary, "X-Request-Id", canary)
	send("GET", "/"+canary, "", nil)
	send("GET", "/management/v1/users/"+canary, "", nil, "Authorization", bearer)
	send("POST", "/management/v1/orgs", "application/json", []byte(`{"name":"`+canary+`"}`), "Authorization", bearer)
	send("POST", "/management/v1/orgs", "application/json", []byte(`{"name":["`+canary+`"]}`), "Authorization", bearer)
	send("POST", login, "application/json", []byte(`{"secondFactors":["`+canary+`"]}`), "Authorization", bearer)
	send("POST", "/zitadel.management.v1.ManagementService/AddOrg", "application/json", []byte(`{"name":"`+canary), "Authorization", bearer)
	send("POST", "/zitadel.management.v1.ManagementService/"+canary, "application/json", []byte("{}"), "Authorization", bearer)
	send("POST", "/zitadel.management.v1.ManagementService/AddOrg", "application/grpc", append([]byte{0, 0, 0, 0, 12, 10, 10}, canary...), "Authorization", bearer, "Te", "trailers")
	send("POST", "/zitadel.management.v1.ManagementService/AddOrg", "application/grpc", append([]byte{0, 0, 0, 0, 12, 99, 99}, canary...), "Authorization", bearer)
	seen := get(t, "http://"+metrics+"/metrics")
	for _, want := range []string{
		`gatehouse_call_duration_seconds_count{code="ok",procedure="/zitadel.management.v1.ManagementService/GetLoginPolicy",protocol="rest"} 2`,
		`gatehouse_call_duration_seconds_count{code="already_exists",procedure="/zitadel.management.v1.ManagementService/AddOrg",protocol="grpc"} 1`,
		`code="unauthenticated"`, `protocol="connect"`, `procedure="none"`,
		`gatehouse_database_duration_seconds_count{kind="read",result="ok"}`, `kind="commit"`, "gatehouse_database_commit_writes_bucket",
		"gatehouse_database_connections_used 0", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if !strings.Contains(get(t, "http://"+metrics+"/debug/pprof/"), "heap") {
		t.Error("no pprof beside the metrics")
	}
	p.stop(t)
	for _, want := range []string{`"level":"INFO","msg":"call failed"`, `"level":"DEBUG","msg":"call","procedure":"/zitadel.management.v1.ManagementService/GetLoginPolicy","protocol":"rest","code":"ok"`} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("the log lacks %s\n%s", want, p.log)
		}
	}
	for _, want := range []string{"/zitadel.management.v1.ManagementService/GetLoginPolicy", "database read", "database commit", "gatehouse.request_id"} {
		if !strings.Contains(traces.String(), want) {
			t.Errorf("the traces lack %s", want)
		}
	}
	for name, text := range map[string]string{"log": p.log.String(), "output": p.out.String(), "metrics": seen, "traces": traces.String()} {
		for _, secret := range []string{canary, strings.ToLower(canary), p.token, url.QueryEscape(canary)} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("the %s has a secret: …%s", name, text[max(0, i-200):i+len(secret)])
			}
		}
	}
}

// h2c speaks HTTP/2 without TLS.
var h2c = &http.Client{Timeout: 5 * time.Second, Transport: func() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: protocols}
}()}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return string(text)
}
