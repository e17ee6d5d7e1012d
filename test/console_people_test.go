package test

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// fillPeople makes users of both kinds with all that hangs on them, a group, and somebody
// who has roles.
func fillPeople(t *testing.T, s *testkit.Server) {
	t.Helper()
	for _, c := range []testkit.Call{
		{
			Name: "a person", Do: "POST /v2/users/new", Status: 200, Keep: map[string]string{"bea": "id"},
			Body:   `{"organizationId":"$org","username":"bea","human":{"profile":{"givenName":"Bea","familyName":"Bell"},"email":{"email":"bea@example.com","returnCode":{}},"phone":{"phone":"+41791234567","returnCode":{}},"password":{"password":"Bells-ring-8","changeRequired":true}}}`,
			Events: []string{"user.human.added", "user.human.email.code.added", "user.human.phone.code.added"},
		},
		{Name: "a factor", Do: "POST /v2/users/$bea/totp", Body: `{}`, Events: []string{"user.human.mfa.otp.added"}},
		{Name: "metadata", Do: "POST /management/v1/users/$bea/metadata/staff", Body: `{"value":"NDI="}`, Events: []string{"user.metadata.set"}},
		{Name: "a machine", Do: "POST /v2/users/new", Status: 200, Body: `{"organizationId":"$org","username":"robot","machine":{"name":"Robot"}}`, Keep: map[string]string{"robot": "id"}, Events: []string{"user.machine.added"}},
		{Name: "its key", Do: "POST /v2/users/$robot/keys", Body: `{"expirationDate":"2519-04-01T08:45:00Z"}`, Events: []string{"user.machine.key.added"}},
		{Name: "its token", Do: "POST /v2/users/$robot/pats", Body: `{"expirationDate":"2519-04-01T08:45:00Z"}`, Events: []string{"user.pat.added"}},
		{Name: "its secret", Do: "POST /v2/users/$robot/secret", Body: `{}`, Events: []string{"user.machine.secret.set"}},
		{Name: "a session", Do: "POST /v2/sessions", Body: `{"checks":{"user":{"loginName":"bea"},"password":{"password":"Bells-ring-8"}}}`, Status: 201, Events: []string{"user.human.password.check.succeeded", "session.added", "session.user.checked", "session.password.checked", "session.token.set"}},
		{Name: "a group", Do: "POST /zitadel.group.v2.GroupService/CreateGroup", Body: `{"organizationId":"$org","name":"Ringers"}`, Keep: map[string]string{"ringers": "id"}, Events: []string{"group.added"}},
		{Name: "its member", Do: "POST /zitadel.group.v2.GroupService/AddUsersToGroup", Body: `{"id":"$ringers","userIds":["$bea"]}`, Events: []string{"group.users.added"}},
		{Name: "a project", Do: "POST /management/v1/projects", Body: `{"name":"Tower"}`, Keep: map[string]string{"tower": "id"}, Events: []string{"project.added", "project.member.added"}},
		{Name: "its role", Do: "POST /management/v1/projects/$tower/roles", Body: `{"roleKey":"ringer","displayName":"Ringer"}`, Events: []string{"project.role.added"}},
		{Name: "who has it", Do: "POST /management/v1/users/$bea/grants", Body: `{"projectId":"$tower","roleKeys":["ringer"]}`, Events: []string{"user.grant.added"}},
		{Name: "an administrator", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$bea","roles":["ORG_SETTINGS_MANAGER"]}`, Events: []string{"org.member.added"}},
	} {
		s.Run(t, c)
	}
}

// TestConsolePeople is a day of an administrator who looks after people: somebody new,
// somebody invited, one locked, one made an owner, and a machine with its key.
func TestConsolePeople(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	w.open(t, s.Expand("/ui/console/orgs/$org/users"))
	w.sees(t, "Ann Lee")
	w.press(t, "New person")
	w.fill(t, "human.profile.given_name", "Bea")
	w.fill(t, "human.profile.family_name", "Bell")
	w.fill(t, "human.email.email", "bea@example.com")
	w.fill(t, "human.password.password", "short")
	w.sees(t, "No mail server is set up")
	w.press(t, "Create")
	w.sees(t, "password")
	w.fill(t, "human.password.password", "Bells-ring-8")
	w.press(t, "Create")
	w.sees(t, "This is shown once")
	w.press(t, "I have it")
	w.sees(t, "Has to be changed")

	w.open(t, s.Expand("/ui/console/orgs/$org/users"))
	w.press(t, "Invite a person")
	w.fill(t, "human.profile.given_name", "Cyd")
	w.fill(t, "human.profile.family_name", "Cole")
	w.fill(t, "human.email.email", "cyd@example.com")
	w.sees(t, "The invitation")
	w.press(t, "Invite")
	w.sees(t, "/ui/login/user/invite")
	w.press(t, "I have it")
	w.sees(t, "Not begun")
	w.press(t, "History")
	w.sees(t, "Invited")

	w.open(t, s.Expand("/ui/console/orgs/$org/users?q=bea"))
	w.press(t, "Bea Bell")
	w.press(t, "Lock")
	w.sees(t, "until they are unlocked")
	w.press(t, "Lock")
	w.sees(t, "The user is locked.")
	w.press(t, "Unlock")
	w.press(t, "Unlock")
	w.sees(t, "The user is unlocked.")

	w.dark(t)
	w.open(t, s.Expand("/ui/console/orgs/$org/administrators"))
	w.press(t, "Add an administrator")
	w.do(t, "look for bea", chromedp.SendKeys("main input[name=q]", "bea\r", chromedp.ByQuery))
	w.sees(t, "1 in all")
	w.press(t, "Bea Bell")
	w.sees(t, "May do everything in the organization.")
	w.tick(t, "Owner of the organization")
	w.press(t, "Add")
	w.sees(t, "Bea Bell")

	w.open(t, s.Expand("/ui/console/orgs/$org/users"))
	w.press(t, "New machine")
	w.fill(t, "username", "robot")
	w.fill(t, "machine.name", "Robot")
	w.press(t, "Create")
	w.sees(t, "Opaque")
	w.press(t, "Credentials")
	w.sees(t, "The safest way for a machine to log in.")
	w.press(t, "New key")
	w.sees(t, "Valid until")
	w.press(t, "Create")
	w.sees(t, ".json")
	w.press(t, "I have it")
	w.sees(t, "Personal access tokens")
	w.press(t, "History")
	w.sees(t, "Key added")

	// Several at once, one after the other, with what did not succeed.
	w.phone(t)
	w.open(t, s.Expand("/ui/console/orgs/$org/users?q=example.com"))
	w.sees(t, "3 in all")
	others := chromedp.Evaluate(`for (const box of document.querySelectorAll("[name=id]")) box.checked = box.ariaLabel !== "Ann Lee"`, nil)
	w.do(t, "choose the others", others)
	w.press(t, "Lock")
	w.sees(t, "until they are unlocked")
	w.press(t, "Lock")
	w.sees(t, "Done: 2.")
	w.do(t, "choose them again", others)
	w.press(t, "Lock")
	w.press(t, "Lock")
	w.sees(t, "Cyd Cole: ")
	w.open(t, s.Expand("/ui/console/orgs/$org/users?user-state=locked"))
	w.sees(t, "Bea Bell")
}

// phone makes the window as wide as a phone is.
func (w *window) phone(t *testing.T) {
	t.Helper()
	w.do(t, "become narrow", emulation.SetDeviceMetricsOverride(390, 844, 1, true))
}

// tick chooses the box whose label says a text.
func (w *window) tick(t *testing.T, text string) {
	t.Helper()
	it := fmt.Sprintf("//main//label[contains(normalize-space(.), %q)]", text)
	w.do(t, "tick "+text, chromedp.WaitVisible(it, chromedp.BySearch), chromedp.Click(it, chromedp.BySearch))
}
