package test

import (
	"flag"
	"fmt"
	"net/http"
	"testing"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const refusedFactor = `{"code":9,"message":"The login policy does not allow this factor. (SESSION-factor)"}`

// ownPolicy gives the first organization a login policy with these settings and
// factors, in place of the one that it has.
func ownPolicy(t testing.TB, s *testkit.Server, settings, second, multi string) {
	t.Helper()
	s.Send(t, testkit.Call{Do: "DELETE " + loginPath})
	r := s.Send(t, testkit.Call{Do: "POST " + loginPath, Body: `{"allowUsernamePassword":true,"passwordlessType":1,"passwordCheckLifetime":"864000s",
		"secondFactorCheckLifetime":"64800s","multiFactorCheckLifetime":"43200s","secondFactors":[` + second + `],"multiFactors":[` + multi + `]` + settings + `}`})
	if r.Status != http.StatusOK {
		t.Fatalf("own policy: %s", r.Body)
	}
}

var removals = flag.Int("removals", 500, "how often TestRemovedFactorIsRefusedEverywhere removes a factor")

// TestRemovedFactorIsRefusedEverywhere is the promise: after the answer to a
// removal on one node, the next request on the other neither accepts the factor nor
// lets in who proved it before; added again, it counts as it did. The long form is
// make removal-rounds, and make removal-sabotage shows that it would notice a cache.
func TestRemovedFactorIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	s, node := startSessions(t)
	person(t, s, s.OrgID, "ada")
	e := equip(t, s, "ada")
	other := node()
	ownPolicy(t, s, `,"forceMfa":true`, "1,2", "")
	s.Run(t,
		newSession("proved", with("ada", withTOTP), "session.user.checked", "session.password.checked", "session.totp.checked"),
		newSession("half", with("ada"), "session.user.checked", "session.password.checked"),
	)
	for _, name := range []string{"proved", "half"} {
		other.SetToken(name, s.TokenOf(t, name))
		other.Set(name, s.Var(name))
	}
	must := func(at *testkit.Server, c testkit.Call, status int) testkit.Reply {
		t.Helper()
		r := at.Send(t, c)
		if r.Status != status {
			t.Fatalf("%s: %d %s", c.Name, r.Status, r.Body)
		}
		return r
	}
	next := func() { // A code that nobody has used.
		e.next(t)
		other.Clock.Advance(crypto.TOTPPeriod)
		other.Set("totp", s.Var("totp"))
	}
	check := testkit.Call{Name: "the factor", As: "client", Do: "PATCH " + sessionsPath + "/$proved", Body: `{"checks":{` + withTOTP + `}}`}
	credit := testkit.Call{Name: "what it proved", As: "proved", Do: "GET /auth/v1/users/me"}
	most := rounds(*removals)
	for round := range most {
		if round%100 == 0 { // Where the factor is listed, its codes are good.
			next()
			other.SetToken("proved", must(other, check, http.StatusOK).JSON(t).(map[string]any)["sessionToken"].(string))
			next()
		}
		must(other, credit, http.StatusOK)
		must(s, testkit.Call{Name: "remove", Do: "DELETE " + loginPath + "/second_factors/1"}, http.StatusOK)
		if r := other.Send(t, check); r.Status != http.StatusBadRequest {
			t.Fatalf("removal %d on one node: the factor was accepted on the other: %d %s", round+1, r.Status, r.Body)
		}
		if r := other.Send(t, credit); r.Status != http.StatusUnauthorized {
			t.Fatalf("removal %d on one node: what it had proved was accepted on the other: %d %s", round+1, r.Status, r.Body)
		}
		must(s, testkit.Call{Name: "add", Do: "POST " + loginPath + "/second_factors", Body: `{"type":1}`}, http.StatusOK)
	}
	t.Logf("%d removals, and the factor was never accepted", most)
	check.Do = "PATCH " + sessionsPath + "/$half"
	other.Run(t,
		testkit.Call{Name: "half is not enough", As: "half", Do: "GET /auth/v1/users/me", Status: 401, Want: `{"details":[{"id":"AUTH-assurance"}]}`},
		testkit.Call{Name: "the factor is back", As: "client", Do: check.Do, Body: check.Body, Token: "sessionToken", KeepAs: "half", Events: []string{"user.human.mfa.otp.check.succeeded", "session.totp.checked", "session.token.set"}},
		testkit.Call{Name: "and enough", As: "half", Do: "GET /auth/v1/users/me"},
	)
}

