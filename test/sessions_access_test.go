package test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

var checkedPassword = []string{"session.user.checked", "session.password.checked"}

// twoOrgs has a session of ada, who is of Acme, and one of bob, of Other. boss and
// clerk administer Acme; guest is of Other.
func twoOrgs(t *testing.T) *testkit.Server {
	t.Helper()
	s, _ := startSessions(t)
	inAll(t, s)
	person(t, s, s.Var("acme"), "ada")
	person(t, s, s.Var("other"), "bob")
	s.Run(t,
		newSession("s", with("ada"), checkedPassword...),
		newSession("b", with("bob"), checkedPassword...),
		newSession("nobody's", ``),
	)
	return s
}

// TestWhoMayUseSessions: without a permission or the session's own token, a session
// is as if it were not there.
func TestWhoMayUseSessions(t *testing.T) {
	t.Parallel()
	s := twoOrgs(t)
	const one, missing = sessionsPath + "/$s", `{"code":5,"message":"There is no such session. (SESSION-missing)"}`
	refused := func(as, do, body string) testkit.Call {
		return testkit.Call{Name: as + " " + do + " " + body, As: as, Do: do, Body: body, Status: 404, Want: missing}
	}
	s.Run(t,
		testkit.Call{Name: "create without a role", As: "guest", Do: "POST " + sessionsPath, Body: `{}`, Status: 404, Want: `{"details":[{"id":"AUTHZ-cdgFk"}]}`},
		testkit.Call{Name: "as an owner of an organization", As: "boss", Do: "POST " + sessionsPath, Body: `{}`, Status: 403, Want: `{"details":[{"id":"AUTH-5mWD2"}]}`},
		testkit.Call{Name: "as a person", As: "s", Do: "POST " + sessionsPath, Body: `{}`, Status: 404},
		testkit.Call{Name: "without a token", As: "nobody", Do: "GET " + one + "?sessionToken=$sToken", Status: 401},
		refused("guest", "GET "+one, ""), refused("guest", "PATCH "+one, `{}`), refused("guest", "DELETE "+one, ""),
		refused("guest", "GET "+sessionsPath+"/1", ""), refused("guest", "PATCH "+sessionsPath+"/1", `{}`), refused("guest", "DELETE "+sessionsPath+"/1", ""),
		refused("guest", "GET "+one+"?sessionToken=$bToken", ""), refused("guest", "PATCH "+one, `{"sessionToken":"$bToken"}`),
		refused("guest", "DELETE "+one, `{"sessionToken":"$bToken"}`), refused("guest", "DELETE "+one, `{"sessionToken":""}`),
		refused("b", "GET "+one, ""), refused("b", "PATCH "+one, `{}`), refused("b", "DELETE "+one, ""),
		refused("guest", "GET "+sessionsPath+"/$nobody's", ""),
		// Owners of organizations read and end sessions of their people, and write none.
		testkit.Call{Name: "boss reads", As: "boss", Do: "GET " + one, Want: `{"session":{"id":"$s"}}`},
		refused("boss", "GET "+sessionsPath+"/$b", ""), refused("boss", "PATCH "+one, `{}`), refused("boss", "DELETE "+sessionsPath+"/$b", ""),
		// The session's own token is enough, beside or as the caller's.
		testkit.Call{Name: "with the token", As: "guest", Do: "GET " + one + "?sessionToken=$sToken", Want: `{"session":{"id":"$s"}}`},
		testkit.Call{Name: "as the session", As: "s", Do: "GET " + one, Want: `{"session":{"id":"$s"}}`},
		testkit.Call{
			Name: "set with the token", As: "guest", Do: "PATCH " + one, Body: `{"sessionToken":"$sToken","metadata":{"a":"YQ=="}}`,
			Keep: map[string]string{"old": "sessionToken"}, Token: "sessionToken", KeepAs: "s", Events: []string{"session.metadata.set", "session.token.set"},
		},
		refused("guest", "PATCH "+one, `{"sessionToken":"$sToken"}`), refused("guest", "GET "+one+"?sessionToken=$sToken", ""),
		testkit.Call{
			Name: "set as the session", As: "s", Do: "PATCH " + one, Body: `{"lifetime":"60s"}`,
			Keep: map[string]string{"sToken": "sessionToken"}, Events: []string{"session.lifetime.set", "session.token.set"},
		},
		testkit.Call{Name: "its old token is nobody's", As: "s", Do: "GET /auth/v1/users/me", Status: 401},
		newSession("mine", with("ada"), checkedPassword...),
		testkit.Call{Name: "one's other session", As: "mine", Do: "GET " + one, Want: `{"session":{"id":"$s"}}`},
		refused("mine", "PATCH "+one, `{}`),
		testkit.Call{Name: "end it", As: "mine", Do: "DELETE " + one, Events: []string{"session.terminated"}},
		testkit.Call{Name: "end with the token", As: "guest", Do: "DELETE " + sessionsPath + "/$b", Body: `{"sessionToken":"$bToken"}`, Events: []string{"session.terminated"}},
		testkit.Call{Name: "again", As: "guest", Do: "DELETE " + sessionsPath + "/$b", Body: `{"sessionToken":"$bToken"}`},
		testkit.Call{Name: "clerk ends", As: "clerk", Do: "DELETE " + sessionsPath + "/$mine", Events: []string{"session.terminated"}},
	)
}

