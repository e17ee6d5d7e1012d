package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

func TestHumansV1(t *testing.T) {
	t.Parallel()
	s := startPeople(t)
	const path = "/management/v1/users"
	const profile = `"profile":{"firstName":"Ada","lastName":"Lovelace"}`
	id := map[string]string{"ada": "userId"}
	s.Run(t,
		testkit.Call{
			Name: "add", As: "clerk", Do: "POST " + path + "/human", Keep: id, Want: `{"userId":"*","details":{"sequence":"3","changeDate":"*","resourceOwner":"$acme"}}`,
			Body:   `{"userName":"ada",` + profile + `,"email":{"email":"ada@example.com"},"phone":{"phone":"+41 44 668 18 00","isPhoneVerified":true}}`,
			Events: []string{"user.human.added", "user.human.initialization.code.added", "user.human.phone.verified"},
		},
		testkit.Call{Name: "has not begun", As: "clerk", Do: "GET " + path + "/$ada", Want: `{"user":{"state":"USER_STATE_INITIAL"}}`},
		testkit.Call{Name: "who has not", As: "clerk", Do: "POST " + path + "/_search", Body: `{"queries":[{"stateQuery":{"state":"USER_STATE_INITIAL"}}]}`, Want: `{"result":[{"id":"$ada"}]}`},
		testkit.Call{Name: "nobody is suspended", As: "clerk", Do: "POST " + path + "/_search", Body: `{"queries":[{"stateQuery":{"state":"USER_STATE_SUSPEND"}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "resend", As: "clerk", Do: "POST " + path + "/$ada/_resend_initialization", Body: `{"email":"ada@example.org"}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.email.changed", "user.human.initialization.code.added"}},
		testkit.Call{Name: "get the profile", As: "clerk", Do: "GET " + path + "/$ada/profile", Want: `{"details":{"sequence":"*"},"profile":{"firstName":"Ada","lastName":"Lovelace","displayName":"Ada Lovelace"}}`},
		testkit.Call{Name: "change it", As: "clerk", Do: "PUT " + path + "/$ada/profile", Body: `{"firstName":"Augusta","lastName":"King","displayName":"Ada","gender":1}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.profile.changed"}},
		testkit.Call{Name: "to the same", As: "clerk", Do: "PUT " + path + "/$ada/profile", Body: `{"firstName":"Augusta","lastName":"King","displayName":"Ada","gender":1}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "of a machine", As: "clerk", Do: "GET " + path + "/$boss/profile", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "a gender that is none", As: "clerk", Do: "PUT " + path + "/$ada/profile", Body: `{"firstName":"Augusta","lastName":"King","displayName":"Ada","gender":7}`, Status: 400},
		testkit.Call{Name: "from elsewhere", Do: "GET " + path + "/$ada/profile", Status: 404},
		testkit.Call{Name: "get the address", As: "clerk", Do: "GET " + path + "/$ada/email", Want: `{"email":{"email":"ada@example.org","isEmailVerified":null}}`},
		testkit.Call{Name: "resend the code", As: "clerk", Do: "POST " + path + "/$ada/email/_resend_verification", Body: `{}`, Events: []string{"user.human.email.code.added"}},
		testkit.Call{Name: "vouch for it", As: "clerk", Do: "PUT " + path + "/$ada/email", Body: `{"email":"ada@example.org","isEmailVerified":true}`, Events: []string{"user.human.email.verified"}},
		testkit.Call{Name: "has begun", As: "clerk", Do: "POST " + path + "/$ada/_resend_initialization", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "another address", As: "clerk", Do: "PUT " + path + "/$ada/email", Body: `{"email":"ada@example.net"}`, Events: []string{"user.human.email.changed", "user.human.email.code.added"}},
		testkit.Call{Name: "none", As: "clerk", Do: "PUT " + path + "/$ada/email", Body: `{"email":"ada"}`, Status: 400},
		testkit.Call{Name: "get the number", As: "clerk", Do: "GET " + path + "/$ada/phone", Want: `{"phone":{"phone":"+41446681800","isPhoneVerified":true}}`},
		testkit.Call{Name: "another", As: "clerk", Do: "PUT " + path + "/$ada/phone", Body: `{"phone":"+41446681801"}`, Events: []string{"user.human.phone.changed", "user.human.phone.code.added"}},
		testkit.Call{Name: "resend the code", As: "clerk", Do: "POST " + path + "/$ada/phone/_resend_verification", Body: `{}`, Events: []string{"user.human.phone.code.added"}},
		testkit.Call{Name: "remove it", As: "clerk", Do: "DELETE " + path + "/$ada/phone", Events: []string{"user.human.phone.removed"}},
		testkit.Call{Name: "once", As: "clerk", Do: "DELETE " + path + "/$ada/phone", Status: 400},
		testkit.Call{Name: "rename", As: "clerk", Do: "PUT " + path + "/$ada/username", Body: `{"userName":"countess"}`, Events: []string{"user.username.changed"}},
		testkit.Call{
			Name: "with a password", As: "clerk", Do: "POST " + path + "/human", Body: `{"userName":"bob",` + profile + `,"email":{"email":"bob@example.com","isEmailVerified":true},"initialPassword":"Secret-1234"}`,
			Keep: map[string]string{"bob": "userId"}, Events: []string{"user.human.added", "user.human.email.verified"},
		},
		testkit.Call{Name: "is to be changed", As: "clerk", Do: "GET /v2/users/$bob", Want: `{"user":{"state":"USER_STATE_ACTIVE","human":{"passwordChangeRequired":true}}}`},
		testkit.Call{
			Name: "import", As: "clerk", Do: "POST " + path + "/human/_import", Want: `{"userId":"*","details":{"changeDate":"*"}}`,
			Body:   `{"userName":"carl",` + profile + `,"email":{"email":"carl@example.com"},"hashedPassword":{"value":"$2y$12$hXUrnqdq1RIIYZ2HPytIIe5lXdIvbhqrTvdPsSF7o.jFh817Z6lwm"}}`,
			Events: []string{"user.human.added", "user.human.email.code.added"},
		},
		testkit.Call{Name: "a factor", As: "clerk", Do: "POST " + path + "/human/_import", Body: `{"userName":"x",` + profile + `,"email":{"email":"x@example.com"},"otpCode":"x"}`, Status: 501},
		testkit.Call{Name: "a weak password", As: "clerk", Do: "POST " + path + "/human/_import", Body: `{"userName":"x",` + profile + `,"email":{"email":"x@example.com"},"password":"x"}`, Status: 400},
		testkit.Call{Name: "not by strangers", As: "guest", Do: "POST " + path + "/human", In: "$acme", Body: `{"userName":"x",` + profile + `,"email":{"email":"x@example.com"}}`, Status: 404},
		testkit.Call{
			Name: "set up an organization", Do: "POST /admin/v1/orgs/_setup", Want: `{"details":{"creationDate":"*"},"orgId":"*","userId":"*"}`, Keep: map[string]string{"new": "orgId", "eve": "userId"},
			Body: `{"org":{"name":"New","domain":"new.example"},"human":{"userName":"eve",` + profile + `,"email":{"email":"eve@new.example","isEmailVerified":true},"password":"Secret-1234"}}`,
			Events: []string{
				"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.domain.added", "org.domain.verified",
				"user.human.added", "user.human.email.verified", "org.member.added",
			},
		},
		testkit.Call{Name: "she owns it", Do: "POST /management/v1/orgs/me/members/_search", In: "$new", Body: `{}`, Want: `{"result":[{"userId":"$eve","roles":["ORG_OWNER"],"email":"eve@new.example"}]}`},
		testkit.Call{Name: "a role that is none", Do: "POST /admin/v1/orgs/_setup", Body: `{"org":{"name":"Newer"},"human":{"userName":"eva",` + profile + `,"email":{"email":"eve@new.example"}},"roles":["KING"]}`, Status: 400},
		testkit.Call{Name: "nobody else may", As: "boss", Do: "POST /admin/v1/orgs/_setup", Body: `{"org":{"name":"Newer"},"human":{"userName":"eve",` + profile + `,"email":{"email":"eve@new.example"}}}`, Status: 403},
	)
}

func TestMyself(t *testing.T) {
	t.Parallel()
	s := startPeople(t)
	s.Run(t, testkit.Call{
		Name: "add", As: "clerk", Do: "POST /v2/users/human", Body: `{"userId":"ada","username":"ada",` + adaWith(`,"isVerified":true`) + `}`,
		Events: []string{"user.human.added", "user.human.email.verified"},
	})
	s.login(t, "acme", "ada")
	const path = "/auth/v1/users/me"
	s.Run(t,
		testkit.Call{Name: "get the profile", As: "ada", Do: "GET " + path + "/profile", Want: `{"details":{"resourceOwner":"$acme"},"profile":{"firstName":"Ada","gender":"GENDER_FEMALE"}}`},
		testkit.Call{Name: "change it", As: "ada", Do: "PUT " + path + "/profile", Body: `{"firstName":"Ada","lastName":"King","displayName":"Ada"}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.profile.changed"}},
		testkit.Call{Name: "a machine has none", As: "boss", Do: "GET " + path + "/profile", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "get the address", As: "ada", Do: "GET " + path + "/email", Want: `{"email":{"email":"Ada@example.com","isEmailVerified":true}}`},
		testkit.Call{Name: "another", As: "ada", Do: "PUT " + path + "/email", Body: `{"email":"b@example.com"}`, Events: []string{"user.human.email.changed", "user.human.email.code.added"}},
		testkit.Call{Name: "resend the code", As: "ada", Do: "POST " + path + "/email/_resend_verification", Body: `{}`, Events: []string{"user.human.email.code.added"}},
		testkit.Call{Name: "a wrong one", As: "ada", Do: "POST " + path + "/email/_verify", Body: `{"code":"x"}`, Status: 400, Events: []string{"user.human.email.verification.failed"}},
	)
	s.sent(t, "ada", user.ToVerifyEmail)
	s.Run(t,
		testkit.Call{Name: "verify", As: "ada", Do: "POST " + path + "/email/_verify", Body: `{"code":"$code"}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.email.verified"}},
		testkit.Call{Name: "no number", As: "ada", Do: "GET " + path + "/phone", Want: `{"phone":null}`},
		testkit.Call{Name: "a number", As: "ada", Do: "PUT " + path + "/phone", Body: `{"phone":"+41446681800"}`, Events: []string{"user.human.phone.changed", "user.human.phone.code.added"}},
		testkit.Call{Name: "resend the code", As: "ada", Do: "POST " + path + "/phone/_resend_verification", Body: `{}`, Events: []string{"user.human.phone.code.added"}},
	)
	s.sent(t, "ada", user.ToVerifyPhone)
	s.Run(t,
		testkit.Call{Name: "verify", As: "ada", Do: "POST " + path + "/phone/_verify", Body: `{"code":"$code"}`, Events: []string{"user.human.phone.verified"}},
		testkit.Call{Name: "shows", As: "ada", Do: "GET " + path + "/phone", Want: `{"phone":{"phone":"+41446681800","isPhoneVerified":true}}`},
		testkit.Call{Name: "remove it", As: "ada", Do: "DELETE " + path + "/phone", Events: []string{"user.human.phone.removed"}},
		testkit.Call{Name: "rename", As: "ada", Do: "PUT " + path + "/username", Body: `{"userName":"countess"}`, Events: []string{"user.username.changed"}},
		testkit.Call{Name: "to a name that is taken", As: "ada", Do: "PUT " + path + "/username", Body: `{"userName":"BOSS"}`, Status: 409},
		testkit.Call{Name: "over v2", As: "ada", Do: "PUT /v2/users/human/ada", Body: `{"username":"ada","profile":{"givenName":"Ada","familyName":"King"},"email":{"email":"c@example.com"}}`, Events: []string{"user.username.changed", "user.human.profile.changed", "user.human.email.changed", "user.human.email.code.added"}},
		testkit.Call{Name: "a number", As: "ada", Do: "POST /v2/users/ada/phone", Body: `{"phone":"+41446681800"}`, Events: []string{"user.human.phone.changed", "user.human.phone.code.added"}},
		testkit.Call{Name: "no second factor", As: "ada", Do: "POST /v2/users/ada/mfa_init_skipped", Body: `{}`, Events: []string{"user.human.mfa.init.skipped"}},
		testkit.Call{Name: "one's metadata", As: "ada", Do: "POST /v2/users/ada/metadata/search", Body: `{}`, Want: `{"pagination":{"appliedLimit":"100"}}`},
	)
	// What would let her claim what is not hers, or give her more.
	for _, c := range []testkit.Call{
		{Name: "a verified address", Do: "POST /v2/users/ada/email", Body: `{"email":"x@example.com","isVerified":true}`},
		{Name: "the code of an address", Do: "POST /v2/users/ada/email", Body: `{"email":"x@example.com","returnCode":{}}`},
		{Name: "the code again", Do: "POST /v2/users/ada/email/resend", Body: `{"returnCode":{}}`},
		{Name: "the code anew", Do: "POST /v2/users/ada/email/send", Body: `{"returnCode":{}}`},
		{Name: "a verified number", Do: "POST /v2/users/ada/phone", Body: `{"phone":"+41446681809","isVerified":true}`},
		{Name: "the code of a number", Do: "POST /v2/users/ada/phone", Body: `{"phone":"+41446681809","returnCode":{}}`},
		{Name: "the code of the number again", Do: "POST /v2/users/ada/phone/resend", Body: `{"returnCode":{}}`},
		{Name: "by an update", Do: "PUT /v2/users/human/ada", Body: `{"email":{"email":"x@example.com","isVerified":true}}`},
		{Name: "by a patch", Do: "PATCH /v2/users/ada", Body: `{"human":{"phone":{"phone":"+41446681809","returnCode":{}}}}`},
		{Name: "metadata", Do: "PATCH /v2/users/ada", Body: `{"human":{},"metadata":[{"key":"role","value":"eA=="}]}`},
		{Name: "metadata alone", Do: "POST /v2/users/ada/metadata", Body: `{"metadata":[{"key":"role","value":"eA=="}]}`},
		{Name: "an invitation", Do: "POST /v2/users/ada/invite_code", Body: `{"returnCode":{}}`},
		{Name: "over v1", Do: "PUT /management/v1/users/ada/email", Body: `{"email":"x@example.com","isEmailVerified":true}`},
		{Name: "an end without the permission", Do: "DELETE " + path},
		{Name: "somebody else", Do: "PUT /v2/users/human/$boss", Body: `{"username":"x"}`},
	} {
		c.As, c.Status = "ada", 404
		s.Run(t, c)
	}
	s.Run(t,
		testkit.Call{Name: "make her a member", Do: "POST /management/v1/orgs/me/members", In: "$acme", Body: `{"userId":"ada","roles":["ORG_USER_SELF_MANAGER"]}`, Events: []string{"org.member.added"}},
		testkit.Call{Name: "may still not vouch for herself", As: "ada", Do: "POST /v2/users/ada/email", Body: `{"email":"x@example.com","isVerified":true}`, Status: 403},
		testkit.Call{Name: "end herself", As: "ada", Do: "DELETE " + path, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.removed", "org.member.cascade.removed"}},
		testkit.Call{Name: "is gone", As: "ada", Do: "GET " + path, Status: 401},
		testkit.Call{Name: "who may not, stays", Do: "DELETE " + path, Status: 403},
	)
}
