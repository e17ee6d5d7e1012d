package test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// orgAdded are the events of a new organization with its creator as the owner.
var orgAdded = []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"}

// TestOrgLists looks for the same organizations through both versions.
func TestOrgLists(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for i, name := range []string{"Acme", "acme tools", "Zebra", "50%_off", "Straße"} {
		s.Run(t, testkit.Call{
			Name: "add " + name, Do: "POST /management/v1/orgs", Body: fmt.Sprintf(`{"name":%q}`, name),
			Keep: map[string]string{fmt.Sprintf("o%d", i): "id"}, Events: orgAdded,
		})
	}
	s.Run(t,
		testkit.Call{Name: "deactivate one", Do: "POST /management/v1/orgs/me/_deactivate", In: "$o2", Body: `{}`, Events: []string{"org.deactivated"}},
		testkit.Call{Name: "one more domain", Do: "POST /management/v1/orgs/me/domains", In: "$o0", Body: `{"domain":"Acme.example"}`,
			Events: []string{"org.domain.added", "org.domain.verified"}},
	)
	byName := func(method, name string) string {
		return fmt.Sprintf(`{"nameQuery":{"name":%q,"method":"TEXT_QUERY_METHOD_%s"}}`, name, method)
	}
	byDomain := func(method, name string) string {
		return fmt.Sprintf(`{"domainQuery":{"domain":%q,"method":"TEXT_QUERY_METHOD_%s"}}`, name, method)
	}
	for _, c := range []struct {
		name, queries string
		want          []string // by name, ascending
	}{
		{"all", "", []string{"o3", "o0", "o1", "org", "o4", "o2"}},
		{"equals", byName("EQUALS", "Acme"), []string{"o0"}},
		{"equals, wrong case", byName("EQUALS", "ACME"), nil},
		{"equals, any case", byName("EQUALS_IGNORE_CASE", "ACME"), []string{"o0"}},
		{"starts with", byName("STARTS_WITH", "Ac"), []string{"o0"}},
		{"starts with, any case", byName("STARTS_WITH_IGNORE_CASE", "AC"), []string{"o0", "o1"}},
		{"contains", byName("CONTAINS", "cme"), []string{"o0", "o1"}},
		{"contains, wrong case", byName("CONTAINS", "CME"), nil},
		{"contains, any case", byName("CONTAINS_IGNORE_CASE", "ME T"), []string{"o1"}},
		{"ends with", byName("ENDS_WITH", "bra"), []string{"o2"}},
		{"ends with, any case", byName("ENDS_WITH_IGNORE_CASE", "BRA"), []string{"o2"}},
		{"ends with, longer than the names", byName("ENDS_WITH", "a very long name indeed"), nil},
		{"a wildcard is a character", byName("CONTAINS", "%"), []string{"o3"}},
		{"many of them", byName("CONTAINS", strings.Repeat("%_", 100)), nil},
		{"another one too", byName("CONTAINS", "_"), []string{"o3"}},
		{"quotes are characters", byName("CONTAINS", `' OR 1=1 --`), nil},
		{"beyond ASCII", byName("ENDS_WITH_IGNORE_CASE", "SSE"), nil},
		{"beyond ASCII, as it is", byName("ENDS_WITH", "aße"), []string{"o4"}},
		{"state", `{"stateQuery":{"state":2}}`, []string{"o2"}},
		{"id", `{"idQuery":{"id":"$o1"}}`, []string{"o1"}},
		{"domain", byDomain("EQUALS", "acme.example"), []string{"o0"}},
		{"domain in any case", byDomain("EQUALS_IGNORE_CASE", "ACME.example"), []string{"o0"}},
		{"generated domains", byDomain("ENDS_WITH", ".localhost"), []string{"o3", "o0", "o1", "org", "o4", "o2"}},
		{"filters add up", byName("STARTS_WITH_IGNORE_CASE", "a") + "," + `{"idQuery":{"id":"$o1"}}`, []string{"o1"}},
	} {
		want := ""
		for i, id := range c.want {
			if i > 0 {
				want += ","
			}
			want += fmt.Sprintf(`{"id":"$%s"}`, id)
		}
		result := fmt.Sprintf(`"result":[%s]`, want)
		total := fmt.Sprintf(`"details":{"totalResult":"%d"}`, len(c.want))
		if len(c.want) == 0 {
			result, total = `"result":null`, `"details":{"totalResult":null}`
		}
		s.Run(t,
			testkit.Call{
				Name: c.name + " (v1)", Do: "POST /admin/v1/orgs/_search", Want: "{" + result + "," + total + "}",
				Body: fmt.Sprintf(`{"query":{"asc":true},"sortingColumn":"ORG_FIELD_NAME_NAME","queries":[%s]}`, c.queries),
			},
			testkit.Call{
				Name: c.name + " (v2)", Do: "POST /v2/organizations/_search", Want: "{" + result + "," + total + "}",
				Body: fmt.Sprintf(`{"query":{"asc":true},"sortingColumn":"ORGANIZATION_FIELD_NAME_NAME","queries":[%s]}`, c.queries),
			})
	}
	s.Run(t,
		testkit.Call{
			Name: "a page in the middle", Do: "POST /v2/organizations/_search",
			Body: `{"query":{"offset":"1","limit":2,"asc":true},"sortingColumn":"ORGANIZATION_FIELD_NAME_NAME"}`,
			Want: `{"details":{"totalResult":"6","timestamp":"*"},"sortingColumn":"ORGANIZATION_FIELD_NAME_NAME","result":[{"id":"$o0"},{"id":"$o1"}]}`,
		},
		testkit.Call{
			Name: "beyond the end", Do: "POST /v2/organizations/_search", Body: `{"query":{"offset":"600"}}`,
			Want: `{"details":{"totalResult":"6"},"result":null}`,
		},
		testkit.Call{
			Name: "newest first", Do: "POST /v2/organizations/_search", Body: `{"query":{"limit":1},"sortingColumn":"ORGANIZATION_FIELD_NAME_CREATION_DATE"}`,
			Want: `{"result":[{"id":"$o4","name":"Straße","state":"ORGANIZATION_STATE_ACTIVE","primaryDomain":"strae.localhost",
				"details":{"sequence":"*","creationDate":"*","changeDate":"*","resourceOwner":"$o4"}}]}`,
		},
		testkit.Call{Name: "too many", Do: "POST /v2/organizations/_search", Body: `{"query":{"limit":1001}}`, Status: 400},
		testkit.Call{Name: "an offset out of this world", Do: "POST /v2/organizations/_search", Body: `{"query":{"offset":"18446744073709551615"}}`, Status: 400},
		testkit.Call{Name: "an unknown column", Do: "POST /v2/organizations/_search", Body: `{"sortingColumn":77}`, Status: 400},
		testkit.Call{Name: "an empty filter", Do: "POST /v2/organizations/_search", Body: `{"queries":[{}]}`, Status: 400},
		testkit.Call{
			Name: "the default one", Do: "POST /v2/organizations/_search", Body: `{"queries":[{"defaultQuery":{}}]}`,
			Want: `{"details":{"totalResult":"1"},"result":[{"id":"$org"}]}`,
		},
		testkit.Call{
			Name: "by its domain", Do: "GET /management/v1/global/orgs/_by_domain?domain=acme.example",
			Want: `{"org":{"id":"$o0","name":"Acme","primaryDomain":"acme.localhost","state":"ORG_STATE_ACTIVE"}}`,
		},
		testkit.Call{Name: "by nobody's domain", Do: "GET /management/v1/global/orgs/_by_domain?domain=nobody.example", Status: 404},
		testkit.Call{Name: "by id", Do: "GET /admin/v1/orgs/$o2", Want: `{"org":{"id":"$o2","state":"ORG_STATE_INACTIVE"}}`},
		testkit.Call{Name: "by a wrong id", Do: "GET /admin/v1/orgs/1", Status: 404},
		testkit.Call{Name: "a name is free", Do: "GET /admin/v1/orgs/_is_unique?name=New", Want: `{"isUnique":true}`},
		testkit.Call{Name: "a name is taken", Do: "GET /admin/v1/orgs/_is_unique?name=ACME", Want: `{"isUnique":null}`},
		testkit.Call{Name: "a domain is taken", Do: "GET /admin/v1/orgs/_is_unique?name=New&domain=acme.example", Want: `{"isUnique":null}`},
		testkit.Call{Name: "the name is taken indeed", Do: "POST /management/v1/orgs", Body: `{"name":"acme"}`, Status: 409},
	)
	t.Run("who sees what", func(t *testing.T) {
		addMachine(t, s, "$o0", "viewer", "ORG_OWNER_VIEWER")
		addMachine(t, s, "$o1", "stranger", "")
		s.Run(t,
			testkit.Call{
				Name: "a member sees theirs", As: "viewer", Do: "POST /v2/organizations/_search", Body: `{}`,
				Want: `{"details":{"totalResult":"1"},"result":[{"id":"$o0"}]}`,
			},
			testkit.Call{Name: "who is no member sees none", As: "stranger", Do: "POST /v2/organizations/_search", Body: `{}`, Want: `{"details":{"totalResult":null},"result":null}`},
			testkit.Call{Name: "nor the instance's list", As: "viewer", Do: "POST /admin/v1/orgs/_search", Body: `{}`, Status: 403},
		)
	})
}

