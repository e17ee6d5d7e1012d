package test

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestMyRefreshTokens: users see which applications can renew their logins, and end
// them; nobody else does so here.
func TestMyRefreshTokens(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	person(t, s, s.OrgID, "bob")
	s.Run(t,
		newSession("bobs", with("bob"), "session.user.checked", "session.password.checked"),
		testkit.Call{
			Name: "settings", Do: "PUT /admin/v1/settings/oidc", Events: []string{"instance.oidc.settings.changed"},
			Body: `{"accessTokenLifetime":"600s","idTokenLifetime":"600s","refreshTokenIdleExpiration":"3600s","refreshTokenExpiration":"7200s"}`,
		},
	)
	s.SetToken("ada", s.TokenOf(t, "login"))
	s.SetToken("bob", s.TokenOf(t, "bobs"))
	first, second := web.login(t), web.login(t)
	short := web.login(t, "scope", "openid")
	const path = "/auth/v1/users/me/tokens/refresh"
	s.Run(t,
		testkit.Call{
			Name: "list", As: "ada", Do: "POST " + path + "/_search", Body: `{}`, Keep: map[string]string{"newest": "result.0.id", "oldest": "result.1.id"},
			Want: `{"details":{"totalResult":"2"},"result":[{"id":"*","details":{"sequence":"*","creationDate":"*","changeDate":"*","resourceOwner":"$org"},"clientId":"$web","authTime":"*",
				"idleExpiration":"*","expiration":"*","scopes":["openid","profile","email","offline_access"],"audience":["$web","$project"]},{"clientId":"$web"}]}`,
		},
		testkit.Call{Name: "of nobody else", As: "bob", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"details":{"totalResult":null},"result":null}`},
		testkit.Call{Name: "nor revoked by others", As: "bob", Do: "DELETE " + path + "/$newest", Status: 404, Want: `{"details":[{"id":"OIDC-login"}]}`},
		testkit.Call{Name: "nor all of them", As: "bob", Do: "POST " + path + "/_revoke_all", Body: `{}`},
		testkit.Call{Name: "an unknown one", As: "ada", Do: "DELETE " + path + "/1", Status: 404, Want: `{"details":[{"id":"OIDC-login"}]}`},
	)
	if !web.active(t, first.Access) {
		t.Error("others ended a login")
	}
	second = web.refresh(t, second.Refresh)
	s.Run(t,
		testkit.Call{Name: "its id stays", As: "ada", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"result":[{"id":"$newest"},{"id":"$oldest"}]}`},
		testkit.Call{
			Name: "revoke", As: "ada", Do: "DELETE " + path + "/$newest", Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$org"}}`,
			Events: []string{"oidc_session.refresh_token.revoked"},
		},
		testkit.Call{Name: "once", As: "ada", Do: "DELETE " + path + "/$newest", Status: 404},
	)
	if web.active(t, second.Access) || !web.active(t, first.Access) {
		t.Error("it is another login that ended")
	}
	refusedWith(t, "refresh", web.refresh(t, second.Refresh), "invalid_grant", "OIDC-refresh")
	web.login(t)
	s.Run(t,
		testkit.Call{Name: "all", As: "ada", Do: "POST " + path + "/_revoke_all", Body: `{}`, Events: []string{"oidc_session.refresh_token.revoked", "oidc_session.refresh_token.revoked"}},
		testkit.Call{Name: "none is left", As: "ada", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"details":{"totalResult":null},"result":null}`},
		testkit.Call{Name: "which is fine", As: "ada", Do: "POST " + path + "/_revoke_all", Body: `{}`},
	)
	if web.active(t, first.Access) || !web.active(t, short.Access) {
		t.Error("the logins that can be renewed end, and no other")
	}
	web.login(t)
	s.Clock.Advance(time.Hour)
	s.Run(t, testkit.Call{Name: "what ended by itself", As: "ada", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"details":{"totalResult":null},"result":null}`})
}

// TestOIDCInformation: where applications find everything out is told to everybody.
func TestOIDCInformation(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{
			Name: "anybody", As: "nobody", Do: "GET /management/v1/zitadel/docs",
			Want: `{"issuer":"http://localhost","discoveryEndpoint":"http://localhost/.well-known/openid-configuration"}`,
		},
		testkit.Call{Name: "it is true", As: "nobody", Do: "GET /.well-known/openid-configuration", Want: `{"issuer":"http://localhost"}`},
		testkit.Call{Name: "not where there is no instance", As: "nobody", Host: "nowhere.example", Do: "GET /management/v1/zitadel/docs", Status: 404},
	)
}

// TestMyUserSessions: people see their sessions, and nobody else's.
func TestMyUserSessions(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	const path = "POST /auth/v1/users/me/sessions/_search"
	person(t, s, s.OrgID, "ada")
	person(t, s, s.OrgID, "bob")
	s.Run(t, newSession("one", with("ada"), checkedPassword...), newSession("two", with("ada"), checkedPassword...), newSession("bobs", with("bob"), checkedPassword...),
		testkit.Call{
			Name: "hers", As: "one", Do: path, Body: `{}`,
			Want: `{"result":[{"sessionId":"$two","userId":"$ada","authState":"SESSION_STATE_ACTIVE","userName":"ada","loginName":"ada","displayName":"ada Example","details":{"sequence":"*","creationDate":"*"}},{"sessionId":"$one"}]}`,
		},
		testkit.Call{Name: "end it", As: "client", Do: "DELETE " + sessionsPath + "/$two", Events: []string{"session.terminated"}},
	)
	short := newSession("short", with("ada"), checkedPassword...)
	short.Body = `{"lifetime":"60s",` + short.Body[1:]
	short.Events = slices.Insert(short.Events, len(short.Events)-1, "session.lifetime.set")
	s.Run(t, short)
	s.Clock.Advance(2 * time.Minute)
	s.Run(t, testkit.Call{Name: "those that have not ended", As: "one", Do: path, Body: `{}`, Want: `{"result":[{"sessionId":"$short","authState":"SESSION_STATE_TERMINATED"},{"sessionId":"$one","authState":"SESSION_STATE_ACTIVE"}]}`})
}
