package test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// parse reads a reply that succeeded.
func parse(t *testing.T, r testkit.Reply, into any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, into); err != nil || r.Status != 200 {
		t.Fatalf("%d %s (%v)", r.Status, r.Body, err)
	}
}

// zero is a number that JSON leaves out where it is none.
func zero(n string) string {
	if n == "" {
		return "0"
	}
	return n
}

const (
	retirements = "/gatehouse/v1/policies/login/retirements"
	planned     = "org.policy.login.retirement.planned"
)

// TestRetirement: a factor goes in stages, by the clock alone, on every node.
func TestRetirement(t *testing.T) {
	t.Parallel()
	s, node := startSessions(t)
	person(t, s, s.OrgID, "ada")
	person(t, s, s.OrgID, "bob")
	e := equip(t, s, "ada", user.TOTP)
	other := node()
	ownPolicy(t, s, `,"forceMfa":true`, "1,2", "")
	at := func(d time.Duration) string { return s.Clock.Now().Add(d).UTC().Format(time.RFC3339) }
	s.Set("closed", at(time.Hour))
	s.Set("announced", at(2*time.Hour))
	s.Set("off", at(3*time.Hour))
	plan := testkit.Call{
		Name: "plan", Do: "POST " + retirements, Body: `{"organizationId":"$org","secondFactor":1,"closed":"$closed","announced":"$announced","off":"$off"}`,
		Want: `{"changeDate":"*"}`, Events: []string{planned},
	}
	refused := func(name, body, id string) testkit.Call {
		return testkit.Call{Name: name, Do: plan.Do, Body: body, Status: 400, Want: `{"details":[{"id":"` + id + `"}]}`}
	}
	stage := func(want string) testkit.Call {
		return testkit.Call{
			Name: "is " + want, Do: "GET " + retirements + "?organizationId=$org",
			Want: `{"retirements":[{"secondFactor":"SECOND_FACTOR_TYPE_OTP","closed":"$closed","announced":"$announced","off":"$off","stage":"FACTOR_RETIREMENT_STAGE_` + want + `"}]}`,
		}
	}
	worth := func(name, want string) testkit.Call {
		return testkit.Call{Name: name, As: "client", Do: "GET /gatehouse/v1/sessions/$s/assurance", Want: want}
	}
	cancel := testkit.Call{Name: "cancel", Do: "POST " + retirements + "/_cancel", Body: `{"organizationId":"$org","secondFactor":1}`, Want: `{"changeDate":"*"}`, Events: []string{"org.policy.login.retirement.cancelled"}}
	again, gone := plan, cancel
	again.Name = "plan again"
	gone.Name, gone.Status, gone.Want, gone.Events = "nothing to cancel", 404, `{"details":[{"id":"RETIREMENT-missing"}]}`, nil
	register := testkit.Call{Name: "bob begins", Do: "POST /v2/users/$bob/totp", Body: `{}`, Events: []string{"user.human.mfa.otp.added"}}
	s.Run(t,
		newSession("s", with("ada", withTOTP), append(checkedPassword, "session.totp.checked")...),
		refused("in the past", `{"organizationId":"$org","secondFactor":1,"off":"2020-01-01T00:00:00Z"}`, "RETIREMENT-past"),
		refused("in ages", `{"organizationId":"$org","secondFactor":1,"off":"2120-01-01T00:00:00Z"}`, "RETIREMENT-past"),
		refused("out of order", `{"organizationId":"$org","secondFactor":1,"closed":"$announced","announced":"$closed","off":"$off"}`, "RETIREMENT-stages"),
		testkit.Call{Name: "no end", Do: plan.Do, Body: `{"organizationId":"$org","secondFactor":1}`, Status: 400},
		testkit.Call{Name: "no factor", Do: plan.Do, Body: `{"organizationId":"$org","off":"$off"}`, Status: 404, Want: `{"details":[{"id":"RETIREMENT-factor"}]}`},
		testkit.Call{Name: "one that is not listed", Do: plan.Do, Body: `{"organizationId":"$org","multiFactor":1,"off":"$off"}`, Status: 404, Want: `{"details":[{"id":"RETIREMENT-factor"}]}`},
		gone, plan, stage("PLANNED"), cancel, gone, again, again,
		worth("nothing is said", `{"enough":true,"factors":2,"counted":["password","totp"],"losesLastFactor":null}`), register,
	)
	s.Clock.Advance(time.Hour)
	late := register
	late.Name, late.Status, late.Want, late.Events = "bob is too late", 400, `{"code":9,"details":[{"id":"USER-factor-closed"}]}`, nil
	s.Run(t, stage("CLOSED"), late, worth("nothing is said yet", `{"losesLastFactor":null}`), me("goes on", "s", 200))
	s.Clock.Advance(time.Hour)
	e.next(t)
	s.Run(t,
		stage("ANNOUNCED"), worth("told", `{"enough":true,"losesLastFactor":"$off"}`),
		setSession("it still counts", `{"checks":{`+withTOTP+`}}`, "session.totp.checked"), me("is let in", "s", 200),
		testkit.Call{
			Name: "who would be left", Do: previewPath, Body: `{"organizationId":"$org","at":"$off"}`,
			Want: `{"enrolled":"1","leftWithout":"1","sessions":"1","demanded":true,"users":[{"userId":"$ada"}],"retirements":[{"stage":"FACTOR_RETIREMENT_STAGE_ANNOUNCED"}]}`,
		},
		testkit.Call{Name: "as it is", Do: previewPath, Body: `{"organizationId":"$org","change":{"forceMfa":true}}`, Want: `{"enrolled":null,"leftWithout":null,"sessions":null}`},
		testkit.Call{Name: "yesterday", Do: previewPath, Body: `{"organizationId":"$org","at":"2020-01-01T00:00:00Z"}`, Status: 400, Want: `{"details":[{"id":"PREVIEW-past"}]}`},
	)
	e.next(t)
	s.Clock.Advance(time.Hour)
	other.Clock.Advance(s.Clock.Now().Sub(other.Clock.Now()))
	other.SetToken("s", s.TokenOf(t, "s"))
	other.Set("s", s.Var("s"))
	other.Set("totp", totpCode(t, e.secret, other.Clock.Now()))
	other.Run(t,
		me("is not let in", "s", 401),
		testkit.Call{Name: "nor checked", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"checks":{` + withTOTP + `}}`, Status: 400, Want: refusedFactor},
	)
	off := cancel
	off.Name, off.Status, off.Want, off.Events = "it is over", 400, `{"details":[{"id":"RETIREMENT-over"}]}`, nil
	s.Run(t,
		me("nor here", "s", 401), stage("OFF"), off, worth("has to set up another", `{"enough":null,"need":"ASSURANCE_NEED_ENROLMENT","options":["u2f"],"losesLastFactor":null}`),
		testkit.Call{Name: "the policy does not show it", Do: "GET " + loginPath, Want: `{"policy":{"secondFactors":["` + factorU2F + `"]}}`},
		testkit.Call{Name: "nor version 2", Do: "GET /v2/settings/login?ctx.orgId=$org", Want: `{"settings":{"secondFactors":["SECOND_FACTOR_TYPE_U2F"]}}`},
		testkit.Call{Name: "add it", Do: "POST " + loginPath + "/second_factors", Body: `{"type":1}`, Events: []string{removedFactor, "org.policy.login.secondfactor.added"}},
		me("is back", "s", 200),
		testkit.Call{Name: "without a plan", Do: "GET " + retirements + "?organizationId=$org", Want: `{"retirements":null}`},
	)
}

// TestRetirementEndsWithItsFactor, and who may plan one.
func TestRetirementEndsWithItsFactor(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	machine(t, s, s.OrgID, "viewer", "ORG_OWNER_VIEWER")
	off := s.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	plan := func(name, as, body string, status int, want string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: as, Do: "POST " + retirements, Body: body + `,"off":"` + off + `"}`, Status: status, Want: want, Events: events}
	}
	mine := `{"organizationId":"$org","secondFactor":"SECOND_FACTOR_TYPE_OTP"`
	s.Run(t,
		plan("no policy of its own", "", mine, 404, `{"details":[{"id":"Org-M0sif"}]}`),
		plan("no organization", "", `{"organizationId":"1","secondFactor":1`, 404, ""),
		addPolicy(`1,2`),
		plan("a viewer", "viewer", mine, 403, ""),
		plan("another organization's owner", "acme", mine, 404, ""),
		plan("the instance", "acme", `{"multiFactor":1`, 403, ""),
		plan("the instance's owner", "", `{"multiFactor":1`, 0, "", "instance.policy.login.retirement.planned"),
		testkit.Call{Name: "is inherited", As: "acme", Do: "GET " + retirements + "?organizationId=$acme", Want: `{"isDefault":true,"retirements":[{"multiFactor":"MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION","stage":"FACTOR_RETIREMENT_STAGE_ANNOUNCED"}]}`},
		testkit.Call{Name: "of nobody", Do: "GET " + retirements + "?organizationId=1", Status: 404},
		testkit.Call{Name: "not for all", As: "acme", Do: "GET " + retirements, Status: 403},
		testkit.Call{Name: "the instance's", Do: "GET " + retirements, Want: `{"isDefault":true,"retirements":[{}]}`},
		plan("the organization's", "", mine, 0, "", planned),
		testkit.Call{Name: "remove the factor", Do: "DELETE " + loginPath + "/second_factors/1", Events: []string{removedFactor}},
		testkit.Call{Name: "and add it", Do: "POST " + loginPath + "/second_factors", Body: `{"type":1}`, Events: []string{"org.policy.login.secondfactor.added"}},
		testkit.Call{Name: "the plan is over", Do: "GET " + retirements + "?organizationId=$org", Want: `{"retirements":null}`},
		testkit.Call{Name: "force", Do: "PUT " + loginPath, Body: `{"forceMfa":true,"allowUsernamePassword":true}`, Events: []string{"org.policy.login.changed"}},
		plan("one goes", "", mine, 0, "", planned),
		testkit.Call{
			Name: "the last one stays", Do: "POST " + retirements, Body: `{"organizationId":"$org","secondFactor":2,"off":"` + off + `"}`, Status: 400,
			Header: map[string]string{"X-Gatehouse-Guard": "true"}, Want: `{"details":[{"id":"LOGIN-last"}]}`,
		},
	)
}
