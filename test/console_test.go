package test

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// annAdministers makes ann an owner of the instance.
var annAdministers = testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}}

// openConsole opens the console as ann, who has a password and the role.
func openConsole(t *testing.T, role string, options ...func(*server.Options)) (*testkit.Server, *window) {
	t.Helper()
	s := testkit.Start(t, options...)
	addAnn(t, s)
	s.Run(t, testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["` + role + `"]}`, Events: []string{"instance.member.added"}})
	w := openWindow(t, s)
	w.open(t, "/ui/console/")
	w.logIn(t, "ann", annsPassword)
	w.press(t, "Not now")
	w.sees(t, "Organizations")
	return s, w
}

// TestConsoleOrgs is the life of an organization as an administrator leads it in a browser.
func TestConsoleOrgs(t *testing.T) {
	t.Parallel()
	_, w := openConsole(t, "IAM_OWNER")
	w.press(t, "New organization")
	w.sees(t, "users, projects and policies of its own")
	w.fill(t, "name", "Acme")
	w.press(t, "Create")
	w.sees(t, "It is there now.")
	w.press(t, "Rename")
	w.fill(t, "name", "Acme and daughters")
	w.press(t, "Save")
	w.sees(t, "Saved.")
	w.dark(t)
	w.press(t, "Deactivate")
	w.sees(t, "none of its users can log in")
	w.press(t, "Deactivate")
	w.sees(t, "It is inactive now.")
	w.open(t, "/ui/console/orgs?q=daughters")
	w.sees(t, "1 in all")
	w.press(t, "Acme and daughters")
	w.press(t, "Remove")
	w.press(t, "Remove")
	w.sees(t, "It is removed.")
	w.open(t, "/ui/console/search?q=ann")
	w.sees(t, "Users")
}

// TestConsoleLoginPolicy is what the console is for: an administrator looks what it would
// mean to take a factor away, takes it away while somebody is about to log in with it in
// another window, and puts it back.
func TestConsoleLoginPolicy(t *testing.T) {
	t.Parallel()
	s, admin := openConsole(t, "IAM_OWNER")
	s.Run(t, testkit.Call{
		Name: "somebody", Do: "POST /v2/users/human", Keep: map[string]string{"bob": "userId"}, Events: []string{"user.human.added", "user.human.email.verified"},
		Body: `{"username":"bob","profile":{"givenName":"Bob","familyName":"Ray"},"email":{"email":"bob@example.com","isVerified":true},"password":{"password":"` + annsPassword + `"}}`,
	})
	user := openWindow(t, s)
	user.open(t, "/")
	user.logIn(t, "bob", annsPassword)
	user.press(t, "Authenticator app")
	user.sees(t, "Scan the picture")
	secret := user.text(t, "main code")
	user.give(t, "code", totpCode(t, secret, s.Clock.Now()))
	user.sees(t, "Enter the code")
	s.Clock.Advance(time.Minute)
	user.give(t, "proof", totpCode(t, secret, s.Clock.Now()))
	user.sees(t, "You are logged in")
	user.open(t, "/ui/login/login?new=true")
	user.logIn(t, "bob", annsPassword)
	user.sees(t, "Enter the code")

	admin.open(t, "/ui/console/instance/login")
	admin.sees(t, "Who needs a second factor")
	admin.do(t, "turn the app off", chromedp.Click(`[aria-label="Turn off: Authenticator app"]`, chromedp.ByQuery))
	admin.sees(t, "One person would have no second factor left.")
	admin.sees(t, "bob")
	admin.press(t, "Turn it off now")
	admin.sees(t, "The factor counts no more, from the next request on.")

	s.Clock.Advance(time.Minute)
	user.give(t, "proof", totpCode(t, secret, s.Clock.Now()))
	user.sees(t, "“Authenticator app” does not count here any more.")

	user.open(t, "/ui/login/login?new=true")
	user.logIn(t, "bob", annsPassword)
	user.sees(t, "Protect your account")
	user.sees(t, "“Authenticator app” does not count here any more.")

	admin.press(t, "Undo")
	admin.sees(t, "Who had it set up has it again.")
	user.open(t, "/ui/login/login?new=true")
	user.logIn(t, "bob", annsPassword)
	user.sees(t, "Enter the code")

	admin.dark(t)
	admin.do(t, "plan", chromedp.Click(`[aria-label="Turn off: Authenticator app"]`, chromedp.ByQuery))
	admin.press(t, "Retire it in stages")
	admin.do(t, "say when", chromedp.SetValue(`input[name="off"]`, s.Clock.Now().AddDate(0, 1, 0).UTC().Format("2006-01-02T15:04"), chromedp.ByQuery))
	admin.sees(t, "People get time")
	admin.press(t, "Make the plan")
	admin.sees(t, "The plan is made.")
	admin.press(t, "Cancel the plan")
	admin.press(t, "Cancel the plan")
	admin.sees(t, "Saved.")
	admin.do(t, "demand", chromedp.Click(`[aria-label="Choose: Everybody"]`, chromedp.ByQuery))
	admin.sees(t, "A second factor: Everybody")
	admin.press(t, "Change it now")
	admin.sees(t, "A second factor is demanded here.") // It holds for who chose it, too.
}

// TestConsolePolicies gives an organization a policy of its own and takes it back, and saves
// every policy of the instance as it is: what a form shows is what it sends.
func TestConsolePolicies(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies")
	w.sees(t, "As the instance")
	w.press(t, "Passwords")
	w.press(t, "Give it a policy of its own")
	w.fill(t, "min_length", "12")
	w.press(t, "Save")
	w.sees(t, "Own")
	s.Run(t, testkit.Call{Name: "its own", Do: "GET /management/v1/policies/password/complexity", Want: `{"policy":{"minLength":"12","hasNumber":true,"isDefault":null}}`})
	w.press(t, "Follow the instance again")
	w.press(t, "Follow the instance again")
	w.sees(t, "As the instance")

	w.open(t, "/ui/console/instance/policies")
	w.sees(t, "Codes and secrets")
	var links []string
	w.do(t, "read the links", chromedp.Evaluate(`[...document.querySelectorAll("main td a")].map((a) => a.pathname)`, &links))
	if len(links) < 20 {
		t.Errorf("the policies are %v", links)
	}
	for _, path := range links {
		w.open(t, path+"/edit")
		w.press(t, "Save")
		var shown string
		w.do(t, "read", chromedp.WaitReady("main .box", chromedp.ByQuery), chromedp.Text("main .box", &shown, chromedp.ByQuery))
		if !strings.Contains(shown, "Saved.") && !strings.Contains(shown, "change") && !strings.Contains(shown, "already") {
			t.Errorf("%s, saved as it is, says %q", path, shown)
		}
	}
	w.dark(t)
	w.open(t, "/ui/console/instance/policies/tokens/edit")
	w.sees(t, "Refresh tokens in any case")
	w.fill(t, "access_token_lifetime", "soon")
	w.press(t, "Save")
	w.sees(t, "Write a duration as a number with a unit")
	w.fill(t, "access_token_lifetime", "30m")
	w.press(t, "Save")
	w.sees(t, "Saved.")
	s.Run(t, testkit.Call{Name: "changed", Do: "GET /admin/v1/settings/oidc", Want: `{"settings":{"accessTokenLifetime":"1800s"}}`})
}

// TestConsoleApps makes a project with a role and an application, to which somebody logs in.
func TestConsoleApps(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/projects")
	w.sees(t, "There is no project yet.")
	w.press(t, "New project")
	w.fill(t, "name", "Shop")
	w.do(t, "roles in tokens", chromedp.Click(`input[name="project_role_assertion"]`, chromedp.ByQuery))
	w.sees(t, "Looks of the login")
	w.press(t, "Create")
	w.sees(t, "It is there now.")
	w.press(t, "Roles")
	w.press(t, "New role")
	w.fill(t, "role_key", "editor")
	w.fill(t, "display_name", "Editor")
	w.press(t, "Create")
	w.sees(t, "1 in all")
	w.press(t, "Applications")
	w.press(t, "New application")
	w.sees(t, "What is it?")
	w.press(t, "Web application")
	w.fill(t, "name", "Web")
	w.do(t, "say where it is", chromedp.SendKeys(`textarea[name="oidc_configuration.redirect_uris"]`, "https://shop.example/back", chromedp.ByQuery))
	w.press(t, "Create")
	w.sees(t, "This is shown once")
	client := w.text(t, "dd code")
	w.press(t, "I have it")
	w.sees(t, client)
	w.dark(t)
	w.press(t, "New key")
	w.press(t, "Create")
	w.sees(t, "This is shown once")
	w.press(t, "I have it")
	w.press(t, "Edit")
	w.sees(t, "How it proves itself")
	w.press(t, "Save")
	w.sees(t, "Web application")
	page := newBrowser(t, s).open(t, "/oauth/v2/authorize?client_id="+client+"&redirect_uri=https%3A%2F%2Fshop.example%2Fback&response_type=code&scope=openid&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256")
	page.at(t, "login", "Login name")
	w.open(t, "/ui/console/search?q=sho")
	w.sees(t, "Shop")
	w.open(t, "/ui/console/search?q=web")
	w.press(t, "Web")
	w.sees(t, client)
}

// TestConsoleEvents reads the whole log page by page: every event once, the newest first.
func TestConsoleEvents(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t, annAdministers)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	var shown []string
	written := s.Events(t)
	for next, pages := "/ui/console/events?until=2100-01-01T00:00", 0; next != ""; pages++ {
		p := b.open(t, next)
		for _, m := range regexp.MustCompile(`<li><strong>.*?</strong>\s*<small>[^<]*<a[^>]*>[^<]*</a> · <a[^>]*>[^<]*</a></small>\s*(?:<dl class="said">.*?</dl>)?(?:\s*<details><summary>([^<]*)</summary>)?`).FindAllStringSubmatch(p.body, -1) {
			shown = append(shown, m[1])
		}
		next = ""
		if m := regexp.MustCompile(`href="(\?[^"]*)" rel="next"`).FindStringSubmatch(p.body); m != nil {
			next = "/ui/console/events" + html.UnescapeString(m[1])
		}
		if pages > 20 {
			t.Fatal("the log has no end")
		}
	}
	if len(shown) != len(written) {
		t.Errorf("%d of %d events are shown", len(shown), len(written))
	}
	slices.Reverse(written)
	for i, event := range shown {
		if event != "" && event != written[i] { // Those without a payload show no name.
			t.Fatalf("at %d, %s is shown in the place of %s", i, event, written[i])
		}
	}
	if p := b.open(t, s.Expand("/ui/console/events?object=$ann&kind=user&type=user.human.added")); strings.Count(p.body, "<li><strong>") != 1 || strings.Contains(p.body, "encodedHash") {
		t.Errorf("the event that made ann: %s", p.body)
	}
	if p := b.open(t, "/ui/console/events?since=yesterday"); !strings.Contains(p.body, "Write a time as year") {
		t.Errorf("a time that is none: %s", p.body)
	}
}

