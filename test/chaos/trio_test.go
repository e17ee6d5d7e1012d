//go:build linux

package chaos

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// trio is three nodes on one PostgreSQL, each with a network of its own to it, and ada, who
// has a password, an authenticator app and recovery codes.
type trio struct {
	nodes   [3]*node
	proxies [3]*proxy
	cluster *testdb.Cluster
	client  string // the token of a login client
	org     string
	ada     string // her id
	secret  string // of her authenticator app
	step    int64  // of the last code that was used
	codes   []string
	app     struct{ id, secret string }
}

const (
	adasPassword = "Correct-Horse-1"
	redirectURI  = "https://app.example.com/callback"
	loginPolicy  = `{"allowUsernamePassword":true,"forceMfa":true,"passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s","multiFactorCheckLifetime":"43200s","secondFactors":[1,5]}`
)

// port is one that nobody listens on.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func newTrio(t *testing.T) *trio {
	t.Helper()
	x := &trio{cluster: newCluster(t)}
	dir := t.TempDir()
	for i := range x.nodes {
		x.proxies[i] = newProxy(t, x.cluster.Dial)
		x.nodes[i] = x.start(t, home{dir: dir, args: []string{"--database", x.proxies[i].url()}}, port(t))
	}
	n := x.nodes[0]
	x.org = n.must(t, "GET /management/v1/orgs/me", "").get("org.id")
	client := n.must(t, "POST /management/v1/users/machine", `{"userName":"client","name":"client"}`).get("userId")
	n.must(t, "POST /admin/v1/members", `{"userId":"`+client+`","roles":["IAM_LOGIN_CLIENT"]}`)
	x.client = x.token(t, client)
	n.must(t, "POST /management/v1/policies/login", loginPolicy)
	x.ada = n.must(t, "POST /v2/users/human", `{"username":"ada","organization":{"orgId":"`+x.org+`"},"profile":{"givenName":"Ada","familyName":"Example"},
		"email":{"email":"ada@example.com","isVerified":true},"password":{"password":"`+adasPassword+`","changeRequired":false}}`).get("userId")
	x.secret = n.must(t, "POST /v2/users/"+x.ada+"/totp", `{}`).get("secret")
	n.must(t, "POST /v2/users/"+x.ada+"/totp/verify", `{"code":"`+x.code(t)+`"}`)
	catchUp()
	return x
}

// start starts a node on a port that is known before.
func (x *trio) start(t *testing.T, h home, port string) *node {
	t.Helper()
	n := h.start(t, "--external-url", "http://localhost", "--listen", "localhost:"+port)
	n.url = "http://localhost:" + port
	return n
}

// token gives a user a personal access token.
func (x *trio) token(t *testing.T, user string) string {
	t.Helper()
	return x.nodes[0].must(t, "POST /management/v1/users/"+user+"/pats", `{}`).get("token")
}

// code is one of the authenticator app's that was not used yet. It may have to wait for it:
// one of the next half minute is good already.
func (x *trio) code(t *testing.T) string {
	t.Helper()
	soon := (time.Now().Unix() + 10) / 30 // The code must still be good when it arrives.
	x.step = max(x.step+1, soon-1)
	for x.step > time.Now().Unix()/30+1 {
		time.Sleep(100 * time.Millisecond)
	}
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(x.secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(x.step)))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&0xf:])&0x7fffffff%1_000_000)
}

// recovery is one of ada's recovery codes that was not used yet.
func (x *trio) recovery(t *testing.T) string {
	t.Helper()
	if len(x.codes) == 0 {
		var got struct{ RecoveryCodes []string }
		r := x.nodes[0].must(t, "POST /v2/users/"+x.ada+"/recovery_codes", `{"count":50}`)
		if err := json.Unmarshal(r.body, &got); err != nil || len(got.RecoveryCodes) != 50 {
			t.Fatal(r)
		}
		x.codes = got.RecoveryCodes
	}
	code := x.codes[0]
	x.codes = x.codes[1:]
	return code
}

