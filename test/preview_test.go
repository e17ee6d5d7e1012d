package test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

const previewPath = "POST /gatehouse/v1/policies/login/_preview"

// crowd is people with different factors, and sessions in which they proved different
// things. It gives the ids of these.
func crowd(t *testing.T, s *testkit.Server) (sessions []string) {
	t.Helper()
	equipped := map[string]*equipment{}
	for name, kinds := range map[string][]user.FactorKind{
		"ada": nil, "bob": {user.TOTP}, "cid": {user.U2F}, "dan": {user.Passkey, user.Recovery}, "eve": {user.TOTP, user.Recovery}, "fay": nil,
	} {
		person(t, s, s.OrgID, name)
		if name != "fay" {
			equipped[name] = equip(t, s, name, kinds...)
		}
	}
	ownPolicy(t, s, "", "1,2,3,4,5", "1")
	s.Run(t, testkit.Call{Name: "eve administers", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$eve","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}})
	open := func(name, checks string) {
		t.Helper()
		begun := s.Send(t, testkit.Call{As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{"user":{"loginName":"` + name + `"}},"challenges":{"webAuthN":{"domain":"localhost","userVerificationRequirement":2}}}`})
		if begun.Status == http.StatusCreated {
			s.Set("key", equipped[name].key.get(t, challenge(t, begun)))
			s.Set("passkey", equipped[name].passkey.get(t, challenge(t, begun)))
		} else {
			begun = s.Send(t, testkit.Call{As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{"user":{"loginName":"` + name + `"}}}`})
		}
		id := fmt.Sprint(begun.JSON(t).(map[string]any)["sessionId"])
		if r := s.Send(t, testkit.Call{As: "client", Do: "PATCH " + sessionsPath + "/" + id, Body: `{"checks":{` + checks + `}}`}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s: %s", name, checks, r.Body)
		}
		sessions = append(sessions, id)
	}
	const pwd, key, passkey = `"password":{"password":"` + password + `"}`, `"webAuthN":{"credentialAssertionData":$key}`, `"webAuthN":{"credentialAssertionData":$passkey}`
	for name, e := range equipped {
		e.next(t)
		open(name, pwd)
		if e.secret != "" {
			open(name, pwd+","+withTOTP)
		}
	}
	open("fay", pwd)
	open("cid", pwd+","+key)
	open("dan", passkey)
	open("ada", passkey)
	open("ada", pwd+","+key)
	equipped["eve"].next(t)
	open("eve", pwd+","+withRecovery)
	return sessions
}

// TestPreviewIsTrue: what the preview says of sessions and people is what comes true.
func TestPreviewIsTrue(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	sessions := crowd(t, s)
	enough := func() (ids []string) {
		for _, id := range sessions {
			if a, err := flow.Assurance(t.Context(), s.Store, s.InstanceID, id); err != nil {
				t.Fatal(err)
			} else if a.Enough {
				ids = append(ids, id)
			}
		}
		return ids
	}
	lost := func(before []string) (n int) {
		now := enough()
		for _, id := range before {
			if !slices.Contains(now, id) {
				n++
			}
		}
		return n
	}
	change := func(do, body string) {
		t.Helper()
		if r := s.Send(t, testkit.Call{Do: do, Body: body}); r.Status != http.StatusOK {
			t.Fatalf("%s: %s", do, r.Body)
		}
	}
	second := func(types ...int) func() {
		return func() {
			for _, f := range types {
				change(fmt.Sprint("DELETE ", loginPath, "/second_factors/", f), "")
			}
		}
	}
	multi := func() { change("DELETE "+loginPath+"/multi_factors/1", "") }
	force := func() {
		change("PUT "+loginPath, `{"allowUsernamePassword":true,"passwordlessType":1,"forceMfa":true,"passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s","multiFactorCheckLifetime":"43200s"}`)
	}
	for _, later := range []time.Duration{0, 13 * time.Hour} { // Passkeys last for half a day, as second factors for longer.
		s.Clock.Advance(later)
		for i, row := range []struct {
			second, multi, settings string
			change                  string
			apply                   func()
			enrolled, left, admins  int
		}{
			{"1,2", "1", "", `"removeSecondFactors":[1]`, second(1), 3, 2, 1},
			{"1,2", "1", "", `"removeMultiFactors":[1]`, multi, 0, 0, 0},
			{"1", "1", "", `"removeMultiFactors":[1]`, multi, 2, 1, 0},
			{"1,2,5", "1", "", `"removeSecondFactors":[1,5]`, second(1, 5), 4, 2, 1},
			{"1,2", "1", `,"forceMfa":true`, `"removeSecondFactors":[1,2]`, second(1, 2), 4, 3, 1},
			{"2", "", "", `"removeSecondFactors":[2]`, second(2), 3, 3, 0},
			{"2", "", "", `"forceMfa":true`, force, 0, 0, 0},
			{"1,2", "1", "", `"forceMfa":true`, force, 0, 0, 0},
			{"2", "1", "", `"addSecondFactors":[1]`, func() { change("POST "+loginPath+"/second_factors", `{"type":1}`) }, 0, 0, 0},
		} {
			ownPolicy(t, s, row.settings, row.second, row.multi)
			before := enough()
			r := s.Send(t, testkit.Call{Do: previewPath, Body: `{"organizationId":"$org","change":{` + row.change + `}}`})
			var got struct {
				Enrolled, LeftWithout, Administrators, Sessions string
				Users                                           []struct{ Administrator bool }
			}
			parse(t, r, &got)
			row.apply()
			want := fmt.Sprint(row.enrolled, " ", row.left, " ", row.admins, " ", lost(before))
			if is := fmt.Sprint(zero(got.Enrolled), " ", zero(got.LeftWithout), " ", zero(got.Administrators), " ", zero(got.Sessions)); is != want || len(got.Users) != row.left {
				t.Errorf("row %d, %s later: enrolled, left, administrators, sessions: %s, want %s: %s", i, later, is, want, r.Body)
			}
		}
	}
}
