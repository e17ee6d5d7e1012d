package test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/project"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

const (
	authorizationService = "POST /zitadel.authorization.v2.AuthorizationService/"
	grantsPath           = "/management/v1/users"
)

// asServer runs a verb in the instance, with nobody to refuse it.
func asServer(t testing.TB, s *testkit.Server, verb func(tx *eventstore.Tx) error) {
	t.Helper()
	if err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), verb); err != nil {
		t.Fatal(err)
	}
}

// startGrants starts with the organizations acme and other, a shop of acme with the
// roles admin, buyer and Clerk, which is granted to other without admin, and a lab of
// acme that has the role tester.
func startGrants(t *testing.T) *testkit.Server {
	t.Helper()
	s := testkit.Start(t)
	inAll(t, s)
	addMachine(t, s, "$other", "otherboss", "ORG_OWNER")
	acme := eventstore.Scope{Instance: s.InstanceID, Org: s.Var("acme")}
	asServer(t, s, func(tx *eventstore.Tx) error {
		for id, roles := range map[string][]project.Role{
			"shop": {{Key: "admin", DisplayName: "Administrator", Group: "staff"}, {Key: "buyer", DisplayName: "Buyer"}, {Key: "Clerk", DisplayName: "Clerk"}},
			"lab":  {{Key: "tester", DisplayName: "Tester"}},
		} {
			if _, err := flow.AddProject(tx, acme, id, project.Settings{Name: "The " + id}); err != nil {
				return err
			}
			if _, err := project.AddRoles(tx, acme, id, roles...); err != nil {
				return err
			}
		}
		_, err := flow.AddProjectGrant(tx, acme, "shop", "lent", s.Var("other"), []string{"buyer", "Clerk"})
		return err
	})
	return s
}

// granted is a call by which somebody grants roles in their organization, over v2.
func granted(name, as, org, userID, projectID, roles string, status int, events ...string) testkit.Call {
	c := testkit.Call{
		Name: name, As: as, Do: authorizationService + "CreateAuthorization", Status: status, Events: events,
		Body: fmt.Sprintf(`{"userId":%q,"projectId":%q,"organizationId":%q,"roleKeys":[%s]}`, userID, projectID, org, roles),
	}
	if status == 0 {
		c.Events, c.Want, c.Keep = []string{"user.grant.added"}, `{"id":"*","creationDate":"*"}`, map[string]string{name: "id"}
	}
	return c
}

