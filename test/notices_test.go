//go:build unix

package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestNotices: who lets something be sent is told where nobody carries it, in every
// protocol, and nobody else is told anything.
func TestNotices(t *testing.T) {
	t.Parallel()
	const header, waits = "X-Gatehouse-Notice", "messages wait, no provider is active for: email"
	p := startOffice(t, nearby)
	add := func(name, more string) testkit.Call {
		return testkit.Call{Do: "POST /v2/users/human", Body: `{"username":"` + name + `","profile":{"givenName":"A","familyName":"B"},"email":{"email":"` + name + `@example.com",` + more + `}}`}
	}
	overRPC := add("ida", `"sendCode":{}`)
	overRPC.Do = "POST /zitadel.user.v2.UserService/AddHumanUser"
	bad := add("ada", `"sendCode":{}`)
	for _, c := range []struct {
		name, want string
		call       testkit.Call
	}{
		{"a mail", waits, add("ada", `"sendCode":{}`)},
		{"over Connect", waits, overRPC},
		{"a code that is returned", "", add("bob", `"returnCode":{}`)},
		{"a list", "", testkit.Call{Do: "POST /v2/users", Body: `{}`}},
		{"a call that fails", "", bad},
	} {
		r := p.Send(t, c.call)
		if got := r.Header.Get(header); got != c.want || r.Status >= 400 && c.call.Body != bad.Body {
			t.Errorf("%s: %d, the notice is %q, want %q: %s", c.name, r.Status, got, c.want, r.Body)
		}
		if exposed := r.Header.Get("Access-Control-Expose-Headers"); exposed != "" && !strings.Contains(exposed, header) {
			t.Errorf("browsers do not show it: %q", exposed)
		}
	}
	p.carry(t, newMailbox(t))
	if r := p.Send(t, add("eve", `"sendCode":{}`)); r.Status != http.StatusOK || r.Header.Get(header) != "" {
		t.Errorf("with a mail server: %d, %q", r.Status, r.Header.Get(header))
	}
}