// TestSessionLists: each sees their own sessions and those that they may read, in
// the page as in the total; every condition narrows that down.
func TestSessionLists(t *testing.T) {
	t.Parallel()
	s := twoOrgs(t)
	list := func(name, as, body, want string) testkit.Call {
		return testkit.Call{Name: name, As: as, Do: "POST " + sessionsPath + "/search", Body: body, Want: want}
	}
	query := func(name, as, query, want string) testkit.Call {
		return list(name, as, `{"query":{"asc":true},"sortingColumn":1,"queries":[`+query+`]}`, want)
	}
	const none, first, second = `{"details":{"totalResult":null},"sessions":null}`, `{"details":{"totalResult":"1"},"sessions":[{"id":"$s"}]}`, `{"details":{"totalResult":"1"},"sessions":[{"id":"$b"}]}`
	in := func(agent string) string { return `{"userAgentQuery":{"fingerprintId":"` + agent + `"}}` }
	tablet := newSession("tablet", with("ada"), append(checkedPassword, "session.lifetime.set")...)
	tablet.Body = `{"checks":{` + with("ada") + `},"userAgent":{"fingerprintId":"tab"},"lifetime":"3600s"}`
	s.Run(t,
		list("all", "client", `{}`, `{"details":{"totalResult":"3"}}`),
		list("the caller's", "s", `{}`, first), list("of nobody", "guest", `{}`, none),
		list("of the people", "clerk", `{}`, first), list("of their people", "boss", `{}`, first),
		query("ids", "client", `{"idsQuery":{"ids":["$s","1"]}}`, first), query("no ids", "client", `{"idsQuery":{}}`, none),
		query("ids that are not theirs", "boss", `{"idsQuery":{"ids":["$s","$b"]}}`, first),
		query("user", "client", `{"userIdQuery":{"id":"$bob"}}`, second), query("another's user", "s", `{"userIdQuery":{"id":"$bob"}}`, none),
		query("creator", "client", `{"creatorQuery":{}}`, `{"details":{"totalResult":"3"}}`),
		query("another creator", "client", `{"creatorQuery":{"id":"$owner"}}`, none), query("creator, narrowed", "boss", `{"creatorQuery":{"id":"$client"}}`, first),
		query("created", "client", `{"creationDateQuery":{"creationDate":"2100-01-01T00:00:00Z","method":3}},{"idsQuery":{"ids":["$b"]}}`, second),
		query("created later", "client", `{"creationDateQuery":{"creationDate":"2100-01-01T00:00:00Z","method":1}}`, none),
		tablet,
		query("agent", "client", in("tab"), `{"sessions":[{"id":"$tablet","userAgent":{"fingerprintId":"tab"}}]}`), query("another agent", "client", in("f"), none),
		query("one's own agent", "tablet", `{"userAgentQuery":{}}`, `{"sessions":[{"id":"$tablet"}]}`), query("without one", "s", `{"userAgentQuery":{}}`, none),
		testkit.Call{Name: "whose agent", As: "client", Do: "POST " + sessionsPath + "/search", Body: `{"queries":[{"userAgentQuery":{}}]}`, Status: 400},
		query("ends", "client", `{"expirationDateQuery":{"expirationDate":"2100-01-01T00:00:00Z","method":4}}`, `{"details":{"totalResult":"1"},"sessions":[{"id":"$tablet"}]}`),
		query("ends later", "client", `{"expirationDateQuery":{"expirationDate":"2100-01-01T00:00:00Z","method":1}}`, `{"details":{"totalResult":"3"}}`),
		list("a page", "client", `{"query":{"asc":true,"offset":"1","limit":1}}`, `{"details":{"totalResult":"4"},"sessions":[{"id":"$b","factors":{"user":{"loginName":"bob","organizationId":"$other"}}}]}`),
		list("from the newest", "client", `{"query":{"limit":1}}`, `{"sessions":[{"id":"$tablet"}]}`),
		testkit.Call{Name: "no condition", As: "client", Do: "POST " + sessionsPath + "/search", Body: `{"queries":[{}]}`, Status: 400},
		testkit.Call{Name: "no column", As: "client", Do: "POST " + sessionsPath + "/search", Body: `{"sortingColumn":7}`, Status: 400},
	)
}

