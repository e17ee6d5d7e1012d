package test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// viaConnect makes a call of an RPC that has no route of its own.
func viaConnect(name, as, rpc, body, want string, events ...string) testkit.Call {
	return testkit.Call{
		Name: name, As: as, Do: "POST /zitadel.settings.v2.SettingsService/" + rpc, Body: body, Want: want, Events: events,
		Header: map[string]string{"Content-Type": "application/json"},
	}
}

func TestOrganizationSettings(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	machine(t, s, s.OrgID, "reader", "IAM_OWNER_VIEWER")
	const path, search = "/v2/settings/organization", "POST /v2/settings/organization/search"
	scoped := func(on string) string {
		return `{"organizationId":"$acme","organizationScopedUsernames":` + on + `}`
	}
	s.Run(t,
		testkit.Call{Name: "none", Do: search, Body: `{}`, Want: `{"pagination":{"totalResult":null,"appliedLimit":"100"},"organizationSettings":null}`},
		testkit.Call{Name: "nothing named", Do: "POST " + path, Body: `{"organizationId":"$acme"}`, Status: 400, Want: `{"details":[{"id":"SETTINGS-none"}]}`},
		testkit.Call{Name: "no organization named", Do: "POST " + path, Body: `{"organizationScopedUsernames":true}`, Status: 400, Want: `{"details":[{"id":"SETTINGS-scope"}]}`},
		testkit.Call{Name: "no such organization", Do: "POST " + path, Body: `{"organizationId":"31415","organizationScopedUsernames":true}`, Status: 404},
		testkit.Call{Name: "not the organization's", As: "acme", Do: "POST " + path, Body: scoped("true"), Status: 403},
		testkit.Call{Name: "nor a reader's", As: "reader", Do: "POST " + path, Body: scoped("true"), Status: 403},
		testkit.Call{Name: "nothing to remove is fine", Do: "DELETE " + path, Body: `{"organizationId":"$acme"}`, Want: `{"deletionDate":null}`},
		testkit.Call{Name: "set to what holds anyway", Do: "POST " + path, Body: scoped("false"), Want: `{"setDate":"*"}`, Events: []string{"settings.organization.set"}},
		testkit.Call{Name: "set", Do: "POST " + path, Body: scoped("true"), Events: []string{"settings.organization.set", "org.user.names.scope.changed"}, Keep: map[string]string{"set": "setDate"}},
		testkit.Call{Name: "unchanged is fine", Do: "POST " + path, Body: scoped("true"), Want: `{"setDate":"$set"}`},
		testkit.Call{Name: "another's", Do: "POST " + path, Body: `{"organizationId":"$org","organizationScopedUsernames":false}`, Events: []string{"settings.organization.set"}},
		testkit.Call{
			Name: "list", As: "reader", Do: search, Body: `{"pagination":{"asc":true}}`,
			Want: `{"pagination":{"totalResult":"2"},"organizationSettings":[
				{"organizationId":"$acme","creationDate":"*","changeDate":"$set","organizationScopedUsernames":true},{"organizationId":"$org","organizationScopedUsernames":null}]}`,
		},
		testkit.Call{Name: "one may list one's own", As: "acme", Do: search, Body: `{}`, Want: `{"pagination":{"totalResult":"1"},"organizationSettings":[{"organizationId":"$acme"}]}`},
		testkit.Call{
			Name: "by organization", Do: search, Body: `{"sortingColumn":1,"filters":[{"inOrganizationIdsFilter":{"ids":["$org","1"]}}]}`,
			Want: `{"organizationSettings":[{"organizationId":"$org"}]}`,
		},
		testkit.Call{
			Name: "by value", Do: search, Body: `{"filters":[{"organizationScopedUsernamesFilter":{"organizationScopedUsernames":true}}]}`,
			Want: `{"organizationSettings":[{"organizationId":"$acme"}]}`,
		},
		testkit.Call{
			Name: "by the other value", Do: search, Body: `{"filters":[{"organizationScopedUsernamesFilter":{}}]}`,
			Want: `{"organizationSettings":[{"organizationId":"$org"}]}`,
		},
		testkit.Call{Name: "not the organization's to remove", As: "acme", Do: "DELETE " + path, Body: `{"organizationId":"$acme"}`, Status: 403},
		testkit.Call{Name: "remove", Do: "DELETE " + path, Body: `{"organizationId":"$acme"}`, Want: `{"deletionDate":"*"}`, Events: []string{"settings.organization.removed", "org.user.names.scope.changed"}},
		testkit.Call{Name: "removed", As: "acme", Do: search, Body: `{}`, Want: `{"organizationSettings":null}`},
	)
}

