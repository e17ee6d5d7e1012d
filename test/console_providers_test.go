package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestConsoleMailServerAuth changes how a mail server is told who sends.
func TestConsoleMailServerAuth(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t,
		testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{
			Name: "open server", Do: "POST /admin/v1/email/smtp", Keep: map[string]string{"open": "id"}, Events: []string{"instance.smtp.config.added"},
			Body: `{"senderAddress":"id@gatehouse.localhost","senderName":"Gatehouse","host":"localhost:2525"}`,
		},
	)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	at := s.Expand("/ui/console/instance/messages/mail/$open/edit")
	if p := b.fillIn(t, at, "user", "gate", "password", "Open-sesame-1"); !strings.Contains(p.body, "Saved.") {
		t.Errorf("a user and a password: %d %s", p.status, p.body)
	}
	s.Run(t, testkit.Call{Name: "with a password", Do: "GET /admin/v1/email/$open", Want: `{"config":{"smtp":{"user":"gate","plain":{}}}}`})
	if p := b.fillIn(t, at, "user", ""); !strings.Contains(p.body, "Saved.") {
		t.Errorf("without a user again: %d %s", p.status, p.body)
	}
	s.Run(t, testkit.Call{Name: "without a password", Do: "GET /admin/v1/email/$open", Want: `{"config":{"smtp":{"user":null,"none":{}}}}`})
}

// TestConsoleSigningKey replaces the key by which endpoints know that it is us who call: the
// new one is shown once, and a carrier that signs nothing has none.
func TestConsoleSigningKey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t,
		testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "mails", Do: "POST /admin/v1/email/http", Body: `{"endpoint":"https://post.example.com/mail","description":"Post"}`, Keep: map[string]string{"mail": "id", "first": "signingKey"}, Events: []string{"instance.smtp.config.http.added"}},
		testkit.Call{Name: "SMS", Do: "POST /admin/v1/sms/http", Body: `{"endpoint":"https://post.example.com/sms"}`, Keep: map[string]string{"sms": "id"}, Events: []string{"instance.sms.confighttp.added"}},
		testkit.Call{Name: "Twilio", Do: "POST /admin/v1/sms/twilio", Body: `{"sid":"AC1","token":"t","senderNumber":"+41791234567"}`, Keep: map[string]string{"twilio": "id"}, Events: []string{"instance.sms.configtwilio.added"}},
	)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	for path, says := range map[string]string{"mail/$mail": "This is shown once", "sms/$sms": "This is shown once", "sms/$twilio": "There is no page at this address"} {
		at := s.Expand(s.URL + "/ui/console/instance/messages/" + path + "/signing-key")
		if p := b.do(t, http.MethodPost, at, url.Values{}); !strings.Contains(p.body, says) || strings.Contains(p.body, s.Expand("$first")) {
			t.Errorf("%s says %d %s", path, p.status, p.body)
		}
	}
	s.Run(t, testkit.Call{Name: "nothing else changed", Do: "GET /admin/v1/email/$mail", Want: `{"config":{"description":"Post","http":{"endpoint":"https://post.example.com/mail"}}}`})
}

// TestConsoleInUse: looks can be put in use where the login does not have them yet.
func TestConsoleInUse(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t, testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}})
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	const at = "/ui/console/instance/policies/branding"
	offered := func() bool { return strings.Contains(b.open(t, at).body, `href="`+at+`/use"`) }
	if offered() {
		t.Error("the looks of now can be put in use")
	}
	b.fillIn(t, at+"/edit", "primary_color", "#c1121f")
	if !offered() {
		t.Error("other looks cannot be put in use")
	}
	b.do(t, http.MethodPost, s.URL+at+"/use", url.Values{})
	if offered() {
		t.Error("what was put in use can be put in use again")
	}
}
