package test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

const (
	linkAdded, linkRemoved, linkCascaded = "user.human.externalidp.added", "user.human.externalidp.removed", "user.human.externalidp.cascade.removed"

	linkTaken = `{"code":6,"details":[{"id":"USER-link-taken"}]}`
	noLink    = `{"code":5,"details":[{"id":"USER-link-missing"}]}`
)

// listIDP is a call that makes a provider known to all organizations.
func listIDP(id string) testkit.Call {
	return testkit.Call{Name: "provider " + id, Do: "POST /admin/v1/policies/login/idps", Body: `{"idpId":"` + id + `"}`, Events: []string{"instance.policy.login.idpprovider.added"}}
}

// link is a call by which an administrator links an account to somebody.
func link(name, idp, account string) testkit.Call {
	return testkit.Call{
		Name: "link " + account, As: "boss", Do: "POST /v2/users/$" + name + "/links", Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$acme"}}`,
		Body: `{"idpLink":{"idpId":"` + idp + `","userId":"` + account + `","userName":"` + account + `@acme"}}`, Events: []string{linkAdded},
	}
}

// refusedTo is a call that must fail, and writes nothing.
func refusedTo(c testkit.Call, as string, status int, want string) testkit.Call {
	c.Name, c.As, c.Status, c.Want, c.Keep, c.Events = c.Name+" as "+as, as, status, want, nil, nil
	return c
}

