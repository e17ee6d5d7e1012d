package test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// TestWeakenedSessions: where one factor is enough only because the policy lists none of those
// that the user has, the log says so, once in a session.
func TestWeakenedSessions(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	equip(t, s, "ada", user.TOTP)
	ownPolicy(t, s, "", "", "")
	me := func(name string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: "s", Do: "GET /auth/v1/users/me", Events: events}
	}
	s.Run(t,
		newSession("s", with("ada"), "session.user.checked", "session.password.checked"),
		me("one factor is enough", "session.assurance.weakened"), me("and it is known"))
}

// TestSessionLimits holds what a session may carry to its limits, on both sides of them.
func TestSessionLimits(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	create := func(name string, status int, events []string, headers string) testkit.Call {
		return testkit.Call{
			Name: name, As: "client", Do: "POST " + sessionsPath, Status: status, Events: events,
			Body: `{"userAgent":{"header":{` + headers + `}}}`, Keep: map[string]string{"s": "sessionId"},
		}
	}
	header := func(bytes int) string { return `"name":{"values":["` + strings.Repeat("x", bytes-len("name")) + `"]}` }
	var many []string
	for i := range 51 {
		many = append(many, fmt.Sprintf(`"h%d":{"values":["x"]}`, i))
	}
	made := []string{"session.added", "session.token.set"}
	refused := func(c testkit.Call) testkit.Call {
		c.Keep, c.Want = nil, `{"details":[{"id":"SESSION-headers"}]}`
		return c
	}
	s.Run(t,
		refused(create("headers of more bytes", 400, nil, header(16<<10+1))), refused(create("more headers", 400, nil, strings.Join(many, ","))),
		create("as many headers", 201, made, strings.Join(many[:50], ",")), create("headers of as many bytes", 201, made, header(16<<10)))
	set := func(name string, status int, body string) testkit.Call {
		c := testkit.Call{Name: name, As: "client", Do: "PATCH " + sessionsPath + "/$s", Status: status, Body: body}
		if status == 200 {
			c.Events = []string{"session.metadata.set", "session.token.set"}
			if strings.Contains(body, "lifetime") {
				c.Events[0] = "session.lifetime.set"
			}
		}
		return c
	}
	keys := make([]string, 0, 100)
	for i := range 100 {
		keys = append(keys, fmt.Sprintf(`"k%d":"YQ=="`, i))
	}
	value := func(bytes int) string {
		return `{"metadata":{"k0":"` + base64.StdEncoding.EncodeToString(make([]byte, bytes)) + `"}}`
	}
	s.Run(t,
		set("as many keys", 200, `{"metadata":{`+strings.Join(keys, ",")+`}}`), set("one more", 429, `{"metadata":{"more":"YQ=="}}`),
		set("one for another", 200, `{"metadata":{"k1":"","more":"YQ=="}}`),
		set("as large a value", 200, value(500_000)), set("a larger one", 400, value(500_001)),
		set("no life", 400, `{"lifetime":"0s"}`), set("the longest life", 200, `{"lifetime":"315360000s"}`), set("a longer one", 400, `{"lifetime":"315360000.000001s"}`))
}
