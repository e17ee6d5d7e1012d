package test

import (
	"cmp"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// policyTable is a policy that organizations may have of their own. The bodies
// hold only values that replies show, so that what is read must equal them.
type policyTable struct {
	name     string // as in paths
	put      string // where the default is changed, if that is another path
	event    string
	builtin  string // what a new instance has
	own      string
	changed  string
	fallback string // what the instance's default becomes
	invalid  string // refused with 400 code 3
}

var policyTables = []policyTable{
	{
		name: "login", event: "login",
		builtin: `{"allowUsernamePassword":true,"forceMfa":null,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","passwordCheckLifetime":"864000s",
			"secondFactors":["SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_U2F"],"multiFactors":["MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"]}`,
		own:     `{"forceMfa":true,"defaultRedirectUri":"https://acme.example/","secondFactorCheckLifetime":"60s"}`,
		changed: `{"allowUsernamePassword":true,"allowRegister":true,"disableLoginWithEmail":true}`, fallback: `{"ignoreUnknownUsernames":true}`,
		invalid: `{"passwordCheckLifetime":"315576000000s"}`,
	},
	{
		name: "password/complexity", event: "password.complexity",
		builtin: `{"minLength":"8","hasUppercase":true,"hasLowercase":true,"hasNumber":true,"hasSymbol":true}`,
		own:     `{"minLength":"12","hasLowercase":true}`, changed: `{"minLength":"14","hasNumber":true,"hasSymbol":true}`,
		fallback: `{"minLength":"10","hasUppercase":true}`, invalid: `{"minLength":"73"}`,
	},
	{
		name: "password/age", event: "password.age", builtin: `{"maxAgeDays":null,"expireWarnDays":null}`,
		own: `{"maxAgeDays":"365","expireWarnDays":"10"}`, changed: `{"maxAgeDays":"30"}`, fallback: `{"maxAgeDays":"90","expireWarnDays":"7"}`,
		invalid: `{"maxAgeDays":"36501"}`,
	},
	{
		name: "lockout", put: "password/lockout", event: "lockout", builtin: `{"maxPasswordAttempts":null,"maxOtpAttempts":null}`,
		own: `{"maxPasswordAttempts":"5","maxOtpAttempts":"3"}`, changed: `{"maxPasswordAttempts":"6"}`, fallback: `{"maxOtpAttempts":"9"}`,
		invalid: `{"maxOtpAttempts":"many"}`,
	},
	{
		name: "privacy", event: "privacy", builtin: `{"tosLink":null,"supportEmail":null}`,
		own: `{"tosLink":"https://acme.example/{{.Lang}}/tos","privacyLink":"https://acme.example/privacy","helpLink":"https://acme.example/help",
			"supportEmail":"help@acme.example","docsLink":"https://acme.example/docs","customLink":"https://acme.example","customLinkText":"Acme"}`,
		changed: `{"tosLink":"http://acme.example/tos"}`, fallback: `{"privacyLink":"https://example.com"}`, invalid: `{"helpLink":"javascript:alert(1)"}`,
	},
	{
		name: "notification", event: "notification", builtin: `{"passwordChange":true}`,
		own: `{}`, changed: `{"passwordChange":true}`, fallback: `{}`, invalid: `{"passwordChange":"perhaps"}`,
	},
}

// TestPolicies walks each policy through its life: inherited, own, changed,
// reset; while the default changes under it.
func TestPolicies(t *testing.T) {
	t.Parallel()
	for _, p := range policyTables {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t)
			orgOwner(t, s)
			own, byDefault, admin := "/management/v1/policies/"+p.name, "/management/v1/policies/default/"+p.name, "/admin/v1/policies/"+p.name
			put := "PUT /admin/v1/policies/" + cmp.Or(p.put, p.name)
			event := func(owner, verb string) []string { return []string{owner + ".policy." + p.event + "." + verb} }
			policy := func(body string) string { return `{"policy":` + body + `}` }
			s.Run(t,
				testkit.Call{Name: "the default of a new instance", Do: "GET " + admin, Want: policy(p.builtin)},
				testkit.Call{Name: "is inherited", As: "acme", Do: "GET " + own, Want: `{"policy":{"isDefault":true,"details":{"resourceOwner":"$instance"}}}`},
				testkit.Call{Name: "as it is", As: "acme", Do: "GET " + own, Want: policy(p.builtin)},
				testkit.Call{Name: "no own policy to change", As: "acme", Do: "PUT " + own, Body: p.own, Status: 404, Want: `{"code":5}`},
				testkit.Call{Name: "nor to reset", As: "acme", Do: "DELETE " + own, Status: 404, Want: `{"code":5}`},
				testkit.Call{Name: "invalid", As: "acme", Do: "POST " + own, Body: p.invalid, Status: 400, Want: `{"code":3}`},
				testkit.Call{
					Name: "add", As: "acme", Do: "POST " + own, Body: p.own, Events: event("org", "added"),
					Want: `{"details":{"sequence":"*","creationDate":"*","changeDate":null,"resourceOwner":"$acme"}}`,
				},
				testkit.Call{Name: "add again", As: "acme", Do: "POST " + own, Body: p.changed, Status: 409, Want: `{"code":6}`},
				testkit.Call{Name: "read back equal", As: "acme", Do: "GET " + own, Want: policy(p.own)},
				testkit.Call{
					Name: "it is the organization's", As: "acme", Do: "GET " + own,
					Want: `{"isDefault":null,"policy":{"isDefault":null,"details":{"sequence":"*","creationDate":"*","changeDate":"*","resourceOwner":"$acme"}}}`,
				},
				testkit.Call{Name: "unchanged", As: "acme", Do: "PUT " + own, Body: p.own, Status: 400, Want: `{"code":9}`},
				testkit.Call{
					Name: "change", As: "acme", Do: "PUT " + own, Body: p.changed, Events: event("org", "changed"),
					Want: `{"details":{"sequence":"*","creationDate":null,"changeDate":"*","resourceOwner":"$acme"}}`,
				},
				testkit.Call{Name: "read back changed", As: "acme", Do: "GET " + own, Want: policy(p.changed)},
				testkit.Call{Name: "the default is not the organization's to read", As: "acme", Do: "GET " + admin, Status: 403, Want: `{"code":7}`},
				testkit.Call{Name: "nor to change", As: "acme", Do: put, Body: p.fallback, Status: 403, Want: `{"code":7}`},
				testkit.Call{
					Name: "change the default", Do: put, Body: p.fallback, Events: event("instance", "changed"),
					Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$instance"}}`,
				},
				testkit.Call{Name: "unchanged default", Do: put, Body: p.fallback, Status: 400, Want: `{"code":9}`},
				testkit.Call{Name: "invalid default", Do: put, Body: p.invalid, Status: 400, Want: `{"code":3}`},
				testkit.Call{Name: "the own policy stays", As: "acme", Do: "GET " + own, Want: policy(p.changed)},
				testkit.Call{Name: "the default shows beside it", As: "acme", Do: "GET " + byDefault, Want: policy(p.fallback)},
				testkit.Call{Name: "nobody may reset it", As: "nobody", Do: "DELETE " + own, Status: 401},
				testkit.Call{
					Name: "reset", As: "acme", Do: "DELETE " + own, Events: event("org", "removed"),
					Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$acme"}}`,
				},
				testkit.Call{Name: "inherits the new default", As: "acme", Do: "GET " + own, Want: policy(p.fallback)},
				testkit.Call{Name: "add once more", As: "acme", Do: "POST " + own, Body: p.own, Events: event("org", "added")},
			)
		})
	}
}

