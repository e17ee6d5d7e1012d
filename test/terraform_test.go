package test

import (
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

const (
	factorOTP, factorU2F    = "SECOND_FACTOR_TYPE_OTP", "SECOND_FACTOR_TYPE_U2F"
	factorEmail, factorSMS  = "SECOND_FACTOR_TYPE_OTP_EMAIL", "SECOND_FACTOR_TYPE_OTP_SMS"
	factorCodes, factorPass = "SECOND_FACTOR_TYPE_RECOVERY_CODES", "MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"
)

// loginState is a login policy as infrastructure as code describes it.
type loginState struct {
	Settings       map[string]any // as they travel; absent ones are zero
	Seconds, Multi []string
}

// loginResource is where such a policy lives.
type loginResource struct {
	as, policy string
	multi      string   // where its multi factors are listed
	views      []string // other v1 reads that must show it
	settings   string   // the v2 read that must
}

// read is what all views agree on.
func (r loginResource) read(t *testing.T, s *testkit.Server) loginState {
	t.Helper()
	var seen []loginState
	for _, path := range append([]string{r.policy}, r.views...) {
		p := object(t, s, r.as, "GET "+path, "policy")
		seen = append(seen, stateOf(p))
	}
	v2 := object(t, s, r.as, "GET "+r.settings, "settings")
	v2["passwordlessType"] = map[any]any{"PASSKEYS_TYPE_ALLOWED": "PASSWORDLESS_TYPE_ALLOWED"}[v2["passkeysType"]]
	delete(v2, "passkeysType")
	delete(v2, "allowLocalAuthentication")
	delete(v2, "resourceOwnerType")
	seen = append(seen, stateOf(v2))
	listed := seen[0]
	listed.Seconds = texts(listOf(t, s, r.as, r.policy+"/second_factors/_search"))
	listed.Multi = texts(listOf(t, s, r.as, r.multi))
	for _, other := range append(seen, listed) {
		if !reflect.DeepEqual(other, seen[0]) {
			t.Fatalf("reads differ: %+v and %+v", seen[0], other)
		}
	}
	return seen[0]
}

func object(t *testing.T, s *testkit.Server, as, do, member string) map[string]any {
	t.Helper()
	reply := s.Send(t, testkit.Call{As: as, Do: do})
	if reply.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", do, reply.Status, reply.Body)
	}
	out, ok := reply.JSON(t).(map[string]any)[member].(map[string]any)
	if !ok {
		t.Fatalf("%s has no %s: %s", do, member, reply.Body)
	}
	return out
}

func listOf(t *testing.T, s *testkit.Server, as, path string) any {
	t.Helper()
	return s.Send(t, testkit.Call{As: as, Do: "POST " + path, Body: "{}"}).JSON(t).(map[string]any)["result"]
}

func stateOf(p map[string]any) loginState {
	out := loginState{Settings: maps.Clone(p), Seconds: texts(p["secondFactors"]), Multi: texts(p["multiFactors"])}
	for _, name := range []string{"details", "isDefault", "secondFactors", "multiFactors"} {
		delete(out.Settings, name)
	}
	maps.DeleteFunc(out.Settings, func(_ string, v any) bool { return v == nil || v == "0s" })
	return out
}

func texts(list any) []string {
	var out []string
	values, _ := list.([]any)
	for _, v := range values {
		text, _ := v.(string)
		out = append(out, text)
	}
	return out
}

