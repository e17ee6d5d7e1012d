package test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

const (
	domainPolicy = "/admin/v1/policies/domain"
)

func orgCalled(name string) testkit.Call {
	return testkit.Call{
		Name: "add " + name, Do: "POST /management/v1/orgs", Body: `{"name":"` + name + `"}`, Keep: map[string]string{name: "id"}, Events: orgAdded,
	}
}

// botCalled adds a machine user to the organization kept as org.
func botCalled(org, name string) testkit.Call {
	return testkit.Call{
		Name: org + " adds " + name, Do: "POST /management/v1/users/machine", In: "$" + org,
		Body: `{"userName":"` + name + `","name":"x"}`, Keep: map[string]string{org + "_" + name: "userId"}, Events: []string{"user.machine.added"},
	}
}

// refused is the call refused, with nothing written.
func refused(c testkit.Call, status int, want string) testkit.Call {
	c.Name, c.Status, c.Want, c.Keep, c.Events = c.Name+", refused", status, want, nil, nil
	return c
}

func completeNames(completed bool, events ...string) testkit.Call {
	return testkit.Call{
		Name: fmt.Sprintf("completed: %v", completed), Do: "PUT " + domainPolicy, Body: fmt.Sprintf(`{"userLoginMustBeDomain":%v}`, completed),
		Events: append([]string{"instance.policy.domain.changed"}, events...),
	}
}

const (
	flipInstance = "instance.user.names.scope.changed"
	flipOrg      = "org.user.names.scope.changed"
)

// TestNames: a plain name is one user's in the instance, a completed one in the
// organization, and who changes that takes nobody's name.
func TestNames(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	logsIn := func(login, id string) testkit.Call {
		return testkit.Call{
			Name: login + " logs in", Do: "GET /management/v1/global/users/_by_login_name?loginName=" + strings.ToUpper(login),
			Want: `{"user":{"id":"` + id + `","preferredLoginName":"` + login + `"}}`,
		}
	}
	unique := func(in, body string, want bool) testkit.Call {
		c := testkit.Call{Name: "unique " + in + body, Do: "GET /management/v1/users/_is_unique?" + body, In: in, Want: `{"isUnique":true}`}
		if !want {
			c.Want = `{"isUnique":null}`
		}
		return c
	}
	s.Run(t,
		orgCalled("red"), orgCalled("blue"),
		botCalled("red", "bot"),
		refused(botCalled("blue", "BOT"), 409, `{"code":6}`),
		logsIn("bot", "$red_bot"),
		unique("$blue", "userName=Bot", false), unique("$blue", "userName=other", true),
		botCalled("blue", "other"),
		testkit.Call{Name: "rename", Do: "PUT /management/v1/users/$blue_other/username", In: "$blue", Body: `{"userName":"bot"}`, Status: 409, Want: `{"code":6}`},

		completeNames(true, flipInstance),
		logsIn("bot@red.localhost", "$red_bot"),
		unique("$blue", "userName=bot", true),
		botCalled("blue", "bot"),
		logsIn("bot@blue.localhost", "$blue_bot"),
		refused(completeNames(false), 400, `{"code":9,"message":"*"}`),
		logsIn("bot@blue.localhost", "$blue_bot"),

		// An organization's own policy.
		testkit.Call{
			Name: "own plain", Do: "POST /admin/v1/orgs/$red/policies/domain", Body: `{"userLoginMustBeDomain":false}`,
			Events: []string{"org.policy.domain.added", flipOrg},
		},
		logsIn("bot", "$red_bot"), logsIn("bot@blue.localhost", "$blue_bot"),
		testkit.Call{
			Name: "the default does not reach it, but its names are in the way", Do: "PUT " + domainPolicy, Body: `{}`,
			Status: 400, Want: `{"code":9}`,
		},
		testkit.Call{Name: "rename", Do: "PUT /management/v1/users/$blue_bot/username", In: "$blue", Body: `{"userName":"bot2"}`, Events: []string{"user.username.changed"}},
		completeNames(false, flipInstance),
		logsIn("bot", "$red_bot"), logsIn("bot2", "$blue_bot"), logsIn("other", "$blue_other"),
		completeNames(true, flipInstance),
		logsIn("bot", "$red_bot"), logsIn("bot2@blue.localhost", "$blue_bot"),
		testkit.Call{Name: "reset", Do: "DELETE /admin/v1/orgs/$red/policies/domain", Events: []string{"org.policy.domain.removed", flipOrg}},
		logsIn("bot@red.localhost", "$red_bot"),
		completeNames(false, flipInstance), // Back to where it began: the names are the same.
		logsIn("bot", "$red_bot"),

		// The setting of an organization does the same.
		testkit.Call{
			Name: "scoped", Do: "POST /v2/settings/organization", Body: `{"organizationId":"$blue","organizationScopedUsernames":true}`,
			Events: []string{"settings.organization.set", flipOrg},
		},
		logsIn("bot2@blue.localhost", "$blue_bot"),
		testkit.Call{Name: "not reached", Do: "PUT " + domainPolicy, Body: `{"userLoginMustBeDomain":true,"validateOrgDomains":true}`, Events: []string{"instance.policy.domain.changed", flipInstance}},
		completeNames(false, flipInstance),
		logsIn("bot2@blue.localhost", "$blue_bot"), logsIn("bot", "$red_bot"),

		// Addresses.
		testkit.Call{
			Name: "a human", Do: "POST /v2/users/human", Body: `{"organization":{"orgId":"$red"},"username":"ann","profile":{"givenName":"A","familyName":"B"},"email":{"email":"Ann@example.com","isVerified":true}}`,
			Events: []string{"user.human.added", "user.human.email.verified"},
		},
		unique("$org", "userName=x&email=ann@example.com", false), unique("$blue", "userName=x&email=ann@example.com", true), unique("$org", "userName=x&email=b@example.com", true),
	)
}

