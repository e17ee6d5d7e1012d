package test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

const (
	redirectURI = "https://app.example.com/callback"
	verifier    = "a-verifier-of-forty-three-characters-or-more"
)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// client is an application in the tests of OAuth.
type client struct {
	s               *testkit.Server
	app, id, secret string
	project         string
	owner           eventstore.Scope // of the project
	redirect        string
	public          bool
	// key, where there is one, makes a proof for each request for tokens.
	key *ecdsa.PrivateKey
}

// startOAuth is startSessions with a project, kept as project, an application of the
// web in it, and ada, who is logged in by the session "login".
func startOAuth(t *testing.T, edits ...func(*application.OIDC)) (s *testkit.Server, web client) {
	t.Helper()
	s, _ = startSessions(t)
	s.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	person(t, s, s.OrgID, "ada")
	s.Run(t,
		testkit.Call{
			Name: "project", Do: "POST /management/v1/projects", Body: `{"name":"Shop"}`, Keep: map[string]string{"project": "id"},
			Events: []string{"project.added", "project.member.added"},
		},
		newSession("login", with("ada"), "session.user.checked", "session.password.checked"),
	)
	return s, newClient(t, s, "web", edits...)
}

// webApp is an application that may do all that one of the web may.
func webApp() *application.OIDC {
	return &application.OIDC{
		RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{"https://app.example.com/bye"},
		ResponseTypes: []int32{application.ResponseCode}, GrantTypes: []int32{application.GrantCode, application.GrantRefresh},
	}
}

// newClient adds an application to $project.
func newClient(t *testing.T, s *testkit.Server, name string, edits ...func(*application.OIDC)) client {
	t.Helper()
	c := webApp()
	for _, edit := range edits {
		edit(c)
	}
	out := newApplication(t, s, name, c)
	out.redirect, out.public = c.RedirectURIs[0], c.AuthMethod == application.AuthNone
	return out
}

func newApplication(t *testing.T, s *testkit.Server, name string, c application.Config) client {
	t.Helper()
	return newApplicationOf(t, s, eventstore.Scope{Instance: s.InstanceID, Org: s.OrgID}, s.Var("project"), name, c)
}

// newApplicationOf adds an application to a project of an organization.
func newApplicationOf(t *testing.T, s *testkit.Server, owner eventstore.Scope, project, name string, c application.Config) client {
	t.Helper()
	secret, hash := user.NewSecret()
	if !application.NeedsSecret(c) {
		secret, hash = "", ""
	}
	out := client{s: s, secret: secret, owner: owner, project: project}
	err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		out.app, out.id = tx.NewID(), tx.NewID()
		_, err := application.Add(tx, owner, project, application.New{ID: out.app, ClientID: out.id, Name: name, SecretHash: hash, Config: c})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(name, out.id)
	return out
}

// values makes parameters of pairs; an empty value leaves out what was there before.
func values(pairs ...string) url.Values {
	out := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if out.Del(pairs[i]); pairs[i+1] != "" {
			out.Set(pairs[i], pairs[i+1])
		}
	}
	return out
}

// request are the parameters of an authorization request, changed.
func (c client) request(changes ...string) url.Values {
	return values(append([]string{
		"client_id", c.id, "redirect_uri", c.redirect, "response_type", "code", "scope", "openid profile email offline_access", "state", "the state",
		"nonce", "the nonce", "code_challenge", challengeOf(verifier), "code_challenge_method", "S256",
	}, changes...)...)
}

// authorize makes the request and gives where the browser is sent; nil: nowhere.
func (c client) authorize(t testing.TB, changes ...string) (*url.URL, testkit.Reply) {
	t.Helper()
	r := c.s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/authorize?" + c.request(changes...).Encode()})
	to := r.Header.Get("Location")
	if to == "" {
		return nil, r
	}
	if r.Status != http.StatusSeeOther {
		t.Fatalf("status %d", r.Status)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return u, r
}

// begin is authorize for a request that is good: it gives its id.
func (c client) begin(t testing.TB, changes ...string) string {
	t.Helper()
	to, r := c.authorize(t, changes...)
	if to == nil || to.Query().Get("authRequest") == "" {
		t.Fatalf("%v: %d %s", to, r.Status, r.Body)
	}
	return to.Query().Get("authRequest")
}

// link links the session that is kept under the name to a request.
func (c client) link(t testing.TB, request, session string) testkit.Reply {
	t.Helper()
	return c.s.Send(t, testkit.Call{
		As: "client", Do: "POST /v2/oidc/auth_requests/" + request,
		Body: `{"session":{"sessionId":"$` + session + `","sessionToken":"` + c.s.TokenOf(t, session) + `"}}`,
	})
}

// code logs ada in at the client and gives the code.
func (c client) code(t testing.TB, changes ...string) string {
	t.Helper()
	r := c.link(t, c.begin(t, changes...), "login")
	if r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	var got struct{ CallbackURL string }
	if err := json.Unmarshal(r.Body, &got); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got.CallbackURL)
	if err != nil || u.Query().Get("code") == "" {
		t.Fatalf("%s", r.Body)
	}
	return u.Query().Get("code")
}

// post sends a form as the client.
func (c client) post(t testing.TB, path string, form url.Values) testkit.Reply {
	t.Helper()
	header := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	switch {
	case c.secret != "":
		header["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.id)+":"+url.QueryEscape(c.secret)))
	case c.public:
		form.Set("client_id", c.id)
	}
	if c.key != nil {
		header["DPoP"] = proof(t, c.s, c.key, "POST", path, nil)
	}
	return c.s.Send(t, testkit.Call{As: "nobody", Do: "POST " + path, Body: strings.ReplaceAll(form.Encode(), "$", "%24"), Header: header})
}

// tokens are an answer of the token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int64  `json:"expires_in"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
	Text    string `json:"error_description"`
	status  int
}

func (c client) ask(t testing.TB, pairs ...string) tokens {
	t.Helper()
	r := c.post(t, "/oauth/v2/token", values(pairs...))
	out := tokens{status: r.Status}
	if err := json.Unmarshal(r.Body, &out); err != nil {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return out
}

// redeem uses a code.
func (c client) redeem(t testing.TB, code string, changes ...string) tokens {
	t.Helper()
	return c.ask(t, append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", c.redirect, "code_verifier", verifier}, changes...)...)
}

func (c client) refresh(t testing.TB, token string, changes ...string) tokens {
	t.Helper()
	return c.ask(t, append([]string{"grant_type", "refresh_token", "refresh_token", token}, changes...)...)
}

// login gives ada's tokens.
func (c client) login(t testing.TB, changes ...string) tokens {
	t.Helper()
	got := c.redeem(t, c.code(t, changes...))
	if got.status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	return got
}

// introspect asks about a token.
func (c client) introspect(t testing.TB, token string) map[string]any {
	t.Helper()
	r := c.post(t, "/oauth/v2/introspect", values("token", token))
	var out map[string]any
	if err := json.Unmarshal(r.Body, &out); err != nil || r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return out
}

// active reports whether a token counts, by introspection; userinfo must agree.
func (c client) active(t testing.TB, token string) bool {
	t.Helper()
	active, _ := c.introspect(t, token)["active"].(bool)
	r := c.s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/userinfo", Header: map[string]string{"Authorization": "Bearer " + token}})
	if info := r.Status == http.StatusOK; info != active {
		t.Fatalf("introspection says %v, userinfo %d %s", active, r.Status, r.Body)
	}
	return active
}

// claimsOf are what a JWT says, unchecked.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func mustParse(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
