package test

import (
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestOrgMembers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
		testkit.Call{Name: "another", Do: "POST /management/v1/orgs", Body: `{"name":"Other"}`, Keep: map[string]string{"other": "id"}, Events: orgAdded},
	)
	addMachine(t, s, "$acme", "boss", "ORG_OWNER")
	addMachine(t, s, "$acme", "clerk", "ORG_USER_MANAGER")
	addMachine(t, s, "$acme", "helper", "")
	addMachine(t, s, "$other", "guest", "")
	const path = "/management/v1/orgs/me/members"
	s.Run(t,
		testkit.Call{Name: "roles to choose from", As: "boss", Do: "POST /management/v1/orgs/members/roles/_search", Want: `{"result":[
			"ORG_ADMIN_IMPERSONATOR","ORG_END_USER_IMPERSONATOR","ORG_OWNER","ORG_OWNER_VIEWER","ORG_PROJECT_CREATOR","ORG_PROJECT_PERMISSION_EDITOR",
			"ORG_SETTINGS_MANAGER","ORG_USER_MANAGER","ORG_USER_PERMISSION_EDITOR","ORG_USER_SELF_MANAGER","SELF_MANAGEMENT_GLOBAL"]}`},
		testkit.Call{
			Name: "list", As: "boss", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true}}`,
			Want: `{"details":{"totalResult":"3"},"result":[{"userId":"$owner","roles":["ORG_OWNER"],"userResourceOwner":"$org"},
				{"userId":"$boss","roles":["ORG_OWNER"],"preferredLoginName":"boss","displayName":"boss","userType":"TYPE_MACHINE","userResourceOwner":"$acme",
				"details":{"sequence":"*","creationDate":"*","changeDate":"*","resourceOwner":"$acme"}},{"userId":"$clerk"}]}`,
		},
		testkit.Call{Name: "list one", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"userIdQuery":{"userId":"$clerk"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"userId":"$clerk"}]}`},
		testkit.Call{Name: "machines have no first name", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"firstNameQuery":{"firstName":"b"}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "nor a last one", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"lastNameQuery":{"lastName":"b"}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "nor an address", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"emailQuery":{"email":"b","method":4}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "no such user", As: "boss", Do: "POST " + path, Body: `{"userId":"1","roles":["ORG_OWNER"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "no roles", As: "boss", Do: "POST " + path, Body: `{"userId":"$helper"}`, Status: 400},
		testkit.Call{Name: "not a role", As: "boss", Do: "POST " + path, Body: `{"userId":"$helper","roles":["ORG_KING"]}`, Status: 400},
		testkit.Call{Name: "a role of the instance", As: "boss", Do: "POST " + path, Body: `{"userId":"$helper","roles":["IAM_OWNER"]}`, Status: 400},
		testkit.Call{Name: "a role twice", As: "boss", Do: "POST " + path, Body: `{"userId":"$helper","roles":["ORG_OWNER","ORG_OWNER"]}`, Status: 400},
		testkit.Call{Name: "who manages users makes no members", As: "clerk", Do: "POST " + path, Body: `{"userId":"$helper","roles":["ORG_USER_MANAGER"]}`, Status: 403},
		testkit.Call{Name: "who is no member is told nothing", As: "helper", Do: "POST " + path, Body: `{"userId":"$helper","roles":["ORG_OWNER"]}`, Status: 404},
		testkit.Call{Name: "nor in another organization", As: "boss", In: "$other", Do: "POST " + path + "/_search", Body: `{}`, Status: 404},
		testkit.Call{Name: "a guest from elsewhere", As: "boss", Do: "POST " + path, Body: `{"userId":"$guest","roles":["ORG_OWNER_VIEWER","ORG_ADMIN_IMPERSONATOR"]}`, Events: []string{"org.member.added"}},
		testkit.Call{Name: "once", As: "boss", Do: "POST " + path, Body: `{"userId":"$guest","roles":["ORG_OWNER"]}`, Status: 409},
		testkit.Call{Name: "reads here", As: "guest", In: "$acme", Do: "GET /management/v1/orgs/me", Want: `{"org":{"id":"$acme"}}`},
		testkit.Call{Name: "not at home", As: "guest", Do: "GET /management/v1/orgs/me", Status: 404},
		testkit.Call{
			Name: "and knows it", As: "guest", Do: "POST /auth/v1/memberships/me/_search", Body: `{}`,
			Want: `{"details":{"totalResult":"1"},"result":[{"userId":"$guest","orgId":"$acme","displayName":"Acme","roles":["ORG_OWNER_VIEWER","ORG_ADMIN_IMPERSONATOR"]}]}`,
		},
		testkit.Call{Name: "nothing at home", As: "guest", Do: "POST /auth/v1/permissions/zitadel/me/_search", Want: `{"result":null}`},
		testkit.Call{Name: "but here", As: "guest", In: "$acme", Do: "POST /auth/v1/permissions/zitadel/me/_search", Want: `{"result":["admin.impersonation","group.read","group.user.read","impersonation",
			"org.action.read","org.feature.read","org.flow.read","org.idp.read","org.member.read","org.read","policy.read","project.app.read","project.grant.member.read",
			"project.grant.read","project.grant.user.grant.read","project.member.read","project.read","project.role.read","user.feature.read","user.global.read","user.grant.read","user.membership.read","user.read"]}`},
		testkit.Call{Name: "others look it up", As: "boss", Do: "POST /management/v1/users/$guest/memberships/_search", Body: `{}`, Want: `{"result":[{"orgId":"$acme"}]}`},
		testkit.Call{Name: "by organization", Do: "POST /management/v1/users/$owner/memberships/_search", Body: `{"queries":[{"orgQuery":{"orgId":"$other"}}]}`, Want: `{"result":[{"orgId":"$other"}]}`},
		testkit.Call{Name: "by instance", Do: "POST /management/v1/users/$owner/memberships/_search", Body: `{"queries":[{"iamQuery":{"iam":true}}]}`, Want: `{"result":[{"iam":true,"displayName":"Gatehouse","roles":["IAM_OWNER"]}]}`},
		testkit.Call{Name: "by project", Do: "POST /management/v1/users/$owner/memberships/_search", Body: `{"queries":[{"projectQuery":{"projectId":"1"}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "only where one may look", As: "boss", Do: "POST /management/v1/users/$owner/memberships/_search", Body: `{}`, Want: `{"details":{"totalResult":"1"},"result":[{"orgId":"$acme"}]}`},
		testkit.Call{Name: "other roles", As: "boss", Do: "PUT " + path + "/$guest", Body: `{"roles":["ORG_PROJECT_CREATOR"]}`, Events: []string{"org.member.changed"}},
		testkit.Call{Name: "the same roles", As: "boss", Do: "PUT " + path + "/$guest", Body: `{"roles":["ORG_PROJECT_CREATOR"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "no member", As: "boss", Do: "PUT " + path + "/$helper", Body: `{"roles":["ORG_OWNER"]}`, Status: 404},
		testkit.Call{Name: "remove the owner from outside", As: "boss", Do: "DELETE " + path + "/$owner", Events: []string{"org.member.removed"}},
		testkit.Call{Name: "the last owner stays", As: "boss", Do: "DELETE " + path + "/$boss", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "and stays owner", As: "boss", Do: "PUT " + path + "/$boss", Body: `{"roles":["ORG_OWNER_VIEWER"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "who removes a guest", As: "boss", Do: "DELETE " + path + "/$guest", Events: []string{"org.member.removed"}},
		testkit.Call{Name: "once", As: "boss", Do: "DELETE " + path + "/$guest", Status: 404},
		testkit.Call{Name: "it counts at once", As: "guest", In: "$acme", Do: "GET /management/v1/orgs/me", Status: 404},
		testkit.Call{Name: "the instance's owner may take the last one", In: "$acme", Do: "DELETE " + path + "/$boss", Events: []string{"org.member.removed"}},
	)
}

func TestInstanceMembers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addMachine(t, s, "$org", "second", "")
	addMachine(t, s, "$org", "manager", "")
	const path = "/admin/v1/members"
	s.Run(t,
		testkit.Call{Name: "roles to choose from", Do: "POST " + path + "/roles/_search", Want: `{"details":{"totalResult":"7"},"roles":["IAM_ADMIN_IMPERSONATOR",
			"IAM_END_USER_IMPERSONATOR","IAM_LOGIN_CLIENT","IAM_ORG_MANAGER","IAM_OWNER","IAM_OWNER_VIEWER","IAM_USER_MANAGER"]}`},
		testkit.Call{Name: "a role of organizations", Do: "POST " + path, Body: `{"userId":"$second","roles":["ORG_OWNER"]}`, Status: 400},
		testkit.Call{Name: "add", Do: "POST " + path, Body: `{"userId":"$manager","roles":["IAM_LOGIN_CLIENT"]}`, Want: `{"details":{"resourceOwner":"$instance"}}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "who may make members gives no more than they have", As: "manager", Do: "POST " + path, Body: `{"userId":"$second","roles":["IAM_OWNER"]}`, Status: 403},
		testkit.Call{Name: "nor to themselves", As: "manager", Do: "PUT " + path + "/$manager", Body: `{"roles":["IAM_OWNER"]}`, Status: 403},
		testkit.Call{Name: "nor in an organization", As: "manager", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$second","roles":["ORG_OWNER"]}`, Status: 403},
		testkit.Call{
			Name: "list", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true},"sortingColumn":"MEMBER_FIELD_NAME_CREATION_DATE"}`,
			Want: `{"details":{"totalResult":"2"},"result":[{"userId":"$owner","roles":["IAM_OWNER"]},{"userId":"$manager","roles":["IAM_LOGIN_CLIENT"]}]}`,
		},
		testkit.Call{Name: "list by change", Do: "POST " + path + "/_search", Body: `{"query":{"limit":1},"sortingColumn":"MEMBER_FIELD_NAME_CHANGE_DATE"}`, Want: `{"details":{"totalResult":"2"},"result":[{"userId":"$manager"}]}`},
		testkit.Call{Name: "the last owner stays", Do: "DELETE " + path + "/$owner", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "in every way", Do: "DELETE /management/v1/users/$owner", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "whatever", Do: "POST /management/v1/users/$owner/_deactivate", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "a second owner", Do: "POST " + path, Body: `{"userId":"$second","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "who cannot call", Do: "POST /management/v1/users/$second/_deactivate", Body: `{}`, Events: []string{"user.deactivated"}},
		testkit.Call{Name: "does not count", Do: "DELETE " + path + "/$owner", Status: 400},
		testkit.Call{Name: "until then", Do: "POST /management/v1/users/$second/_reactivate", Body: `{}`, Events: []string{"user.reactivated"}},
		testkit.Call{Name: "fewer roles", Do: "PUT " + path + "/$manager", Body: `{"roles":["IAM_USER_MANAGER"]}`, Events: []string{"instance.member.changed"}},
		testkit.Call{Name: "count at once", As: "manager", Do: "POST " + path + "/_search", Body: `{}`, Status: 403},
		testkit.Call{Name: "removing a user", Do: "DELETE /management/v1/users/$manager", Events: []string{"user.removed", "instance.member.cascade.removed"}},
		testkit.Call{Name: "removes the member", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"details":{"totalResult":"2"}}`},
	)
	t.Run("two owners remove each other", func(t *testing.T) {
		var status [2]int
		var both sync.WaitGroup
		for i, c := range []testkit.Call{{As: "second", Do: "DELETE " + path + "/$owner"}, {As: "owner", Do: "DELETE " + path + "/$second"}} {
			both.Go(func() { status[i] = s.Send(t, c).Status })
		}
		both.Wait()
		if (status[0] == 200) == (status[1] == 200) {
			t.Errorf("statuses %v, want one success", status)
		}
	})
}