func TestAuthorizations(t *testing.T) {
	t.Parallel()
	s := startGrants(t)
	addMachine(t, s, "$acme", "reader", "ORG_OWNER_VIEWER")
	call := func(name, as, rpc, body string, status int, want string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: as, Do: authorizationService + rpc, Body: body, Status: status, Want: want, Events: events}
	}
	const missing = `{"code":"not_found","message":"There is no such user grant. (USERGRANT-missing)"}`
	s.Run(t,
		granted("a", "clerk", "$acme", "$clerk", "shop", `"buyer","admin"`, 0),
		granted("b", "boss", "$acme", "$guest", "shop", `"Clerk"`, 0),
		granted("c", "otherboss", "$other", "$guest", "shop", `"buyer"`, 0),
		granted("d", "boss", "$acme", "$guest", "lab", ``, 0),
		granted("twice", "boss", "$acme", "$clerk", "shop", ``, 409),
		granted("a role that was not lent", "otherboss", "$other", "$otherboss", "shop", `"admin"`, 400),
		granted("a role that is none", "boss", "$acme", "$boss", "shop", `"tester"`, 400),
		granted("a project that was not lent", "otherboss", "$other", "$otherboss", "lab", ``, 400),
		granted("no project", "boss", "$acme", "$boss", "none", ``, 400),
		granted("nobody", "boss", "$acme", "none", "shop", ``, 400),
		granted("a role twice", "boss", "$acme", "$boss", "shop", `"buyer","buyer"`, 400),
		granted("by a reader", "reader", "$acme", "$reader", "shop", `"admin"`, 403),
		granted("by an outsider", "otherboss", "$acme", "$otherboss", "shop", `"admin"`, 404),
		granted("by nobody's member", "guest", "$acme", "$guest", "shop", `"admin"`, 404),

		call("other roles", "clerk", "UpdateAuthorization", `{"id":"$a","roleKeys":["admin"]}`, 0, `{"changeDate":"*"}`, "user.grant.changed"),
		call("the same", "clerk", "UpdateAuthorization", `{"id":"$a","roleKeys":["admin"]}`, 0, `{"changeDate":"*"}`),
		call("none such", "clerk", "UpdateAuthorization", `{"id":"$a","roleKeys":["none"]}`, 400, ""),
		call("not lent", "otherboss", "UpdateAuthorization", `{"id":"$c","roleKeys":["admin"]}`, 400, ""),
		call("not by readers", "reader", "UpdateAuthorization", `{"id":"$a","roleKeys":[]}`, 403, ""),
		call("not by outsiders", "otherboss", "UpdateAuthorization", `{"id":"$a","roleKeys":[]}`, 404, missing),
		call("not even one's own", "guest", "UpdateAuthorization", `{"id":"$b","roleKeys":["admin"]}`, 404, missing),
		call("nothing to update", "boss", "UpdateAuthorization", `{"id":"none","roleKeys":[]}`, 404, missing),

		call("deactivate", "boss", "DeactivateAuthorization", `{"id":"$b"}`, 0, `{"changeDate":"*"}`, "user.grant.deactivated"),
		call("again", "boss", "DeactivateAuthorization", `{"id":"$b"}`, 0, `{"changeDate":"*"}`),
		call("not by outsiders", "otherboss", "DeactivateAuthorization", `{"id":"$a"}`, 404, missing),
		call("activate", "boss", "ActivateAuthorization", `{"id":"$b"}`, 0, `{"changeDate":"*"}`, "user.grant.reactivated"),
		call("once more", "boss", "ActivateAuthorization", `{"id":"$b"}`, 0, `{"changeDate":"*"}`),
		call("not by readers", "reader", "ActivateAuthorization", `{"id":"$b"}`, 403, ""),

		call("list", "boss", "ListAuthorizations", `{"pagination":{"asc":true}}`, 0, `{"pagination":{"totalResult":"3","appliedLimit":"100"},"authorizations":[
			{"id":"$a","creationDate":"*","changeDate":"*","state":"STATE_ACTIVE","project":{"id":"shop","name":"The shop","organizationId":"$acme"},"organization":{"id":"$acme","name":"Acme"},
				"user":{"id":"$clerk","preferredLoginName":"clerk","displayName":"clerk","organizationId":"$acme"},"roles":[{"key":"admin","displayName":"Administrator","group":"staff"}]},
			{"id":"$b","roles":[{"key":"Clerk"}]},{"id":"$d","project":{"id":"lab"},"roles":null}]}`),
		call("what others gave", "otherboss", "ListAuthorizations", `{}`, 0, `{"authorizations":[{"id":"$c","project":{"id":"shop","organizationId":"$acme"},"organization":{"id":"$other"}}]}`),
		call("one's own", "guest", "ListAuthorizations", `{"sortingColumn":"AUTHORIZATION_FIELD_NAME_PROJECT_ID"}`, 0, `{"pagination":{"totalResult":"3"}}`),
		call("of the instance", "", "ListAuthorizations", `{}`, 0, `{"pagination":{"totalResult":"4"}}`),

		call("delete", "boss", "DeleteAuthorization", `{"id":"$d"}`, 0, `{"deletionDate":"*"}`, "user.grant.removed"),
		call("once", "boss", "DeleteAuthorization", `{"id":"$d"}`, 0, `{"deletionDate":null}`),
		call("not by outsiders, who learn nothing", "otherboss", "DeleteAuthorization", `{"id":"$a"}`, 0, `{"deletionDate":null}`),
		call("not by readers", "reader", "DeleteAuthorization", `{"id":"$a"}`, 403, ""),
		granted("d", "boss", "$acme", "$guest", "lab", `"tester"`, 0),
	)
	for filter, want := range map[string]string{
		`{"authorizationIds":{"ids":["$a","$c"]}}`: "a c",
		`{"organizationId":{"id":"$other"}}`:       "c",
		`{"state":{"state":"STATE_ACTIVE"}}`:       "a b c d",
		`{"state":{"state":"STATE_INACTIVE"}}`:     "",
		`{"inUserIds":{"ids":["$guest"]}}`:         "b c d",
		`{"userOrganizationId":{"id":"$acme"}}`:    "a",
		`{"userPreferredLoginName":{"loginName":"CLE","method":"TEXT_FILTER_METHOD_STARTS_WITH_IGNORE_CASE"}}`: "a",
		`{"userDisplayName":{"displayName":"guest"}}`:                                                          "b c d",
		`{"projectId":{"id":"lab"}}`:                                                                           "d",
		`{"projectName":{"name":"the s","method":"TEXT_FILTER_METHOD_STARTS_WITH_IGNORE_CASE"}}`:               "a b c",
		`{"roleKey":{"key":"clerk"}}`:                                                                          "",
		`{"roleKey":{"key":"clerk","method":"TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE"}}`:                         "b",
		`{"projectGrantId":{"id":"lent"}}`:                                                                     "c",
	} {
		r := s.Send(t, testkit.Call{Do: authorizationService + "ListAuthorizations", Body: `{"pagination":{"asc":true},"filters":[` + filter + `]}`})
		if got := grantNames(s, string(r.Body), "a", "b", "c", "d"); got != want {
			t.Errorf("%s: %q, want %q: %s", filter, got, want, r.Body)
		}
	}
	for _, column := range []string{"UNSPECIFIED", "CREATED_DATE", "CHANGED_DATE", "ID", "USER_ID", "PROJECT_ID", "ORGANIZATION_ID", "USER_ORGANIZATION_ID"} {
		s.Check(t, call(column, "", "ListAuthorizations", `{"sortingColumn":"AUTHORIZATION_FIELD_NAME_`+column+`"}`, 0, `{"pagination":{"totalResult":"4"}}`))
	}
}