// TestSettingsEndWithTheirOrganization: a new organization with the id of one that
// is gone begins without its settings, in the tables as on replay.
func TestSettingsEndWithTheirOrganization(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	settings := []testkit.Call{
		{
			Name: "organization", Do: "POST /v2/settings/organization", Body: `{"organizationId":"acme","organizationScopedUsernames":true}`,
			Events: []string{"settings.organization.set", "org.user.names.scope.changed"},
		},
		viaConnect("links", "", "SetLinkSettings", `{"ctx":{"orgId":"acme"},"links":[]}`, ``, "org.settings.link.set"),
		{
			Name: "texts", Do: "PUT /v2/settings/hosted_login_translation", Body: `{"organizationId":"acme","locale":"de","translations":{"a":"b"}}`,
			Events: []string{"org.hosted_login_translation.set"},
		},
		{Name: "label", Do: "POST /management/v1/policies/label", In: "acme", Body: `{}`, Events: []string{"org.policy.label.added"}},
		{Name: "activate", Do: "POST /management/v1/policies/label/_activate", In: "acme", Body: `{}`, Events: []string{"org.policy.label.activated"}},
	}
	add := testkit.Call{Name: "add", Do: "POST /v2/organizations", Body: `{"name":"Acme","organizationId":"acme"}`, Status: 201, Events: orgAdded}
	s.Run(t, add)
	s.Run(t, settings...)
	s.Run(t,
		testkit.Call{Name: "remove", Do: "DELETE /v2/organizations/acme", Events: []string{"org.removed"}},
		testkit.Call{Name: "no settings", Do: "POST /v2/settings/organization/search", Body: `{}`, Want: `{"organizationSettings":null}`},
		add,
	)
	s.Run(t, settings...)
}

func TestLinkSettings(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	machine(t, s, s.OrgID, "reader", "IAM_OWNER_VIEWER")
	const instance, acme = `{"ctx":{"instance":true}}`, `{"ctx":{"orgId":"$acme"}}`
	const terms = `{"type":"LINK_TYPE_TERMS_OF_SERVICE","url":"https://example.com/{{.Lang}}/terms","target":"LINK_TARGET_BLANK"}`
	const help = `{"type":"LINK_TYPE_SUPPORT","url":"mailto:help@example.com","translationKey":"help.mail"}`
	s.Run(t,
		viaConnect("none", "reader", "GetLinkSettings", acme, `{"settings":{"links":null},"source":"SOURCE_SYSTEM"}`),
		viaConnect("of the instance", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[`+terms+`,`+help+`]}`,
			`{"changeDate":"*","settings":{"links":[`+terms+`,`+help+`]}}`, "instance.settings.link.set"),
		viaConnect("unchanged is fine", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[`+terms+`,`+help+`]}`, `{"changeDate":"*"}`),
		viaConnect("inherited", "reader", "GetLinkSettings", acme, `{"settings":{"links":[`+terms+`,`+help+`]},"source":"SOURCE_INSTANCE"}`),
		viaConnect("an organization's", "", "SetLinkSettings", `{"ctx":{"orgId":"$acme"},"links":[`+help+`]}`, `{"settings":{"links":[`+help+`]}}`, "org.settings.link.set"),
		viaConnect("replace the inherited", "reader", "GetLinkSettings", acme, `{"settings":{"links":[`+help+`]},"source":"SOURCE_ORGANIZATION"}`),
		viaConnect("in effect", "reader", "GetEffectiveSettings", `{"organizationId":"$acme"}`, `{"links":{"links":[`+help+`]}}`),
		viaConnect("in effect for the instance", "reader", "GetEffectiveSettings", `{"types":["SETTINGS_TYPE_LINK_SETTINGS"]}`, `{"links":{"links":[`+terms+`,`+help+`]}}`),
		viaConnect("none of one's own", "", "SetLinkSettings", acme, `{"settings":{"links":null}}`, "org.settings.link.set"),
		viaConnect("are none", "reader", "GetLinkSettings", acme, `{"settings":{"links":null},"source":"SOURCE_ORGANIZATION"}`),
		viaConnect("reset", "", "ResetLinkSettings", acme, `{"changeDate":"*","settings":{"links":[`+terms+`,`+help+`]}}`, "org.settings.link.removed"),
		viaConnect("reset again is fine", "", "ResetLinkSettings", acme, `{"changeDate":null,"settings":{"links":[`+terms+`,`+help+`]}}`),
		viaConnect("reset the instance", "", "ResetLinkSettings", instance, `{"settings":{"links":null}}`, "instance.settings.link.removed"),
		viaConnect("none again", "reader", "GetLinkSettings", instance, `{"source":"SOURCE_SYSTEM"}`),
	)
	for _, c := range []struct {
		name, as, rpc, body string
		status              int
	}{
		{"a reader sets", "reader", "SetLinkSettings", instance, http.StatusForbidden},
		{"an organization sets", "acme", "SetLinkSettings", acme, http.StatusForbidden},
		{"an organization resets", "acme", "ResetLinkSettings", acme, http.StatusForbidden},
		{"an organization reads", "acme", "GetLinkSettings", acme, http.StatusForbidden},
		{"no such organization", "", "SetLinkSettings", `{"ctx":{"orgId":"1"}}`, http.StatusNotFound},
		{"a script", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"type":1,"url":"javascript:alert(1)"}]}`, http.StatusBadRequest},
		{"no host", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"type":1,"url":"https://"}]}`, http.StatusBadRequest},
		{"no mail address", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"type":4,"url":"mailto:help"}]}`, http.StatusBadRequest},
		{"no type", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"url":"https://example.com"}]}`, http.StatusBadRequest},
		{"unknown type", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"type":7,"url":"https://example.com"}]}`, http.StatusBadRequest},
		{"unknown target", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"type":1,"target":3,"url":"https://example.com"}]}`, http.StatusBadRequest},
		{"a long address", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"type":1,"url":"https://a.example/` + strings.Repeat("a", 2000) + `"}]}`, http.StatusBadRequest},
		{"a long key", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[{"type":1,"url":"https://a.example","translationKey":"` + strings.Repeat("ä", 201) + `"}]}`, http.StatusBadRequest},
		{"many", "", "SetLinkSettings", `{"ctx":{"instance":true},"links":[` + strings.Repeat(terms+",", 50) + terms + `]}`, http.StatusBadRequest},
		{"of a project", "", "GetEffectiveSettings", `{"projectId":"1"}`, http.StatusNotImplemented},
		{"of an application", "", "GetEffectiveSettings", `{"applicationId":"1"}`, http.StatusNotImplemented},
	} {
		call := viaConnect(c.name, c.as, c.rpc, c.body, "")
		call.Status = c.status
		s.Run(t, call)
	}
}

