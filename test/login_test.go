package test

import (
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// browser opens pages and sends forms as browsers do, without a script.
type browser struct {
	s      *testkit.Server
	client *http.Client
	header http.Header // of every request
}

func newBrowser(t *testing.T, s *testkit.Server) *browser {
	t.Helper()
	cookies, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := *s.Client
	client.Jar = cookies
	return &browser{s: s, client: &client, header: http.Header{}}
}

// page is what a browser shows.
type page struct {
	status int
	path   string // below the origin, without query
	url    *url.URL
	header http.Header
	body   string
}

func (b *browser) do(t *testing.T, method, address string, form url.Values) page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = b.header.Clone()
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{res.StatusCode, res.Request.URL.Path, res.Request.URL, res.Header, string(body)}
}

func (b *browser) open(t *testing.T, path string) page {
	t.Helper()
	return b.do(t, http.MethodGet, b.s.URL+path, nil)
}

var (
	formRE  = regexp.MustCompile(`(?s)<form [^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	fieldRE = regexp.MustCompile(`<input (?:type="hidden" )?name="([^"]*)"[^>]*value="([^"]*)"`)
)

// submit fills in the form of the page that leads to a path below /ui/login/, and
// sends it.
func (b *browser) submit(t *testing.T, p page, path string, values ...string) page {
	t.Helper()
	for _, f := range formRE.FindAllStringSubmatch(p.body, -1) {
		if f[1] != "/ui/login/"+path {
			continue
		}
		form := url.Values{}
		for _, field := range fieldRE.FindAllStringSubmatch(f[2], -1) {
			form.Set(field[1], html.UnescapeString(field[2]))
		}
		for i := 0; i+1 < len(values); i += 2 {
			form.Set(values[i], values[i+1])
		}
		return b.do(t, http.MethodPost, b.s.URL+f[1], form)
	}
	t.Fatalf("%s has no form for %s:\n%s", p.path, path, p.body)
	return page{}
}

// at fails unless the page is the one at a path below /ui/login/ and says all of texts.
func (p page) at(t *testing.T, path string, texts ...string) page {
	t.Helper()
	if p.path != "/ui/login/"+path {
		t.Fatalf("the page is %s (%d), want %s:\n%s", p.path, p.status, path, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Fatalf("the page %s does not say %q:\n%s", p.path, text, p.body)
		}
	}
	return p
}

const annsPassword = "Quite-l0ng-and-odd"

// addAnn adds a human with a password and a proved address.
func addAnn(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Run(t,
		testkit.Call{
			Name: "add", Do: "POST /v2/users/human", Keep: map[string]string{"ann": "userId"}, Events: []string{"user.human.added", "user.human.email.verified"},
			Body: `{"username":"ann","profile":{"givenName":"Ann","familyName":"Lee"},"email":{"email":"ann@example.com","isVerified":true},"password":{"password":"` + annsPassword + `"}}`,
		},
	)
}

func (b *browser) toPassword(t *testing.T) page {
	t.Helper()
	p := b.submit(t, b.open(t, "/ui/login/login?new=true").at(t, "login"), "login", "loginName", "ann")
	return p.at(t, "password", "ann")
}

// TestHostedLogin goes through a person's first days: a password, an app, and what the
// removal of the factor means on the pages.
func TestHostedLogin(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)

	b.open(t, "/").at(t, "login", "Login name")
	b.open(t, "/ui/login").at(t, "login")
	b.submit(t, b.open(t, "/ui/login/login"), "login", "loginName", "nobody").at(t, "login", "There is no such user.")
	b.submit(t, b.open(t, "/ui/login/login"), "login", "loginName", "ANN@example.com").at(t, "password", "ann")
	p := b.toPassword(t)
	b.submit(t, p, "password", "proof", "wrong").at(t, "password", `role="alert"`)
	p = b.submit(t, p, "password", "proof", annsPassword).at(t, "enrol", "Authenticator app", "Not now")

	p = b.submit(t, p, "enrol/totp/begin").at(t, "enrol/totp/begin", "data:image/png;base64,")
	secret := regexp.MustCompile(`name="secret" value="([A-Z2-7]+)"`).FindStringSubmatch(p.body)[1]
	p = b.submit(t, p, "enrol/totp", "code", "000000").at(t, "enrol/totp", `role="alert"`, secret)
	b.submit(t, p, "enrol/totp", "code", totpCode(t, secret, s.Clock.Now())).at(t, "totp")

	s.Clock.Advance(time.Minute)
	p = b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "totp", "Enter the code")
	b.submit(t, p, "totp", "proof", "123").at(t, "totp", `role="alert"`)
	done := b.submit(t, p, "totp", "proof", totpCode(t, secret, s.Clock.Now())).at(t, "done", "You are logged in")

	// The factor ends: it is asked for no more and refused where somebody asks.
	s.Clock.Advance(time.Minute)
	half := b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "totp")
	s.Run(t, testkit.Call{
		Name: "the factor ends", Do: "DELETE /admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_OTP", Events: []string{"instance.policy.login.secondfactor.removed"},
	})
	b.submit(t, half, "totp", "proof", totpCode(t, secret, s.Clock.Now())).at(t, "enrol", "“Authenticator app” does not count here any more.", "Security key")
	s.Run(t, testkit.Call{
		Name: "a second factor is demanded", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"},
		Body: `{"allowUsernamePassword":true,"forceMfa":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED"}`,
	})
	b.open(t, done.url.RequestURI()).at(t, "enrol", "A second factor is demanded here", "Security key")
	p = b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "enrol", "A second factor is demanded here", "“Authenticator app” does not count here any more.")
	if strings.Contains(p.body, "enrol/totp") || strings.Contains(p.body, "Not now") {
		t.Errorf("the page offers what the policy does not allow:\n%s", p.body)
	}

	b.open(t, "/ui/login/login").at(t, "account", "ann")
}

