package test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// listener is where applications are told of logouts.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	told   map[string][]string // logout tokens by the path
	answer func(w http.ResponseWriter)
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{told: map[string][]string{}, answer: func(http.ResponseWriter) {}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || len(r.PostForm) != 1 || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("%s %v %v", r.Method, r.PostForm, err)
		}
		l.told[r.URL.Path] = append(l.told[r.URL.Path], r.PostForm.Get("logout_token"))
		l.answer(w)
	}))
	t.Cleanup(l.Close)
	return l
}

// take gives what arrived at a path since it was asked last.
func (l *listener) take(path string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.told[path]
	delete(l.told, path)
	return out
}

// at makes an application be told at a path of the listener.
func (l *listener) at(path string) func(*application.OIDC) {
	return func(c *application.OIDC) { c.BackChannelLogoutURI = l.URL + path }
}

// startLogouts is startOAuth with an application that is told of logouts.
func startLogouts(t *testing.T) (*testkit.Server, client, *listener) {
	t.Helper()
	l := newListener(t)
	s, _ := startOAuth(t)
	s.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return s, newClient(t, s, "shop", l.at("/shop")), l
}

// logOut ends ada's session, and waits until all is told that can be.
func logOut(t testing.TB, s *testkit.Server) {
	t.Helper()
	r := s.Send(t, testkit.Call{As: "client", Do: "DELETE /v2/sessions/$login", Body: `{"sessionToken":"` + s.TokenOf(t, "login") + `"}`})
	if r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	s.Settle(t)
}

// TestBackChannelLogout: when a session ends, applications that people logged in to are
// told by a signed token; others are not.
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	s, shop, l := startLogouts(t)
	blog := newClient(t, s, "blog", l.at("/blog"), devices)
	newClient(t, s, "unused", l.at("/unused"))
	quiet := newClient(t, s, "quiet")
	first := shop.login(t)
	if e := s.Events(t); e[len(e)-1] != "session_logout.back_channel.registered" {
		t.Errorf("events %v", e[len(e)-5:])
	}
	shop.login(t)
	d := blog.startDevice(t)
	blog.allow(t, d.User, "login")
	if got := blog.askDevice(t, d.Code); got.status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	quiet.login(t)
	before := len(s.Events(t))
	logOut(t, s)
	if e := s.Events(t)[before:]; len(e) != 7 || e[0] != "session.terminated" || e[5] != "session_logout.back_channel.sent" || e[6] != e[5] {
		t.Errorf("events %v", e)
	}
	told := append(l.take("/shop"), l.take("/blog")...)
	if len(told) != 2 || len(l.told) != 0 {
		t.Fatalf("told %v, and %v", told, l.told)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/keys"}).Body, &set); err != nil {
		t.Fatal(err)
	}
	ids := map[any]bool{}
	for i, token := range told {
		parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		var said map[string]any
		if err := parsed.Claims(set.Key(parsed.Headers[0].KeyID)[0].Key, &said); err != nil {
			t.Fatal(err)
		}
		if typ := parsed.Headers[0].ExtraHeaders["typ"]; typ != "logout+jwt" {
			t.Errorf("typ is %v", typ)
		}
		now := float64(s.Clock.Now().Unix())
		if iat, exp := said["iat"].(float64), said["exp"].(float64); now-iat > 60 || iat > now || exp-iat != 120 {
			t.Errorf("%v", said)
		}
		if ids[said["jti"]] = true; said["jti"] == "" {
			t.Errorf("%v", said)
		}
		delete(said, "iat")
		delete(said, "exp")
		delete(said, "jti")
		want := map[string]any{
			"iss": "http://localhost", "sub": s.Var("ada"), "aud": []any{[]string{shop.id, blog.id}[i]}, "sid": s.Var("login"),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		if !reflect.DeepEqual(said, want) {
			t.Errorf("said %v, want %v", said, want)
		}
	}
	if len(ids) != 2 || claimsOf(t, first.ID)["sid"] != s.Var("login") {
		t.Errorf("ids %v", ids)
	}
	if to, _ := shop.authorize(t, "id_token_hint", told[0]); to == nil || to.Query().Get("error") != "invalid_request" {
		t.Errorf("a logout token as a hint: %v", to)
	}
	if status, _ := userinfo(t, s, told[0]); status != http.StatusUnauthorized {
		t.Errorf("a logout token as access token: %d", status)
	}
	desk := newClient(t, s, "desk", exchanging)
	refusedWith(t, "a logout token as ID token", desk.exchange(t, told[0], "subject_token_type", shownID).tokens, "invalid_request", "OIDC-exchange-subject")
	doc := s.Send(t, testkit.Call{As: "nobody", Do: "GET /.well-known/openid-configuration"}).JSON(t).(map[string]any)
	if doc["backchannel_logout_supported"] != true || doc["backchannel_logout_session_supported"] != true {
		t.Errorf("discovery: %v", doc)
	}
}