func TestHostedLoginTranslation(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	machine(t, s, s.OrgID, "reader", "IAM_OWNER_VIEWER")
	const path = "/v2/settings/hosted_login_translation"
	put := func(body string) string { return `{` + body + `}` }
	s.Run(t,
		testkit.Call{Name: "nothing built in", As: "reader", Do: "GET " + path + "?system=true&locale=de", Want: `{"etag":"*","translations":{}}`, Keep: map[string]string{"none": "etag"}},
		testkit.Call{Name: "nothing set", As: "reader", Do: "GET " + path + "?instance=true&locale=de", Want: `{"etag":"$none","translations":{}}`},
		testkit.Call{
			Name: "of the instance", Do: "PUT " + path, Body: put(`"instance":true,"locale":"de","translations":{"login":{"title":"Anmelden","back":"Zurück"},"ok":"Gut"}`),
			Want: `{"etag":"*"}`, Keep: map[string]string{"first": "etag"}, Events: []string{"instance.hosted_login_translation.set"},
		},
		testkit.Call{
			Name: "read back", As: "reader", Do: "GET " + path + "?instance=true&locale=de",
			Want: `{"etag":"$first","translations":{"login":{"title":"Anmelden","back":"Zurück"},"ok":"Gut"}}`,
		},
		testkit.Call{
			Name: "unchanged in another order is fine", Do: "PUT " + path,
			Body: put(`"instance":true,"locale":"DE","translations":{"ok":"Gut","login":{"back":"Zurück","title":"Anmelden"}}`), Want: `{"etag":"$first"}`,
		},
		testkit.Call{Name: "another language", As: "reader", Do: "GET " + path + "?instance=true&locale=fr", Want: `{"etag":"$none","translations":{}}`},
		testkit.Call{Name: "inherited", As: "reader", Do: "GET " + path + "?organizationId=$acme&locale=de", Want: `{"etag":"$first"}`},
		testkit.Call{
			Name: "an organization's", Do: "PUT " + path, Body: put(`"organizationId":"$acme","locale":"de","translations":{"login":{"title":"Hallo"},"ok":{"long":"In Ordnung"}}`),
			Keep: map[string]string{"merged": "etag"}, Events: []string{"org.hosted_login_translation.set"},
		},
		testkit.Call{
			Name: "stand over the inherited", As: "reader", Do: "GET " + path + "?organizationId=$acme&locale=de",
			Want: `{"etag":"$merged","translations":{"login":{"title":"Hallo","back":"Zurück"},"ok":{"long":"In Ordnung"}}}`,
		},
		testkit.Call{
			Name: "by themselves", As: "reader", Do: "GET " + path + "?organizationId=$acme&locale=de&ignoreInheritance=true",
			Want: `{"translations":{"login":{"title":"Hallo","back":null},"ok":{"long":"In Ordnung"}}}`,
		},
		testkit.Call{Name: "the instance's stay", As: "reader", Do: "GET " + path + "?instance=true&locale=de", Want: `{"etag":"$first"}`},
		testkit.Call{
			Name: "replaced", Do: "PUT " + path, Body: put(`"organizationId":"$acme","locale":"de","translations":{"new":"Neu"}`),
			Events: []string{"org.hosted_login_translation.set"},
		},
		testkit.Call{
			Name: "as a whole", As: "reader", Do: "GET " + path + "?organizationId=$acme&locale=de",
			Want: `{"translations":{"login":{"title":"Anmelden"},"ok":"Gut","new":"Neu"}}`,
		},
		testkit.Call{Name: "taken back", Do: "PUT " + path, Body: put(`"organizationId":"$acme","locale":"de"`), Want: `{"etag":"$first"}`, Events: []string{"org.hosted_login_translation.set"}},
		testkit.Call{Name: "no level", Do: "GET " + path + "?locale=de", Status: 400, Want: `{"details":[{"id":"TEXTS-level"}]}`},
		testkit.Call{Name: "no level to write", Do: "PUT " + path, Body: `{"locale":"de"}`, Status: 400, Want: `{"details":[{"id":"TEXTS-level"}]}`},
		testkit.Call{Name: "no language", Do: "GET " + path + "?instance=true&locale=deutsch!", Status: 400, Want: `{"details":[{"id":"TEXTS-language"}]}`},
		testkit.Call{Name: "no such organization", Do: "PUT " + path, Body: `{"organizationId":"1","locale":"de","translations":{}}`, Status: 404},
		testkit.Call{Name: "not the organization's", As: "acme", Do: "PUT " + path, Body: `{"organizationId":"$acme","locale":"de"}`, Status: 403},
		testkit.Call{Name: "nor to read", As: "acme", Do: "GET " + path + "?organizationId=$acme&locale=de", Status: 403},
	)
	deep := strings.Repeat(`{"a":`, 8)
	for id, texts := range map[string]string{
		"TEXTS-value": `{"a":1}`, "TEXTS-text": `{"a":"\u0000"}`, "TEXTS-key": `{"":"a"}`,
		"TEXTS-depth": deep + `{"a":"b"}` + strings.Repeat("}", 8),
		"TEXTS-size":  `{"a":"` + strings.Repeat("a", 512<<10) + `"}`,
	} {
		s.Run(t, testkit.Call{
			Name: id, Do: "PUT " + path, Body: `{"instance":true,"locale":"de","translations":` + texts + `}`,
			Status: 400, Want: `{"code":3,"details":[{"id":"` + id + `"}]}`,
		})
	}
	for i := range 99 { // One language is there.
		if r := s.Send(t, testkit.Call{Do: "PUT " + path, Body: fmt.Sprintf(`{"instance":true,"locale":"x-%d"}`, i)}); r.Status != http.StatusOK {
			t.Fatalf("language %d: %d %s", i, r.Status, r.Body)
		}
	}
	s.Run(t,
		testkit.Call{Name: "too many languages", Do: "PUT " + path, Body: `{"instance":true,"locale":"fr"}`, Status: 429, Want: `{"details":[{"id":"TEXTS-languages"}]}`},
		testkit.Call{Name: "those that are there change", Do: "PUT " + path, Body: `{"instance":true,"locale":"de"}`, Events: []string{"instance.hosted_login_translation.set"}},
	)
}

func TestActiveIdentityProviders(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const path = "GET /v2/settings/login/idps"
	s.Run(t,
		testkit.Call{Name: "none", Do: path, Want: `{"details":{"totalResult":null,"timestamp":"*"},"identityProviders":null}`},
		testkit.Call{Name: "a link", Do: "POST /admin/v1/policies/login/idps", Body: `{"idpId":"159"}`, Events: []string{"instance.policy.login.idpprovider.added"}},
		testkit.Call{Name: "leads to none", Do: path, Want: `{"identityProviders":null}`},
		testkit.Call{Name: "nobody", As: "nobody", Do: path, Status: 401},
	)
}
