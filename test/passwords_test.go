package test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// thePassword is the one of every person.
const thePassword = "Correct-Horse-1"

// The events of checks of passwords.
const (
	checkPassed = "user.human.password.check.succeeded"
	checkFailed = "user.human.password.check.failed"
	changed     = "user.human.password.changed"
)

// addPerson makes a human of the organization with a token under the name, which is
// also the id. hash is the password's; empty: that of thePassword.
func addPerson(t *testing.T, s *testkit.Server, org, name, hash string) {
	t.Helper()
	if hash == "" {
		var err error
		if hash, err = crypto.HashPassword(t.Context(), thePassword); err != nil {
			t.Fatal(err)
		}
	}
	org = s.Expand(org)
	token, tokenHash := user.NewToken()
	err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		h := user.Human{UserName: name, FirstName: name, LastName: "Person", Email: name + "@people.example", Phone: "+41790000000"}
		if _, err := user.AddHuman(tx, s.InstanceID, org, name, &h, user.Password{Hash: hash}); err != nil {
			return err
		}
		if _, err := user.VerifyEmail(tx, s.InstanceID, org, name); err != nil {
			return err
		}
		// What logs people in is not what is tested here.
		return emit(tx, user.PATAdded, eventstore.Aggregate{Instance: s.InstanceID, Type: "user", ID: name, Owner: org},
			`{"tokenId":"`+name+`","scopes":[],"hash":"`+tokenHash+`"}`)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.SetToken(name, token)
}

// emit emits an event of a payload in JSON.
func emit[P any](tx *eventstore.Tx, k *eventstore.Kind[P], a eventstore.Aggregate, payload string) error {
	var p P
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return err
	}
	_, err := k.Emit(tx, a, p)
	return err
}

const wrongPassword = `{"code":3,"message":"The password is wrong. (COMMAND-3M0fs)","details":[{"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"COMMAND-3M0fs"}]}`

func wrongAfter(tries string) string {
	return `{"code":3,"message":"The password is wrong. (COMMAND-3M0fs)","details":[{"@type":"type.googleapis.com/zitadel.v1.CredentialsCheckError",
		"id":"COMMAND-3M0fs","message":"The password is wrong. (COMMAND-3M0fs)","failedAttempts":` + tries + `}]}`
}