// TestBackChannelEnds: whatever ends a login is told.
func TestBackChannelEnds(t *testing.T) {
	t.Parallel()
	s, shop, l := startLogouts(t)
	for name, end := range map[string]testkit.Call{
		"the end of the session":   {As: "client", Do: "DELETE /v2/sessions/$own", Body: `{"sessionToken":"$token"}`},
		"by who manages it":        {Do: "DELETE /v2/sessions/$own", Body: `{}`},
		"by the application":       {As: "nobody", Do: "GET /oidc/v1/end_session?id_token_hint=$id"},
		"the removal of the user":  {Do: "DELETE /management/v1/users/$who"},
		"in version 2":             {Do: "DELETE /v2/users/$who"},
		"a deactivation":           {Do: "POST /management/v1/users/$who/_deactivate", Body: `{}`},
		"a lock":                   {Do: "POST /v2/users/$who/lock", Body: `{}`},
		"the organization is gone": {Do: "DELETE /v2/organizations/$acme"},
	} {
		org := s.OrgID
		if strings.Contains(end.Do, "$acme") {
			s.Run(t, testkit.Call{Name: "acme", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded})
			org = s.Var("acme")
		}
		user := strings.ReplaceAll(name, " ", "-")
		s.Set("who", person(t, s, org, user))
		s.Set(user, s.Var("who"))
		s.Run(t, newSession("own", with(user), "session.user.checked", "session.password.checked"))
		r := shop.link(t, shop.begin(t), "own")
		var back struct{ CallbackURL string }
		_ = json.Unmarshal(r.Body, &back)
		got := shop.redeem(t, mustParse(t, back.CallbackURL).Query().Get("code"))
		if got.status != http.StatusOK {
			t.Fatalf("%s: %s %+v", name, r.Body, got)
		}
		s.Set("id", got.ID)
		s.Set("token", s.TokenOf(t, "own"))
		if r := s.Send(t, end); r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, r.Status, r.Body)
		}
		s.Settle(t)
		told := l.take("/shop")
		if len(told) != 1 {
			t.Errorf("%s: told %d times", name, len(told))
			continue
		}
		if said := claimsOf(t, told[0]); said["sub"] != s.Var("who") || said["sid"] != s.Var("own") {
			t.Errorf("%s: %v", name, said)
		}
	}
}

// TestBackChannelLifetime: a session ends by its lifetime, however that was set, and ends
// for applications like one that somebody logged out of; once, and not earlier. One that
// nobody is to be told of stays as it is.
func TestBackChannelLifetime(t *testing.T) {
	t.Parallel()
	s, shop, l := startLogouts(t)
	quiet := newClient(t, s, "quiet")
	person(t, s, s.OrgID, "bea")
	lasting := func(name, lifetime string, events ...string) testkit.Call {
		c := newSession(name, with("bea"), append([]string{"session.user.checked", "session.password.checked"}, events...)...)
		c.Body = strings.TrimSuffix(c.Body, "}") + lifetime + `}`
		return c
	}
	set := func(name, lifetime string) testkit.Call {
		return testkit.Call{
			Name: "set " + name, As: "client", Do: "PATCH " + sessionsPath + "/$" + name, Body: `{"lifetime":"` + lifetime + `"}`, Token: "sessionToken", KeepAs: name,
			Events: []string{"session.lifetime.set", "session.token.set"},
		}
	}
	const lasts, ends = `,"lifetime":"600s"`, "session.lifetime.set"
	s.Run(t, lasting("first", lasts, ends), lasting("late", ""), lasting("shorter", `,"lifetime":"9000s"`, ends), lasting("longer", lasts, ends), lasting("silent", lasts, ends), lasting("out", lasts, ends))
	for _, name := range []string{"first", "late", "shorter", "longer", "out"} {
		shop.ofSession(t, name)
	}
	quiet.ofSession(t, "silent")
	s.Run(t,
		set("late", "600s"), set("shorter", "600s"), set("longer", "7200s"), set("silent", "300s"),
		testkit.Call{Name: "end one", As: "client", Do: "DELETE " + sessionsPath + "/$out", Events: []string{"session.terminated", "oidc_session.refresh_token.revoked"}},
	)
	settled := func(after time.Duration, want ...string) {
		t.Helper()
		s.Clock.Advance(after)
		s.Settle(t)
		var told []string
		for _, token := range l.take("/shop") {
			told = append(told, claimsOf(t, token)["sid"].(string)) //nolint:forcetypeassert // an id
		}
		for i, name := range want {
			want[i] = s.Var(name)
		}
		slices.Sort(told)
		slices.Sort(want)
		if !slices.Equal(told, want) {
			t.Errorf("after %v %v were told, want %v", after, told, want)
		}
	}
	settled(0, "out")
	settled(9 * time.Minute)
	settled(2*time.Minute, "first", "late", "shorter")
	settled(time.Hour)
	settled(time.Hour, "longer")
	settled(3 * time.Hour)
	show := func(name string, status int) testkit.Call {
		return testkit.Call{Name: name, As: "client", Do: "GET " + sessionsPath + "/$" + name, Status: status}
	}
	s.Run(t, show("first", 404), show("silent", 200))
	if e := s.Events(t); !slices.Contains(e, "session_logout.back_channel.sent") {
		t.Errorf("events %v", e)
	}
}

