package test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// fillPeople makes users of both kinds with all that hangs on them, a group, and somebody
// who has roles.
func fillPeople(t *testing.T, s *testkit.Server) {
	t.Helper()
	for _, c := range []testkit.Call{
		{
			Name: "a person", Do: "POST /v2/users/new", Status: 200, Keep: map[string]string{"bea": "id"},
			Body:   `{"organizationId":"$org","username":"bea","human":{"profile":{"givenName":"Bea","familyName":"Bell"},"email":{"email":"bea@example.com","returnCode":{}},"phone":{"phone":"+41791234567","returnCode":{}},"password":{"password":"Bells-ring-8","changeRequired":true}}}`,
			Events: []string{"user.human.added", "user.human.email.code.added", "user.human.phone.code.added"},
		},
		{Name: "a factor", Do: "POST /v2/users/$bea/totp", Body: `{}`, Events: []string{"user.human.mfa.otp.added"}},
		{Name: "metadata", Do: "POST /management/v1/users/$bea/metadata/staff", Body: `{"value":"NDI="}`, Events: []string{"user.metadata.set"}},
		{Name: "a machine", Do: "POST /v2/users/new", Status: 200, Body: `{"organizationId":"$org","username":"robot","machine":{"name":"Robot"}}`, Keep: map[string]string{"robot": "id"}, Events: []string{"user.machine.added"}},
		{Name: "its key", Do: "POST /v2/users/$robot/keys", Body: `{"expirationDate":"2519-04-01T08:45:00Z"}`, Events: []string{"user.machine.key.added"}},
		{Name: "its token", Do: "POST /v2/users/$robot/pats", Body: `{"expirationDate":"2519-04-01T08:45:00Z"}`, Events: []string{"user.pat.added"}},
		{Name: "its secret", Do: "POST /v2/users/$robot/secret", Body: `{}`, Events: []string{"user.machine.secret.set"}},
		{Name: "a session", Do: "POST /v2/sessions", Body: `{"checks":{"user":{"loginName":"bea"},"password":{"password":"Bells-ring-8"}}}`, Status: 201, Events: []string{"user.human.password.check.succeeded", "session.added", "session.user.checked", "session.password.checked", "session.token.set"}},
		{Name: "a group", Do: "POST /zitadel.group.v2.GroupService/CreateGroup", Body: `{"organizationId":"$org","name":"Ringers"}`, Keep: map[string]string{"ringers": "id"}, Events: []string{"group.added"}},
		{Name: "its member", Do: "POST /zitadel.group.v2.GroupService/AddUsersToGroup", Body: `{"id":"$ringers","userIds":["$bea"]}`, Events: []string{"group.users.added"}},
		{Name: "a project", Do: "POST /management/v1/projects", Body: `{"name":"Tower"}`, Keep: map[string]string{"tower": "id"}, Events: []string{"project.added", "project.member.added"}},
		{Name: "its role", Do: "POST /management/v1/projects/$tower/roles", Body: `{"roleKey":"ringer","displayName":"Ringer"}`, Events: []string{"project.role.added"}},
		{Name: "who has it", Do: "POST /management/v1/users/$bea/grants", Body: `{"projectId":"$tower","roleKeys":["ringer"]}`, Events: []string{"user.grant.added"}},
		{Name: "who administers it", Do: "POST /management/v1/projects/$tower/members", Body: `{"userId":"$bea","roles":["PROJECT_OWNER_VIEWER"]}`, Events: []string{"project.member.added"}},
		{Name: "its grant", Do: "POST /management/v1/projects/$tower/grants", Body: `{"grantedOrgId":"$acme","roleKeys":["ringer"]}`, Keep: map[string]string{"granted": "grantId"}, Events: []string{"project.grant.added"}},
		{Name: "who administers that", Do: "POST /management/v1/projects/$tower/grants/$granted/members", Body: `{"userId":"$bea","roles":["PROJECT_GRANT_OWNER"]}`, Events: []string{"project.grant.member.added"}},
		{Name: "metadata of the organization", Do: "POST /management/v1/metadata/customer", Body: `{"value":"NDI="}`, Events: []string{"org.metadata.set"}},
		{Name: "an administrator", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$bea","roles":["ORG_SETTINGS_MANAGER"]}`, Events: []string{"org.member.added"}},
	} {
		s.Run(t, c)
	}
}

// TestConsolePeople is a day of an administrator who looks after people: somebody new,
// somebody invited, one locked, one made an owner, and a machine with its key.
func TestConsolePeople(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	w.open(t, s.Expand("/ui/console/orgs/$org/users"))
	w.sees(t, "Ann Lee")
	w.press(t, "New person")
	w.fill(t, "human.profile.given_name", "Bea")
	w.fill(t, "human.profile.family_name", "Bell")
	w.fill(t, "human.email.email", "bea@example.com")
	w.fill(t, "human.password.password", "short")
	w.sees(t, "No mail server is set up")
	w.press(t, "Create")
	w.sees(t, "password")
	w.fill(t, "human.password.password", "Bells-ring-8")
	w.press(t, "Create")
	w.sees(t, "This is shown once")
	w.press(t, "I have it")
	w.sees(t, "Has to be changed")

	w.open(t, s.Expand("/ui/console/orgs/$org/users"))
	w.press(t, "Invite a person")
	w.fill(t, "human.profile.given_name", "Cyd")
	w.fill(t, "human.profile.family_name", "Cole")
	w.fill(t, "human.email.email", "cyd@example.com")
	w.sees(t, "The invitation")
	w.press(t, "Invite")
	w.sees(t, "/ui/login/user/invite")
	invitation := w.text(t, "main code")
	w.press(t, "I have it")
	w.sees(t, "Not begun")
	w.press(t, "History")
	w.sees(t, "Invited")

	w.open(t, s.Expand("/ui/console/orgs/$org/users?q=bea"))
	w.press(t, "Bea Bell")
	w.press(t, "Lock")
	w.sees(t, "until they are unlocked")
	w.press(t, "Lock")
	w.sees(t, "The user is locked.")
	w.press(t, "Unlock")
	w.sees(t, "log in again as before")
	w.press(t, "Unlock")
	w.sees(t, "The user is unlocked.")

	w.dark(t)
	w.open(t, s.Expand("/ui/console/orgs/$org/administrators"))
	w.press(t, "Add an administrator")
	w.do(t, "look for bea", chromedp.SendKeys("main input[name=q]", "bea\r", chromedp.ByQuery))
	w.sees(t, "1 in all")
	w.press(t, "Bea Bell")
	w.sees(t, "May do everything in the organization.")
	w.tick(t, "Owner of the organization")
	w.press(t, "Add")
	w.sees(t, "Bea Bell")

	w.open(t, s.Expand("/ui/console/orgs/$org/users"))
	w.press(t, "New machine")
	w.fill(t, "username", "robot")
	w.fill(t, "machine.name", "Robot")
	w.press(t, "Create")
	w.sees(t, "Opaque")
	w.press(t, "Credentials")
	w.sees(t, "The safest way for a machine to log in.")
	w.press(t, "New key")
	w.sees(t, "Valid until")
	w.press(t, "Create")
	w.sees(t, ".json")
	w.downloads(t, ".json", `"keyId"`)
	w.press(t, "I have it")
	w.sees(t, "Personal access tokens")
	w.press(t, "History")
	w.sees(t, "Key added")

	// Several at once, one after the other, with what did not succeed.
	w.phone(t)
	w.open(t, s.Expand("/ui/console/orgs/$org/users?q=example.com"))
	w.sees(t, "3 in all")
	others := chromedp.Evaluate(`for (const box of document.querySelectorAll("[name=id]")) box.checked = box.ariaLabel !== "Ann Lee"`, nil)
	w.do(t, "choose the others", others)
	w.press(t, "Lock")
	w.sees(t, "until they are unlocked")
	w.press(t, "Lock")
	w.sees(t, "Done: 2.")
	w.do(t, "choose them again", others)
	w.press(t, "Lock")
	w.sees(t, "until they are unlocked")
	w.press(t, "Lock")
	w.sees(t, "Cyd Cole: ")
	w.open(t, s.Expand("/ui/console/orgs/$org/users?user-state=locked"))
	w.sees(t, "Bea Bell")
	w.do(t, "choose cyd", chromedp.Evaluate(`document.querySelector("[aria-label='Cyd Cole']").checked = true`, nil))
	w.press(t, "Unlock")
	w.sees(t, "Done: 1.")

	// The link of the invitation lets in who has it.
	address, err := url.Parse(invitation)
	if err != nil {
		t.Fatal(err)
	}
	w.open(t, address.RequestURI())
	w.fill(t, "password", "Coles-coal-8")
	w.fill(t, "repeat", "Coles-coal-8")
	w.press(t, "Go on")
	w.sees(t, "password is set")
}

// phone makes the window as wide as a phone is.
func (w *window) phone(t *testing.T) {
	t.Helper()
	w.do(t, "become narrow", emulation.SetDeviceMetricsOverride(390, 844, 1, true))
}

// downloads presses a link and waits until the file that it gives is there, which holds a
// text.
func (w *window) downloads(t *testing.T, link, text string) {
	t.Helper()
	folder, done := t.TempDir(), make(chan string, 1)
	chromedp.ListenTarget(w.ctx, func(event any) {
		if e, ok := event.(*cdpbrowser.EventDownloadProgress); ok && e.State == cdpbrowser.DownloadProgressStateCompleted {
			done <- e.GUID
		}
	})
	w.do(t, "allow downloads", cdpbrowser.SetDownloadBehavior(cdpbrowser.SetDownloadBehaviorBehaviorAllowAndName).WithDownloadPath(folder).WithEventsEnabled(true))
	w.press(t, link)
	select {
	case name := <-done:
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !strings.Contains(string(data), text) {
			t.Errorf("the file holds %q: %v", data, err)
		}
	case <-time.After(patience):
		t.Fatal("no file came")
	}
}

// tick chooses the box whose label says a text.
func (w *window) tick(t *testing.T, text string) {
	t.Helper()
	it := fmt.Sprintf("//main//label[contains(normalize-space(.), %q)]", text)
	w.do(t, "tick "+text, chromedp.WaitVisible(it, chromedp.BySearch), chromedp.Click(it, chromedp.BySearch))
}

// fillIn opens a page of the console, fills in its form over what it shows, and sends it.
func (b *browser) fillIn(t *testing.T, path string, values ...string) page {
	t.Helper()
	p := b.open(t, b.s.Expand(path))
	_, form, found := strings.Cut(p.body, `<form method="post" class="card">`)
	if !found {
		t.Fatalf("%s has no form (%d):\n%s", path, p.status, p.body)
	}
	form, _, _ = strings.Cut(form, "</form>")
	filled := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="([^"]*)" name="([^"]*)" value="([^"]*)"([^>]*)>`).FindAllStringSubmatch(form, -1) {
		if m[1] != "checkbox" || strings.Contains(m[4], "checked") {
			filled.Add(m[2], html.UnescapeString(m[3]))
		}
	}
	for _, m := range regexp.MustCompile(`(?s)<select name="([^"]*)".*?</select>`).FindAllStringSubmatch(form, -1) {
		chosen := regexp.MustCompile(`<option value="([^"]*)" selected>`).FindStringSubmatch(m[0])
		if chosen == nil {
			chosen = regexp.MustCompile(`<option value="([^"]*)"`).FindStringSubmatch(m[0])
		}
		filled.Set(m[1], chosen[1])
	}
	for _, m := range regexp.MustCompile(`(?s)<textarea name="([^"]*)"[^>]*>(.*?)</textarea>`).FindAllStringSubmatch(form, -1) {
		filled.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i+1 < len(values); i += 2 {
		filled.Set(values[i], values[i+1])
	}
	return b.do(t, http.MethodPost, b.s.URL+b.s.Expand(path), filled)
}

