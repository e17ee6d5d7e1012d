package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func cut(keep string) (name, path string, ok bool) { return strings.Cut(keep, "=") }

// subject is what somebody has, or may do, because of something else.
type subject struct {
	name string
	// rests are the things that it rests on, besides the instance and the organization.
	rests string
	works func(t *testing.T) bool
}

// What rests on a login of ada by the session, and on one at an application.
const (
	adasLogin = "ada session "
	adasWeb   = adasLogin + "shop web "
)

// subjects makes everything that rests on the realm. A new one is a line.
func (w *realm) subjects(t *testing.T) []subject {
	t.Helper()
	scope := "openid profile offline_access urn:zitadel:iam:org:projects:roles " + apiScope
	for _, project := range []string{"project", "shop", "depot"} {
		scope += " urn:zitadel:iam:org:project:id:" + w.s.Var(project) + ":aud"
	}
	code := func(c client) string { return c.code(t, "scope", scope) }
	web, signed, bound := w.web.redeem(t, code(w.web)), w.signed.redeem(t, code(w.signed)), w.bound.redeem(t, code(w.bound))
	secret := w.robot.ask(t, "grant_type", "client_credentials", "scope", scope)
	key := w.robotAsserts(t, scope)
	exchanged, ofRobot := w.desk.exchange(t, web.Access), w.desk.exchange(t, secret.Access)
	device := w.device(t, scope)
	codes, devices := []string{code(w.web), code(w.web)}, []string{w.approved(t, scope), w.approved(t, scope)}
	browser := w.browser(t)
	token := func(of tokens) func(*testing.T) bool {
		return func(t *testing.T) bool { t.Helper(); return w.counts(t, of.Access, nil) }
	}
	status := func(as, do string) func(*testing.T) bool {
		return func(t *testing.T) bool {
			t.Helper()
			return w.s.Send(t, testkit.Call{As: as, Do: do, In: "$acme"}).Status == http.StatusOK
		}
	}
	granted := func(ask func(*testing.T) tokens) func(*testing.T) bool {
		return func(t *testing.T) bool { t.Helper(); return ask(t).status == http.StatusOK }
	}
	return []subject{
		{"an access token by code", adasWeb, token(web)},
		{"a JWT by code", adasLogin + "shop signed", token(signed)},
		{"a bound token", adasWeb, func(t *testing.T) bool { t.Helper(); return w.counts(t, bound.Access, w.bound.key) }},
		{"a device's token", adasWeb, token(device)},
		{"an exchanged token", adasWeb + "desk", token(exchanged.tokens)},
		{"a machine's token, exchanged", "robot secret shop desk", token(ofRobot.tokens)},
		{"a token for a secret", "robot secret", token(secret)},
		{"a token for a key", "robot key", token(key)},
		{"a personal token", "robot pat", status("pat", "GET /auth/v1/users/me")},
		{"a session's token", adasLogin, status("login", "GET /auth/v1/users/me")},
		{"a browser", "ada browser", func(t *testing.T) bool {
			t.Helper()
			p := browser.open(t, "/ui/account/")
			return p.path == "/ui/account/" && p.status == http.StatusOK
		}},
		{"a refresh token", adasWeb + "webSecret", granted(func(t *testing.T) tokens {
			t.Helper()
			got := w.web.refresh(t, web.Refresh)
			web.Refresh = got.Refresh
			return got
		})},
		{"a code", adasWeb + "webSecret minutes", granted(func(t *testing.T) tokens {
			t.Helper()
			got := w.web.redeem(t, codes[0])
			codes = codes[1:]
			return got
		})},
		{"a device that was let in", adasWeb + "webSecret minutes", granted(func(t *testing.T) tokens {
			t.Helper()
			got := w.web.askDevice(t, devices[0])
			devices = devices[1:]
			return got
		})},
		{"an exchange", adasWeb + "desk", granted(func(t *testing.T) tokens { t.Helper(); return w.desk.exchange(t, web.Access).tokens })},
		{"a client's secret, for a user's token", "robot secret", granted(func(t *testing.T) tokens {
			t.Helper()
			return w.robot.ask(t, "grant_type", "client_credentials", "scope", scope)
		})},
		{"a user's key", "robot key", granted(func(t *testing.T) tokens { t.Helper(); return w.robotAsserts(t, scope) })},
		{"a password", "ada", func(t *testing.T) bool {
			t.Helper()
			return w.s.Send(t, newSession("", with("ada"+w.name))).Status == http.StatusCreated
		}},
		{"an API's secret", "shop api apiSecret", func(t *testing.T) bool {
			t.Helper()
			return w.api.post(t, "/oauth/v2/introspect", values("token", "x")).Status == http.StatusOK
		}},
		{"an API's key", "shop appKey", func(t *testing.T) bool {
			t.Helper()
			proof := w.asserted(t, w.keyed.id, w.s.Var("appKey"))
			return w.keyed.post(t, "/oauth/v2/introspect", values("token", "x", "client_assertion", proof,
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")).Status == http.StatusOK
		}},
		{"a role", adasWeb + "reader readerGrant", func(t *testing.T) bool { t.Helper(); return w.hasRole(t, web.Access, "shop", "reader") }},
		{"a role of a project that was lent", adasWeb + "lender depot lent picker pickerGrant", func(t *testing.T) bool {
			t.Helper()
			return w.hasRole(t, web.Access, "depot", "picker")
		}},
		{"a membership", "robot pat member", status("pat", "GET /management/v1/orgs/me")},
		{"a membership, with a token for a key", "robot key member", func(t *testing.T) bool {
			t.Helper()
			w.s.SetToken("key", key.Access)
			return status("key", "GET /management/v1/orgs/me")(t)
		}},
	}
}

// robotAsserts gives the robot's token for its key.
func (w *realm) robotAsserts(t *testing.T, scope string) tokens {
	t.Helper()
	nobody := client{s: w.s}
	return nobody.ask(t, "grant_type", jwtBearer, "scope", scope, "assertion", w.asserted(t, w.s.Var("robot"), w.s.Var("robotKey")))
}

// approved is the code of a device that ada let in.
func (w *realm) approved(t *testing.T, scope string) string {
	t.Helper()
	d := w.web.startDevice(t, "scope", scope)
	if r := w.web.allow(t, d.User, "login"); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return d.Code
}

func (w *realm) device(t *testing.T, scope string) tokens {
	t.Helper()
	return w.web.askDevice(t, w.approved(t, scope))
}