// TestHostedLoginLogout ends the session for good.
func TestHostedLoginLogout(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	p := b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "enrol")
	p = b.submit(t, p, "enrol/skip").at(t, "done")
	again := b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "done")
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	kept := b.client.Jar.Cookies(u)
	b.open(t, "/oidc/v1/end_session").at(t, "logout", "Choose the account", "ann")
	b.submit(t, p, "logout").at(t, "account", "ann")
	b.submit(t, again, "logout").at(t, "login")
	b.client.Jar.SetCookies(u, kept) // A copy of the cookie lets nobody in.
	b.open(t, p.url.RequestURI()).at(t, "done", "This login is over")
	b.open(t, "/ui/login/login").at(t, "login", "Login name")
	b.open(t, "/ui/login/logout").at(t, "logout", "Nobody is logged in")
}

// TestHostedLoginDefences tries what pages elsewhere and people in between could.
func TestHostedLoginDefences(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	p := b.toPassword(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Access-Control-Allow-Origin": ""} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if policy := p.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") {
		t.Errorf("the content security policy is %q", policy)
	}
	if strings.Contains(p.body, "style=") || regexp.MustCompile(`<script>| on[a-z]+=`).MatchString(p.body) {
		t.Error("the page holds code or styles inside")
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name != "gatehouse-login" {
			t.Errorf("a cookie is called %q", c.Name)
		}
	}

	// A form elsewhere is refused, whatever the password.
	elsewhere := newBrowser(t, s)
	elsewhere.client.Jar = b.client.Jar
	elsewhere.header.Set("Origin", "https://evil.example")
	if got := elsewhere.submit(t, p, "password", "proof", annsPassword); got.status != http.StatusForbidden || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a form of another site: status %d, header %v", got.status, got.header)
	}

	// A session that somebody else put into the browser never gets its user.
	victim := newBrowser(t, s)
	victim.client.Jar.SetCookies(u, b.client.Jar.Cookies(u))
	got := victim.toPassword(t)
	if got.url.Query().Get("session") == p.url.Query().Get("session") {
		t.Error("the login went on in a session that was there before")
	}
	victim.submit(t, got, "password", "proof", annsPassword).at(t, "enrol")
	b.open(t, strings.Replace(p.url.RequestURI(), "password", "done", 1)).at(t, "password")

	// Texts of requests are shown as texts.
	shown := b.open(t, "/ui/login/login?new=true&loginName="+url.QueryEscape(`"><script>alert(1)</script>`)).body
	if strings.Contains(shown, "<script>alert") {
		t.Errorf("the page holds what the request said:\n%s", shown)
	}
	if got := b.open(t, "/ui/login/none"); got.status != http.StatusNotFound || !strings.Contains(got.body, "There is no page") {
		t.Errorf("a page that is not there: %d\n%s", got.status, got.body)
	}
	foreign := newBrowser(t, s)
	foreign.header.Set("Accept-Language", "de")
	foreign.open(t, "/ui/login/login").at(t, "login", "Anmeldename", `lang="de"`)
}

