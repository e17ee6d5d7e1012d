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

// shopper is a browser that comes from the shop.
func shopper(t *testing.T, s *testkit.Server) *browser {
	t.Helper()
	b := newBrowser(t, s)
	b.staysHere()
	return b
}

// setPassword follows the newest mail to an address and sets a password.
func setPassword(t *testing.T, b *browser, box *notify.Mailbox, email string) page {
	t.Helper()
	b.s.Settle(t)
	p := follow(t, b, box, email)
	return b.submit(t, p, strings.TrimPrefix(p.path, "/ui/login/"), "password", annsPassword, "repeat", annsPassword)
}

// knowsNobody fails where a browser holds somebody's session.
func (b *browser) knowsNobody(t *testing.T) {
	t.Helper()
	b.open(t, "/ui/login/login").at(t, "login")
}

// TestRegisterReturns: who comes from an application and registers, or sets another password,
// is led back to it by the link of the mail, in the browser in which they began.
func TestRegisterReturns(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	addShop(t, o.Server)
	addAnn(t, o.Server)
	b := shopper(t, o.Server)
	p := b.submit(t, b.authorize(t, "prompt", "create").at(t, "register"), "register", "givenName", "Eve", "familyName", "Lee", "email", "eve@example.com")
	p.at(t, "register", "is on its way", "Look into your mail")
	for _, c := range (&http.Response{Header: p.header}).Cookies() {
		if c.Name == "gatehouse-begun" && (!c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/") {
			t.Errorf("the cookie is %s", c)
		}
	}
	o.Settle(t)
	if link := inBox(t, box, "eve@example.com")[0].URL; strings.Contains(link, "authRequest") || strings.Contains(link, "V2_") {
		t.Errorf("the mail knows of the request: %s", link)
	}
	p = follow(t, b, box, "eve@example.com").at(t, "user/init")
	if csp := p.header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "form-action 'self' https://shop.example") {
		t.Errorf("the form may lead to: %s", csp)
	}
	b.submit(t, p, "user/init", "password", annsPassword, "repeat", "another").at(t, "user/init", "The two passwords are not the same.")
	p = b.submit(t, p, "user/init", "password", annsPassword, "repeat", annsPassword).at(t, "enrol", "eve@example.com")
	b.submit(t, p, "enrol/skip").back(t)

	b = shopper(t, o.Server)
	p = b.open(t, strings.Replace(b.authorize(t).at(t, "login", "I have no account yet").url.RequestURI(), "/login?", "/register?", 1))
	b.submit(t, p, "register", "givenName", "Kim", "familyName", "Lee", "email", "ann@example.com")
	p = setPassword(t, b, box, "ann@example.com").at(t, "enrol", "ann")
	b.submit(t, p, "enrol/skip").back(t)

	b = shopper(t, o.Server)
	p = b.open(t, strings.Replace(b.authorize(t).url.RequestURI(), "/login?", "/password/forgotten?", 1))
	b.submit(t, p, "password/forgotten", "loginName", "ann").at(t, "password/forgotten", "Look into your mail")
	setPassword(t, b, box, "ann@example.com").back(t)
}

