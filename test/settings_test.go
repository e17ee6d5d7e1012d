package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

func TestOIDCSettings(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const path = "/admin/v1/settings/oidc"
	const settings = `{"accessTokenLifetime":"600s","idTokenLifetime":"1200s","refreshTokenIdleExpiration":"3600s","refreshTokenExpiration":"7200s"}`
	s.Run(t,
		testkit.Call{
			Name: "default", Do: "GET " + path,
			Want: `{"settings":{"accessTokenLifetime":"43200s","idTokenLifetime":"43200s","refreshTokenIdleExpiration":"2592000s","refreshTokenExpiration":"7776000s"}}`,
		},
		testkit.Call{Name: "there already", Do: "POST " + path, Body: settings, Status: 409},
		testkit.Call{Name: "zero", Do: "PUT " + path, Body: `{"accessTokenLifetime":"600s"}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{
			Name: "change", Do: "PUT " + path, Body: settings, Want: `{"details":{"changeDate":"*","resourceOwner":"$instance"}}`,
			Events: []string{"instance.oidc.settings.changed"},
		},
		testkit.Call{Name: "read back", Do: "GET " + path, Want: `{"settings":` + settings + `}`},
		testkit.Call{Name: "unchanged", Do: "PUT " + path, Body: settings, Status: 400, Want: `{"code":9}`},
	)
}

func TestSecurityPolicy(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const v1, v2 = "/admin/v1/policies/security", "/v2/policies/security"
	s.Run(t,
		testkit.Call{Name: "never set", Do: "GET " + v1, Want: `{"policy":{"details":{"resourceOwner":"$instance","changeDate":null},"enableImpersonation":null}}`},
		testkit.Call{Name: "never set in v2", Do: "GET /v2/settings/security", Want: `{"details":{"changeDate":null},"settings":{"enableImpersonation":null}}`},
		testkit.Call{Name: "bad origin", Do: "PUT " + v1, Body: `{"allowedOrigins":["a; b"]}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{
			Name: "set", Do: "PUT " + v1, Body: `{"enableIframeEmbedding":true,"allowedOrigins":["https://a.example"]}`,
			Want: `{"details":{"changeDate":"*","resourceOwner":"$instance"}}`, Events: []string{"instance.policy.security.set"},
		},
		testkit.Call{Name: "unchanged", Do: "PUT " + v1, Body: `{"enableIframeEmbedding":true,"allowedOrigins":["https://a.example"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "read back", Do: "GET " + v1, Want: `{"policy":{"enableIframeEmbedding":true,"allowedOrigins":["https://a.example"]}}`},
		testkit.Call{
			Name: "read in v2", Do: "GET /v2/settings/security",
			Want: `{"details":{"sequence":"*","changeDate":"*"},"settings":{"embeddedIframe":{"enabled":true,"allowedOrigins":["https://a.example"]}}}`,
			Keep: map[string]string{"changed": "details.changeDate"},
		},
		testkit.Call{
			Name: "unchanged is fine in v2", Do: "PUT " + v2, Body: `{"embeddedIframe":{"enabled":true,"allowedOrigins":["https://a.example"]}}`,
			Want: `{"details":{"changeDate":"$changed"}}`,
		},
		testkit.Call{Name: "set in v2", Do: "PUT " + v2, Body: `{"enableImpersonation":true}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"instance.policy.security.set"}},
		testkit.Call{Name: "replaced", Do: "GET " + v1, Want: `{"policy":{"enableIframeEmbedding":null,"allowedOrigins":null,"enableImpersonation":true}}`},
		testkit.Call{Name: "not the organization's", As: "acme", Do: "PUT " + v2, Body: `{}`, Status: 403},
		testkit.Call{Name: "nor to read", As: "acme", Do: "GET " + v1, Status: 403},
	)
}

