package test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	managementpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const exportData = "POST /admin/v1/export"

// fullOrg is wholeOrg with what it has not: an organization with one of everything that
// exports and imports have a field for. What is in angle brackets is filled in.
const fullOrg = `{"orgId":"full","org":{"name":"Full"},"orgState":"ORG_STATE_ACTIVE",
	"domainPolicy":{"userLoginMustBeDomain":true,"smtpSenderAddressMatchesInstanceDomain":true},
	"labelPolicy":{"primaryColor":"#5469d4","fontColorDark":"#ffffff","hideLoginNameSuffix":true,"themeMode":"THEME_MODE_DARK"},
	"lockoutPolicy":{"maxPasswordAttempts":7,"maxOtpAttempts":3},
	"loginPolicy":{"allowUsernamePassword":true,"allowExternalIdp":true,"forceMfaLocalOnly":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","secondFactors":["SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_RECOVERY_CODES"],"multiFactors":["MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"],"idps":[{"idpId":"159","ownerType":"IDP_OWNER_TYPE_ORG"}],
		"passwordCheckLifetime":"3600s","externalLoginCheckLifetime":"3600s","mfaInitSkipLifetime":"3600s","secondFactorCheckLifetime":"3600s","multiFactorCheckLifetime":"3600s"},
	"passwordComplexityPolicy":{"minLength":"9","hasNumber":true},"privacyPolicy":{"tosLink":"https://full.example/tos","customLinkText":"More"},
	"loginTexts":[{"language":"de","loginText":{"title":"Hallo"},"footerText":{"tos":"AGB"}}],
	"initMessages":[{"language":"de","title":"1"}],"passwordResetMessages":[{"language":"de","title":"2"}],"verifyEmailMessages":[{"language":"de","title":"3"}],
	"verifyPhoneMessages":[{"language":"de","text":"4"}],"domainClaimedMessages":[{"language":"de","title":"5"}],"passwordlessRegistrationMessages":[{"language":"de","title":"6"}],
	"verifySmsOtpMessages":[{"language":"de","text":"7"}],"verifyEmailOtpMessages":[{"language":"de","title":"8"},{"language":"fr","title":"8"}],"inviteUserMessages":[{"language":"de","title":"9"}],
	"domains":[{"domainName":"full.example","isVerified":true,"isPrimary":true},{"domainName":"full.localhost","isVerified":true}],
	"humanUsers":[{"userId":"bea","state":"USER_STATE_ACTIVE","user":{"userName":"bea","profile":{"firstName":"Bea","lastName":"B","nickName":"B","displayName":"B. B.","preferredLanguage":"de","gender":"GENDER_FEMALE"},
			"email":{"email":"bea@full.example","isEmailVerified":true},"phone":{"phone":"+41446681800","isPhoneVerified":true},
			"hashedPassword":{"value":"<hash>"},"otpCode":"` + importedTOTP + `","recoveryCodes":[{"hash":"<code>"}]}},
		{"userId":"cid","state":"USER_STATE_LOCKED","user":{"userName":"cid","profile":{"firstName":"Cid","lastName":"C","displayName":"Cid C"},"email":{"email":"cid@full.example"},"hashedPassword":{"value":"<hash>"},"passwordChangeRequired":true}},
		{"userId":"dot","state":"USER_STATE_INITIAL","user":{"userName":"dot","profile":{"firstName":"Dot","lastName":"D","displayName":"Dot D"},"email":{"email":"dot@full.example"}}}],
	"machineUsers":[{"userId":"rob","state":"USER_STATE_INACTIVE","user":{"userName":"rob","name":"Rob","description":"Robot","accessTokenType":"ACCESS_TOKEN_TYPE_JWT"}}],
	"machineKeys":[{"keyId":"rob1","userId":"rob","type":"KEY_TYPE_JSON","publicKey":"<public>"}],
	"userMetadata":[{"id":"bea","key":"k","value":"dg=="}],"userLinks":[{"userId":"bea","idpId":"159","providedUserId":"1","providedUserName":"bea"}],
	"projects":[{"projectId":"shop","project":{"name":"Shop","projectRoleAssertion":true,"hasProjectCheck":true,"privateLabelingSetting":"PRIVATE_LABELING_SETTING_ENFORCE_PROJECT_RESOURCE_OWNER_POLICY"}}],
	"projectRoles":[{"projectId":"shop","roleKey":"a","displayName":"A"},{"projectId":"shop","roleKey":"b","displayName":"B","group":"G"}],
	"apiApps":[{"appId":"api","app":{"projectId":"shop","name":"API","authMethodType":"API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}}],
	"oidcApps":[{"appId":"web","app":{"projectId":"shop","name":"Web","redirectUris":["https://full.example/cb"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE","OIDC_GRANT_TYPE_REFRESH_TOKEN"],
		"appType":"OIDC_APP_TYPE_USER_AGENT","authMethodType":"OIDC_AUTH_METHOD_TYPE_NONE","postLogoutRedirectUris":["https://full.example/bye"],"accessTokenType":"OIDC_TOKEN_TYPE_JWT","idTokenUserinfoAssertion":true,"clockSkew":"3s","additionalOrigins":["https://other.example"],"loginVersion":{"loginV1":{}}}}],
	"appKeys":[{"id":"api1","projectId":"shop","appId":"api","clientId":"api@shop","type":"KEY_TYPE_JSON","expirationDate":"2999-01-01T00:00:00Z","publicKey":"<public>"}],
	"projectGrants":[{"grantId":"shop-other","projectGrant":{"projectId":"shop","grantedOrgId":"other","roleKeys":["b","a"]}}],
	"userGrants":[{"userId":"bea","projectId":"shop","roleKeys":["b","a"]}],
	"orgMembers":[{"userId":"bea","roles":["ORG_OWNER_VIEWER","ORG_USER_MANAGER"]}],"projectMembers":[{"projectId":"shop","userId":"bea","roles":["PROJECT_OWNER"]}],
	"projectGrantMembers":[{"projectId":"shop","grantId":"shop-other","userId":"bea","roles":["PROJECT_GRANT_OWNER"]}]}`