// grantNames are those of the variables whose value, an id, the text has, in order.
func grantNames(s *testkit.Server, text string, names ...string) string {
	return strings.Join(slices.DeleteFunc(names, func(n string) bool { return !strings.Contains(text, `"`+s.Var(n)+`"`) }), " ")
}

func TestUserGrants(t *testing.T) {
	t.Parallel()
	s := startGrants(t)
	addMachine(t, s, "$acme", "reader", "ORG_OWNER_VIEWER")
	in := func(as, do, body string, status int, want string, events ...string) testkit.Call {
		return testkit.Call{Name: as + " " + do, As: as, Do: do, Body: body, Status: status, Want: want, Events: events}
	}
	add := in("clerk", "POST "+grantsPath+"/$guest/grants", `{"projectId":"shop","roleKeys":["buyer","admin"]}`, 0, `{"userGrantId":"*","details":{"sequence":"1","creationDate":"*","resourceOwner":"$acme"}}`, "user.grant.added")
	add.Keep = map[string]string{"a": "userGrantId"}
	lent := in("otherboss", "POST "+grantsPath+"/$guest/grants", `{"projectId":"shop","projectGrantId":"lent","roleKeys":["buyer"]}`, 0, "", "user.grant.added")
	lent.Keep = map[string]string{"c": "userGrantId"}
	const path = grantsPath + "/$guest/grants/$a"
	s.Run(t,
		add, lent,
		in("clerk", "POST "+grantsPath+"/$guest/grants", `{"projectId":"shop"}`, 409, `{"code":6}`),
		in("clerk", "POST "+grantsPath+"/$clerk/grants", `{"projectId":"shop","projectGrantId":"lent"}`, 400, `{"code":9}`),
		in("otherboss", "POST "+grantsPath+"/$otherboss/grants", `{"projectId":"shop","projectGrantId":"none"}`, 400, `{"code":9}`),
		in("clerk", "POST "+grantsPath+"/$clerk/grants", `{"projectId":"shop","roleKeys":[""]}`, 400, `{"code":3}`),
		in("reader", "POST "+grantsPath+"/$reader/grants", `{"projectId":"shop"}`, 403, ""),
		in("guest", "POST "+grantsPath+"/$guest/grants", `{"projectId":"shop"}`, 404, ""),
		in("reader", "GET "+path, "", 0, `{"userGrant":{"id":"$a","details":{"sequence":"1","resourceOwner":"$acme"},"roleKeys":["buyer","admin"],"state":"USER_GRANT_STATE_ACTIVE",
			"userId":"$guest","userName":"guest","displayName":"guest","preferredLoginName":"guest","userType":"TYPE_MACHINE","orgId":"$acme","orgName":"Acme","orgDomain":"*",
			"projectId":"shop","projectName":"The shop","projectGrantId":null,"grantedOrgId":null}}`),
		in("reader", "GET "+grantsPath+"/$clerk/grants/$a", "", 404, `{"code":5}`),
		in("otherboss", "GET "+path, "", 404, `{"code":5}`),
		in("otherboss", "GET "+grantsPath+"/$guest/grants/$c", "", 0, `{"userGrant":{"orgId":"$other","projectGrantId":"lent","grantedOrgId":"$other","grantedOrgName":"Other","grantedOrgDomain":"*"}}`),
		in("clerk", "PUT "+path, `{"roleKeys":["admin"]}`, 0, `{"details":{"sequence":"2","changeDate":"*"}}`, "user.grant.changed"),
		in("clerk", "PUT "+path, `{"roleKeys":["admin"]}`, 400, `{"code":9}`),
		in("clerk", "PUT "+path, `{"roleKeys":["none"]}`, 400, `{"code":9}`),
		in("clerk", "PUT "+grantsPath+"/$clerk/grants/$a", `{"roleKeys":[]}`, 404, ""),
		in("otherboss", "PUT "+path, `{"roleKeys":[]}`, 404, ""),
		in("clerk", "POST "+path+"/_deactivate", `{}`, 0, `{"details":{"sequence":"3"}}`, "user.grant.deactivated"),
		in("clerk", "POST "+path+"/_deactivate", `{}`, 400, `{"code":9}`),
		in("guest", "POST /auth/v1/usergrants/me/_search", `{"query":{"asc":true}}`, 0, `{"details":{"totalResult":"2"},"result":[{"grantId":"$a","orgId":"$acme","orgName":"Acme","orgDomain":"*","projectId":"shop","projectName":"The shop",
			"userId":"$guest","roles":["admin"],"roleKeys":["admin"],"userType":"TYPE_MACHINE","state":"USER_GRANT_STATE_INACTIVE","details":{"sequence":"3"}},{"grantId":"$c","projectGrantId":"lent"}]}`),
		in("guest", "POST /auth/v1/permissions/me/_search", "", 0, `{"result":["buyer"]}`),
		in("clerk", "POST "+path+"/_reactivate", `{}`, 0, "", "user.grant.reactivated"),
		in("clerk", "POST "+path+"/_reactivate", `{}`, 400, `{"code":9}`),
		in("reader", "DELETE "+path, "", 403, ""),
		testkit.Call{Name: "in another organization", In: "$other", Do: "DELETE " + path, Status: 404},
		in("otherboss", "DELETE "+path, "", 404, ""),
	)
	b := in("boss", "POST "+grantsPath+"/$boss/grants", `{"projectId":"lab","roleKeys":["tester"]}`, 0, "", "user.grant.added")
	b.Keep = map[string]string{"b": "userGrantId"}
	s.Check(t, b)
	person(t, s, s.Var("acme"), "ada")
	d := in("boss", "POST "+grantsPath+"/$ada/grants", `{"projectId":"shop","roleKeys":["Clerk"]}`, 0, "", "user.grant.added")
	d.Keep = map[string]string{"d": "userGrantId"}
	s.Check(t, d)
	for filter, want := range map[string]string{
		`{"projectIdQuery":{"projectId":"shop"}}`:                                        "a d",
		`{"userIdQuery":{"userId":"$boss"}}`:                                             "b",
		`{"inUserIdsQuery":{"inUserIds":["$boss","$ada"]}}`:                              "b d",
		`{"withGrantedQuery":{"withGranted":true}}`:                                      "a b c d",
		`{"withGrantedQuery":{}}`:                                                        "a b d",
		`{"roleKeyQuery":{"roleKey":"CLERK","method":1}}`:                                "d",
		`{"projectGrantIdQuery":{"projectGrantId":"lent"}}`:                              "",
		`{"userNameQuery":{"userName":"gu","method":2}}`:                                 "a",
		`{"firstNameQuery":{"firstName":"ada"}}`:                                         "d",
		`{"lastNameQuery":{"lastName":"EX","method":3}}`:                                 "d",
		`{"emailQuery":{"email":"ada@example.com"}}`:                                     "d",
		`{"orgNameQuery":{"orgName":"Acme"}}`:                                            "a b d",
		`{"orgDomainQuery":{"orgDomain":"acme","method":2}}`:                             "a b d",
		`{"projectNameQuery":{"projectName":"lab","method":6}}`:                          "b",
		`{"displayNameQuery":{"displayName":"ada","method":2}}`:                          "d",
		`{"userTypeQuery":{"type":"TYPE_HUMAN"}}`:                                        "d",
		`{"withGrantedQuery":{"withGranted":true}},{"roleKeyQuery":{"roleKey":"buyer"}}`: "c",
	} {
		r := s.Send(t, testkit.Call{As: "clerk", Do: "POST " + grantsPath + "/grants/_search", Body: `{"query":{"asc":true},"queries":[` + filter + `]}`})
		if got := grantNames(s, string(r.Body), "a", "b", "c", "d"); got != want {
			t.Errorf("%s: %q, want %q: %s", filter, got, want, r.Body)
		}
	}
	s.Run(t,
		in("clerk", "DELETE /management/v1/user_grants/_bulk", `{"grantId":["$a","$c"]}`, 404, ""),
		in("clerk", "DELETE /management/v1/user_grants/_bulk", `{"grantId":[]}`, 400, ""),
		in("clerk", "DELETE /management/v1/user_grants/_bulk", `{"grantId":["$a","$b"]}`, 0, `{}`, "user.grant.removed", "user.grant.removed"),
		in("clerk", "DELETE "+grantsPath+"/$ada/grants/$d", "", 0, `{"details":{"sequence":"2","resourceOwner":"$acme"}}`, "user.grant.removed"),
		in("clerk", "DELETE "+grantsPath+"/$ada/grants/$d", "", 404, ""),
	)
}