// TestConsolePeopleForms sends the forms about people, most as they are shown: what they
// show is what they take, and each leads to a page that says what was done.
func TestConsolePeopleForms(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t, annAdministers)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	const once, saved = "This is shown once", "Saved."
	const org, bea, robot = "/ui/console/orgs/$org", "/ui/console/orgs/$org/users/$bea", "/ui/console/orgs/$org/users/$robot"
	s.Run(t, testkit.Call{Name: "grants", Do: "POST /zitadel.authorization.v2.AuthorizationService/ListAuthorizations", Body: `{}`, Keep: map[string]string{"grant": "authorizations.0.id"}})
	for _, c := range []struct {
		path   string
		values []string
		says   string
	}{
		{bea + "/profile", nil, "like this already"},
		{bea + "/profile", []string{"nick_name", "Bee"}, ">Bee<"},
		{bea + "/profile", []string{"nick_name", ""}, saved},
		{bea + "/profile", []string{"first_name", ""}, "Given name needs"},
		{bea + "/username", []string{"username", "beabell"}, ">beabell<"},
		{bea + "/email", nil, "like this already"},
		{bea + "/email", []string{"email", "a@example.com"}, once},
		{bea + "/email", []string{"verification", "is_verified", "email", "a@example.com"}, saved},
		{bea + "/email", []string{"verification", "is_verified", "email", "b@example.com"}, saved},
		{bea + "/email/code", nil, "verified"},
		{bea + "/phone", []string{"verification", "return_code", "phone", "+41791234568"}, once},
		{bea + "/phone/code", []string{"verification", "return_code"}, once},
		{bea + "/phone/verify", []string{"verification_code", "0"}, "code"},
		{bea + "/phone/remove", nil, "It is removed."},
		{bea + "/password", []string{"new_password.password", "Bells-ring-9"}, saved},
		{bea + "/password/reset", nil, once},
		{bea + "/passkey-link", nil, once},
		{bea + "/invite", nil, "can log in already"},
		{bea + "/factors/totp/remove", nil, "No factor is set up."},
		{bea + "/metadata/set?key=staff", nil, saved},
		{bea + "/metadata/set", []string{"key", "desk", "value", "7"}, ">desk<"},
		{bea + "/sessions/end", nil, "All sessions are ended."},
		{bea + "/deactivate", nil, "The user is inactive."},
		{bea + "/reactivate", nil, "The user is active again."},
		{bea + "/roles/$grant", nil, saved},
		{bea + "/roles/$grant/deactivate", nil, "It is inactive now."},
		{org + "/authorizations/$grant/activate", nil, "It is active again."},
		{org + "/authorizations/$grant/remove", nil, "It is removed."},
		{bea + "/roles-new/$tower", []string{"role_keys", "ringer"}, "Added."},
		{org + "/administrators/$bea", nil, saved},
		{org + "/administrators/$bea/remove", nil, "It is removed."},
		{org + "/projects/$tower/administrators/$bea", []string{"roles", "PROJECT_OWNER"}, "Owner of the project"},
		{org + "/projects/$tower/administrators/$bea/remove", nil, "It is removed."},
		{org + "/projects/$tower/administrators-new/$robot", []string{"roles", "PROJECT_OWNER_VIEWER"}, "Viewer of the project"},
		{org + "/projects/$tower/grants/$acme/administrators/$bea", []string{"roles", "PROJECT_GRANT_OWNER_VIEWER"}, "Viewer of the granted project"},
		{org + "/projects/$tower/grants/$acme/administrators/$bea/remove", nil, "It is removed."},
		{org + "/projects/$tower/grants/$acme/administrators-new/$robot", []string{"roles", "PROJECT_GRANT_OWNER"}, "Owner of the granted project"},
		{org + "/metadata/set?key=customer", []string{"value", "43"}, ">43<"},
		{org + "/metadata/set", []string{"key", "desk", "value", "7"}, ">desk<"},
		{"/ui/console/administrators-new/$bea", []string{"roles", "IAM_USER_MANAGER"}, "Manager of users"},
		{org + "/groups/$ringers/edit", []string{"description", "Who rings"}, "Who rings"},
		{org + "/groups/$ringers/edit", []string{"description", strings.Repeat("x", 201)}, "Description has more than 200 characters"},
		{org + "/groups/$ringers/edit", []string{"description", ""}, "Saved."},
		{org + "/groups/$ringers/remove", nil, "It is removed."},
		{org + "/groups-new", []string{"name", "Tower"}, "It is there now."},
		{robot + "/machine", []string{"machine.description", "rings"}, ">rings<"},
		{robot + "/machine", []string{"machine.description", ""}, saved},
		{robot + "/credentials/token", []string{"expiration_date", "2000-01-01T00:00"}, "has passed already"},
		{robot + "/credentials/token", nil, once},
		{robot + "/credentials/key", nil, "data:application/octet-stream;base64,"},
		{robot + "/credentials/key", []string{"expiration_date", ""}, "Valid until (UTC)"},
		{robot + "/credentials/key", []string{"public_key", "none"}, "public key"},
		{robot + "/credentials/secret", nil, ">robot<"},
		{robot + "/credentials/secret/remove", nil, "There is no secret."},
		{org + "/users-new", []string{"human.profile.given_name", "Di", "human.profile.family_name", "Dow", "human.email.email", "di@example.com", "human.email.verification", "is_verified"}, "It is there now."},
		{org + "/users-new", []string{"human.profile.given_name", "Di", "human.profile.family_name", "Dow", "human.email.email", "di@example.com"}, "exists"},
		{org + "/users-invite", []string{"human.profile.given_name", "Ed", "human.profile.family_name", "Ely", "human.email.email", "ed@example.com", "human.email.verification", "send_code"}, "The invitation is made."},
		{bea + "/remove", nil, "It is removed."},
	} {
		if p := b.fillIn(t, c.path, c.values...); !strings.Contains(p.body, c.says) {
			t.Errorf("%s %q leads to %s (%d), which does not say %q:\n%s", c.path, c.values, p.url, p.status, c.says, p.body)
		}
	}

	// Where mail goes out, links go by mail.
	s.Run(t,
		testkit.Call{Name: "mail", Do: "POST /admin/v1/smtp", Body: `{"senderAddress":"id@example.com","senderName":"Acme","host":"mail.example.com:25"}`, Keep: map[string]string{"smtp": "id"}, Events: []string{"instance.smtp.config.added"}},
		testkit.Call{Name: "goes out", Do: "POST /admin/v1/smtp/$smtp/_activate", Body: `{}`, Events: []string{"instance.smtp.config.activated"}},
	)
	if p := b.open(t, s.Expand(org+"/users-invite")); !strings.Contains(p.body, `value="send_code" selected`) || strings.Contains(p.body, "No mail server") {
		t.Errorf("the invitation does not go by mail:\n%s", p.body)
	}
	if p := b.fillIn(t, org+"/users-invite", "human.profile.given_name", "Flo", "human.profile.family_name", "Fox", "human.email.email", "flo@example.com"); strings.Contains(p.body, once) || !strings.Contains(p.body, "Flo Fox") {
		t.Errorf("the invitation is shown: %s\n%s", p.url, p.body)
	}
}

