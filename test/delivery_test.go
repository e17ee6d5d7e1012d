//go:build unix

package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// outside are hosts on the internet, as the server of a test sees them: names, with
// certificates of an authority that it trusts, that lead to listeners on this machine.
type outside struct {
	certificate tls.Certificate
	roots       *x509.CertPool
	at          map[string]string // listeners by the address that is dialled
}

func newOutside(t *testing.T, names ...string) *outside {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{certificate: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots: x509.NewCertPool(), at: map[string]string{}}
	o.roots.AddCert(parsed)
	return o
}

// config is what a server of these hosts needs to encrypt.
func (o *outside) config() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{o.certificate}}
}

// serve answers https requests to an address.
func (o *outside) serve(t *testing.T, address string, answer http.HandlerFunc) {
	t.Helper()
	s := httptest.NewUnstartedServer(answer)
	s.TLS = o.config()
	s.StartTLS()
	t.Cleanup(s.Close)
	o.at[address] = s.Listener.Addr().String()
}

// lead makes the hosts those that a server reaches.
func (o *outside) lead(p office) {
	p.Outbound.Roots = o.roots
	p.Outbound.Redial = func(address string) string {
		if at, ok := o.at[address]; ok {
			return at
		}
		return address
	}
}

// delivery is one way to a mail server, and what comes of it.
type delivery struct {
	name     string
	host     string // of the configuration
	config   string // the rest of it
	encrypts bool   // the server offers STARTTLS
	from1st  bool   // the server encrypts from the first byte
	strange  bool   // nobody that is trusted vouches for the server
	arrives  letter // what is known of the mail; empty: none arrives
	proofs   []string
}

const byPassword, byToken = `"tls":true,"user":"mailer","plain":{"password":"canary-password"}`, `"tls":true,"user":"mailer","xoauth2":{"tokenEndpoint":"https://login.example.com/token","scopes":["send"],"clientCredentials":{"clientId":"gate house","clientSecret":"canary:secret"}}`

var deliveries = []delivery{
	{name: "STARTTLS and a password", host: "mail.example.com:587", config: byPassword, encrypts: true, arrives: letter{To: "ann@example.com", Encrypted: true, User: "mailer"}, proofs: []string{"canary-password"}},
	{name: "STARTTLS alone", host: "mail.example.com:587", config: `"tls":true,"none":{}`, encrypts: true, arrives: letter{To: "ann@example.com", Encrypted: true}},
	{name: "STARTTLS where it is offered", host: "mail.example.com:25", config: `"none":{}`, encrypts: true, arrives: letter{To: "ann@example.com", Encrypted: true}},
	{name: "none offered, none asked for", host: "mail.example.com:25", config: `"none":{}`, arrives: letter{To: "ann@example.com"}},
	{name: "TLS from the first byte", host: "mail.example.com:465", config: byPassword, from1st: true, arrives: letter{To: "ann@example.com", Encrypted: true, User: "mailer"}, proofs: []string{"canary-password"}},
	{name: "an access token", host: "mail.example.com:587", config: byToken, encrypts: true, arrives: letter{To: "ann@example.com", Encrypted: true, User: "mailer"}, proofs: []string{"canary-token"}},

	{name: "TLS is asked for and not offered", host: "mail.example.com:587", config: byPassword},
	{name: "the same without a password", host: "mail.example.com:587", config: `"tls":true,"none":{}`},
	{name: "an access token would go in the clear", host: "mail.example.com:587", config: strings.Replace(byToken, `"tls":true,`, "", 1)},
	{name: "a password would go in the clear", host: "mail.example.com:25", config: strings.Replace(byPassword, `"tls":true,`, "", 1)},
	{name: "a certificate that nobody vouches for", host: "mail.example.com:587", config: byPassword, encrypts: true, strange: true},
	{name: "such a certificate from the first byte", host: "mail.example.com:465", config: byPassword, from1st: true, strange: true},
	{name: "a certificate for another name", host: "mail.example.net:587", config: byPassword, encrypts: true},
}