// orgOwner makes the organization acme and in it a caller of that name who owns it.
func orgOwner(t *testing.T, s *testkit.Server) {
	t.Helper()
	id := newOrg(t, s, "Acme")
	s.Set("acme", id)
	machine(t, s, id, "acme", authz.OrgOwner)
}

func TestDomainPolicy(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"domain", "orgiam"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t)
			orgOwner(t, s)
			own, custom, admin := "/management/v1/policies/"+form, "/admin/v1/orgs/$acme/policies/"+form, "/admin/v1/policies/"+form
			s.Run(t,
				testkit.Call{Name: "inherited", As: "acme", Do: "GET " + own, Want: `{"policy":{"isDefault":true,"userLoginMustBeDomain":null}}`},
				testkit.Call{Name: "seen by the instance", Do: "GET " + custom, Want: `{"isDefault":true,"policy":{"isDefault":true}}`},
				testkit.Call{Name: "not the organization's to add", As: "acme", Do: "POST " + custom, Body: `{"userLoginMustBeDomain":true}`, Status: 403},
				testkit.Call{
					Name: "add", Do: "POST " + custom, Body: `{"userLoginMustBeDomain":true}`, Events: []string{"org.policy.domain.added", "org.user.names.scope.changed"},
					Want: `{"details":{"creationDate":"*","resourceOwner":"$acme"}}`,
				},
				testkit.Call{Name: "add again", Do: "POST " + custom, Body: `{}`, Status: 409},
				testkit.Call{Name: "there is no such organization", Do: "POST /admin/v1/orgs/31415/policies/" + form, Body: `{}`, Status: 404},
				testkit.Call{Name: "read back", As: "acme", Do: "GET " + own, Want: `{"policy":{"isDefault":null,"userLoginMustBeDomain":true}}`},
				testkit.Call{Name: "unchanged", Do: "PUT " + custom, Body: `{"userLoginMustBeDomain":true}`, Status: 400, Want: `{"code":9}`},
				testkit.Call{Name: "change", Do: "PUT " + custom, Body: `{}`, Events: []string{"org.policy.domain.changed", "org.user.names.scope.changed"}},
				testkit.Call{Name: "read back", Do: "GET " + custom, Want: `{"isDefault":null,"policy":{"isDefault":null,"userLoginMustBeDomain":null}}`},
				testkit.Call{Name: "change the default", Do: "PUT " + admin, Body: `{"userLoginMustBeDomain":true}`, Events: []string{"instance.policy.domain.changed", "instance.user.names.scope.changed"}},
				testkit.Call{Name: "unchanged default", Do: "PUT " + admin, Body: `{"userLoginMustBeDomain":true}`, Status: 400, Want: `{"code":9}`},
				testkit.Call{Name: "read the default", Do: "GET " + admin, Want: `{"policy":{"userLoginMustBeDomain":true}}`},
				testkit.Call{Name: "reset", Do: "DELETE " + custom, Events: []string{"org.policy.domain.removed", "org.user.names.scope.changed"}},
				testkit.Call{Name: "reset again", Do: "DELETE " + custom, Status: 404},
				testkit.Call{Name: "inherited again", As: "acme", Do: "GET " + own, Want: `{"policy":{"isDefault":true,"userLoginMustBeDomain":true}}`},
			)
		})
	}
}