// TestConsoleBulk acts on several users without a script: it asks first, then does it, and
// says what did not succeed.
func TestConsoleBulk(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t, testkit.Call{Name: "ann administers", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ann","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}})
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	post := func(says string, values ...string) {
		t.Helper()
		form := url.Values{"id": {s.Expand("$bea"), s.Expand("$robot")}}
		for i := 0; i+1 < len(values); i += 2 {
			form.Set(values[i], values[i+1])
		}
		if p := b.do(t, http.MethodPost, s.Expand(s.URL+"/ui/console/orgs/$org/users?type="), form); !strings.Contains(p.body, says) {
			t.Errorf("%q leads to %s (%d), which does not say %q:\n%s", values, p.url, p.status, says, p.body)
		}
	}
	post("<li>Robot<input", "do", "lock")
	post("Done: 2.", "do", "lock", "sure", "true")
	post("0 of 2 are done.", "do", "lock", "sure", "true")
	post("Robot: The user is not active.", "do", "lock", "sure", "true")
	post("Done: 2.", "do", "unlock")
	post("<h1>Users</h1>", "do", "explode")
	post("Done: 2.", "do", "remove", "sure", "true")
}

// TestConsoleGrantedRoles: an owner of an organization gives the roles that another one
// granted, and no others.
func TestConsoleGrantedRoles(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t,
		testkit.Call{Name: "ann administers", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ann","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}},
		testkit.Call{Name: "acme", Do: "POST /v2/organizations/_search", Body: `{"queries":[{"nameQuery":{"name":"Acme"}}]}`, Keep: map[string]string{"acme": "result.0.id"}},
		testkit.Call{Name: "shop", In: "$acme", Do: "POST /management/v1/projects", Body: `{"name":"Shop"}`, Keep: map[string]string{"shop": "id"}, Events: []string{"project.added", "project.member.added"}},
		testkit.Call{Name: "clerk", In: "$acme", Do: "POST /management/v1/projects/$shop/roles", Body: `{"roleKey":"clerk","displayName":"Clerk"}`, Events: []string{"project.role.added"}},
		testkit.Call{Name: "boss", In: "$acme", Do: "POST /management/v1/projects/$shop/roles", Body: `{"roleKey":"boss","displayName":"Boss"}`, Events: []string{"project.role.added"}},
		testkit.Call{Name: "grant", In: "$acme", Do: "POST /management/v1/projects/$shop/grants", Body: `{"grantedOrgId":"$org","roleKeys":["clerk"]}`, Events: []string{"project.grant.added"}},
	)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	if p := b.open(t, s.Expand("/ui/console/orgs/$org/granted")); !strings.Contains(p.body, "Shop") || strings.Contains(p.body, "Tower") {
		t.Errorf("it lists other projects than the one that is granted:\n%s", p.body)
	}
	const granted = "/ui/console/orgs/$org/granted/$shop/administrators"
	if p := b.fillIn(t, granted+"-new/$bea", "roles", "PROJECT_GRANT_OWNER"); !strings.Contains(p.body, "Owner of the granted project") {
		t.Errorf("nobody may administer what is granted: %s\n%s", p.url, p.body)
	}
	if p := b.open(t, s.Expand("/ui/console/orgs/$org/granted/$tower/administrators")); p.status != http.StatusNotFound {
		t.Errorf("a project that is not granted: %d", p.status)
	}
	const roles = "/ui/console/orgs/$org/users/$bea/roles"
	if p := b.open(t, s.Expand(roles+"-new")); !strings.Contains(p.body, "Shop") || !strings.Contains(p.body, "Tower") {
		t.Errorf("it does not offer the project that is granted, and one's own:\n%s", p.body)
	}
	if p := b.open(t, s.Expand(roles+"-new/$shop")); !strings.Contains(p.body, `value="clerk"`) || strings.Contains(p.body, `value="boss"`) {
		t.Errorf("it offers other roles than the one that is granted:\n%s", p.body)
	}
	if p := b.fillIn(t, roles+"-new/$shop", "role_keys", "clerk"); !strings.Contains(p.body, "Added.") {
		t.Errorf("the role is not given: %s\n%s", p.url, p.body)
	}
}
