package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// deviceStart is the answer of the endpoint for devices.
type deviceStart struct {
	Code     string `json:"device_code"`
	User     string `json:"user_code"`
	URI      string `json:"verification_uri"`
	Complete string `json:"verification_uri_complete"`
	Expires  int    `json:"expires_in"`
	Interval int    `json:"interval"`
}

// devices lets an application log in devices.
func devices(c *application.OIDC) {
	c.GrantTypes = append(c.GrantTypes, application.GrantDevice)
}

// startDevice begins the login of a device.
func (c client) startDevice(t testing.TB, pairs ...string) (d deviceStart) {
	t.Helper()
	r := c.post(t, "/oauth/v2/device_authorization", values(append([]string{"scope", "openid profile offline_access"}, pairs...)...))
	if err := json.Unmarshal(r.Body, &d); err != nil || r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return d
}

// askDevice asks for the tokens of a device.
func (c client) askDevice(t testing.TB, code string) tokens {
	t.Helper()
	return c.ask(t, "grant_type", deviceGrant, "device_code", code)
}

// device gives the id of a device by what its user types.
func (c client) device(t testing.TB, userCode string) string {
	t.Helper()
	r := c.s.Send(t, testkit.Call{As: "client", Do: "GET /v2/oidc/device_authorization/" + userCode})
	var got struct{ DeviceAuthorizationRequest struct{ ID string } }
	if err := json.Unmarshal(r.Body, &got); err != nil || r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return got.DeviceAuthorizationRequest.ID
}

// allow lets a device have tokens of the session that is kept under a name.
func (c client) allow(t testing.TB, userCode, session string) testkit.Reply {
	t.Helper()
	return c.s.Send(t, testkit.Call{
		As: "client", Do: "POST /v2/oidc/device_authorization/" + c.device(t, userCode),
		Body: `{"session":{"sessionId":"$` + session + `","sessionToken":"` + c.s.TokenOf(t, session) + `"}}`,
	})
}

// TestDevice is the login of a device as the usual library makes it, with a login page of
// its own in between.
func TestDevice(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	tv := newClient(t, s, "tv", devices, func(c *application.OIDC) { c.AuthMethod, c.ApplicationType = application.AuthNone, application.Native })
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, s.Client)
	config := oauth2.Config{ClientID: tv.id, Scopes: []string{"openid", "profile", "offline_access", "nonsense"}, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: "http://localhost/oauth/v2/device_authorization", TokenURL: "http://localhost/oauth/v2/token", AuthStyle: oauth2.AuthStyleInParams,
	}}
	d, err := config.DeviceAuth(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile("^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$").MatchString(d.UserCode) || d.Interval != 5 ||
		d.VerificationURI != "http://localhost/ui/login/device" || d.VerificationURIComplete != d.VerificationURI+"?user_code="+d.UserCode {
		t.Errorf("%+v", d)
	}
	refusedWith(t, "before the user decided", tv.askDevice(t, d.DeviceCode), "authorization_pending", "")
	s.Run(t,
		testkit.Call{
			Name: "the login page reads what it is about", As: "client", Do: "GET /v2/oidc/device_authorization/" + strings.ToLower(d.UserCode),
			Want: `{"deviceAuthorizationRequest":{"id":"*","clientId":"$tv","scope":["openid","profile","offline_access"],"appName":"tv","projectName":"Shop"}}`,
			Keep: map[string]string{"device": "deviceAuthorizationRequest.id"},
		},
		testkit.Call{
			Name: "and links the session", As: "client", Do: "POST /v2/oidc/device_authorization/$device", Want: `{}`, Events: []string{"device.authorization.approved"},
			Body: `{"session":{"sessionId":"$login","sessionToken":"` + s.TokenOf(t, "login") + `"}}`,
		},
		testkit.Call{Name: "once", As: "client", Do: "POST /v2/oidc/device_authorization/$device", Body: `{"deny":{}}`, Status: 404, Want: `{"details":[{"id":"OIDC-device"}]}`},
		testkit.Call{Name: "the code leads nowhere any more", As: "client", Do: "GET /v2/oidc/device_authorization/" + d.UserCode, Status: 404},
	)
	got := tv.askDevice(t, d.DeviceCode)
	if got.status != http.StatusOK || got.Refresh == "" || got.Scope != "openid profile offline_access" {
		t.Fatalf("%+v", got)
	}
	if said := claimsOf(t, got.ID); said["sub"] != s.Var("ada") || said["sid"] != s.Var("login") || said["azp"] != tv.id || said["c_hash"] != nil || said["amr"] == nil {
		t.Errorf("the ID token says %v", said)
	}
	fresh := tv.refresh(t, got.Refresh)
	if _, info := userinfo(t, s, fresh.Access); info["sub"] != s.Var("ada") || info["given_name"] != "ada" {
		t.Errorf("userinfo: %v", info)
	}
	refusedWith(t, "the code once more", tv.askDevice(t, d.DeviceCode), "invalid_grant", "OIDC-code")
	if status, _ := userinfo(t, s, fresh.Access); status != http.StatusUnauthorized {
		t.Error("the tokens of a code that was used twice count")
	}
}

