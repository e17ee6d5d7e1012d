//go:build unix

package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestDevelopment: start --dev says where the mailbox is, and that it is not for production;
// without it there is none.
func TestDevelopment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	p.stop(t)
	if out := p.out.String(); strings.Contains(out, "mailbox") {
		t.Errorf("without --dev:\n%s", out)
	}
	p = serve(t, dir, "--dev")
	status, reply, err := p.call("POST", "/v2/users/human", `{"username":"ada","profile":{"givenName":"Ada","familyName":"Example"},"email":{"email":"ada@example.com","sendCode":{}}}`)
	if err != nil || status != http.StatusOK {
		t.Fatal(status, reply, err)
	}
	var at string
	eventually(t, func() bool {
		at = regexp.MustCompile(`http://127\.0\.0\.1:\d+/mailbox`).FindString(p.out.String())
		return at != "" && strings.Contains(fetch(t, at+".json?recipient=ada@example.com"), `"code":"`)
	})
	if out := p.out.String(); !strings.Contains(out, "not for production") {
		t.Errorf("start --dev prints:\n%s", out)
	}
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	addresses, _ := net.InterfaceAddrs()
	for _, a := range addresses {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLoopback() {
			continue
		}
		if c, err := net.Dial("tcp", net.JoinHostPort(n.IP.String(), u.Port())); err == nil {
			_ = c.Close()
			t.Errorf("the mailbox is reached at %s", n.IP)
		}
	}
	p.stop(t)
	if _, err := client.Get(at); err == nil {
		t.Error("the mailbox answers when the server has stopped")
	}
}

func fetch(t *testing.T, at string) string {
	t.Helper()
	res, err := client.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// eventually waits until something holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for range 500 {
		if holds() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("it does not come true")
}
