package test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

const refreshRevoked = "oidc_session.refresh_token.revoked"

// TestMyRefreshTokens: people see where they are logged in and end it, for themselves
// only.
func TestMyRefreshTokens(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	const path = "/auth/v1/users/me/tokens/refresh"
	first := web.login(t)
	s.Set("web", web.id)
	person(t, s, s.OrgID, "bob")
	s.Run(t, newSession("bobs", with("bob"), checkedPassword...))
	s.Run(t, testkit.Call{
		Name: "hers", As: "login", Do: "POST " + path + "/_search", Body: `{}`, Keep: map[string]string{"family": "result.0.id"},
		Want: `{"details":{"totalResult":"1"},"result":[{"id":"*","details":{"sequence":"*","resourceOwner":"$org"},"clientId":"$web","authTime":"*","idleExpiration":"*","expiration":"*","scopes":["openid","profile","email","offline_access"],"audience":"*"}]}`,
	})
	second := web.refresh(t, first.Refresh)
	s.Run(t,
		testkit.Call{Name: "the same when refreshed", As: "login", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"result":[{"id":"$family"}]}`},
		testkit.Call{Name: "not of others", As: "bobs", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{Name: "who end nothing", As: "bobs", Do: "DELETE " + path + "/$family", Status: 404, Want: `{"code":5,"details":[{"id":"OIDC-refresh-missing"}]}`},
		testkit.Call{Name: "nor all", As: "bobs", Do: "POST " + path + "/_revoke_all", Body: `{}`},
		testkit.Call{Name: "she does", As: "login", Do: "DELETE " + path + "/$family", Want: `{"details":{"resourceOwner":"$org"}}`, Events: []string{refreshRevoked}},
		testkit.Call{Name: "once", As: "login", Do: "DELETE " + path + "/$family", Status: 404},
	)
	refusedWith(t, "the refresh token", web.refresh(t, second.Refresh), "invalid_grant", "OIDC-refresh")
	if status, _ := userinfo(t, s, second.Access); status != http.StatusUnauthorized {
		t.Errorf("the access token at userinfo: %d", status)
	}
	web.login(t)
	plain := web.login(t, "scope", "openid")
	third := web.login(t)
	s.Run(t,
		testkit.Call{Name: "two", As: "login", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"details":{"totalResult":"2"}}`},
		testkit.Call{Name: "tried", As: "login", Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}, Do: "POST " + path + "/_revoke_all", Body: `{}`},
		testkit.Call{Name: "all", As: "login", Do: "POST " + path + "/_revoke_all", Body: `{}`, Events: []string{refreshRevoked, refreshRevoked}},
		testkit.Call{Name: "are gone", As: "login", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"result":null}`},
	)
	refusedWith(t, "the last one's", web.refresh(t, third.Refresh), "invalid_grant", "OIDC-refresh")
	if status, _ := userinfo(t, s, plain.Access); status != http.StatusOK {
		t.Errorf("a login without a refresh token at userinfo: %d", status)
	}
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