// TestDelivery takes every way to a mail server. What proves who sends goes through
// encryption to the server that is meant, or nowhere.
func TestDelivery(t *testing.T) {
	t.Parallel()
	for _, d := range deliveries {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			p := startOffice(t, nearby)
			o := newOutside(t, "mail.example.com", "login.example.com")
			box := o.mailServer(t, d)
			asked := o.tokenEndpoint(t)
			o.lead(p)
			if d.strange {
				p.Outbound.Roots = newOutside(t, "mail.example.com").roots
			}
			p.Set("host", d.host)
			p.Run(t,
				testkit.Call{
					Name: "mail server", Do: "POST /admin/v1/email/smtp", Keep: map[string]string{"smtp": "id"}, Events: []string{"instance.smtp.config.added"},
					Body: `{"senderAddress":"id@example.com","senderName":"Acme","host":"$host",` + d.config + `}`,
				},
				testkit.Call{Name: "in use", Do: "POST /admin/v1/email/$smtp/_activate", Body: `{}`, Events: []string{"instance.smtp.config.activated"}},
			)
			p.queue(t, message.Message{Kind: message.VerifyEmail, Recipient: "ann@example.com", Code: "C"})
			p.Settle(t)

			var got letter
			if all := box.all(); len(all) == 1 {
				got = letter{To: all[0].To, Encrypted: all[0].Encrypted, User: all[0].User}
			}
			if fmt.Sprint(got) != fmt.Sprint(d.arrives) || !slices.Equal(box.proofs, d.proofs) {
				t.Errorf("arrived: %+v with the proofs %q; want %+v, %q", got, box.proofs, d.arrives, d.proofs)
			}
			if slices.Contains(d.proofs, "canary-token") && (len(*asked) != 1 || (*asked)[0] != "gate+house canary%3Asecret client_credentials send") {
				t.Errorf("the token endpoint was asked %q", *asked)
			}
			noCanary(t, p.Server)
		})
	}
}

// mailServer starts the mail server of a delivery.
func (o *outside) mailServer(t *testing.T, d delivery) *mailbox {
	t.Helper()
	l, config := listen(t), o.config()
	switch {
	case d.from1st:
		l, config = tls.NewListener(l, config), nil
	case !d.encrypts:
		config = nil
	}
	box := serveMail(t, l, config)
	o.at[d.host] = box.Address
	return box
}

// tokenEndpoint gives access tokens, and keeps how it was asked.
func (o *outside) tokenEndpoint(t *testing.T) *[]string {
	t.Helper()
	var asked []string
	o.serve(t, "login.example.com:443", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		asked = append(asked, strings.Join([]string{user, password, r.FormValue("grant_type"), r.FormValue("scope")}, " "))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"canary-token","token_type":"Bearer","expires_in":60}`)
	})
	return &asked
}

// TestTwilio: an SMS goes to Twilio in the form that it takes.
func TestTwilio(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby)
	o := newOutside(t, "api.twilio.com")
	var path, user, password string
	var form url.Values
	o.serve(t, "api.twilio.com:443", func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		user, password, _ = r.BasicAuth()
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		form = r.PostForm
		w.WriteHeader(http.StatusCreated)
	})
	o.lead(p)
	p.Run(t,
		testkit.Call{
			Name: "account", Do: "POST /admin/v1/sms/twilio", Keep: map[string]string{"sms": "id"}, Events: []string{"instance.sms.configtwilio.added"},
			Body: `{"sid":"AC1","token":"canary-token","senderNumber":"+15550100"}`,
		},
		testkit.Call{Name: "in use", Do: "POST /admin/v1/sms/$sms/_activate", Body: `{}`, Events: []string{"instance.sms.configactivated"}},
	)
	before := len(p.Events(t))
	p.queue(t, message.Message{Kind: message.VerifyPhone, Channel: message.SMS, Recipient: "+15550199", Code: "CODE42"})
	p.Settle(t)
	if path != "/2010-04-01/Accounts/AC1/Messages.json" || user != "AC1" || password != "canary-token" {
		t.Errorf("Twilio was called at %s by %s with %s", path, user, password)
	}
	if form.Get("To") != "+15550199" || form.Get("From") != "+15550100" || !strings.Contains(form.Get("Body"), "CODE42") {
		t.Errorf("Twilio was told %v", form)
	}
	if got := p.Events(t)[before:]; !slices.Equal(got, []string{"user.human.phone.code.sent"}) {
		t.Errorf("events %q", got)
	}
	noCanary(t, p.Server)
}
