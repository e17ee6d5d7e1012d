//go:build unix

package test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// office is a server whose messages a test queues.
type office struct {
	*testkit.Server
	vault *crypto.Vault
}

func startOffice(t *testing.T, edits ...func(*server.Options)) office {
	t.Helper()
	var p office
	p.Server = testkit.Start(t, append(edits, func(o *server.Options) { p.vault = o.Vault })...)
	return p
}

// queue leaves a message to the owner of the instance.
func (p office) queue(t *testing.T, m message.Message) {
	t.Helper()
	m.Org, m.UserID = p.OrgID, p.OwnerID
	if m.Channel == "" {
		m.Channel = message.Email
	}
	if err := p.Store.Write(t.Context(), func(tx *eventstore.Tx) error { return message.Queue(tx, p.vault, p.InstanceID, m) }); err != nil {
		t.Fatal(err)
	}
}

// carry makes a mail server the one that is used.
func (p office) carry(t *testing.T, box *mailbox) {
	t.Helper()
	p.Set("host", box.Address)
	p.Run(t,
		testkit.Call{
			Name: "mail server", Do: "POST /admin/v1/email/smtp", Keep: map[string]string{"smtp": "id"}, Events: []string{"instance.smtp.config.added"},
			Body: `{"senderAddress":"id@example.com","senderName":"Acme","host":"$host","user":"mailer","plain":{"password":"canary-password"}}`,
		},
		testkit.Call{Name: "in use", Do: "POST /admin/v1/email/$smtp/_activate", Body: `{}`, Events: []string{"instance.smtp.config.activated"}},
	)
}

// mails are the kinds of messages that are mails, with the event that says so and
// what their built-in subjects are.
var mails = []struct {
	kind            message.Kind
	sent            string
	english, german string
}{
	{message.Init, "user.human.initialization.code.sent", "Set up your account", "Richten Sie Ihr Konto ein"},
	{message.PasswordReset, "user.human.password.code.sent", "Choose a new password", "Wählen Sie ein neues Passwort"},
	{message.PasswordChange, "user.human.password.change.sent", "Your password was changed", "Ihr Passwort wurde geändert"},
	{message.VerifyEmail, "user.human.email.code.sent", "Confirm your mail address", "Bestätigen Sie Ihre Mailadresse"},
	{message.VerifyEmailOTP, "user.human.mfa.otp.email.code.sent", "Your one-time code", "Ihr Einmalcode"},
	{message.DomainClaimed, "user.domain.claimed.sent", "Your user name has changed", "Ihr Benutzername hat sich geändert"},
	{message.PasswordlessRegistration, "user.human.passwordless.initialization.code.sent", "Add a passkey to your account", "Fügen Sie Ihrem Konto einen Passkey hinzu"},
	{message.InviteUser, "user.human.invite.code.sent", "You are invited to Portal", "Sie sind zu Portal eingeladen"},
}

// foreign are headers by which a request names a host that is not ours (T-01).
var foreign = []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host", "X-Zitadel-Forward-Host", "Host"}

// TestMailsArrive: each kind of mail arrives once, with its text in English and in
// German, links of the configured origin, and the event that says so, whatever
// hosts requests named before.
func TestMailsArrive(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby, func(o *server.Options) { o.ExternalURL = "https://id.example.com:8443" })
	box := newMailbox(t)
	p.carry(t, box)
	for _, header := range foreign {
		p.Send(t, testkit.Call{Do: "GET /admin/v1/email", Header: map[string]string{header: "evil.example.net", testkit.Aside: "1"}})
		for _, m := range mails {
			for _, lang := range []string{"en", "de-CH"} {
				before := len(p.Events(t))
				to := strings.ToLower(fmt.Sprintf("%s.%s.%s@example.com", m.kind, lang, header))
				p.queue(t, message.Message{
					Kind: m.kind, Recipient: to, Language: lang, Code: "CODE42", Expires: p.Clock.Now().Add(time.Hour),
					Args: map[string]string{"ApplicationName": "Portal"},
				})
				p.Settle(t)
				if got := p.Events(t)[before:]; !slices.Equal(got, []string{m.sent}) {
					t.Fatalf("%s: events %q, want %s", to, got, m.sent)
				}
				want := m.english
				if lang != "en" {
					want = m.german
				}
				checkMail(t, box, to, want)
			}
		}
	}
	if n, want := len(box.all()), 2*len(mails)*len(foreign); n != want {
		t.Errorf("%d mails arrived, want %d", n, want)
	}
	noCanary(t, p.Server)
}

