package test

import (
	"net/http"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
	"github.com/gatehouse/gatehouse/internal/user"
)

// TestRoundTrips bounds the exchanges with the database for one call: what makes
// a remote database fast is not to ask it often.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	testdb.Once(t)
	s := testkit.Start(t)
	s.Run(t, addPolicy(`"SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_U2F"`))
	for _, c := range []struct {
		do, body string
		most     int64
	}{
		{"GET " + loginPath, "", 2},
		{"POST " + loginPath + "/second_factors/_search", "", 2},
		{"GET /management/v1/orgs/me", "", 2},
		{"GET /v2/settings/login?ctx.orgId=$org", "", 2},
		{"GET /v2/settings/hosted_login_translation?organizationId=$org&locale=de", "", 2},
		{"POST /v2/settings/organization/search", "{}", 2},
		{"GET /v2/features/instance?inheritance=true", "", 2},
		{"GET /auth/v1/policies/login", "", 2},
		{"POST /admin/v1/views/_search", "", 2},
		{"POST /v2/users", `{}`, 2},
		{"POST /v2/users", `{"queries":[{"loginNameQuery":{"loginName":"ada"}}]}`, 2},
		{"POST /v2/users", `{"queries":[{"emailQuery":{"emailAddress":"ada@example.com"}}]}`, 2},
		{"POST /v2/users", `{"queries":[{"userNameQuery":{"userName":"a","method":3}}],"sortingColumn":"USER_FIELD_NAME_USER_NAME"}`, 2},
		{"GET /v2/users/$owner", "", 2},
		{"POST /v2/users/keys/search", `{}`, 2},
		{"GET /v2/users/$owner/authentication_methods", "", 2},
		{"POST /v2/users/$owner/authentication_factors/_search", "", 2},
		{"POST /v2/users/$owner/passkeys/_search", `{}`, 2},
		{"POST /zitadel.authorization.v2.AuthorizationService/ListAuthorizations", `{}`, 2},
		{"POST /management/v1/users/grants/_search", `{}`, 2},
		{"POST /auth/v1/permissions/me/_search", "", 2},
		{"GET /v2/web_keys", "", 2},
		{"GET /gatehouse/v1/web_keys/rotation", "", 2},
		{"POST /management/v1/users/$owner/auth_factors/_search", "", 2},
		{"POST /auth/v1/users/me/passwordless/_search", "", 2},
		{"POST /zitadel.internal_permission.v2.InternalPermissionService/ListAdministrators", `{}`, 2},
		{"POST /management/v1/projects/_search", `{}`, 2},
		{"POST /management/v1/projects/1/members/_search", `{}`, 2},
		{"POST /management/v1/projectgrants/_search", `{}`, 2},
		{"POST /zitadel.project.v2.ProjectService/ListProjects", `{}`, 2},
		{"POST /zitadel.project.v2.ProjectService/ListProjectRoles", `{"projectId":"1"}`, 2},
		{"DELETE " + loginPath + "/second_factors/1", "", 4},
		{"POST " + loginPath + "/second_factors", `{"type":1}`, 4},
		{"PUT /admin/v1/policies/login", `{"forceMfa":true}`, 4},
		{"POST /v2/users/human", `{"username":"eve","profile":{"givenName":"Eve","familyName":"Ng"},"email":{"email":"eve@example.com","isVerified":true}}`, 4},
	} {
		before := s.Trips()
		if r := s.Send(t, testkit.Call{Do: c.do, Body: c.body, Header: map[string]string{"Content-Type": "application/json"}}); r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", c.do, r.Status, r.Body)
		}
		trips := s.Trips() - before
		t.Logf("%s: %d round trips (PostgreSQL: %v)", c.do, trips, testdb.Postgres())
		if trips == 0 || trips > c.most {
			t.Errorf("%s: %d round trips, at most %d are allowed", c.do, trips, c.most)
		}
	}
}

// TestSessionRoundTrips is the same for sessions, and for calls with their tokens:
// what a token is worth is found out together with whose it is.
func TestSessionRoundTrips(t *testing.T) {
	t.Parallel()
	testdb.Once(t)
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	e := equip(t, s, "ada", user.TOTP)
	s.Run(t, newSession("s", with("ada", withTOTP), append(checkedPassword, "session.totp.checked")...))
	e.next(t)
	for _, c := range []struct {
		as, do, body string
		most         int64
	}{
		{"client", "POST " + sessionsPath, `{"checks":{"user":{"userId":"$ada"}}}`, 3},
		{"client", "POST " + sessionsPath, `{"checks":{"user":{"loginName":"ada"}}}`, 3},
		{"client", "GET /v2/sessions/$s", "", 2},
		{"client", "POST /v2/sessions/search", `{}`, 2},
		{"s", "GET /v2/sessions/$s", "", 2},
		{"s", "GET /auth/v1/users/me", "", 2},
		{"owner", "POST /gatehouse/v1/policies/login/_preview", `{"change":{"forceMfa":true}}`, 3}, // The policy first, and then the people.
		{"owner", "GET /gatehouse/v1/policies/enforcement", "", 2},
		{"owner", "GET /gatehouse/v1/policies/erasure", "", 2},
		{"client", "PATCH /v2/sessions/$s", `{"checks":{` + withTOTP + `}}`, 15},
		{"client", "DELETE /v2/sessions/$s", "", 4},
	} {
		before := s.Trips()
		if r := s.Send(t, testkit.Call{As: c.as, Do: c.do, Body: c.body}); r.Status/100 != 2 {
			t.Fatalf("%s: %d %s", c.do, r.Status, r.Body)
		}
		if trips := s.Trips() - before; trips == 0 || trips > c.most {
			t.Errorf("%s: %d round trips, at most %d are allowed", c.do, trips, c.most)
		}
	}
}

// TestRoundTripsOfTokens: what asks about a token costs one exchange for the client
// and one for the token.
func TestRoundTripsOfTokens(t *testing.T) {
	t.Parallel()
	testdb.Once(t)
	s, web := startOAuth(t)
	got := web.login(t)
	for name, c := range map[string]struct {
		most int64
		do   func() testkit.Reply
	}{
		"introspection": {2, func() testkit.Reply { return web.post(t, "/oauth/v2/introspect", values("token", got.Access)) }},
		"userinfo": {1, func() testkit.Reply {
			return s.Send(t, testkit.Call{As: "nobody", Do: "GET /oidc/v1/userinfo", Header: map[string]string{"Authorization": "Bearer " + got.Access}})
		}},
		"discovery": {1, func() testkit.Reply {
			return s.Send(t, testkit.Call{As: "nobody", Do: "GET /.well-known/openid-configuration"})
		}},
		"keys": {1, func() testkit.Reply { return s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/keys"}) }},
	} {
		before := s.Trips()
		if r := c.do(); r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, r.Status, r.Body)
		}
		if trips := s.Trips() - before; trips == 0 || trips > c.most {
			t.Errorf("%s: %d round trips, at most %d are allowed", name, trips, c.most)
		}
	}
}