// TestOrgIAMPolicyLeavesTheRest: the first form of the domain policy knows one
// setting and must not turn off the others.
func TestOrgIAMPolicyLeavesTheRest(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	rest := `"validateOrgDomains":true,"smtpSenderAddressMatchesInstanceDomain":true`
	s.Run(t,
		testkit.Call{Name: "default", Do: "PUT /admin/v1/policies/domain", Body: `{` + rest + `}`, Events: []string{"instance.policy.domain.changed"}},
		testkit.Call{Name: "first form", Do: "PUT /admin/v1/policies/orgiam", Body: `{"userLoginMustBeDomain":true}`, Events: []string{"instance.policy.domain.changed", "instance.user.names.scope.changed"}},
		testkit.Call{Name: "all are on", Do: "GET /admin/v1/policies/domain", Want: `{"policy":{"userLoginMustBeDomain":true,` + rest + `}}`},
		testkit.Call{Name: "an organization's", Do: "POST /admin/v1/orgs/$org/policies/orgiam", Body: `{}`, Events: []string{"org.policy.domain.added", "org.user.names.scope.changed"}},
		testkit.Call{Name: "begins with the default", Do: "GET /admin/v1/orgs/$org/policies/domain", Want: `{"policy":{"userLoginMustBeDomain":null,` + rest + `}}`},
	)
}

