package test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"google.golang.org/protobuf/encoding/protojson"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const importData = "POST /admin/v1/import"

// wholeOrg is an organization of an import with one of everything that can be made.
const wholeOrg = `{"orgId":"acme","org":{"name":"Acme"},"orgState":"ORG_STATE_INACTIVE",
	"domainPolicy":{"userLoginMustBeDomain":true},"labelPolicy":{"primaryColor":"#5469d4"},"lockoutPolicy":{"maxPasswordAttempts":7},
	"loginPolicy":{"allowUsernamePassword":true,"allowExternalIdp":true,"idps":[{"idpId":"159","ownerType":"IDP_OWNER_TYPE_SYSTEM"}]},
	"passwordComplexityPolicy":{"minLength":9},"privacyPolicy":{"tosLink":"https://acme.example/tos"},
	"initMessages":[{"language":"de","title":"Hallo"}],
	"domains":[{"domainName":"acme.localhost","isVerified":true},{"domainName":"acme.example","isVerified":true,"isPrimary":true}],
	"humanUsers":[{"userId":"ada","state":"USER_STATE_LOCKED","user":{"userName":"ada","profile":{"firstName":"Ada","lastName":"L"},"email":{"email":"ada@acme.example","isEmailVerified":true},"otpCode":"JBSWY3DPEHPK3PXP"}}],
	"machineUsers":[{"userId":"robot","state":"USER_STATE_INACTIVE","user":{"userName":"robot","name":"Robot"}}],
	"userMetadata":[{"id":"ada","key":"k","value":"dg=="}],
	"userLinks":[{"userId":"ada","idpId":"159","providedUserId":"1","providedUserName":"ada"}],
	"projects":[{"projectId":"portal","project":{"name":"Portal"}}],"projectRoles":[{"projectId":"portal","roleKey":"reader","displayName":"Reader"}],
	"apiApps":[{"appId":"api","app":{"projectId":"portal","name":"API"}}],
	"oidcApps":[{"appId":"web","app":{"projectId":"portal","name":"Web","redirectUris":["https://acme.example/cb"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE"]}}],
	"projectGrants":[{"grantId":"portal-other","projectGrant":{"projectId":"portal","grantedOrgId":"other","roleKeys":["reader"]}}],
	"userGrants":[{"userId":"ada","projectId":"portal","roleKeys":["reader"]}],
	"orgMembers":[{"userId":"ada","roles":["ORG_OWNER"]}],"projectMembers":[{"projectId":"portal","userId":"ada","roles":["PROJECT_OWNER"]}],
	"projectGrantMembers":[{"projectId":"portal","grantId":"portal-other","userId":"ada","roles":["PROJECT_GRANT_OWNER"]}]}`