// TestHostedLoginMails follows the links of mails.
func TestHostedLoginMails(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	code := func(do, body string, events ...string) string {
		t.Helper()
		s.Run(t, testkit.Call{Name: do, Do: do, Body: body, Keep: map[string]string{"code": "verificationCode"}, Events: events})
		return s.Var("code")
	}
	link := func(path, code string) page {
		t.Helper()
		q := url.Values{"userID": {s.Var("ann")}, "orgID": {s.Var("org")}, "code": {code}}
		return b.open(t, "/ui/login/"+path+"?"+q.Encode())
	}
	reset := code("POST /v2/users/$ann/password_reset", `{"returnCode":{}}`, "user.human.password.code.added")
	s.Run(t, testkit.Call{Name: "in words of the instance", Do: "PUT /admin/v1/text/login/en", Body: `{"initPasswordDoneText":{"title":"All set","description":"Your password is set. Welcome back.","nextButtonText":"Enter"}}`, Events: sets("instance", 3)})
	p := link("password/init", reset).at(t, "password/init", reset, "At least 8 characters")
	b.submit(t, p, "password/init", "password", "An0ther-one!", "repeat", "another").at(t, "password/init", "The two passwords are not the same.")
	b.submit(t, p, "password/init", "password", "An0ther-one!", "repeat", "An0ther-one!").at(t, "password/init", "<h1>All set</h1>", "Your password is set. Welcome back.", ">Enter</a>")
	b.submit(t, p, "password/init", "password", "A-third-0ne!", "repeat", "A-third-0ne!").at(t, "password/init", `role="alert"`)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "password", `role="alert"`)
	b.submit(t, b.toPassword(t), "password", "proof", "An0ther-one!").at(t, "enrol")

	mail := code("POST /v2/users/$ann/email", `{"email":"lee@example.com","returnCode":{}}`, "user.human.email.changed", "user.human.email.code.added")
	p = link("mail/verification", mail).at(t, "mail/verification", mail)
	if got := s.Events(t); slices.Contains(got, "user.human.email.verified") && got[len(got)-1] == "user.human.email.verified" {
		t.Error("the link alone confirmed the address")
	}
	b.submit(t, p, "mail/verification", "code", "wrong").at(t, "mail/verification", `role="alert"`)
	b.submit(t, p, "mail/verification").at(t, "mail/verification", "Your mail address is confirmed.")

	known := b.submit(t, b.open(t, "/ui/login/password/forgotten"), "password/forgotten", "loginName", "ann")
	unknown := b.submit(t, b.open(t, "/ui/login/password/forgotten"), "password/forgotten", "loginName", "nobody")
	s.Settle(t) // It is looked up later whose names these are.
	if known.status != unknown.status || strings.ReplaceAll(known.body, `value="ann"`, `value="nobody"`) != unknown.body {
		t.Errorf("the page tells who is a user:\n%s\n%s", known.body, unknown.body)
	}

	s.Run(t, testkit.Call{
		Name: "somebody new", Do: "POST /v2/users/human", Keep: map[string]string{"ann": "userId"}, Events: []string{"user.human.added", "user.human.email.code.added"},
		Body: `{"username":"bob","profile":{"givenName":"Bob","familyName":"Lee"},"email":{"email":"bob@example.com","isVerified":false}}`,
	})
	s.Run(t, testkit.Call{Name: "invite", Do: "POST /v2/users/$ann/invite_code", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "inviteCode"}, Events: []string{"user.human.invite.code.added"}})
	p = link("user/invite", s.Var("code")).at(t, "user/invite", "Welcome")
	b.submit(t, p, "user/invite", "password", "short", "repeat", "short").at(t, "user/invite", "at least 8 characters")
	b.submit(t, p, "user/invite", "password", "An0ther-one!", "repeat", "An0ther-one!").at(t, "user/invite", "Your password is set.")
	p = b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", "bob").at(t, "password")
	b.submit(t, p, "password", "proof", "An0ther-one!").at(t, "enrol")
}