// addMachine adds a machine user with a token, kept under its name, and roles in its
// organization.
func addMachine(t *testing.T, s *testkit.Server, org, name, role string) {
	t.Helper()
	s.Run(t,
		testkit.Call{
			Name: name, Do: "POST /management/v1/users/machine", In: org, Body: fmt.Sprintf(`{"userName":%q,"name":%q}`, name, name),
			Keep: map[string]string{name: "userId"}, Events: []string{"user.machine.added"},
		},
		testkit.Call{
			Name: name + "'s token", Do: "POST /management/v1/users/$" + name + "/pats", In: org, Body: `{}`,
			Token: "token", KeepAs: name, Keep: map[string]string{name + "_pat": "tokenId"}, Events: []string{"user.pat.added"},
		})
	if role != "" {
		s.Run(t, testkit.Call{
			Name: name + " is " + role, Do: "POST /management/v1/orgs/me/members", In: org,
			Body: fmt.Sprintf(`{"userId":"$%s","roles":[%q]}`, name, role), Events: []string{"org.member.added"},
		})
	}
}

// TestDefaultOrg changes the organization of users without another, and removes
// the one that was it.
func TestDefaultOrg(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{Name: "the first one", Do: "GET /admin/v1/orgs/default", Want: `{"org":{"id":"$org"}}`},
		testkit.Call{Name: "a second one", Do: "POST /management/v1/orgs", Body: `{"name":"Second"}`, Keep: map[string]string{"second": "id"}, Events: orgAdded},
		testkit.Call{Name: "a third one", Do: "POST /management/v1/orgs", Body: `{"name":"Third"}`, Keep: map[string]string{"third": "id"}, Events: orgAdded},
		testkit.Call{Name: "the default stays", Do: "DELETE /admin/v1/orgs/$org", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "its owner's organization stays in use", Do: "POST /management/v1/orgs/me/_deactivate", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "there must be such", Do: "PUT /admin/v1/orgs/default/1", Status: 404},
		testkit.Call{Name: "deactivate", Do: "POST /management/v1/orgs/me/_deactivate", In: "$third", Body: `{}`, Events: []string{"org.deactivated"}},
		testkit.Call{Name: "it must be active", Do: "PUT /admin/v1/orgs/default/$third", Status: 400},
		testkit.Call{Name: "another default", Do: "PUT /admin/v1/orgs/default/$second", Want: `{"details":{"changeDate":"*","resourceOwner":"$instance"}}`, Events: []string{"instance.default.org.set"}},
		testkit.Call{Name: "is the default", Do: "GET /admin/v1/orgs/default", Want: `{"org":{"id":"$second"}}`},
		testkit.Call{Name: "the last owner's organization stays", Do: "DELETE /admin/v1/orgs/$org", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "remove the third", Do: "DELETE /admin/v1/orgs/$third", Events: []string{"org.removed"}},
		testkit.Call{Name: "gone", Do: "GET /admin/v1/orgs/$third", Status: 404},
		testkit.Call{Name: "again", Do: "DELETE /admin/v1/orgs/$third", Status: 404},
		testkit.Call{Name: "its name is free", Do: "POST /management/v1/orgs", Body: `{"name":"Third"}`, Events: orgAdded},
	)
}