// TestImportData: an import makes what it holds, under the ids that it had.
func TestImportData(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	made := slices.Concat(orgAdded, orgAdded, []string{
		"org.policy.domain.added", "org.user.names.scope.changed", "org.policy.label.added", "org.policy.label.activated", "org.policy.lockout.added", "org.policy.login.added", "org.policy.login.idpprovider.added",
		"org.policy.password.complexity.added", "org.policy.privacy.added", "org.customtext.set", "org.domain.added", "org.domain.verified", "org.domain.primary.set",
		"user.human.added", "user.human.email.verified", "user.human.mfa.otp.added", "user.human.mfa.otp.verified", "user.locked",
		"user.machine.added", "user.deactivated", "user.metadata.set", linkAdded,
		"project.added", "project.member.added", "project.role.added", "project.application.added", "project.application.config.api.added", "project.application.added", "project.application.config.oidc.added",
		"project.grant.added", "user.grant.added", "org.member.added", "project.member.added", "project.grant.member.added", "org.deactivated",
	})
	s.Run(t,
		testkit.Call{
			Name: "import", Do: importData, Body: `{"dataOrgs":{"orgs":[` + wholeOrg + `,{"orgId":"other","org":{"name":"Other"}}]},"timeout":"9s"}`, Events: made,
			Want: `{"errors":null,"success":{"orgs":[{"orgId":"acme","projectIds":["portal"],"projectRoles":["portal/reader"],"oidcAppIds":["web"],"apiAppIds":["api"],"humanUserIds":["ada"],"machineUserIds":["robot"],
				"projectGrants":[{"grantId":"portal-other","projectId":"portal","orgId":"other"}],"userGrants":[{"projectId":"portal","userId":"ada"}],"orgMembers":["ada"],
				"projectMembers":[{"projectId":"portal","userId":"ada"}],"projectGrantMembers":[{"projectId":"portal","grantId":"portal-other","userId":"ada"}],
				"userLinks":[{"userId":"ada","externalUserId":"1","displayName":"ada","idpId":"159"}],"userMetadata":[{"userId":"ada","key":"k"}],"domains":["acme.localhost","acme.example"]},{"orgId":"other"}]}}`,
		},
		testkit.Call{Name: "she is locked", Do: "GET /v2/users/ada", Want: `{"user":{"state":"USER_STATE_LOCKED","preferredLoginName":"ada@acme.example"}}`},
		testkit.Call{Name: "it is inactive", Do: "GET /v2/users/robot", Want: `{"user":{"state":"USER_STATE_INACTIVE"}}`},
		testkit.Call{Name: "the application", In: "acme", Do: "GET /management/v1/projects/portal/apps/web", Want: `{"app":{"id":"web","name":"Web"}}`},
		testkit.Call{Name: "again nothing", Do: importData, Body: `{"dataOrgs":{"orgs":[{"orgId":"other","org":{"name":"Other"},"orgState":"ORG_STATE_ACTIVE"}]}}`, Want: `{"errors":[{"type":"org","id":"other"}],"success":{"orgs":null}}`},
		testkit.Call{
			Name: "ids of others", Do: importData, Events: []string{"project.added", "project.member.added"},
			Body: `{"dataOrgs":{"orgs":[{"orgId":"other","projects":[{"projectId":"second","project":{"name":"Second"}},{"projectId":"portal","project":{"name":"Third"}}],"humanUsers":[{"userId":"robot","user":` + imported("bob", "") + `}],
				"apiApps":[{"appId":"web","app":{"projectId":"second","name":"A"}}],"projectGrants":[{"grantId":"portal-other","projectGrant":{"projectId":"second","grantedOrgId":"acme"}},{"grantId":"a/b","projectGrant":{"projectId":"second","grantedOrgId":"acme"}}]}]}}`,
			Want: `{"errors":[{"type":"human_user","id":"robot"},{"type":"project","id":"portal"},{"type":"api_app","id":"web"},{"type":"project_grant","id":"portal-other","message":"A grant with this id exists already. (PROJECT-grant-id)"},{"type":"project_grant","id":"a/b"}],"success":{"orgs":[{"orgId":"other","projectIds":["second"],"projectGrants":null}]}}`,
		},
		testkit.Call{
			Name: "more, in the older form", Do: importData, Events: []string{"org.policy.domain.added", "org.policy.login.added", "org.policy.login.secondfactor.added", "user.machine.added"},
			Body: `{"dataOrgsv1":{"orgs":[{"orgId":"other","iamPolicy":{"orgId":"x"},"loginPolicy":{},"secondFactors":[{"type":"SECOND_FACTOR_TYPE_U2F"}],"machineUsers":[{"user":{"userName":"r","name":"R"}}]}]}}`,
			Want: `{"errors":null,"success":{"orgs":[{"orgId":"other","machineUserIds":["*"]}]}}`,
		},
	)
}