// TestSessionsEndWithTheirUser: who is locked, removed or made anew is not let in by
// a session from before.
func TestSessionsEndWithTheirUser(t *testing.T) {
	t.Parallel()
	s := twoOrgs(t)
	s.Run(t,
		me("before", "s", 200),
		testkit.Call{Name: "lock", As: "boss", Do: "POST /v2/users/$ada/lock", Body: `{}`, Events: []string{"user.locked"}},
		me("is locked", "s", 401),
		testkit.Call{Name: "is not checked", As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"checks":{"password":{"password":"` + password + `"}}}`, Status: 400, Want: `{"details":[{"id":"SESSION-user-state"}]}`},
		testkit.Call{Name: "nor named", As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{"user":{"loginName":"ada"}}}`, Status: 400, Want: `{"details":[{"id":"SESSION-user-state"}]}`},
		testkit.Call{Name: "unlock", As: "boss", Do: "POST /v2/users/$ada/unlock", Body: `{}`, Events: []string{"user.unlocked"}},
		me("is back", "s", 200),
		testkit.Call{Name: "deactivate the organization", As: "boss", In: "$acme", Do: "POST /management/v1/orgs/me/_deactivate", Body: `{}`, Events: []string{"org.deactivated"}},
		me("its people are out", "s", 401), me("others are not", "b", 200),
	)
	anew := s.Var("bob")
	ctx := authz.AsSystem(context.Background(), s.InstanceID)
	// The user alone, as if the session were of a call that was let in before.
	err := s.Store.Write(ctx, func(tx *eventstore.Tx) error {
		_, err := user.Remove(tx, s.InstanceID, s.Var("other"), anew, false)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t, me("is gone", "b", 401))
	err = s.Store.Write(ctx, func(tx *eventstore.Tx) error {
		_, err := user.AddHuman(tx, s.InstanceID, s.Var("other"), anew, &user.Human{UserName: "bob", FirstName: "Bob", LastName: "Anew", Email: "bob@example.com"}, user.Password{Hash: hash()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t,
		me("somebody else of the same id is not let in", "b", 401),
		testkit.Call{Name: "nor shown", As: "client", Do: "GET " + sessionsPath + "/$b", Want: `{"session":{"factors":{"user":{"id":"$bob","loginName":null,"displayName":null}}}}`},
		testkit.Call{Name: "nor checked", As: "client", Do: "PATCH " + sessionsPath + "/$b", Body: `{"checks":{"password":{"password":"` + password + `"}}}`, Status: 400},
	)
}

// TestUnknownNamesAreNotTold: where the login policy says so, a name that nobody has
// looks like one that somebody has, with a wrong password.
func TestUnknownNamesAreNotTold(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	person(t, s, s.OrgID, "bare")
	person(t, s, s.OrgID, "locked")
	equip(t, s, "ada")
	s.Run(t,
		testkit.Call{Name: "lock", Do: "POST /v2/users/$locked/lock", Body: `{}`, Events: []string{"user.locked"}},
		testkit.Call{
			Name: "ignore", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"},
			Body: `{"allowUsernamePassword":true,"ignoreUnknownUsernames":true,"passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s"}`,
		},
	)
	for _, name := range []string{"ada", "bare", "eve", "locked", "eve@example.com"} {
		check := testkit.Call{As: "client", Do: "PATCH " + sessionsPath + "/$s", Status: 400, Want: `{"code":3,"message":"The password is wrong. (COMMAND-3M0fs)","details":[{"failedAttempts":null}]}`, Body: `{"checks":{"password":{"password":"x"}}}`}
		at := func(label string, c testkit.Call) testkit.Call { c.Name = name + " " + label; return c }
		named := newSession("s", `"user":{"loginName":"`+name+`"}`, "session.user.checked")
		code := check
		switch name { // The log tells of tries, the answer does not.
		case "ada":
			check.Events, code.Events = []string{checkFailed}, []string{totpFailed}
		case "bare":
			check.Events = []string{checkFailed}
		}
		code.Body, code.Want = `{"checks":{"totp":{"code":"000000"}}}`, `{"code":3,"message":"The code is wrong. (USER-code-wrong)"}`
		unsent := check
		unsent.Events, unsent.Body, unsent.Want = nil, `{"checks":{"otpSms":{"code":"1"}}}`, refusedFactor
		once := testkit.Call{As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{"user":{"loginName":"` + name + `"},"password":{"password":"x"}}}`, Status: 400, Want: check.Want, Events: check.Events}
		s.Run(t, at("named", named), at("password", check), at("code", code), at("message", unsent), at("at once", once), me(name+" calls nothing", "s", 401))
	}
	s.Run(t,
		newSession("eve", `"user":{"loginName":"eve"}`, "session.user.checked"),
		testkit.Call{Name: "with the password of somebody", As: "client", Do: "PATCH " + sessionsPath + "/$eve", Body: `{"checks":{"password":{"password":"` + password + `"}}}`, Status: 400},
		testkit.Call{Name: "does not become somebody", As: "client", Do: "PATCH " + sessionsPath + "/$eve", Body: `{"checks":{` + with("ada") + `}}`, Status: 400, Events: []string{checkPassed}},
	)
}

// TestNobodyIsDowngraded: who has proved a factor that is removed, where one is
// demanded, is asked to set up another one, and told when none is left.
func TestNobodyIsDowngraded(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	equip(t, s, "ada", user.TOTP)
	ownPolicy(t, s, `,"forceMfa":true`, "1,2", "")
	s.Run(t, newSession("s", with("ada", withTOTP), append(checkedPassword, "session.totp.checked")...), me("let in", "s", 200))
	need := func(want assurance.Need, options ...assurance.Method) {
		t.Helper()
		a, err := flow.Assurance(context.Background(), s.Store, s.InstanceID, s.Var("s"))
		if err != nil || a.Need != want || len(a.Options.Methods()) != len(options) {
			t.Errorf("verdict %+v, want %v with %v (%v)", a.Verdict, want, options, err)
		}
	}
	need(assurance.Nothing)
	s.Run(t, testkit.Call{Name: "remove", Do: "DELETE " + loginPath + "/second_factors/1", Events: []string{removedFactor}}, me("not let in", "s", 401))
	need(assurance.Enrolment, assurance.U2F)
	s.Run(t, testkit.Call{Name: "remove the last", Do: "DELETE " + loginPath + "/second_factors/2", Events: []string{removedFactor}}, me("still not", "s", 401))
	need(assurance.Impossible)
	s.Run(t, testkit.Call{Name: "add", Do: "POST " + loginPath + "/second_factors", Body: `{"type":1}`, Events: []string{"org.policy.login.secondfactor.added"}}, me("again", "s", 200))
	s.Clock.Advance(19 * time.Hour)
	s.Run(t, me("a check gets old", "s", 401))
}

// TestTokensThatNameNoSession: those from before tokens did so are good until they end, and
// one that names another session than its own is worth nothing.
func TestTokensThatNameNoSession(t *testing.T) {
	t.Parallel()
	s := twoOrgs(t)
	keep := func(token string, byHash int) {
		t.Helper()
		if err := s.DB.Write(context.Background(), func(tx *database.Tx) error {
			tx.Exec(database.Statement{
				SQL:  "UPDATE sessions SET token_hash = ?, by_hash = ? WHERE session_id = ?",
				Args: []any{user.HashToken(token), byHash, s.Var("s")},
			})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(as string, status int) {
		t.Helper()
		s.Run(t, testkit.Call{Name: as, As: as, Do: "GET " + sessionsPath + "/$s", Status: status})
	}
	now := s.TokenOf(t, "s")
	chance, _ := user.NewToken()
	of := func(prefix, token string) string { return prefix + token[strings.LastIndexByte(token, '_')+1:] }
	before := of("gatehouse_session_", chance)
	s.SetToken("before", before)
	elsewhere, _ := user.NewSessionToken(s.Var("b"))
	s.SetToken("elsewhere", elsewhere)

	keep(before, 1)
	read("before", 200)
	read("s", 401)
	keep(elsewhere, 0)
	read("elsewhere", 401)
	keep(now, 0)
	read("s", 200)
	read("before", 401)
}
