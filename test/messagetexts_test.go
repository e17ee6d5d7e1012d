//go:build unix

package test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// texts are the sorts of texts by their names in routes; oneLine are those that
// travel by SMS.
var (
	textRoutes = []string{
		"init", "passwordreset", "verifyemail", "verifyphone", "verifysmsotp", "verifyemailotp", "domainclaimed", "passwordless_registration",
		"password_change", "invite_user",
	}
	oneLine = []string{"verifyphone", "verifysmsotp"}
)

// TestMessageTexts: each text is built in, replaced by the instance, replaced by
// an organization part by part, and back again.
func TestMessageTexts(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, route := range textRoutes {
		t.Run(route, func(t *testing.T) {
			s.Set("route", route)
			set, want, events := `"text":"Instance {{.Code}}"`, `"text":"Instance {{.Code}}"`, []string{"instance.customtext.set"}
			if !slices.Contains(oneLine, route) {
				set, events = set+`,"subject":"Hello"`, append(events, "instance.customtext.set")
				want += `,"subject":"Hello","title":"*"`
			}
			s.Run(t,
				testkit.Call{Name: "built in", Do: "GET /admin/v1/text/default/message/$route/de-CH", Want: `{"customText":{"text":"*","isDefault":true}}`},
				testkit.Call{Name: "in no language that we have", Do: "GET /admin/v1/text/message/$route/fr", Want: `{"customText":{"text":"*","isDefault":true}}`},
				testkit.Call{Name: "not a language", Do: "GET /admin/v1/text/message/$route/!", Status: 400},
				testkit.Call{Name: "unknown placeholder", Do: "PUT /admin/v1/text/message/$route/de", Body: `{"text":"{{.Secret}}"}`, Status: 400, Want: `{"details":[{"id":"TEXTS-placeholder"}]}`},
				testkit.Call{Name: "a program", Do: "PUT /admin/v1/text/message/$route/de", Body: `{"text":"{{printf .Code}}"}`, Status: 400, Want: `{"details":[{"id":"TEXTS-placeholder"}]}`},
				testkit.Call{Name: "set", Do: "PUT /admin/v1/text/message/$route/de", Body: `{` + set + `}`, Events: events},
				testkit.Call{Name: "again", Do: "PUT /admin/v1/text/message/$route/de", Body: `{` + set + `}`},
				testkit.Call{Name: "shown", Do: "GET /admin/v1/text/message/$route/de", Want: `{"customText":{` + want + `,"isDefault":null,"details":{"changeDate":"*"}}}`},
				testkit.Call{Name: "inherited", Do: "GET /management/v1/text/message/$route/de", Want: `{"customText":{` + want + `,"isDefault":true}}`},
				testkit.Call{Name: "the organization's own", Do: "PUT /management/v1/text/message/$route/de", Body: `{"text":"Org"}`, Events: []string{"org.customtext.set"}},
				testkit.Call{Name: "over the instance's", Do: "GET /management/v1/text/message/$route/de", Want: `{"customText":{` + strings.Replace(want, "Instance {{.Code}}", "Org", 1) + `,"isDefault":null}}`},
				testkit.Call{Name: "the default", Do: "GET /management/v1/text/default/message/$route/de", Want: `{"customText":{` + want + `,"isDefault":true}}`},
				testkit.Call{Name: "a part less", Do: "PUT /management/v1/text/message/$route/de", Body: `{}`, Events: []string{"org.customtext.removed"}},
				testkit.Call{Name: "is inherited", Do: "GET /management/v1/text/message/$route/de", Want: `{"customText":{` + want + `,"isDefault":true}}`},
				testkit.Call{Name: "reset", Do: "DELETE /management/v1/text/message/$route/de", Events: []string{"org.customtext.template.removed"}},
				testkit.Call{Name: "once", Do: "DELETE /management/v1/text/message/$route/de", Status: 404},
				testkit.Call{Name: "reset the instance's", Do: "DELETE /admin/v1/text/message/$route/de", Events: []string{"instance.customtext.template.removed"}},
				testkit.Call{Name: "built in again", Do: "GET /admin/v1/text/message/$route/de", Want: `{"customText":{"text":"*","isDefault":true}}`},
			)
		})
	}
}

// TestMessageTextsAreSent: what is sent is the text that holds for the user, at
// the time of sending.
func TestMessageTextsAreSent(t *testing.T) {
	t.Parallel()
	p := startOffice(t, nearby)
	box := newMailbox(t)
	p.carry(t, box)
	p.Run(t,
		testkit.Call{Name: "the instance's", Do: "PUT /admin/v1/text/message/init/de", Body: `{"subject":"Instanz","text":"<b>{{.Code}}</b>","footerText":"Fuß"}`, Events: slices.Repeat([]string{"instance.customtext.set"}, 3)},
		testkit.Call{Name: "the organization's", Do: "PUT /management/v1/text/message/init/de", Body: `{"subject":"Firma {{ .DisplayName }}"}`, Events: []string{"org.customtext.set"}},
		testkit.Call{Name: "another language", Do: "PUT /management/v1/text/message/init/fr", Body: `{"subject":"Bonjour"}`, Events: []string{"org.customtext.set"}},
	)
	for i, want := range []struct{ language, subject, html string }{
		{"de-AT", "Firma admin", "&lt;b&gt;C0&lt;/b&gt;"},
		{"fr", "Bonjour", "An account was made for you"},
		{"it", "Set up your account", "An account was made for you"},
		{"", "Set up your account", "An account was made for you"},
	} {
		p.queue(t, message.Message{Kind: message.Init, Recipient: "ann@example.com", Language: want.language, Code: "C0"})
		p.Settle(t)
		all := box.all()
		if len(all) != i+1 {
			t.Fatalf("%q: %d mails", want.language, len(all))
		}
		if l := all[i]; l.Subject != want.subject || !strings.Contains(l.HTML, want.html) {
			t.Errorf("%q: %q\n%s", want.language, l.Subject, l.HTML)
		}
		p.Clock.Advance(time.Minute)
	}
}