// TestDeviceDenied: what a user denies stays denied, and what nobody decides ends.
func TestDeviceDenied(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	tv := newClient(t, s, "tv", devices)
	addMachine(t, s, s.OrgID, "other", "")
	d := tv.startDevice(t)
	s.Set("device", tv.device(t, d.User))
	s.Run(t,
		testkit.Call{Name: "who is nobody's page may not deny", As: "other", Do: "POST /v2/oidc/device_authorization/$device", Body: `{"deny":{}}`, Status: 403, Want: `{"details":[{"id":"OIDC-link"}]}`},
		testkit.Call{Name: "deny", As: "client", Do: "POST /v2/oidc/device_authorization/$device", Body: `{"deny":{}}`, Events: []string{"device.authorization.canceled"}},
	)
	refusedWith(t, "denied", tv.askDevice(t, d.Code), "access_denied", "OIDC-device-denied")
	refusedWith(t, "and still", tv.askDevice(t, d.Code), "access_denied", "OIDC-device-denied")

	late, allowed := tv.startDevice(t), tv.startDevice(t)
	id := tv.device(t, late.User)
	if r := tv.allow(t, allowed.User, "login"); r.Status != http.StatusOK {
		t.Fatalf("%s", r.Body)
	}
	s.Clock.Advance(10 * time.Minute)
	refusedWith(t, "too late", tv.askDevice(t, late.Code), "expired_token", "")
	refusedWith(t, "too late, though allowed", tv.askDevice(t, allowed.Code), "expired_token", "")
	s.Run(t, testkit.Call{Name: "nothing to decide", As: "client", Do: "POST /v2/oidc/device_authorization/" + id, Body: `{"deny":{}}`, Status: 404})
	s.Clock.Advance(2 * time.Hour)
	s.Store.ExpireNow(context.Background())
	refusedWith(t, "forgotten", tv.askDevice(t, late.Code), "invalid_grant", "OIDC-code")
}

// TestDevicePolls: who asks too often is told to wait longer, and waits longer.
func TestDevicePolls(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	tv := newClient(t, s, "tv", devices)
	d := tv.startDevice(t)
	for i, step := range []struct {
		wait time.Duration
		want string
	}{
		{0, "authorization_pending"}, {5 * time.Second, "authorization_pending"}, {4 * time.Second, "slow_down"}, // 10 s from now on
		{9 * time.Second, "slow_down"}, {15 * time.Second, "authorization_pending"}, {14 * time.Second, "slow_down"}, {20 * time.Second, "authorization_pending"},
	} {
		s.Clock.Advance(step.wait)
		refusedWith(t, fmt.Sprint("poll ", i), tv.askDevice(t, d.Code), step.want, "")
	}
	var slow int
	var wait sync.WaitGroup
	var mu sync.Mutex
	s.Clock.Advance(time.Minute)
	for range 20 {
		wait.Go(func() {
			if tv.askDevice(t, d.Code).Error == "slow_down" {
				mu.Lock()
				defer mu.Unlock()
				slow++
			}
		})
	}
	if wait.Wait(); slow != 19 {
		t.Errorf("of 20 at once %d were too many", slow)
	}
}