// apply makes the policy what is wanted, one thing at a time, and reads after each.
func (r loginResource) apply(t *testing.T, s *testkit.Server, want loginState) {
	t.Helper()
	now := r.read(t, s)
	do := func(call, body string, status int) {
		t.Helper()
		reply := s.Send(t, testkit.Call{As: r.as, Do: call, Body: body})
		if reply.Status != status {
			t.Fatalf("%s %s: %d, want %d: %s", call, body, reply.Status, status, reply.Body)
		}
		if seen := r.read(t, s); !reflect.DeepEqual(seen, now) {
			t.Fatalf("after %s: %+v, want %+v", call, seen, now)
		}
	}
	body, err := json.Marshal(want.Settings)
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusBadRequest // Not changed, which is ignored.
	if !reflect.DeepEqual(now.Settings, want.Settings) {
		status, now.Settings = http.StatusOK, want.Settings
	}
	do("PUT "+r.policy, string(body), status)
	for _, part := range []struct {
		path string
		now  *[]string
		want []string
	}{{r.policy + "/second_factors", &now.Seconds, want.Seconds}, {r.policy + "/multi_factors", &now.Multi, want.Multi}} {
		for _, f := range part.want {
			status := http.StatusConflict // Already there, which is ignored.
			if !slices.Contains(*part.now, f) {
				status, *part.now = http.StatusOK, append(slices.Clone(*part.now), f)
			}
			do("POST "+part.path, `{"type":"`+f+`"}`, status)
		}
		for _, f := range slices.Clone(*part.now) {
			if !slices.Contains(part.want, f) {
				*part.now = slices.DeleteFunc(slices.Clone(*part.now), func(g string) bool { return f == g })
				if len(*part.now) == 0 {
					*part.now = nil
				}
				do("DELETE "+part.path+"/"+f, "", http.StatusOK)
			}
		}
	}
}

// same reports whether a plan would be empty: factors are sets.
func (l loginState) same(other loginState) bool {
	for _, list := range []*[]string{&l.Seconds, &l.Multi, &other.Seconds, &other.Multi} {
		*list = slices.Sorted(slices.Values(*list))
	}
	return reflect.DeepEqual(l, other)
}

// TestLoginPolicyAsCode drives the default policy and an organization's own as
// declarative tools do, and ends each step with an empty plan.
func TestLoginPolicyAsCode(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	byDefault := loginResource{
		policy: "/admin/v1/policies/login", multi: "/admin/v1/policies/login/multi_factors/_search",
		views: []string{"/management/v1/policies/default/login", "/management/v1/policies/login"}, settings: "/v2/settings/login?ctx.instance=true",
	}
	own := loginResource{as: "acme", policy: loginPath, multi: loginPath + "/auth_factors/_search", settings: "/v2/settings/login"}
	full := map[string]any{
		"allowUsernamePassword": true, "allowRegister": true, "allowExternalIdp": true, "forceMfa": true, "forceMfaLocalOnly": true,
		"passwordlessType": "PASSWORDLESS_TYPE_ALLOWED", "hidePasswordReset": true, "ignoreUnknownUsernames": true,
		"defaultRedirectUri": "https://example.com/", "allowDomainDiscovery": true, "disableLoginWithEmail": true, "disableLoginWithPhone": true,
		"passwordCheckLifetime": "3600s", "externalLoginCheckLifetime": "7200s", "mfaInitSkipLifetime": "60s",
		"secondFactorCheckLifetime": "1.500s", "multiFactorCheckLifetime": "86400s",
	}
	some := map[string]any{"allowUsernamePassword": true, "passwordCheckLifetime": "10s"}
	wanted := []loginState{
		{full, []string{factorOTP, factorU2F, factorEmail, factorSMS, factorCodes}, []string{factorPass}},
		{full, []string{factorU2F, factorCodes}, nil},
		{some, nil, []string{factorPass}},
		{some, nil, nil},
		{full, []string{factorCodes, factorEmail}, []string{factorPass}},
	}
	run := func(r loginResource) {
		for i, want := range wanted {
			for range 2 { // The second time changes nothing.
				r.apply(t, s, want)
				if got := r.read(t, s); !got.same(want) {
					t.Fatalf("step %d: the plan is not empty: %+v, want %+v", i, got, want)
				}
			}
		}
	}
	run(byDefault)
	s.Run(t, testkit.Call{Name: "own", As: "acme", Do: "POST " + loginPath, Body: `{}`, Events: []string{"org.policy.login.added"}})
	run(own)
	s.Run(t, testkit.Call{Name: "destroy", As: "acme", Do: "DELETE " + loginPath, Events: []string{"org.policy.login.removed"}})
	if got := byDefault.read(t, s); !got.same(wanted[len(wanted)-1]) {
		t.Errorf("the default changed: %+v", got)
	}
}