func TestSecretGenerators(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const path = "/admin/v1/secretgenerators"
	const code = `{"length":8,"expiry":"600s","includeUpperLetters":true}`
	s.Run(t,
		testkit.Call{Name: "all", Do: "POST " + path + "/_search", Want: `{"details":{"totalResult":"9","viewTimestamp":"*"}}`},
		testkit.Call{
			Name: "a page", Do: "POST " + path + "/_search", Body: `{"query":{"offset":"7","limit":1,"asc":true}}`,
			Want: `{"details":{"totalResult":"9"},"result":[{"generatorType":"SECRET_GENERATOR_TYPE_OTP_EMAIL"}]}`,
		},
		testkit.Call{Name: "past the end", Do: "POST " + path + "/_search", Body: `{"query":{"offset":"9"}}`, Want: `{"details":{"totalResult":"9"},"result":null}`},
		testkit.Call{
			Name: "one by its type", Do: "POST " + path + "/_search", Body: `{"queries":[{"typeQuery":{"generatorType":"SECRET_GENERATOR_TYPE_APP_SECRET"}}]}`,
			Want: `{"details":{"totalResult":"1"},"result":[{"generatorType":"SECRET_GENERATOR_TYPE_APP_SECRET","length":64,"includeDigits":true}]}`,
		},
		testkit.Call{
			Name: "get", Do: "GET " + path + "/SECRET_GENERATOR_TYPE_VERIFY_EMAIL_CODE",
			Want: `{"secretGenerator":{"length":6,"expiry":"3600s","includeUpperLetters":true,"includeDigits":true,"details":{"changeDate":"*"}}}`,
		},
		testkit.Call{Name: "unspecified", Do: "GET " + path + "/0", Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "unknown", Do: "GET " + path + "/77", Status: 400, Want: `{"code":3}`},
		testkit.Call{
			Name: "change", Do: "PUT " + path + "/2", Body: code, Want: `{"details":{"changeDate":"*","resourceOwner":"$instance"}}`,
			Events: []string{"instance.secret.generator.changed"},
		},
		testkit.Call{Name: "unchanged", Do: "PUT " + path + "/2", Body: code, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "no characters", Do: "PUT " + path + "/2", Body: `{"length":8}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "read back", Do: "GET " + path + "/2", Want: `{"secretGenerator":` + code + `}`},
		testkit.Call{Name: "the others stay", Do: "GET " + path + "/3", Want: `{"secretGenerator":{"length":6}}`},
	)
}

// TestSettingsV2 reads every policy in the service for login pages: inherited,
// and as an organization's own.
func TestSettingsV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	for _, c := range []struct{ policy, own, setting, want string }{
		{
			"login", `{"allowUsernamePassword":true,"forceMfa":true,"passwordlessType":1,"secondFactors":[1,4],"passwordCheckLifetime":"60s"}`, "login",
			`{"allowUsernamePassword":true,"allowLocalAuthentication":true,"forceMfa":true,"passkeysType":"PASSKEYS_TYPE_ALLOWED",
				"secondFactors":["SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_OTP_SMS"],"passwordCheckLifetime":"60s"}`,
		},
		{
			"password/complexity", `{"minLength":"12","hasNumber":true,"hasUppercase":true}`, "password/complexity",
			`{"minLength":"12","requiresNumber":true,"requiresUppercase":true,"requiresSymbol":null}`,
		},
		{"password/age", `{"maxAgeDays":30,"expireWarnDays":3}`, "password/expiry", `{"maxAgeDays":"30","expireWarnDays":"3"}`},
		{"lockout", `{"maxPasswordAttempts":5,"maxOtpAttempts":6}`, "lockout", `{"maxPasswordAttempts":"5","maxOtpAttempts":"6"}`},
		{
			"privacy", `{"tosLink":"https://a.example/tos","privacyLink":"https://a.example/p","supportEmail":"a@a.example"}`, "legal_support",
			`{"tosLink":"https://a.example/tos","privacyPolicyLink":"https://a.example/p","supportEmail":"a@a.example"}`,
		},
	} {
		own, path := "/management/v1/policies/"+c.policy, "/v2/settings/"+c.setting
		inherited := `{"details":{"sequence":"*","changeDate":"*","creationDate":"*","resourceOwner":"$instance"},"settings":{"resourceOwnerType":"RESOURCE_OWNER_TYPE_INSTANCE"}}`
		var events []string
		if c.policy == "login" {
			events = []string{"org.policy.login.added", "org.policy.login.secondfactor.added", "org.policy.login.secondfactor.added"}
		} else {
			events = []string{"org.policy." + map[string]string{
				"password/complexity": "password.complexity", "password/age": "password.age", "lockout": "lockout", "privacy": "privacy",
			}[c.policy] + ".added"}
		}
		s.Run(t,
			testkit.Call{Name: c.setting + " inherited", As: "acme", Do: "GET " + path, Want: inherited},
			testkit.Call{Name: c.setting + " add", As: "acme", Do: "POST " + own, Body: c.own, Events: events},
			testkit.Call{Name: c.setting + " own", As: "acme", Do: "GET " + path, Want: `{"settings":` + c.want + `}`},
			testkit.Call{
				Name: c.setting + " by its id", Do: "GET " + path + "?ctx.orgId=$acme",
				Want: `{"details":{"resourceOwner":"$acme"},"settings":{"resourceOwnerType":"RESOURCE_OWNER_TYPE_ORG"}}`,
			},
			testkit.Call{Name: c.setting + " by the header", In: "$acme", Do: "GET " + path, Want: `{"details":{"resourceOwner":"$acme"}}`},
			testkit.Call{Name: c.setting + " of the instance", As: "acme", Do: "GET " + path + "?ctx.instance=true", Want: inherited},
			testkit.Call{Name: c.setting + " of another organization", As: "acme", Do: "GET " + path + "?ctx.orgId=$org", Status: 404, Want: `{"code":5}`},
		)
	}
	s.Run(t,
		testkit.Call{Name: "domain", As: "acme", Do: "GET /v2/settings/domain", Want: `{"settings":{"resourceOwnerType":"RESOURCE_OWNER_TYPE_INSTANCE","loginNameIncludesDomain":null}}`},
		testkit.Call{
			Name: "own domain policy", Do: "POST /admin/v1/orgs/$acme/policies/domain", Body: `{"userLoginMustBeDomain":true,"validateOrgDomains":true}`,
			Events: []string{"org.policy.domain.added", "org.user.names.scope.changed"},
		},
		testkit.Call{Name: "own domain settings", As: "acme", Do: "GET /v2/settings/domain", Want: `{"settings":{"loginNameIncludesDomain":true,"requireOrgDomainVerification":true}}`},
		testkit.Call{Name: "branding", As: "acme", Do: "GET /v2/settings/branding", Want: `{"settings":{"themeMode":"THEME_MODE_AUTO","lightTheme":{"primaryColor":"*"},"resourceOwnerType":"RESOURCE_OWNER_TYPE_INSTANCE"}}`},
		testkit.Call{Name: "instance: false", Do: "GET /v2/settings/login?ctx.instance=false", Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "nobody", As: "nobody", Do: "GET /v2/settings/login", Status: 401},
		testkit.Call{
			Name: "general", As: "acme", Do: "GET /v2/settings",
			Want: `{"defaultOrgId":"$org","defaultOrganizationId":"$org","defaultLanguage":"en","supportedLanguages":["de","en"],"allowedLanguages":["de","en"]}`,
		},
	)
}

func TestInstanceFeatures(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const path = "/v2/features/instance"
	s.Run(t,
		testkit.Call{Name: "nothing set", Do: "GET " + path, Want: `{"loginDefaultOrg":null,"loginV2":null,"details":{"resourceOwner":"$instance","changeDate":null}}`},
		testkit.Call{
			Name: "built in", As: "acme", Do: "GET " + path + "?inheritance=true",
			Want: `{"loginDefaultOrg":{"enabled":null,"source":null},"improvedPerformance":{"executionPaths":null},"loginV2":{"required":null,"baseUri":null}}`,
		},
		testkit.Call{Name: "name one", Do: "PUT " + path, Body: `{}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "those that are always on change nothing", Do: "PUT " + path, Body: `{"oidcTokenExchange":true,"enableBackChannelLogout":false}`, Want: `{"details":{"resourceOwner":"$instance"}}`},
		testkit.Call{
			Name: "set", Do: "PUT " + path,
			Body: `{"loginDefaultOrg":true,"userSchema":false,"improvedPerformance":["IMPROVED_PERFORMANCE_PROJECT"],"loginV2":{"required":true,"baseUri":"https://login.example"},
				"debugOidcParentError":true,"consoleUseV2UserApi":true,"permissionCheckV2":true,"oidcSingleV1SessionTermination":true,"enableRelationalTables":true}`,
			Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$instance"}}`,
			Events: []string{
				"feature.instance.login_default_org.set", "feature.instance.user_schema.set", "feature.instance.improved_performance.set",
				"feature.instance.debug_oidc_parent_error.set", "feature.instance.oidc_single_v1_session_termination.set",
				"feature.instance.login_v2.set", "feature.instance.permission_check_v2.set", "feature.instance.console_use_v2_user_api.set",
				"feature.instance.enable_relational_tables.set",
			},
		},
		testkit.Call{
			Name: "read back", As: "acme", Do: "GET " + path,
			Want: `{"details":{"sequence":"*"},"loginDefaultOrg":{"enabled":true,"source":"SOURCE_INSTANCE"},"userSchema":{"enabled":null,"source":"SOURCE_INSTANCE"},
				"improvedPerformance":{"executionPaths":["IMPROVED_PERFORMANCE_PROJECT"],"source":"SOURCE_INSTANCE"},
				"loginV2":{"required":true,"baseUri":"https://login.example","source":"SOURCE_INSTANCE"},"debugOidcParentError":{"enabled":true},
				"consoleUseV2UserApi":{"enabled":true},"permissionCheckV2":{"enabled":true},"oidcSingleV1SessionTermination":{"enabled":true},
				"enableRelationalTables":{"enabled":true}}`,
			Keep: map[string]string{"changed": "details.changeDate"},
		},
		testkit.Call{Name: "one is the same", Do: "PUT " + path, Body: `{"loginDefaultOrg":true}`, Want: `{"details":{"changeDate":"$changed"}}`},
		testkit.Call{Name: "one is new", Do: "PUT " + path, Body: `{"loginDefaultOrg":true,"userSchema":true}`, Events: []string{"feature.instance.user_schema.set"}},
		testkit.Call{Name: "bad address", Do: "PUT " + path, Body: `{"userSchema":false,"loginV2":{"baseUri":"ftp://a"}}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "unknown path", Do: "PUT " + path, Body: `{"improvedPerformance":["IMPROVED_PERFORMANCE_UNSPECIFIED"]}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "not the organization's", As: "acme", Do: "PUT " + path, Body: `{"userSchema":false}`, Status: 403},
		testkit.Call{Name: "reset", Do: "DELETE " + path, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"feature.instance.reset"}},
		testkit.Call{Name: "reset again is fine", Do: "DELETE " + path},
		testkit.Call{Name: "nothing left", Do: "GET " + path, Want: `{"loginDefaultOrg":null,"userSchema":null}`},
		testkit.Call{Name: "but to read", As: "acme", Do: "GET /v2/features/system", Want: `{"loginDefaultOrg":{"enabled":null},"debugOidcParentError":null}`},
	)
}