// otherOrg got a project of fullOrg, and gives roles of it on.
const otherOrg = `{"orgId":"other","org":{"name":"Other"},"orgState":"ORG_STATE_INACTIVE","domains":[{"domainName":"other.localhost","isVerified":true,"isPrimary":true}],
	"machineUsers":[{"userId":"sam","state":"USER_STATE_ACTIVE","user":{"userName":"sam","name":"Sam"}}],"userGrants":[{"userId":"sam","projectId":"shop","projectGrantId":"shop-other","roleKeys":["a"]}]}`

// dataOf reads organizations of an import or an export. The members that importer became
// by importing are none of theirs.
func dataOf(t *testing.T, json string, importer string) *adminpb.ImportDataOrg {
	t.Helper()
	out := &adminpb.ImportDataOrg{}
	if err := protojson.Unmarshal([]byte(json), out); err != nil {
		t.Fatalf("%v: %s", err, json)
	}
	for _, o := range out.GetOrgs() {
		o.OrgMembers = slices.DeleteFunc(o.GetOrgMembers(), func(m *managementpb.AddOrgMemberRequest) bool { return m.GetUserId() == importer })
		o.ProjectMembers = slices.DeleteFunc(o.GetProjectMembers(), func(m *managementpb.AddProjectMemberRequest) bool { return m.GetUserId() == importer })
		if o.DomainPolicy != nil {
			o.DomainPolicy.OrgId = o.OrgId
		}
	}
	return out
}

// passOn imports data and gives what is exported of it.
func passOn(t *testing.T, s *testkit.Server, data *adminpb.ImportDataOrg) *adminpb.ImportDataOrg {
	t.Helper()
	body, err := protojson.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Send(t, testkit.Call{Do: importData, Body: `{"dataOrgs":` + string(body) + `}`}); r.Status != 200 || strings.Contains(string(r.Body), `"errors"`) {
		t.Fatalf("import: %d %s", r.Status, r.Body)
	}
	r := s.Send(t, testkit.Call{Do: exportData, Body: `{"responseOutput":true,"excludedOrgIds":["$org"],"withPasswords":true,"withOtp":true,"timeout":"9s"}`})
	return dataOf(t, string(r.Body), s.Var("owner"))
}