// TestPagingByKey goes through a list by the tokens of its pages, while it
// changes, over REST and over Connect.
func TestPagingByKey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ids := make([]string, 7)
	for i := range ids {
		ids[i] = newOrg(t, s, fmt.Sprintf("Org %d", i%3)+strings.Repeat("+", i)) // Sorts by the first digit.
	}
	for _, do := range []string{"POST /admin/v1/orgs/_search", "POST /zitadel.admin.v1.AdminService/ListOrgs"} {
		for _, order := range []string{`"sortingColumn":"ORG_FIELD_NAME_NAME"`, `"sortingColumn":"ORG_FIELD_NAME_UNSPECIFIED"`} {
			for _, asc := range []string{"true", "false"} {
				body := func(limit int) string { return fmt.Sprintf(`{"query":{"limit":%d,"asc":%s},%s}`, limit, asc, order) }
				call := testkit.Call{Do: do, Body: body(100), Header: map[string]string{"Content-Type": "application/json"}}
				want := idsOf(s.Send(t, call).JSON(t))
				if len(want) != len(ids)+1 {
					t.Fatalf("%d organizations", len(want))
				}
				var got []string
				for call.Body = body(3); ; {
					r := s.Send(t, call)
					got = append(got, idsOf(r.JSON(t))...)
					next := r.Header.Get("X-Gatehouse-Next-Page")
					if next == "" {
						break
					}
					call.Header["X-Gatehouse-Page"] = next
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s %s asc %s: pages give %q, want %q", do, order, asc, got, want)
				}
			}
		}
	}
	token := s.Send(t, testkit.Call{Do: "POST /admin/v1/orgs/_search", Body: `{"query":{"limit":1}}`}).Header.Get("X-Gatehouse-Next-Page")
	for name, c := range map[string]testkit.Call{
		"no token at all":       {Header: map[string]string{"X-Gatehouse-Page": "nonsense"}},
		"of another order":      {Header: map[string]string{"X-Gatehouse-Page": token}, Body: `{"query":{"limit":1,"asc":true}}`},
		"of another list":       {Header: map[string]string{"X-Gatehouse-Page": token}, Do: "POST /management/v1/orgs/me/members/_search"},
		"longer than it can be": {Header: map[string]string{"X-Gatehouse-Page": strings.Repeat("a", 5000)}},
	} {
		c.Name, c.Do, c.Status, c.Want = name, cmp.Or(c.Do, "POST /admin/v1/orgs/_search"), 400, `{"code":3,"details":[{"id":"LIST-page"}]}`
		s.Run(t, c)
	}
}

func idsOf(list any) (ids []string) {
	object, _ := list.(map[string]any)
	rows, _ := object["result"].([]any)
	for _, row := range rows {
		entry, _ := row.(map[string]any)
		ids = append(ids, fmt.Sprint(entry["id"]))
	}
	return ids
}
