package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/notify"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// registerAs fills in the page at a path.
func registerAs(t *testing.T, b *browser, path, email string, more ...string) page {
	t.Helper()
	return b.submit(t, b.open(t, "/ui/login/"+path).at(t, path), path, append([]string{"givenName", "Eve", "familyName", "Lee", "email", email}, more...)...)
}

// follow opens the newest link that an address got.
func follow(t *testing.T, b *browser, box *notify.Mailbox, email string) page {
	t.Helper()
	letters := inBox(t, box, email)
	if len(letters) == 0 {
		t.Fatalf("%s got no mail", email)
	}
	u, err := url.Parse(letters[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	return b.open(t, u.RequestURI())
}

// TestRegister: whoever may, makes an account by themselves and begins by the link of a mail;
// who has one is told how to get into it, and the page says the same.
func TestRegister(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	b := newBrowser(t, o.Server)
	addAnn(t, o.Server)
	b.open(t, "/ui/login/login").at(t, "login", "I have no account yet")
	registerAs(t, b, "register", "eve@example.com", "givenName", "").at(t, "register", `role="alert"`, `value="Lee"`)
	registerAs(t, b, "register", "Eve <eve@example.com>").at(t, "register", "An email address is like")
	before := len(o.Events(t))
	registerAs(t, b, "register", "eve@example.com").at(t, "register", "A mail to eve@example.com is on its way.")
	o.Settle(t)
	if got := o.Events(t)[before:]; len(got) == 0 || got[0] != "user.human.added" {
		t.Errorf("the events are %q", got)
	}
	p := follow(t, b, box, "eve@example.com").at(t, "user/init")
	p = b.submit(t, p, "user/init", "password", annsPassword, "repeat", annsPassword).at(t, "enrol", "eve@example.com")
	b.submit(t, p, "enrol/skip").at(t, "done")
	p = b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", "eve@example.com").at(t, "password")
	b.submit(t, p, "password", "proof", annsPassword).at(t, "done")

	before = len(o.Events(t))
	registerAs(t, b, "register", "ann@example.com").at(t, "register", "A mail to ann@example.com is on its way.")
	o.Settle(t)
	if got := o.Events(t)[before:]; len(got) == 0 || got[0] != "user.human.password.code.added" {
		t.Errorf("of who has an account, the events are %q", got)
	}
	follow(t, b, box, "ann@example.com").at(t, "password/init")
}

// TestRegisterLongNames: limits that are told in characters count characters.
func TestRegisterLongNames(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	b := newBrowser(t, o.Server)
	long := strings.Repeat("名", 200)
	registerAs(t, b, "register", "eve@example.com", "givenName", long, "familyName", long+"字").at(t, "register", "with 200 characters each at most")
	registerAs(t, b, "register", "eve@example.com", "givenName", long, "familyName", long).at(t, "register", "is on its way")
	registerAs(t, b, "register/org", "kim@example.com", "orgName", long+"字").at(t, "register/org", "with 200 characters at most")
	registerAs(t, b, "register/org", "kim@example.com", "orgName", long).at(t, "register/org", "is on its way")
	registerAs(t, b, "register", strings.Repeat("é", 95)+"@example.com").at(t, "register", "of 200 bytes at most")
	o.Settle(t)
	for _, email := range []string{"eve@example.com", "kim@example.com"} {
		follow(t, b, box, email).at(t, "user/init")
	}
}

// TestRegisterOrg makes an organization with its owner.
func TestRegisterOrg(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	b := newBrowser(t, o.Server)
	registerAs(t, b, "register/org", "eve@acme.example").at(t, "register/org", "Write the name of your organization")
	registerAs(t, b, "register/org", "eve@acme.example", "orgName", "Acme").at(t, "register/org", "is on its way")
	o.Settle(t)
	p := follow(t, b, box, "eve@acme.example").at(t, "user/init")
	b.submit(t, p, "user/init", "password", annsPassword, "repeat", annsPassword)
	p = b.submit(t, b.open(t, "/ui/login/login?new=true&next=%2Fui%2Fconsole%2F"), "login", "loginName", "eve@acme.example").at(t, "password")
	p = b.submit(t, b.submit(t, p, "password", "proof", annsPassword).at(t, "enrol"), "enrol/skip")
	if !strings.HasPrefix(p.path, "/ui/console/orgs/") || !strings.Contains(p.body, "<h1>Acme</h1>") {
		t.Errorf("the owner sees %s:\n%s", p.path, p.body)
	}
	o.Run(t, testkit.Call{Name: "no more", Do: "PUT /admin/v1/restrictions", Body: `{"disallowPublicOrgRegistration":true}`, Events: []string{"restrictions.set"}})
	if p := b.open(t, "/ui/login/register/org"); p.status != http.StatusBadRequest || !strings.Contains(p.body, "Nobody can register here") {
		t.Errorf("where organizations are not made: %d %s", p.status, p.body)
	}
	if p := b.open(t, "/ui/login/register"); strings.Contains(p.body, "register/org") {
		t.Error("the way to it is shown all the same")
	}
}

// TestRegisterBounds: where the policy lets nobody register, nobody does, terms are to be
// agreed to, and one address makes so many accounts and no more.
func TestRegisterBounds(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	b := newBrowser(t, o.Server)
	o.Run(t, testkit.Call{
		Name: "terms", Do: "PUT /admin/v1/policies/privacy", Body: `{"tosLink":"https://example.com/terms/{{.Lang}}"}`, Events: []string{"instance.policy.privacy.changed"},
	})
	registerAs(t, b, "register", "eve@example.com").at(t, "register", "Agree to the terms", "https://example.com/terms/en")
	registerAs(t, b, "register", "eve@example.com", "terms", "true").at(t, "register", "is on its way")
	for range 25 {
		registerAs(t, b, "register", "eve@example.com", "terms", "true")
	}
	if p := registerAs(t, b, "register", "mallory@example.com", "terms", "true"); p.status != http.StatusTooManyRequests || !strings.Contains(p.body, "too many registrations") {
		t.Errorf("one more: %d %s", p.status, p.body)
	}
	o.Settle(t)
	if n := len(inBox(t, box, "eve@example.com")); n == 0 || n > 20 {
		t.Errorf("eve got %d mails", n)
	}
	o.Clock.Advance(time.Hour)
	registerAs(t, b, "register", "mallory@example.com", "terms", "true").at(t, "register", "is on its way")
	o.Settle(t)
	page := b.open(t, "/ui/login/register").at(t, "register")
	o.Run(t, testkit.Call{
		Name: "nobody registers", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"},
		Body: `{"allowUsernamePassword":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","multiFactorCheckLifetime":"43200s"}`,
	})
	before := len(o.Events(t))
	b.submit(t, page, "register", "givenName", "Eve", "familyName", "Lee", "email", "late@example.com", "terms", "true").at(t, "register", "Nobody can register here")
	o.Settle(t)
	if got := o.Events(t)[before:]; len(got) != 0 {
		t.Errorf("who registers all the same: %q", got)
	}
	if p := b.open(t, "/ui/login/login?new=true"); strings.Contains(p.body, "I have no account yet") {
		t.Error("the way to it is shown all the same")
	}
}
