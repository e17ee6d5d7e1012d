package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// openConsole opens the console as ann, who has a password and the role.
func openConsole(t *testing.T, role string) (*testkit.Server, *window) {
	t.Helper()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t, testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["` + role + `"]}`, Events: []string{"instance.member.added"}})
	w := openWindow(t, s)
	w.open(t, "/ui/console/")
	w.logIn(t, "ann", annsPassword)
	w.press(t, "Not now")
	w.sees(t, "Organizations")
	return s, w
}

// TestConsoleOrgs is the life of an organization as an administrator leads it in a browser.
func TestConsoleOrgs(t *testing.T) {
	t.Parallel()
	_, w := openConsole(t, "IAM_OWNER")
	w.press(t, "New organization")
	w.sees(t, "users, projects and policies of its own")
	w.fill(t, "name", "Acme")
	w.press(t, "Create")
	w.sees(t, "It is there now.")
	w.press(t, "Rename")
	w.fill(t, "name", "Acme and daughters")
	w.press(t, "Save")
	w.sees(t, "Saved.")
	w.dark(t)
	w.press(t, "Deactivate")
	w.sees(t, "none of its users can log in")
	w.press(t, "Deactivate")
	w.sees(t, "It is inactive now.")
	w.open(t, "/ui/console/orgs?q=daughters")
	w.sees(t, "1 in all")
	w.press(t, "Acme and daughters")
	w.press(t, "Remove")
	w.press(t, "Remove")
	w.sees(t, "It is removed.")
	w.open(t, "/ui/console/search?q=ann")
	w.sees(t, "Users")
}