// TestNamesOfADomain: who proves a domain gets the names that end in it.
func TestNamesOfADomain(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		orgCalled("red"), orgCalled("blue"),
		testkit.Call{
			Name: "a human", Do: "POST /v2/users/human", Body: `{"organization":{"orgId":"$red"},"username":"Ann@Blue.example","profile":{"givenName":"A","familyName":"B"},"email":{"email":"ann@example.com","isVerified":true}}`,
			Keep: map[string]string{"ann": "userId"}, Events: []string{"user.human.added", "user.human.email.verified"},
		},
		botCalled("blue", "own@blue.example"), botCalled("red", "x@other.example"),
		testkit.Call{
			Name: "claim", Do: "POST /management/v1/orgs/me/domains", In: "$blue", Body: `{"domain":"blue.example"}`,
			Events: []string{"org.domain.added", "org.domain.verified", "user.domain.claimed"},
		},
		testkit.Call{Name: "ann", Do: "GET /v2/users/$ann", Want: `{"user":{"username":"*"}}`, Keep: map[string]string{"newName": "user.username"}},
		refused(botCalled("red", "bob@blue.EXAMPLE"), 409, `{"code":6}`),
		testkit.Call{Name: "rename", Do: "PUT /management/v1/users/$ann/username", In: "$red", Body: `{"userName":"ann@blue.example"}`, Status: 409, Want: `{"code":6}`},
		testkit.Call{Name: "not unique", Do: "GET /management/v1/users/_is_unique?userName=bob@blue.example", In: "$red", Want: `{"isUnique":null}`},
		botCalled("blue", "joe@blue.example"),
		// Where names are completed they are out of the way, and cannot come back.
		completeNames(true, flipInstance),
		botCalled("red", "bob@blue.example"),
		refused(completeNames(false), 400, `{"code":9}`),
	)
	if name := s.Var("newName"); strings.Trim(name, "0123456789") != "" {
		t.Errorf("the new name is %q", name)
	}
}

// TestNamesOfALargeDomain: those who are too many for one transaction lose their
// names soon after.
func TestNamesOfALargeDomain(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, orgCalled("blue"))
	for i := range 205 {
		s.Send(t, botCalled("org", fmt.Sprintf("u%d@blue.example", i)))
	}
	if r := s.Send(t, testkit.Call{Do: "POST /management/v1/orgs/me/domains", In: "$blue", Body: `{"domain":"blue.example"}`}); r.Status != http.StatusOK {
		t.Fatalf("claim: %d %s", r.Status, r.Body)
	}
	s.Settle(t)
	left, all := uint64(0), uint64(0)
	if err := s.DB.Read(t.Context(), database.From("user_id", "users").Where("login_domain = 'blue.example'").Count(&left), database.From("user_id", "users").Count(&all)); err != nil {
		t.Fatal(err)
	}
	if left != 0 || all != 206 {
		t.Errorf("%d of %d users have a name in the domain", left, all)
	}
}

