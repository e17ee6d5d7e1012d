package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestConsoleTextPreview writes a text of an organization's own, looks at it, and gives it up.
func TestConsoleTextPreview(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies/texts")
	w.sees(t, "Forgotten password")
	w.press(t, "Forgotten password")
	w.sees(t, "with your own name")
	w.press(t, "Edit")
	w.fill(t, "subject", "Hello {{.FirstName}} {{.Nobody}}")
	w.press(t, "Save")
	w.sees(t, "A text can hold these placeholders only")
	var typed string
	w.do(t, "read what was typed", chromedp.Value(`input[name="subject"]`, &typed, chromedp.ByQuery))
	if typed != "Hello {{.FirstName}} {{.Nobody}}" {
		t.Errorf("the form has lost what was typed: %q", typed)
	}
	w.fill(t, "subject", "Hello {{.FirstName}}")
	w.press(t, "Save")
	w.sees(t, "Hello Ann")
	s.Run(t, testkit.Call{Name: "its own", Do: "GET /management/v1/text/message/passwordreset/en", Want: `{"customText":{"subject":"Hello {{.FirstName}}"}}`})
	// Nothing but the subject is the organization's own: the other parts follow the instance.
	s.Run(t,
		testkit.Call{
			Name: "the instance's", Do: "PUT /admin/v1/text/message/passwordreset/en", Body: `{"subject":"Of all","title":"Another title"}`,
			Events: []string{"instance.customtext.set", "instance.customtext.set"},
		},
		testkit.Call{Name: "followed", Do: "GET /management/v1/text/message/passwordreset/en", Want: `{"customText":{"subject":"Hello {{.FirstName}}","title":"Another title"}}`},
	)
	w.dark(t)
	w.press(t, "Give the own text up")
	w.press(t, "Give the own text up")
	w.sees(t, "As the instance")
	w.open(t, "/ui/console/instance/policies/texts/de")
	w.press(t, "One-time code by SMS")
	w.sees(t, "Built in")
	w.phone(t)
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies/texts/en")
	w.sees(t, "Forgotten password")
	w.press(t, "Forgotten password")
	w.sees(t, "with your own name")
}

// TestConsoleOwnLogin sends logins to another application, whose address is checked.
func TestConsoleOwnLogin(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	w.open(t, "/ui/console/instance/policies")
	w.press(t, "Own login application")
	w.press(t, "Edit")
	w.fill(t, "login_v2.base_uri", "ftp://login.example.com/")
	w.sees(t, "Such as https://login.example.com/")
	w.press(t, "Save")
	w.sees(t, "must be an http or https address")
	w.fill(t, "login_v2.base_uri", "https://login.example.com/")
	w.press(t, "Save")
	w.sees(t, "Saved.")
	s.Run(t, testkit.Call{Name: "set", Do: "GET /v2/features/instance", Want: `{"loginV2":{"baseUri":"https://login.example.com/","source":"SOURCE_INSTANCE"}}`})
	w.press(t, "Edit")
	w.fill(t, "login_v2.base_uri", "")
	w.press(t, "Save")
	w.sees(t, "Saved.")
	s.Run(t, testkit.Call{Name: "the pages here again", Do: "GET /v2/features/instance", Want: `{"loginV2":{"baseUri":null}}`})
}

