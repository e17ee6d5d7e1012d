package test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	equip(t, s, "ada")
	const missing = `{"code":5,"message":"There is no such session. (SESSION-missing)"}`
	set := func(name, body string, events ...string) testkit.Call {
		return testkit.Call{
			Name: name, As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: body,
			Want: `{"details":{"sequence":"*","changeDate":"*"},"sessionToken":"*"}`, Token: "sessionToken", KeepAs: "s",
			Events: slices.Concat(proved(events), events, []string{"session.token.set"}),
		}
	}
	s.Run(t,
		testkit.Call{
			Name: "create", As: "client", Do: "POST " + sessionsPath, Status: 201,
			Body: `{"checks":{"user":{"loginName":"ADA"},"password":{"password":"` + password + `"}},"metadata":{"a":"Yg=="},"lifetime":"3600s",
				"userAgent":{"fingerprintId":"f","ip":"192.0.2.1","description":"browser","header":{"accept":{"values":["x","y"]}}}}`,
			Want: `{"sessionId":"*","sessionToken":"*","challenges":null}`, Keep: map[string]string{"s": "sessionId"}, Token: "sessionToken", KeepAs: "s",
			Events: []string{checkPassed, "session.added", "session.user.checked", "session.password.checked", "session.metadata.set", "session.lifetime.set", "session.token.set"},
		},
		testkit.Call{
			Name: "get", As: "client", Do: "GET " + sessionsPath + "/$s",
			Want: `{"session":{"id":"$s","creationDate":"*","changeDate":"*","sequence":"6","metadata":{"a":"Yg=="},"expirationDate":"*",
				"factors":{"user":{"verifiedAt":"*","id":"$ada","loginName":"ada","displayName":"ada Example","organizationId":"$org"},"password":{"verifiedAt":"*"},"totp":null,"webAuthN":null},
				"userAgent":{"fingerprintId":"f","ip":"192.0.2.1","description":"browser","header":{"accept":{"values":["x","y"]}}}}}`,
		},
		testkit.Call{Name: "one factor of two is not enough", As: "s", Do: "GET /auth/v1/users/me", Status: 401, Want: `{"details":[{"id":"AUTH-assurance"}]}`},
		set("more", `{"checks":{`+withTOTP+`},"metadata":{"a":"","c":"ZA=="},"lifetime":"7200s"}`, "session.totp.checked", "session.metadata.set", "session.lifetime.set"),
		testkit.Call{Name: "its token calls", As: "s", Do: "GET /auth/v1/users/me", Want: `{"user":{"id":"$ada"}}`},
		testkit.Call{Name: "and reads it", As: "s", Do: "GET " + sessionsPath + "/$s", Want: `{"session":{"id":"$s"}}`},
		testkit.Call{Name: "shows", As: "client", Do: "GET " + sessionsPath + "/$s", Want: `{"session":{"metadata":{"a":null,"c":"ZA=="},"factors":{"totp":{"verifiedAt":"*"}}}}`},
		set("the same user again", `{"checks":{"user":{"userId":"$ada"}}}`, "session.user.checked"),
		testkit.Call{Name: "another user", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"checks":{"user":{"userId":"$owner"}}}`, Status: 400, Want: `{"code":9,"details":[{"id":"SESSION-user"}]}`},
		testkit.Call{Name: "a wrong password", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"checks":{"password":{"password":"x"}}}`, Status: 400, Want: `{"code":3,"details":[{"id":"COMMAND-3M0fs"}]}`, Events: []string{checkFailed}},
		testkit.Call{Name: "an intent", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"checks":{"idpIntent":{"idpIntentId":"1","idpIntentToken":"1"}}}`, Status: 501},
		testkit.Call{Name: "a lifetime of nothing", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"lifetime":"0s"}`, Status: 400},
		testkit.Call{Name: "one of ages", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"lifetime":"999999999s"}`, Status: 400, Want: `{"details":[{"id":"SESSION-lifetime"}]}`},
		testkit.Call{Name: "metadata without a key", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"metadata":{"":"YQ=="}}`, Status: 400},
		testkit.Call{Name: "too large", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"metadata":{"k":"` + strings.Repeat("AAAA", 170_000) + `"}}`, Status: 400},
		testkit.Call{Name: "no address", As: "client", Do: "POST " + sessionsPath, Body: `{"userAgent":{"ip":"nowhere"}}`, Status: 400, Want: `{"details":[{"id":"SESSION-ip"}]}`},
		testkit.Call{Name: "nobody of the name", As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{"user":{"loginName":"eve"}}}`, Status: 404},
		testkit.Call{Name: "a password of nobody", As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{"password":{"password":"x"}}}`, Status: 400, Want: `{"code":9,"details":[{"id":"SESSION-no-user"}]}`},
		newSession("empty", ``),
		testkit.Call{Name: "an empty one calls nothing", As: "empty", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{
			Name: "a dry run", As: "client", Do: "POST " + sessionsPath, Body: `{}`, Status: 201, Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}, Want: `{"sessionId":"*"}`,
		},
		testkit.Call{Name: "list", As: "client", Do: "POST " + sessionsPath + "/search", Body: `{"query":{"asc":true}}`, Want: `{"details":{"totalResult":"2","timestamp":"*"},"sessions":[{"id":"$s","metadata":{"c":"ZA=="},"factors":{"user":{"loginName":"ada"}}},{"id":"$empty"}]}`},
		testkit.Call{Name: "end", As: "client", Do: "DELETE " + sessionsPath + "/$s", Want: `{"details":{"changeDate":"*"}}`, Keep: map[string]string{"date": "details.changeDate"}, Events: []string{"session.terminated"}},
		testkit.Call{Name: "again", As: "client", Do: "DELETE " + sessionsPath + "/$s", Want: `{"details":{"changeDate":"$date"}}`},
		testkit.Call{Name: "it is gone", As: "client", Do: "GET " + sessionsPath + "/$s", Status: 404, Want: missing},
		testkit.Call{Name: "for good", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{}`, Status: 404, Want: missing},
		testkit.Call{Name: "its token is refused", As: "s", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "one that never was", As: "client", Do: "DELETE " + sessionsPath + "/1", Status: 404, Want: missing},
		testkit.Call{Name: "list again", As: "client", Do: "POST " + sessionsPath + "/search", Body: `{}`, Want: `{"details":{"totalResult":"1"},"sessions":[{"id":"$empty"}]}`},
	)
}