// TestRegisterElsewhere: a link that is opened in another browser goes on with nothing. The
// person is told to go back, and finds what they began.
func TestRegisterElsewhere(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	addShop(t, o.Server)
	b, phone := shopper(t, o.Server), shopper(t, o.Server)
	waits := b.submit(t, b.authorize(t, "prompt", "create"), "register", "givenName", "Eve", "familyName", "Lee", "email", "eve@example.com")
	request := waits.url.Query().Get("authRequest")
	o.Settle(t)
	letter := inBox(t, box, "eve@example.com")[0]
	u, err := url.Parse(letter.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("authRequest", b.authorize(t).url.Query().Get("authRequest")) // As who sends a link could.
	p := phone.open(t, u.Path+"?"+q.Encode()).at(t, "user/init")
	if strings.Contains(p.header.Get("Content-Security-Policy"), "shop.example") || strings.Contains(p.body, "authRequest") {
		t.Errorf("the link brought a request along:\n%s", p.body)
	}
	p = phone.submit(t, p, "user/init", "password", annsPassword, "repeat", annsPassword).at(t, "user/init", "Your password is set", "You began in another browser")
	if strings.Contains(p.body, "V2_") || strings.Contains(p.body, request) && request != "" {
		t.Errorf("the page knows of the request:\n%s", p.body)
	}
	phone.knowsNobody(t)
	b.knowsNobody(t)

	p = b.open(t, "/ui/login/login?"+formOf(t, waits).Encode()).at(t, "login", `value="eve@example.com"`)
	p = b.submit(t, p, "login", "loginName", "eve@example.com").at(t, "password")
	b.submit(t, b.submit(t, p, "password", "proof", annsPassword).at(t, "enrol"), "enrol/skip").back(t)
}

// formOf is what the form of a page sends, without a person.
func formOf(t *testing.T, p page) url.Values {
	t.Helper()
	out := url.Values{}
	for _, field := range fieldRE.FindAllStringSubmatch(p.body, -1) {
		out.Set(field[1], field[2])
	}
	if out.Get("authRequest") == "" {
		t.Fatalf("%s does not lead back:\n%s", p.path, p.body)
	}
	return out
}

// TestRegisterStrangersLink: who opens the link of somebody else in the browser in which they
// began themselves is not logged in as them, and what they began stays theirs.
func TestRegisterStrangersLink(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	addShop(t, o.Server)
	b, mallory := shopper(t, o.Server), shopper(t, o.Server)
	mallory.submit(t, mallory.authorize(t, "prompt", "create"), "register", "givenName", "Mallory", "familyName", "Lee", "email", "mallory@example.com")
	b.submit(t, b.authorize(t, "prompt", "create"), "register", "givenName", "Eve", "familyName", "Lee", "email", "eve@example.com")
	setPassword(t, b, box, "mallory@example.com").at(t, "user/init", "You began in another browser")
	b.knowsNobody(t)
	mallory.knowsNobody(t)
	p := setPassword(t, b, box, "eve@example.com").at(t, "enrol", "eve@example.com")
	b.submit(t, p, "enrol/skip").back(t)

	// An invitation was begun in no browser, so that its link goes on with nothing.
	o.Run(t,
		testkit.Call{
			Name: "somebody new", Do: "POST /v2/users/human", Keep: map[string]string{"bob": "userId"}, Events: []string{"user.human.added", "user.human.email.code.added"},
			Body: `{"username":"bob","profile":{"givenName":"Bob","familyName":"Lee"},"email":{"email":"bob@example.com","returnCode":{}}}`,
		},
		testkit.Call{Name: "invite", Do: "POST /v2/users/$bob/invite_code", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "inviteCode"}, Events: []string{"user.human.invite.code.added"}},
	)
	b = shopper(t, o.Server)
	b.submit(t, b.authorize(t, "prompt", "create"), "register", "givenName", "Eve", "familyName", "Lee", "email", "eva@example.com")
	p = b.open(t, "/ui/login/user/invite?"+url.Values{"userID": {o.Var("bob")}, "orgID": {o.OrgID}, "code": {o.Var("code")}}.Encode())
	p = b.submit(t, p, "user/invite", "password", annsPassword, "repeat", annsPassword).at(t, "user/invite", "Your password is set")
	if strings.Contains(p.body, "You began") {
		t.Errorf("the page says:\n%s", p.body)
	}
	b.knowsNobody(t)
}

// TestRegisterLate: an application waits for an hour. Who comes later has a password, and is
// told to begin at the application anew.
func TestRegisterLate(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	addShop(t, o.Server)
	b := shopper(t, o.Server)
	b.submit(t, b.authorize(t, "prompt", "create"), "register", "givenName", "Eve", "familyName", "Lee", "email", "eve@example.com")
	o.Settle(t)
	o.Clock.Advance(2 * time.Hour)
	setPassword(t, b, box, "eve@example.com").at(t, "user/init", "Your password is set", "did not wait so long")
	p := b.submit(t, b.authorize(t).at(t, "login"), "login", "loginName", "eve@example.com").at(t, "password")
	b.submit(t, b.submit(t, p, "password", "proof", annsPassword).at(t, "enrol"), "enrol/skip").back(t)

	b = shopper(t, o.Server)
	b.submit(t, b.authorize(t, "prompt", "create"), "register", "givenName", "Kim", "familyName", "Lee", "email", "kim@example.com")
	o.Settle(t)
	o.Clock.Advance(25 * time.Hour)
	setPassword(t, b, box, "kim@example.com").at(t, "user/init", "Your password is set")
	b.knowsNobody(t)
}
