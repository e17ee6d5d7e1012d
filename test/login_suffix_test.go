package test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestHiddenSuffix: where an application asks for somebody of one organization whose label
// policy says so, login names are shown without its domain, and found without it.
func TestHiddenSuffix(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addShop(t, s)
	s.Run(t,
		testkit.Call{Name: "red", Do: "POST /v2/organizations", Body: `{"name":"Red"}`, Status: 201, Keep: map[string]string{"red": "organizationId"}, Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"}},
		testkit.Call{
			Name: "its names are completed", Do: "POST /admin/v1/orgs/$red/policies/domain", Body: `{"userLoginMustBeDomain":true}`,
			Events: []string{"org.policy.domain.added", "org.user.names.scope.changed"},
		},
	)
	for _, u := range []struct{ name, in, email string }{{"ann", "$red", "ann@red.example"}, {"ann", "", "ann@other.example"}, {"bo@home", "$red", "bo@red.example"}} {
		s.Run(t, testkit.Call{
			Name: u.name, Do: "POST /v2/users/human", Events: []string{"user.human.added", "user.human.email.verified"},
			Body: `{"username":"` + u.name + `","organization":{"orgId":"` + cmp.Or(s.Expand(u.in), s.OrgID) + `"},"profile":{"givenName":"` + u.name + `","familyName":"Lee"},"email":{"email":"` + u.email + `","isVerified":true},"password":{"password":"` + annsPassword + `"}}`,
		})
	}
	scope := s.Expand("openid urn:zitadel:iam:org:id:$red")
	const suffix = "@red.localhost"
	ask := func(more ...string) (*browser, page) {
		b := newBrowser(t, s)
		b.staysHere()
		return b, b.authorize(t, append([]string{"scope", scope}, more...)...).at(t, "login")
	}

	// As long as the policy does not say so, the whole name is needed and shown.
	b, p := ask()
	b.submit(t, b.submit(t, p, "login", "loginName", "ann"+suffix).at(t, "password", "ann"+suffix+" ·"), "password", "proof", annsPassword)

	s.Run(t,
		testkit.Call{Name: "hide", In: "$red", Do: "POST /management/v1/policies/label", Body: `{"hideLoginNameSuffix":true}`, Events: []string{"org.policy.label.added"}},
		testkit.Call{Name: "seen", In: "$red", Do: "POST /management/v1/policies/label/_activate", Events: []string{"org.policy.label.activated"}},
	)
	_, p = ask("login_hint", "ann"+suffix)
	if !strings.Contains(p.body, `value="ann"`) {
		t.Errorf("the name that the application gives is prefilled with the domain: %s", p.body)
	}
	for typed, shown := range map[string]string{"ann": "ann", "ANN": "ann", "ann" + suffix: "ann", "bo@home": "bo@home", "ann@red.example": "ann"} {
		b, p := ask()
		p = b.submit(t, p, "login", "loginName", typed).at(t, "password", `<p class="who">`+shown+" ·")
		if forgotten := b.open(t, "/ui/login/password/forgotten?"+p.url.RawQuery); !strings.Contains(forgotten.body, `value="`+shown+`"`) {
			t.Errorf("the page of a forgotten password: %s", forgotten.body)
		}
		p = b.submit(t, p, "password", "proof", annsPassword)
		if p.path == "/ui/login/enrol" { // Else they have put it off before.
			p = b.submit(t, p, "enrol/skip")
		}
		p.back(t)
	}
	// A short name is not looked for elsewhere, and who has none is told what they typed.
	b, p = ask()
	b.submit(t, p, "login", "loginName", "nobody").at(t, "login", `role="alert"`, `value="nobody"`)

	// A mail is sent to the same person.
	b, p = ask()
	b.submit(t, b.open(t, "/ui/login/password/forgotten?"+p.url.RawQuery), "password/forgotten", "loginName", "ann")
	s.Settle(t)
	if got := s.Events(t); got[len(got)-1] != "user.human.password.code.added" {
		t.Errorf("no mail is sent: %q", got[len(got)-3:])
	}

	// No organization is asked for: the whole name is needed, and shown.
	b = newBrowser(t, s)
	b.submit(t, b.open(t, "/ui/login/login").at(t, "login"), "login", "loginName", "ann"+suffix).at(t, "password", "ann"+suffix+" ·")
}