func checkMail(t *testing.T, box *mailbox, to, subject string) {
	t.Helper()
	all := box.all()
	l := all[len(all)-1]
	switch {
	case l.To != to || l.Subject != subject || l.Header.Get("From") != `"Acme" <id@example.com>`:
		t.Errorf("mail to %s from %s with the subject %q; want %s, %q", l.To, l.Header.Get("From"), l.Subject, to, subject)
	case strings.Contains(l.Raw, "evil.example"):
		t.Errorf("a request's host is in a mail: %s", l.Raw)
	case !strings.Contains(l.Text, "https://localhost:8443/ui/login/") || !strings.Contains(l.HTML, `href="https://localhost:8443/ui/login/`):
		t.Errorf("the link is not ours: %s\n%s", l.Text, l.HTML)
	case !strings.Contains(l.Text, "CODE42") || strings.Contains(l.Text, "{{"):
		t.Errorf("the text is not filled in: %s", l.Text)
	}
}

// TestMessageLines: what ends lines makes no header, and what is HTML is shown as
// text (T-86).
func TestMessageLines(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby)
	box := newMailbox(t)
	p.carry(t, box)
	p.queue(t, message.Message{
		Kind: message.InviteUser, Recipient: "ann@example.com", Code: "C",
		Args: map[string]string{"ApplicationName": "Po\r\nBcc: eve@example.com\r\n\r\nrtal", "DisplayName": `<script>alert(1)</script>`},
	})
	p.queue(t, message.Message{Kind: message.InviteUser, Recipient: "ann@example.com\r\nRCPT TO:<eve@example.com>", Code: "C"})
	p.Settle(t)
	all := box.all()
	if len(all) != 1 {
		t.Fatalf("%d mails arrived, want 1: %+v", len(all), all)
	}
	if l := all[0]; l.Header.Get("Bcc") != "" || l.Subject != "You are invited to Po Bcc: eve@example.com rtal" || strings.Contains(l.HTML, "<script") {
		t.Errorf("the mail is %s", l.Raw)
	}
}

// TestMessageFlood: a recipient is sent three messages within a minute; the others
// wait (T-99).
func TestMessageFlood(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby)
	box := newMailbox(t)
	p.carry(t, box)
	for i, to := range []string{"ann@example.com", "Ann@example.com", "ann@EXAMPLE.com", "ann@example.com", "ann@example.com", "bob@example.com"} {
		p.queue(t, message.Message{Kind: message.PasswordReset, Recipient: to, Code: fmt.Sprint(i), Expires: p.Clock.Now().Add(time.Hour)})
	}
	p.Settle(t)
	if n := len(box.all()); n != 4 {
		t.Errorf("%d mails arrived at once, want 3 and 1", n)
	}
	p.Clock.Advance(time.Minute)
	p.Settle(t)
	if n := len(box.all()); n != 6 {
		t.Errorf("%d mails arrived after a minute, want 6", n)
	}
}

// TestMessageWaits: without a provider a message waits, and until it expires only;
// a server that refuses is tried again.
func TestMessageWaits(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby)
	box := newMailbox(t)
	p.queue(t, message.Message{Kind: message.PasswordReset, Recipient: "late@example.com", Code: "1", Expires: p.Clock.Now().Add(time.Minute)})
	p.queue(t, message.Message{Kind: message.PasswordReset, Recipient: "ann@example.com", Code: "2", Expires: p.Clock.Now().Add(time.Hour)})
	p.queue(t, message.Message{Kind: message.PasswordChange, Recipient: "bob@example.com"})
	p.queue(t, message.Message{Kind: message.VerifySMSOTP, Channel: message.SMS, Recipient: "+15550100", Code: "3"})
	p.Settle(t)
	box.refuse = true
	p.carry(t, box)
	p.Clock.Advance(time.Minute)
	p.Settle(t)
	if n := len(box.all()); n != 0 {
		t.Fatalf("%d mails arrived", n)
	}
	noCanary(t, p.Server)
	box.mu.Lock()
	box.refuse = false
	box.mu.Unlock()
	p.Clock.Advance(time.Minute)
	p.Settle(t)
	box.wait(t, 2) // Settle does not wait for what is tried again.
	if all := box.all(); len(all) != 2 || all[0].To == "late@example.com" || all[1].To == "late@example.com" {
		t.Errorf("arrived: %+v", all)
	}
	noCanary(t, p.Server)
	p.Clock.Advance(24 * time.Hour)
	p.Settle(t)
	if err := p.DB.Read(t.Context(), database.Query{SQL: "SELECT payload FROM jobs", Row: func(database.Scan) error {
		t.Error("a message waits for longer than it lasts")
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
}

// endpoint is an HTTP server that keeps what it is told.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	header http.Header
}

func newEndpoint(t *testing.T, answer func(http.ResponseWriter)) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.bodies, e.header = append(e.bodies, string(body)), r.Header
		answer(w)
	}))
	t.Cleanup(e.Close)
	return e
}