// TestDeviceCodeOfOthers: a code is for the client that got it, by the way that it is for;
// and a client may have one only if the application may.
func TestDeviceCodeOfOthers(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	tv, other := newClient(t, s, "tv", devices), newClient(t, s, "other", devices)
	for name, allowed := range map[string]bool{"waiting": false, "allowed": true} {
		d := tv.startDevice(t)
		if allowed {
			tv.allow(t, d.User, "login")
		}
		refusedWith(t, name+", of another client", other.askDevice(t, d.Code), "invalid_grant", "OIDC-code")
		if got := s.Events(t); got[len(got)-1] != "device.authorization.canceled" {
			t.Errorf("events %v", got)
		}
		refusedWith(t, name+", then the right one", tv.askDevice(t, d.Code), "invalid_grant", "OIDC-code")
	}
	d := tv.startDevice(t)
	tv.allow(t, d.User, "login")
	refusedWith(t, "as an authorization code", tv.redeem(t, d.Code), "invalid_grant", "OIDC-code-redirect")
	refusedWith(t, "then as what it is", tv.askDevice(t, d.Code), "invalid_grant", "OIDC-code")
	refusedWith(t, "an authorization code", tv.askDevice(t, tv.code(t)), "invalid_grant", "OIDC-code-redirect")
	refusedWith(t, "an invented code", tv.askDevice(t, "gatehouse_code_x"), "invalid_grant", "OIDC-code")
	refusedWith(t, "the user's code", tv.askDevice(t, d.User), "invalid_grant", "OIDC-code")
	refusedWith(t, "no code", tv.askDevice(t, ""), "invalid_request", "device_code")
	refusedWith(t, "an application that may not", web.askDevice(t, d.Code), "unauthorized_client", "OIDC-grant-type")
	for name, c := range map[string]struct {
		r           testkit.Reply
		status      int
		code, field string
	}{
		"an application that may not": {web.post(t, "/oauth/v2/device_authorization", values("scope", "openid")), 400, "unauthorized_client", ""},
		"no scope":                    {tv.post(t, "/oauth/v2/device_authorization", values()), 400, "invalid_scope", ""},
		"nobody":                      {client{s: s}.post(t, "/oauth/v2/device_authorization", values("scope", "openid")), 401, "invalid_client", ""},
		"no proof":                    {client{s: s, id: tv.id, public: true}.post(t, "/oauth/v2/device_authorization", values("scope", "openid")), 401, "invalid_client", ""},
		"two organizations":           {tv.post(t, "/oauth/v2/device_authorization", values("scope", "openid urn:zitadel:iam:org:id:1 urn:zitadel:iam:org:id:2")), 400, "invalid_scope", ""},
		"a parameter twice":           {tv.post(t, "/oauth/v2/device_authorization", map[string][]string{"scope": {"openid", "profile"}}), 400, "invalid_request", ""},
	} {
		if got := c.r.JSON(t).(map[string]any); c.r.Status != c.status || got["error"] != c.code {
			t.Errorf("%s: %d %v", name, c.r.Status, got)
		}
	}
}

