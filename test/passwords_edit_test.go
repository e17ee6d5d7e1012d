package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestPasswordWithAChange: a password can be changed together with its user, by the
// proofs that changing it alone takes, and all of it happens or nothing.
func TestPasswordWithAChange(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addPerson(t, s, "$org", "ada", "")
	const hash = "$2y$10$GPZ6jcHYJvvKcXWxeMYYeOEPAYzyBhtTdlFd0b3PaUPIMcpqWzXO2"
	patch := func(name, as, password, more string, status int, events ...string) testkit.Call {
		return testkit.Call{
			Name: name, As: as, Do: "PATCH /v2/users/ada", Body: `{` + more + `"human":{"password":{` + password + `}}}`, Status: status, Events: events,
		}
	}
	plain := func(p string) string { return `"password":{"password":"` + p + `"}` }
	const renamed = "user.username.changed"
	s.Run(t,
		patch("as administrator", "owner", plain("Another-Horse-1"), "", 200, changed),
		patch("with another name", "owner", plain("Another-Horse-2"), `"username":"ada2",`, 200, changed, renamed),
		patch("too weak", "owner", plain("x"), `"username":"ada3",`, 400),
		patch("a name that cannot be", "owner", plain("Another-Horse-3"), `"username":"admin",`, 409),
		patch("not by oneself without proof", "ada", plain("Another-Horse-4"), `"username":"ada3",`, 404),
		patch("a wrong proof", "ada", plain("Another-Horse-4")+`,"currentPassword":"Another-Horse-3"`, `"username":"ada3",`, 400, checkFailed),
		patch("with the present one", "ada", plain("Another-Horse-4")+`,"currentPassword":"Another-Horse-2"`, `"username":"ada3",`, 200, checkPassed, changed, renamed),
		patch("no hash by oneself", "ada", `"hashedPassword":{"hash":"`+hash+`"},"currentPassword":"Another-Horse-4"`, "", 404),
		patch("a hash", "owner", `"hashedPassword":{"hash":"`+hash+`"}`, "", 200, changed),
		testkit.Call{
			Name: "a code", Do: "POST /v2/users/ada/password_reset", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"},
			Events: []string{"user.human.password.code.added"},
		},
		patch("a wrong code", "ada", plain("Another-Horse-5")+`,"verificationCode":"wrong"`, "", 400),
		testkit.Call{
			Name: "with the code, in the older form", As: "ada", Do: "PUT /v2/users/human/ada", Body: `{"username":"ada4","password":{` + plain("Another-Horse-5") + `,"verificationCode":"$code"}}`,
			Want: `{"details":{"changeDate":"*"}}`, Events: []string{changed, renamed},
		},
	)
}
