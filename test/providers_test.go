//go:build unix

package test

import (
	"net"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestMailServers: the RPCs of the first form, and that the password is kept,
// tested with, and asked for again where it would go elsewhere.
func TestMailServers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, nearby)
	box := newMailbox(t)
	s.Set("host", box.Address)
	_, port, _ := net.SplitHostPort(box.Address)
	s.Set("port", port)
	const smtp = `"senderAddress":"id@example.com","senderName":"Acme, \"Id\"","replyToAddress":"help@example.com","description":"ours"`
	s.Run(t,
		testkit.Call{Name: "none yet", Do: "GET /admin/v1/smtp", Status: 404, Want: `{"details":[{"id":"PROVIDER-none-active"}]}`},
		testkit.Call{Name: "host without port", Do: "POST /admin/v1/smtp", Body: `{` + smtp + `,"host":"localhost"}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-host"}]}`},
		testkit.Call{
			Name: "add", Do: "POST /admin/v1/smtp", Body: `{` + smtp + `,"host":"$host","user":"mailer","password":"canary-password"}`,
			Keep: map[string]string{"smtp": "id"}, Events: []string{"instance.smtp.config.added"},
		},
		testkit.Call{Name: "read back", Do: "GET /admin/v1/smtp/$smtp", Want: `{"smtpConfig":{"id":"$smtp",` + smtp + `,"host":"$host","user":"mailer","tls":null,"password":null,"state":"SMTP_CONFIG_INACTIVE"}}`},
		testkit.Call{Name: "not active", Do: "POST /admin/v1/smtp/$smtp/_deactivate", Body: `{}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-inactive"}]}`},
		testkit.Call{Name: "activate", Do: "POST /admin/v1/smtp/$smtp/_activate", Body: `{}`, Events: []string{"instance.smtp.config.activated"}},
		testkit.Call{Name: "again", Do: "POST /admin/v1/smtp/$smtp/_activate", Body: `{}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-active"}]}`},
		testkit.Call{Name: "the active one", Do: "GET /admin/v1/smtp", Want: `{"smtpConfig":{"id":"$smtp","state":"SMTP_CONFIG_ACTIVE"}}`},
		testkit.Call{Name: "list", Do: "POST /admin/v1/smtp/_search", Body: `{}`, Want: `{"details":{"totalResult":"1"},"result":[{"id":"$smtp"}]}`},
		testkit.Call{Name: "test the stored one", Do: "POST /admin/v1/smtp/$smtp/_test", Body: `{"receiverAddress":"ann@example.com"}`},
		testkit.Call{Name: "test with the stored password", Do: "POST /admin/v1/smtp/_test", Body: `{"id":"$smtp",` + smtp + `,"host":"$host","user":"mailer","receiverAddress":"ann@example.com"}`},
		testkit.Call{
			Name: "the stored password is not for another host", Do: "POST /admin/v1/smtp/_test",
			Body: `{"id":"$smtp",` + smtp + `,"host":"127.0.0.1:$port","user":"mailer","receiverAddress":"ann@example.com"}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-secret-again"}]}`,
		},
		testkit.Call{
			Name: "a wrong password", Do: "POST /admin/v1/smtp/_test",
			Body: `{` + smtp + `,"host":"$host","user":"mailer","password":"wrong","receiverAddress":"ann@example.com"}`, Status: 400, Want: `{"code":9,"details":[{"id":"PROVIDER-test"}]}`,
		},
		testkit.Call{
			Name: "too often", Do: "POST /admin/v1/smtp/$smtp/_test", Body: `{"receiverAddress":"Ann@example.com"}`, Status: 429, Want: `{"code":8,"details":[{"id":"PROVIDER-test-often"}]}`,
		},
		testkit.Call{Name: "the same", Do: "PUT /admin/v1/smtp/$smtp", Body: `{` + smtp + `,"host":"$host","user":"mailer"}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-unchanged"}]}`},
		testkit.Call{Name: "another host", Do: "PUT /admin/v1/smtp/$smtp", Body: `{` + smtp + `,"host":"mail.example.com:587","user":"mailer"}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-secret-again"}]}`},
		testkit.Call{
			Name: "another name", Do: "PUT /admin/v1/smtp/$smtp", Body: `{"senderAddress":"id@example.com","senderName":"Acme","host":"$host","user":"mailer"}`,
			Events: []string{"instance.smtp.config.changed"},
		},
		testkit.Call{Name: "the password stayed", Do: "POST /admin/v1/smtp/$smtp/_test", Body: `{"receiverAddress":"bob@example.com"}`},
		testkit.Call{Name: "another password", Do: "PUT /admin/v1/smtp/$smtp/password", Body: `{"password":"canary-other"}`, Events: []string{"instance.smtp.config.password.changed"}},
		testkit.Call{Name: "which the server does not know", Do: "POST /admin/v1/smtp/$smtp/_test", Body: `{"receiverAddress":"bob@example.com"}`, Status: 400},
		testkit.Call{
			Name: "the log hides passwords", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["instance.smtp.config.added","instance.smtp.config.password.changed"]}`,
			Want: `{"events":[{"payload":{"id":"$smtp","password":null}},{"payload":{"host":"*","plainAuth":null}}]}`,
		},
		testkit.Call{Name: "deactivate", Do: "POST /admin/v1/smtp/$smtp/_deactivate", Body: `{}`, Events: []string{"instance.smtp.config.deactivated"}},
		testkit.Call{Name: "remove", Do: "DELETE /admin/v1/smtp/$smtp", Events: []string{"instance.smtp.config.removed"}},
		testkit.Call{Name: "gone", Do: "GET /admin/v1/smtp/$smtp", Status: 404},
	)
	for _, l := range box.all() {
		if l.From != "id@example.com" || !strings.Contains(l.Text, "shows that Gatehouse can send mail") {
			t.Errorf("the mail is %+v", l)
		}
	}
	if n := len(box.all()); n != 3 {
		t.Errorf("%d mails arrived, want 3", n)
	}
	noCanary(t, s)
}

// noCanary looks for secrets in everything that is stored.
func noCanary(t *testing.T, s *testkit.Server) {
	t.Helper()
	for _, sql := range []string{"SELECT payload FROM events", "SELECT document FROM providers", "SELECT payload || last_error FROM jobs"} {
		if err := s.DB.Read(t.Context(), database.Query{SQL: sql, Row: func(scan database.Scan) error {
			var text string
			err := scan(&text)
			if strings.Contains(text, "canary") {
				t.Errorf("%s holds a secret: %s", sql, text)
			}
			return err
		}}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEmailProviders: the RPCs of the second form, with each way to prove who
// sends, and one active provider at a time.
func TestEmailProviders(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, nearby)
	box := newMailbox(t)
	s.Set("host", box.Address)
	const sender = `"senderAddress":"id@example.com","senderName":"Acme"`
	const oauth = `"xoauth2":{"tokenEndpoint":"https://login.example.com/token","scopes":["mail.send"],"clientCredentials":{"clientId":"c1"`
	s.Run(t,
		testkit.Call{Name: "none", Do: "GET /admin/v1/email", Status: 404},
		testkit.Call{
			Name: "without a password", Do: "POST /admin/v1/email/smtp", Body: `{` + sender + `,"host":"$host","user":"mailer","plain":{}}`, Status: 400,
			Want: `{"details":[{"id":"PROVIDER-secret"}]}`,
		},
		testkit.Call{
			Name: "a name of two lines", Do: "POST /admin/v1/email/smtp", Body: `{"senderAddress":"id@example.com","senderName":"Acme\r\nBcc: eve@example.com","host":"$host","none":{}}`,
			Status: 400, Want: `{"details":[{"id":"PROVIDER-text"}]}`,
		},
		testkit.Call{
			Name: "add", Do: "POST /admin/v1/email/smtp", Body: `{` + sender + `,"host":"$host","user":"mailer","plain":{"password":"canary-password"}}`,
			Keep: map[string]string{"smtp": "id"}, Events: []string{"instance.smtp.config.added"},
		},
		testkit.Call{Name: "activate", Do: "POST /admin/v1/email/$smtp/_activate", Body: `{}`, Events: []string{"instance.smtp.config.activated"}},
		testkit.Call{Name: "the active one", Do: "GET /admin/v1/email", Want: `{"config":{"id":"$smtp","state":"EMAIL_PROVIDER_ACTIVE","smtp":{` + sender + `,"host":"$host","user":"mailer","plain":{}}}}`},
		testkit.Call{Name: "test", Do: "POST /admin/v1/email/smtp/$smtp/_test", Body: `{"receiverAddress":"ann@example.com"}`},
		testkit.Call{Name: "test as given", Do: "POST /admin/v1/email/smtp/_test", Body: `{` + sender + `,"host":"$host","none":{},"receiverAddress":"ann@example.com"}`},
		testkit.Call{
			Name: "by token needs a secret", Do: "PUT /admin/v1/email/smtp/$smtp", Body: `{` + sender + `,"host":"$host","user":"mailer",` + oauth + `}}}`, Status: 400,
			Want: `{"details":[{"id":"PROVIDER-secret-again"}]}`,
		},
		testkit.Call{
			Name: "by token", Do: "PUT /admin/v1/email/smtp/$smtp", Body: `{` + sender + `,"host":"$host","user":"mailer",` + oauth + `,"clientSecret":"canary-client"}}}`,
			Events: []string{"instance.smtp.config.changed"},
		},
		testkit.Call{
			Name: "the secret stays", Do: "PUT /admin/v1/email/smtp/$smtp", Body: `{` + sender + `,"description":"new","host":"$host","user":"mailer",` + oauth + `}}}`,
			Events: []string{"instance.smtp.config.changed"},
		},
		testkit.Call{
			Name: "another token endpoint", Do: "PUT /admin/v1/email/smtp/$smtp",
			Body:   `{` + sender + `,"host":"$host","user":"mailer","xoauth2":{"tokenEndpoint":"https://evil.example.com/token","clientCredentials":{"clientId":"c1"}}}`,
			Status: 400, Want: `{"details":[{"id":"PROVIDER-secret-again"}]}`,
		},
		testkit.Call{Name: "read back", Do: "GET /admin/v1/email/$smtp", Want: `{"config":{"description":"new","smtp":{` + oauth + `,"clientSecret":null}}}}}`},
		testkit.Call{Name: "no password", Do: "PUT /admin/v1/email/smtp/$smtp/password", Body: `{"password":"x"}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-no-password"}]}`},
		testkit.Call{Name: "by password again", Do: "PUT /admin/v1/email/smtp/$smtp", Body: `{` + sender + `,"host":"$host","user":"mailer","plain":{"password":"canary-password"}}`, Events: []string{"instance.smtp.config.changed"}},
		testkit.Call{Name: "another password", Do: "PUT /admin/v1/email/smtp/$smtp/password", Body: `{"password":"canary-other"}`, Events: []string{"instance.smtp.config.password.changed"}},
		testkit.Call{Name: "an endpoint with a user", Do: "POST /admin/v1/email/http", Body: `{"endpoint":"https://ann@relay.example.com/mail"}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-endpoint"}]}`},
		testkit.Call{
			Name: "an endpoint", Do: "POST /admin/v1/email/http", Body: `{"endpoint":"https://relay.example.com/mail","description":"relay"}`,
			Want: `{"signingKey":"*"}`, Keep: map[string]string{"http": "id", "key": "signingKey"}, Events: []string{"instance.smtp.config.http.added"},
		},
		testkit.Call{Name: "shown without its key", Do: "GET /admin/v1/email/$http", Want: `{"config":{"description":"relay","http":{"endpoint":"https://relay.example.com/mail","signingKey":null}}}`},
		testkit.Call{Name: "no mail server", Do: "GET /admin/v1/smtp/$http", Status: 404},
		testkit.Call{Name: "not one to test so", Do: "POST /admin/v1/email/smtp/$http/_test", Body: `{"receiverAddress":"ann@example.com"}`, Status: 404},
		testkit.Call{Name: "it takes over", Do: "POST /admin/v1/email/$http/_activate", Body: `{}`, Events: []string{"instance.smtp.config.activated"}},
		testkit.Call{Name: "the other is not active", Do: "GET /admin/v1/email/$smtp", Want: `{"config":{"state":"EMAIL_PROVIDER_INACTIVE"}}`},
		testkit.Call{Name: "change", Do: "PUT /admin/v1/email/http/$http", Body: `{"endpoint":"https://relay.example.com/v2"}`, Want: `{"signingKey":null}`, Events: []string{"instance.smtp.config.http.changed"}},
		testkit.Call{
			Name: "a new key", Do: "PUT /admin/v1/email/http/$http", Body: `{"endpoint":"https://relay.example.com/v2","expirationSigningKey":"0s"}`,
			Want: `{"signingKey":"*"}`, Events: []string{"instance.smtp.config.http.changed"},
		},
		testkit.Call{Name: "list", Do: "POST /admin/v1/email/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"result":[{"id":"$smtp"},{"id":"$http"}]}`},
		testkit.Call{Name: "deactivate", Do: "POST /admin/v1/email/$http/_deactivate", Body: `{}`, Events: []string{"instance.smtp.config.deactivated"}},
		testkit.Call{Name: "remove", Do: "DELETE /admin/v1/email/$smtp", Events: []string{"instance.smtp.config.removed"}},
		testkit.Call{Name: "senders at our domains only", Do: "PUT /admin/v1/policies/domain", Body: `{"smtpSenderAddressMatchesInstanceDomain":true}`, Events: []string{"instance.policy.domain.changed"}},
		testkit.Call{Name: "another domain", Do: "POST /admin/v1/email/smtp", Body: `{` + sender + `,"host":"$host","none":{}}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-sender-domain"}]}`},
		testkit.Call{Name: "ours", Do: "POST /admin/v1/email/smtp", Body: `{"senderAddress":"id@localhost","senderName":"Acme","host":"$host","none":{}}`, Events: []string{"instance.smtp.config.added"}},
	)
	noCanary(t, s)
}