// TestMessageEndpoints: an endpoint is told what to send, signed, by mail and SMS.
func TestMessageEndpoints(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby)
	e := newEndpoint(t, func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) })
	p.Set("url", e.URL)
	for _, way := range []string{"email", "sms"} {
		p.Set("way", way)
		r := p.Send(t, testkit.Call{Do: "POST /admin/v1/$way/http", Body: `{"endpoint":"$url/v1","description":"relay"}`})
		var made struct{ ID, SigningKey string }
		if err := json.Unmarshal(r.Body, &made); err != nil || made.ID == "" {
			t.Fatalf("%v: %s", err, r.Body)
		}
		p.Send(t, testkit.Call{Do: "POST /admin/v1/$way/" + made.ID + "/_activate", Body: `{}`})
		m, to, text := message.Message{Kind: message.VerifyEmail, Channel: message.Email, Recipient: "ann@example.com"}, "recipientEmailAddress", "Follow the link"
		if way == "sms" {
			m, to, text = message.Message{Kind: message.VerifyPhone, Channel: message.SMS, Recipient: "+15550100"}, "recipientPhoneNumber", "CODE42 is the code"
		}
		m.Code, m.URLTemplate = "CODE42", "https://app.example.com/verify?u={{.UserID}}&c={{.Code}}&n={{.DisplayName}}&l={{.PreferredLanguage}}"
		p.queue(t, m)
		p.Settle(t)
		body := e.bodies[len(e.bodies)-1]
		var told struct {
			ContextInfo  map[string]any
			TemplateData map[string]string
			Args         map[string]string
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			t.Fatal(err)
		}
		if told.ContextInfo[to] != m.Recipient || !strings.Contains(told.TemplateData["text"], text) || told.Args["code"] != "CODE42" ||
			told.TemplateData["url"] != "https://app.example.com/verify?u="+p.OwnerID+"&c=CODE42&n=admin&l=en" {
			t.Errorf("told: %s", body)
		}
		at, signature, _ := strings.Cut(strings.TrimPrefix(e.header.Get("ZITADEL-Signature"), "t="), ",v1=")
		mac := hmac.New(sha256.New, []byte(made.SigningKey))
		mac.Write([]byte(at + "." + body))
		if signature != hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("the signature is %q", e.header.Get("ZITADEL-Signature"))
		}
	}
}

// TestMessageEndpointsInside: no form of an address leads an endpoint or a mail
// server into the operator's network (T-46), and what is answered is told to
// nobody (T-47).
func TestMessageEndpointsInside(t *testing.T) {
	t.Parallel()
	p := startOffice(t)
	e := newEndpoint(t, func(http.ResponseWriter) {})
	box := newMailbox(t)
	_, port, _ := net.SplitHostPort(e.Listener.Addr().String())
	_, mailPort, _ := net.SplitHostPort(box.Address)
	for i, host := range []string{
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1",
		"2130706433", "0177.0.0.1", "0x7f.1", "localhost", "localhost.", "[fd00::1]", "[64:ff9b::7f00:1]",
	} {
		r := p.Send(t, testkit.Call{Do: "POST /admin/v1/email/http", Body: `{"endpoint":"http://` + host + ":" + port + `/"}`})
		if r.Status != http.StatusOK {
			continue // refused at once
		}
		id, _ := r.JSON(t).(map[string]any)["id"].(string)
		p.Send(t, testkit.Call{Do: "POST /admin/v1/email/" + id + "/_activate", Body: `{}`})
		p.queue(t, message.Message{Kind: message.VerifyEmail, Recipient: fmt.Sprintf("a%d@example.com", i), Code: "C"})
		p.Settle(t)
		r = p.Send(t, testkit.Call{Do: "POST /admin/v1/smtp/_test", Body: `{"senderAddress":"id@example.com","senderName":"A","host":"` + host + ":" + mailPort + `","receiverAddress":"ann@example.com"}`})
		if r.Status == http.StatusOK {
			t.Errorf("%s: a mail server inside was reached", host)
		}
	}
	if len(e.bodies) > 0 || len(box.all()) > 0 {
		t.Errorf("inside: %q %+v", e.bodies, box.all())
	}
}