// TestEnforcementIsASwitch: where the instance asks for it, a factor that somebody
// has set up counts although it is not listed.
func TestEnforcementIsASwitch(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	equip(t, s, "ada")
	const enforcement = "PUT /gatehouse/v1/policies/enforcement"
	check := testkit.Call{Name: "recovery codes are not listed", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"checks":{` + withRecovery + `}}`, Status: 400, Want: refusedFactor}
	s.Run(t,
		testkit.Call{Name: "demanded", Do: "PUT /admin/v1/policies/login", Body: `{"allowUsernamePassword":true,"forceMfa":true,"passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s"}`, Events: []string{"instance.policy.login.changed"}},
		newSession("s", with("ada"), "session.user.checked", "session.password.checked"),
		check,
		testkit.Call{Name: "lenient", Do: enforcement, Body: `{"mode":2}`, Events: []string{"instance.policy.enforcement.set"}},
		testkit.Call{Name: "are checked", As: "client", Do: check.Do, Body: check.Body, Token: "sessionToken", KeepAs: "s", Events: []string{"user.human.mfa.recoverycode.check.succeeded", "session.recoveryCode.checked", "session.token.set"}},
		testkit.Call{Name: "and count", As: "s", Do: "GET /auth/v1/users/me"},
		testkit.Call{Name: "strict", Do: enforcement, Body: `{"mode":1}`, Events: []string{"instance.policy.enforcement.set"}},
		testkit.Call{Name: "no more", As: "s", Do: "GET /auth/v1/users/me", Status: 401},
		check,
	)
}

// TestFactorsOfThePolicy is the truth table of the promise, through HTTP: which
// checks are made, and whether the session's token is let in then.
func TestFactorsOfThePolicy(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	e := equip(t, s, "ada")
	const (
		local, all = `,"forceMfaLocalOnly":true`, `,"forceMfa":true`
		userOnly   = `"user":{"userId":"$ada"}`
		pwd        = userOnly + `,"password":{"password":"` + password + `"}`
		key        = `"webAuthN":{"credentialAssertionData":$key}`
		passkey    = `"webAuthN":{"credentialAssertionData":$passkey}`
		noPassword = `,"allowUsernamePassword":false`
		noPasskey  = `,"passwordlessType":0`
	)
	for i, row := range []struct {
		policy, second, multi string
		checks                string
		refused, enough       bool // the check; a call with the token
	}{
		{"", "", "", userOnly, false, false},
		{"", "", "", pwd, false, true},
		{noPassword, "", "", pwd, true, false},
		{"", "1", "", pwd + "," + withTOTP, false, true},
		{"", "2", "", pwd + "," + withTOTP, true, false},
		{local, "1", "", pwd, false, false},
		{local, "1", "", pwd + "," + withTOTP, false, true},
		{local, "5", "", pwd + "," + withRecovery, false, true},
		{all, "", "", pwd, false, false},
		{all, "1", "", pwd + "," + withTOTP, false, true},
		{all, "1", "", userOnly + "," + withTOTP, false, false},
		{all, "2", "", pwd + "," + key, false, true},
		{all, "1", "1", pwd + "," + key, true, false},
		{all, "1", "", pwd + "," + passkey, true, false},
		{all, "2", "", userOnly + "," + key, false, false},
		{all, "2", "", userOnly + "," + passkey, false, false},
		{all, "", "1", userOnly + "," + passkey, false, true},
		{"", "", "1", userOnly + "," + passkey, false, true},
		{noPasskey, "", "1", userOnly + "," + passkey, true, false},
		{all + noPassword, "", "1", userOnly + "," + passkey, false, true},
	} {
		t.Run(fmt.Sprint(i, row.policy, " ", row.second, " ", row.multi, " ", row.checks), func(t *testing.T) {
			ownPolicy(t, s, row.policy, row.second, row.multi)
			e.next(t)
			begin := testkit.Call{As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{` + userOnly + `},"challenges":{"webAuthN":{"domain":"localhost","userVerificationRequirement":2}}}`}
			begun := s.Send(t, begin)
			s.Set("key", "{}")
			s.Set("passkey", "{}")
			if begun.Status == http.StatusCreated {
				s.Set("key", e.key.get(t, challenge(t, begun)))
				s.Set("passkey", e.passkey.get(t, challenge(t, begun)))
			} else { // No key is allowed.
				begin.Body = `{"checks":{` + userOnly + `}}`
				begun = s.Send(t, begin)
			}
			session := begun.JSON(t).(map[string]any)
			token, _ := session["sessionToken"].(string)
			r := s.Send(t, testkit.Call{As: "client", Do: fmt.Sprint("PATCH ", sessionsPath, "/", session["sessionId"]), Body: `{"checks":{` + row.checks + `}}`})
			if (r.Status != http.StatusOK) != row.refused {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			if !row.refused {
				token = r.JSON(t).(map[string]any)["sessionToken"].(string)
			}
			s.SetToken("s", token)
			if r := s.Send(t, testkit.Call{As: "s", Do: "GET /auth/v1/users/me"}); (r.Status == http.StatusOK) != row.enough {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}