// TestNamesCompletedFirst: should a plain name be like a completed one, because two
// raced, the completed one is meant.
func TestNamesCompletedFirst(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		orgCalled("red"), orgCalled("blue"), botCalled("red", "ann"), botCalled("blue", "later"),
		testkit.Call{
			Name: "red completes", Do: "POST /admin/v1/orgs/$red/policies/domain", Body: `{"userLoginMustBeDomain":true}`,
			Events: []string{"org.policy.domain.added", flipOrg},
		},
	)
	id := s.Var("blue_later")
	err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := user.Renamed.Emit(tx, eventstore.Aggregate{Instance: s.InstanceID, Type: "user", ID: id, Owner: s.Var("blue")}, user.Named{UserName: "ann@red.localhost"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t,
		testkit.Call{Name: "by name", Do: "GET /management/v1/global/users/_by_login_name?loginName=ann@red.localhost", Want: `{"user":{"id":"$red_ann"}}`},
		testkit.Call{
			Name: "in a session", Do: "POST /v2/sessions", Body: `{"checks":{"user":{"loginName":"Ann@red.localhost"}}}`, Status: 201,
			Keep: map[string]string{"session": "sessionId"}, Events: []string{"session.added", "session.user.checked", "session.token.set"},
		},
		testkit.Call{Name: "is hers", Do: "GET /v2/sessions/$session", Want: `{"session":{"factors":{"user":{"id":"$red_ann"}}}}`},
	)
}

// TestNamesOfOldInstances: where names were completed before there was a choice, the
// job that the migration leaves makes them plain.
func TestNamesOfOldInstances(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, botCalled("org", "old"))
	err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		if err := user.ScopeNames(tx, eventstore.Scope{Instance: s.InstanceID}, true); err != nil {
			return err
		}
		return tx.Job(s.InstanceID, "user.names", struct{}{}, tx.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Settle(t)
	s.Check(t, testkit.Call{Do: "GET /management/v1/global/users/_by_login_name?loginName=old", Want: `{"user":{"preferredLoginName":"old"}}`})
}

// TestNamesRace: of many who want one plain name at once, one gets it; and no name
// is two users' when the policy changes while users are added.
func TestNamesRace(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, orgCalled("red"), orgCalled("blue"))
	var won atomic.Int64
	inParallel(50, func(i int) {
		c := botCalled([]string{"red", "blue"}[i%2], "wanted")
		if s.Send(t, c).Status == http.StatusOK {
			won.Add(1)
		}
	})
	if won.Load() != 1 {
		t.Errorf("%d users have the name", won.Load())
	}
	inParallel(60, func(i int) {
		if i%6 == 0 {
			s.Send(t, testkit.Call{Do: "PUT " + domainPolicy, Body: fmt.Sprintf(`{"userLoginMustBeDomain":%v}`, i%12 == 0)})
			return
		}
		r := s.Send(t, botCalled([]string{"red", "blue"}[i%2], fmt.Sprintf("name%d", i/10)))
		if r.Status != http.StatusOK && r.Status != http.StatusConflict {
			t.Errorf("add: %d %s", r.Status, r.Body)
		}
	})
	checkScopes(t, s)
}

// checkScopes holds the scope of each user's name against the policy.
func checkScopes(t *testing.T, s *testkit.Server) {
	t.Helper()
	var users, wrong int
	var completed bool
	scope := eventstore.Scope{Instance: s.InstanceID}
	if err := s.DB.Read(t.Context(), policy.NamesCompleted(scope, &completed),
		database.One(new(bool), "SELECT COUNT(*), SUM(CASE WHEN login_scope = '' THEN 1 ELSE 0 END) FROM users WHERE instance_id = ?", []any{s.InstanceID}, &users, &wrong)); err != nil {
		t.Fatal(err)
	}
	if !completed {
		wrong = users - wrong
	}
	if wrong > 0 || users < 3 {
		t.Errorf("%d of %d users have names that are not as the policy says (completed: %v)", wrong, users, completed)
	}
}

func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