// alike compares organizations, and prints the lines that differ.
func alike(t *testing.T, name string, got, want proto.Message) {
	t.Helper()
	if proto.Equal(got, want) {
		return
	}
	has, wanted := strings.Split(protojson.Format(got), "\n"), strings.Split(protojson.Format(want), "\n")
	for i, line := range has {
		if i >= len(wanted) || line != wanted[i] {
			t.Fatalf("%s, from line %d on\n%s\nwant\n%s", name, i, strings.Join(has[i:min(i+9, len(has))], "\n"), strings.Join(wanted[i:min(i+9, len(wanted))], "\n"))
		}
	}
	t.Fatalf("%s: lacks %s", name, strings.Join(wanted[len(has):], "\n"))
}

// TestExportData: what one instance exports, another one imports, and exports the same;
// people log in there with what they log in with here.
func TestExportData(t *testing.T) {
	t.Parallel()
	one := testkit.Start(t)
	other, _ := startSessions(t)
	public := base64.StdEncoding.EncodeToString(publicPEM(t, &rsaKey(t).PublicKey))
	json := strings.NewReplacer("<public>", public, "<hash>", hash(), "<code>", crypto.HashCode(recoveryCode)).Replace(fullOrg)
	given := dataOf(t, `{"orgs":[`+json+`,`+otherOrg+`]}`, "")
	first := passOn(t, one, given)
	alike(t, "exported", first, given)
	alike(t, "exported again", passOn(t, other, first), first)
	other.Set("bea", "bea")
	other.Set("totp", totpCode(t, importedTOTP, other.Clock.Now()))
	other.Set("recovery", recoveryCode)
	other.Run(t,
		newSession("with the app", with("bea@full.example", withTOTP), append(checkedPassword, "session.totp.checked")...),
		newSession("with a code", with("bea@full.example", withRecovery), append(checkedPassword, "session.recoveryCode.checked")...),
	)
}

