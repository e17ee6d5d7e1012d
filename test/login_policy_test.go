package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

const loginPath = "/management/v1/policies/login"

// addPolicy gives the first organization a policy of its own with these factors.
func addPolicy(factors string) testkit.Call {
	events := []string{"org.policy.login.added"}
	if factors != "" {
		events = append(events, slices.Repeat([]string{"org.policy.login.secondfactor.added"}, strings.Count(factors, ",")+1)...)
	}
	return testkit.Call{
		Name: "own policy", Do: "POST " + loginPath, Events: events,
		Body: `{"allowUsernamePassword":true,"secondFactors":[` + factors + `]}`,
	}
}

func TestLoginPolicyParts(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{Name: "duplicate factors", Do: "POST " + loginPath, Body: `{"secondFactors":[1,1]}`, Status: 400, Want: `{"code":3}`},
		testkit.Call{Name: "unspecified factor", Do: "POST " + loginPath, Body: `{"secondFactors":[0]}`, Status: 400, Want: `{"details":[{"id":"Org-SFeea"}]}`},
		addPolicy(`"SECOND_FACTOR_TYPE_OTP"`),
		testkit.Call{
			Name: "add a multi factor", Do: "POST " + loginPath + "/multi_factors", Body: `{"type":"MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"}`,
			Events: []string{"org.policy.login.multifactor.added"},
		},
		testkit.Call{
			Name: "list multi factors", Do: "POST " + loginPath + "/auth_factors/_search",
			Want: `{"details":{"totalResult":"1","viewTimestamp":"*"},"result":["MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"]}`,
		},
		testkit.Call{Name: "no identity providers", Do: "POST " + loginPath + "/idps/_search", Want: `{"result":null}`},
		testkit.Call{
			Name: "add an identity provider", Do: "POST " + loginPath + "/idps", Body: `{"idpId":"314","ownerType":"IDP_OWNER_TYPE_ORG"}`,
			Want: `{"details":{"creationDate":"*"}}`, Events: []string{"org.policy.login.idpprovider.added"},
		},
		testkit.Call{Name: "add it twice", Do: "POST " + loginPath + "/idps", Body: `{"idpId":"314","ownerType":"IDP_OWNER_TYPE_ORG"}`, Status: 409},
		testkit.Call{
			Name: "remove it", Do: "DELETE " + loginPath + "/idps/314",
			Want: `{"details":{"changeDate":"*"}}`, Events: []string{"org.policy.login.idpprovider.removed"},
		},
		testkit.Call{Name: "remove it twice", Do: "DELETE " + loginPath + "/idps/314", Status: 404},
		testkit.Call{
			Name: "add one to the default", Do: "POST /admin/v1/policies/login/idps", Body: `{"idpId":"159"}`,
			Events: []string{"instance.policy.login.idpprovider.added"},
		},
		testkit.Call{Name: "list those of the default", Do: "POST /admin/v1/policies/login/idps/_search", Want: `{"details":{"totalResult":"1"},"result":[{"idpId":"159"}]}`},
		testkit.Call{
			Name: "remove it from the default", Do: "DELETE /admin/v1/policies/login/idps/159",
			Events: []string{"instance.policy.login.idpprovider.removed"},
		},
		testkit.Call{
			Name: "instance default", Do: "PUT /admin/v1/policies/login", Body: `{"allowUsernamePassword":true,"forceMfa":true}`,
			Events: []string{"instance.policy.login.changed"},
		},
		testkit.Call{Name: "own policy stays", Do: "GET " + loginPath, Want: `{"policy":{"forceMfa":null}}`},
		testkit.Call{Name: "the default of the instance", Do: "GET /management/v1/policies/default/login", Want: `{"policy":{"forceMfa":true}}`},
		testkit.Call{Name: "reset", Do: "DELETE " + loginPath, Events: []string{"org.policy.login.removed"}},
		testkit.Call{Name: "the default holds", Do: "GET " + loginPath, Want: `{"isDefault":true,"policy":{"forceMfa":true,"isDefault":true}}`},
	)
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	dry := map[string]string{"X-Gatehouse-Dry-Run": "true"}
	s.Run(t,
		addPolicy(`"SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_U2F"`),
		testkit.Call{Name: "says what would be", Do: "DELETE " + loginPath + "/second_factors/1", Header: dry, Want: `{"details":{"sequence":"*"}}`},
		testkit.Call{Name: "finds errors too", Do: "DELETE " + loginPath + "/second_factors/3", Header: dry, Status: 404},
		testkit.Call{Name: "all factors are there", Do: "GET " + loginPath, Want: `{"policy":{"secondFactors":["SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_U2F"]}}`},
	)
}

