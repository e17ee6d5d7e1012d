package test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// realm is an organization, kept as acme, with all that a token can rest on. Its ids are
// kept as variables of the names that lifecycle_test.go uses.
type realm struct {
	s                             *testkit.Server
	name                          string
	brief                         string // the thing that lasts an hour
	web, signed, bound, desk, api client
	keyed                         client
	robot                         client
	watch                         client          // of another organization: it introspects whatever names its project
	key                           *rsa.PrivateKey // of the robot and of keyed
}

// startRealms starts a server for realms: with an operator, a login client, and an API of
// the first organization, which is kept as watch.
func startRealms(t *testing.T) *testkit.Server {
	t.Helper()
	s := startSystem(t)
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	addMachine(t, s, s.OrgID, "client", "")
	s.Run(t,
		testkit.Call{Name: "a login client", Do: "POST /admin/v1/members", Body: `{"userId":"$client","roles":["IAM_LOGIN_CLIENT"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "what watches", Do: "POST /management/v1/projects", Body: `{"name":"Watch"}`, Keep: map[string]string{"project": "id"}, Events: projectAdded},
	)
	return s
}

// newRealm makes a realm, of which brief lasts an hour only.
func newRealm(t *testing.T, s *testkit.Server, key *rsa.PrivateKey, n int, brief string) *realm {
	t.Helper()
	w := &realm{s: s, name: fmt.Sprintf("%02d", n), brief: brief, key: key}
	w.watch = newApplication(t, s, "watch"+w.name, &application.API{})
	w.makeIn(t, "org", "acme=id", "POST /management/v1/orgs", `{"name":"Acme`+w.name+`"}`)
	w.makeIn(t, "org", "lender=id", "POST /management/v1/orgs", `{"name":"Lender`+w.name+`"}`)
	s.Set("ada", person(t, s, s.Var("acme"), "ada"+w.name))
	w.make(t, "shop=id", "POST /management/v1/projects", `{"name":"Shop"}`)
	w.make(t, "", "POST "+shopPath+"/roles", `{"roleKey":"reader","displayName":"R"}`)
	w.make(t, "readerGrant=userGrantId", "POST "+adaPath+"/grants", `{"projectId":"$shop","roleKeys":["reader"]}`)
	w.makeIn(t, "lender", "depot=id", "POST /management/v1/projects", `{"name":"Depot"}`)
	w.makeIn(t, "lender", "", "POST "+depotPath+"/roles", `{"roleKey":"picker","displayName":"P"}`)
	w.makeIn(t, "lender", "lent=grantId", "POST "+depotPath+"/grants", `{"grantedOrgId":"$acme","roleKeys":["picker"]}`)
	w.make(t, "pickerGrant=userGrantId", "POST "+adaPath+"/grants", `{"projectId":"$depot","projectGrantId":"$lent","roleKeys":["picker"]}`)
	w.addRobot(t)
	w.addClients(t)
	w.login(t)
	return w
}

// make makes a call in the realm's organization, and keeps what "name=path" says.
func (w *realm) make(t *testing.T, keep, do, body string) {
	t.Helper()
	w.makeIn(t, "acme", keep, do, body)
}

func (w *realm) makeIn(t *testing.T, org, keep, do, body string) {
	t.Helper()
	r := w.s.Send(t, testkit.Call{Do: do, Body: body, In: "$" + org})
	if r.Status/100 != 2 {
		t.Fatalf("%s: %d %s", do, r.Status, r.Body)
	}
	if name, path, ok := cut(keep); ok {
		value, _ := r.JSON(t).(map[string]any)[path].(string)
		w.s.Set(name, value)
	}
}

// until is the expiry that a thing is made with.
func (w *realm) until(thing string) time.Time {
	if thing == w.brief {
		return w.s.Clock.Now().Add(time.Hour)
	}
	return w.s.Clock.Now().AddDate(1, 0, 0)
}

// addRobot adds a machine with a token, a key and a secret, who owns the organization.
func (w *realm) addRobot(t *testing.T) {
	t.Helper()
	const expiring = `{"expirationDate":%q}`
	at := func(thing string) string { return w.until(thing).UTC().Format(time.RFC3339) }
	w.make(t, "robot=userId", "POST /management/v1/users/machine", `{"userName":"robot`+w.name+`","name":"Robot"}`)
	w.make(t, "", "POST /management/v1/orgs/me/members", `{"userId":"$robot","roles":["ORG_OWNER"]}`)
	r := w.s.Send(t, testkit.Call{In: "$acme", Do: "POST " + robotPath + "/pats", Body: fmt.Sprintf(expiring, at("pat"))}).JSON(t).(map[string]any)
	w.s.Set("robotPat", r["tokenId"].(string))
	w.s.SetToken("pat", r["token"].(string))
	addKey(t, w.s, "robotKey", w.key, at("key"))
	r = w.s.Send(t, testkit.Call{In: "$acme", Do: "PUT " + robotPath + "/secret", Body: `{}`}).JSON(t).(map[string]any)
	w.robot = client{s: w.s, id: r["clientId"].(string), secret: r["clientSecret"].(string)}
}

// addClients adds the applications of the realm's project.
func (w *realm) addClients(t *testing.T) {
	t.Helper()
	add := func(name string, c application.Config) client {
		out := newApplicationOf(t, w.s, eventstore.Scope{Instance: w.s.InstanceID, Org: w.s.Var("acme")}, w.s.Var("shop"), name, c)
		out.redirect = redirectURI
		w.s.Set(name+"App", out.app)
		return out
	}
	app := func(edits ...func(*application.OIDC)) *application.OIDC {
		c := webApp()
		for _, edit := range append(edits, devices, exchanging) {
			edit(c)
		}
		return c
	}
	w.web, w.desk = add("web", app()), add("desk", app())
	w.signed = add("signed", app(func(c *application.OIDC) { c.AccessTokenType = 1 }))
	w.bound = w.web
	w.bound.key = ecKey(t)
	w.api = add("api", &application.API{})
	w.keyed = add("keyed", &application.API{AuthMethod: application.APIPrivateKeyJWT})
	addAppKeyUntil(t, w.s, w.keyed, "appKey", w.key, w.until("appKey"))
}

// login logs ada in by a session that is kept as login, and by one of a browser.
func (w *realm) login(t *testing.T) {
	t.Helper()
	call := newSession("login", with("ada"+w.name))
	if w.brief == "session" {
		call.Body = call.Body[:len(call.Body)-1] + `,"lifetime":"3600s"}`
	}
	r := w.s.Send(t, call).JSON(t).(map[string]any)
	w.s.Set("login", r["sessionId"].(string))
	w.s.SetToken("login", r["sessionToken"].(string))
}

// browser logs ada in on the pages, and keeps the session as browser.
func (w *realm) browser(t *testing.T) *browser {
	t.Helper()
	b := newBrowser(t, w.s)
	b.client.CheckRedirect = nil
	b.submit(t, b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", "ada"+w.name), "password", "proof", password)
	var id string
	q := database.From("session_id", "sessions").Where("instance_id = ? AND user_id = ? AND session_id <> ?", w.s.InstanceID, w.s.Var("ada"), w.s.Var("login"))
	if err := w.s.DB.Read(context.Background(), q.Rows(func(scan database.Scan) error { return scan(&id) })); err != nil {
		t.Fatal(err)
	}
	w.s.Set("browser", id)
	return b
}

// asserted is a new assertion of a key.
func (w *realm) asserted(t *testing.T, of, kid string) string {
	t.Helper()
	now := w.s.Clock.Now().Unix()
	return assertion(t, jose.RS256, w.key, kid, nil, map[string]any{
		"iss": of, "sub": of, "aud": "http://localhost", "iat": now, "exp": now + 60, "jti": fmt.Sprint(w.s.Clock.Now().UnixNano()),
	})
}

// counts reports whether an access token counts: at our API, at userinfo and at
// introspection by somebody whom it names. They must agree. key is what it is bound to.
func (w *realm) counts(t *testing.T, token string, key *ecdsa.PrivateKey) bool {
	t.Helper()
	at := func(path string) bool {
		if key != nil {
			return show(t, w.s, "GET "+path, "DPoP", token, proof(t, w.s, key, "GET", path, athOf(token))).Status == http.StatusOK
		}
		return show(t, w.s, "GET "+path, "Bearer", token, "").Status == http.StatusOK
	}
	api, info := at("/auth/v1/users/me"), at("/oidc/v1/userinfo")
	said := false
	if r := w.watch.post(t, "/oauth/v2/introspect", values("token", token)); r.Status == http.StatusOK {
		said, _ = r.JSON(t).(map[string]any)["active"].(bool)
	}
	if api != info || api != said {
		t.Errorf("our API says %v, userinfo %v, introspection %v", api, info, said)
	}
	return api || info || said
}

// hasRole reports whether userinfo says a role.
func (w *realm) hasRole(t *testing.T, token, project, role string) bool {
	t.Helper()
	_, info := userinfo(t, w.s, token)
	roles, _ := info["urn:zitadel:iam:org:project:"+w.s.Var(project)+":roles"].(map[string]any)
	return roles[role] != nil
}
