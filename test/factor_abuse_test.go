package test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

var secondFactors = []string{factorOTP, factorU2F, factorEmail, factorSMS, factorCodes}

const removedFactor = "org.policy.login.secondfactor.removed"

// TestRemovalIsOneEvent: the answer to a removal describes its one event.
func TestRemovalIsOneEvent(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		addPolicy(`1,2`),
		testkit.Call{Name: "before", Do: "GET " + loginPath, Keep: map[string]string{"before": "policy.details.sequence"}},
	)
	before, err := strconv.Atoi(s.Var("before"))
	if err != nil {
		t.Fatal(err)
	}
	s.Set("next", strconv.Itoa(before+1))
	s.Run(t,
		testkit.Call{
			Name: "remove", Do: "DELETE " + loginPath + "/second_factors/1", Events: []string{removedFactor},
			Want: `{"details":{"sequence":"$next","resourceOwner":"$org"}}`, Keep: map[string]string{"changed": "details.changeDate"},
		},
		testkit.Call{
			Name: "its event", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["` + removedFactor + `"]}`,
			Want: `{"events":[{"sequence":"$next","creationDate":"$changed","payload":{"mfaType":1},"aggregate":{"id":"$org","resourceOwner":"$org"},"editor":{"userId":"$owner"}}]}`,
		},
	)
}

// TestEveryFactorOnEveryProtocol removes each factor by name and by number, where
// it is listed and where it is not, over each protocol.
func TestEveryFactorOnEveryProtocol(t *testing.T) {
	t.Parallel()
	s := startGolden(t)
	s.Run(t, addPolicy(`1,2,3,4,5`))
	count := func() int { return strings.Count(strings.Join(s.Events(t), " "), removedFactor) }
	over := map[string]func(golden) (code int, id string){"rest": func(g golden) (int, string) {
		r := s.Send(t, testkit.Call{Do: g.Do})
		if r.Status == http.StatusOK {
			return 0, ""
		}
		return wantedError(golden{Answer: r.JSON(t)})
	}}
	for name, send := range protocols {
		over[name] = func(g golden) (int, string) {
			c, ok := asRPC(t, s, g)
			if !ok {
				t.Fatalf("%s is no RPC", g.Do)
			}
			out := send(t, s, c)
			return out.code, out.id
		}
	}
	for name, remove := range over {
		for i, factor := range secondFactors {
			for _, spelled := range []string{factor, strconv.Itoa(i + 1)} {
				call, before := golden{Do: "DELETE " + loginPath + "/second_factors/" + spelled}, count()
				if code, id := remove(call); code != 0 || count() != before+1 {
					t.Errorf("%s, %s listed: code %d, id %q, %d events", name, spelled, code, id, count()-before)
				}
				if code, id := remove(call); code != 5 || id != "Org-3M9od" || count() != before+1 {
					t.Errorf("%s, %s not listed: code %d, id %q, %d events", name, spelled, code, id, count()-before-1)
				}
				if r := s.Send(t, testkit.Call{Do: "POST " + loginPath + "/second_factors", Body: `{"type":"` + factor + `"}`}); r.Status != http.StatusOK {
					t.Fatalf("add %s again: %s", factor, r.Body)
				}
			}
		}
	}
}

// TestRefusedRemovalsWriteNothing: what names no factor, or one that is not there,
// is refused without an event.
func TestRefusedRemovalsWriteNothing(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const missing, invalid = `{"code":5,"details":[{"id":"Org-3M9od"}]}`, `{"code":3}`
	for _, own := range []bool{false, true} {
		if own {
			s.Run(t, addPolicy(`2`))
		}
		for spelled, want := range map[string]string{
			"1": missing, factorOTP: missing, "0": invalid, "SECOND_FACTOR_TYPE_UNSPECIFIED": invalid, "6": invalid, "-1": invalid,
			"99999999999": invalid, "abc": invalid, "second_factor_type_otp": invalid, "1.0": invalid, "%31%00": invalid, "1e0": invalid,
		} {
			status := http.StatusBadRequest
			if want == missing {
				status = http.StatusNotFound
			}
			s.Run(t, testkit.Call{Name: fmt.Sprint(spelled, " own: ", own), Do: "DELETE " + loginPath + "/second_factors/" + spelled, Status: status, Want: want})
		}
	}
}

// TestWhoMayRemoveFactors: to read policies is not enough, and neither is to write
// those of another organization.
func TestWhoMayRemoveFactors(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	machine(t, s, s.OrgID, "viewer", "ORG_OWNER_VIEWER")
	machine(t, s, s.OrgID, "manager", "ORG_SETTINGS_MANAGER")
	machine(t, s, s.OrgID, "nothing")
	const remove = "DELETE " + loginPath + "/second_factors/1"
	s.Run(t,
		addPolicy(`1`),
		testkit.Call{Name: "a viewer reads", As: "viewer", Do: "GET " + loginPath, Want: `{"policy":{"secondFactors":["` + factorOTP + `"]}}`},
		testkit.Call{Name: "but does not remove", As: "viewer", Do: remove, Status: 403, Want: `{"details":[{"id":"AUTH-5mWD2"}]}`},
		testkit.Call{Name: "a user without a role", As: "nothing", Do: remove, Status: 404, Want: `{"details":[{"id":"AUTHZ-cdgFk"}]}`},
		testkit.Call{Name: "another's owner", As: "acme", In: "$org", Do: remove, Status: 404, Want: `{"details":[{"id":"AUTHZ-cdgFk"}]}`},
		testkit.Call{Name: "another's owner of the default", As: "acme", Do: "DELETE /admin/v1/policies/login/second_factors/1", Status: 403},
		testkit.Call{Name: "nobody", As: "nobody", Do: remove, Status: 401},
		testkit.Call{Name: "a manager of settings", As: "manager", Do: remove, Events: []string{removedFactor}},
	)
}

// TestDefaultsLeaveOwnPoliciesAlone: what the instance removes stays in policies
// of organizations, and shows in them after a reset.
func TestDefaultsLeaveOwnPoliciesAlone(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const list = "POST " + loginPath + "/second_factors/_search"
	s.Run(t,
		addPolicy(`1,2`),
		testkit.Call{Name: "remove from the default", Do: "DELETE /admin/v1/policies/login/second_factors/1", Events: []string{"instance.policy.login.secondfactor.removed"}},
		testkit.Call{Name: "own", Do: list, Want: `{"result":["` + factorOTP + `","` + factorU2F + `"]}`},
		testkit.Call{Name: "reset", Do: "DELETE " + loginPath, Events: []string{"org.policy.login.removed"}},
		testkit.Call{Name: "the default's", Do: list, Want: `{"result":["` + factorU2F + `"]}`},
	)
}

// TestAddAfterRemoveRestores: a thousand rounds leave the policy as it was, and
// reading it costs what it did.
func TestAddAfterRemoveRestores(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, addPolicy(`1,2`))
	cost := func() (trips int64, size int) {
		before := s.Trips()
		r := s.Send(t, testkit.Call{Do: "GET " + loginPath})
		return s.Trips() - before, len(r.Body)
	}
	trips, size := cost()
	for i := range rounds(1000) {
		for _, do := range []string{"DELETE " + loginPath + "/second_factors/2", "POST " + loginPath + "/second_factors"} {
			if r := s.Send(t, testkit.Call{Do: do, Body: `{"type":2}`}); r.Status != http.StatusOK {
				t.Fatalf("round %d: %s: %s", i, do, r.Body)
			}
		}
	}
	if after, now := cost(); after != trips || now > size+8 { // The sequence has grown.
		t.Errorf("a read takes %d round trips and %d bytes, took %d and %d", after, now, trips, size)
	}
	s.Run(t, testkit.Call{Name: "as it was", Do: "GET " + loginPath, Want: `{"policy":{"secondFactors":["` + factorOTP + `","` + factorU2F + `"]}}`})
}

// factorCall is one call of a history, and factorReply what came back.
type (
	factorCall struct {
		kind   string // "add", "remove" or "list"
		factor string
	}
	factorReply struct {
		status int
		list   string
	}
)

// factorModel is the login policy as its callers may think of it: a list of
// factors, of which one call at a time adds or removes one.
var factorModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		list, call, reply := state.(string), input.(factorCall), output.(factorReply) //nolint:forcetypeassert // nothing else is recorded
		entry := call.factor + " "
		listed := strings.Contains(list, entry)
		switch {
		case call.kind == "list":
			return reply.list == list, list
		case call.kind == "add" && !listed:
			return reply.status == http.StatusOK, list + entry
		case call.kind == "add":
			return reply.status == http.StatusConflict, list
		case listed:
			return reply.status == http.StatusOK, strings.Replace(list, entry, "", 1)
		}
		return reply.status == http.StatusNotFound, list
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " -> ", output) },
}

// TestFactorsAreLinearizable lets callers on two nodes add, remove and list at
// once: some order of the calls, one after the other, must explain every reply.
func TestFactorsAreLinearizable(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	nodes := []*testkit.Server{s, s.Sibling(t)}
	s.Run(t, addPolicy(``))
	start := time.Now()
	const callers, calls = 8, 60
	history := make([][]porcupine.Operation, callers)
	together(callers, func(caller int) int {
		for i := range calls {
			c := factorCall{kind: []string{"add", "list", "remove", "list"}[(i+caller)%4], factor: secondFactors[(i/2+caller)%3]}
			op := porcupine.Operation{ClientId: caller, Input: c, Call: int64(time.Since(start))}
			op.Output = askFactor(t, nodes[(i+caller/4)%2], c)
			op.Return = int64(time.Since(start))
			history[caller] = append(history[caller], op)
		}
		return 0
	})
	if result := porcupine.CheckOperationsTimeout(factorModel, slices.Concat(history...), time.Minute); result != porcupine.Ok {
		t.Errorf("no order of the calls explains the replies: %s", result)
	}
}

func askFactor(t *testing.T, node *testkit.Server, c factorCall) factorReply {
	t.Helper()
	call := testkit.Call{Do: "POST " + loginPath + "/second_factors", Body: `{"type":"` + c.factor + `"}`}
	switch c.kind {
	case "remove":
		call = testkit.Call{Do: "DELETE " + loginPath + "/second_factors/" + c.factor}
	case "list":
		call = testkit.Call{Do: "POST " + loginPath + "/second_factors/_search"}
	}
	r := node.Send(t, call)
	out := factorReply{status: r.Status}
	if c.kind == "list" {
		for _, f := range texts(r.JSON(t).(map[string]any)["result"]) {
			out.list += f + " "
		}
	}
	return out
}

// TestPermissionsEndAtOnce: what is taken away on one node is refused on the other
// by the next request, and given back it holds there.
func TestPermissionsEndAtOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	other := s.Sibling(t)
	machine(t, s, s.OrgID, "robot", "ORG_OWNER")
	other.SetToken("robot", s.TokenOf(t, "robot"))
	me := s.Send(t, testkit.Call{As: "robot", Do: "GET /auth/v1/users/me"}).JSON(t).(map[string]any)["user"].(map[string]any)["id"]
	s.Set("robot", fmt.Sprint(me))
	for range 50 {
		s.Check(t, testkit.Call{Do: "DELETE /management/v1/orgs/me/members/$robot", Events: []string{"org.member.removed"}})
		other.Check(t, testkit.Call{As: "robot", Do: "GET " + loginPath, Status: 404})
		s.Check(t, testkit.Call{Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$robot","roles":["` + authz.OrgOwner + `"]}`, Events: []string{"org.member.added"}})
		other.Check(t, testkit.Call{As: "robot", Do: "GET " + loginPath})
	}
}
