package test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// focus is the name of the field that keys go to.
func (w *window) focus(t *testing.T) (name string) {
	t.Helper()
	w.do(t, "look where the focus is", chromedp.Evaluate("document.activeElement.name || ''", &name))
	return name
}

// pressIn presses a button or a link of the part of the page with a heading.
func (w *window) pressIn(t *testing.T, heading, text string) {
	t.Helper()
	it := fmt.Sprintf("//main//section[.//h2[contains(., %q)]]//*[(self::button or self::a) and contains(normalize-space(.), %q)]", heading, text)
	w.do(t, "press "+text, chromedp.WaitVisible(it, chromedp.BySearch), chromedp.Click(it, chromedp.BySearch))
}

// TestBrowserAccount is a person who looks after their account in a real browser: a profile,
// an app, a passkey, recovery codes, a password, and the end of another session.
func TestBrowserAccount(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t,
		testkit.Call{Name: "recovery codes count", Do: "POST /admin/v1/policies/login/second_factors", Body: `{"type":"SECOND_FACTOR_TYPE_RECOVERY_CODES"}`, Events: []string{"instance.policy.login.secondfactor.added"}},
		testkit.Call{Name: "ann administers", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ann","roles":["ORG_OWNER","ORG_SETTINGS_MANAGER"]}`, Events: []string{"org.member.added"}},
	)
	elsewhere := newBrowser(t, s)
	elsewhere.header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1")
	elsewhere.submit(t, elsewhere.toPassword(t), "password", "proof", annsPassword)

	w := openWindow(t, s)
	w.plugIn(t)
	w.open(t, "/ui/account/")
	w.logIn(t, "ann", annsPassword)
	w.press(t, "Not now")
	w.sees(t, "Hello, Ann Lee")
	w.sees(t, "Open the console")

	// The profile, by keys alone.
	w.open(t, "/ui/account/profile")
	w.sees(t, "About you")
	for range 20 {
		w.keys(t, kb.Tab)
		if w.focus(t) == "first" {
			break
		}
	}
	w.keys(t, "Anna"+kb.Enter)
	w.sees(t, "Saved.")

	w.open(t, "/ui/account/security")
	w.sees(t, "Authenticator app")
	w.pressIn(t, "Authenticator app", "Set up")
	w.sees(t, "Scan the picture")
	secret := w.text(t, "main code")
	w.fill(t, "code", "000000")
	w.press(t, "Set up")
	w.sees(t, "Scan the picture")
	w.fill(t, "code", totpCode(t, secret, s.Clock.Now()))
	w.press(t, "Set up")

	// What is set up counts at once, also in this session.
	w.sees(t, "Enter the code that your authenticator app shows")
	s.Clock.Advance(time.Minute)
	w.give(t, "proof", totpCode(t, secret, s.Clock.Now()))
	w.sees(t, "It is set up.")

	// What was proved long ago does not let anybody change how she logs in.
	s.Clock.Advance(time.Hour)
	w.press(t, "Add a passkey")
	w.sees(t, "before you change this")
	w.press(t, "Prove who you are")
	w.logIn(t, "ann", annsPassword)
	w.sees(t, "Enter the code that your authenticator app shows")
	w.give(t, "proof", totpCode(t, secret, s.Clock.Now()))
	w.sees(t, "Security key")
	w.press(t, "Add a passkey")
	w.sees(t, "Give the passkey a name")
	w.fill(t, "name", "Laptop")
	w.press(t, "Register")
	w.sees(t, "It is set up.")
	w.pressIn(t, "Recovery codes", "Set up")
	w.sees(t, "You get 10 codes")
	w.press(t, "Show the codes")
	w.sees(t, "never again")
	w.press(t, "I have kept them")
	w.dark(t)
	w.sees(t, "Get new codes")

	w.press(t, "Change the password")
	w.sees(t, "At least 8 characters")
	w.fill(t, "current", annsPassword)
	w.fill(t, "new", annsPassword+"er")
	w.fill(t, "repeat", annsPassword)
	w.press(t, "Change the password")
	w.sees(t, "not the same")
	w.fill(t, "current", annsPassword)
	w.fill(t, "new", annsPassword+"er")
	w.fill(t, "repeat", annsPassword+"er")
	w.press(t, "Change the password")
	w.sees(t, "Your password is changed.")

	w.open(t, "/ui/account/sessions")
	w.sees(t, "Safari · iPhone")
	w.press(t, "End all others")
	w.sees(t, "on every device but this one")
	w.press(t, "End all other sessions")
	w.sees(t, "The session has ended.")

	w.open(t, "/ui/account/history")
	w.sees(t, "The password was changed.")
	w.open(t, "/ui/account/access")
	w.sees(t, "ORG_OWNER")
	w.open(t, "/ui/account/contact")
	w.sees(t, "Verified")
	w.open(t, "/ui/account/data")
	w.sees(t, "Download the file")

	w.phone(t)
	w.open(t, "/ui/account/")
	w.sees(t, "Well protected")
	w.open(t, "/ui/account/security")
	w.sees(t, "Laptop")
	w.open(t, "/ui/account/sessions")
	w.sees(t, "This device")
	w.press(t, "Log out")
	w.touch(t, false) // Or the passkey logs in anew.
	w.sees(t, "Choose the account")
	w.press(t, "ann")
	w.sees(t, "Login name")
}
