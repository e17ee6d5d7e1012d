package test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestConsoleImpact: the page says of people and sessions what is so. Of those who have an
// app, bob and eve have nothing else once the recovery codes are gone, and eve administers.
func TestConsoleImpact(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	crowd(t, s)
	addAnn(t, s)
	s.Run(t,
		annAdministers,
		testkit.Call{Name: "no recovery codes", Do: "DELETE " + loginPath + "/second_factors/SECOND_FACTOR_TYPE_RECOVERY_CODES", Events: []string{"org.policy.login.secondfactor.removed"}},
	)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	says := s.Send(t, testkit.Call{Do: previewPath, Body: `{"organizationId":"$org","change":{"removeSecondFactors":["SECOND_FACTOR_TYPE_OTP"]}}`}).JSON(t).(map[string]any)
	p := b.open(t, s.Expand("/ui/console/orgs/$org/login/change?factor=SECOND_FACTOR_TYPE_OTP"))
	for _, text := range []string{
		fmt.Sprintf("%s people have set this factor up.", says["enrolled"]), "2 people would have no second factor left.", "One of them is an administrator.",
		"Their password alone would let them in", "Turn it off now", "Retire it in stages", "Leave it as it is",
		s.Expand("/ui/console/orgs/$org/users/$bob"), s.Expand("/ui/console/orgs/$org/users/$eve"),
	} {
		if !strings.Contains(p.body, text) {
			t.Errorf("the page does not say %q (%d):\n%s", text, p.status, p.body)
		}
	}
	for _, name := range []string{"$ada", "$cid", "$dan", "$fay"} {
		if strings.Contains(p.body, s.Expand("/users/"+name)) {
			t.Errorf("the page names %s, who keeps a factor or has none", name)
		}
	}
}

// TestConsoleGuard: the last factor of a policy that demands one goes only by being asked
// for once more.
func TestConsoleGuard(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t,
		annAdministers,
		testkit.Call{
			Name: "another organization", Do: "POST /v2/organizations", Body: `{"name":"Acme"}`, Status: 201, Keep: map[string]string{"other": "organizationId"},
			Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"},
		},
	)
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	post := func(path string, form url.Values) page {
		t.Helper()
		return b.do(t, http.MethodPost, s.Expand(s.URL+"/ui/console/orgs/$other/login"+path), form)
	}
	post("/own", url.Values{})
	post("/change", url.Values{"demand": {"all"}})
	listed := []string{"SECOND_FACTOR_TYPE_OTP", "SECOND_FACTOR_TYPE_U2F", "MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"}
	for _, f := range listed[:2] {
		if p := post("/change", url.Values{"factor": {f}}); p.status != http.StatusOK {
			t.Fatalf("%s: status %d\n%s", f, p.status, p.body)
		}
	}
	last := url.Values{"factor": {listed[2]}}
	p := post("/change", last)
	if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "This is the last factor") || !strings.Contains(p.body, "Do it all the same") {
		t.Errorf("the last factor: status %d\n%s", p.status, p.body)
	}
	last.Set("anyway", "true")
	if p := post("/change", last); p.status != http.StatusOK || !strings.Contains(p.body, "The factor counts no more") {
		t.Errorf("asked for once more: status %d\n%s", p.status, p.body)
	}
}