// TestConsoleDomains adds a domain to an organization, and is told how to prove it.
func TestConsoleDomains(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	s.Run(t, testkit.Call{
		Name: "domains are proved", Do: "PUT /admin/v1/policies/domain", Body: `{"validateOrgDomains":true}`, Events: []string{"instance.policy.domain.changed"},
	})
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/domains")
	w.press(t, "Add a domain")
	w.fill(t, "domain", "acme.example")
	w.press(t, "Create")
	w.sees(t, "it does nothing until it is")
	w.press(t, "Prove it")
	w.press(t, "Prove it")
	w.sees(t, "TXT")
	w.press(t, "I have it")
	w.press(t, "Look now")
	w.press(t, "Look now")
	w.sees(t, "Domain") // What was not found is said.
	w.open(t, "/ui/console/events")
	w.sees(t, "Filter")
	w.do(t, "unfold", chromedp.Click(".events details summary", chromedp.ByQuery))
	w.sees(t, "{")
}

// TestConsoleMessages sets a mail server up, tries it, and puts it in use.
func TestConsoleMessages(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	box := newMailbox(t)
	w.open(t, "/ui/console/instance/messages")
	w.sees(t, "reach nobody yet")
	w.press(t, "Add a mail server")
	w.fill(t, "description", "Ours")
	w.fill(t, "sender_address", "id@gatehouse.localhost")
	w.fill(t, "sender_name", "Us")
	w.fill(t, "host", box.Address)
	w.do(t, "in clear", chromedp.Click(`input[name="tls"]`, chromedp.ByQuery))
	w.sees(t, "Encrypted only")
	w.press(t, "Create")
	w.sees(t, "Not in use")
	w.press(t, "Send a test mail")
	w.press(t, "Send a test mail")
	w.sees(t, "whether the operator lets the server reach this network")
	w.open(t, "/ui/console/instance/messages")
	w.press(t, "Activate")
	w.press(t, "Activate")
	w.sees(t, "In use")
	w.dark(t)
	w.press(t, "Edit")
	w.sees(t, "It is never shown.")
	w.fill(t, "sender_name", "Gatehouse")
	w.press(t, "Save")
	w.sees(t, "Saved.")
	s.Run(t, testkit.Call{Name: "saved", Do: "POST /admin/v1/email/_search", Want: `{"result":[{"description":"Ours","state":"EMAIL_PROVIDER_ACTIVE","smtp":{"senderName":"Gatehouse"}}]}`})
}

