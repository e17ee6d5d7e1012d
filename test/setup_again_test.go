package test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// resetLink makes a link as gatehouse admin reset does: for an owner, or for somebody new.
func resetLink(t *testing.T, s *testkit.Server, owner string) string {
	t.Helper()
	made, err := flow.ResetAdmin(context.Background(), s.Store, flow.Reset{Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	return "/ui/login/setup?" + url.Values{"code": {made.Link.Code}, "userID": {made.Link.User}}.Encode()
}

// used looks that a link is over.
func used(t *testing.T, s *testkit.Server, link string) {
	t.Helper()
	if p := newBrowser(t, s).open(t, link); p.status != http.StatusNotFound || !strings.Contains(p.body, "This link works no more") {
		t.Errorf("a link that is over: %d %s", p.status, p.body)
	}
}

// owner sets the first administrator up, with a password.
func owner(t *testing.T, s *testkit.Server) {
	t.Helper()
	setUp(t, newBrowser(t, s), setupCode(t, s)).at(t, "enrol")
}

// TestResetNewOwner: the link of a reset makes one more person who owns the instance, once,
// although somebody does.
func TestResetNewOwner(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	owner(t, s)
	link, other := resetLink(t, s, ""), resetLink(t, s, "")
	b := newBrowser(t, s)
	fill := []string{"givenName", "Zoe", "familyName", "Next", "email", "eve@example.com", "by", "password", "password", annsPassword, "repeat", annsPassword}
	p := b.submit(t, b.open(t, link).at(t, "setup"), "setup", fill...).at(t, "setup", `role="alert"`, `value="Zoe"`)
	fill[5] = "zoe@example.com"
	p = b.submit(t, p, "setup", fill...).at(t, "enrol", "zoe@example.com")
	if p := b.submit(t, p, "enrol/skip"); p.path != "/ui/console/orgs" {
		t.Errorf("the new administrator is led to %s:\n%s", p.path, p.body)
	}
	used(t, s, link)
	used(t, s, other)
	late := resetLink(t, s, "")
	s.Clock.Advance(flow.SetupLifetime)
	used(t, s, late)
}

// TestResetOwner: an owner who lost password and factors is let in by a link that is theirs,
// once, and it is in the log who made the link.
func TestResetOwner(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	owner(t, s)
	s.Run(t, testkit.Call{Name: "who", Do: "POST /v2/users", Body: `{"queries":[{"typeQuery":{"type":"TYPE_HUMAN"}}]}`, Keep: map[string]string{"eve": "result.0.userId"}})
	s.Run(t,
		testkit.Call{Name: "listed", Do: "POST /admin/v1/policies/login/second_factors", Body: `{"type":"SECOND_FACTOR_TYPE_OTP_EMAIL"}`, Events: []string{"instance.policy.login.secondfactor.added"}},
		testkit.Call{Name: "a factor", Do: "POST /v2/users/$eve/otp_email", Events: []string{"user.human.mfa.otp.email.added"}},
		testkit.Call{Name: "a lock", Do: "POST /v2/users/$eve/lock", Events: []string{"user.locked"}},
	)
	link := resetLink(t, s, "eve@example.com")
	b := newBrowser(t, s)
	p := b.open(t, link).at(t, "setup", "Get back in", "eve@example.com")
	if strings.Contains(p.body, "familyName") {
		t.Error("the page asks for a name that it knows")
	}
	b.submit(t, p, "setup", "by", "password", "password", "short", "repeat", "short").at(t, "setup", `role="alert"`, "Get back in")
	before := len(s.Events(t))
	b.submit(t, p, "setup", "by", "password", "password", "Another-Secret-7", "repeat", "Another-Secret-7").at(t, "enrol", "eve@example.com")
	want := []string{"user.unlocked", "user.human.password.changed", "user.human.mfa.otp.email.removed"}
	if got := s.Events(t)[before:]; !slices.Equal(got[:len(want)], want) {
		t.Errorf("the events are %q", got)
	}
	s.Run(t, testkit.Call{
		Name: "in the log", Do: "POST /admin/v1/events/_search", Body: `{"editor_user_id":"ADMIN-RESET","limit":9}`,
		Want: `{"events":[{"type":{"type":"user.human.mfa.otp.email.removed"}},{"type":{"type":"user.human.password.changed"}},{"type":{"type":"user.unlocked"}}]}`,
	})
	used(t, s, link)
}

// TestResetOwnerByPasskey: who breaks off before their passkey is registered begins anew;
// then the link is over.
func TestResetOwnerByPasskey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	owner(t, s)
	for _, who := range []string{"eve@example.com", ""} {
		link := resetLink(t, s, who)
		b := newBrowser(t, s)
		fill := []string{"by", "passkey"}
		if who == "" {
			fill = append(fill, "givenName", "Zoe", "familyName", "Next", "email", "zoe@example.com")
		}
		b.submit(t, b.open(t, link).at(t, "setup"), "setup", fill...).at(t, "passkey/register")
		p := b.submit(t, b.open(t, link).at(t, "setup"), "setup", fill...).at(t, "passkey/register")
		options := b.do(t, http.MethodPost, s.URL+"/ui/login/passkey/register/options", p.url.Query())
		b.submit(t, p, "passkey/register", "credential", newDevice().create(t, options.body), "name", "Laptop").at(t, "passkey/register", "Your passkey is registered.")
		used(t, s, link)
	}
}

// TestResetLinkIsForOwners: a link for somebody is over once they own the instance no more,
// and is nobody else's.
func TestResetLinkIsForOwners(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	owner(t, s)
	s.Run(t, testkit.Call{Name: "who", Do: "POST /v2/users", Body: `{"queries":[{"typeQuery":{"type":"TYPE_HUMAN"}}]}`, Keep: map[string]string{"eve": "result.0.userId"}})
	link := resetLink(t, s, "eve@example.com")
	newBrowser(t, s).open(t, link).at(t, "setup", "Get back in")
	at, _ := url.Parse(link)
	q := at.Query()
	q.Set("userID", "")
	used(t, s, "/ui/login/setup?"+q.Encode())
	s.Run(t, testkit.Call{Name: "no more", Do: "DELETE /admin/v1/members/$eve", Events: []string{"instance.member.removed"}})
	used(t, s, link)
	if _, err := flow.ResetAdmin(context.Background(), s.Store, flow.Reset{Owner: "eve@example.com"}); err == nil {
		t.Error("a link is made for who owns nothing")
	}
}
