//go:build unix

package main

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// callback is where the application waits for its users.
const callback = "https://app.example.com/callback"

// browser follows nobody: where it is sent is what the tests look at.
var browser = &http.Client{Timeout: client.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// relying is an application of a real server, with what is known about the server
// from its discovery document alone, and ada, who has a session.
type relying struct {
	*node
	context.Context
	provider *oidc.Provider
	oauth2.Config
	project            string
	ada, session, seal string      // ids, and the session's token
	login              string      // the token of the login client
	told               chan string // logout tokens that the application gets
}

// ask calls the API as the administrator and gives the reply.
func (p *node) ask(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	status, reply, err := p.call(method, path, body)
	if err != nil || status > 299 {
		t.Fatalf("%s %s: %d %v %v", method, path, status, reply, err)
	}
	return reply
}

// text is ask for one text of the reply.
func (p *node) text(t *testing.T, name, method, path, body string) string {
	t.Helper()
	text, _ := p.ask(t, method, path, body)[name].(string)
	if text == "" {
		t.Fatalf("%s %s: there is no %s in the reply", method, path, name)
	}
	return text
}

// rely sets up an application by the API as an administrator would, and a person who
// uses it.
func rely(t *testing.T) *relying {
	t.Helper()
	const password = "Correct-Horse-1"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gatehouse.yaml"), []byte("allowed_networks: [127.0.0.0/8]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &relying{node: serve(t, dir, "--config", "gatehouse.yaml"), Context: oidc.ClientContext(t.Context(), client), told: make(chan string, 10)}
	application := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { r.told <- req.PostFormValue("logout_token") }))
	t.Cleanup(application.Close)
	r.project = r.text(t, "id", "POST", "/management/v1/projects", `{"name":"Shop"}`)
	app := r.ask(t, "POST", "/management/v1/projects/"+r.project+"/apps/oidc", `{"name":"Web","redirectUris":["`+callback+`"],
		"postLogoutRedirectUris":["https://app.example.com/bye"],"backChannelLogoutUri":"`+application.URL+`/logout","responseTypes":["OIDC_RESPONSE_TYPE_CODE"],
		"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE","OIDC_GRANT_TYPE_REFRESH_TOKEN","OIDC_GRANT_TYPE_TOKEN_EXCHANGE"]}`)
	r.ada = r.text(t, "userId", "POST", "/v2/users/human", `{"username":"ada","profile":{"givenName":"Ada","familyName":"Lovelace"},
		"email":{"email":"ada@example.com","isVerified":true},"password":{"password":"`+password+`"}}`)
	loginClient := r.text(t, "userId", "POST", "/management/v1/users/machine", `{"userName":"login","name":"Login page"}`)
	r.ask(t, "POST", "/admin/v1/members", `{"userId":"`+loginClient+`","roles":["IAM_LOGIN_CLIENT"]}`)
	r.login = r.text(t, "token", "POST", "/management/v1/users/"+loginClient+"/pats", `{}`)
	session := r.ask(t, "POST", "/v2/sessions", `{"checks":{"user":{"loginName":"ada"},"password":{"password":"`+password+`"}}}`)
	r.session, r.seal = fmt.Sprint(session["sessionId"]), fmt.Sprint(session["sessionToken"])
	r.Config = oauth2.Config{
		ClientID: fmt.Sprint(app["clientId"]), ClientSecret: fmt.Sprint(app["clientSecret"]), RedirectURL: callback,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email", oidc.ScopeOfflineAccess},
	}
	r.find(t)
	return r
}

// find finds out what the server says about itself.
func (r *relying) find(t *testing.T) {
	t.Helper()
	var err error
	if r.provider, err = oidc.NewProvider(r.Context, r.url); err != nil {
		t.Fatal(err)
	}
	r.Endpoint = r.provider.Endpoint()
}