// TestExportChooses: an export holds what was asked for, and nothing that is switched off.
func TestExportChooses(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	public := base64.StdEncoding.EncodeToString(publicPEM(t, &rsaKey(t).PublicKey))
	json := strings.NewReplacer("<public>", public, "<hash>", hash(), "<code>", crypto.HashCode(recoveryCode)).Replace(fullOrg)
	passOn(t, s, dataOf(t, `{"orgs":[`+json+`,`+otherOrg+`]}`, ""))
	ask := func(name, more, want string) testkit.Call {
		return testkit.Call{Name: name, Do: exportData, Body: `{"responseOutput":true` + more + `}`, Want: want}
	}
	off := func(name, path, event string) testkit.Call {
		return testkit.Call{Name: name, In: "full", Do: "POST /management/v1/" + path + "/_deactivate", Body: `{}`, Events: []string{event}}
	}
	const one = `,"orgIds":["full"]`
	s.Run(t,
		ask("no secrets", one, `{"orgs":[{"orgId":"full","humanUsers":[{"userId":"bea","user":{"hashedPassword":null,"otpCode":null,"recoveryCodes":null}},{"userId":"cid","user":{"hashedPassword":null,"passwordChangeRequired":true}},{"userId":"dot"}]}]}`),
		ask("passwords", one+`,"withPasswords":true`, `{"orgs":[{"humanUsers":[{"user":{"hashedPassword":{"value":"*"},"otpCode":null,"recoveryCodes":null}},{"user":{"hashedPassword":{"value":"*"}}},{"user":{"hashedPassword":null}}]}]}`),
		ask("factors", one+`,"withOtp":true`, `{"orgs":[{"humanUsers":[{"user":{"hashedPassword":null,"otpCode":"`+importedTOTP+`","recoveryCodes":[{"hash":"*"}]}},{"userId":"cid"},{"userId":"dot"}]}]}`),
		ask("all but one", `,"excludedOrgIds":["full"]`, `{"orgs":[{"orgId":"$org"},{"orgId":"other"}]}`),
		ask("none", `,"orgIds":["full"],"excludedOrgIds":["full"]`, `{"orgs":null}`),
		off("a key ends with its application", "projects/shop/apps/api", "project.application.deactivated"),
		off("a grant", "projects/shop/grants/shop-other", "project.grant.deactivated"),
		ask("they are left out", `,"excludedOrgIds":["$org"]`, `{"orgs":[{"orgId":"full","apiApps":null,"appKeys":null,"projectGrants":null,"projectGrantMembers":null,"oidcApps":[{"appId":"web"}],"userGrants":[{"userId":"bea"}]},{"orgId":"other","userGrants":null}]}`),
		off("a project", "projects/shop", "project.deactivated"),
		ask("it is left out with all of it", one, `{"orgs":[{"projects":null,"projectRoles":null,"oidcApps":null,"userGrants":null,"projectMembers":null,"humanUsers":[{"userId":"bea"},{"userId":"cid"},{"userId":"dot"}]}]}`),
		testkit.Call{Name: "nobody's", Do: exportData, Body: `{"responseOutput":true,"orgIds":["full","nobodys"]}`, Status: 404, Want: `{"details":[{"id":"EXPORT-org"}]}`},
		testkit.Call{Name: "no output", Do: exportData, Body: `{}`, Status: 400, Want: `{"details":[{"id":"EXPORT-output"}]}`},
		testkit.Call{Name: "a time that is none", Do: exportData, Body: `{"responseOutput":true,"timeout":"soon"}`, Status: 400},
		testkit.Call{Name: "too many names", Do: exportData, Body: `{"responseOutput":true,"orgIds":["x"` + strings.Repeat(`,"x"`, 1000) + `]}`, Status: 400, Want: `{"details":[{"id":"EXPORT-named"}]}`},
	)
	for _, output := range []string{`"localOutput":{"path":"/tmp/x"}`, `"s3Output":{"path":"x"}`, `"gcsOutput":{"path":"x"}`} {
		s.Run(t, testkit.Call{Name: output, Do: exportData, Body: `{"responseOutput":true,` + output + `}`, Status: 501})
	}
}

// TestExportIsItsCallers: who reads an instance exports it, as far as they may read, and
// its secrets who could also set them.
func TestExportIsItsCallers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, func(o *server.Options) { o.Roles = map[string][]string{"IAM_ORGS": {"iam.read", "org.read"}} })
	inAll(t, s)
	addMachine(t, s, s.OrgID, "viewer", "")
	addMachine(t, s, s.OrgID, "half", "")
	const all = `{"responseOutput":true,"orgIds":["$acme"]`
	s.Run(t,
		testkit.Call{Name: "not by owners of organizations", As: "boss", Do: exportData, Body: all + `}`, Status: 403},
		testkit.Call{Name: "a viewer", Do: "POST /admin/v1/members", Body: `{"userId":"$viewer","roles":["IAM_OWNER_VIEWER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "reads", As: "viewer", Do: exportData, Body: all + `}`, Want: `{"orgs":[{"orgId":"$acme","machineUsers":"*"}]}`},
		testkit.Call{Name: "but no passwords", As: "viewer", Do: exportData, Body: all + `,"withPasswords":true}`, Status: 403},
		testkit.Call{Name: "nor factors", As: "viewer", Do: exportData, Body: all + `,"withOtp":true}`, Status: 403},
		testkit.Call{Name: "who reads organizations only", Do: "POST /admin/v1/members", Body: `{"userId":"$half","roles":["IAM_ORGS"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "gets no more", As: "half", Do: exportData, Body: all + `}`, Want: `{"orgs":[{"orgId":"$acme","domains":"*","machineUsers":null,"humanUsers":null,"orgMembers":null,"projects":null}]}`},
	)
}