func TestSMSProviders(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{Name: "no number", Do: "POST /admin/v1/sms/twilio", Body: `{"sid":"AC1","token":"canary-token"}`, Status: 400, Want: `{"details":[{"id":"PROVIDER-twilio"}]}`},
		testkit.Call{
			Name: "add", Do: "POST /admin/v1/sms/twilio", Body: `{"sid":"AC1","token":"canary-token","senderNumber":"+15550100","description":"ours"}`,
			Keep: map[string]string{"twilio": "id"}, Events: []string{"instance.sms.configtwilio.added"},
		},
		testkit.Call{Name: "change", Do: "PUT /admin/v1/sms/twilio/$twilio", Body: `{"sid":"AC2","senderNumber":"+15550101","verifyServiceSid":"VA1"}`, Events: []string{"instance.sms.configtwilio.changed"}},
		testkit.Call{
			Name: "read back", Do: "GET /admin/v1/sms/$twilio",
			Want: `{"config":{"id":"$twilio","state":"SMS_PROVIDER_CONFIG_INACTIVE","description":null,"twilio":{"sid":"AC2","senderNumber":"+15550101","verifyServiceSid":"VA1","token":null}}}`,
		},
		testkit.Call{Name: "another token", Do: "PUT /admin/v1/sms/twilio/$twilio/token", Body: `{"token":"canary-other"}`, Events: []string{"instance.sms.configtwilio.token.changed"}},
		testkit.Call{Name: "activate", Do: "POST /admin/v1/sms/$twilio/_activate", Body: `{}`, Events: []string{"instance.sms.configactivated"}},
		testkit.Call{Name: "endpoint", Do: "POST /admin/v1/sms/http", Body: `{"endpoint":"https://relay.example.com/sms"}`, Keep: map[string]string{"http": "id"}, Events: []string{"instance.sms.confighttp.added"}},
		testkit.Call{Name: "is no account", Do: "PUT /admin/v1/sms/twilio/$http", Body: `{"sid":"AC2","senderNumber":"+15550101"}`, Status: 404},
		testkit.Call{Name: "nor has a token", Do: "PUT /admin/v1/sms/twilio/$http/token", Body: `{"token":"x"}`, Status: 404},
		testkit.Call{Name: "change endpoint", Do: "PUT /admin/v1/sms/http/$http", Body: `{"endpoint":"https://relay.example.com/v2","description":"relay"}`, Events: []string{"instance.sms.confighttp.changed"}},
		testkit.Call{Name: "list", Do: "POST /admin/v1/sms/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"result":[{"id":"$twilio"},{"id":"$http","http":{"endpoint":"https://relay.example.com/v2"}}]}`},
		testkit.Call{Name: "no mail provider", Do: "DELETE /admin/v1/email/$twilio", Status: 404},
		testkit.Call{Name: "deactivate", Do: "POST /admin/v1/sms/$twilio/_deactivate", Body: `{}`, Events: []string{"instance.sms.configdeactivated"}},
		testkit.Call{Name: "remove", Do: "DELETE /admin/v1/sms/$twilio", Events: []string{"instance.sms.configremoved"}},
	)
	noCanary(t, s)
}