// TestHostedLoginKeys registers and uses a passkey as the page's script does.
func TestHostedLoginKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	b := newBrowser(t, s)
	d := newDevice()
	options := func(p page, path string, more url.Values) string {
		t.Helper()
		form := url.Values{"session": {p.url.Query().Get("session")}}
		maps.Copy(form, more)
		got := b.do(t, http.MethodPost, s.URL+"/ui/login/"+path, form)
		if got.status != http.StatusOK || !json.Valid([]byte(got.body)) {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		return got.body
	}
	p := b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "enrol", "Passkey")
	p = b.open(t, "/ui/login/enrol/passkey?session="+p.url.Query().Get("session")).at(t, "enrol/passkey", "keys.js")
	answer := d.create(t, options(p, "enrol/key/options", url.Values{"kind": {"passkey"}}))
	b.submit(t, p, "enrol/key", "credential", answer, "name", "Phone").at(t, "key")

	p = b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", "ann").at(t, "key", "Use the key", "Use your password")
	b.submit(t, p, "key", "credential", `{"id":"x"}`).at(t, "key", `role="alert"`)
	d.key.Counter++
	b.submit(t, p, "key", "credential", d.get(t, options(p, "key/options", nil))).at(t, "done")
}

// TestHostedLoginAnyPasskey lets somebody in who has said nothing, by their passkey alone, and
// nobody else: not with an answer that was used, one of another user, one of a passkey
// that ended, or one that came too late.
func TestHostedLoginAnyPasskey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t, testkit.Call{
		Name: "another", Do: "POST /v2/users/human", Keep: map[string]string{"bob": "userId"}, Events: []string{"user.human.added", "user.human.email.verified"},
		Body: `{"username":"bob","profile":{"givenName":"Bob","familyName":"Lee"},"email":{"email":"bob@example.com","isVerified":true}}`,
	})
	d := newDevice()
	registered := d.create(t, begin(t, s, testkit.Call{Do: "POST " + v2Ann + "/passkeys", Body: `{}`, Events: []string{passkeyEvents + "added"}}))
	s.Run(t, testkit.Call{
		Name: "register", Do: "POST " + v2Ann + "/passkeys/$key", Body: `{"publicKeyCredential":` + registered + `,"passkeyName":"Phone"}`, Events: []string{passkeyEvents + "verified"},
	})
	b := newBrowser(t, s)
	ask := func() (kept, options string) {
		t.Helper()
		got := b.do(t, http.MethodPost, s.URL+"/ui/login/login/passkey/options", url.Values{})
		var out struct{ Kept string }
		if err := json.Unmarshal([]byte(got.body), &out); err != nil || out.Kept == "" {
			t.Fatalf("%v: %s", err, got.body)
		}
		return out.Kept, got.body
	}
	answer := func(kept, credential string) page {
		t.Helper()
		return b.submit(t, b.open(t, "/ui/login/login?new=true").at(t, "login"), "login/passkey", "kept", kept, "credential", credential)
	}
	sign := func(options, as string) string {
		t.Helper() // Like most passkeys it counts nothing: see what of it is taken once.
		d.Options.UserHandle = []byte(s.Expand(as))
		return d.get(t, options)
	}
	refused := func(what string, p page) {
		t.Helper()
		if p.path != "/ui/login/login/passkey" || p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "This passkey lets nobody in here") {
			t.Errorf("%s: %s %d\n%s", what, p.path, p.status, p.body)
		}
	}

	kept, options := ask()
	signed := sign(options, "$ann")
	answer(kept, signed).at(t, "done", "ann")
	refused("used once more", answer(kept, signed))
	kept, options = ask()
	refused("signed for another challenge", answer(kept, signed))
	refused("of another user", answer(kept, sign(options, "$bob")))
	refused("of nobody", answer(kept, sign(options, "nobody")))
	refused("without a user", answer(kept, sign(options, "")))
	refused("no challenge of ours", answer("x"+kept, sign(options, "$ann")))
	refused("no answer", answer(kept, "{}"))
	kept, options = ask()
	s.Clock.Advance(10 * time.Minute)
	refused("too late", answer(kept, sign(options, "$ann")))
	kept, options = ask()
	s.Run(t, testkit.Call{Name: "the passkey ends", Do: "DELETE " + v2Ann + "/passkeys/$key", Events: []string{passkeyEvents + "removed"}})
	refused("of a passkey that ended", answer(kept, sign(options, "$ann")))

	s.Run(t, testkit.Call{
		Name: "no passkeys", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"},
		Body: `{"allowUsernamePassword":true,"passwordlessType":"PASSWORDLESS_TYPE_NOT_ALLOWED","multiFactorCheckLifetime":"43200s"}`,
	})
	if got := b.do(t, http.MethodPost, s.URL+"/ui/login/login/passkey/options", url.Values{}); got.status != http.StatusNotFound {
		t.Errorf("where passkeys are not allowed: %d %s", got.status, got.body)
	}
}