// TestGrantsOfProjectMembers: who administers a project, or a grant of one, deals with
// the user grants of that, and of nothing else.
func TestGrantsOfProjectMembers(t *testing.T) {
	t.Parallel()
	s := startGrants(t)
	for _, name := range []string{"shopkeeper", "franchisee"} {
		addMachine(t, s, "$other", name, "")
	}
	asServer(t, s, func(tx *eventstore.Tx) error {
		acme := eventstore.Scope{Instance: s.InstanceID, Org: s.Var("acme")}
		if _, err := member.Add(tx, member.Object{Scope: acme, Project: "shop"}, s.Var("shopkeeper"), []string{authz.ProjectOwner}); err != nil {
			return err
		}
		_, err := member.Add(tx, member.Object{Scope: acme, Project: "shop", Grant: "lent", GrantedOrg: s.Var("other")}, s.Var("franchisee"), []string{authz.GrantOwner})
		return err
	})
	s.Run(t,
		granted("lab", "boss", "$acme", "$clerk", "lab", `"tester"`, 0),
		granted("own", "shopkeeper", "$acme", "$clerk", "shop", `"admin"`, 0),
		granted("not another project", "shopkeeper", "$acme", "$guest", "lab", `"tester"`, 403),
		granted("nor one that is not there", "shopkeeper", "$acme", "$guest", "none", ``, 403),
		granted("nor where it was lent to", "shopkeeper", "$other", "$guest", "shop", `"buyer"`, 404),
		granted("lent", "franchisee", "$other", "$guest", "shop", `"buyer"`, 0),
		granted("not where it is from", "franchisee", "$acme", "$guest", "shop", `"buyer"`, 404),
		testkit.Call{Name: "the shop's", As: "shopkeeper", Do: authorizationService + "ListAuthorizations", Body: `{}`, Want: `{"authorizations":[{"id":"$own"}]}`},
		testkit.Call{Name: "the same in v1", As: "shopkeeper", In: "$acme", Do: "POST " + grantsPath + "/grants/_search", Body: `{}`, Want: `{"result":[{"id":"$own"}]}`},
		testkit.Call{Name: "with what others gave", As: "shopkeeper", In: "$acme", Do: "POST " + grantsPath + "/grants/_search", Body: `{"queries":[{"withGrantedQuery":{"withGranted":true}}]}`, Want: `{"result":[{},{}]}`},
		testkit.Call{Name: "not the lab's", As: "shopkeeper", In: "$acme", Do: "GET " + grantsPath + "/$clerk/grants/$lab", Status: 404},
		testkit.Call{Name: "nor to end", As: "shopkeeper", In: "$acme", Do: "DELETE " + grantsPath + "/$clerk/grants/$lab", Status: 404},
		testkit.Call{Name: "nor what others gave", As: "shopkeeper", Do: authorizationService + "DeleteAuthorization", Body: `{"id":"$lent"}`, Want: `{"deletionDate":null}`},
		testkit.Call{Name: "what was lent", As: "franchisee", Do: authorizationService + "ListAuthorizations", Body: `{}`, Want: `{"authorizations":[{"id":"$lent"}]}`},
		testkit.Call{Name: "is theirs to end", As: "franchisee", Do: authorizationService + "DeleteAuthorization", Body: `{"id":"$lent"}`, Want: `{"deletionDate":"*"}`, Events: []string{"user.grant.removed"}},
	)
}