// TestDeviceFollowsTruth: what a device waits for, and what it has, rests on all that
// other tokens rest on.
func TestDeviceFollowsTruth(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	tv := newClient(t, s, "tv", devices)
	app := "/management/v1/projects/$project/apps/" + tv.app
	have := tv.startDevice(t)
	tv.allow(t, have.User, "login")
	got := tv.askDevice(t, have.Code)
	for _, step := range []struct{ name, off, on string }{
		{"user", "POST /management/v1/users/$ada/_deactivate", "POST /management/v1/users/$ada/_reactivate"},
		{"lock", "POST /management/v1/users/$ada/_lock", "POST /management/v1/users/$ada/_unlock"},
		{"application", "POST " + app + "/_deactivate", "POST " + app + "/_reactivate"},
		{"project", "POST /management/v1/projects/$project/_deactivate", "POST /management/v1/projects/$project/_reactivate"},
	} {
		allowed, waiting := tv.startDevice(t), tv.startDevice(t)
		tv.allow(t, allowed.User, "login")
		id := tv.device(t, waiting.User)
		if r := s.Send(t, testkit.Call{Do: step.off, Body: `{}`}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.name, r.Body)
		}
		if after := tv.askDevice(t, allowed.Code); after.Access != "" || after.Error != "invalid_grant" && after.Error != "invalid_client" {
			t.Errorf("%s: %+v", step.name, after)
		}
		if status, _ := userinfo(t, s, got.Access); status != http.StatusUnauthorized {
			t.Errorf("%s: the token counts", step.name)
		}
		r := s.Send(t, testkit.Call{
			As: "client", Do: "POST /v2/oidc/device_authorization/" + id, Body: `{"session":{"sessionId":"$login","sessionToken":"` + s.TokenOf(t, "login") + `"}}`,
		})
		if r.Status == http.StatusOK {
			t.Errorf("%s: the device is allowed", step.name)
		}
		if r := s.Send(t, testkit.Call{Do: step.on, Body: `{}`}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.name, r.Body)
		}
	}
	d := tv.startDevice(t)
	demandSecond(t, s)
	if r := tv.allow(t, d.User, "login"); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), "OIDC-assurance") {
		t.Errorf("one factor where two are demanded: %d %s", r.Status, r.Body)
	}
	other := tv.startDevice(t, "scope", "openid urn:zitadel:iam:org:id:1")
	s.Run(t, testkit.Call{Name: "back", Do: "DELETE " + loginPath, Events: []string{"org.policy.login.removed"}})
	if r := tv.allow(t, other.User, "login"); r.Status == http.StatusOK || !strings.Contains(string(r.Body), "OIDC-organization") {
		t.Errorf("another organization: %d %s", r.Status, r.Body)
	}
	tv.allow(t, d.User, "login")
	if r := s.Send(t, testkit.Call{As: "client", Do: "DELETE /v2/sessions/$login", Body: `{"sessionToken":"` + s.TokenOf(t, "login") + `"}`}); r.Status != http.StatusOK {
		t.Fatalf("%s", r.Body)
	}
	refusedWith(t, "the session ended", tv.askDevice(t, d.Code), "invalid_grant", "")
}

// TestFiftyDevices: of fifty who use one code at once a single one succeeds, on two nodes,
// and then nothing of it is left.
func TestFiftyDevices(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	tv := newClient(t, s, "tv", devices)
	node := tv
	node.s = s.Sibling(t)
	d := tv.startDevice(t)
	tv.allow(t, d.User, "login")
	var mu sync.Mutex
	turn := 0
	good := fiftyTimes(t, func() tokens {
		mu.Lock()
		turn++
		at := []client{tv, node}[turn%2]
		mu.Unlock()
		return at.askDevice(t, d.Code)
	})
	if len(good) != 1 || web.active(t, good[0].Access) {
		t.Errorf("a code gave tokens %d times", len(good))
	}
}

// TestDeviceGuesses: nobody can try many codes.
func TestDeviceGuesses(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	tv := newClient(t, s, "tv", devices)
	addMachine(t, s, s.OrgID, "other", "")
	d := tv.startDevice(t)
	guess := func(as, code string) int {
		t.Helper()
		return s.Send(t, testkit.Call{As: as, Do: "GET /v2/oidc/device_authorization/" + code, Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}}).Status
	}
	var wait sync.WaitGroup
	statuses := make([]int, 100)
	for i := range statuses {
		wait.Go(func() { statuses[i] = guess("other", "BBBB-BBBB") })
	}
	wait.Wait()
	slices.Sort(statuses)
	if statuses[19] != http.StatusNotFound || statuses[20] != http.StatusTooManyRequests {
		t.Errorf("of 100 guesses: %v", statuses)
	}
	if got := guess("other", d.User); got != http.StatusTooManyRequests {
		t.Errorf("the right one, after too many: %d", got)
	}
	if got := guess("client", d.User); got != http.StatusOK {
		t.Errorf("somebody else: %d", got)
	}
	s.Clock.Advance(10*time.Minute + time.Second)
	for range 100 {
		if got := guess("other", tv.startDevice(t).User); got != http.StatusOK {
			t.Fatalf("right ones are not counted: %d", got)
		}
	}
	b := newBrowser(t, s)
	for i := range 21 {
		p := b.submit(t, b.open(t, "/ui/login/device"), "device", "user_code", "BBBB-BBBB")
		if want := map[bool]int{true: http.StatusUnprocessableEntity, false: http.StatusTooManyRequests}[i < 20]; p.status != want {
			t.Fatalf("guess %d on the page: %d", i, p.status)
		}
	}
}

