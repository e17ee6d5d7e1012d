package notify

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse/gatehouse/internal/message"
)

// MailboxPath is where a Mailbox answers, as a page; with .json, to scripts.
const MailboxPath = "/mailbox"

// maxKept is the most messages that a Mailbox holds: the newest.
const maxKept = 200

// Mailbox keeps in memory what nobody carries, for developers to read. It holds codes
// that let people in: it is never for production.
type Mailbox struct {
	mu   sync.Mutex
	kept []Kept
}

// Kept is a message that would have been sent.
type Kept struct {
	Time      time.Time       `json:"time"`
	Instance  string          `json:"instanceId"`
	Channel   message.Channel `json:"channel"`
	Kind      message.Kind    `json:"kind"`
	Recipient string          `json:"recipient"`
	UserID    string          `json:"userId"`
	Subject   string          `json:"subject,omitempty"`
	Text      string          `json:"text"`
	Code      string          `json:"code,omitempty"`
	URL       string          `json:"url,omitempty"` // where the button leads
}

// keep takes a message.
func (b *Mailbox) keep(at time.Time, instance string, m message.Message, c content) {
	k := Kept{
		Time: at, Instance: instance, Channel: m.Channel, Kind: m.Kind, Recipient: m.Recipient, UserID: m.UserID,
		Subject: line(c.Subject), Text: c.plain(), Code: m.Code, URL: c.URL,
	}
	if m.Channel == message.SMS {
		k.Subject, k.Text = "", c.Text
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, k)
	b.kept = b.kept[max(0, len(b.kept)-maxKept):]
}

// newest lists the messages from the newest on: all, or those to a recipient.
func (b *Mailbox) newest(recipient string) []Kept {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []Kept{}
	for _, k := range slices.Backward(b.kept) {
		if recipient == "" || strings.EqualFold(k.Recipient, recipient) {
			out = append(out, k)
		}
	}
	return out
}

//go:embed mailbox.html
var mailboxHTML string

var mailboxTemplate = template.Must(template.New("mailbox").Parse(mailboxHTML))

// mailboxPolicy lets the page load nothing and run nothing: what messages say comes
// from users.
const mailboxPolicy = "default-src 'none'; style-src 'sha256-" + mailboxStyle + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// mailboxStyle is the SHA-256 of the page's style.
const mailboxStyle = "UVahlUoVKyKS1o/+6bQmUGIM5AR7VmqenAiJPi7nZas="

// ServeHTTP shows the messages, also as JSON. The query recipient narrows them down.
// Only who names this machine is answered: a site that has its own name lead here
// would read codes by the browser of a developer.
func (b *Mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, value := range map[string]string{
		"Content-Security-Policy": mailboxPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		h.Set(name, value)
	}
	switch {
	case !isLoopback(r.Host):
		http.Error(w, "The mailbox is reached at localhost only.", http.StatusMisdirectedRequest)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET is for the mailbox.", http.StatusMethodNotAllowed)
		return
	}
	recipient := r.URL.Query().Get("recipient")
	list := b.newest(recipient)
	switch r.URL.Path {
	case MailboxPath:
		h.Set(contentType, "text/html; charset=utf-8")
		_ = mailboxTemplate.Execute(w, map[string]any{"Recipient": recipient, "Messages": list, "Most": maxKept})
	case MailboxPath + ".json":
		h.Set(contentType, "application/json")
		if body, err := json.Marshal(map[string][]Kept{"messages": list}); err == nil {
			_, _ = w.Write(body)
		}
	default:
		http.Error(w, fmt.Sprintf("The mailbox is at %s, and at %s.json for scripts.", MailboxPath, MailboxPath), http.StatusNotFound)
	}
}

// isLoopback reports whether the host of a request names this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	address, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && address.IsLoopback()
}