// rolesNow are the roles of a user as a token would carry them.
func rolesNow(t testing.TB, s *testkit.Server, userID string, filters ...database.Filter) string {
	t.Helper()
	var roles []authorization.Role
	filters = append(filters, database.Is("g.instance_id", s.InstanceID), authorization.OfUser(userID))
	if err := s.Store.Read(t.Context(), authorization.Roles(&roles, filters...)); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range roles {
		if r.Domain == "" {
			t.Errorf("no domain of %v", r)
		}
		out = append(out, r.ProjectID+":"+r.Key+"@"+strings.NewReplacer(s.Var("acme"), "acme", s.Var("other"), "other").Replace(r.Org))
	}
	return strings.Join(out, " ")
}

// TestRolesThatCount: a role counts while all that it rests on is active, and is not
// heard of any more once that is gone.
func TestRolesThatCount(t *testing.T) {
	t.Parallel()
	s := startGrants(t)
	s.Run(t,
		granted("a", "boss", "$acme", "$guest", "shop", `"admin","Clerk"`, 0),
		granted("c", "otherboss", "$other", "$guest", "shop", `"buyer","Clerk"`, 0),
		granted("d", "boss", "$acme", "$guest", "lab", `"tester"`, 0),
	)
	const all = "lab:tester@acme shop:Clerk@acme shop:Clerk@other shop:admin@acme shop:buyer@other"
	acme, other := eventstore.Scope{Instance: s.InstanceID, Org: s.Var("acme")}, eventstore.Scope{Instance: s.InstanceID, Org: s.Var("other")}
	at := authorization.At{Instance: s.InstanceID}
	which := project.Which{Grant: "lent"}
	look := func(what, want string, filters ...database.Filter) {
		t.Helper()
		got := strings.Fields(rolesNow(t, s, s.Var("guest"), filters...))
		wanted := strings.Fields(want)
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%s: %q, want %q", what, got, wanted)
		}
	}
	do := func(verb func(tx *eventstore.Tx) (eventstore.Details, error)) {
		t.Helper()
		asServer(t, s, func(tx *eventstore.Tx) error { _, err := verb(tx); return err })
	}
	look("all", all)
	look("of a project", "lab:tester@acme", authorization.OfProject("lab", "none"))
	look("by an organization", "shop:Clerk@other shop:buyer@other", authorization.OfOrg(other.Org))
	look("of nothing", "", authorization.OfProject())
	for _, c := range []struct {
		what, left string
		off, on    func(tx *eventstore.Tx) (eventstore.Details, error)
	}{
		{
			"grant", "lab:tester@acme shop:Clerk@other shop:buyer@other",
			func(tx *eventstore.Tx) (eventstore.Details, error) {
				return authorization.Deactivate(tx, at, s.Var("a"))
			},
			func(tx *eventstore.Tx) (eventstore.Details, error) {
				return authorization.Reactivate(tx, at, s.Var("a"))
			},
		},
		{
			"project", "lab:tester@acme",
			func(tx *eventstore.Tx) (eventstore.Details, error) { return project.Deactivate(tx, acme, "shop") },
			func(tx *eventstore.Tx) (eventstore.Details, error) { return project.Reactivate(tx, acme, "shop") },
		},
		{
			"project grant", "lab:tester@acme shop:Clerk@acme shop:admin@acme",
			func(tx *eventstore.Tx) (eventstore.Details, error) {
				return project.DeactivateGrant(tx, acme, "shop", which)
			},
			func(tx *eventstore.Tx) (eventstore.Details, error) {
				return project.ReactivateGrant(tx, acme, "shop", which)
			},
		},
	} {
		do(c.off)
		look(c.what+" is off", c.left)
		do(c.on)
		look(c.what+" is on", all)
	}
	for org, left := range map[string]string{"other": "lab:tester@acme shop:Clerk@acme shop:admin@acme", "acme": ""} {
		s.Check(t, testkit.Call{In: "$" + org, Do: "POST /management/v1/orgs/me/_deactivate", Body: `{}`, Events: []string{"org.deactivated"}})
		look(org+" is off", left)
		s.Check(t, testkit.Call{In: "$" + org, Do: "POST /management/v1/orgs/me/_reactivate", Body: `{}`, Events: []string{"org.reactivated"}})
	}
	before := len(s.Events(t))
	cascades := func(what string, want ...string) {
		t.Helper()
		events := s.Events(t)
		if got := events[before:]; !slices.Equal(got, want) {
			t.Errorf("%s: events %q, want %q", what, got, want)
		}
		before = len(events)
	}
	do(func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.ChangeProjectGrant(tx, acme, "shop", which, []string{"buyer"})
	})
	look("the grant lost a role", "lab:tester@acme shop:Clerk@acme shop:admin@acme shop:buyer@other")
	cascades("the grant lost a role", "project.grant.changed", "user.grant.cascade.changed")
	do(func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.RemoveProjectRole(tx, acme, "shop", "Clerk")
	})
	look("the project lost a role", "lab:tester@acme shop:admin@acme shop:buyer@other")
	cascades("the project lost a role", "project.role.removed", "user.grant.cascade.changed")
	do(func(tx *eventstore.Tx) (eventstore.Details, error) {
		return project.AddRoles(tx, acme, "shop", project.Role{Key: "Clerk", DisplayName: "Clerk"})
	})
	look("a role comes back", "lab:tester@acme shop:admin@acme shop:buyer@other")
	before = len(s.Events(t))
	do(func(tx *eventstore.Tx) (eventstore.Details, error) {
		return flow.RemoveProjectGrant(tx, acme, "shop", which)
	})
	look("the grant is gone", "lab:tester@acme shop:admin@acme")
	cascades("the grant is gone", "project.grant.removed", "user.grant.cascade.removed")
	do(func(tx *eventstore.Tx) (eventstore.Details, error) { return flow.RemoveProject(tx, acme, "shop") })
	look("the project is gone", "lab:tester@acme")
	cascades("the project is gone", "project.removed", "user.grant.cascade.removed")
	s.Check(t, testkit.Call{In: "$other", Do: "DELETE /management/v1/users/$guest", Events: []string{"user.removed", "user.grant.cascade.removed"}})
	look("the user is gone", "")
	s.Check(t, granted("e", "boss", "$acme", "$otherboss", "lab", `"tester"`, 0))
	s.Check(t, testkit.Call{Do: "DELETE /admin/v1/orgs/$other", Events: []string{"org.removed", "user.grant.cascade.removed", "user.removed"}})
	noGrants(t, s)
}

