package test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// projectAdded are the events of a project that a user makes.
var projectAdded = []string{"project.added", "project.member.added"}

// withProjects makes Acme with the projects portal and other, of which lead owns portal,
// and Rival with its owner, to whom nothing is granted yet.
func withProjects(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Run(t,
		testkit.Call{Name: "acme", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
		testkit.Call{Name: "rival", Do: "POST /management/v1/orgs", Body: `{"name":"Rival"}`, Keep: map[string]string{"rival": "id"}, Events: orgAdded},
	)
	addMachine(t, s, "$acme", "boss", "ORG_OWNER")
	addMachine(t, s, "$acme", "lead", "")
	addMachine(t, s, "$acme", "maker", "ORG_PROJECT_CREATOR")
	addMachine(t, s, "$acme", "helper", "")
	addMachine(t, s, "$rival", "foe", "ORG_OWNER")
	addMachine(t, s, "$rival", "agent", "")
	s.Run(t,
		testkit.Call{Name: "portal", As: "boss", Do: "POST /management/v1/projects", Body: `{"name":"Portal","projectRoleAssertion":true}`, Keep: map[string]string{"portal": "id"}, Events: projectAdded},
		testkit.Call{Name: "other", As: "boss", Do: "POST /management/v1/projects", Body: `{"name":"Other"}`, Keep: map[string]string{"other": "id"}, Events: projectAdded},
		testkit.Call{
			Name: "roles", As: "boss", Do: "POST /management/v1/projects/$portal/roles/_bulk",
			Body:   `{"roles":[{"key":"reader","displayName":"Reader","group":"all"},{"key":"writer","displayName":"Writer"}]}`,
			Events: []string{"project.role.added", "project.role.added"},
		},
		testkit.Call{Name: "lead", As: "boss", Do: "POST /management/v1/projects/$portal/members", Body: `{"userId":"$lead","roles":["PROJECT_OWNER"]}`, Events: []string{"project.member.added"}},
	)
}

func TestProjects(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	const path = "/management/v1/projects"
	s.Run(t,
		testkit.Call{Name: "read", As: "boss", Do: "GET " + path + "/$portal", Want: `{"project":{"id":"$portal","name":"Portal","state":"PROJECT_STATE_ACTIVE","projectRoleAssertion":true,"details":{"resourceOwner":"$acme","creationDate":"*"}}}`},
		testkit.Call{Name: "a name once, in any case", As: "boss", Do: "POST " + path, Body: `{"name":"PORTAL"}`, Status: 409},
		testkit.Call{Name: "but in another organization", As: "foe", Do: "POST " + path, Body: `{"name":"Portal"}`, Keep: map[string]string{"theirs": "id"}, Events: projectAdded},
		testkit.Call{Name: "no name", As: "boss", Do: "POST " + path, Body: `{"name":"  "}`, Status: 400},
		testkit.Call{Name: "update", As: "boss", Do: "PUT " + path + "/$portal", Body: `{"name":"Gate","projectRoleCheck":true,"hasProjectCheck":true,"privateLabelingSetting":"PRIVATE_LABELING_SETTING_ALLOW_LOGIN_USER_RESOURCE_OWNER_POLICY"}`, Events: []string{"project.changed"}},
		testkit.Call{Name: "is seen", As: "boss", Do: "GET " + path + "/$portal", Want: `{"project":{"name":"Gate","projectRoleAssertion":null,"projectRoleCheck":true,"hasProjectCheck":true,"privateLabelingSetting":"PRIVATE_LABELING_SETTING_ALLOW_LOGIN_USER_RESOURCE_OWNER_POLICY"}}`},
		testkit.Call{Name: "the same again", As: "boss", Do: "PUT " + path + "/$portal", Body: `{"name":"Gate","projectRoleCheck":true,"hasProjectCheck":true,"privateLabelingSetting":2}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "the old name is free", As: "boss", Do: "PUT " + path + "/$other", Body: `{"name":"Portal"}`, Events: []string{"project.changed"}},
		testkit.Call{Name: "deactivate", As: "boss", Do: "POST " + path + "/$portal/_deactivate", Body: `{}`, Events: []string{"project.deactivated"}},
		testkit.Call{Name: "once", As: "boss", Do: "POST " + path + "/$portal/_deactivate", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "reactivate", As: "boss", Do: "POST " + path + "/$portal/_reactivate", Body: `{}`, Events: []string{"project.reactivated"}},
		testkit.Call{Name: "list", As: "boss", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"result":[{"id":"$portal"},{"id":"$other"}]}`},
		testkit.Call{Name: "by name", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"nameQuery":{"name":"gA","method":"TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"id":"$portal"}]}`},
		testkit.Call{Name: "by owner", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"projectResourceOwnerQuery":{"resourceOwner":"$rival"}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "history", As: "boss", Do: "POST " + path + "/$portal/changes/_search", Want: `{"result":[{"eventType":{"key":"project.reactivated"},"editorId":"$boss"},{},{},{},{},{},{},{}]}`},
		testkit.Call{Name: "who may make projects owns theirs", As: "maker", Do: "POST " + path, Body: `{"name":"Mine"}`, Keep: map[string]string{"mine": "id"}, Events: projectAdded},
		testkit.Call{Name: "and may change them", As: "maker", Do: "PUT " + path + "/$mine", Body: `{"name":"My own"}`, Events: []string{"project.changed"}},
		testkit.Call{Name: "no others", As: "maker", Do: "PUT " + path + "/$other", Body: `{"name":"My own"}`, Status: 403},
		testkit.Call{Name: "remove", As: "boss", Do: "DELETE " + path + "/$portal", Events: []string{"project.removed"}},
		testkit.Call{Name: "is gone", As: "boss", Do: "GET " + path + "/$portal", Status: 404},
		testkit.Call{Name: "with its members", As: "lead", Do: "GET " + path + "/$portal", Status: 404},
		testkit.Call{Name: "a user goes with their memberships", As: "boss", Do: "DELETE /management/v1/users/$maker", Events: []string{"user.removed", "org.member.cascade.removed", "project.member.cascade.removed"}},
	)
}

func TestProjectRoles(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	const path = "/management/v1/projects/$portal/roles"
	s.Run(t,
		testkit.Call{Name: "add", As: "boss", Do: "POST " + path, Body: `{"roleKey":"a/b","displayName":"Slash"}`, Events: []string{"project.role.added"}},
		testkit.Call{Name: "once", As: "boss", Do: "POST " + path, Body: `{"roleKey":"a/b","displayName":"Slash"}`, Status: 409},
		testkit.Call{Name: "no white space", As: "boss", Do: "POST " + path, Body: `{"roleKey":"a b","displayName":"Space"}`, Status: 400},
		testkit.Call{Name: "all or none", As: "boss", Do: "POST " + path + "/_bulk", Body: `{"roles":[{"key":"new","displayName":"New"},{"key":"reader","displayName":"Reader"}]}`, Status: 409},
		testkit.Call{Name: "none", As: "boss", Do: "POST " + path + "/_bulk", Body: `{}`, Status: 400},
		testkit.Call{Name: "list", As: "boss", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true},"queries":[{"keyQuery":{"key":"READ","method":"TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"key":"reader","displayName":"Reader","group":"all"}]}`},
		testkit.Call{Name: "by display name", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"displayNameQuery":{"displayName":"Slash"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"key":"a/b"}]}`},
		testkit.Call{Name: "a key with a slash", As: "boss", Do: "PUT " + path + "/a/b", Body: `{"displayName":"Both","group":"g"}`, Events: []string{"project.role.changed"}},
		testkit.Call{Name: "the same", As: "boss", Do: "PUT " + path + "/a%2Fb", Body: `{"displayName":"Both","group":"g"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "no such role", As: "boss", Do: "PUT " + path + "/none", Body: `{"displayName":"Both"}`, Status: 404},
		testkit.Call{Name: "grant it", As: "boss", Do: "POST /management/v1/projects/$portal/grants", Body: `{"grantedOrgId":"$rival","roleKeys":["writer","a/b"]}`, Keep: map[string]string{"grant": "grantId"}, Events: []string{"project.grant.added"}},
		testkit.Call{Name: "remove", As: "boss", Do: "DELETE " + path + "/a/b", Events: []string{"project.role.removed", "project.grant.cascade.changed"}},
		testkit.Call{Name: "the grant lost it", As: "boss", Do: "GET /management/v1/projects/$portal/grants/$grant", Want: `{"projectGrant":{"grantedRoleKeys":["writer"]}}`},
		testkit.Call{Name: "once", As: "boss", Do: "DELETE " + path + "/a/b", Status: 404},
		testkit.Call{Name: "not another's", As: "foe", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"result":null}`},
	)
	t.Run("one of many", func(t *testing.T) {
		statuses := map[int]int{}
		var all sync.WaitGroup
		var lock sync.Mutex
		for i := range 50 {
			all.Go(func() {
				r := s.Send(t, testkit.Call{As: "boss", Do: "POST " + path, Body: fmt.Sprintf(`{"roleKey":"raced","displayName":"Number %d"}`, i)})
				lock.Lock()
				defer lock.Unlock()
				statuses[r.Status]++
			})
		}
		all.Wait()
		if statuses[http.StatusOK] != 1 || statuses[http.StatusConflict] != 49 {
			t.Errorf("statuses %v, want one success and 49 conflicts", statuses)
		}
	})
}

func TestProjectGrants(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	const path = "/management/v1/projects/$portal/grants"
	const granted = "/management/v1/granted_projects"
	s.Run(t,
		testkit.Call{Name: "add", As: "lead", Do: "POST " + path, Body: `{"grantedOrgId":"$rival","roleKeys":["reader"]}`, Keep: map[string]string{"grant": "grantId"}, Events: []string{"project.grant.added"}},
		testkit.Call{Name: "once", As: "boss", Do: "POST " + path, Body: `{"grantedOrgId":"$rival"}`, Status: 409},
		testkit.Call{Name: "not to oneself", As: "boss", Do: "POST " + path, Body: `{"grantedOrgId":"$acme"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "to nobody", As: "boss", Do: "POST " + path, Body: `{"grantedOrgId":"1"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "no such role", As: "boss", Do: "PUT " + path + "/$grant", Body: `{"roleKeys":["king"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "other roles", As: "boss", Do: "PUT " + path + "/$grant", Body: `{"roleKeys":["writer","reader"]}`, Events: []string{"project.grant.changed"}},
		testkit.Call{Name: "the same", As: "boss", Do: "PUT " + path + "/$grant", Body: `{"roleKeys":["writer","reader"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{
			Name: "read", As: "lead", Do: "GET " + path + "/$grant", Want: `{"projectGrant":{"grantId":"$grant","grantedOrgId":"$rival","grantedOrgName":"Rival","grantedRoleKeys":["writer","reader"],
				"state":"PROJECT_GRANT_STATE_ACTIVE","projectId":"$portal","projectName":"Portal","projectOwnerId":"$acme","projectOwnerName":"Acme"}}`,
		},
		testkit.Call{Name: "list", As: "lead", Do: "POST " + path + "/_search", Body: `{"queries":[{"roleKeyQuery":{"roleKey":"read","method":"TEXT_QUERY_METHOD_STARTS_WITH"}},{"projectNameQuery":{"name":"Portal"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"grantId":"$grant"}]}`},
		testkit.Call{Name: "of all projects", As: "boss", Do: "POST /management/v1/projectgrants/_search", Body: `{"queries":[{"projectIdQuery":{"projectId":"$portal"}},{"grantedOrgIdQuery":{"grantedOrgId":"$rival"}},{"projectNameQuery":{"name":"Portal"}},{"roleKeyQuery":{"roleKey":"writer"}}]}`, Want: `{"result":[{"grantId":"$grant"}]}`},
		testkit.Call{Name: "the other side lists it", As: "foe", Do: "POST " + granted + "/_search", Body: `{"queries":[{"nameQuery":{"name":"Portal"}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"grantId":"$grant","projectId":"$portal"}]}`},
		testkit.Call{Name: "and reads it", As: "foe", Do: "GET " + granted + "/$portal/grants/$grant", Want: `{"grantedProject":{"projectName":"Portal"}}`},
		testkit.Call{Name: "with its roles", As: "foe", Do: "GET " + granted + "/$portal/grants/$grant/roles/_search", Want: `{"details":{"totalResult":"2"}}`},
		testkit.Call{Name: "but changes nothing", As: "foe", Do: "PUT " + path + "/$grant", Body: `{"roleKeys":["reader"]}`, Status: 404},
		testkit.Call{Name: "nor removes it", As: "foe", Do: "DELETE " + path + "/$grant", Status: 404},
		testkit.Call{Name: "nor sees the project", As: "foe", Do: "GET /management/v1/projects/$portal", Status: 404},
		testkit.Call{Name: "history of it", As: "lead", Do: "POST " + path + "/$grant/changes/_search", Want: `{"result":[{"eventType":{"key":"project.grant.changed"}},{"eventType":{"key":"project.grant.added"}}]}`},
		testkit.Call{Name: "of another", As: "lead", Do: "POST " + path + "/1/changes/_search", Want: `{"result":null}`},
		testkit.Call{Name: "not on the other side", As: "foe", Do: "POST " + path + "/$grant/changes/_search", Want: `{"result":null}`},
		testkit.Call{Name: "deactivate", As: "boss", Do: "POST " + path + "/$grant/_deactivate", Body: `{}`, Events: []string{"project.grant.deactivated"}},
		testkit.Call{Name: "once", As: "boss", Do: "POST " + path + "/$grant/_deactivate", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "reactivate", As: "boss", Do: "POST " + path + "/$grant/_reactivate", Body: `{}`, Events: []string{"project.grant.reactivated"}},
		testkit.Call{Name: "remove", As: "boss", Do: "DELETE " + path + "/$grant", Events: []string{"project.grant.removed"}},
		testkit.Call{Name: "is gone", As: "foe", Do: "POST " + granted + "/_search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{Name: "again", As: "boss", Do: "POST " + path, Body: `{"grantedOrgId":"$rival"}`, Events: []string{"project.grant.added"}},
		testkit.Call{Name: "an organization goes with what it was granted", Do: "DELETE /management/v1/orgs/me", In: "$rival", Events: []string{
			"org.removed", "project.grant.removed", "user.removed", "user.removed",
		}},
		testkit.Call{Name: "and with its projects", Do: "DELETE /management/v1/orgs/me", In: "$acme", Events: []string{
			"org.removed", "project.removed", "project.removed", "user.removed", "user.removed", "user.removed", "user.removed",
		}},
	)
}

func TestProjectMembers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	const path = "/management/v1/projects/$portal/members"
	s.Run(t,
		testkit.Call{Name: "roles to choose from", As: "lead", Do: "POST /management/v1/projects/members/roles/_search", Want: `{"result":["PROJECT_OWNER","PROJECT_OWNER_GLOBAL","PROJECT_OWNER_VIEWER","PROJECT_OWNER_VIEWER_GLOBAL"]}`},
		testkit.Call{Name: "those of grants", As: "lead", Do: "POST /management/v1/projects/grants/members/roles/_search", Want: `{"result":["PROJECT_GRANT_OWNER","PROJECT_GRANT_OWNER_VIEWER"]}`},
		testkit.Call{Name: "list", As: "lead", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"result":[{"userId":"$boss"},{"userId":"$lead","roles":["PROJECT_OWNER"],"details":{"resourceOwner":"$acme"}}]}`},
		testkit.Call{Name: "not of another organization", As: "foe", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{Name: "add", As: "lead", Do: "POST " + path, Body: `{"userId":"$helper","roles":["PROJECT_OWNER_VIEWER"]}`, Events: []string{"project.member.added"}},
		testkit.Call{Name: "a role of the organization", As: "lead", Do: "POST " + path, Body: `{"userId":"$agent","roles":["ORG_OWNER"]}`, Status: 400},
		testkit.Call{Name: "a role of grants", As: "lead", Do: "POST " + path, Body: `{"userId":"$agent","roles":["PROJECT_GRANT_OWNER"]}`, Status: 400},
		testkit.Call{Name: "not elsewhere", As: "lead", Do: "POST /management/v1/projects/$other/members", Body: `{"userId":"$lead","roles":["PROJECT_OWNER"]}`, Status: 404},
		testkit.Call{Name: "not from elsewhere", As: "foe", Do: "POST " + path, Body: `{"userId":"$foe","roles":["PROJECT_OWNER"]}`, Status: 404},
		testkit.Call{Name: "a viewer reads", As: "helper", Do: "GET /management/v1/projects/$portal", Want: `{"project":{"id":"$portal"}}`},
		testkit.Call{Name: "this one only", As: "helper", Do: "GET /management/v1/projects/$other", Status: 404},
		testkit.Call{Name: "also in lists", As: "helper", Do: "POST /management/v1/projects/_search", Body: `{}`, Want: `{"details":{"totalResult":"1"},"result":[{"id":"$portal"}]}`},
		testkit.Call{Name: "and changes nothing", As: "helper", Do: "PUT /management/v1/projects/$portal", Body: `{"name":"Mine"}`, Status: 403},
		testkit.Call{Name: "nor what is not the project's", As: "lead", Do: "PUT /management/v1/orgs/me", Body: `{"name":"Mine"}`, Status: 403},
		testkit.Call{Name: "nor its users", As: "lead", Do: "GET /management/v1/users/$boss", Status: 403},
		testkit.Call{Name: "nor makes projects", As: "lead", Do: "POST /management/v1/projects", Body: `{"name":"More"}`, Status: 403},
		testkit.Call{Name: "history of it", As: "lead", Do: "POST /management/v1/projects/$portal/changes/_search", Want: `{"result":["*","*","*","*","*","*"]}`},
		testkit.Call{Name: "not of others", As: "lead", Do: "POST /management/v1/projects/$other/changes/_search", Status: 403},
		testkit.Call{Name: "other roles", As: "lead", Do: "PUT " + path + "/$helper", Body: `{"roles":["PROJECT_OWNER_VIEWER_GLOBAL"]}`, Events: []string{"project.member.changed"}},
		testkit.Call{Name: "memberships", As: "helper", Do: "POST /auth/v1/memberships/me/_search", Body: `{"queries":[{"projectQuery":{"projectId":"$portal"}}]}`, Want: `{"result":[{"projectId":"$portal","displayName":"Portal"}]}`},
		testkit.Call{Name: "where one can do anything", As: "helper", Do: "POST /auth/v1/global/projectorgs/_search", Body: `{}`, Want: `{"details":{"totalResult":"1"},"result":[{"id":"$acme"}]}`},
		testkit.Call{Name: "nowhere", As: "agent", Do: "POST /auth/v1/global/projectorgs/_search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{Name: "everywhere", Do: "POST /auth/v1/global/projectorgs/_search", Body: `{"sortingColumn":"ORG_FIELD_NAME_NAME"}`, Want: `{"details":{"totalResult":"3"}}`},
		testkit.Call{Name: "remove one owner", As: "lead", Do: "DELETE " + path + "/$boss", Events: []string{"project.member.removed"}},
		testkit.Call{Name: "the last owner stays", As: "lead", Do: "DELETE " + path + "/$lead", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "and stays owner", As: "lead", Do: "PUT " + path + "/$lead", Body: `{"roles":["PROJECT_OWNER_VIEWER"]}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "unless the organization's says so", As: "boss", Do: "DELETE " + path + "/$lead", Events: []string{"project.member.removed"}},
		testkit.Call{Name: "it counts at once", As: "lead", Do: "GET /management/v1/projects/$portal", Status: 404},
	)
	const grants = "/management/v1/projects/$portal/grants"
	const members = grants + "/$grant/members"
	s.Run(t,
		testkit.Call{Name: "grant", As: "boss", Do: "POST " + grants, Body: `{"grantedOrgId":"$rival","roleKeys":["reader"]}`, Keep: map[string]string{"grant": "grantId"}, Events: []string{"project.grant.added"}},
		testkit.Call{Name: "the other side names its members", As: "foe", Do: "POST " + members, Body: `{"userId":"$agent","roles":["PROJECT_GRANT_OWNER"]}`, Events: []string{"project.grant.member.added"}},
		testkit.Call{Name: "who name others", As: "agent", Do: "POST " + members, Body: `{"userId":"$foe","roles":["PROJECT_GRANT_OWNER_VIEWER"]}`, Events: []string{"project.grant.member.added"}},
		testkit.Call{Name: "not those of projects", As: "agent", Do: "POST " + members, Body: `{"userId":"$foe","roles":["PROJECT_OWNER"]}`, Status: 409},
		testkit.Call{Name: "list", As: "agent", Do: "POST " + members + "/_search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"result":[{"userId":"$agent","roles":["PROJECT_GRANT_OWNER"]},{"userId":"$foe"}]}`},
		testkit.Call{Name: "on both sides", As: "boss", Do: "POST " + members + "/_search", Body: `{}`, Want: `{"details":{"totalResult":"2"}}`},
		testkit.Call{Name: "they read the grant", As: "agent", Do: "GET /management/v1/granted_projects/$portal/grants/$grant", Want: `{"grantedProject":{"grantId":"$grant"}}`},
		testkit.Call{Name: "not the project", As: "agent", Do: "GET /management/v1/projects/$portal", In: "$acme", Status: 404},
		testkit.Call{Name: "nor change it", As: "agent", Do: "PUT " + grants + "/$grant", Body: `{"roleKeys":[]}`, Status: 403},
		testkit.Call{Name: "memberships", As: "agent", Do: "POST /auth/v1/memberships/me/_search", Body: `{"queries":[{"projectGrantQuery":{"projectGrantId":"$grant"}}]}`, Want: `{"result":[{"projectGrantId":"$grant","displayName":"Portal"}]}`},
		testkit.Call{Name: "others see them", As: "foe", Do: "POST /management/v1/users/$agent/memberships/_search", Body: `{}`, Want: `{"result":[{"projectGrantId":"$grant"}]}`},
		testkit.Call{Name: "other roles", As: "agent", Do: "PUT " + members + "/$foe", Body: `{"roles":["PROJECT_GRANT_OWNER"]}`, Events: []string{"project.grant.member.changed"}},
		testkit.Call{Name: "remove", As: "foe", Do: "DELETE " + members + "/$agent", Events: []string{"project.grant.member.removed"}},
		testkit.Call{Name: "it counts at once", As: "agent", Do: "GET /management/v1/granted_projects/$portal/grants/$grant", Status: 404},
		testkit.Call{Name: "a user goes with it", Do: "DELETE /management/v1/users/$foe", In: "$rival", Events: []string{"user.removed", "org.member.cascade.removed", "project.grant.member.cascade.removed"}},
	)
}
