package test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

var (
	oidcAdded = []string{"project.application.added", "project.application.config.oidc.added"}
	apiAdded  = []string{"project.application.added", "project.application.config.api.added"}
	samlAdded = []string{"project.application.added", "project.application.config.saml.added"}
)

const appsPath = "/management/v1/projects/$portal/apps"

// samlMetadata is the metadata of an application of SAML, for JSON.
func samlMetadata(entity, location string) string {
	return base64.StdEncoding.EncodeToString([]byte(`<?xml version="1.0"?><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + entity + `">
		<SPSSODescriptor><AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + location + `" index="0"/></SPSSODescriptor></EntityDescriptor>`))
}

func TestOIDCApps(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	s.Run(t,
		testkit.Call{
			Name: "add", As: "boss", Do: "POST " + appsPath + "/oidc",
			Body: `{"name":"Web","redirectUris":["https://web.example.com/back"],"postLogoutRedirectUris":["https://web.example.com/"],"additionalOrigins":["https://other.example.com:8443"],
				"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE","OIDC_GRANT_TYPE_REFRESH_TOKEN"],"clockSkew":"2s","loginVersion":{"loginV2":{"baseUri":"https://login.example.com/"}}}`,
			Want: `{"clientId":"*","clientSecret":"*","noneCompliant":null,"details":{"resourceOwner":"$acme"}}`, Keep: map[string]string{"web": "appId", "client": "clientId", "secret": "clientSecret"}, Events: oidcAdded,
		},
		testkit.Call{Name: "read", As: "boss", Do: "GET " + appsPath + "/$web", Want: `{"app":{"id":"$web","name":"Web","state":"APP_STATE_ACTIVE","oidcConfig":{"redirectUris":["https://web.example.com/back"],"clientId":"$client",
			"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE","OIDC_GRANT_TYPE_REFRESH_TOKEN"],"clockSkew":"2s","noneCompliant":null,
			"allowedOrigins":["https://web.example.com","https://other.example.com:8443"],"loginVersion":{"loginV2":{"baseUri":"https://login.example.com/"}}}}}`},
		testkit.Call{Name: "a name once, in any case", As: "boss", Do: "POST " + appsPath + "/oidc", Body: `{"name":"WEB"}`, Status: 409},
		testkit.Call{Name: "but in another project", As: "boss", Do: "POST /management/v1/projects/$other/apps/oidc", Body: `{"name":"Web"}`, Want: `{"noneCompliant":true,"complianceProblems":[{"key":"Application.OIDC.V1.NoRedirectUris","localizedMessage":"There is no redirect URI to send people back to."}]}`, Events: oidcAdded},
		testkit.Call{Name: "a public one has no secret", As: "boss", Do: "POST " + appsPath + "/oidc", Body: `{"name":"Native","appType":"OIDC_APP_TYPE_NATIVE","authMethodType":"OIDC_AUTH_METHOD_TYPE_NONE","redirectUris":["com.example.app:/back","http://127.0.0.1/back"]}`, Want: `{"clientSecret":null,"noneCompliant":null}`, Keep: map[string]string{"native": "appId"}, Events: oidcAdded},
		testkit.Call{Name: "nor a new one", As: "boss", Do: "POST " + appsPath + "/$native/oidc_config/_generate_client_secret", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "rename", As: "boss", Do: "PUT " + appsPath + "/$web", Body: `{"name":"Site"}`, Events: []string{"project.application.changed"}},
		testkit.Call{Name: "the same", As: "boss", Do: "PUT " + appsPath + "/$web", Body: `{"name":"Site"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "not another's name", As: "boss", Do: "PUT " + appsPath + "/$web", Body: `{"name":"native"}`, Status: 409},
		testkit.Call{Name: "configure", As: "boss", Do: "PUT " + appsPath + "/$web/oidc_config", Body: `{"redirectUris":["http://localhost:3000/back"],"devMode":true,"accessTokenType":"OIDC_TOKEN_TYPE_JWT","accessTokenRoleAssertion":true,"idTokenRoleAssertion":true,"idTokenUserinfoAssertion":true,"skipNativeAppSuccessPage":true,"loginVersion":{"loginV1":{}}}`, Events: []string{"project.application.config.oidc.changed"}},
		testkit.Call{Name: "is seen", As: "boss", Do: "GET " + appsPath + "/$web", Want: `{"app":{"name":"Site","oidcConfig":{"redirectUris":["http://localhost:3000/back"],"devMode":true,"accessTokenType":"OIDC_TOKEN_TYPE_JWT","accessTokenRoleAssertion":true,"idTokenRoleAssertion":true,"idTokenUserinfoAssertion":true,
			"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE"],"clockSkew":"0s","noneCompliant":null,"skipNativeAppSuccessPage":true,"loginVersion":{"loginV1":{}}}}}`},
		testkit.Call{Name: "nothing new", As: "boss", Do: "PUT " + appsPath + "/$web/oidc_config", Body: `{"redirectUris":["http://localhost:3000/back"],"devMode":true,"accessTokenType":"OIDC_TOKEN_TYPE_JWT","accessTokenRoleAssertion":true,"idTokenRoleAssertion":true,"idTokenUserinfoAssertion":true,"skipNativeAppSuccessPage":true,"loginVersion":{"loginV1":{}}}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "not as another kind", As: "boss", Do: "PUT " + appsPath + "/$web/api_config", Body: `{"authMethodType":1}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "deactivate", As: "boss", Do: "POST " + appsPath + "/$web/_deactivate", Body: `{}`, Events: []string{"project.application.deactivated"}},
		testkit.Call{Name: "once", As: "boss", Do: "POST " + appsPath + "/$web/_deactivate", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "reactivate", As: "boss", Do: "POST " + appsPath + "/$web/_reactivate", Body: `{}`, Events: []string{"project.application.reactivated"}},
		testkit.Call{Name: "list", As: "boss", Do: "POST " + appsPath + "/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"result":[{"id":"$web"},{"id":"$native"}]}`},
		testkit.Call{Name: "by name", As: "boss", Do: "POST " + appsPath + "/_search", Body: `{"queries":[{"nameQuery":{"name":"NAT","method":"TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"id":"$native"}]}`},
		testkit.Call{Name: "history", As: "boss", Do: "POST " + appsPath + "/$native/changes/_search", Want: `{"result":[{"eventType":{"key":"project.application.config.oidc.added"}},{"eventType":{"key":"project.application.added"}}]}`},
		testkit.Call{Name: "not another's", As: "foe", Do: "GET " + appsPath + "/$web", Status: 404},
		testkit.Call{Name: "nor as one of another organization", In: "$rival", Do: "PUT " + appsPath + "/$web", Body: `{"name":"Mine"}`, Status: 404},
		testkit.Call{Name: "nor a look", In: "$rival", Do: "GET " + appsPath + "/$web", Status: 404},
		testkit.Call{Name: "nor a list of them", As: "foe", Do: "POST " + appsPath + "/_search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{Name: "nor a change", As: "foe", Do: "PUT " + appsPath + "/$web", Body: `{"name":"Mine"}`, Status: 404},
		testkit.Call{Name: "remove", As: "boss", Do: "DELETE " + appsPath + "/$web", Events: []string{"project.application.removed"}},
		testkit.Call{Name: "is gone", As: "boss", Do: "GET " + appsPath + "/$web", Status: 404},
		testkit.Call{Name: "a project goes with its applications", As: "boss", Do: "DELETE /management/v1/projects/$portal", Events: []string{"project.removed"}},
		testkit.Call{Name: "all of them", As: "boss", Do: "POST /zitadel.application.v2.ApplicationService/GetApplication", Body: `{"applicationId":"$native"}`, Status: 404},
	)
}