// TestDevicePage: a person types the code, logs in, sees for what, and decides.
func TestDevicePage(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	addAnn(t, s)
	s.Client.CheckRedirect = nil
	tv := newClient(t, s, "tv", devices)
	b := newBrowser(t, s)
	d := tv.startDevice(t, "scope", "openid email urn:zitadel:iam:user:metadata")
	b.submit(t, b.open(t, "/ui/login/device"), "device", "user_code", "BBBB-BBBB").at(t, "device", "No device waits with this code")
	p := b.open(t, strings.TrimPrefix(d.Complete, "http://localhost")).at(t, "device", d.User)
	p = b.submit(t, p, "device", "user_code", strings.ToLower(strings.ReplaceAll(d.User, "-", " "))).at(t, "login")
	p = b.submit(t, p, "login", "loginName", "ann").at(t, "password")
	p = b.submit(t, p, "password", "proof", annsPassword)
	if p.path == "/ui/login/enrol" {
		p = b.submit(t, p, "enrol/skip")
	}
	p.at(t, "device/confirm", "ann", "tv", "Shop", d.User, "your mail address", "urn:zitadel:iam:user:metadata", "in front of you")
	refusedWith(t, "nobody has clicked", tv.askDevice(t, d.Code), "authorization_pending", "")
	b.submit(t, p, "device/confirm", "decision", "allow").at(t, "device/confirm", "The device is logged in.")
	got := tv.askDevice(t, d.Code)
	if got.status != http.StatusOK || claimsOf(t, got.ID)["sub"] != s.Var("ann") {
		t.Fatalf("%+v", got)
	}
	if p := b.submit(t, p, "device/confirm", "decision", "deny"); p.status != http.StatusNotFound {
		t.Errorf("a second decision: %d %s", p.status, p.body)
	}

	d = tv.startDevice(t)
	p = b.submit(t, b.open(t, "/ui/login/device?user_code="+d.User), "device").at(t, "device/confirm", d.User)
	b.submit(t, p, "device/confirm", "decision", "deny").at(t, "device/confirm", "The device gets nothing.")
	refusedWith(t, "denied", tv.askDevice(t, d.Code), "access_denied", "")
	d = tv.startDevice(t)
	p = b.submit(t, b.open(t, "/ui/login/device?user_code="+d.User), "device").at(t, "device/confirm", d.User)
	if p := b.open(t, strings.Replace(p.url.RequestURI(), d.User, "BBBB-BBBB", 1)); p.status != http.StatusNotFound || strings.Contains(p.body, "BBBB") {
		t.Errorf("a link with another code: %d", p.status)
	}
	stranger := newBrowser(t, s)
	if p := stranger.open(t, p.url.RequestURI()); p.status == http.StatusOK && !strings.Contains(p.body, "loginName") {
		t.Errorf("who is not logged in: %d %s", p.status, p.body)
	}
	b.header.Set("Sec-Fetch-Site", "cross-site")
	if p := b.submit(t, p, "device/confirm", "decision", "allow"); p.status != http.StatusForbidden {
		t.Errorf("from another site: %d", p.status)
	}
	refusedWith(t, "still undecided", tv.askDevice(t, d.Code), "authorization_pending", "")
}
