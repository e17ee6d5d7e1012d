package test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestMachineTokens: a machine user's token is for what its scopes name, says so to who
// is meant, and is a JWT where the user wants one.
func TestMachineTokens(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	resource := newApplication(t, s, "resource", &application.API{})
	addMachine(t, s, s.OrgID, "robot", "")
	s.Run(t,
		testkit.Call{Name: "secret", Do: "PUT /management/v1/users/$robot/secret", Body: `{}`, Keep: map[string]string{"name": "clientId", "secret": "clientSecret"}, Events: []string{"user.machine.secret.set"}},
		testkit.Call{Name: "role", Do: "POST /management/v1/projects/$project/roles", Body: `{"roleKey":"reader","displayName":"R"}`, Events: []string{"project.role.added"}},
		testkit.Call{Name: "grant", Do: "POST /management/v1/users/$robot/grants", Body: `{"projectId":"$project","roleKeys":["reader"]}`, Events: []string{"user.grant.added"}},
	)
	robot := client{s: s, id: s.Var("name"), secret: s.Var("secret")}
	aud := "urn:zitadel:iam:org:project:id:" + s.Var("project") + ":aud"
	ask := func(scope string) tokens {
		t.Helper()
		return robot.ask(t, "grant_type", "client_credentials", "scope", scope)
	}
	none := ask("openid profile email offline_access")
	if none.status != http.StatusOK || none.Scope != "openid profile" || none.Refresh != "" || resource.introspect(t, none.Access)["active"] != false {
		t.Errorf("meant for nobody: %+v", none)
	}
	s.SetToken("none", none.Access)
	s.Run(t, me("not for our API", "none", 401))
	opaque := ask("openid profile " + aud + " urn:zitadel:iam:org:projects:roles")
	said := resource.introspect(t, opaque.Access)
	for name, want := range map[string]any{
		"active": true, "sub": s.Var("robot"), "client_id": s.Var("robot"), "username": "robot", "name": "robot", "aud": []any{s.Var("project")}, "amr": nil, "email": nil,
	} {
		if !reflect.DeepEqual(said[name], want) {
			t.Errorf("introspection: %s is %v, want %v", name, said[name], want)
		}
	}
	if said["urn:zitadel:iam:org:project:"+s.Var("project")+":roles"] == nil {
		t.Errorf("introspection says no roles: %v", said)
	}
	if status, info := userinfo(t, s, opaque.Access); status != http.StatusOK || info["sub"] != s.Var("robot") || info["preferred_username"] != "robot" || info["family_name"] != nil {
		t.Errorf("userinfo: %d %v", status, info)
	}
	refusedWith(t, "another organization", ask("openid urn:zitadel:iam:org:id:1"), "invalid_grant", "OIDC-organization")
	s.Run(t, testkit.Call{Name: "JWT", Do: "PUT /management/v1/users/$robot/machine", Body: `{"name":"robot","accessTokenType":"ACCESS_TOKEN_TYPE_JWT"}`, Events: []string{"user.machine.changed"}})
	signed := ask("openid " + aud + " " + apiScope + " urn:zitadel:iam:org:projects:roles")
	c := claimsOf(t, signed.Access)
	if c["sub"] != s.Var("robot") || c["client_id"] != s.Var("robot") || !reflect.DeepEqual(c["aud"], []any{s.Var("project"), "http://localhost"}) || c["urn:zitadel:iam:org:project:"+s.Var("project")+":roles"] == nil {
		t.Errorf("%v", c)
	}
	s.SetToken("signed", signed.Access)
	s.Run(t, me("at our API", "signed", 200))
	if resource.introspect(t, signed.Access)["active"] != true {
		t.Error("introspection of the JWT")
	}
	s.Run(t,
		testkit.Call{Name: "acme", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
		testkit.Call{Name: "a machine of it", Do: "POST /management/v1/users/machine", In: "$acme", Body: `{"userName":"clerk","name":"clerk"}`, Keep: map[string]string{"clerk": "userId"}, Events: []string{"user.machine.added"}},
		testkit.Call{Name: "its secret", Do: "PUT /management/v1/users/$clerk/secret", In: "$acme", Body: `{}`, Keep: map[string]string{"clerkName": "clientId", "clerkSecret": "clientSecret"}, Events: []string{"user.machine.secret.set"}},
	)
	clerk := client{s: s, id: s.Var("clerkName"), secret: s.Var("clerkSecret")}.ask(t, "grant_type", "client_credentials", "scope", "openid "+aud)
	for _, step := range []struct {
		do     string
		active bool
	}{
		{"POST /management/v1/orgs/me/_deactivate", false}, {"POST /management/v1/orgs/me/_reactivate", true},
		{"POST /management/v1/users/$clerk/_deactivate", false}, {"POST /management/v1/users/$clerk/_reactivate", true},
	} {
		if r := s.Send(t, testkit.Call{In: "$acme", Do: step.do, Body: `{}`}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", step.do, r.Body)
		}
		if resource.introspect(t, clerk.Access)["active"] != step.active {
			t.Errorf("after %s the token is not %v", step.do, step.active)
		}
	}
	s.Run(t,
		testkit.Call{Name: "the secret goes", Do: "DELETE /management/v1/users/$robot/secret", Events: []string{"user.machine.secret.removed"}},
		me("the JWT goes with it", "signed", 401),
	)
	if resource.introspect(t, signed.Access)["active"] != false || resource.introspect(t, opaque.Access)["active"] != false {
		t.Error("tokens outlive the secret")
	}
}
