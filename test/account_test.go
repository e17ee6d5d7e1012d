package test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// atAccount logs ann in and opens a page of her account.
func (b *browser) atAccount(t *testing.T) page {
	t.Helper()
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	p := b.open(t, "/ui/account/")
	if p.path != "/ui/account/" {
		t.Fatalf("the page is %s (%d):\n%s", p.path, p.status, p.body)
	}
	return p
}

// TestAccountPages opens every page that the account page leads to, in both languages.
func TestAccountPages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t,
		testkit.Call{Name: "recovery codes count", Do: "POST /admin/v1/policies/login/second_factors", Body: `{"type":"SECOND_FACTOR_TYPE_RECOVERY_CODES"}`, Events: []string{"instance.policy.login.secondfactor.added"}},
		testkit.Call{Name: "ann manages herself", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ann","roles":["ORG_USER_SELF_MANAGER"]}`, Events: []string{"org.member.added"}},
		testkit.Call{Name: "ann has a phone", Do: "POST /v2/users/$ann/phone", Body: `{"phone":"+41791234567","isVerified":true}`, Events: []string{"user.human.phone.changed", "user.human.phone.verified"}},
	)
	for _, language := range []string{"en", "de"} {
		w := &walker{browser: newBrowser(t, s), prefix: "/ui/account/", seen: map[string]bool{}}
		w.header.Set("Accept-Language", language)
		w.atAccount(t)
		w.walk(t, "/ui/account/", "the login")
		if len(w.pages) < 12 {
			t.Errorf("there are %d pages only: %v", len(w.pages), w.pages)
		}
	}
	if got := newBrowser(t, s).open(t, "/ui/account/none"); got.path != "/ui/login/login" || got.status != http.StatusOK {
		t.Errorf("who is not logged in comes to %s (%d)", got.path, got.status)
	}
	b := newBrowser(t, s)
	b.atAccount(t)
	if got := b.open(t, "/ui/account/none"); got.status != http.StatusNotFound || !strings.Contains(got.body, "There is no page") {
		t.Errorf("a page that is not there: %d\n%s", got.status, got.body)
	}
}

// change posts values to a page of the account.
func (b *browser) change(t *testing.T, path string, values ...string) page {
	t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return b.do(t, http.MethodPost, b.s.URL+"/ui/account/"+path, form)
}

// says fails unless the page has a status and says all of texts.
func (p page) says(t *testing.T, status int, texts ...string) page {
	t.Helper()
	if p.status != status {
		t.Errorf("%s: status %d, want %d:\n%s", p.path, p.status, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("%s does not say %q:\n%s", p.path, text, p.body)
		}
	}
	return p
}

// TestAccountProfile changes a profile: the pages are in the language that is preferred then,
// and what was typed stays where it is refused.
func TestAccountProfile(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	b.atAccount(t)
	b.change(t, "profile", "first", "Anna", "last", "Lee", "language", "de", "gender", "1").says(t, http.StatusOK, "Gespeichert.", `lang="de"`, "Anna")
	b.change(t, "profile", "first", "Anna", "last", strings.Repeat("x", 300), "language", "en", "nick", "Annie").says(t, http.StatusUnprocessableEntity, `role="alert"`, `value="Annie"`)
	b.change(t, "profile", "first", "Anna", "last", "Lee", "language", "en", "gender", "17").says(t, http.StatusUnprocessableEntity, "angebotenen")
	b.change(t, "profile/name", "userName", "").says(t, http.StatusUnprocessableEntity, `role="alert"`)
	b.change(t, "profile/name", "userName", "anna").says(t, http.StatusOK, "Gespeichert.", `value="anna"`)
	b.open(t, "/ui/account/").says(t, http.StatusOK, "Guten Tag, Anna Lee", "anna")
}

// TestAccountContact changes an address, and proves it by the code that is sent there.
func TestAccountContact(t *testing.T) {
	t.Parallel()
	p, box := developer(t)
	addAnn(t, p.Server)
	b := newBrowser(t, p.Server)
	b.atAccount(t)
	b.change(t, "contact/email", "email", "nowhere").says(t, http.StatusUnprocessableEntity, `role="alert"`, `value="nowhere"`)
	b.change(t, "contact/email", "email", "anna@example.com").says(t, http.StatusOK, "A code is on its way.", "Not verified")
	p.Settle(t) // The second code is to be the newest mail.
	b.change(t, "contact/email/verify", "emailCode", "wrong").says(t, http.StatusUnprocessableEntity, `role="alert"`, `value="wrong"`)
	b.change(t, "contact/email/resend").says(t, http.StatusOK, "A code is on its way.")
	p.Settle(t)
	b.change(t, "contact/email/verify", "emailCode", inBox(t, box, "anna@example.com")[0].Code).says(t, http.StatusOK, "Verified.")
	b.change(t, "contact/phone", "phone", "+41791234567").says(t, http.StatusOK, "A code is on its way.", "Not verified")
	p.Settle(t)
	b.change(t, "contact/phone/verify", "phoneCode", inBox(t, box, "+41791234567")[0].Code).says(t, http.StatusOK, "Verified.")
	b.open(t, "/ui/account/contact/phone/remove").says(t, http.StatusOK, "41791234567", "cannot reach you any more")
	if got := b.change(t, "contact/phone/remove").says(t, http.StatusOK, "It is removed."); strings.Contains(got.body, "41791234567") {
		t.Error("the number is still there")
	}
}

