package test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// startWithOperators starts a server that knows users from the configuration, each
// with one membership and a token under its name.
func startWithOperators(t *testing.T, operators map[string]flow.SystemMembership) *testkit.Server {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := testkit.Start(t, func(o *server.Options) {
		for name, m := range operators {
			o.SystemUsers = append(o.SystemUsers, flow.SystemUser{Name: name, Key: key.Public(), Memberships: []flow.SystemMembership{m}})
		}
	})
	for name := range operators {
		now := s.Clock.Now()
		s.SetToken(name, sign(t, jose.RS256, key, jwt.Claims{
			Issuer: name, Subject: name, Audience: jwt.Audience{"http://localhost"},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
		}))
	}
	return s
}

// TestSystemFeatures: what is set for the installation holds in every instance
// that does not set it itself, from the next request on.
func TestSystemFeatures(t *testing.T) {
	t.Parallel()
	s := startWithOperators(t, map[string]flow.SystemMembership{
		"operator": {On: flow.OnSystem, Roles: []string{"SYSTEM_OWNER"}},
		"viewer":   {On: flow.OnSystem, Roles: []string{"SYSTEM_OWNER_VIEWER"}},
		"instance": {On: flow.OnInstance, Roles: []string{"SYSTEM_OWNER", "IAM_OWNER"}},
	})
	other := s.Sibling(t)
	const system, instance = "/v2/features/system", "/v2/features/instance"
	inherited := func(want string) {
		t.Helper()
		for _, node := range []*testkit.Server{s, other} {
			node.Check(t, testkit.Call{Do: "GET " + instance + "?inheritance=true", Want: want})
		}
	}
	s.Run(t,
		testkit.Call{Name: "nothing set", As: "operator", Do: "GET " + system, Want: `{"loginDefaultOrg":{"enabled":null,"source":null},"details":{"changeDate":null}}`},
		testkit.Call{Name: "name one", As: "operator", Do: "PUT " + system, Body: `{}`, Status: 400, Want: `{"details":[{"id":"FEATURE-none"}]}`},
		testkit.Call{Name: "nothing to reset is fine", As: "operator", Do: "DELETE " + system},
		testkit.Call{
			Name: "set", As: "operator", Do: "PUT " + system,
			Body: `{"loginDefaultOrg":true,"userSchema":false,"improvedPerformance":["IMPROVED_PERFORMANCE_PROJECT"],"oidcSingleV1SessionTermination":true,
				"loginV2":{"required":true,"baseUri":"https://login.example"},"permissionCheckV2":true,"enableRelationalTables":true}`,
			Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"SYSTEM"}}`,
			Events: []string{
				"feature.system.login_default_org.set", "feature.system.user_schema.set", "feature.system.improved_performance.set",
				"feature.system.oidc_single_v1_session_termination.set", "feature.system.login_v2.set", "feature.system.permission_check_v2.set",
				"feature.system.enable_relational_tables.set",
			},
			Keep: map[string]string{"changed": "details.changeDate"},
		},
		testkit.Call{
			Name: "read back", Do: "GET " + system,
			Want: `{"details":{"changeDate":"$changed"},"loginDefaultOrg":{"enabled":true,"source":"SOURCE_SYSTEM"},"userSchema":{"enabled":null,"source":"SOURCE_SYSTEM"},
				"improvedPerformance":{"executionPaths":["IMPROVED_PERFORMANCE_PROJECT"]},"loginV2":{"required":true,"baseUri":"https://login.example"}}`,
		},
		testkit.Call{Name: "unchanged is fine", As: "operator", Do: "PUT " + system, Body: `{"loginDefaultOrg":true}`, Want: `{"details":{"changeDate":"$changed"}}`},
		testkit.Call{Name: "bad address", As: "operator", Do: "PUT " + system, Body: `{"userSchema":true,"loginV2":{"baseUri":"ftp://a"}}`, Status: 400},
		testkit.Call{Name: "what is always on changes nothing", As: "operator", Do: "PUT " + system, Body: `{"oidcTokenExchange":false}`, Want: `{"details":{"changeDate":"$changed"}}`},
		testkit.Call{Name: "not a viewer's", As: "viewer", Do: "PUT " + system, Body: `{"userSchema":true}`, Status: 403},
		testkit.Call{Name: "nor an instance's", Do: "PUT " + system, Body: `{"userSchema":true}`, Status: 403},
		testkit.Call{Name: "nor of one with that role on instances", As: "instance", Do: "PUT " + system, Body: `{"userSchema":true}`, Status: 403},
		testkit.Call{Name: "who cannot reset either", As: "instance", Do: "DELETE " + system, Status: 403},
	)
	inherited(`{"loginDefaultOrg":{"enabled":true,"source":"SOURCE_SYSTEM"},"loginV2":{"baseUri":"https://login.example","source":"SOURCE_SYSTEM"},
		"debugOidcParentError":{"enabled":null,"source":null}}`)
	s.Run(t,
		testkit.Call{Name: "not the instance's own", Do: "GET " + instance, Want: `{"loginDefaultOrg":null}`},
		testkit.Call{Name: "the instance differs", Do: "PUT " + instance, Body: `{"loginDefaultOrg":false}`, Events: []string{"feature.instance.login_default_org.set"}},
	)
	inherited(`{"loginDefaultOrg":{"enabled":null,"source":"SOURCE_INSTANCE"},"permissionCheckV2":{"enabled":true,"source":"SOURCE_SYSTEM"}}`)
	s.Run(t, testkit.Call{Name: "reset", As: "operator", Do: "DELETE " + system, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"feature.system.reset"}})
	inherited(`{"loginDefaultOrg":{"source":"SOURCE_INSTANCE"},"permissionCheckV2":{"enabled":null,"source":null}}`)
}

// TestMembersOfAnOrganizationStayInIt: a role of the instance that is held on one
// organization gives nothing elsewhere, whatever the request names.
func TestMembersOfAnOrganizationStayInIt(t *testing.T) {
	t.Parallel()
	s := startWithOperators(t, map[string]flow.SystemMembership{"local": {On: flow.OnOrg, ID: "acme", Roles: []string{"IAM_OWNER"}}})
	s.Run(t, testkit.Call{Name: "its organization", Do: "POST /v2/organizations", Body: `{"name":"Acme","organizationId":"acme"}`, Status: 201, Events: orgAdded})
	const texts = "/v2/settings/hosted_login_translation"
	for _, c := range []testkit.Call{
		{Name: "texts of the instance", Do: "PUT " + texts, Body: `{"instance":true,"locale":"de"}`},
		{Name: "texts of another", Do: "PUT " + texts, Body: `{"organizationId":"$org","locale":"de"}`},
		{Name: "to read", Do: "GET " + texts + "?organizationId=$org&locale=de"},
		{Name: "to read from the instance", Do: "GET " + texts + "?instance=true&locale=de"},
		{Name: "settings", Do: "POST /v2/settings/organization", Body: `{"organizationId":"$org","organizationScopedUsernames":true}`},
		{Name: "settings to remove", Do: "DELETE /v2/settings/organization", Body: `{"organizationId":"$org"}`},
		viaConnect("links of the instance", "", "SetLinkSettings", `{"ctx":{"instance":true}}`, ""),
		viaConnect("links of another", "", "SetLinkSettings", `{"ctx":{"orgId":"$org"}}`, ""),
		viaConnect("links to reset", "", "ResetLinkSettings", `{"ctx":{"instance":true}}`, ""),
		viaConnect("links to read", "", "GetEffectiveSettings", `{"organizationId":"$org"}`, ""),
	} {
		c.As, c.In = "local", "acme"
		if r := s.Send(t, c); r.Status != http.StatusNotFound && r.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", c.Name, r.Status, r.Body)
		}
	}
}

func TestActivateFeatureLoginDefaultOrg(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const path = "PUT /admin/v1/features/login_default_org"
	s.Run(t,
		testkit.Call{Name: "on", Do: path, Want: `{"details":{"changeDate":"*","resourceOwner":"$instance"}}`, Events: []string{"feature.instance.login_default_org.set"}},
		testkit.Call{Name: "is on", Do: "GET /v2/features/instance", Want: `{"loginDefaultOrg":{"enabled":true,"source":"SOURCE_INSTANCE"}}`},
		testkit.Call{Name: "again is fine", Do: path, Want: `{"details":{"changeDate":"*"}}`},
		testkit.Call{Name: "not the organization's", As: "acme", Do: path, Status: 403},
	)
}
