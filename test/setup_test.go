package test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// setupCode makes a code as the server does when it starts; empty: somebody administers the
// instance.
func setupCode(t *testing.T, s *testkit.Server) string {
	t.Helper()
	code, err := flow.SetupCode(context.Background(), s.Store, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// setUp opens the link with a code and fills it in.
func setUp(t *testing.T, b *browser, code string, values ...string) page {
	t.Helper()
	p := b.open(t, "/ui/login/setup?code="+code).at(t, "setup")
	return b.submit(t, p, "setup", append([]string{"givenName", "Eve", "familyName", "First", "email", "eve@example.com", "by", "password", "password", annsPassword, "repeat", annsPassword}, values...)...)
}

// TestSetup: the link of the start makes one person who administers the instance, and is
// good for nothing else, for nobody else, and not for ever.
func TestSetup(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b := newBrowser(t, s)
	over := func(what, code string) {
		t.Helper()
		if p := b.open(t, "/ui/login/setup?code="+code); p.status != http.StatusNotFound || !strings.Contains(p.body, "This link works no more") {
			t.Errorf("%s: %d %s", what, p.status, p.body)
		}
	}
	over("no code", "")
	over("a wrong code", "ghc_wrong")
	old := setupCode(t, s)
	s.Clock.Advance(flow.SetupLifetime)
	over("a code of yesterday", old)

	code, other := setupCode(t, s), setupCode(t, s)
	setUp(t, b, code, "repeat", "another").at(t, "setup", "not the same", `value="eve@example.com"`)
	setUp(t, b, code, "password", "short", "repeat", "short").at(t, "setup", `role="alert"`, `value="Eve"`)
	setUp(t, b, code, "email", "nowhere").at(t, "setup", `role="alert"`)
	before := len(s.Events(t))
	p := setUp(t, b, code).at(t, "enrol", "eve@example.com")
	want := []string{
		"user.human.added", "user.human.email.verified", "org.member.added", "instance.member.added", "session.added", "session.user.checked",
		"user.human.password.check.succeeded", "session.password.checked", "session.token.set",
	}
	if got := s.Events(t)[before:]; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("the events are %q", got)
	}
	if p := b.submit(t, p, "enrol/skip"); p.path != "/ui/console/orgs" || !strings.Contains(p.body, "Eve First") {
		t.Errorf("the new administrator is led to %s:\n%s", p.path, p.body)
	}
	over("a code that was used", code)
	over("a code of another node", other)
	if code := setupCode(t, s); code != "" {
		t.Errorf("there is an administrator, and yet a code: %s", code)
	}
}

// TestSetupByPasskey: who breaks off before their passkey is registered begins anew, with the
// same address.
func TestSetupByPasskey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b := newBrowser(t, s)
	code := setupCode(t, s)
	setUp(t, b, code, "by", "passkey").at(t, "passkey/register", "keys.js")
	if setupCode(t, s) == "" {
		t.Error("nobody can log in, and there is no other code")
	}
	p := setUp(t, b, code, "by", "passkey").at(t, "passkey/register")
	d := newDevice()
	q := p.url.Query()
	options := b.do(t, http.MethodPost, s.URL+"/ui/login/passkey/register/options", q)
	b.submit(t, p, "passkey/register", "credential", d.create(t, options.body), "name", "Laptop").at(t, "passkey/register", "Your passkey is registered.", "next=%2fui%2fconsole%2f")
	if code := setupCode(t, s); code != "" {
		t.Errorf("there is an administrator, and yet a code: %s", code)
	}
	if p := b.open(t, "/ui/login/setup?code="+code); p.status != http.StatusNotFound {
		t.Errorf("the link still works: %d", p.status)
	}
	s.Run(t, testkit.Call{Name: "one is there", Do: "POST /v2/users", Body: `{"queries":[{"typeQuery":{"type":"TYPE_HUMAN"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"username":"eve@example.com","state":"USER_STATE_ACTIVE"}]}`})
}

// TestSetupRace: of several who use links at once, one gets to administer.
func TestSetupRace(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	one, two := setupCode(t, s), setupCode(t, s)
	var done sync.WaitGroup
	paths, forms := make([]string, 8), make([]page, 8)
	for i := range forms {
		forms[i] = newBrowser(t, s).open(t, "/ui/login/setup?code="+[]string{one, two}[i%2]).at(t, "setup")
	}
	for i := range paths {
		b := newBrowser(t, s)
		done.Go(func() {
			got := b.submit(t, forms[i], "setup", "givenName", "Eve", "familyName", "First", "email", string(rune('a'+i))+"@example.com", "by", "password", "password", annsPassword, "repeat", annsPassword)
			paths[i] = got.path
		})
	}
	done.Wait()
	won := 0
	for _, path := range paths {
		if path == "/ui/login/enrol" {
			won++
		}
	}
	if won != 1 {
		t.Errorf("%d got to administer: %v", won, paths)
	}
}

// TestBrowserSetup sets the first administrator up in a real browser, with a password and
// with a passkey.
func TestBrowserSetup(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"password", "passkey"} {
		s := testkit.Start(t)
		w := openWindow(t, s)
		w.plugIn(t)
		w.open(t, "/ui/login/setup?code="+setupCode(t, s))
		w.fill(t, "givenName", "Eve")
		w.fill(t, "familyName", "First")
		w.fill(t, "email", "eve@example.com")
		w.sees(t, "You will administer everything here")
		if by == "password" {
			w.fill(t, "password", annsPassword)
			w.fill(t, "repeat", annsPassword)
			w.press(t, "Go on with a password")
			w.sees(t, "Protect your account")
			w.press(t, "Authenticator app")
			w.sees(t, "Scan the picture")
			secret := w.text(t, "main code")
			w.give(t, "code", totpCode(t, secret, s.Clock.Now()))
			w.sees(t, "Enter the code")
			s.Clock.Advance(time.Minute)
			w.give(t, "proof", totpCode(t, secret, s.Clock.Now()))
		} else {
			w.press(t, "Go on with a passkey")
			w.fill(t, "name", "Laptop")
			w.press(t, "Register")
			w.sees(t, "Your passkey is registered.")
			w.press(t, "Log in")
		}
		w.sees(t, "Organizations")
	}
}

// TestSetupLeavesOwners: who administers already, however they log in, is not replaced by a
// link of the start.
func TestSetupLeavesOwners(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	code := setupCode(t, s)
	page := newBrowser(t, s).open(t, "/ui/login/setup?code="+code).at(t, "setup")
	s.Run(t,
		testkit.Call{
			Name: "an owner who has not begun", Do: "POST /v2/users/human", Keep: map[string]string{"eve": "userId"}, Events: []string{"user.human.added", "user.human.email.verified"},
			Body: `{"username":"eve@example.com","profile":{"givenName":"Eve","familyName":"Lee"},"email":{"email":"eve@example.com","isVerified":true}}`,
		},
		testkit.Call{Name: "owns", Do: "POST /admin/v1/members", Body: `{"userId":"$eve","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}},
	)
	if code := setupCode(t, s); code != "" {
		t.Errorf("there is an owner, and yet a code: %s", code)
	}
	newBrowser(t, s).submit(t, page, "setup", "givenName", "Mal", "familyName", "Lory", "email", "eve@example.com", "by", "password", "password", annsPassword, "repeat", annsPassword)
	s.Run(t, testkit.Call{Name: "is still there", Do: "GET /v2/users/$eve", Want: `{"user":{"userId":"$eve"}}`})
}