// TestSessionsExpire: from the end of its lifetime on, a session is worth nothing.
func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	c := newSession("s", with("ada"), "session.user.checked", "session.password.checked", "session.lifetime.set")
	c.Body = strings.TrimSuffix(c.Body, "}") + `,"lifetime":"600s"}`
	s.Run(t, c)
	s.Clock.Advance(9 * time.Minute)
	s.Run(t, testkit.Call{Name: "before", As: "s", Do: "GET /auth/v1/users/me"})
	s.Clock.Advance(2 * time.Minute)
	s.Run(t,
		testkit.Call{Name: "after", As: "s", Do: "GET /auth/v1/users/me", Status: 401},
		testkit.Call{Name: "it shows", As: "client", Do: "GET " + sessionsPath + "/$s", Want: `{"session":{"expirationDate":"*"}}`},
		testkit.Call{Name: "its token shows nothing", As: "owner", Do: "GET " + sessionsPath + "/$s?sessionToken=$sToken"},
		testkit.Call{Name: "it cannot go on", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"lifetime":"60s"}`, Status: 400, Want: `{"code":9,"details":[{"id":"SESSION-expired"}]}`},
		testkit.Call{Name: "but end", As: "client", Do: "DELETE " + sessionsPath + "/$s", Events: []string{"session.terminated"}},
	)
}