// TestImportDataTells: what cannot be made is told by its name, once, and nothing of it is
// there.
func TestImportDataTells(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ada := `{"userName":"%s","profile":{"firstName":"A","lastName":"L"},"email":{"email":"%s"}%s}`
	bad := func(id, name, email, more string) string {
		return `{"userId":"` + id + `","user":` + fmt.Sprintf(ada, name, email, more) + `}`
	}
	org := `{"orgId":"acme","org":{"name":"Acme"},"humanUsers":[` + strings.Join([]string{
		bad("a", "a", "none", ""), bad("b", "", "b@example.com", ""), bad("c/d", "c", "c@example.com", ""), bad("e", "e", "e@example.com", `,"otpCode":"x"`),
		bad("f", "f", "f@example.com", `,"requestPasswordlessRegistration":true`), `{"userId":"g"}`,
		strings.Replace(bad("h", "h", "h@example.com", ""), `"user":`, `"state":"USER_STATE_SUSPEND","user":`, 1),
	}, ",") + `],"oidcIdps":[{"idpId":"i","idp":{"name":"I"}}],"actions":[{"actionId":"j"}],"triggerActions":[{"flowType":"1","triggerType":"2"}],"appKeys":[{"id":"k"}],"machineKeys":[{"keyId":"l"}],
		"loginTexts":[{"language":"!"}],"projectRoles":[{"projectId":"nowhere","roleKey":"r"}],"userGrants":[{"userId":"nobody","projectId":"nowhere"}],"domains":[{"domainName":"no domain"}],"orgState":"ORG_STATE_REMOVED"}`
	told := []string{
		`"type":"login_text","id":"!"`, `"type":"domain","id":"no domain"`, `"type":"oidc_idp","id":"i"`,
		`"type":"human_user","id":"a"`, `"type":"human_user","id":"b"`, `"type":"human_user","id":"c/d"`, `"type":"human_user","id":"e"`, `"type":"human_user","id":"f"`, `"type":"human_user","id":"g"`, `"type":"human_user","id":"h"`,
		`"type":"machine_key","id":"l"`, `"type":"project_role","id":"nowhere/r"`, `"type":"app_key","id":"k"`, `"type":"action","id":"j"`, `"type":"trigger_action","id":"1/2"`,
		`"type":"user_grant","id":"nobody/nowhere"`, `"type":"org_state","id":"acme"`,
	}
	s.Run(t,
		testkit.Call{Name: "import", Do: importData, Body: `{"dataOrgs":{"orgs":[` + org + `]}}`, Want: `{"errors":[{` + strings.Join(told, `,"message":"*"},{`) + `}],"success":{"orgs":[{"orgId":"acme","humanUserIds":null}]}}`, Events: orgAdded},
		testkit.Call{Name: "nobody was made", Do: "POST /v2/users", Body: `{"queries":[{"organizationIdQuery":{"organizationId":"acme"}}]}`, Want: `{"result":null}`},
		testkit.Call{
			Name: "an organization that is not made", Do: importData, Body: `{"dataOrgs":{"orgs":[{"org":{},"machineUsers":[{"userId":"m","user":{"userName":"m","name":"M"}}]},{"orgId":"none","machineUsers":[{"userId":"n","user":{"userName":"n","name":"N"}}]}]}}`,
			Want: `{"errors":[{"type":"org"},{"type":"machine_user","id":"m"},{"type":"machine_user","id":"n"}],"success":{"orgs":null}}`,
		},
		testkit.Call{Name: "no time at all", Do: importData, Body: `{"timeout":"1ns","dataOrgs":{"orgs":[{"orgId":"late","org":{"name":"Late"}}]}}`, Want: `{"errors":[{"type":"org","id":"late","message":"The call took too long."}]}`},
		testkit.Call{Name: "a dry run", Do: importData, Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}, Body: `{"dataOrgs":{"orgs":[{"org":{"name":"X"}}]}}`, Status: 400},
		testkit.Call{Name: "a file", Do: importData, Body: `{"dataOrgsLocal":{"path":"/etc/passwd"}}`, Status: 501},
		testkit.Call{Name: "nothing", Do: importData, Body: `{}`, Status: 400},
		testkit.Call{Name: "a time that is none", Do: importData, Body: `{"timeout":"soon","dataOrgs":{"orgs":[{}]}}`, Status: 400},
	)
}