func TestGuardKeepsTheLastFactor(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	guard := map[string]string{"X-Gatehouse-Guard": "true"}
	s.Run(t,
		addPolicy(`"SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_U2F"`),
		testkit.Call{
			Name: "force MFA", Do: "PUT " + loginPath, Body: `{"allowUsernamePassword":true,"forceMfa":true}`,
			Events: []string{"org.policy.login.changed"},
		},
		testkit.Call{
			Name: "the first may go", Do: "DELETE " + loginPath + "/second_factors/1", Header: guard,
			Events: []string{"org.policy.login.secondfactor.removed"},
		},
		testkit.Call{Name: "not there, as without a guard", Do: "DELETE " + loginPath + "/second_factors/1", Header: guard, Status: 404},
		testkit.Call{
			Name: "the last may not", Do: "DELETE " + loginPath + "/second_factors/2", Header: guard,
			Status: 400, Want: `{"code":9,"details":[{"id":"LOGIN-last"}]}`,
		},
		testkit.Call{
			Name: "unless nobody asks for the guard", Do: "DELETE " + loginPath + "/second_factors/2",
			Events: []string{"org.policy.login.secondfactor.removed"},
		},
	)
}

// TestOneRemovalWins removes one factor 64 times at once, over two nodes.
func TestOneRemovalWins(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	nodes := []*testkit.Server{s, s.Sibling(t)}
	s.Run(t, addPolicy(`"SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_U2F"`))
	before := len(s.Events(t))
	statuses := together(64, func(i int) int {
		return nodes[i%2].Send(t, testkit.Call{Do: "DELETE " + loginPath + "/second_factors/SECOND_FACTOR_TYPE_OTP"}).Status
	})
	slices.Sort(statuses)
	if want := append([]int{http.StatusOK}, slices.Repeat([]int{http.StatusNotFound}, 63)...); !slices.Equal(statuses, want) {
		t.Errorf("statuses %v, want one 200 and 63 times 404", statuses)
	}
	if events := s.Events(t)[before:]; !slices.Equal(events, []string{"org.policy.login.secondfactor.removed"}) {
		t.Errorf("events %q, want one removal", events)
	}
}

// TestConcurrentChangesAllCount lets different changes of one policy race: each
// must succeed, none may be lost.
func TestConcurrentChangesAllCount(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	other := s.Sibling(t)
	s.Run(t, addPolicy(``))
	statuses := together(5, func(i int) int {
		node := []*testkit.Server{s, other}[i%2]
		return node.Send(t, testkit.Call{Do: "POST " + loginPath + "/second_factors", Body: fmt.Sprintf(`{"type":%d}`, i+1)}).Status
	})
	if !slices.Equal(statuses, slices.Repeat([]int{http.StatusOK}, 5)) {
		t.Errorf("statuses %v, want only 200", statuses)
	}
	s.Run(t, testkit.Call{Name: "all are there", Do: "POST " + loginPath + "/second_factors/_search", Want: `{"details":{"totalResult":"5"}}`})
}

// TestNoNodeIsStale changes the policy on one node and reads it on both, at once
// and some thousand times: list, policy and settings.
func TestNoNodeIsStale(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	other := s.Sibling(t)
	s.Run(t, addPolicy(`"SECOND_FACTOR_TYPE_U2F"`))
	steps := []struct{ do, want string }{
		{"POST " + loginPath + "/second_factors", `["SECOND_FACTOR_TYPE_U2F","SECOND_FACTOR_TYPE_OTP"]`},
		{"DELETE " + loginPath + "/second_factors/1", `["SECOND_FACTOR_TYPE_U2F"]`},
	}
	reads := []testkit.Call{
		{Do: "POST " + loginPath + "/second_factors/_search", Want: `{"result":%s}`},
		{Do: "GET " + loginPath, Want: `{"policy":{"secondFactors":%s}}`},
		{Do: "GET /v2/settings/login", Want: `{"settings":{"secondFactors":%s}}`},
	}
	for i := range 2000 {
		step, read := steps[i%2], reads[i/2%len(reads)]
		if r := s.Send(t, testkit.Call{Do: step.do, Body: `{"type":1}`}); r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", step.do, r.Status, r.Body)
		}
		read.Want = fmt.Sprintf(read.Want, step.want)
		other.Check(t, read)
		if i%10 == 0 {
			s.Check(t, read)
		}
	}
}

// together runs fn n times at once and gives the results in order.
func together(n int, fn func(i int) int) []int {
	out := make([]int, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() {
			start.Wait()
			out[i] = fn(i)
		})
	}
	start.Done()
	done.Wait()
	return out
}