// noGrants fails where a grant is left.
func noGrants(t *testing.T, s *testkit.Server) {
	t.Helper()
	var grants, roles uint64
	if err := s.Store.Read(t.Context(), database.From("*", "user_grants").Count(&grants), database.From("*", "user_grant_roles").Count(&roles)); err != nil {
		t.Fatal(err)
	}
	if grants+roles != 0 {
		t.Errorf("%d grants with %d roles are left", grants, roles)
	}
}

// TestManyGrants: what rests on a role and on an organization goes, also where it is
// more than one transaction looks at.
func TestManyGrants(t *testing.T) {
	t.Parallel()
	s := startGrants(t)
	const many = 450
	asServer(t, s, func(tx *eventstore.Tx) error {
		for i := range many {
			id := fmt.Sprintf("u%d", i)
			if _, err := flow.AddMachine(tx, eventstore.Scope{Instance: s.InstanceID, Org: s.Var("other")}, id, user.Machine{UserName: id, Name: id}); err != nil {
				return err
			}
			if _, err := authorization.Add(tx, s.InstanceID, authorization.Grant{ID: tx.NewID(), Org: s.Var("acme"), UserID: id, ProjectID: "shop", Roles: []string{"admin", "buyer"}}); err != nil {
				return err
			}
		}
		return nil
	})
	acme := eventstore.Scope{Instance: s.InstanceID, Org: s.Var("acme")}
	notAgain(t, s, "the role", func(tx *eventstore.Tx) (eventstore.Details, error) {
		if _, err := flow.RemoveProjectRole(tx, acme, "shop", "admin"); err != nil {
			t.Error(err)
		}
		return project.AddRoles(tx, acme, "shop", project.Role{Key: "admin", DisplayName: "x"})
	})
	notAgain(t, s, "the project", func(tx *eventstore.Tx) (eventstore.Details, error) {
		if _, err := flow.RemoveProject(tx, acme, "shop"); err != nil {
			t.Error(err)
		}
		return flow.AddProject(tx, acme, "shop", project.Settings{Name: "x"})
	})
	notAgain(t, s, "the user", func(tx *eventstore.Tx) (eventstore.Details, error) {
		if _, err := user.Remove(tx, s.InstanceID, s.Var("other"), "u7", false); err != nil {
			t.Error(err)
		}
		return flow.AddMachine(tx, acme, "u7", user.Machine{UserName: "x", Name: "x"})
	})
	asServer(t, s, func(tx *eventstore.Tx) error { _, err := flow.RemoveProjectRole(tx, acme, "shop", "admin"); return err })
	if got := rolesNow(t, s, fmt.Sprintf("u%d", many-1)); got != "shop:buyer@acme" {
		t.Errorf("at once: %s", got)
	}
	s.Settle(t)
	var left uint64
	if err := s.Store.Read(t.Context(), database.From("*", "user_grant_roles").Where("role_key = 'admin'").Count(&left)); err != nil || left != 0 {
		t.Errorf("%d users have a role that is gone, %v", left, err)
	}
	s.Send(t, testkit.Call{Do: "DELETE /admin/v1/orgs/$acme"})
	if got := rolesNow(t, s, "u7"); got != "" {
		t.Errorf("at once: %s", got)
	}
	s.Settle(t)
	noGrants(t, s)
}

