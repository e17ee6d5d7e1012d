package test

import (
	"slices"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestOrganizationsV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addMachine(t, s, "$org", "boss", "")
	addMachine(t, s, "$org", "creator", "SELF_MANAGEMENT_GLOBAL")
	const path = "/v2/organizations"
	s.Run(t,
		testkit.Call{
			Name: "add with admins", Do: "POST " + path, Status: 201,
			Body:   `{"name":"Acme","organizationId":"acme","admins":[{"userId":"$boss"},{"userId":"$creator","roles":["ORG_OWNER_VIEWER"]}]}`,
			Want:   `{"organizationId":"acme","details":{"sequence":"*","changeDate":"*","creationDate":"*","resourceOwner":"acme"},"createdAdmins":[{"userId":"$boss"},{"userId":"$creator"}]}`,
			Events: append(orgAdded, "org.member.added"),
		},
		testkit.Call{Name: "its owner", As: "boss", In: "acme", Do: "POST /management/v1/orgs/me/members/_search", Body: `{"query":{"asc":true}}`, Want: `{"result":[{"userId":"$boss","roles":["ORG_OWNER"]},{"userId":"$creator","roles":["ORG_OWNER_VIEWER"]}]}`},
		testkit.Call{Name: "the id is taken", Do: "POST " + path, Body: `{"name":"Acme 2","organizationId":"acme"}`, Status: 409},
		testkit.Call{Name: "the name is taken", Do: "POST " + path, Body: `{"name":"ACME"}`, Status: 409},
		testkit.Call{Name: "no such admin", Do: "POST " + path, Body: `{"name":"New","admins":[{"userId":"1"}]}`, Status: 400},
		testkit.Call{Name: "no such role", Do: "POST " + path, Body: `{"name":"New","admins":[{"userId":"$boss","roles":["ORG_KING"]}]}`, Status: 400},
		testkit.Call{Name: "an admin twice", Do: "POST " + path, Body: `{"name":"New","admins":[{"userId":"$boss"},{"userId":"$boss"}]}`, Status: 409},
		testkit.Call{
			Name: "with a new person", Do: "POST " + path, Status: 201,
			Body: `{"name":"Family","admins":[{"human":{"userId":"ann","profile":{"givenName":"Ann","familyName":"B"},"email":{"email":"ann@example.com","returnCode":{}},"password":{"password":"Correct-Horse-7"}}}]}`,
			Want: `{"createdAdmins":[{"userId":"ann","emailCode":"*"}]}`, Keep: map[string]string{"family": "organizationId"},
			Events: append(slices.Clone(orgAdded[:4]), "user.human.added", "user.human.email.code.added", "org.member.added"),
		},
		testkit.Call{Name: "who owns it", In: "$family", Do: "POST /management/v1/orgs/me/members/_search", Want: `{"result":[{"userId":"ann","roles":["ORG_OWNER"],"displayName":"Ann B"}]}`},
		testkit.Call{
			Name: "not by who may make no users", As: "creator", Do: "POST " + path, Status: 403,
			Body: `{"name":"New","admins":[{"human":{"profile":{"givenName":"A","familyName":"B"},"email":{"email":"a@example.com"},"password":{"password":"Correct-Horse-7"}}}]}`,
		},
		testkit.Call{Name: "who may not", As: "boss", Do: "POST " + path, Body: `{"name":"Mine"}`, Status: 404},
		testkit.Call{Name: "who may create", As: "creator", Do: "POST " + path, Body: `{"name":"Mine","orgId":"mine"}`, Status: 201, Want: `{"organizationId":"mine"}`, Events: orgAdded},
		testkit.Call{Name: "owns it", As: "creator", In: "mine", Do: "PUT /management/v1/orgs/me", Body: `{"name":"All mine"}`, Events: []string{"org.changed"}},
		testkit.Call{Name: "rename", Do: "POST " + path + "/acme", Body: `{"name":"Acme Ltd"}`, Want: `{"changeDate":"*"}`, Keep: map[string]string{"changed": "changeDate"}, Events: []string{"org.changed"}},
		testkit.Call{Name: "to the same", Do: "POST " + path + "/acme", Body: `{"name":"Acme Ltd"}`, Want: `{"changeDate":"$changed"}`},
		testkit.Call{Name: "to a taken one", Do: "POST " + path + "/acme", Body: `{"name":"all MINE"}`, Status: 409},
		testkit.Call{Name: "what is not there", Do: "POST " + path + "/1", Body: `{"name":"X"}`, Status: 404},
		testkit.Call{Name: "a viewer does not", As: "creator", Do: "POST " + path + "/acme", Body: `{"name":"X"}`, Status: 403},
		testkit.Call{Name: "a stranger is told nothing", As: "boss", Do: "POST " + path + "/mine", Body: `{"name":"X"}`, Status: 404},
		testkit.Call{Name: "deactivate", Do: "POST " + path + "/acme/deactivate", Body: `{}`, Want: `{"changeDate":"*"}`, Events: []string{"org.deactivated"}},
		testkit.Call{Name: "deactivate again", Do: "POST " + path + "/acme/deactivate", Body: `{}`, Want: `{"changeDate":"*"}`},
		testkit.Call{Name: "activate", Do: "POST " + path + "/acme/activate", Body: `{}`, Want: `{"changeDate":"*"}`, Events: []string{"org.reactivated"}},
		testkit.Call{Name: "activate again", Do: "POST " + path + "/acme/activate", Body: `{}`},
		testkit.Call{Name: "a dry run", Do: "DELETE " + path + "/acme", Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}, Want: `{"deletionDate":"*"}`},
		testkit.Call{Name: "delete", Do: "DELETE " + path + "/acme", Want: `{"deletionDate":"*"}`, Events: []string{"org.removed"}},
		testkit.Call{Name: "what is gone may be deleted", Do: "DELETE " + path + "/acme", Want: `{"deletionDate":null}`},
		testkit.Call{Name: "not by strangers", As: "boss", Do: "DELETE " + path + "/acme", Status: 404},
		testkit.Call{Name: "the default stays", Do: "DELETE " + path + "/$org", Status: 400},
		testkit.Call{Name: "the id is free", Do: "POST " + path, Body: `{"name":"Acme","organizationId":"acme"}`, Status: 201, Events: orgAdded},
		testkit.Call{Name: "its old admins are not", As: "boss", In: "acme", Do: "GET /management/v1/orgs/me", Status: 404},
	)
}
