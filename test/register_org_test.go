package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// registrationOff and registrationOn are bodies of login policies.
const (
	registrationOff = `{"allowUsernamePassword":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","multiFactorCheckLifetime":"43200s"}`
	registrationOn  = `{"allowUsernamePassword":true,"allowRegister":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","multiFactorCheckLifetime":"43200s"}`
)

// addAcme adds an organization, kept as acme, which looks like itself and has a login policy
// of its own.
func addAcme(t *testing.T, s *testkit.Server, policy string) {
	t.Helper()
	s.Run(t,
		testkit.Call{Name: "another organization", Do: "POST /v2/organizations", Body: `{"name":"Acme"}`, Status: 201, Keep: map[string]string{"acme": "organizationId"}, Events: orgAdded},
		testkit.Call{Name: "looks", In: "$acme", Do: "POST /management/v1/policies/label", Body: `{"primaryColor":"#123456"}`, Events: []string{"org.policy.label.added"}},
		testkit.Call{Name: "its looks", In: "$acme", Do: "POST /management/v1/policies/label/_activate", Events: []string{"org.policy.label.activated"}},
		testkit.Call{Name: "its policy", In: "$acme", Do: "POST /management/v1/policies/login", Body: policy, Events: []string{"org.policy.login.added"}},
	)
}

// TestRegisterInOrganization: where an application asks for users of an organization, by its id
// or by its domain, who registers becomes one of them, on pages that look like it.
func TestRegisterInOrganization(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	addShop(t, o.Server)
	addAcme(t, o.Server, registrationOn)
	o.Run(t, testkit.Call{Name: "nobody registers elsewhere", Do: "PUT /admin/v1/policies/login", Body: registrationOff, Events: []string{"instance.policy.login.changed"}})
	acme, looks := o.Var("acme"), "colors.css?org="+o.Var("acme")
	for email, scope := range map[string]string{"eve@example.com": "urn:zitadel:iam:org:id:" + acme, "kim@example.com": "urn:zitadel:iam:org:domain:primary:Acme.localhost"} {
		b := shopper(t, o.Server)
		b.authorize(t, "scope", "openid "+scope).at(t, "login", looks, "I have no account yet")
		p := b.authorize(t, "scope", "openid "+scope, "prompt", "create").at(t, "register", looks)
		if strings.Contains(p.body, "Create an organization") {
			t.Error("the page leads to an organization whose users the application does not want")
		}
		b.submit(t, p, "register", "givenName", "Eve", "familyName", "Lee", "email", email).at(t, "register", looks, "Look into your mail")
		o.Settle(t)
		p = follow(t, b, box, email).at(t, "user/init", looks)
		b.submit(t, p, "user/init", "password", annsPassword, "repeat", annsPassword).back(t)
		o.Run(t, testkit.Call{
			Name: email, Do: "POST /v2/users", Body: `{"queries":[{"emailQuery":{"emailAddress":"` + email + `"}}]}`,
			Want: `{"result":[{"details":{"resourceOwner":"` + acme + `"}}]}`,
		})
	}
	if css := newBrowser(t, o.Server).open(t, "/ui/static/"+looks); !strings.Contains(css.body, "#123456") {
		t.Errorf("it does not look like itself: %s", css.body)
	}
	// Whom the scopes name nobody for, registers in no other organization instead.
	b := shopper(t, o.Server)
	o.Run(t, testkit.Call{Name: "people register again", Do: "PUT /admin/v1/policies/login", Body: registrationOn, Events: []string{"instance.policy.login.changed"}})
	b.closed(t, "openid urn:zitadel:iam:org:id:100547090559533999")
	b.closed(t, "openid urn:zitadel:iam:org:domain:primary:none.example")
	o.Run(t, testkit.Call{Name: "the organization rests", Do: "POST /v2/organizations/$acme/deactivate", Body: `{}`, Events: []string{"org.deactivated"}})
	b.closed(t, "openid urn:zitadel:iam:org:id:"+acme)
}

// TestRegisterNowhere: where the policy lets nobody register, no door does.
func TestRegisterNowhere(t *testing.T) {
	t.Parallel()
	o, _ := developer(t)
	addShop(t, o.Server)
	addAcme(t, o.Server, registrationOff)
	b := shopper(t, o.Server)
	b.closed(t, "openid urn:zitadel:iam:org:id:"+o.Var("acme"))
	b.authorize(t, "prompt", "create").at(t, "register")
	o.Run(t, testkit.Call{Name: "nobody registers", Do: "PUT /admin/v1/policies/login", Body: registrationOff, Events: []string{"instance.policy.login.changed"}})
	b.closed(t, "openid")
}

// closed fails unless nobody can register who comes from the shop with the scopes.
func (b *browser) closed(t *testing.T, scope string) {
	t.Helper()
	b.s.Settle(t)
	before := len(b.s.Events(t))
	const refused = "Nobody can register here by themselves."
	p := b.authorize(t, "scope", scope, "prompt", "create").at(t, "login", refused, "Login name")
	if strings.Contains(p.body, "I have no account yet") {
		t.Errorf("%s: the page leads to the registration", scope)
	}
	form := p.url.Query()
	for _, path := range []string{"register", "register/org"} {
		at := "/ui/login/" + path
		if p := b.open(t, at+"?"+form.Encode()); p.status != http.StatusBadRequest || !strings.Contains(p.body, refused) {
			t.Errorf("%s: %s is open: %d %s", scope, path, p.status, p.body)
		}
		full := values("givenName", "Eve", "familyName", "Lee", "email", "late@example.com", "orgName", "Late", "authRequest", form.Get("authRequest"))
		if p := b.do(t, http.MethodPost, b.s.URL+at, full); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, refused) {
			t.Errorf("%s: %s takes people: %d %s", scope, path, p.status, p.body)
		}
	}
	b.s.Settle(t)
	if got := b.s.Events(t)[before:]; len(got) != 0 {
		t.Errorf("%s: the events are %q", scope, got)
	}
}