// TestConsolePoliciesOfOthers: who owns an organization sees and changes neither the
// policies of another one nor those of the instance, whatever address they type.
func TestConsolePoliciesOfOthers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t,
		testkit.Call{Name: "ann owns hers", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ann","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}},
		testkit.Call{
			Name: "another organization", Do: "POST /v2/organizations", Body: `{"name":"Acme"}`, Status: 201, Keep: map[string]string{"other": "organizationId"},
			Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"},
		},
	)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	own := s.Expand("/ui/console/orgs/$org")
	if p := b.open(t, own+"/login"); p.status != http.StatusOK {
		t.Fatalf("her own login policy: status %d\n%s", p.status, p.body)
	}
	for _, base := range []string{s.Expand("/ui/console/orgs/$other"), "/ui/console/instance"} {
		for _, path := range []string{
			"/login", "/login/settings", "/login/change?factor=SECOND_FACTOR_TYPE_OTP", "/login/retire?factor=SECOND_FACTOR_TYPE_OTP", "/policies", "/policies/lockout", "/policies/lockout/edit",
			"/policies/login-texts/en", "/policies/login-texts/en/login_text", "/policies/login-texts/en/reset", "/policies/branding", "/policies/texts/en", "/policies/texts/en/Init", "/policies/texts/en/Init/edit", "/policies/texts/en/Init/follow",
		} {
			if p := b.open(t, base+path); p.status < http.StatusBadRequest {
				t.Errorf("the owner of another organization sees %s%s: status %d", base, path, p.status)
			}
		}
		for path, form := range map[string]url.Values{
			"/login/change":                       {"factor": {"SECOND_FACTOR_TYPE_OTP"}, "anyway": {"true"}},
			"/login/factors":                      {"factor": {"SECOND_FACTOR_TYPE_OTP_SMS"}},
			"/login/settings":                     {"allow_username_password": {""}},
			"/login/own":                          {},
			"/policies/lockout/edit":              {"max_password_attempts": {"1"}},
			"/policies/texts/en/Init/edit":        {"subject": {"Come to evil.example"}},
			"/policies/login-texts/en/login_text": {"login_text.title": {"Come to evil.example"}},
		} {
			if p := b.do(t, http.MethodPost, s.URL+base+path, form); p.status < http.StatusBadRequest {
				t.Errorf("the owner of another organization changes %s%s: status %d", base, path, p.status)
			}
		}
	}
	// What is refused there is done in her own: the forms are right, and the refusals are for
	// who sends them. The counts of events say that nothing else was done.
	for path, form := range map[string]url.Values{"/policies/lockout/edit": {"max_password_attempts": {"7"}}, "/policies/texts/en/Init/edit": {"subject": {"Come in"}}} {
		if p := b.do(t, http.MethodPost, s.URL+own+path, form); p.status != http.StatusOK {
			t.Errorf("her own %s: status %d\n%s", path, p.status, p.body)
		}
	}
	all := string(s.Send(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"limit":1000}`}).Body)
	for event, want := range map[string]int{`"org.policy.lockout.added"`: 1, `"instance.policy.lockout.changed"`: 0, `"instance.policy.login.secondfactor.removed"`: 0, `"org.policy.login.added"`: 0, `"instance.customtext.set"`: 0} {
		if got := strings.Count(all, `"type":`+event); got != want {
			t.Errorf("there are %d events %s, not %d", got, event, want)
		}
	}
	if strings.Contains(all, "evil.example") {
		t.Error("a text of somebody else was set")
	}
}

// TestConsoleLoginTexts writes what a page of the login says, sees it there, and gives it up.
func TestConsoleLoginTexts(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	s.Run(t, testkit.Call{Name: "of another page", Do: "PUT /management/v1/text/login/en", Body: `{"footerText":{"help":"Call us"},"usernameChangeText":{"title":"Kept"}}`, Events: sets("org", 2)})
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies/login-texts")
	w.sees(t, "What the pages say")
	w.press(t, "Password")
	w.sees(t, "A text that is empty follows")
	var hint string
	w.do(t, "read the hint", chromedp.AttributeValue(`input[name="password_text.min_length"]`, "placeholder", &hint, nil, chromedp.ByQuery))
	if hint != "At least %d characters" {
		t.Errorf("the field shows %q", hint)
	}
	w.fill(t, "password_text.title", strings.Repeat("x", 201))
	w.press(t, "Save")
	w.sees(t, "A text that is empty follows")
	w.fill(t, "password_text.title", "Password of the firm")
	w.press(t, "Save")
	w.sees(t, "Saved.")
	w.sees(t, "Password of the firm")
	s.Run(t, testkit.Call{Name: "only that", Do: "GET /management/v1/text/login/en", Want: `{"customText":{"passwordText":{"title":"Password of the firm","nextButtonText":"Go on"},"footerText":{"help":"Call us"},"usernameChangeText":{"title":"Kept"}}}`})
	newBrowser(t, s).toPassword(t).at(t, "password", "<h1>Password of the firm</h1>")
	w.dark(t)
	w.phone(t)
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies/login-texts/en/login_text")
	w.sees(t, "A text that is empty follows")
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies/login-texts/en")
	w.press(t, "Give the own text up")
	w.press(t, "Give the own text up")
	w.sees(t, "Saved.")
	s.Run(t, testkit.Call{Name: "ours again", Do: "GET /management/v1/text/login/en", Want: `{"customText":{"passwordText":{"title":"Password"},"isDefault":true}}`})
}
