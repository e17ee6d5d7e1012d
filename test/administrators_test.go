package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestAdministrators(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	addMachine(t, s, "$org", "second", "")
	const service = "POST /zitadel.internal_permission.v2.InternalPermissionService/"
	rpc := func(name, as, method, body string, events ...string) testkit.Call {
		return testkit.Call{
			Name: name, As: as, Do: service + method + "Administrator", Body: "{" + body + "}", Events: events,
			Header: map[string]string{"Content-Type": "application/json"},
		}
	}
	refused := func(c testkit.Call, status int, code string) testkit.Call {
		c.Status, c.Want = status, `{"code":"`+code+`"}`
		return c
	}
	want := func(c testkit.Call, want string) testkit.Call { c.Want = want; return c }
	const onOrg, onInstance = `"resource":{"organizationId":"$acme"}`, `"resource":{"instance":true}`
	created := rpc("create", "boss", "Create", `"userId":"$guest","roles":["ORG_OWNER_VIEWER"],`+onOrg, "org.member.added")
	created.Keep = map[string]string{"date": "creationDate"}
	s.Run(t,
		created,
		refused(rpc("once", "boss", "Create", `"userId":"$guest","roles":["ORG_OWNER_VIEWER"],`+onOrg), 409, "already_exists"),
		want(rpc("the same roles", "boss", "Update", `"userId":"$guest","roles":["ORG_OWNER_VIEWER"],`+onOrg), `{"changeDate":"$date"}`),
		want(rpc("other roles", "boss", "Update", `"userId":"$guest","roles":["ORG_USER_MANAGER"],`+onOrg, "org.member.changed"), `{"changeDate":"*"}`),
		testkit.Call{Name: "count at once", As: "guest", Do: "GET /v2/users/$clerk", Want: `{"user":{"userId":"$clerk"}}`},
		refused(rpc("who manages users makes no administrators", "guest", "Create", `"userId":"$second","roles":["ORG_USER_MANAGER"],`+onOrg), 403, "permission_denied"),
		refused(rpc("nor makes more of themselves", "guest", "Update", `"userId":"$guest","roles":["ORG_OWNER"],`+onOrg), 403, "permission_denied"),
		refused(rpc("an owner of an organization is none of the instance", "boss", "Create", `"userId":"$boss","roles":["IAM_OWNER"],`+onInstance), 403, "permission_denied"),
		refused(rpc("nor of another organization", "boss", "Create", `"userId":"$boss","roles":["ORG_OWNER"],"resource":{"organizationId":"$other"}`), 404, "not_found"),
		refused(rpc("which might not exist", "boss", "Create", `"userId":"$boss","roles":["ORG_OWNER"],"resource":{"organizationId":"1"}`), 404, "not_found"),
		refused(rpc("no such organization", "", "Create", `"userId":"$boss","roles":["ORG_OWNER"],"resource":{"organizationId":"1"}`), 400, "failed_precondition"),
		refused(rpc("no such user", "", "Create", `"userId":"1","roles":["ORG_OWNER"],`+onOrg), 400, "failed_precondition"),
		refused(rpc("no such role", "", "Create", `"userId":"$second","roles":["ORG_KING"],`+onOrg), 400, "invalid_argument"),
		refused(rpc("no role", "", "Create", `"userId":"$second",`+onOrg), 400, "invalid_argument"),
		refused(rpc("a role of the instance", "", "Create", `"userId":"$second","roles":["IAM_OWNER"],`+onOrg), 400, "invalid_argument"),
		refused(rpc("no resource", "", "Create", `"userId":"$second","roles":["IAM_OWNER"]`), 400, "invalid_argument"),
		refused(rpc("no such project", "", "Create", `"userId":"$second","roles":["PROJECT_OWNER"],"resource":{"projectId":"1"}`), 404, "not_found"),
		refused(rpc("nor grant of one", "", "Delete", `"userId":"$second","resource":{"projectGrant":{"projectId":"1","organizationId":"1"}}`), 404, "not_found"),
		refused(rpc("who is none cannot change", "boss", "Update", `"userId":"$second","roles":["ORG_OWNER"],`+onOrg), 404, "not_found"),
		want(rpc("but can go", "boss", "Delete", `"userId":"$second",`+onOrg), `{"deletionDate":null}`),
		want(rpc("delete", "boss", "Delete", `"userId":"$guest",`+onOrg, "org.member.removed"), `{"deletionDate":"*"}`),
		testkit.Call{Name: "counts at once", As: "guest", Do: "GET /v2/users/$clerk", Status: 404},
		want(rpc("delete again", "boss", "Delete", `"userId":"$guest",`+onOrg), `{"deletionDate":null}`),

		want(rpc("on the instance", "", "Create", `"userId":"$second","roles":["IAM_LOGIN_CLIENT"],`+onInstance, "instance.member.added"), `{"creationDate":"*"}`),
		refused(rpc("nobody gives more than they have", "second", "Update", `"userId":"$second","roles":["IAM_OWNER"],`+onInstance), 403, "permission_denied"),
		refused(rpc("to nobody", "second", "Create", `"userId":"$boss","roles":["IAM_OWNER"],`+onInstance), 403, "permission_denied"),
		refused(rpc("nor on an organization", "second", "Create", `"userId":"$second","roles":["ORG_OWNER"],`+onOrg), 403, "permission_denied"),
		refused(rpc("the last owner stays", "", "Delete", `"userId":"$owner",`+onInstance), 400, "failed_precondition"),
		refused(rpc("and stays owner", "", "Update", `"userId":"$owner","roles":["IAM_OWNER_VIEWER"],`+onInstance), 400, "failed_precondition"),
		testkit.Call{Name: "over v1", Do: "PUT /admin/v1/members/$owner", Body: `{"roles":["IAM_OWNER_VIEWER"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "or gone", Do: "DELETE /admin/v1/members/$owner", Status: 400, Want: `{"code":9}`},
		want(rpc("the owner from outside goes", "boss", "Delete", `"userId":"$owner",`+onOrg, "org.member.removed"), `{"deletionDate":"*"}`),
		refused(rpc("the last owner of an organization stays", "boss", "Delete", `"userId":"$boss",`+onOrg), 400, "failed_precondition"),
	)
	list := func(name, as, filters, want string) testkit.Call {
		return testkit.Call{
			Name: name, As: as, Do: service + "ListAdministrators", Body: `{"pagination":{"asc":true},"filters":[` + filters + `]}`, Want: want,
			Header: map[string]string{"Content-Type": "application/json"},
		}
	}
	const clerk = `{"administrators":[{"user":{"id":"$clerk"}}]}`
	s.Run(t,
		list("list", "", "", `{"pagination":{"totalResult":"5","appliedLimit":"100"},"administrators":[
			{"user":{"id":"$owner"},"instance":true,"roles":["IAM_OWNER"],"creationDate":"*","changeDate":"*"},
			{"user":{"id":"$owner","preferredLoginName":"admin","displayName":"admin","organizationId":"$org"},"organization":{"id":"$other","name":"Other"},"roles":["ORG_OWNER"]},
			{"user":{"id":"$boss"},"organization":{"id":"$acme","name":"Acme"}},{"user":{"id":"$clerk"}},{"user":{"id":"$second"},"instance":true}]}`),
		list("those one may read", "boss", "", `{"pagination":{"totalResult":"2"},"administrators":[{"user":{"id":"$boss"}},{"user":{"id":"$clerk"}}]}`),
		list("none", "guest", "", `{"administrators":null}`),
		list("the others not by name", "boss", `{"resource":{"instance":true}}`, `{"administrators":null}`),
		list("by everything", "", `{"inUserIdsFilter":{"ids":["$clerk","$boss"]}},{"userOrganizationId":{"id":"$acme"}},{"userPreferredLoginName":{"preferredLoginName":"CLERK","method":1}},
			{"userDisplayName":{"displayName":"cl","method":2}},{"resource":{"organizationId":"$acme"}},{"role":{"roleKey":"ORG_USER_MANAGER"}},
			{"creationDate":{"timestamp":"2020-01-01T00:00:00Z","method":"TIMESTAMP_FILTER_METHOD_AFTER"}},{"changeDate":{"timestamp":"2020-01-01T00:00:00Z","method":2}}`, clerk),
		list("nested", "", `{"and":{"queries":[{"resource":{"organizationId":"$acme"}},{"not":{"query":{"role":{"roleKey":"ORG_OWNER"}}}}]}},{"or":{"queries":[{"resource":{"instance":true}},{"userDisplayName":{"displayName":"clerk"}}]}}`, clerk),
		list("of projects", "", `{"resource":{"projectId":"1"}}`, `{"administrators":null}`),
		testkit.Call{Name: "by user", Do: service + "ListAdministrators", Body: `{"sortingColumn":1,"pagination":{"limit":1}}`, Header: map[string]string{"Content-Type": "application/json"}, Want: `{"pagination":{"totalResult":"5","appliedLimit":"1"},"administrators":[{"user":{"id":"$second"}}]}`},
	)
}