// TestAccountFactorEnds: what the login policy does not list any more is marked as such, and
// can only be removed.
func TestAccountFactorEnds(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t, testkit.Call{Name: "codes by mail count", Do: "POST /admin/v1/policies/login/second_factors", Body: `{"type":"SECOND_FACTOR_TYPE_OTP_EMAIL"}`, Events: []string{"instance.policy.login.secondfactor.added"}})
	b := newBrowser(t, s)
	b.atAccount(t)
	b.change(t, "security/passkey/new").says(t, http.StatusOK, "data-given=")
	b.change(t, "security/passkey", "credential", "{}", "name", "Laptop").says(t, http.StatusUnprocessableEntity, `role="alert"`, `value="Laptop"`, "data-given=")
	b.change(t, "security/otp-email").at(t, "otp-email") // It is to be proved at once.
	s.Run(t, testkit.Call{Name: "no more", Do: "DELETE /admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_OTP_EMAIL", Events: []string{"instance.policy.login.secondfactor.removed"}})
	got := b.open(t, "/ui/account/security").says(t, http.StatusOK, "Does not count here any more", "/ui/account/security/otp-email/remove")
	if strings.Contains(got.body, `action="/ui/account/security/otp-email"`) {
		t.Errorf("what does not count can be set up:\n%s", got.body)
	}
	b.change(t, "security/otp-email/remove").says(t, http.StatusOK, "It is removed.")
	b.change(t, "security/otp-email").says(t, http.StatusUnprocessableEntity, `role="alert"`)
}

// TestAccountOthers tries what belongs to somebody else, as one who may do that elsewhere:
// on the account page it is not there.
func TestAccountOthers(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	if got := web.redeem(t, web.code(t)); got.Refresh == "" {
		t.Fatalf("%+v", got)
	}
	addAnn(t, s)
	s.Run(t,
		annAdministers,
		testkit.Call{Name: "ada has an application", As: "login", Do: "POST /auth/v1/users/me/tokens/refresh/_search", Keep: map[string]string{"token": "result.0.id"}},
		testkit.Call{Name: "and a key", Do: "POST /v2/users/$ada/u2f", Keep: map[string]string{"key": "u2fId"}, Events: []string{"user.human.mfa.u2f.token.added"}},
	)
	b := newBrowser(t, s)
	b.client.CheckRedirect = nil
	b.atAccount(t)
	before := len(s.Events(t))
	for _, path := range []string{
		"sessions/end/$login", "sessions/applications/revoke/$token", "security/u2f/remove/$key", "security/passkey/remove/$key", "access/links/remove/1/ada@elsewhere",
		"sessions/end/1", "sessions/applications/revoke/1", "security/u2f/remove/1",
	} {
		b.change(t, s.Expand(path)).says(t, http.StatusNotFound)
	}
	for _, path := range []string{"sessions/applications/revoke/$token", "security/u2f/remove/$key", "access/links/remove/1/ada@elsewhere"} {
		b.open(t, "/ui/account/"+s.Expand(path)).says(t, http.StatusNotFound)
	}
	if after := s.Events(t); len(after) != before {
		t.Errorf("events %v", after[before:])
	}
}

// TestAccountAccess: somebody sees what they may do and where they are logged in, and ends what
// they want to.
func TestAccountAccess(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	addAnn(t, s)
	first, second := web.redeem(t, web.code(t)), web.redeem(t, web.code(t))
	s.Run(t,
		testkit.Call{Name: "a role", Do: "POST /management/v1/projects/$project/roles", Body: `{"roleKey":"cashier","displayName":"Cashier"}`, Events: []string{"project.role.added"}},
		testkit.Call{Name: "a grant", Do: "POST /management/v1/users/$ada/grants", Body: `{"projectId":"$project","roleKeys":["cashier"]}`, Events: []string{"user.grant.added"}},
		listIDP("159/a"),
		testkit.Call{Name: "an account elsewhere", Do: "POST /v2/users/$ada/links", Body: `{"idpLink":{"idpId":"159/a","userId":"a/1?x","userName":"ada@acme"}}`, Events: []string{linkAdded}},
	)
	b := newBrowser(t, s)
	b.client.CheckRedirect = nil
	b.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	p := b.submit(t, b.open(t, "/ui/login/login"), "login", "loginName", "ada")
	b.submit(t, p, "password", "proof", password)

	sessions := b.open(t, "/ui/account/sessions").says(t, http.StatusOK, "Firefox · Linux", "Shop", "<strong>web</strong>")
	apps := regexp.MustCompile(`/ui/account/(sessions/applications/revoke/\d+)`).FindAllStringSubmatch(sessions.body, -1)
	if len(apps) != 2 {
		t.Fatalf("%d applications:\n%s", len(apps), sessions.body)
	}
	b.open(t, "/ui/account/"+apps[0][1]).says(t, http.StatusOK, "web")
	b.change(t, apps[0][1]).says(t, http.StatusOK, "Die Anwendung ist abgemeldet.")
	if web.active(t, first.Access) == web.active(t, second.Access) {
		t.Error("not one of two logins has ended")
	}
	b.change(t, "sessions/applications/revoke-all").says(t, http.StatusOK, "Keine Anwendung bleibt")
	b.change(t, "sessions/end/"+s.Var("login")).says(t, http.StatusOK, "Die Sitzung ist beendet.")

	access := b.open(t, "/ui/account/access").says(t, http.StatusOK, "Shop", "cashier", "ada@acme")
	remove := regexp.MustCompile(`/ui/account/(access/links/remove/[^"]+)`).FindStringSubmatch(access.body)[1]
	b.open(t, "/ui/account/"+remove).says(t, http.StatusOK, "ada@acme", "nicht mehr mit diesem Konto")
	b.change(t, remove).says(t, http.StatusOK, "Kein anderes Konto")
}