// TestConsoleBranding changes how the login looks: in the preview first, and for everybody
// once it is put in use.
func TestConsoleBranding(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	color := func(where string) (c string) {
		w.do(t, "read a color", chromedp.Evaluate("getComputedStyle(document.querySelector("+strconv.Quote(where)+")).backgroundColor", &c))
		return c
	}
	const red = "rgb(193, 18, 31)"
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies/branding")
	w.press(t, "Give it a policy of its own")
	w.do(t, "choose red", chromedp.SetValue(`input[name="primary_color"]`, "#c1121f", chromedp.ByQuery))
	w.sees(t, "Dark theme")
	w.press(t, "Save")
	w.sees(t, "The preview shows it.")
	if got := color(".sample.light .sample-button"); got != red {
		t.Errorf("the preview's button is %s", got)
	}
	file := filepath.Join(t.TempDir(), "logo.png")
	if err := os.WriteFile(file, picture(t, 64), 0o600); err != nil {
		t.Fatal(err)
	}
	w.do(t, "choose a logo", chromedp.SetUploadFiles(`form[action$="/branding/logo"] input[type=file]`, []string{file}, chromedp.ByQuery))
	w.do(t, "upload it", chromedp.Click(`form[action$="/branding/logo"] button`, chromedp.ByQuery), chromedp.WaitVisible("img.asset", chromedp.ByQuery))
	w.sees(t, "Pictures and font")
	w.do(t, "choose a font that is none", chromedp.SetUploadFiles(`form[action$="/branding/font"] input[type=file]`, []string{file}, chromedp.ByQuery))
	w.do(t, "upload it", chromedp.Click(`form[action$="/branding/font"] button`, chromedp.ByQuery))
	w.sees(t, "The file is no font that is taken here")
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/policies/branding")
	look := newBrowser(t, s)
	if css := look.open(t, "/ui/static/colors.css?org="+s.OrgID).body; strings.Contains(css, "#c1121f") {
		t.Errorf("the login looks like the preview already: %s", css)
	}
	w.dark(t)
	w.press(t, "Put it in use")
	w.press(t, "Put it in use")
	w.sees(t, "Saved.")
	if css := look.open(t, "/ui/static/colors.css?org="+s.OrgID).body; !strings.Contains(css, "--primary:#c1121f") {
		t.Errorf("the login does not look like the preview: %s", css)
	}
	w.open(t, "/ui/login/login?new=true")
	w.give(t, "loginName", "ann") // Whose organization is known from here on.
	w.do(t, "see the logo", chromedp.WaitVisible(".logo img", chromedp.ByQuery))
	w.sees(t, "Password")
}