// TestHostedLoginForApplications logs in to an application, and once more without being
// asked.
func TestHostedLoginForApplications(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	addShop(t, s)
	b := newBrowser(t, s)
	b.staysHere()
	authorize := func(more ...string) page { return b.authorize(t, more...) }
	back := func(p page) { t.Helper(); p.back(t) }
	p := authorize("login_hint", "ann").at(t, "login", `value="ann"`)
	if policy := p.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' https://shop.example") {
		t.Errorf("the forms may lead to: %s", policy)
	}
	p = b.submit(t, p, "login", "loginName", "ann").at(t, "password")
	p = b.submit(t, p, "password", "proof", annsPassword).at(t, "enrol")
	back(b.submit(t, p, "enrol/skip"))
	back(authorize())
	p = authorize("prompt", "consent", "scope", "openid email").at(t, "consent", "Web (Shop) would get:", "<li>your mail address</li>")
	b.submit(t, p, "consent").at(t, "consent") // Without a decision nothing is decided.
	back(b.submit(t, p, "consent", "decision", "allow"))
	p = b.submit(t, authorize("prompt", "consent"), "consent", "decision", "deny")
	if u, err := url.Parse(p.header.Get("Location")); err != nil || u.Query().Get("error") != "access_denied" || u.Query().Get("code") != "" || u.Query().Get("state") != "s1" {
		t.Errorf("who says no is sent to %q (%d): %s", u, p.status, p.body)
	}
	authorize("ui_locales", "xx de", "prompt", "login").at(t, "login", `lang="de"`, "Anmeldename")
	p = authorize("prompt", "select_account").at(t, "account", "ann")
	back(b.submit(t, p, "account", "session", regexp.MustCompile(`name="session" value="(\d+)"`).FindStringSubmatch(p.body)[1]))
	p = b.submit(t, authorize("prompt", "login").at(t, "login"), "login", "loginName", "ann").at(t, "password")
	s.Clock.Advance(time.Second)
	back(b.submit(t, p, "password", "proof", annsPassword))
	s.Clock.Advance(time.Hour)
	authorize("max_age", "60").at(t, "account")
	if p := b.open(t, "/ui/login/login?authRequest=V2_none"); p.status == http.StatusOK {
		t.Errorf("a request that is not there: %s", p.body)
	}
}