// TestAccountElsewhere: no page elsewhere makes anybody do something to their account.
func TestAccountElsewhere(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	b.atAccount(t)
	before := len(s.Events(t))
	b.header.Set("Origin", "https://evil.example")
	for _, p := range pagesOfAccount {
		got := b.change(t, p, "email", "eve@example.com", "first", "Eve", "last", "Eve", "userName", "eve").says(t, http.StatusForbidden)
		if got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", p, got.header)
		}
	}
	if after := s.Events(t); len(after) != before {
		t.Errorf("events %v", after[before:])
	}
}

// pagesOfAccount are some that change something.
var pagesOfAccount = []string{"profile", "profile/name", "contact/email", "security/totp/new", "security/passkey/new", "security/recovery", "sessions/end-others", "data/export", "data/remove"}

// TestAccountData gives a person what is known about them, and lets them go where their
// role does.
func TestAccountData(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	b.atAccount(t)
	got := b.change(t, "data/export").says(t, http.StatusOK, "ann@example.com", "user.human.added", "127.0.0.1")
	for name, want := range map[string]string{"Content-Type": "application/json", "Content-Disposition": `attachment; filename="account.json"`, "Cache-Control": "no-store"} {
		if has := got.header.Get(name); has != want {
			t.Errorf("%s is %q, want %q", name, has, want)
		}
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(got.body), &parts); err != nil || len(parts) != 11 {
		t.Errorf("%d parts, %v", len(parts), err)
	}
	if secret := regexp.MustCompile(`\$argon2|\$2[aby]\$|sessionToken`).FindString(got.body); secret != "" {
		t.Errorf("the file holds a secret: %s", secret)
	}

	if strings.Contains(b.open(t, "/ui/account/").body, "/ui/console/") {
		t.Error("who administers nothing is led to the console")
	}
	b.open(t, "/ui/account/data/remove").says(t, http.StatusNotFound)
	b.change(t, "data/remove", "loginName", "ann").says(t, http.StatusNotFound)
	s.Run(t, testkit.Call{Name: "ann manages herself", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ann","roles":["ORG_USER_SELF_MANAGER"]}`, Events: []string{"org.member.added"}})
	if strings.Contains(b.open(t, "/ui/account/").body, "/ui/console/") {
		t.Error("who administers themselves only is led to the console")
	}
	b.open(t, "/ui/account/data").says(t, http.StatusOK, "/ui/account/data/remove")
	b.open(t, "/ui/account/data/remove").says(t, http.StatusOK, "Nobody can bring the account back")
	b.change(t, "data/remove", "loginName", "anne").says(t, http.StatusUnprocessableEntity, "Write your login name", `value="anne"`)
	b.change(t, "data/remove", "loginName", "ann").at(t, "login", "Login name")
	s.Run(t, testkit.Call{Name: "she is gone", Do: "GET /v2/users/$ann", Status: http.StatusNotFound})
}

// TestAccountWays: who chooses an account comes back to where they were, and one click ends
// the session of a page.
func TestAccountWays(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	b.atAccount(t)
	later := b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	b.submit(t, later, "enrol/skip").at(t, "done", "/ui/account/")
	choose := b.open(t, "/ui/login/account?next=%2Fui%2Faccount%2Fsecurity").at(t, "account", "ann")
	id := regexp.MustCompile(`name="session" value="(\d+)"`).FindStringSubmatch(choose.body)[1]
	if got := b.submit(t, choose, "account", "session", id); got.path != "/ui/account/security" {
		t.Errorf("the choice leads to %s", got.path)
	}
	home := b.open(t, "/ui/account/").says(t, http.StatusOK, "/ui/login/logout?session="+id)
	ask := b.open(t, "/ui/login/logout?session="+id).at(t, "logout")
	if n := strings.Count(ask.body, `name="session"`); n != 1 {
		t.Errorf("%d sessions are offered:\n%s", n, ask.body)
	}
	b.submit(t, ask, "logout", "session", id)
	if got := b.open(t, home.path); strings.Contains(got.body, id) {
		t.Errorf("the session goes on:\n%s", got.body)
	}
}
