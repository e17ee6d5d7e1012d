package test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

const groupService = "POST /zitadel.group.v2.GroupService/"

func TestGroups(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	addMachine(t, s, "$acme", "reader", "ORG_OWNER_VIEWER")
	call := func(name, as, rpc, body string, status int, want string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: as, Do: groupService + rpc, Body: body, Status: status, Want: want, Events: events}
	}
	create := call("create", "boss", "CreateGroup", `{"organizationId":"$acme","name":" Staff ","description":"All of us"}`, 0, `{"id":"*","creationDate":"*"}`, "group.added")
	create.Keep = map[string]string{"staff": "id"}
	const missing = `{"code":"not_found","message":"There is no such group. (GROUP-missing)"}`
	s.Run(t,
		create,
		call("with an id", "boss", "CreateGroup", `{"organizationId":"$acme","name":"Tools","id":"tools"}`, 0, `{"id":"tools"}`, "group.added"),
		call("the name is taken", "boss", "CreateGroup", `{"organizationId":"$acme","name":"STAFF"}`, 409, `{"code":"already_exists"}`),
		call("the id is taken", "boss", "CreateGroup", `{"organizationId":"$acme","name":"More","id":"tools"}`, 409, `{"code":"already_exists"}`),
		call("the same name elsewhere", "", "CreateGroup", `{"organizationId":"$other","name":"Staff","id":"theirs"}`, 0, "", "group.added"),
		call("no organization", "", "CreateGroup", `{"organizationId":"none","name":"x"}`, 404, ""),
		call("only blanks", "boss", "CreateGroup", `{"organizationId":"$acme","name":"  "}`, 400, ""),
		call("not by clerks", "clerk", "CreateGroup", `{"organizationId":"$acme","name":"x"}`, 403, ""),
		call("not in another organization", "boss", "CreateGroup", `{"organizationId":"$other","name":"x"}`, 404, ""),

		call("get", "reader", "GetGroup", `{"id":"$staff"}`, 0, `{"group":{"id":"$staff","name":"Staff","description":"All of us","organizationId":"$acme","creationDate":"*","changeDate":"*"}}`),
		call("not for guests", "guest", "GetGroup", `{"id":"$staff"}`, 404, missing),
		call("none such", "guest", "GetGroup", `{"id":"none"}`, 404, missing),

		call("rename", "boss", "UpdateGroup", `{"id":"$staff","name":"Everybody"}`, 0, `{"changeDate":"*"}`, "group.changed"),
		call("nothing new", "boss", "UpdateGroup", `{"id":"$staff","name":"Everybody","description":"All of us"}`, 0, `{"changeDate":"*"}`),
		call("describe", "boss", "UpdateGroup", `{"id":"$staff","description":"Whoever is here"}`, 0, "", "group.changed"),
		call("no description", "boss", "UpdateGroup", `{"id":"$staff","description":" "}`, 0, "", "group.changed"),
		call("has none", "boss", "GetGroup", `{"id":"$staff"}`, 0, `{"group":{"description":null}}`),
		call("none said", "boss", "UpdateGroup", `{"id":"$staff","description":""}`, 400, ""),
		call("describe anew", "boss", "UpdateGroup", `{"id":"$staff","description":"Whoever is here"}`, 0, "", "group.changed"),
		call("the old name is free", "boss", "UpdateGroup", `{"id":"tools","name":"Staff"}`, 0, "", "group.changed"),
		call("a name that is taken", "boss", "UpdateGroup", `{"id":"tools","name":"everybody"}`, 409, ""),
		call("not by readers", "reader", "UpdateGroup", `{"id":"$staff","name":"x"}`, 403, ""),
		call("not by guests", "guest", "UpdateGroup", `{"id":"$staff","name":"x"}`, 404, missing),

		call("add users", "boss", "AddUsersToGroup", `{"id":"$staff","userIds":["$clerk","$boss","$clerk"]}`, 0, `{"changeDate":"*"}`, "group.users.added"),
		call("who is in it already", "boss", "AddUsersToGroup", `{"id":"$staff","userIds":["$clerk"]}`, 0, `{"changeDate":"*"}`),
		call("somebody else's", "boss", "AddUsersToGroup", `{"id":"$staff","userIds":["$reader","$guest"]}`, 400, `{"code":"failed_precondition"}`),
		call("nobody", "boss", "AddUsersToGroup", `{"id":"$staff","userIds":["none"]}`, 400, `{"code":"failed_precondition"}`),
		call("to another group", "boss", "AddUsersToGroup", `{"id":"tools","userIds":["$clerk"]}`, 0, "", "group.users.added"),
		call("readers add nobody", "reader", "AddUsersToGroup", `{"id":"$staff","userIds":["$reader"]}`, 403, ""),
		call("guests add nobody", "guest", "AddUsersToGroup", `{"id":"$staff","userIds":["$guest"]}`, 404, missing),
		call("list users", "reader", "ListGroupUsers", `{"filters":[{"groupIds":{"ids":["$staff"]}}],"sortingColumn":"GROUP_USER_FIELD_NAME_USER_ID","pagination":{"asc":true}}`, 0,
			`{"pagination":{"totalResult":"2"},"groupUsers":[{"groupId":"$staff","organizationId":"$acme","creationDate":"*","user":{"id":"$boss","displayName":"boss","preferredLoginName":"boss","organizationId":"$acme"}},{"user":{"id":"$clerk"}}]}`),
		call("list groups of a user", "reader", "ListGroupUsers", `{"filters":[{"userIds":{"ids":["$clerk"]}}]}`, 0, `{"pagination":{"totalResult":"2"}}`),
		call("guests see nobody", "guest", "ListGroupUsers", `{}`, 0, `{"pagination":{"appliedLimit":"100"}}`),

		call("remove a user", "boss", "RemoveUsersFromGroup", `{"id":"$staff","userIds":["$boss","$guest"]}`, 0, `{"changeDate":"*"}`, "group.users.removed"),
		call("who is not in it", "boss", "RemoveUsersFromGroup", `{"id":"$staff","userIds":["$boss"]}`, 0, `{"changeDate":"*"}`),
		call("readers remove nobody", "reader", "RemoveUsersFromGroup", `{"id":"$staff","userIds":["$clerk"]}`, 403, ""),
		call("guests remove nobody", "guest", "RemoveUsersFromGroup", `{"id":"$staff","userIds":["$clerk"]}`, 404, missing),
		testkit.Call{Name: "a user goes", As: "boss", Do: "DELETE /v2/users/$clerk", Events: []string{"user.removed", "org.member.cascade.removed"}},
		call("and is in no group", "boss", "ListGroupUsers", `{}`, 0, `{"pagination":{"appliedLimit":"100"}}`),

		call("readers delete nothing", "reader", "DeleteGroup", `{"id":"tools"}`, 403, ""),
		call("guests delete nothing", "guest", "DeleteGroup", `{"id":"tools"}`, 404, missing),
		call("delete", "boss", "DeleteGroup", `{"id":"tools"}`, 0, `{"deletionDate":"*"}`, "group.removed"),
		call("it is gone", "boss", "DeleteGroup", `{"id":"tools"}`, 404, missing),
		call("its name is free", "boss", "CreateGroup", `{"organizationId":"$acme","name":"staff"}`, 0, "", "group.added"),
	)
}