// TestBackChannelLockedOut: who guesses a password so often that the user is locked ends
// the user's logins, and applications know.
func TestBackChannelLockedOut(t *testing.T) {
	t.Parallel()
	s, shop, l := startLogouts(t)
	shop.login(t)
	lockAfter(t, s, 1, 0)
	s.Send(t, testkit.Call{As: "client", Do: "POST /v2/sessions", Body: `{"checks":{"user":{"userId":"$ada"},"password":{"password":"wrong"}}}`})
	s.Settle(t)
	if told := l.take("/shop"); len(told) != 1 {
		t.Errorf("told %d times, events %v", len(told), s.Events(t))
	}
}

// until waits for what a job does once more, which is not due any more while it runs.
func until(t testing.TB, s *testkit.Server, what string, done func() bool) {
	t.Helper()
	for range 3000 {
		if done() {
			return
		}
		s.Store.WakeJobs()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

// logoutJobs counts the jobs that tell applications.
func logoutJobs(t testing.TB, s *testkit.Server) (n int) {
	t.Helper()
	if err := s.DB.Read(context.Background(), database.Query{
		SQL: "SELECT id FROM jobs WHERE kind = 'session.logout'", Row: func(database.Scan) error { n++; return nil },
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBackChannelRetries: an application that fails is told again, later and later, and
// another one need not wait for it; after a day it is given up.
func TestBackChannelRetries(t *testing.T) {
	t.Parallel()
	s, shop, l := startLogouts(t)
	other := newClient(t, s, "other", newListener(t).at("/other"))
	shop.login(t)
	other.login(t)
	l.answer = func(w http.ResponseWriter) {
		w.Header().Set("Location", l.URL+"/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = io.WriteString(w, "canary-answer")
	}
	logOut(t, s)
	if e := s.Events(t); e[len(e)-1] != "session_logout.back_channel.sent" || logoutJobs(t, s) != 1 {
		t.Errorf("the other one: %v, %d jobs are left", e[len(e)-2:], logoutJobs(t, s))
	}
	ids := map[any]bool{}
	for n := 1; n <= 4; n++ {
		until(t, s, "a try", func() bool {
			for _, token := range l.take("/shop") {
				ids[claimsOf(t, token)["jti"]] = true
			}
			return len(ids) == n
		})
		s.Clock.Advance(2 * time.Hour)
	}
	if len(l.told) > 0 {
		t.Errorf("the answer leads to %v", l.told)
	}
	noCanary(t, s)
	s.Clock.Advance(24 * time.Hour)
	until(t, s, "the end", func() bool { return logoutJobs(t, s) == 0 })
	if e := s.Events(t); e[len(e)-1] != "session_logout.back_channel.given_up" {
		t.Errorf("after a day: %v", e[len(e)-1])
	}
}

// TestBackChannelRecovers: an application that was down for a while is told in the end,
// once; one that is gone is not.
func TestBackChannelRecovers(t *testing.T) {
	t.Parallel()
	s, shop, l := startLogouts(t)
	gone := newClient(t, s, "gone", l.at("/gone"))
	shop.login(t)
	gone.login(t)
	s.Run(t, testkit.Call{Name: "remove one", Do: "DELETE /management/v1/projects/$project/apps/" + gone.app, Events: []string{"project.application.removed"}})
	l.answer = func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }
	logOut(t, s)
	if len(l.take("/shop")) != 1 || len(l.take("/gone")) != 0 {
		t.Errorf("told %v", l.told)
	}
	l.mu.Lock()
	l.answer = func(http.ResponseWriter) {}
	l.mu.Unlock()
	s.Clock.Advance(time.Hour)
	until(t, s, "the end", func() bool { return logoutJobs(t, s) == 0 })
	if e := s.Events(t); len(l.take("/shop")) != 1 || !slices.Contains(e, "session_logout.back_channel.given_up") || e[len(e)-1] != "session_logout.back_channel.sent" {
		t.Errorf("events %v", e[len(e)-3:])
	}
}

// TestBackChannelInside: nobody is told inside the operator's network (T-47).
func TestBackChannelInside(t *testing.T) {
	t.Parallel()
	s, _, l := startLogouts(t)
	s.Outbound.Allow = nil
	port := l.URL[strings.LastIndexByte(l.URL, ':'):]
	for i, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0177.0.0.1", "0x7f.1", "localhost", "localhost.", "[64:ff9b::7f00:1]"} {
		newClient(t, s, "inside"+string(rune('a'+i)), func(c *application.OIDC) { c.BackChannelLogoutURI = "http://" + host + port + "/inside" }).login(t)
	}
	logOut(t, s)
	if len(l.told) != 0 || logoutJobs(t, s) != 10 {
		t.Errorf("told %v, %d jobs", l.told, logoutJobs(t, s))
	}
}
