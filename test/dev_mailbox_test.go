//go:build unix

package test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/notify"
	"github.com/gatehouse/gatehouse/internal/server"
)

// developer is an office whose messages nobody carries, and the mailbox that they go to.
func developer(t *testing.T) (office, *notify.Mailbox) {
	t.Helper()
	box := &notify.Mailbox{}
	return startOffice(t, func(o *server.Options) { o.Mailbox = box }), box
}

// visit asks a mailbox as a browser on its machine does.
func visit(box *notify.Mailbox, target string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://localhost:8025"+target, nil)
	w := httptest.NewRecorder()
	box.ServeHTTP(w, r)
	return w
}

// inBox are the messages of a mailbox, from the newest on.
func inBox(t *testing.T, box *notify.Mailbox, recipient string) (out []notify.Kept) {
	t.Helper()
	w := visit(box, notify.MailboxPath+".json?recipient="+url.QueryEscape(recipient))
	var page struct{ Messages []notify.Kept }
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatalf("%v: %d %s", err, w.Code, w.Body)
	}
	return page.Messages
}

// TestDevelopmentMailbox: what nobody carries is kept, the newest first, and said to have
// been sent; what somebody carries is not there.
func TestDevelopmentMailbox(t *testing.T) {
	t.Parallel()
	p, box := developer(t)
	p.queue(t, message.Message{Kind: message.VerifyEmail, Recipient: "ada@example.com", Code: "C1", Expires: p.Clock.Now().Add(time.Hour)})
	p.Settle(t)
	p.queue(t, message.Message{Kind: message.VerifySMSOTP, Channel: message.SMS, Recipient: "+41791234567", Code: "C2", Expires: p.Clock.Now().Add(time.Hour)})
	p.Settle(t)
	all := inBox(t, box, "")
	if len(all) != 2 || all[0].Code != "C2" || all[0].Channel != message.SMS || all[1].Code != "C1" || !strings.Contains(all[1].URL, "code=C1") || all[1].Subject == "" {
		t.Errorf("the mailbox holds %+v", all)
	}
	if mine := inBox(t, box, "ADA@example.com"); len(mine) != 1 || mine[0].Code != "C1" {
		t.Errorf("to ada: %+v", mine)
	}
	if n := countOf(p.Events(t), "user.human.email.code.sent"); n != 1 {
		t.Errorf("%d events say that the mail was sent", n)
	}
	served := newMailbox(t)
	q, other := officeNearby(t)
	q.carry(t, served)
	q.queue(t, message.Message{Kind: message.VerifyEmail, Recipient: "ada@example.com", Code: "C3", Expires: q.Clock.Now().Add(time.Hour)})
	q.Settle(t)
	if len(inBox(t, other, "")) != 0 || len(served.all()) != 1 {
		t.Errorf("with a mail server, %d mails arrived and %+v is kept", len(served.all()), inBox(t, other, ""))
	}
}

// officeNearby is a developer's office that reaches mail servers of this machine.
func officeNearby(t *testing.T) (office, *notify.Mailbox) {
	t.Helper()
	box := &notify.Mailbox{}
	return startOffice(t, nearby, func(o *server.Options) { o.Mailbox = box }), box
}

// TestDevelopmentMailboxIsBounded: of many messages the newest stay.
func TestDevelopmentMailboxIsBounded(t *testing.T) {
	t.Parallel()
	p, box := developer(t)
	for i := range 205 {
		p.queue(t, message.Message{Kind: message.VerifyEmail, Recipient: fmt.Sprintf("p%d@example.com", i), Code: "C", Expires: p.Clock.Now().Add(time.Hour)})
	}
	p.Settle(t)
	if n := len(inBox(t, box, "")); n != 200 {
		t.Errorf("%d messages are kept, want 200", n)
	}
}

// TestDevelopmentMailboxIsSafe: the page runs nothing of what users wrote, loads nothing,
// changes nothing, and answers only who names this machine.
func TestDevelopmentMailboxIsSafe(t *testing.T) {
	t.Parallel()
	p, box := developer(t)
	const hostile = `"><script>alert(1)</script>@example.com`
	p.queue(t, message.Message{Kind: message.VerifyEmail, Recipient: hostile, Code: `<img src=x onerror=alert(1)>`, Expires: p.Clock.Now().Add(time.Hour)})
	p.Settle(t)
	for _, target := range []string{notify.MailboxPath, notify.MailboxPath + "?recipient=" + url.QueryEscape(hostile)} {
		w := visit(box, target)
		page := w.Body.String()
		if w.Code != http.StatusOK || strings.Contains(page, "<script") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;img") {
			t.Errorf("%s: %d %s", target, w.Code, page)
		}
		_, style, _ := strings.Cut(page, "<style>")
		style, _, _ = strings.Cut(style, "</style>")
		sum := sha256.Sum256([]byte(style))
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || strings.Contains(policy, "unsafe") {
			t.Errorf("the policy is %q", policy)
		}
	}
	for name, r := range map[string]*http.Request{
		"another host":       httptest.NewRequest(http.MethodGet, "http://rebind.example:8025"+notify.MailboxPath+".json", nil),
		"a host like it":     httptest.NewRequest(http.MethodGet, "http://localhost.example"+notify.MailboxPath, nil),
		"an outside address": httptest.NewRequest(http.MethodGet, "http://192.0.2.1"+notify.MailboxPath, nil),
		"a form":             httptest.NewRequest(http.MethodPost, "http://localhost"+notify.MailboxPath, nil),
		"another page":       httptest.NewRequest(http.MethodGet, "http://[::1]:8025/", nil),
	} {
		w := httptest.NewRecorder()
		box.ServeHTTP(w, r)
		if w.Code < 400 || strings.Contains(w.Body.String(), "alert") {
			t.Errorf("%s is answered %d: %s", name, w.Code, w.Body)
		}
	}
}