// TestMessageAnswers: a redirect is not followed, and an answer is nowhere.
func TestMessageAnswers(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby)
	inside := newEndpoint(t, func(http.ResponseWriter) {})
	e := newEndpoint(t, func(w http.ResponseWriter) {
		w.Header().Set("Location", inside.URL)
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = io.WriteString(w, "canary-answer")
	})
	p.Set("url", e.URL)
	p.Run(t,
		testkit.Call{Name: "endpoint", Do: "POST /admin/v1/email/http", Body: `{"endpoint":"$url"}`, Keep: map[string]string{"id": "id"}, Events: []string{"instance.smtp.config.http.added"}},
		testkit.Call{Name: "in use", Do: "POST /admin/v1/email/$id/_activate", Body: `{}`, Events: []string{"instance.smtp.config.activated"}},
	)
	p.queue(t, message.Message{Kind: message.VerifyEmail, Recipient: "ann@example.com", Code: "canary-code"})
	p.Settle(t)
	if len(e.bodies) != 1 || len(inside.bodies) != 0 {
		t.Errorf("%d bodies arrived, %d went on", len(e.bodies), len(inside.bodies))
	}
	noCanary(t, p.Server)
}

func vaultOf(t *testing.T, db *database.DB, key string) *crypto.Vault {
	t.Helper()
	master, err := crypto.ParseMasterKey(key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := crypto.OpenVault(context.Background(), db, master)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestKilledSender kills the server after the mail server has a mail and before
// anything is written down: the mail is sent again.
func TestKilledSender(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts a process")
	}
	config := testdb.Config(t)
	db := testdb.Connect(t, config)
	created, err := flow.Setup(context.Background(), eventstore.New(db, nil), nil, "Gatehouse", "localhost", nil)
	if err != nil {
		t.Fatal(err)
	}
	master, err := crypto.NewMasterKey()
	if err != nil {
		t.Fatal(err)
	}
	vault := vaultOf(t, db, master.Secret())
	box := newMailbox(t)
	v := startVictim(t, config.URL, crashKey+"="+master.Secret())
	killed := make(chan bool, 10)
	box.taken = func() {
		v.kill()
		killed <- true
	}
	_, text := v.call(t, created.Token, "POST", "/admin/v1/smtp", `{"senderAddress":"id@example.com","senderName":"Acme","host":"`+box.Address+`"}`)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil {
		t.Fatal(err)
	}
	v.call(t, created.Token, "POST", "/admin/v1/smtp/"+made.ID+"/_activate", `{}`)
	if err := eventstore.New(db, nil).Write(t.Context(), func(tx *eventstore.Tx) error {
		return message.Queue(tx, vault, created.InstanceID, message.Message{
			Kind: message.VerifyEmail, Channel: message.Email, Org: created.OrgID, UserID: created.OwnerID, Recipient: "ann@example.com", Code: "C",
		})
	}); err != nil {
		t.Fatal(err)
	}
	<-killed
	box.mu.Lock()
	box.taken = nil
	box.mu.Unlock()
	clock := &testkit.Clock{}
	clock.Advance(5 * time.Minute) // The dead server's claim has ended.
	o := server.Options{ExternalURL: "http://localhost", Clock: clock.Now, Vault: vault}
	nearby(&o)
	next, err := server.New(db, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- next.Serve(ctx, l) }()
	box.wait(t, 2)
	stop()
	<-ended
	sent := 0
	if err := db.Read(context.Background(), database.Query{
		SQL: "SELECT type FROM events WHERE type = 'user.human.email.code.sent'", Row: func(database.Scan) error { sent++; return nil },
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(box.all()); n != 2 || sent != 1 {
		t.Errorf("%d mails and %d events, want 2 and 1", n, sent)
	}
}