func TestLinks(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inHouse(t, s)
	human(t, s, "$acme", "bob")
	const v2, managed, mine = "/v2/users/$ann/links", "/management/v1/users/$ann/idps", "/auth/v1/users/me/idps"
	first := link("ann", "159", "a/1")
	s.Run(t,
		refusedTo(first, "boss", 400, `{"code":9,"details":[{"id":"USER-link-policy"}]}`), listIDP("159"),
		refusedTo(first, "guest", 404, noSuchOne), refusedTo(first, "ann", 404, ""),
		refusedTo(link("boss", "159", "m"), "boss", 400, `{"code":9}`),
		testkit.Call{Name: "no account", As: "boss", Do: "POST " + v2, Body: `{}`, Status: 400, Want: `{"details":[{"id":"USER-link"}]}`},
		first, refusedTo(first, "boss", 409, linkTaken), refusedTo(link("bob", "159", "a/1"), "boss", 409, linkTaken),
		link("ann", "159", "A/1"), listIDP("159/a"), link("bob", "159/a", "1"),
		testkit.Call{Name: "her own", As: "ann", Do: "POST " + v2 + "/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2","timestamp":"*"},"result":[{"idpId":"159","userId":"a/1","userName":"a/1@acme"},{"userId":"A/1"}]}`},
		testkit.Call{Name: "by page", As: "clerk", Do: "POST " + v2 + "/_search", Body: `{"query":{"limit":1}}`, Want: `{"details":{"totalResult":"2"},"result":[{"userId":"A/1"}]}`},
		testkit.Call{Name: "not for guests", As: "guest", Do: "POST " + v2 + "/_search", Body: `{}`, Status: 404, Want: noSuchOne},
		testkit.Call{Name: "nor others", As: "bob", Do: "POST " + v2 + "/_search", Body: `{}`, Status: 404, Want: noSuchOne},
		testkit.Call{Name: "in version 1", As: "clerk", In: "$acme", Do: "POST " + managed + "/_search", Body: `{}`, Want: `{"details":{"totalResult":"2"},"result":[{"userId":"$ann","idpId":"159","providedUserId":"A/1","providedUserName":"A/1@acme","idpName":null},{"providedUserId":"a/1"}]}`},
		testkit.Call{Name: "of another organization", As: "boss", In: "$acme", Do: "POST /management/v1/users/$guest/idps/_search", Body: `{}`, Status: 404, Want: noSuchOne},
		testkit.Call{Name: "of herself", As: "ann", Do: "POST " + mine + "/_search", Body: `{}`, Want: `{"details":{"totalResult":"2"},"result":[{"userId":"$ann","providedUserId":"A/1"},{}]}`},
		testkit.Call{Name: "a method", As: "ann", Do: "GET /v2/users/$ann/authentication_methods", Want: `{"authMethodTypes":["AUTHENTICATION_METHOD_TYPE_PASSWORD","AUTHENTICATION_METHOD_TYPE_IDP"]}`},
		testkit.Call{Name: "that is not hers", As: "ann", Do: "DELETE " + mine + "/159/2", Status: 404, Want: noLink},
		testkit.Call{Name: "others do not remove it", As: "bob", Do: "DELETE " + v2 + "/159/A%2F1", Status: 404, Want: noSuchOne},
		testkit.Call{Name: "she does", As: "ann", Do: "DELETE " + mine + "/159/A%2F1", Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{linkRemoved}},
		testkit.Call{Name: "a clerk does", As: "clerk", In: "$acme", Do: "DELETE " + managed + "/159/a%2F1", Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{linkRemoved}},
		testkit.Call{Name: "once", As: "clerk", In: "$acme", Do: "DELETE " + managed + "/159/a%2F1", Status: 404, Want: noLink},
		testkit.Call{Name: "no method any more", As: "ann", Do: "GET /v2/users/$ann/authentication_methods", Want: `{"authMethodTypes":["AUTHENTICATION_METHOD_TYPE_PASSWORD"]}`},
		link("bob", "159", "a/1"),
		testkit.Call{Name: "by version 2", As: "bob", Do: "DELETE /v2/users/$bob/links/159/a%2F1", Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{linkRemoved}},
		first,
		testkit.Call{Name: "remove her", As: "boss", Do: "DELETE /v2/users/$ann", Events: []string{linkCascaded, "user.removed"}},
		link("bob", "159", "a/1"),
	)
}

// TestLinksAtOnce: of all who want an account at once, one gets it.
func TestLinksAtOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inHouse(t, s)
	human(t, s, "$acme", "bob")
	s.Run(t, listIDP("159"))
	other := s.Sibling(t)
	other.SetToken("boss", s.TokenOf(t, "boss"))
	passed := atOnce(20, func(i int) error {
		node, name := []*testkit.Server{s, other}[i/2%2], []string{"ann", "bob"}[i%2]
		c := link(name, "159", "one")
		c.Do = s.Expand(c.Do)
		if r := node.Send(t, c); r.Status != http.StatusOK {
			return fmt.Errorf("%d", r.Status)
		}
		return nil
	})
	if passed != 1 {
		t.Errorf("the account was linked %d times", passed)
	}
}

// TestLinksOfNewPeople: what makes a human takes accounts with it, or makes nobody.
func TestLinksOfNewPeople(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const one, v2 = `,"idps":[{"configId":"159","externalUserId":"1","displayName":"ada"}]`, `"profile":{"givenName":"Bea","familyName":"B"},"email":{"email":"b@example.com","isVerified":true},"idpLinks":[{"idpId":"159","userId":"%d","userName":"bea"}]`
	events := []string{"user.human.added", "user.human.email.verified", linkAdded}
	ada := testkit.Call{Name: "import", Do: importPath, Body: imported("ada", one), Keep: map[string]string{"ada": "userId"}, Events: events}
	s.Run(t,
		refusedTo(ada, "owner", 400, `{"details":[{"id":"USER-link-policy"}]}`), listIDP("159"), ada,
		testkit.Call{Name: "hers", Do: "POST /v2/users/$ada/links/_search", Body: `{}`, Want: `{"result":[{"idpId":"159","userId":"1","userName":"ada"}]}`},
		refusedTo(testkit.Call{Name: "hers already", Do: importPath, Body: imported("eve", one)}, "owner", 409, linkTaken),
		testkit.Call{Name: "add", Do: "POST /v2/users/human", Body: `{"username":"bea",` + fmt.Sprintf(v2, 2) + `}`, Events: events},
		testkit.Call{Name: "create", Do: "POST /v2/users/new", Body: `{"organizationId":"$org","username":"cleo","human":{` + fmt.Sprintf(v2, 3) + `}}`, Events: events},
		testkit.Call{Name: "nobody was made in vain", Do: "POST /v2/users", Body: `{"queries":[{"typeQuery":{"type":"TYPE_HUMAN"}}]}`, Want: `{"details":{"totalResult":"3"}}`},
	)
}

// TestLinksEnd: with an organization the accounts of its people are free, and where
// users are erased, the log does not tell of them.
func TestLinksEnd(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inHouse(t, s)
	human(t, s, "$other", "bob")
	s.Run(t,
		testkit.Call{Name: "erase", Do: "PUT /gatehouse/v1/policies/erasure", Body: `{"mode":2}`, Events: []string{"instance.policy.erasure.set"}},
		listIDP("159"), link("ann", "159", canary),
	)
	if r := s.Send(t, testkit.Call{Do: "DELETE /admin/v1/orgs/$acme"}); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	later(t, s)
	if left := telling(t, s, canary); len(left) != 0 {
		t.Errorf("the log tells %v", left)
	}
	free := link("bob", "159", canary)
	free.As, free.Want = "", ""
	s.Run(t, free)
}
