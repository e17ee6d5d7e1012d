package test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// inAll is the organizations and users that the tests of this file look at: boss
// owns Acme and clerk manages its users, guest is of Other.
func inAll(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Run(t,
		testkit.Call{Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
		testkit.Call{Name: "another", Do: "POST /management/v1/orgs", Body: `{"name":"Other"}`, Keep: map[string]string{"other": "id"}, Events: orgAdded},
	)
	addMachine(t, s, "$acme", "boss", "ORG_OWNER")
	addMachine(t, s, "$acme", "clerk", "ORG_USER_MANAGER")
	addMachine(t, s, "$other", "guest", "")
}

func TestUsersV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	const path = "/v2/users"
	state := func(name, verb, event string) testkit.Call {
		return testkit.Call{Name: name, As: "clerk", Do: "POST " + path + "/robot/" + verb, Body: `{}`, Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$acme"}}`, Events: []string{event}}
	}
	refused := func(name, verb string) testkit.Call {
		return testkit.Call{Name: name, As: "clerk", Do: "POST " + path + "/robot/" + verb, Body: `{}`, Status: 400, Want: `{"code":9}`}
	}
	const missing = `{"code":5,"message":"There is no such user. (USER-missing)"}`
	s.Run(t,
		testkit.Call{
			Name: "a machine of a chosen id", As: "clerk", Do: "POST " + path + "/new", Events: []string{"user.machine.added", "user.metadata.set"},
			Body: `{"organizationId":"$acme","userId":"robot","username":"Robot","machine":{"name":"Build robot","description":"It builds.","accessTokenType":1},"metadata":[{"key":"a","value":"Yg=="}]}`,
			Want: `{"id":"robot","creationDate":"*"}`,
		},
		testkit.Call{
			Name: "a machine of its own name", As: "clerk", Do: "POST " + path + "/new", Body: `{"organizationId":"$acme","machine":{"name":"x"}}`,
			Keep: map[string]string{"x": "id"}, Events: []string{"user.machine.added"},
		},
		testkit.Call{Name: "its id", As: "clerk", Do: "GET " + path + "/$x", Want: `{"user":{"username":"$x"}}`},
		testkit.Call{Name: "no type", As: "clerk", Do: "POST " + path + "/new", Body: `{"organizationId":"$acme"}`, Status: 400},
		testkit.Call{Name: "not elsewhere", As: "clerk", Do: "POST " + path + "/new", Body: `{"organizationId":"$other","machine":{"name":"x"}}`, Status: 404},
		testkit.Call{Name: "no organization", Do: "POST " + path + "/new", Body: `{"organizationId":"1","machine":{"name":"x"}}`, Status: 404, Want: `{"code":5}`},
		testkit.Call{Name: "the id is taken", Do: "POST " + path + "/new", Body: `{"organizationId":"$other","userId":"robot","machine":{"name":"x"}}`, Status: 409},
		testkit.Call{
			Name: "get", As: "clerk", Do: "GET " + path + "/robot",
			Want: `{"details":{"resourceOwner":"$acme"},"user":{"userId":"robot","state":"USER_STATE_ACTIVE","username":"Robot","loginNames":["Robot"],"preferredLoginName":"Robot",
				"details":{"sequence":"*","creationDate":"*","changeDate":"*","resourceOwner":"$acme"},
				"machine":{"name":"Build robot","description":"It builds.","hasSecret":null,"accessTokenType":"ACCESS_TOKEN_TYPE_JWT"}}}`,
		},
		testkit.Call{Name: "oneself", As: "guest", Do: "GET " + path + "/$guest", Want: `{"user":{"username":"guest"}}`},
		testkit.Call{Name: "strangers see nobody", As: "guest", Do: "GET " + path + "/robot", Status: 404, Want: missing},
		testkit.Call{Name: "as if nobody were there", As: "guest", Do: "GET " + path + "/1", Status: 404, Want: missing},
		testkit.Call{Name: "and change nobody", As: "guest", Do: "POST " + path + "/robot/lock", Body: `{}`, Status: 404, Want: missing},
		testkit.Call{Name: "neither is there", As: "guest", Do: "POST " + path + "/1/lock", Body: `{}`, Status: 404, Want: missing},
		testkit.Call{Name: "nor elsewhere", As: "boss", Do: "DELETE " + path + "/$guest", Status: 404, Want: missing},
		testkit.Call{
			Name: "change", As: "clerk", Do: "PATCH " + path + "/robot", Body: `{"username":"Robot 2","machine":{"description":""},"metadata":[{"key":"c","value":"ZA=="}]}`,
			Want: `{"changeDate":"*"}`, Events: []string{"user.username.changed", "user.machine.changed", "user.metadata.set"},
		},
		testkit.Call{
			Name: "is changed", As: "clerk", Do: "GET " + path + "/robot", Keep: map[string]string{"date": "details.changeDate"},
			Want: `{"user":{"username":"Robot 2","machine":{"name":"Build robot","description":null,"accessTokenType":"ACCESS_TOKEN_TYPE_JWT"}}}`,
		},
		testkit.Call{Name: "change nothing", As: "clerk", Do: "PATCH " + path + "/robot", Body: `{"username":"Robot 2","machine":{"name":"Build robot"}}`, Want: `{"changeDate":"$date"}`},
		testkit.Call{Name: "ask for nothing", As: "clerk", Do: "PATCH " + path + "/robot", Body: `{}`, Want: `{"changeDate":"$date"}`},
		testkit.Call{Name: "a name that is taken", As: "clerk", Do: "PATCH " + path + "/robot", Body: `{"username":"BOSS","machine":{"name":"y"}}`, Status: 409},
		testkit.Call{Name: "changes nothing at all", As: "clerk", Do: "GET " + path + "/robot", Want: `{"user":{"machine":{"name":"Build robot"}}}`},
		testkit.Call{Name: "the old name is free", As: "clerk", Do: "POST " + path + "/new", Body: `{"organizationId":"$acme","username":"ROBOT","machine":{"name":"x"}}`, Events: []string{"user.machine.added"}},
		testkit.Call{Name: "no name", As: "clerk", Do: "PATCH " + path + "/robot", Body: `{"machine":{"name":""}}`, Status: 400},
		testkit.Call{Name: "not a person", As: "clerk", Do: "PATCH " + path + "/robot", Body: `{"human":{"profile":{"givenName":"x"}}}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{
			Name: "a token", As: "clerk", Do: "POST " + path + "/robot/pats", Body: `{"expirationDate":"2100-01-01T00:00:00Z"}`,
			Want: `{"creationDate":"*","tokenId":"*"}`, Keep: map[string]string{"pat": "tokenId"}, Token: "token", KeepAs: "robot", Events: []string{"user.pat.added"},
		},
		testkit.Call{Name: "it works", As: "robot", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"robot"}}`},
		refused("is not locked", "unlock"), refused("is not inactive", "reactivate"),
		state("lock", "lock", "user.locked"),
		testkit.Call{Name: "the token is refused", As: "robot", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "shows", As: "clerk", Do: "GET " + path + "/robot", Want: `{"user":{"state":"USER_STATE_LOCKED"}}`},
		refused("once", "lock"), refused("a lock is not a deactivation", "reactivate"),
		state("unlock", "unlock", "user.unlocked"),
		testkit.Call{Name: "the token works again", As: "robot", Do: "GET /auth/v1/users/me"},
		state("lock again", "lock", "user.locked"), state("deactivate who is locked", "deactivate", "user.deactivated"),
		testkit.Call{Name: "the token is refused again", As: "robot", Do: "GET /auth/v1/users/me", Status: 401},
		refused("twice", "deactivate"), refused("a deactivation is not a lock", "unlock"), refused("who is inactive stays so", "lock"),
		state("reactivate", "reactivate", "user.reactivated"),
		testkit.Call{Name: "the token is back", As: "robot", Do: "GET /auth/v1/users/me"},
		testkit.Call{Name: "remove", As: "clerk", Do: "DELETE " + path + "/robot", Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.removed"}},
		testkit.Call{Name: "once", As: "clerk", Do: "DELETE " + path + "/robot", Status: 404, Want: missing},
		testkit.Call{Name: "the token is gone", As: "robot", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{
			Name: "the id is free for another organization", Do: "POST " + path + "/new", Body: `{"organizationId":"$other","userId":"robot","username":"reborn","machine":{"name":"x"}}`,
			Events: []string{"user.machine.added"},
		},
		testkit.Call{Name: "the token stays dead", As: "robot", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "who administered it sees nothing", As: "clerk", Do: "GET " + path + "/robot", Status: 404, Want: missing},
		testkit.Call{Name: "it has nothing of the old one", Do: "POST /v2/users/pats/search", Body: `{"filters":[{"userIdFilter":{"id":"robot"}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "the last owner stays", Do: "POST " + path + "/$owner/lock", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "in every way", Do: "POST " + path + "/$owner/deactivate", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "whatever", Do: "DELETE " + path + "/$owner", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "over v1", Do: "POST /management/v1/users/$owner/_lock", Body: `{}`, Status: 400, Want: `{"code":9}`},
	)
}

// TestUsersV1: what v1 has beside TestMachineUsers.
func TestUsersV1(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	const path = "/management/v1/users"
	s.Run(t,
		testkit.Call{Name: "lock", As: "boss", Do: "POST " + path + "/$clerk/_lock", Body: `{}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.locked"}},
		testkit.Call{Name: "it counts at once", As: "clerk", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "shows", As: "boss", Do: "GET " + path + "/$clerk", Want: `{"user":{"state":"USER_STATE_LOCKED"}}`},
		testkit.Call{Name: "unlock", As: "boss", Do: "POST " + path + "/$clerk/_unlock", Body: `{}`, Events: []string{"user.unlocked"}},
		testkit.Call{Name: "it counts at once", As: "clerk", Do: "GET /auth/v1/users/me"},
		testkit.Call{Name: "rename", As: "boss", Do: "PUT " + path + "/$clerk/username", Body: `{"userName":"Clerk"}`, Events: []string{"user.username.changed"}},
		testkit.Call{Name: "to the same", As: "boss", Do: "PUT " + path + "/$clerk/username", Body: `{"userName":"Clerk"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "to one that is taken", As: "boss", Do: "PUT " + path + "/$clerk/username", Body: `{"userName":"BOSS"}`, Status: 409},
		testkit.Call{Name: "is taken", As: "boss", Do: "GET " + path + "/_is_unique?userName=CLERK", Want: `{"isUnique":null}`},
		testkit.Call{Name: "is taken in the whole instance", As: "owner", Do: "GET " + path + "/_is_unique?userName=clerk", Want: `{"isUnique":null}`},
		testkit.Call{Name: "who has the name", Do: "GET /management/v1/global/users/_by_login_name?loginName=CLERK", Want: `{"user":{"id":"$clerk","userName":"Clerk"}}`},
		testkit.Call{Name: "nobody has it", Do: "GET /management/v1/global/users/_by_login_name?loginName=nobody", Status: 404},
		testkit.Call{Name: "list", As: "boss", Do: "POST " + path + "/_search", Body: `{"sortingColumn":1,"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2"},"sortingColumn":"USER_FIELD_NAME_USER_NAME","result":[{"id":"$boss"},{"id":"$clerk"}]}`},
		testkit.Call{
			Name: "list with conditions", As: "boss", Do: "POST " + path + "/_search", Want: `{"result":[{"id":"$boss"}]}`,
			Body: `{"queries":[{"andQuery":{"queries":[{"typeQuery":{"type":2}},{"stateQuery":{"state":1}},{"inUserIdsQuery":{"userIds":["$boss","$guest","$clerk"]}},
				{"orQuery":{"queries":[{"userNameQuery":{"userName":"BOSS","method":1}},{"displayNameQuery":{"displayName":"x"}},{"loginNameQuery":{"loginName":"y"}}]}}]}},
				{"notQuery":{"query":{"userNameQuery":{"userName":"cl","method":3}}}}]}`,
		},
		testkit.Call{Name: "nobody by what people have", As: "boss", Do: "POST " + path + "/_search", Body: `{"queries":[{"firstNameQuery":{"firstName":"a"}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "a secret", As: "boss", Do: "PUT " + path + "/$clerk/secret", Body: `{}`, Want: `{"clientId":"Clerk","clientSecret":"*","details":{"changeDate":"*"}}`, Events: []string{"user.machine.secret.set"}},
		testkit.Call{Name: "shows", As: "boss", Do: "GET " + path + "/$clerk", Want: `{"user":{"machine":{"hasSecret":true}}}`},
		testkit.Call{Name: "its hash is told to nobody", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.machine.secret.set"]}`, Want: `{"events":[{"payload":{"hashedSecret":null}}]}`},
		testkit.Call{Name: "remove it", As: "boss", Do: "DELETE " + path + "/$clerk/secret", Events: []string{"user.machine.secret.removed"}},
		testkit.Call{Name: "once", As: "boss", Do: "DELETE " + path + "/$clerk/secret", Status: 400, Want: `{"code":9}`},
	)
}

// TestUserList looks for users by everything that they have.
func TestUserList(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	setDomainPolicy(t, s, func(p *policy.DomainPolicy) { p.UserLoginMustBeDomain = true })
	s.Run(t,
		testkit.Call{Name: "a domain", Do: "POST /management/v1/orgs/me/domains", In: "$acme", Body: `{"domain":"acme.example"}`, Events: []string{"org.domain.added", "org.domain.verified"}},
		testkit.Call{Name: "a title", Do: "PATCH /v2/users/$clerk", Body: `{"machine":{"name":"Ärmel 100%"}}`, Events: []string{"user.machine.changed"}},
		testkit.Call{Name: "lock", Do: "POST /v2/users/$guest/lock", Body: `{}`, Events: []string{"user.locked"}},
	)
	list := func(name, as, body string, want ...string) {
		t.Run(name, func(t *testing.T) {
			var users []string
			for _, w := range want {
				users = append(users, fmt.Sprintf(`{"userId":"$%s"}`, w))
			}
			result := "null"
			if len(users) > 0 {
				result = "[" + strings.Join(users, ",") + "]"
			}
			s.Check(t, testkit.Call{As: as, Do: "POST /v2/users", Body: `{"query":{"asc":true},` + body + `}`, Want: `{"details":{"timestamp":"*"},"result":` + result + `}`})
		})
	}
	query := func(name, q string, want ...string) { t.Helper(); list(name, "", `"queries":[`+q+`]`, want...) }
	list("everybody", "", `"queries":[]`, "owner", "boss", "clerk", "guest")
	list("those of one's organization", "clerk", `"queries":[]`, "boss", "clerk")
	list("the others not by their id", "clerk", `"queries":[{"inUserIdsQuery":{"userIds":["$owner","$guest"]}}]`)
	list("by name", "", `"sortingColumn":"USER_FIELD_NAME_USER_NAME"`, "owner", "boss", "clerk", "guest")
	list("by title", "", `"sortingColumn":"USER_FIELD_NAME_DISPLAY_NAME"`, "owner", "boss", "guest", "clerk")
	list("by state", "", `"sortingColumn":"USER_FIELD_NAME_STATE","queries":[{"stateQuery":{"state":4}}]`, "guest")
	list("by type", "", `"sortingColumn":"USER_FIELD_NAME_TYPE","queries":[{"organizationIdQuery":{"organizationId":"$acme"}}]`, "boss", "clerk")
	query("ids", `{"inUserIdsQuery":{"userIds":["$boss","1"]}}`, "boss")
	query("no ids", `{"inUserIdsQuery":{}}`)
	query("name", `{"userNameQuery":{"userName":"boss"}}`, "boss")
	query("name in its case", `{"userNameQuery":{"userName":"Boss"}}`)
	query("name in any case", `{"userNameQuery":{"userName":"BOSS","method":1}}`, "boss")
	query("start of a name", `{"userNameQuery":{"userName":"cl","method":2}}`, "clerk")
	query("title", `{"displayNameQuery":{"displayName":"ärMEL","method":3}}`, "clerk")
	query("title with a sign", `{"displayNameQuery":{"displayName":"0%","method":6}}`, "clerk")
	query("people", `{"typeQuery":{"type":"TYPE_HUMAN"}}`)
	query("login name", `{"loginNameQuery":{"loginName":"boss@acme.example"}}`, "boss")
	query("login name in any case", `{"loginNameQuery":{"loginName":"Boss@ACME.localhost","method":1}}`, "boss")
	query("not without the domain", `{"loginNameQuery":{"loginName":"boss","method":1}}`)
	query("not with another", `{"loginNameQuery":{"loginName":"boss@other.localhost","method":1}}`)
	query("end of a login name", `{"loginNameQuery":{"loginName":"@acme.example","method":6}}`, "boss", "clerk")
	query("begin of a login name", `{"loginNameQuery":{"loginName":"BO","method":3}}`, "boss")
	query("with some of its domain", `{"loginNameQuery":{"loginName":"boss@acme.e","method":2}}`, "boss")
	query("with none of it", `{"loginNameQuery":{"loginName":"boss@","method":2}}`, "boss")
	query("with some of another", `{"loginNameQuery":{"loginName":"boss@b","method":2}}`)
	query("not its middle", `{"loginNameQuery":{"loginName":"oss@acme","method":3}}`)
	query("part of a login name", `{"loginNameQuery":{"loginName":"S@ACME","method":5}}`, "boss")
	query("all", `{"andQuery":{"queries":[{"stateQuery":{"state":1}},{"organizationIdQuery":{"organizationId":"$acme"}}]}}`, "boss", "clerk")
	query("some", `{"orQuery":{"queries":[{"stateQuery":{"state":4}},{"userNameQuery":{"userName":"boss"}}]}}`, "boss", "guest")
	query("none", `{"notQuery":{"query":{"orQuery":{"queries":[{"stateQuery":{"state":4}},{"userNameQuery":{"userName":"boss"}}]}}}}`, "owner", "clerk")
	query("not the login name", `{"notQuery":{"query":{"loginNameQuery":{"loginName":"@acme.example","method":6}}}}`, "owner", "guest")
	query("all of nothing", `{"andQuery":{}}`, "owner", "boss", "clerk", "guest")
	query("some of nothing", `{"orQuery":{}}`)
	refuse := func(name, q string, status int) {
		s.Run(t, testkit.Call{Name: name, Do: "POST /v2/users", Body: `{"queries":[` + q + `]}`, Status: status})
	}
	nested := func(levels int) string {
		return strings.Repeat(`{"notQuery":{"query":`, levels-1) + `{"stateQuery":{"state":4}}` + strings.Repeat(`}}`, levels-1)
	}
	query("ten levels", nested(10), "owner", "boss", "clerk")
	refuse("eleven levels", nested(11), 400)
	many := strings.TrimSuffix(strings.Repeat(`{"stateQuery":{"state":4}},`, 51), ",")
	refuse("too many", many, 400)
	refuse("too many inside", `{"orQuery":{"queries":[`+many+`]}}`, 400)
	half := `{"orQuery":{"queries":[` + strings.TrimSuffix(strings.Repeat(`{"stateQuery":{"state":4}},`, 25), ",") + `]}}`
	refuse("too many altogether", half+","+half, 400)
	refuse("too many ids", `{"inUserIdsQuery":{"userIds":["`+strings.Repeat(`1","`, 500)+`2"]}}`, 400)
	refuse("nothing to negate", `{"notQuery":{}}`, 400)
	s.Run(t, testkit.Call{Name: "not a column", Do: "POST /v2/users", Body: `{"sortingColumn":11}`, Status: 400})
}

func TestCredentialsV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	s.Set("soon", time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	const path = "/v2/users/$clerk"
	const missing = `{"code":5,"message":"There is no such user. (USER-missing)"}`
	s.Run(t,
		testkit.Call{
			Name: "a key", As: "boss", Do: "POST " + path + "/keys", Body: `{"expirationDate":"$soon"}`, Want: `{"keyId":"*","keyContent":"*","creationDate":"*"}`,
			Keep: map[string]string{"key": "keyId"}, Events: []string{"user.machine.key.added"},
		},
		testkit.Call{Name: "must say when it ends", As: "boss", Do: "POST " + path + "/keys", Body: `{}`, Status: 400},
		testkit.Call{Name: "not to strangers", As: "guest", Do: "POST " + path + "/keys", Body: `{"expirationDate":"$soon"}`, Status: 404, Want: missing},
		testkit.Call{Name: "a key elsewhere", Do: "POST /v2/users/$guest/keys", Body: `{"expirationDate":"9999-12-31T23:59:59Z"}`, Keep: map[string]string{"endless": "keyId"}, Events: []string{"user.machine.key.added"}},
		testkit.Call{
			Name: "list the keys", Do: "POST /v2/users/keys/search", Body: `{"sortingColumn":"KEY_FIELD_NAME_KEY_EXPIRATION_DATE","pagination":{"asc":true}}`,
			Want: `{"pagination":{"totalResult":"2","appliedLimit":"100"},"result":[{"id":"$key","userId":"$clerk","organizationId":"$acme","expirationDate":"$soon","creationDate":"*","changeDate":"*"},
				{"id":"$endless","userId":"$guest","expirationDate":"9999-12-31T23:59:59Z"}]}`,
		},
		testkit.Call{Name: "those one may read", As: "clerk", Do: "POST /v2/users/keys/search", Body: `{}`, Want: `{"pagination":{"totalResult":"1"},"result":[{"id":"$key"}]}`},
		testkit.Call{Name: "none", As: "guest", Do: "POST /v2/users/keys/search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{
			Name: "by everything", Do: "POST /v2/users/keys/search", Want: `{"result":[{"id":"$key"}]}`,
			Body: `{"filters":[{"keyIdFilter":{"id":"$key"}},{"userIdFilter":{"id":"$clerk"}},{"organizationIdFilter":{"id":"$acme"}},
				{"createdDateFilter":{"timestamp":"$soon","method":"TIMESTAMP_FILTER_METHOD_BEFORE"}},{"expirationDateFilter":{"timestamp":"$soon"}}]}`,
		},
		testkit.Call{Name: "what never ends", Do: "POST /v2/users/keys/search", Body: `{"filters":[{"expirationDateFilter":{"timestamp":"$soon","method":"TIMESTAMP_FILTER_METHOD_AFTER"}}]}`, Want: `{"result":[{"id":"$endless"}]}`},
		testkit.Call{Name: "no time", Do: "POST /v2/users/keys/search", Body: `{"filters":[{"createdDateFilter":{}}]}`, Status: 400},
		testkit.Call{Name: "remove the key", As: "boss", Do: "DELETE " + path + "/keys/$key", Want: `{"deletionDate":"*"}`, Events: []string{"user.machine.key.removed"}},
		testkit.Call{Name: "once", As: "boss", Do: "DELETE " + path + "/keys/$key", Status: 404},
		testkit.Call{Name: "by another user", Do: "DELETE " + path + "/keys/$endless", Status: 404},
		testkit.Call{
			Name: "a token", As: "boss", Do: "POST " + path + "/pats", Body: `{"expirationDate":"$soon"}`,
			Keep: map[string]string{"pat": "tokenId"}, Token: "token", KeepAs: "hourly", Events: []string{"user.pat.added"},
		},
		testkit.Call{
			Name: "list the tokens", As: "boss", Do: "POST /v2/users/pats/search", Body: `{"sortingColumn":"PERSONAL_ACCESS_TOKEN_FIELD_NAME_ID","filters":[{"userIdFilter":{"id":"$clerk"}}]}`,
			Want: `{"pagination":{"totalResult":"2"},"result":[{"id":"$pat","userId":"$clerk","organizationId":"$acme","expirationDate":"$soon"},{"id":"$clerk_pat"}]}`,
		},
		testkit.Call{Name: "one", As: "boss", Do: "POST /v2/users/pats/search", Body: `{"filters":[{"tokenIdFilter":{"id":"$pat"}},{"organizationIdFilter":{"id":"$acme"}},{"createdDateFilter":{"timestamp":"$soon","method":3}},{"expirationDateFilter":{"timestamp":"$soon","method":2}}]}`, Want: `{"result":[{"id":"$pat"}]}`},
		testkit.Call{Name: "it works", As: "hourly", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"$clerk"}}`},
		testkit.Call{Name: "remove it", As: "boss", Do: "DELETE " + path + "/pats/$pat", Want: `{"deletionDate":"*"}`, Events: []string{"user.pat.removed"}},
		testkit.Call{Name: "it is dead", As: "hourly", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "once", As: "boss", Do: "DELETE " + path + "/pats/$pat", Status: 404},
		testkit.Call{Name: "a secret", As: "boss", Do: "POST " + path + "/secret", Body: `{}`, Want: `{"creationDate":"*","clientSecret":"*"}`, Events: []string{"user.machine.secret.set"}},
		testkit.Call{Name: "void it", As: "boss", Do: "DELETE " + path + "/secret", Want: `{"deletionDate":"*"}`, Events: []string{"user.machine.secret.removed"}},
		testkit.Call{Name: "once", As: "boss", Do: "DELETE " + path + "/secret", Status: 400, Want: `{"code":9}`},
	)
}