// TestOlderInstance: what a newer version brings has no document in an instance
// that was made before. It reads as empty and can be added.
func TestOlderInstance(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	token, hash := user.NewToken()
	var id string
	if err := s.Store.Write(authz.AsSystem(t.Context(), ""), func(tx *eventstore.Tx) error {
		id = tx.NewID()
		home, owner := tx.NewID(), tx.NewID()
		for _, step := range []func() (eventstore.Details, error){
			func() (eventstore.Details, error) { return instance.Add(tx, id, "Older") },
			func() (eventstore.Details, error) {
				return eventstore.Details{}, instance.AddGeneratedDomain(tx, id, "older.localhost")
			},
			func() (eventstore.Details, error) { return org.Add(tx, id, home, "Older") },
			func() (eventstore.Details, error) {
				return user.AddMachine(tx, id, home, owner, user.Machine{UserName: "admin", Name: "Admin"})
			},
			func() (eventstore.Details, error) {
				_, d, err := user.AddPAT(tx, id, home, owner, hash, s.Store.Now().AddDate(1, 0, 0))
				return d, err
			},
			func() (eventstore.Details, error) {
				return member.Add(tx, member.Of(eventstore.Scope{Instance: id}), owner, []string{authz.InstanceOwner})
			},
		} {
			if _, err := step(); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.SetToken("older", token)
	for _, c := range []testkit.Call{
		{Name: "no notification policy", Do: "GET /admin/v1/policies/notification", Want: `{"policy":{"passwordChange":null}}`},
		{
			Name: "add it", Do: "POST /admin/v1/policies/notification", Body: `{"passwordChange":true}`,
			Want: `{"details":{"creationDate":"*"}}`, Events: []string{"instance.policy.notification.added"},
		},
		{Name: "it is there", Do: "GET /admin/v1/policies/notification", Want: `{"policy":{"passwordChange":true}}`},
		{
			Name: "add OIDC settings", Do: "POST /admin/v1/settings/oidc", Events: []string{"instance.oidc.settings.added"},
			Body: `{"accessTokenLifetime":"600s","idTokenLifetime":"600s","refreshTokenIdleExpiration":"600s","refreshTokenExpiration":"600s"}`,
		},
		{Name: "secret generators have their defaults", Do: "GET /admin/v1/secretgenerators/6", Want: `{"secretGenerator":{"length":64}}`},
		{
			Name: "and change", Do: "PUT /admin/v1/secretgenerators/6", Body: `{"length":32,"includeDigits":true}`,
			Events: []string{"instance.secret.generator.added"},
		},
	} {
		c.As, c.Host = "older", "older.localhost"
		s.Run(t, c)
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const languages, restrictions = "/admin/v1/languages", "/admin/v1/restrictions"
	s.Run(t,
		testkit.Call{Name: "supported", As: "acme", Do: "GET " + languages, Want: `{"languages":["de","en"]}`},
		testkit.Call{Name: "supported, for organizations", As: "acme", Do: "GET /management/v1/languages", Want: `{"languages":["de","en"]}`},
		testkit.Call{Name: "all are allowed", As: "acme", Do: "GET " + languages + "/allowed", Want: `{"languages":["de","en"]}`},
		testkit.Call{Name: "no restrictions", Do: "GET " + restrictions, Want: `{"details":{"resourceOwner":"$instance"},"allowedLanguages":null}`},
		testkit.Call{Name: "name one", Do: "PUT " + restrictions, Body: `{}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "no language", Do: "PUT " + restrictions, Body: `{"allowedLanguages":{"list":["klingon!"]}}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "without the default", Do: "PUT " + restrictions, Body: `{"allowedLanguages":{"list":["de"]}}`, Status: 400, Want: `{"details":[{"id":"LANG-default"}]}`},
		testkit.Call{
			Name: "restrict", Do: "PUT " + restrictions, Body: `{"disallowPublicOrgRegistration":true,"allowedLanguages":{"list":["en","fr"]}}`,
			Want: `{"details":{"changeDate":"*","resourceOwner":"$instance"}}`, Events: []string{"restrictions.set"},
		},
		testkit.Call{Name: "unchanged is fine", Do: "PUT " + restrictions, Body: `{"allowedLanguages":{"list":["en","fr"]}}`, Want: `{"details":{"changeDate":"*"}}`},
		testkit.Call{Name: "read back", Do: "GET " + restrictions, Want: `{"disallowPublicOrgRegistration":true,"allowedLanguages":["en","fr"]}`},
		testkit.Call{Name: "allowed", As: "acme", Do: "GET " + languages + "/allowed", Want: `{"languages":["en","fr"]}`},
		testkit.Call{Name: "allowed in v2", As: "acme", Do: "GET /v2/settings", Want: `{"supportedLanguages":["de","en"],"allowedLanguages":["en","fr"]}`},
		testkit.Call{Name: "a default that is not allowed", Do: "PUT " + languages + "/default/de", Status: 400, Want: `{"details":[{"id":"LANG-restricted"}]}`},
		testkit.Call{Name: "a default without texts", Do: "PUT " + languages + "/default/fr", Status: 400, Want: `{"details":[{"id":"LANG-unsupported"}]}`},
		testkit.Call{Name: "allow all", Do: "PUT " + restrictions, Body: `{"allowedLanguages":{}}`, Events: []string{"restrictions.set"}},
		testkit.Call{Name: "the other restriction stays", Do: "GET " + restrictions, Want: `{"disallowPublicOrgRegistration":true,"allowedLanguages":null}`},
		testkit.Call{Name: "default", Do: "PUT " + languages + "/default/de", Want: `{"details":{"changeDate":"*"}}`, Events: []string{"instance.default.language.set"}},
		testkit.Call{Name: "unchanged", Do: "PUT " + languages + "/default/de", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "read the default", Do: "GET " + languages + "/default", Want: `{"language":"de"}`},
		testkit.Call{Name: "not the organization's", As: "acme", Do: "PUT " + languages + "/default/en", Status: 403},
		testkit.Call{Name: "nor the restrictions", As: "acme", Do: "PUT " + restrictions, Body: `{"disallowPublicOrgRegistration":false}`, Status: 403},
	)
}