// session is one of ada's.
type session struct{ id, token string }

// login makes a session of ada with her password and more checks.
func (x *trio) login(t *testing.T, more string) session {
	t.Helper()
	r := x.nodes[0].as(x.client, "POST /v2/sessions", `{"checks":{"user":{"userId":"`+x.ada+`"},"password":{"password":"`+adasPassword+`"}`+more+`}}`, "")
	if !r.ok() {
		t.Fatal(r)
	}
	catchUp()
	return session{r.get("sessionId"), r.get("sessionToken")}
}

// addApp makes an application of the web.
func (x *trio) addApp(t *testing.T) {
	t.Helper()
	n := x.nodes[0]
	project := n.must(t, "POST /management/v1/projects", `{"name":"Shop"}`).get("id")
	r := n.must(t, "POST /management/v1/projects/"+project+"/apps/oidc", `{"name":"Web","redirectUris":["`+redirectURI+`"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],
		"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE","OIDC_GRANT_TYPE_REFRESH_TOKEN"],"appType":"OIDC_APP_TYPE_WEB","authMethodType":"OIDC_AUTH_METHOD_TYPE_BASIC"}`)
	x.app.id, x.app.secret = r.get("clientId"), r.get("clientSecret")
}

// authCode logs ada in at the application by her session and gives the code.
func (x *trio) authCode(t *testing.T, s session) string {
	t.Helper()
	n := x.nodes[0]
	client := *n.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	q := url.Values{
		"client_id": {x.app.id}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "scope": {"openid profile offline_access"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	res, err := client.Get(n.url + "/oauth/v2/authorize?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || to.Query().Get("authRequest") == "" {
		t.Fatalf("authorize: %d %v %v", res.StatusCode, to, err)
	}
	catchUp()
	r := n.as(x.client, "POST /v2/oidc/auth_requests/"+to.Query().Get("authRequest"), `{"session":{"sessionId":"`+s.id+`","sessionToken":"`+s.token+`"}}`, "")
	back, err := url.Parse(r.get("callbackUrl"))
	if err != nil || back.Query().Get("code") == "" {
		t.Fatalf("link: %s", r)
	}
	catchUp()
	return back.Query().Get("code")
}

// redeem uses a code at a node, refresh a refresh token.
func (x *trio) redeem(n *node, code string) reply {
	return n.form("POST /oauth/v2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
	}.Encode(), x.app.id, x.app.secret)
}

func (x *trio) refresh(n *node, token string) reply {
	return n.form("POST /oauth/v2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}.Encode(), x.app.id, x.app.secret)
}

// counts reports whether a node says that an access token counts: both ways to ask must agree.
func (x *trio) counts(t *testing.T, n *node, token string) bool {
	t.Helper()
	r := n.form("POST /oauth/v2/introspect", url.Values{"token": {token}}.Encode(), x.app.id, x.app.secret)
	if !r.ok() {
		t.Fatal(r)
	}
	info := n.as(token, "GET /oidc/v1/userinfo", "", "")
	if active := r.get("active") == "true"; active != info.ok() {
		t.Errorf("introspection says %s, userinfo %s", r, info)
	}
	return info.ok()
}

// others are the nodes but one.
func (x *trio) others(n *node) []*node {
	return slices.DeleteFunc(slices.Clone(x.nodes[:]), func(o *node) bool { return o == n })
}

// sound holds that no node failed for a reason of its own.
func (x *trio) sound(t *testing.T) {
	t.Helper()
	for _, n := range x.nodes {
		n.sound(t)
	}
}

// letIn says what came of a call that only somebody who is let in succeeds with.
func letIn(r reply) string {
	switch {
	case r.ok():
		return "let in"
	case r.status == http.StatusUnauthorized:
		return "refused"
	case r.status == http.StatusServiceUnavailable, r.status == http.StatusGatewayTimeout:
		return "not now"
	}
	return strings.TrimSpace(r.String())
}