// TestConsoleTexts gives an organization and the instance a text of their own, each in a
// language, and takes them back.
func TestConsoleTexts(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t, annAdministers)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	for at, read := range map[string]string{"/ui/console/orgs/" + s.OrgID: "GET /management/v1/text/message/init/de", "/ui/console/instance": "GET /admin/v1/text/message/init/de"} {
		at += "/policies/texts/de/Init"
		if p := b.fillIn(t, at+"/edit", "subject", "Willkommen {{.FirstName}}"); !strings.Contains(p.body, "Saved.") || !strings.Contains(p.body, "Willkommen Ann") {
			t.Errorf("%s: %d %s", at, p.status, p.body)
		}
		s.Run(t, testkit.Call{Name: "saved", Do: read, Want: `{"customText":{"subject":"Willkommen {{.FirstName}}","isDefault":null}}`})
		if p := b.do(t, http.MethodPost, s.URL+at+"/follow", url.Values{}); !strings.Contains(p.body, "Saved.") {
			t.Errorf("%s, back: %d %s", at, p.status, p.body)
		}
		s.Run(t, testkit.Call{Name: "back", Do: read, Want: `{"customText":{"isDefault":true}}`})
	}
}

// TestConsoleGrant grants a project to another organization, changes that and takes it back,
// and makes a key that signs tokens.
func TestConsoleGrant(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	fillConsole(t, s)
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/projects")
	w.press(t, "Shop")
	w.press(t, "Granted to")
	w.sees(t, "It is granted to nobody yet.")
	w.press(t, "Grant it")
	w.press(t, "Acme")
	w.tick(t, "Editor")
	w.press(t, "Create")
	w.sees(t, "1 in all")
	w.press(t, "Acme")
	w.sees(t, "can give its users these roles")
	w.press(t, "Deactivate")
	w.press(t, "Deactivate")
	w.sees(t, "Inactive")
	w.press(t, "Remove")
	w.press(t, "Remove")
	w.sees(t, "It is granted to nobody yet.")

	w.dark(t)
	w.open(t, "/ui/console/instance/keys")
	w.press(t, "New Ed25519 key")
	w.press(t, "New Ed25519 key")
	w.sees(t, "Published")
	w.do(t, "sign with it", chromedp.Click(`//tr[contains(., "Ed25519")]//a[contains(., "Sign with it")]`, chromedp.BySearch))
	w.press(t, "Sign with it")
	w.sees(t, "Saved.")
	w.open(t, "/ui/console/instance")
	w.sees(t, "Trusted domains")
	w.press(t, "Remove")
	w.press(t, "Remove")
	w.sees(t, "No other domain is trusted.")
}