func TestLabelPolicy(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const path, admin = "/management/v1/policies/label", "/admin/v1/policies/label"
	const own = `{"primaryColor":"#111111","backgroundColor":"#222222","warnColor":"#333333","fontColor":"#444444","primaryColorDark":"#555555",
		"backgroundColorDark":"#666666","warnColorDark":"#777777","fontColorDark":"#888888","hideLoginNameSuffix":true,"disableWatermark":true,
		"themeMode":"THEME_MODE_DARK"}`
	s.Run(t,
		testkit.Call{Name: "inherited", As: "acme", Do: "GET " + path, Want: `{"isDefault":true,"policy":{"isDefault":true,"themeMode":"THEME_MODE_AUTO","primaryColor":"*"}}`},
		testkit.Call{Name: "nothing to activate", As: "acme", Do: "POST " + path + "/_activate", Status: 404},
		testkit.Call{Name: "bad color", As: "acme", Do: "POST " + path, Body: `{"primaryColor":"red"}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "add", As: "acme", Do: "POST " + path, Body: own, Events: []string{"org.policy.label.added"}},
		testkit.Call{Name: "the preview has it", As: "acme", Do: "GET " + path + "/_preview", Want: `{"policy":` + own + `}`},
		testkit.Call{Name: "visitors do not", As: "acme", Do: "GET " + path, Want: `{"isDefault":true}`},
		testkit.Call{Name: "activate", As: "acme", Do: "POST " + path + "/_activate", Want: `{"details":{"changeDate":"*"}}`, Events: []string{"org.policy.label.activated"}},
		testkit.Call{Name: "visitors have it", As: "acme", Do: "GET " + path, Want: `{"isDefault":null,"policy":` + own + `}`},
		testkit.Call{
			Name: "the theme has its other number in v2", As: "acme", Do: "GET /v2/settings/branding",
			Want: `{"settings":{"themeMode":"THEME_MODE_DARK","lightTheme":{"primaryColor":"#111111"},"darkTheme":{"primaryColor":"#555555"},"resourceOwnerType":"RESOURCE_OWNER_TYPE_ORG"}}`,
		},
		testkit.Call{Name: "unchanged", As: "acme", Do: "PUT " + path, Body: own, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "change", As: "acme", Do: "PUT " + path, Body: `{"primaryColor":"#abc"}`, Events: []string{"org.policy.label.changed"}},
		testkit.Call{Name: "visitors see the old", As: "acme", Do: "GET " + path, Want: `{"policy":{"primaryColor":"#111111"}}`},
		testkit.Call{Name: "the preview is new", As: "acme", Do: "GET " + path + "/_preview", Want: `{"policy":{"primaryColor":"#abc","fontColor":null,"themeMode":"THEME_MODE_AUTO"}}`},
		testkit.Call{Name: "default", Do: "PUT " + admin, Body: `{"primaryColor":"#def"}`, Events: []string{"instance.policy.label.changed"}},
		testkit.Call{Name: "its preview", Do: "GET " + admin + "/_preview", Want: `{"policy":{"primaryColor":"#def"}}`},
		testkit.Call{Name: "not the organization's to activate", As: "acme", Do: "POST " + admin + "/_activate", Status: 403},
		testkit.Call{Name: "activate the default", Do: "POST " + admin + "/_activate", Events: []string{"instance.policy.label.activated"}},
		testkit.Call{Name: "active default", Do: "GET " + admin, Want: `{"policy":{"primaryColor":"#def"}}`},
		testkit.Call{Name: "beside the own", As: "acme", Do: "GET /management/v1/policies/default/label", Want: `{"policy":{"primaryColor":"#def"}}`},
		testkit.Call{Name: "reset", As: "acme", Do: "DELETE " + path, Events: []string{"org.policy.label.removed"}},
		testkit.Call{Name: "visitors see the default", As: "acme", Do: "GET " + path, Want: `{"isDefault":true,"policy":{"primaryColor":"#def"}}`},
		testkit.Call{Name: "add once more", As: "acme", Do: "POST " + path, Body: own, Events: []string{"org.policy.label.added"}},
		testkit.Call{Name: "what was active before the reset is not", As: "acme", Do: "GET " + path, Want: `{"isDefault":true}`},
	)
}

func TestNoPolicyForARemovedOrg(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	s.Run(t,
		testkit.Call{Name: "remove", Do: "DELETE /management/v1/orgs/me", In: "$acme", Events: []string{"org.removed", "user.removed"}},
		testkit.Call{Name: "add", Do: "POST /management/v1/policies/lockout", In: "$acme", Body: `{"maxPasswordAttempts":5}`, Status: 404},
		testkit.Call{Name: "login", Do: "POST /management/v1/policies/login", In: "$acme", Body: `{}`, Status: 404},
		testkit.Call{Name: "by the instance", Do: "POST /admin/v1/orgs/$acme/policies/domain", Body: `{}`, Status: 404},
	)
}