// code takes ada through the login page, which is this test, to the application with
// a code. The library makes the request.
func (r *relying) code(t *testing.T, verifier string) string {
	t.Helper()
	return r.answered(t, r.AuthCodeURL("the state", oidc.Nonce("the nonce"), oauth2.S256ChallengeOption(verifier)))
}

// answered takes ada through the login page from an authorization request.
func (r *relying) answered(t *testing.T, request string) string {
	t.Helper()
	res, err := browser.Get(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	page, err := res.Location()
	if err != nil {
		t.Fatalf("authorize: %d %v", res.StatusCode, err)
	}
	linking := *r.node
	linking.token = r.login
	back, err := url.Parse(linking.text(t, "callbackUrl", "POST", "/v2/oidc/auth_requests/"+page.Query().Get("authRequest"),
		`{"session":{"sessionId":"`+r.session+`","sessionToken":"`+r.seal+`"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if q := back.Query(); q.Get("state") != "the state" || q.Get("iss") != r.url || !strings.HasPrefix(back.String(), callback+"?") {
		t.Fatalf("the way back is %s", back)
	}
	return back.Query().Get("code")
}

// tokens logs ada in.
func (r *relying) tokens(t *testing.T) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	token, err := r.Exchange(r.Context, r.code(t, verifier), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// renew uses a refresh token.
func (r *relying) renew(refresh string) (*oauth2.Token, error) {
	return r.TokenSource(r.Context, &oauth2.Token{RefreshToken: refresh}).Token()
}

// form posts a form as the application.
func (r *relying) form(t *testing.T, endpoint string, pairs ...string) (status int, reply map[string]any) {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(r.Context, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(r.ClientID), url.QueryEscape(r.ClientSecret))
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err == nil && len(data) > 0 {
		err = json.Unmarshal(data, &reply)
	}
	if err != nil {
		t.Fatalf("%s: %s %v", endpoint, data, err)
	}
	return res.StatusCode, reply
}

// endpoints are those that the libraries have no name for.
type endpoints struct {
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	EndSession    string `json:"end_session_endpoint"`
	Push          string `json:"pushed_authorization_request_endpoint"`
}

func (r *relying) endpoints(t *testing.T) (e endpoints) {
	t.Helper()
	if err := r.provider.Claims(&e); err != nil {
		t.Fatal(err)
	}
	return e
}

// active reports whether a token counts.
func (r *relying) active(t *testing.T, token string) bool {
	t.Helper()
	status, said := r.form(t, r.endpoints(t).Introspection, "token", token)
	active, ok := said["active"].(bool)
	if status != http.StatusOK || !ok {
		t.Fatalf("introspection: %d %v", status, said)
	}
	return active
}

// TestOpenIDConnect: the usual libraries know nothing of the program but its address,
// and everything that they do works.
func TestOpenIDConnect(t *testing.T) {
	t.Parallel()
	r := rely(t)
	t.Run("code", r.testCode)
	t.Run("refresh and revocation", r.testRefresh)
	t.Run("fifty at once", r.testFifty)
	t.Run("machines", r.testMachines)
	t.Run("bound tokens", r.testBound)
	t.Run("pushed requests", r.testPushed)
	t.Run("device", r.testDevice)
	t.Run("exchange", r.testExchange)
	t.Run("logout", r.testLogout)
	r.stop(t)
	must(t, r.dir, "verify")
}

func (r *relying) testCode(t *testing.T) {
	token := r.tokens(t)
	raw, _ := token.Extra("id_token").(string)
	id, err := r.provider.Verifier(&oidc.Config{ClientID: r.ClientID}).Verify(r.Context, raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != r.ada || id.Nonce != "the nonce" || id.AccessTokenHash == "" || id.VerifyAccessToken(token.AccessToken) != nil {
		t.Errorf("the ID token is %+v", id)
	}
	var said struct {
		Client   string   `json:"azp"`
		Session  string   `json:"sid"`
		Methods  []string `json:"amr"`
		AuthTime int64    `json:"auth_time"`
	}
	if err := id.Claims(&said); err != nil || said.Client != r.ClientID || said.Session != r.session || !reflect.DeepEqual(said.Methods, []string{"pwd"}) ||
		time.Since(time.Unix(said.AuthTime, 0)) > time.Minute {
		t.Errorf("its claims are %+v %v", said, err)
	}
	info, err := r.provider.UserInfo(r.Context, oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != r.ada || info.Email != "ada@example.com" || !info.EmailVerified {
		t.Errorf("userinfo: %+v %v", info, err)
	}
	_, about := r.form(t, r.endpoints(t).Introspection, "token", token.AccessToken)
	for name, want := range map[string]any{"active": true, "sub": r.ada, "client_id": r.ClientID, "iss": r.url, "username": "ada", "scope": "openid profile email offline_access"} {
		if about[name] != want {
			t.Errorf("introspection: %s is %v, want %v", name, about[name], want)
		}
	}
}

func (r *relying) testRefresh(t *testing.T) {
	first := r.tokens(t)
	second, err := r.renew(first.RefreshToken)
	if err != nil || second.AccessToken == first.AccessToken || second.RefreshToken == first.RefreshToken || !r.active(t, second.AccessToken) {
		t.Fatalf("refresh: %+v %v", second, err)
	}
	if status, _ := r.form(t, r.endpoints(t).Revocation, "token", second.RefreshToken); status != http.StatusOK {
		t.Errorf("revocation: %d", status)
	}
	if _, err := r.renew(second.RefreshToken); err == nil || r.active(t, first.AccessToken) || r.active(t, second.AccessToken) {
		t.Errorf("what was revoked goes on: %v", err)
	}
}

// atOnce does something fifty times at once, and gives the tokens that came of it.
func atOnce(t *testing.T, do func() (*oauth2.Token, error)) (good []*oauth2.Token) {
	t.Helper()
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
	)
	for range 50 {
		wait.Go(func() {
			token, err := do()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				good = append(good, token)
			} else if refused := (*oauth2.RetrieveError)(nil); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	return good
}

func (r *relying) testFifty(t *testing.T) {
	verifier := oauth2.GenerateVerifier()
	code := r.code(t, verifier)
	first := r.tokens(t)
	for name, do := range map[string]func() (*oauth2.Token, error){
		"code":          func() (*oauth2.Token, error) { return r.Exchange(r.Context, code, oauth2.VerifierOption(verifier)) },
		"refresh token": func() (*oauth2.Token, error) { return r.renew(first.RefreshToken) },
	} {
		good := atOnce(t, do)
		if len(good) != 1 {
			t.Fatalf("one %s gave tokens %d times", name, len(good))
		}
		if _, err := r.renew(good[0].RefreshToken); err == nil || r.active(t, good[0].AccessToken) {
			t.Errorf("a %s was used fifty times, and what it gave counts", name)
		}
	}
	if r.active(t, first.AccessToken) {
		t.Error("a token of a family that ended counts")
	}
}

func (r *relying) testMachines(t *testing.T) {
	robot := r.text(t, "userId", "POST", "/management/v1/users/machine", `{"userName":"robot","name":"Robot"}`)
	secret := r.ask(t, "PUT", "/management/v1/users/"+robot+"/secret", `{}`)
	scopes := []string{oidc.ScopeOpenID, "profile", "urn:zitadel:iam:org:project:id:" + r.project + ":aud"}
	byPassword := clientcredentials.Config{ClientID: fmt.Sprint(secret["clientId"]), ClientSecret: fmt.Sprint(secret["clientSecret"]), TokenURL: r.Endpoint.TokenURL, Scopes: scopes}

	byKey := clientcredentials.Config{
		TokenURL: r.Endpoint.TokenURL, Scopes: scopes, AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {r.assertion(t, robot)}},
	}
	for name, source := range map[string]oauth2.TokenSource{"client credentials": byPassword.TokenSource(r.Context), "JWT profile": byKey.TokenSource(r.Context)} {
		token, err := source.Token()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if info, err := r.provider.UserInfo(r.Context, oauth2.StaticTokenSource(token)); err != nil || info.Subject != robot || !r.active(t, token.AccessToken) {
			t.Errorf("%s: %+v %v", name, info, err)
		}
	}
}

// TestReuseAfterKill: a refresh token that was used before a kill is used up after it,
// and whoever tries it again ends all that came from the login.
func TestReuseAfterKill(t *testing.T) {
	t.Parallel()
	r := rely(t)
	first := r.tokens(t)
	second, err := r.renew(first.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	verifier := oauth2.GenerateVerifier()
	code := r.code(t, verifier)
	third, err := r.Exchange(r.Context, code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	r.kill()
	r.node = serve(t, r.dir)
	r.find(t)
	if !r.active(t, second.AccessToken) || !r.active(t, third.AccessToken) {
		t.Error("what was acknowledged is gone")
	}
	if _, err := r.renew(first.RefreshToken); err == nil || r.active(t, second.AccessToken) {
		t.Errorf("a refresh token works again after a kill: %v", err)
	}
	if _, err := r.Exchange(r.Context, code, oauth2.VerifierOption(verifier)); err == nil || r.active(t, third.AccessToken) {
		t.Errorf("a code works again after a kill: %v", err)
	}
	r.stop(t)
	must(t, r.dir, "verify")
}

// assertion is signed with a new key of a machine user, as the key's file says.
func (r *relying) assertion(t *testing.T, userID string) string {
	t.Helper()
	sealed := r.text(t, "keyDetails", "POST", "/management/v1/users/"+userID+"/keys", `{"type":"KEY_TYPE_JSON"}`)
	var key struct{ KeyID, Key, UserID string }
	file, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		err = json.Unmarshal(file, &key)
	}
	if err != nil {
		t.Fatalf("%s %v", file, err)
	}
	block, _ := pem.Decode([]byte(key.Key))
	private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: key.KeyID}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: key.UserID, Subject: key.UserID, Audience: jwt.Audience{r.url}, IssuedAt: jwt.NewNumericDate(time.Now()), Expiry: jwt.NewNumericDate(time.Now().Add(time.Minute)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (r *relying) testLogout(t *testing.T) {
	token := r.tokens(t)
	raw, _ := token.Extra("id_token").(string)
	q := url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {"https://app.example.com/bye"}, "state": {"bye"}}
	res, err := browser.Get(r.endpoints(t).EndSession + "?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if to := res.Header.Get("Location"); to != "https://app.example.com/bye?state=bye" {
		t.Errorf("the browser is sent to %q (%d)", to, res.StatusCode)
	}
	if _, err := r.renew(token.RefreshToken); err == nil || r.active(t, token.AccessToken) {
		t.Errorf("tokens outlive the session: %v", err)
	}
	select { // OpenID Connect Back-Channel Logout 1.0, section 2.4.
	case logout := <-r.told:
		told, err := r.provider.VerifierContext(r.Context, &oidc.Config{ClientID: r.ClientID}).Verify(r.Context, logout)
		var claims struct {
			Session string         `json:"sid"`
			Events  map[string]any `json:"events"`
		}
		if err == nil {
			err = told.Claims(&claims)
		}
		if err != nil || told.Subject != r.ada || claims.Session != r.session || claims.Events["http://schemas.openid.net/event/backchannel-logout"] == nil {
			t.Errorf("the application was told %s: %v, %+v", logout, err, claims)
		}
	case <-time.After(20 * time.Second):
		t.Error("the application was not told of the logout")
	}
	if status, reply, _ := r.call("GET", "/v2/sessions/"+r.session, ""); status != http.StatusNotFound {
		t.Errorf("the session: %d %v", status, reply)
	}
}