// notAgain fails unless the verb, which ends something and begins it anew while grants
// of the former one are left, is refused.
func notAgain(t *testing.T, s *testkit.Server, what string, verb func(tx *eventstore.Tx) (eventstore.Details, error)) {
	t.Helper()
	err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := verb(tx)
		return err
	})
	if fault.KindOf(err) != fault.KindAborted {
		t.Errorf("%s comes back with the grants of the former one: %v", what, err)
	}
}

// TestGrantRaces grants the same thing often at once, while the role goes.
func TestGrantRaces(t *testing.T) {
	t.Parallel()
	s := startGrants(t)
	var all sync.WaitGroup
	var made atomic.Int32
	start := make(chan struct{})
	for range 12 {
		all.Go(func() {
			<-start
			r := s.Send(t, granted("", "boss", "$acme", "$guest", "shop", `"admin"`, 1))
			switch {
			case r.Status == 200:
				made.Add(1)
			case r.Status >= 500:
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
	all.Go(func() {
		<-start
		acme := eventstore.Scope{Instance: s.InstanceID, Org: s.Var("acme")}
		asServer(t, s, func(tx *eventstore.Tx) error { _, err := flow.RemoveProjectRole(tx, acme, "shop", "admin"); return err })
	})
	close(start)
	all.Wait()
	s.Settle(t)
	if made.Load() > 1 {
		t.Errorf("%d grants of one thing", made.Load())
	}
	var left uint64
	if err := s.Store.Read(t.Context(), database.From("*", "user_grant_roles").Count(&left)); err != nil || left != 0 {
		t.Errorf("%d roles are granted that there are not, %v", left, err)
	}
}

// TestGrantsOfALaterTime: a grant goes with its role also where its time is later than
// that of the removal, which began first and waited, or has another clock.
func TestGrantsOfALaterTime(t *testing.T) {
	t.Parallel()
	s := startGrants(t)
	other := s.Sibling(t)
	other.Clock.Advance(time.Second)
	acme := eventstore.Scope{Instance: s.InstanceID, Org: s.Var("acme")}
	asServer(t, other, func(tx *eventstore.Tx) error {
		_, err := authorization.Add(tx, s.InstanceID, authorization.Grant{ID: tx.NewID(), Org: acme.Org, UserID: s.Var("guest"), ProjectID: "shop", Roles: []string{"admin"}})
		return err
	})
	asServer(t, s, func(tx *eventstore.Tx) error { _, err := flow.RemoveProjectRole(tx, acme, "shop", "admin"); return err })
	var left uint64
	if err := s.Store.Read(t.Context(), database.From("*", "user_grant_roles").Count(&left)); err != nil || left != 0 {
		t.Errorf("%d roles are granted that there are not, %v", left, err)
	}
}
