package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// hostileTexts would mean something in SQL, JSON paths, patterns or markup.
var hostileTexts = []string{
	`'; DROP TABLE policies; --`, `" OR ""="`, `$$`, `$1`, `?`, `\`, `\\'`, `%_%`, `*`, `{"a":1}`, `$.document`, `<script>alert(1)</script>`,
	"a\tb\nc", "名前", "\u202eabc", "é", "e\u0301", strings.Repeat("a", 400),
}

// TestReadOnlyFieldsAreNotWritten: what only replies have changes nothing in a
// request: neither ids, owners and dates, nor lists that have calls of their own.
func TestReadOnlyFieldsAreNotWritten(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const readOnly = `"isDefault":true,"details":{"sequence":"99","creationDate":"2001-01-01T00:00:00Z","changeDate":"2001-01-01T00:00:00Z","resourceOwner":"$org"},
		"policy":{"isDefault":true},"id":"1","orgId":"$org","organizationId":"$org","resourceOwner":"$org","instanceId":"1","sequence":"99","state":2,
		"secondFactors":["SECOND_FACTOR_TYPE_OTP"],"multiFactors":[1],"idps":[{"idpId":"1"}],"logoUrl":"https://evil.example","fontUrl":"https://evil.example",
		"showLockOutFailure":true`
	for name, c := range map[string]struct{ event, own, changed string }{
		"login":               {"login", `"forceMfa":true`, `"forceMfa":true,"allowRegister":true`},
		"lockout":             {"lockout", `"maxPasswordAttempts":5`, `"maxPasswordAttempts":6`},
		"privacy":             {"privacy", `"tosLink":"https://a.example"`, `"tosLink":"https://b.example"`},
		"label":               {"label", `"primaryColor":"#111111"`, `"primaryColor":"#222222"`},
		"password/age":        {"password.age", `"maxAgeDays":5`, `"maxAgeDays":6`},
		"password/complexity": {"password.complexity", `"minLength":"5"`, `"minLength":"6"`},
	} {
		path := "/management/v1/policies/" + name
		read := path
		if name == "label" {
			read += "/_preview"
		}
		s.Run(t,
			testkit.Call{Name: name, As: "acme", Do: "POST " + path, Body: `{` + c.own + `}`, Events: []string{"org.policy." + c.event + ".added"}},
			testkit.Call{Name: name + " change", As: "acme", Do: "PUT " + path, Body: `{` + c.changed + `,` + readOnly + `}`, Events: []string{"org.policy." + c.event + ".changed"}},
		)
		reply := s.Send(t, testkit.Call{As: "acme", Do: "GET " + read})
		for _, bad := range []string{"evil", "2001-01-01", `"99"`, "FACTOR", "idpId", s.OrgID, "isDefault"} {
			if strings.Contains(string(reply.Body), bad) {
				t.Errorf("%s took over %s: %s", name, bad, reply.Body)
			}
		}
		s.Run(t, testkit.Call{
			Name: name + " unchanged", As: "acme", Do: "PUT " + path, Body: `{` + c.changed + `,` + readOnly + `}`, Status: 400, Want: `{"code":9}`,
		})
	}
	events := s.Send(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"aggregateId":"$acme"}`})
	if strings.Contains(string(events.Body), "evil") || strings.Contains(string(events.Body), "2001-01-01") {
		t.Errorf("the log took over what is read-only: %s", events.Body)
	}
}

// TestIDsNeverMeet: organizations whose ids differ by a character that programs
// join keys with, or by a form of a letter, share no policy and no permission.
func TestIDsNeverMeet(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ids := []string{"a", "a:", "a:b", "a|b", "A:b", "a.b", "a-b", "a%2fb", "a;b", "a,b", "'a'", "é", "e\u0301", "e", "ａ", "a\u200b", "policy.login", "a$", "a?"}
	for i, id := range ids {
		text, err := json.Marshal(map[string]string{"name": fmt.Sprint("Org ", i), "organizationId": id})
		if err != nil {
			t.Fatal(err)
		}
		s.Check(t, testkit.Call{Do: "POST /v2/organizations", Body: string(text), Status: http.StatusCreated, Events: orgAdded})
		machine(t, s, id, fmt.Sprint("owner ", i), authz.OrgOwner)
		s.Check(t, testkit.Call{
			As: fmt.Sprint("owner ", i), Do: "POST /management/v1/policies/lockout",
			Body: fmt.Sprintf(`{"maxPasswordAttempts":%d}`, i+1), Events: []string{"org.policy.lockout.added"},
		})
	}
	for i, id := range ids {
		for j := range ids {
			r := s.Send(t, testkit.Call{As: fmt.Sprint("owner ", j), Do: "GET /v2/settings/lockout?ctx.orgId=" + url.QueryEscape(id)})
			if i != j {
				if r.Status != http.StatusNotFound {
					t.Errorf("the owner of %q reads %q: %d %s", ids[j], id, r.Status, r.Body)
				}
				continue
			}
			if want := fmt.Sprintf(`"%d"`, i+1); r.Status != http.StatusOK || !strings.Contains(string(r.Body), want) {
				t.Errorf("%q: %d %s, want %s", id, r.Status, r.Body, want)
			}
		}
	}
	for _, id := range []string{"a/b", "a b", "a\tb", "a\u0000", "", strings.Repeat("a", 201)} {
		text, err := json.Marshal(map[string]string{"name": "Refused", "organizationId": id})
		if err != nil {
			t.Fatal(err)
		}
		if r := s.Send(t, testkit.Call{Do: "POST /v2/organizations", Body: string(text)}); id != "" && r.Status != http.StatusBadRequest {
			t.Errorf("id %q: %d %s", id, r.Status, r.Body)
		}
	}
}

// TestHostileTextsInSettings writes texts wherever settings take them: each comes
// back as it was or is refused, and nothing else happens.
func TestHostileTextsInSettings(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	for i, text := range hostileTexts {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Set("text", string(quoted))
		s.Set("query", url.QueryEscape(text))
		verb, event := "PUT", "changed"
		if i == 0 {
			verb, event = "POST", "added"
		}
		link := `{"ctx":{"orgId":"$acme"},"links":[{"type":6,"url":"https://a.example","translationKey":$text}]}`
		s.Run(t,
			testkit.Call{
				Name: text + " in a policy", As: "acme", Do: verb + " /management/v1/policies/privacy", Body: `{"customLinkText":$text}`,
				Events: []string{"org.policy.privacy." + event},
			},
			testkit.Call{Name: "comes back", As: "acme", Do: "GET /management/v1/policies/privacy", Want: `{"policy":{"customLinkText":$text}}`},
			testkit.Call{Name: "and in v2", As: "acme", Do: "GET /v2/settings/legal_support", Want: `{"settings":{"customLinkText":$text}}`},
			testkit.Call{
				Name: "in texts", Do: "PUT /v2/settings/hosted_login_translation", Body: `{"instance":true,"locale":"en","translations":{"key":$text,"k":{"a":$text}}}`,
				Events: []string{"instance.hosted_login_translation.set"},
			},
			testkit.Call{Name: "read", Do: "GET /v2/settings/hosted_login_translation?instance=true&locale=en", Want: `{"translations":{"key":$text,"k":{"a":$text}}}`},
			testkit.Call{
				Name: "in the log", Do: "POST /admin/v1/events/_search", Body: `{"limit":1}`,
				Want: `{"events":[{"payload":{"translation":{"key":$text}}}]}`,
			},
			testkit.Call{Name: "as a language", Do: "GET /v2/settings/hosted_login_translation?instance=true&locale=xx" + "$query", Status: 400},
			testkit.Call{Name: "as an organization", Do: "GET /v2/settings/login?ctx.orgId=$query", Want: `{"settings":{"resourceOwnerType":"RESOURCE_OWNER_TYPE_INSTANCE"}}`},
		)
		if len(text) <= 200 {
			s.Run(t,
				testkit.Call{Name: "as a filter of events", Do: "POST /admin/v1/events/_search", Body: `{"aggregateId":$text,"eventTypes":[$text],"editorUserId":$text}`, Want: `{"events":null}`},
				viaConnect("as a key", "", "SetLinkSettings", link, `{"settings":{"links":[{"translationKey":$text}]}}`, "org.settings.link.set"),
				testkit.Call{
					Name: "as a filter", Do: "POST /v2/settings/organization/search", Body: `{"filters":[{"inOrganizationIdsFilter":{"ids":[$text]}}]}`,
					Want: `{"organizationSettings":null}`,
				},
			)
		}
	}
}

// TestBatchesOverTheirLimit are refused as a whole.
func TestBatchesOverTheirLimit(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	repeat := func(n int, item string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = strings.ReplaceAll(item, "#", fmt.Sprint(i))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	filter := func(item string) string { return `{"queries":` + repeat(51, item) + `}` }
	for do, body := range map[string]string{
		"POST /management/v1/metadata/_bulk":          `{"metadata":` + repeat(201, `{"key":"k#","value":"dg=="}`) + `}`,
		"DELETE /management/v1/metadata/_bulk":        `{"keys":` + repeat(201, `"k#"`) + `}`,
		"POST /v2/organizations":                      `{"name":"Batch","admins":` + repeat(101, `{"userId":"$owner"}`) + `}`,
		"POST /admin/v1/orgs/_search":                 filter(`{"nameQuery":{"name":"a#"}}`),
		"POST /v2/settings/organization/search":       `{"filters":` + repeat(51, `{"organizationScopedUsernamesFilter":{}}`) + `}`,
		"POST /admin/v1/secretgenerators/_search":     filter(`{"typeQuery":{"generatorType":1}}`),
		"POST /management/v1/policies/login":          `{"secondFactors":` + repeat(6, `1`) + `}`,
		"PUT /admin/v1/restrictions":                  `{"allowedLanguages":{"list":` + repeat(101, `"x-a#"`) + `}}`,
		"PUT /admin/v1/policies/security":             `{"allowedOrigins":` + repeat(101, `"https://a#.example"`) + `}`,
		"PUT /v2/policies/security":                   `{"embeddedIframe":{"allowedOrigins":` + repeat(101, `"https://a#.example"`) + `}}`,
		"POST /admin/v1/events/_search":               `{"limit":1001}`,
		"POST /management/v1/orgs/me/members/_search": `{"query":{"limit":1001}}`,
	} {
		before := s.Events(t)
		r := s.Send(t, testkit.Call{Do: do, Body: body})
		if r.Status != http.StatusBadRequest && r.Status != http.StatusTooManyRequests {
			t.Errorf("%s: %d %s", do, r.Status, r.Body)
		}
		if after := s.Events(t); !slices.Equal(after, before) {
			t.Errorf("%s: wrote %q", do, after[len(before):])
		}
	}
}