func TestUpdateMyPassword(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addPerson(t, s, "$org", "ada", "")
	const path = "PUT /auth/v1/users/me/password"
	s.Run(t,
		testkit.Call{Name: "wrong", As: "ada", Do: path, Body: `{"oldPassword":"Correct-Horse-2","newPassword":"Correct-Horse-3"}`, Status: 400, Want: wrongAfter("1"), Events: []string{checkFailed}},
		testkit.Call{Name: "in another case", As: "ada", Do: path, Body: `{"oldPassword":"correct-horse-1","newPassword":"Correct-Horse-3"}`, Status: 400, Want: wrongAfter("2"), Events: []string{checkFailed}},
		testkit.Call{Name: "in a dry run", As: "ada", Do: path, Header: map[string]string{"X-Gatehouse-Dry-Run": "true"},
			Body: `{"oldPassword":"x","newPassword":"Correct-Horse-3"}`, Status: 400, Want: wrongAfter("3"), Events: []string{checkFailed}},
		testkit.Call{Name: "in German", As: "ada", Do: path, Header: map[string]string{"Accept-Language": "de"},
			Body: `{"oldPassword":"x","newPassword":"Correct-Horse-3"}`, Status: 400, Want: `{"code":3,"message":"Das Passwort ist falsch. (COMMAND-3M0fs)"}`, Events: []string{checkFailed}},
		testkit.Call{Name: "a weak one", As: "ada", Do: path, Body: `{"oldPassword":"Correct-Horse-1","newPassword":"correct"}`, Status: 400, Want: `{"details":[{"id":"PASSWORD-short"}]}`},
		testkit.Call{Name: "a common one", As: "ada", Do: path, Body: `{"oldPassword":"Correct-Horse-1","newPassword":"P@ssw0rd2024"}`, Status: 400, Want: `{"details":[{"id":"PASSWORD-common"}]}`},
		testkit.Call{Name: "the same one", As: "ada", Do: path, Body: `{"oldPassword":"Correct-Horse-1","newPassword":"Correct-Horse-1"}`, Status: 400, Want: `{"details":[{"id":"PASSWORD-same"}]}`},
		testkit.Call{Name: "right in a dry run", As: "ada", Do: path, Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}, Body: `{"oldPassword":"Correct-Horse-1","newPassword":"Correct-Horse-3"}`},
		testkit.Call{
			Name: "right", As: "ada", Do: path, Body: `{"oldPassword":"Correct-Horse-1","newPassword":"Correct-Horse-3"}`,
			Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$org"}}`, Events: []string{checkPassed, changed},
		},
		testkit.Call{Name: "the counter began anew", As: "ada", Do: path, Body: `{"oldPassword":"Correct-Horse-1","newPassword":"Correct-Horse-4"}`, Status: 400, Want: wrongAfter("1"), Events: []string{checkFailed}},
		testkit.Call{Name: "the new one holds", As: "ada", Do: path, Body: `{"oldPassword":"Correct-Horse-3","newPassword":"Correct-Horse-4"}`, Events: []string{checkPassed, changed}},
		testkit.Call{Name: "a machine", Do: path, Body: `{"oldPassword":"x","newPassword":"Correct-Horse-4"}`, Status: 400, Want: `{"code":9,"details":[{"id":"USER-no-password"}]}`},
		testkit.Call{Name: "the hash is nobody's to read", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["` + changed + `"],"limit":1}`, Want: `{"events":[{"payload":{"encodedHash":null}}]}`},
	)
}

func TestSetHumanPassword(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addPerson(t, s, "$org", "ada", "")
	inAll(t, s)
	const set, initialize = "POST /management/v1/users/ada/password", "POST /management/v1/users/ada/password/_initialize"
	s.Run(t,
		testkit.Call{Name: "set", Do: set, Body: `{"password":"Correct-Horse-2"}`, Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$org"}}`, Events: []string{changed}},
		testkit.Call{Name: "to be changed", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["` + changed + `"]}`, Want: `{"events":[{"payload":{"changeRequired":true}}]}`},
		testkit.Call{Name: "set for long", Do: set, Body: `{"password":"Correct-Horse-3","noChangeRequired":true}`, Events: []string{changed}},
		testkit.Call{Name: "it holds", As: "ada", Do: "PUT /auth/v1/users/me/password", Body: `{"oldPassword":"Correct-Horse-3","newPassword":"Correct-Horse-4"}`, Events: []string{checkPassed, changed}},
		testkit.Call{Name: "initialize", Do: initialize, Body: `{"password":"Correct-Horse-5"}`, Want: `{"details":{"resourceOwner":"$org"}}`, Events: []string{changed}},
		testkit.Call{Name: "a weak one", Do: set, Body: `{"password":"x"}`, Status: 400, Want: `{"details":[{"id":"PASSWORD-short"}]}`},
		testkit.Call{Name: "a machine", Do: "POST /management/v1/users/$owner/password", Body: `{"password":"Correct-Horse-2"}`, Status: 400, Want: `{"details":[{"id":"USER-no-human"}]}`},
		testkit.Call{Name: "nobody", Do: "POST /management/v1/users/31415/password", Body: `{"password":"Correct-Horse-2"}`, Status: 404, Want: `{"details":[{"id":"USER-missing"}]}`},
		testkit.Call{Name: "of elsewhere", As: "boss", Do: set, Body: `{"password":"Correct-Horse-2"}`, Status: 404, Want: `{"details":[{"id":"USER-missing"}]}`},
		testkit.Call{Name: "without a role", As: "ada", Do: set, Body: `{"password":"Correct-Horse-2"}`, Status: 404},
	)
}

func TestSetPasswordV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	addPerson(t, s, "$acme", "ada", "")
	const set = "POST /v2/users/ada/password"
	s.Run(t,
		testkit.Call{
			Name: "by who manages users", As: "clerk", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-2","changeRequired":true}}`,
			Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$acme"}}`, Events: []string{changed},
		},
		testkit.Call{Name: "by oneself, without a proof", As: "ada", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-3"}}`, Status: 404},
		testkit.Call{Name: "by oneself", As: "ada", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-3"},"currentPassword":"Correct-Horse-2"}`, Events: []string{checkPassed, changed}},
		testkit.Call{Name: "wrong, by oneself", As: "ada", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-4"},"currentPassword":"x"}`, Status: 400, Want: wrongAfter("1"), Events: []string{checkFailed}},
		testkit.Call{Name: "wrong, by who may know", As: "clerk", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-4"},"currentPassword":"x"}`, Status: 400, Want: wrongAfter("2"), Events: []string{checkFailed}},
		testkit.Call{Name: "wrong, by others", As: "guest", Do: set, Body: `{"newPassword":{"password":"x"},"currentPassword":"x"}`, Status: 400, Want: wrongPassword, Events: []string{checkFailed}},
		testkit.Call{Name: "of nobody, by others", As: "guest", Do: "POST /v2/users/31415/password", Body: `{"newPassword":{"password":"x"},"currentPassword":"x"}`, Status: 400, Want: wrongPassword},
		testkit.Call{Name: "of a machine, by others", As: "guest", Do: "POST /v2/users/$clerk/password", Body: `{"newPassword":{"password":"x"},"currentPassword":"x"}`, Status: 400, Want: wrongPassword},
		testkit.Call{Name: "of nobody, by who may know", Do: "POST /v2/users/31415/password", Body: `{"newPassword":{"password":"x"},"currentPassword":"x"}`, Status: 404},
		testkit.Call{Name: "of a machine, by who may know", As: "clerk", Do: "POST /v2/users/$clerk/password", Body: `{"newPassword":{"password":"x"},"currentPassword":"x"}`, Status: 400, Want: `{"details":[{"id":"USER-no-password"}]}`},
		testkit.Call{Name: "without a permission", As: "guest", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-4"}}`, Status: 404, Want: `{"details":[{"id":"USER-missing"}]}`},
		testkit.Call{Name: "nothing", As: "clerk", Do: set, Body: `{}`, Status: 400},
	)
}

func TestPasswordReset(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inAll(t, s)
	addPerson(t, s, "$acme", "ada", "")
	const reset, set, added = "POST /v2/users/ada/password_reset", "POST /v2/users/ada/password", "user.human.password.code.added"
	s.Run(t,
		testkit.Call{Name: "returned", As: "clerk", Do: reset, Body: `{"returnCode":{}}`, Keep: map[string]string{"first": "verificationCode"},
			Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$acme"},"verificationCode":"*"}`, Events: []string{added}},
		testkit.Call{Name: "the event has no code", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["` + added + `"]}`, Want: `{"events":[{"payload":{"code_returned":true,"expiry":3600000000000,"code":null}}]}`},
		testkit.Call{Name: "a second one", As: "clerk", Do: reset, Body: `{"returnCode":{}}`, Keep: map[string]string{"second": "verificationCode"}, Events: []string{added}},
		testkit.Call{Name: "ends the first", As: "ada", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-2"},"verificationCode":"$first"}`, Status: 400, Want: `{"code":3,"details":[{"id":"USER-code"}]}`},
		testkit.Call{Name: "a weak password keeps the code", As: "guest", Do: set, Body: `{"newPassword":{"password":"Correct"},"verificationCode":"$second"}`, Status: 400, Want: `{"details":[{"id":"PASSWORD-short"}]}`},
		testkit.Call{Name: "the code is the permission", As: "guest", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-2"},"verificationCode":"$second"}`, Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{changed}},
		testkit.Call{Name: "once", As: "clerk", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-3"},"verificationCode":"$second"}`, Status: 400, Want: `{"code":9,"details":[{"id":"USER-code-gone"}]}`},
		testkit.Call{Name: "which others cannot tell", As: "guest", Do: set, Body: `{"newPassword":{"password":"Correct-Horse-3"},"verificationCode":"$second"}`, Status: 400, Want: `{"code":3,"details":[{"id":"USER-code"}]}`},
		testkit.Call{Name: "nor of nobody", As: "guest", Do: "POST /v2/users/31415/password", Body: `{"newPassword":{"password":"Correct-Horse-3"},"verificationCode":"$second"}`, Status: 400, Want: `{"code":3,"details":[{"id":"USER-code"}]}`},
		testkit.Call{Name: "it holds", As: "ada", Do: "PUT /auth/v1/users/me/password", Body: `{"oldPassword":"Correct-Horse-2","newPassword":"Correct-Horse-1"}`, Events: []string{checkPassed, changed}},
		testkit.Call{Name: "sent", As: "clerk", Do: reset, Body: `{}`, Want: `{"verificationCode":null}`, Events: []string{added}},
		testkit.Call{Name: "sent by SMS", As: "clerk", Do: reset, Body: `{"sendLink":{"notificationType":"NOTIFICATION_TYPE_SMS","urlTemplate":"https://acme.example/{{.UserID}}/{{.Code}}"}}`, Events: []string{added}},
		testkit.Call{Name: "sent to oneself", As: "ada", Do: reset, Body: `{"sendLink":{}}`, Events: []string{added}},
		testkit.Call{Name: "but not returned", As: "ada", Do: reset, Body: `{"returnCode":{}}`, Status: 404},
		testkit.Call{Name: "not by others", As: "guest", Do: reset, Body: `{}`, Status: 404, Want: `{"details":[{"id":"USER-missing"}]}`},
		testkit.Call{Name: "to no link", As: "clerk", Do: reset, Body: `{"sendLink":{"urlTemplate":"javascript:alert(1)"}}`, Status: 400, Want: `{"details":[{"id":"MESSAGE-url"}]}`},
		testkit.Call{Name: "to a machine", Do: "POST /v2/users/$clerk/password_reset", Body: `{}`, Status: 400, Want: `{"details":[{"id":"USER-no-human"}]}`},
		testkit.Call{Name: "in version 1", As: "clerk", Do: "POST /management/v1/users/ada/password/_reset", Body: `{"type":"TYPE_SMS"}`, Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$acme"}}`, Events: []string{added}},
		testkit.Call{Name: "of a locked user", As: "clerk", Do: "POST /v2/users/ada/lock", Body: `{}`, Events: []string{"user.locked"}},
		testkit.Call{Name: "there is none", As: "clerk", Do: reset, Body: `{}`, Status: 400, Want: `{"details":[{"id":"USER-locked"}]}`},
	)
}

// TestResetCodeEnds: the code is good for as long as the secret generator says, and
// another password ends it.
func TestResetCodeEnds(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addPerson(t, s, "$org", "ada", "")
	ask := testkit.Call{Name: "ask", Do: "POST /v2/users/ada/password_reset", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"}, Events: []string{"user.human.password.code.added"}}
	use := testkit.Call{Name: "use", Do: "POST /v2/users/ada/password", Body: `{"newPassword":{"password":"Correct-Horse-2"},"verificationCode":"$code"}`, Status: 400, Want: `{"details":[{"id":"USER-code-gone"}]}`}
	s.Run(t, ask)
	s.Clock.Advance(time.Hour + time.Second)
	s.Run(t, use, ask, testkit.Call{Name: "another password", Do: "POST /v2/users/ada/password", Body: `{"newPassword":{"password":"Correct-Horse-3"}}`, Events: []string{changed}}, use)
}