func TestGroupLists(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	for _, g := range []string{"Alpha", "beta", "Gamma"} {
		s.Run(t, testkit.Call{
			Name: g, As: "boss", Do: groupService + "CreateGroup", Body: fmt.Sprintf(`{"organizationId":"$acme","name":%q,"id":%q}`, g, strings.ToLower(g)), Events: []string{"group.added"},
		})
	}
	s.Run(t, testkit.Call{Name: "theirs", Do: groupService + "CreateGroup", Body: `{"organizationId":"$other","name":"Delta","id":"delta"}`, Events: []string{"group.added"}})
	for _, c := range []struct {
		name, as, body string
		want           []string
	}{
		{"of all organizations", "", `{"sortingColumn":"FIELD_NAME_NAME","pagination":{"asc":true}}`, []string{"alpha", "beta", "delta", "gamma"}},
		{"of one's own", "boss", `{"sortingColumn":"FIELD_NAME_NAME","pagination":{"asc":true}}`, []string{"alpha", "beta", "gamma"}},
		{"newest first", "boss", `{}`, []string{"gamma", "beta", "alpha"}},
		{"by id", "boss", `{"sortingColumn":"FIELD_NAME_ID"}`, []string{"gamma", "beta", "alpha"}},
		{"by change", "boss", `{"sortingColumn":"FIELD_NAME_CHANGE_DATE","pagination":{"asc":true}}`, []string{"alpha", "beta", "gamma"}},
		{"a page", "", `{"sortingColumn":"FIELD_NAME_NAME","pagination":{"asc":true,"offset":1,"limit":2}}`, []string{"beta", "delta"}},
		{"by name", "boss", `{"filters":[{"nameFilter":{"name":"ALPHA","method":"TEXT_FILTER_METHOD_EQUALS_IGNORE_CASE"}}]}`, []string{"alpha"}},
		{"by ids", "boss", `{"filters":[{"groupIds":{"ids":["beta","delta"]}}]}`, []string{"beta"}},
		{"of an organization", "", `{"filters":[{"organizationId":{"id":"$other"}}]}`, []string{"delta"}},
		{"for guests", "guest", `{}`, nil},
	} {
		var out struct{ Groups []struct{ ID string } }
		reply := s.Send(t, testkit.Call{As: c.as, Do: groupService + "ListGroups", Body: c.body})
		if err := json.Unmarshal(reply.Body, &out); err != nil {
			t.Fatalf("%v: %s", err, reply.Body)
		}
		var got []string
		for _, g := range out.Groups {
			got = append(got, g.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	s.Run(t,
		testkit.Call{Name: "an organization goes", Do: "DELETE /v2/organizations/$acme", Events: []string{
			"org.removed", "group.removed", "group.removed", "group.removed", "user.removed", "user.removed",
		}},
		testkit.Call{Name: "with its groups", Do: groupService + "GetGroup", Body: `{"id":"alpha"}`, Status: 404},
	)
}

// TestGroupRace makes one group of a name from many calls at once.
func TestGroupRace(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if s.Send(t, testkit.Call{As: "boss", Do: groupService + "CreateGroup", Body: `{"organizationId":"$acme","name":"One"}`}).Status == 200 {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d calls made the group, want 1", won.Load())
	}
}