// TestAppSecrets: a secret is shown once, kept as a hash that nobody sees, and ended
// by the next one.
func TestAppSecrets(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	s.Run(t,
		testkit.Call{Name: "add", As: "boss", Do: "POST " + appsPath + "/api", Body: `{"name":"Service"}`, Keep: map[string]string{"api": "appId", "first": "clientSecret"}, Events: apiAdded},
		testkit.Call{Name: "and one of OpenID Connect", As: "boss", Do: "POST " + appsPath + "/oidc", Body: `{"name":"Web"}`, Keep: map[string]string{"web": "appId"}, Events: oidcAdded},
		testkit.Call{Name: "regenerate", As: "boss", Do: "POST " + appsPath + "/$api/api_config/_generate_client_secret", Body: `{}`, Keep: map[string]string{"second": "clientSecret"}, Events: []string{"project.application.config.api.secret.changed"}},
		testkit.Call{Name: "for its own kind", As: "boss", Do: "POST " + appsPath + "/$api/oidc_config/_generate_client_secret", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "regenerate the other", As: "boss", Do: "POST " + appsPath + "/$web/oidc_config/_generate_client_secret", Body: `{}`, Want: `{"clientSecret":"*"}`, Events: []string{"project.application.config.oidc.secret.changed"}},
		testkit.Call{Name: "not another's", As: "foe", Do: "POST " + appsPath + "/$api/api_config/_generate_client_secret", Body: `{}`, Status: 404},
		testkit.Call{Name: "nobody without a role", As: "maker", Do: "POST " + appsPath + "/$api/api_config/_generate_client_secret", Body: `{}`, Status: 403},
	)
	first, second := s.Var("first"), s.Var("second")
	if first == second || !strings.HasPrefix(second, "gatehouse_secret_") {
		t.Errorf("the secrets are %q and %q", first, second)
	}
	if got := secretHash(t, s, "api"); got != user.HashToken(second) {
		t.Errorf("the hash is %q and not the new secret's", got)
	}
	r := s.Send(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"limit":100}`})
	if text := string(r.Body); strings.Contains(text, user.HashToken(first)) || strings.Contains(text, user.HashToken(second)) || strings.Contains(text, second) || !strings.Contains(text, "project.application.config.api.secret.changed") {
		t.Error("the log shows a secret or its hash, or not the events")
	}
	s.Run(t, testkit.Call{Name: "who signs has no secret", As: "boss", Do: "PUT " + appsPath + "/$api/api_config", Body: `{"authMethodType":"API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}`, Events: []string{"project.application.config.api.changed"}})
	if got := secretHash(t, s, "api"); got != "" {
		t.Error("the secret of an application that signs is still there")
	}
	s.Run(t, testkit.Call{Name: "and again", As: "boss", Do: "PUT " + appsPath + "/$api/api_config", Body: `{}`, Events: []string{"project.application.config.api.changed"}})
	t.Run("fifty at once", func(t *testing.T) {
		var all sync.WaitGroup
		var lock sync.Mutex
		hashes := map[string]bool{}
		for range 50 {
			all.Go(func() {
				r := s.Send(t, testkit.Call{As: "boss", Do: "POST " + appsPath + "/$api/api_config/_generate_client_secret", Body: `{}`})
				var got struct{ ClientSecret string }
				if err := json.Unmarshal(r.Body, &got); err != nil || r.Status != 200 {
					t.Errorf("%d %v", r.Status, err)
				}
				lock.Lock()
				defer lock.Unlock()
				hashes[user.HashToken(got.ClientSecret)] = true
			})
		}
		all.Wait()
		if len(hashes) != 50 || !hashes[secretHash(t, s, "api")] {
			t.Errorf("%d secrets, and the last is not among them", len(hashes))
		}
	})
}

// oneText reads a text of a row; it stays empty where there is no such row.
func oneText(to *string, sql string, args ...any) database.Query {
	return database.One(new(bool), sql, args, to)
}

// secretHash is what is kept of the secret of the application in a variable.
func secretHash(t *testing.T, s *testkit.Server, name string) (hash string) {
	t.Helper()
	if err := s.DB.Read(t.Context(), oneText(&hash, "SELECT secret_hash FROM applications WHERE app_id = ?", s.Var(name))); err != nil {
		t.Fatal(err)
	}
	return hash
}

// TestAppAddresses: what could run code in a browser, or be read in two ways, is
// refused when it is written.
func TestAppAddresses(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	s.Run(t, testkit.Call{Name: "add", As: "boss", Do: "POST " + appsPath + "/oidc", Body: `{"name":"Web"}`, Keep: map[string]string{"web": "appId"}, Events: oidcAdded})
	bad := []string{
		"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example", `\\evil.example`, "/back", "back", "",
		"https://a.example/#f", "https://a.example/#", "https://user@a.example/", "https://a.example@evil.example/", `https://a.example\@evil.example/`, `https:\\evil.example`,
		"https://a.example/\r\nSet-Cookie:x", "https://a.example/ x", "https:///back", "https:back", "http:", "file:///etc/passwd", "blob:https://a.example/1", "https://a.example/%zz",
		"https://a.example/" + strings.Repeat("x", 2048), "https://a.example/\u0085", "intent://x#Intent;end", "https://a.example:port/",
	}
	for _, field := range []string{"redirectUris", "postLogoutRedirectUris"} {
		for _, uri := range bad {
			body, _ := json.Marshal(map[string]any{field: []string{uri}})
			for _, call := range []testkit.Call{
				{As: "boss", Do: "PUT " + appsPath + "/$web/oidc_config", Body: string(body)},
				{As: "boss", Do: "POST " + appsPath + "/oidc", Body: `{"name":"Bad",` + string(body[1:])},
			} {
				if r := s.Send(t, call); r.Status != 400 {
					t.Errorf("%s %q: %d %s", field, uri, r.Status, r.Body)
				}
			}
		}
	}
	for field, values := range map[string][]string{
		"additionalOrigins":    {`["https://a.example/path"]`, `["*"]`, `["null"]`, `["https://a.example/"]`, `["ftp://a.example"]`, `["https://A.example","https://A.example"]`},
		"backChannelLogoutUri": {`"javascript:x"`, `"https://u@a.example"`, `"https://127.0.0.1/out"`, `"http://[::1]/out"`, `"https://10.0.0.1/out"`, `"https://169.254.169.254/latest"`, `"https://localhost/out"`},
		"loginVersion":         {`{"loginV2":{"baseUri":"javascript:x"}}`, `{"loginV2":{"baseUri":"login"}}`},
		"clockSkew":            {`"6s"`, `"-1s"`},
		"responseTypes":        {`[3]`, `[0,0]`},
		"grantTypes":           {`[5]`, `[0,0]`},
		"redirectUris":         {`["https://a.example","https://a.example"]`},
	} {
		for _, value := range values {
			if r := s.Send(t, testkit.Call{As: "boss", Do: "PUT " + appsPath + "/$web/oidc_config", Body: fmt.Sprintf(`{%q:%s}`, field, value)}); r.Status != 400 || strings.Contains(string(r.Body), `"code":9`) {
				t.Errorf("%s %s: %d %s", field, value, r.Status, r.Body)
			}
		}
	}
	s.Run(t,
		testkit.Call{Name: "a name that nobody knows", As: "boss", Do: "PUT " + appsPath + "/$web/oidc_config", Body: `{"backChannelLogoutUri":"https://no-such-host.invalid/out"}`, Events: []string{"project.application.config.oidc.changed"}},
		testkit.Call{Name: "strangers learn nothing of names", As: "foe", Do: "PUT " + appsPath + "/$web/oidc_config", Body: `{"backChannelLogoutUri":"https://127.0.0.1/out"}`, Status: 404},
	)
}

// TestAppCompliance: what is against the rules for a kind of programs is said, in
// the language of who asks.
func TestAppCompliance(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	const prefix = "Application.OIDC.V1."
	for i, c := range []struct {
		name, body string
		want       []string
	}{
		{"web", `"redirectUris":["https://a.example"]`, nil},
		{"web over http", `"redirectUris":["http://a.example"]`, []string{"RedirectUris.HttpNotAllowed"}},
		{"unless it is developed", `"redirectUris":["http://a.example"],"devMode":true`, nil},
		{"web with a scheme of its own", `"redirectUris":["com.example:/x"]`, []string{"Code.RedirectUris.CustomOnlyForNative"}},
		{"native", `"appType":2,"authMethodType":2,"redirectUris":["com.example:/x","http://localhost:1/x","http://[::1]/x","https://a.example"]`, nil},
		{"native over http", `"appType":2,"authMethodType":2,"redirectUris":["http://a.example"]`, []string{"Native.RedirectUris.MustBeHttpLocalhost"}},
		{"native with a secret", `"appType":2,"redirectUris":["com.example:/x"]`, []string{"Native.AuthMethodType.NotNone"}},
		{"browser", `"appType":1,"authMethodType":2,"redirectUris":["https://a.example"]`, nil},
		{"browser with a secret", `"appType":1,"redirectUris":["https://a.example"]`, []string{"UserAgent.AuthMethodType.NotNone"}},
		{"browser with a scheme of its own", `"appType":1,"authMethodType":2,"redirectUris":["com.example:/x"]`, []string{"Code.RedirectUris.CustomOnlyForNative"}},
		{"refresh alone", `"grantTypes":[2]`, []string{"GrantType.Refresh.NoAuthCode"}},
		{"device alone", `"grantTypes":[3]`, nil},
		{"implicit", `"appType":1,"authMethodType":2,"grantTypes":[1],"responseTypes":[1,2],"redirectUris":["https://a.example"]`, nil},
		{"implicit with a scheme", `"appType":2,"authMethodType":2,"grantTypes":[1],"responseTypes":[1],"redirectUris":["com.example:/x"]`, []string{"Implicit.RedirectUris.CustomNotAllowed"}},
		{"token without implicit", `"responseTypes":[2],"redirectUris":["https://a.example"]`, []string{"ResponseType.Implicit.NoGrant"}},
		{"code without its grant", `"grantTypes":[1],"redirectUris":["https://a.example"]`, []string{"ResponseType.Code.NoGrant"}},
	} {
		r := s.Send(t, testkit.Call{As: "boss", Do: "POST " + appsPath + "/oidc", Body: fmt.Sprintf(`{"name":"App %d",%s}`, i, c.body)})
		var got struct {
			NoneCompliant      bool
			ComplianceProblems []struct{ Key string }
		}
		if err := json.Unmarshal(r.Body, &got); err != nil || r.Status != 200 {
			t.Errorf("%s: %d %s %v", c.name, r.Status, r.Body, err)
		}
		var keys []string
		for _, p := range got.ComplianceProblems {
			keys = append(keys, strings.TrimPrefix(p.Key, prefix))
		}
		if strings.Join(keys, " ") != strings.Join(c.want, " ") || got.NoneCompliant != (len(c.want) > 0) {
			t.Errorf("%s: %v, want %v", c.name, keys, c.want)
		}
	}
}

func TestAppKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	s.Run(t,
		testkit.Call{Name: "app", As: "boss", Do: "POST " + appsPath + "/api", Body: `{"name":"Service","authMethodType":1}`, Want: `{"clientSecret":null}`, Keep: map[string]string{"api": "appId", "client": "clientId"}, Events: apiAdded},
		testkit.Call{Name: "other", As: "boss", Do: "POST " + appsPath + "/api", Body: `{"name":"Other"}`, Keep: map[string]string{"otherApp": "appId"}, Events: apiAdded},
		testkit.Call{Name: "saml", As: "boss", Do: "POST " + appsPath + "/saml", Body: `{"name":"Old","metadataXml":"` + samlMetadata("https://old.example", "https://old.example/acs") + `"}`, Keep: map[string]string{"saml": "appId"}, Events: samlAdded},
		testkit.Call{Name: "add", As: "boss", Do: "POST " + appsPath + "/$api/keys", Body: `{"type":"KEY_TYPE_JSON","expirationDate":"2099-01-01T00:00:00Z"}`, Keep: map[string]string{"key": "id", "file": "keyDetails"}, Events: []string{"project.application.oidc.key.added"}},
		testkit.Call{Name: "one that lasts", As: "boss", Do: "POST " + appsPath + "/$api/keys", Body: `{"type":1}`, Keep: map[string]string{"key2": "id"}, Events: []string{"project.application.oidc.key.added"}},
		testkit.Call{Name: "one that has ended", As: "boss", Do: "POST " + appsPath + "/$api/keys", Body: `{"type":1,"expirationDate":"2020-01-01T00:00:00Z"}`, Status: 400},
		testkit.Call{Name: "none for SAML", As: "boss", Do: "POST " + appsPath + "/$saml/keys", Body: `{"type":1}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "not for another's", As: "foe", Do: "POST " + appsPath + "/$api/keys", Body: `{"type":1}`, Status: 404},
		testkit.Call{Name: "get", As: "boss", Do: "GET " + appsPath + "/$api/keys/$key", Want: `{"key":{"id":"$key","type":"KEY_TYPE_JSON","expirationDate":"2099-01-01T00:00:00Z"}}`},
		testkit.Call{Name: "not as the other's", As: "boss", Do: "GET " + appsPath + "/$otherApp/keys/$key", Status: 404},
		testkit.Call{Name: "nor from outside", As: "foe", Do: "GET " + appsPath + "/$api/keys/$key", Status: 404},
		testkit.Call{Name: "list", As: "boss", Do: "POST " + appsPath + "/$api/keys/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"result":[{"id":"$key"},{"id":"$key2"}]}`},
		testkit.Call{Name: "not from outside", As: "foe", Do: "POST " + appsPath + "/$api/keys/_search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{Name: "not removed as the other's", As: "boss", Do: "DELETE " + appsPath + "/$otherApp/keys/$key", Status: 404},
		testkit.Call{Name: "remove", As: "boss", Do: "DELETE " + appsPath + "/$api/keys/$key", Events: []string{"project.application.oidc.key.removed"}},
		testkit.Call{Name: "once", As: "boss", Do: "DELETE " + appsPath + "/$api/keys/$key", Status: 404},
		testkit.Call{Name: "an application goes with its keys", As: "boss", Do: "DELETE " + appsPath + "/$api", Events: []string{"project.application.removed"}},
	)
	data, err := base64.StdEncoding.DecodeString(s.Var("file"))
	var file map[string]string
	if err != nil || json.Unmarshal(data, &file) != nil || file["type"] != "application" || file["keyId"] != s.Var("key") || file["appId"] != s.Var("api") || file["clientId"] != s.Var("client") || !strings.Contains(file["key"], "RSA PRIVATE KEY") {
		t.Errorf("the file is %v %v", file, err)
	}
	var left string
	if err := s.DB.Read(t.Context(), oneText(&left, "SELECT key_id FROM application_keys WHERE app_id = ?", s.Var("api"))); err != nil || left != "" {
		t.Errorf("key %q is left, %v", left, err)
	}
}

func TestSAMLApps(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	add := func(name, xml string) testkit.Call {
		return testkit.Call{As: "boss", Do: "POST " + appsPath + "/saml", Body: fmt.Sprintf(`{"name":%q,"metadataXml":%q}`, name, xml)}
	}
	raw := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	first := add("First", samlMetadata("https://one.example", "https://one.example/acs"))
	first.Events, first.Keep = samlAdded, map[string]string{"saml": "appId"}
	s.Run(t, first)
	for name, xml := range map[string]string{
		"a hostile address": samlMetadata("https://x.example", "javascript:alert(1)"), "no XML": raw("hello"), "cut off": raw(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x">`),
		"a document type": raw(`<!DOCTYPE x [<!ENTITY a "b">]><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/>`), "another root": raw(`<Other entityID="x"/>`),
		"no id": raw(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"/>`), "an entity of nobody": raw(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x">&a;</EntityDescriptor>`),
		"two roots": raw(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"/><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="y"/>`),
	} {
		if r := s.Send(t, add("Bad", xml)); r.Status != 400 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	taken := add("Twin", samlMetadata("https://one.example", "https://two.example/acs"))
	taken.Status, taken.Name = 409, "an entity id once"
	s.Run(t, taken,
		testkit.Call{Name: "read", As: "boss", Do: "GET " + appsPath + "/$saml", Want: `{"app":{"name":"First","samlConfig":{"metadataXml":"` + samlMetadata("https://one.example", "https://one.example/acs") + `"}}}`},
		testkit.Call{Name: "update", As: "boss", Do: "PUT " + appsPath + "/$saml/saml_config", Body: `{"metadataXml":"` + samlMetadata("https://new.example", "https://one.example/acs") + `"}`, Events: []string{"project.application.config.saml.changed"}},
		testkit.Call{Name: "no address within", As: "boss", Do: "PUT " + appsPath + "/$saml/saml_config", Body: `{"metadataUrl":"https://127.0.0.1/metadata"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "no plain one", As: "boss", Do: "PUT " + appsPath + "/$saml/saml_config", Body: `{"metadataUrl":"http://one.example/metadata"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "strangers fetch nothing", As: "foe", Do: "PUT " + appsPath + "/$saml/saml_config", Body: `{"metadataUrl":"https://127.0.0.1/metadata"}`, Status: 404},
		testkit.Call{Name: "the old id is free", As: "foe", Do: "POST /management/v1/projects", Body: `{"name":"P"}`, Keep: map[string]string{"p": "id"}, Events: projectAdded},
		testkit.Call{Name: "for all", As: "foe", Do: "POST /management/v1/projects/$p/apps/saml", Body: `{"name":"S","metadataXml":"` + samlMetadata("https://one.example", "https://one.example/acs") + `"}`, Keep: map[string]string{"theirs": "appId"}, Events: samlAdded},
		testkit.Call{Name: "the new one is not", As: "foe", Do: "PUT /management/v1/projects/$p/apps/$theirs/saml_config", Body: `{"metadataXml":"` + samlMetadata("https://new.example", "https://one.example/acs") + `"}`, Status: 409},
		testkit.Call{Name: "until it is gone", As: "boss", Do: "DELETE " + appsPath + "/$saml", Events: []string{"project.application.removed"}},
		testkit.Call{Name: "then it is", As: "foe", Do: "PUT /management/v1/projects/$p/apps/$theirs/saml_config", Body: `{"metadataXml":"` + samlMetadata("https://new.example", "https://one.example/acs") + `"}`, Events: []string{"project.application.config.saml.changed"}},
	)
}

func TestOrgRemovedWithApps(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	s.Run(t,
		testkit.Call{Name: "app", As: "boss", Do: "POST " + appsPath + "/api", Body: `{"name":"Service"}`, Keep: map[string]string{"api": "appId"}, Events: apiAdded},
		testkit.Call{Name: "key", As: "boss", Do: "POST " + appsPath + "/$api/keys", Body: `{"type":1}`, Events: []string{"project.application.oidc.key.added"}},
	)
	if r := s.Send(t, testkit.Call{Do: "POST /zitadel.org.v2.OrganizationService/DeleteOrganization", Body: `{"organizationId":"$acme"}`}); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	s.Settle(t)
	for _, table := range []string{"applications", "application_keys"} {
		var left string
		if err := s.DB.Read(t.Context(), oneText(&left, "SELECT app_id FROM "+table+" WHERE app_id = ?", s.Var("api"))); err != nil || left != "" {
			t.Errorf("%s: %q is left, %v", table, left, err)
		}
	}
}