// TestImportDataIsItsCallers: who administers one organization imports nothing, and an
// import gives nobody what its caller could not.
func TestImportDataIsItsCallers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, func(o *server.Options) { o.Roles = map[string][]string{"IAM_IMPORTER": {"iam.write", "org.create"}} })
	inAll(t, s)
	addMachine(t, s, s.OrgID, "half", "")
	addMachine(t, s, s.OrgID, "importer", "")
	s.Run(t,
		testkit.Call{Name: "not by owners of organizations", As: "boss", Do: importData, Body: `{"dataOrgs":{"orgs":[{"orgId":"$acme"}]}}`, Status: 403},
		testkit.Call{Name: "a role of an instance", Do: "POST /admin/v1/members", Body: `{"userId":"$half","roles":["IAM_OWNER_VIEWER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "that reads", As: "half", Do: importData, Body: `{"dataOrgs":{"orgs":[{"orgId":"$acme"}]}}`, Status: 403},
		testkit.Call{Name: "a role to import", Do: "POST /admin/v1/members", Body: `{"userId":"$importer","roles":["IAM_IMPORTER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{
			Name: "that makes no users of others", As: "importer", Do: importData, Body: `{"dataOrgs":{"orgs":[{"orgId":"$acme","machineUsers":[{"userId":"m","user":{"userName":"m","name":"M"}}],"orgMembers":[{"userId":"$half","roles":["ORG_OWNER"]}]}]}}`,
			Want: `{"errors":[{"type":"machine_user","id":"m"},{"type":"org_member","id":"$half"}],"success":{"orgs":null}}`,
		},
	)
}

// TestImportedKeys: who signs with a key elsewhere goes on to do so here, under the same
// names: a machine user, and an application.
func TestImportedKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	key := rsaKey(t)
	public := base64.StdEncoding.EncodeToString(publicPEM(t, &key.PublicKey))
	s.Set("robot", "robot")
	org := `{"orgId":"acme","org":{"name":"Acme"},"machineUsers":[{"userId":"robot","user":{"userName":"robot","name":"Robot"}}],
		"machineKeys":[{"keyId":"robots","userId":"robot","type":"KEY_TYPE_JSON","publicKey":"` + public + `"},{"keyId":"empty","userId":"robot","type":"KEY_TYPE_JSON"},
			{"keyId":"secret","userId":"robot","type":"KEY_TYPE_JSON","publicKey":"` + public + `"}],
		"projects":[{"projectId":"portal","project":{"name":"Portal"}}],"apiApps":[{"appId":"api","app":{"projectId":"portal","name":"API","authMethodType":"API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}}],
		"appKeys":[{"id":"apis","projectId":"portal","appId":"api","clientId":"api@portal","type":"KEY_TYPE_JSON","publicKey":"` + public + `"},{"id":"bad","projectId":"portal","appId":"api","type":"KEY_TYPE_JSON","publicKey":"eA=="}]}`
	again := `{"orgId":"acme","machineKeys":[{"keyId":"robots","userId":"robot","type":"KEY_TYPE_JSON","publicKey":"` + public + `"}],
		"apiApps":[{"appId":"second","app":{"projectId":"portal","name":"Second"}}],
		"appKeys":[{"id":"apis","projectId":"portal","appId":"api","type":"KEY_TYPE_JSON","publicKey":"` + public + `"},{"id":"x","projectId":"portal","appId":"second","clientId":"api@portal","type":"KEY_TYPE_JSON","publicKey":"` + public + `"}]}`
	s.Run(t,
		testkit.Call{
			Name: "import", Do: importData, Body: `{"dataOrgs":{"orgs":[` + org + `]}}`,
			Want:   `{"errors":[{"type":"machine_key","id":"empty"},{"type":"machine_key","id":"secret"},{"type":"app_key","id":"bad"}],"success":{"orgs":[{"orgId":"acme","machineKeys":["robots"],"appKeys":["apis"],"apiAppIds":["api"]}]}}`,
			Events: slices.Concat(orgAdded, []string{"user.machine.added", "user.machine.key.added", "project.added", "project.member.added", "project.application.added", "project.application.config.api.added", "project.application.oidc.key.added"}),
		},
		testkit.Call{
			Name: "ids of others", Do: importData, Body: `{"dataOrgs":{"orgs":[` + again + `]}}`,
			Want: `{"errors":[{"type":"machine_key","id":"robots","message":"A key with this id exists already. (USER-key-id)"},{"type":"api_app","id":"second","message":"An application with this client id exists already. (APP-client)"},
				{"type":"app_key","id":"apis","message":"A key with this id exists already. (APP-key-id)"},{"type":"app_key","id":"x"}]}`,
		},
		gives(tokenCall("the machine", "grant_type", jwtBearer, "scope", "openid "+apiScope, "assertion", assertion(t, jose.RS256, key, "robots", nil, claims(s, nil))), "robot"),
		me("is let in", "robot", 200),
	)
	proof := assertion(t, jose.RS256, key, "apis", nil, claims(s, map[string]any{"iss": "api@portal", "sub": "api@portal", "jti": "once", "exp": s.Clock.Now().Unix() + 60}))
	introspect := tokenCall("the application", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", proof, "token", s.TokenOf(t, "robot"))
	introspect.Do, introspect.Want = "POST /oauth/v2/introspect", `{"active":false}`
	s.Run(t, introspect)
}

// TestImportDataOfCrowds: many users are made at once, each under its id.
func TestImportDataOfCrowds(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const n = 300
	users := make([]string, n)
	for i := range users {
		users[i] = fmt.Sprintf(`{"userId":"m%d","user":{"userName":"m%d","name":"M"}}`, i, i/2*2)
	}
	r := s.Send(t, testkit.Call{Do: importData, Body: `{"dataOrgs":{"orgs":[{"orgId":"$org","machineUsers":[` + strings.Join(users, ",") + `]}]}}`})
	res := &adminpb.ImportDataResponse{}
	if err := protojson.Unmarshal(r.Body, res); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	if made := len(res.GetSuccess().GetOrgs()[0].GetMachineUserIds()); made != n/2 || len(res.GetErrors()) != n/2 {
		t.Errorf("%d were made and %d failed, want half of %d, which have names of others", made, len(res.GetErrors()), n)
	}
}
