package test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// people is a server with a desk at which tests read what was sent to humans.
type people struct {
	*testkit.Server
	vault *crypto.Vault
}

func startPeople(t *testing.T) people {
	t.Helper()
	var p people
	p.Server = testkit.Start(t, func(o *server.Options) { p.vault = o.Vault })
	inAll(t, p.Server)
	return p
}

// emitAlone writes an event as if its verb had.
func emitAlone[P any](t *testing.T, s *testkit.Server, k *eventstore.Kind[P], a eventstore.Aggregate, payload string) {
	t.Helper()
	err := s.Store.Write(authz.AsSystem(context.Background(), a.Instance), func(tx *eventstore.Tx) error { return emit(tx, k, a, payload) })
	if err != nil {
		t.Fatal(err)
	}
}

// login gives a human of an organization a token, in place of a login.
func (p people) login(t *testing.T, org, id string) {
	t.Helper()
	token, hash := user.NewToken()
	emitAlone(t, p.Server, user.PATAdded, eventstore.Aggregate{Instance: p.InstanceID, Type: "user", ID: id, Owner: p.Var(org)},
		`{"tokenId":"login-`+id+`","scopes":[],"hash":"`+hash+`"}`)
	p.SetToken(id, token)
}

// sent gives the code that was made for a human, as a variable named code.
func (p people) sent(t *testing.T, id string, purpose user.Purpose) {
	t.Helper()
	var found bool
	var sealed string
	if err := p.DB.Read(t.Context(), database.One(&found, "SELECT sealed FROM user_codes WHERE instance_id = ? AND user_id = ? AND purpose = ?",
		[]any{p.InstanceID, id, string(purpose)}, &sealed)); err != nil || !found {
		t.Fatalf("no code for %s: %v", purpose, err)
	}
	code, err := p.vault.Unseal(t.Context(), sealed, crypto.Place{Instance: p.InstanceID, Table: "user_codes", Row: id + "/", Column: string(purpose)})
	if err != nil {
		t.Fatal(err)
	}
	p.Set("code", string(code))
}

const (
	noUser = `{"code":5,"message":"There is no such user. (USER-missing)"}`
	ada    = `"profile":{"givenName":"Ada","familyName":"Lovelace","nickName":"A.","preferredLanguage":"en","gender":"GENDER_FEMALE"},"email":{"email":"Ada@example.com"%s}`
)

// adaWith is Ada with something more about her address.
func adaWith(more string) string { return strings.Replace(ada, "%s", more, 1) }

func TestHumansV2(t *testing.T) {
	t.Parallel()
	s := startPeople(t)
	const path = "/v2/users"
	s.Run(t,
		testkit.Call{
			Name: "add", As: "clerk", Do: "POST " + path + "/human", Want: `{"userId":"ada","details":{"sequence":"4","changeDate":"*","resourceOwner":"$acme"},"emailCode":null,"phoneCode":"*"}`,
			Body:   `{"userId":"ada","username":"ada",` + adaWith("") + `,"phone":{"phone":"+41 (44) 668 18 00","returnCode":{}},"metadata":[{"key":"a","value":"Yg=="}]}`,
			Events: []string{"user.human.added", "user.human.email.code.added", "user.human.phone.code.added", "user.metadata.set"},
		},
		testkit.Call{
			Name: "she has not begun yet", As: "clerk", Do: "GET " + path + "/ada",
			Want: `{"user":{"userId":"ada","state":"USER_STATE_INITIAL","username":"ada","loginNames":["ada"],"human":{"state":"USER_STATE_INITIAL",
				"profile":{"givenName":"Ada","familyName":"Lovelace","nickName":"A.","displayName":"Ada Lovelace","preferredLanguage":"en","gender":"GENDER_FEMALE"},
				"email":{"email":"Ada@example.com"},"phone":{"phone":"+41446681800"},"passwordChanged":null,"mfaInitSkipped":null}}}`,
		},
		testkit.Call{Name: "over v1 too", As: "clerk", Do: "GET /management/v1/users/ada", Want: `{"user":{"state":"USER_STATE_INITIAL","human":{"profile":{"firstName":"Ada"}}}}`},
		testkit.Call{Name: "no code is told", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.human.email.code.added"]}`, Want: `{"events":[{"payload":{"code":null,"expiry":3600000000000}}]}`},
		testkit.Call{Name: "the id is taken", As: "clerk", Do: "POST " + path + "/human", Body: `{"userId":"ada",` + adaWith("") + `}`, Status: 409},
		testkit.Call{Name: "the name is taken", As: "clerk", Do: "POST " + path + "/human", Body: `{"username":"ADA",` + adaWith("") + `}`, Status: 409},
		testkit.Call{Name: "elsewhere", As: "clerk", Do: "POST " + path + "/human", Body: `{"organization":{"orgId":"$other"},` + adaWith("") + `}`, Status: 404},
		testkit.Call{Name: "a number that is none", As: "clerk", Do: "POST " + path + "/human", Body: `{` + adaWith("") + `,"phone":{"phone":"044 668"}}`, Status: 400, Want: `{"details":[{"id":"USER-phone"}]}`},
		testkit.Call{Name: "a link that is none", As: "clerk", Do: "POST " + path + "/human", Body: `{` + adaWith(`,"sendCode":{"urlTemplate":"javascript:alert({{.Code}})"}`) + `}`, Status: 400, Want: `{"details":[{"id":"MESSAGE-url"}]}`},
		testkit.Call{Name: "a password that is too short", As: "clerk", Do: "POST " + path + "/human", Body: `{` + adaWith("") + `,"password":{"password":"short"}}`, Status: 400},
		testkit.Call{Name: "a hash that is none", As: "clerk", Do: "POST " + path + "/human", Body: `{` + adaWith("") + `,"hashedPassword":{"hash":"secret"}}`, Status: 400, Want: `{"details":[{"id":"PASSWORD-hash"}]}`},
		testkit.Call{Name: "an authenticator app", As: "clerk", Do: "POST " + path + "/human", Body: `{` + adaWith("") + `,"totpSecret":"JBSWY3DPEHPK3PXP"}`, Status: 501},
		testkit.Call{
			Name: "with a password, by domain", Do: "POST " + path + "/human", Body: `{"userId":"bob","organization":{"orgDomain":"acme.localhost"},` + adaWith(`,"isVerified":true`) + `,"password":{"password":"Secret-1234","changeRequired":true}}`,
			Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{"user.human.added", "user.human.email.verified"},
		},
		testkit.Call{
			Name: "is named like the address", As: "clerk", Do: "GET " + path + "/bob",
			Want: `{"user":{"state":"USER_STATE_ACTIVE","username":"Ada@example.com","human":{"email":{"isVerified":true},"passwordChangeRequired":true,"passwordChanged":"*","phone":null}}}`,
		},
		testkit.Call{Name: "the hash is told to nobody", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.human.added"],"aggregateId":"bob"}`, Want: `{"events":[{"payload":{"encodedHash":null}}]}`},
		testkit.Call{
			Name: "create", As: "clerk", Do: "POST " + path + "/new", Want: `{"id":"*","creationDate":"*","emailCode":"*"}`, Keep: map[string]string{"carl": "id"},
			Body:   `{"organizationId":"$acme","username":"carl","human":{` + adaWith(`,"returnCode":{}`) + `,"hashedPassword":{"hash":"$2y$12$hXUrnqdq1RIIYZ2HPytIIe5lXdIvbhqrTvdPsSF7o.jFh817Z6lwm"}}}`,
			Events: []string{"user.human.added", "user.human.email.code.added"},
		},
		testkit.Call{
			Name: "update", As: "clerk", Do: "PUT " + path + "/human/ada", Want: `{"details":{"changeDate":"*"},"emailCode":"*"}`,
			Body:   `{"username":"countess","profile":{"givenName":"Augusta","familyName":"King","displayName":"Ada"},"email":{"email":"ada@example.org","returnCode":{}},"phone":{"phone":"+41446681801","isVerified":true}}`,
			Events: []string{"user.username.changed", "user.human.profile.changed", "user.human.email.changed", "user.human.email.code.added", "user.human.phone.changed", "user.human.phone.verified"},
		},
		testkit.Call{
			Name: "is updated", As: "clerk", Do: "GET " + path + "/ada", Keep: map[string]string{"date": "details.changeDate"},
			Want: `{"user":{"username":"countess","human":{"profile":{"givenName":"Augusta","familyName":"King","nickName":"","displayName":"Ada","preferredLanguage":"","gender":"GENDER_UNSPECIFIED"},
				"email":{"email":"ada@example.org","isVerified":null},"phone":{"phone":"+41446681801","isVerified":true}}}}`,
		},
		testkit.Call{Name: "update nothing", As: "clerk", Do: "PUT " + path + "/human/ada", Body: `{"profile":{"givenName":"Augusta","familyName":"King","displayName":"Ada"},"email":{"email":"ada@example.org"}}`, Want: `{"details":{"changeDate":"$date"}}`},
		testkit.Call{
			Name: "patch", As: "clerk", Do: "PATCH " + path + "/ada", Body: `{"human":{"profile":{"nickName":"Ady"},"phone":{"phone":""}},"metadata":[{"key":"c","value":"ZA=="}]}`,
			Want: `{"changeDate":"*"}`, Events: []string{"user.human.profile.changed", "user.human.phone.removed", "user.metadata.set"},
		},
		testkit.Call{Name: "is patched", As: "clerk", Do: "GET " + path + "/ada", Want: `{"user":{"human":{"profile":{"givenName":"Augusta","nickName":"Ady"},"phone":null}}}`},
		testkit.Call{Name: "all or nothing", As: "clerk", Do: "PATCH " + path + "/ada", Body: `{"username":"other","human":{"email":{"email":"x@example.com","sendCode":{"urlTemplate":"ftp://x"}}}}`, Status: 400},
		testkit.Call{Name: "a machine is no human", As: "clerk", Do: "PUT " + path + "/human/$boss", Body: `{"profile":{"givenName":"x","familyName":"y"}}`, Status: 400, Want: `{"details":[{"id":"USER-no-human"}]}`},
		testkit.Call{Name: "a human is no machine", As: "clerk", Do: "PATCH " + path + "/ada", Body: `{"machine":{"name":"x"}}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "not by strangers", As: "guest", Do: "PUT " + path + "/human/ada", Body: `{"profile":{"givenName":"x","familyName":"y"}}`, Status: 404, Want: noUser},
		testkit.Call{Name: "a second factor later", As: "clerk", Do: "POST " + path + "/ada/mfa_init_skipped", Body: `{}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.mfa.init.skipped"}},
		testkit.Call{Name: "shows", As: "clerk", Do: "GET " + path + "/ada", Want: `{"user":{"human":{"mfaInitSkipped":"*"}}}`},
		testkit.Call{Name: "set metadata", As: "clerk", Do: "POST " + path + "/ada/metadata", Body: `{"metadata":[{"key":"e","value":"Zg=="}]}`, Want: `{"setDate":"*"}`, Events: []string{"user.metadata.set"}},
		testkit.Call{Name: "list it", As: "clerk", Do: "POST " + path + "/ada/metadata/search", Body: `{"pagination":{"asc":true}}`, Want: `{"pagination":{"totalResult":"3"},"metadata":[{"key":"a","value":"Yg=="},{"key":"c"},{"key":"e"}]}`},
		testkit.Call{Name: "some of it", As: "clerk", Do: "POST " + path + "/ada/metadata/search", Body: `{"filters":[{"keyFilter":{"key":"c"}}]}`, Want: `{"metadata":[{"key":"c"}]}`},
		testkit.Call{Name: "strangers see none", As: "guest", Do: "POST " + path + "/ada/metadata/search", Body: `{}`, Want: `{"metadata":null}`},
		testkit.Call{Name: "delete some", As: "clerk", Do: "DELETE " + path + "/ada/metadata?keys=a&keys=c", Want: `{"deletionDate":"*"}`, Events: []string{"user.metadata.removed", "user.metadata.removed"}},
		testkit.Call{Name: "strangers set none", As: "guest", Do: "POST " + path + "/ada/metadata", Body: `{"metadata":[{"key":"e","value":"Zg=="}]}`, Status: 404, Want: noUser},
	)
}

func TestHumanContacts(t *testing.T) {
	t.Parallel()
	s := startPeople(t)
	const path = "/v2/users/ada"
	const wrong, gone = `{"code":3,"details":[{"id":"USER-code"}]}`, `{"code":9,"details":[{"id":"USER-code-gone"}]}`
	added := testkit.Call{
		Name: "add", As: "clerk", Do: "POST /v2/users/human", Body: `{"userId":"ada",` + adaWith(`,"returnCode":{}`) + `}`, Keep: map[string]string{"code": "emailCode"},
		Events: []string{"user.human.added", "user.human.email.code.added"},
	}
	s.Run(t, added,
		testkit.Call{Name: "a wrong code", As: "clerk", Do: "POST " + path + "/email/verify", Body: `{"verificationCode":"x"}`, Status: 400, Want: wrong, Events: []string{"user.human.email.verification.failed"}},
		testkit.Call{Name: "not by strangers", As: "guest", Do: "POST " + path + "/email/verify", Body: `{"verificationCode":"$code"}`, Status: 404, Want: noUser},
		testkit.Call{Name: "verify", As: "clerk", Do: "POST " + path + "/email/verify", Body: `{"verificationCode":"$code"}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.email.verified"}},
		testkit.Call{Name: "once", As: "clerk", Do: "POST " + path + "/email/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: gone},
		testkit.Call{Name: "she has begun", As: "clerk", Do: "GET " + path, Want: `{"user":{"state":"USER_STATE_ACTIVE","human":{"email":{"isVerified":true}}}}`},
		testkit.Call{Name: "nothing to resend", As: "clerk", Do: "POST " + path + "/email/resend", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "the same", As: "clerk", Do: "POST " + path + "/email", Body: `{"email":"Ada@example.com"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{
			Name: "another", As: "clerk", Do: "POST " + path + "/email", Body: `{"email":"b@example.com","returnCode":{}}`, Want: `{"verificationCode":"*"}`, Keep: map[string]string{"old": "verificationCode"},
			Events: []string{"user.human.email.changed", "user.human.email.code.added"},
		},
		testkit.Call{Name: "resend", As: "clerk", Do: "POST " + path + "/email/resend", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"}, Events: []string{"user.human.email.code.added"}},
		testkit.Call{Name: "the old code is void", As: "clerk", Do: "POST " + path + "/email/verify", Body: `{"verificationCode":"$old"}`, Status: 400, Want: wrong, Events: []string{"user.human.email.verification.failed"}},
		testkit.Call{Name: "a third", As: "clerk", Do: "POST " + path + "/email", Body: `{"email":"c@example.com","sendCode":{"urlTemplate":"https://app.example/{{.UserID}}?c={{.Code}}"}}`, Want: `{"verificationCode":null}`, Events: []string{"user.human.email.changed", "user.human.email.code.added"}},
		testkit.Call{Name: "what was sent to the second proves nothing", As: "clerk", Do: "POST " + path + "/email/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: wrong, Events: []string{"user.human.email.verification.failed"}},
		testkit.Call{Name: "vouch for it", As: "clerk", Do: "POST " + path + "/email", Body: `{"email":"c@example.com","isVerified":true}`, Events: []string{"user.human.email.verified"}},
		testkit.Call{Name: "a fourth", As: "clerk", Do: "POST " + path + "/email", Body: `{"email":"d@example.com"}`, Events: []string{"user.human.email.changed", "user.human.email.code.added"}},
		testkit.Call{Name: "send", As: "clerk", Do: "POST " + path + "/email/send", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"}, Events: []string{"user.human.email.code.added"}},
	)
	s.Clock.Advance(time.Hour - 10*time.Second)
	s.Run(t, testkit.Call{Name: "just in time", As: "clerk", Do: "POST " + path + "/email/verify", Body: `{"verificationCode":"$code"}`, Events: []string{"user.human.email.verified"}})
	s.Run(t,
		testkit.Call{Name: "no number", As: "clerk", Do: "DELETE " + path + "/phone", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "nothing to prove", As: "clerk", Do: "POST " + path + "/phone/resend", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "a number", As: "clerk", Do: "POST " + path + "/phone", Body: `{"phone":"+49 30 901820","returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"}, Events: []string{"user.human.phone.changed", "user.human.phone.code.added"}},
		testkit.Call{Name: "in whatever form", As: "clerk", Do: "POST " + path + "/phone", Body: `{"phone":"+49 (30) 90182-0"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "a wrong code", As: "clerk", Do: "POST " + path + "/phone/verify", Body: `{"verificationCode":"x"}`, Status: 400, Want: wrong, Events: []string{"user.human.phone.verification.failed"}},
		testkit.Call{Name: "verify", As: "clerk", Do: "POST " + path + "/phone/verify", Body: `{"verificationCode":"$code"}`, Events: []string{"user.human.phone.verified"}},
		testkit.Call{Name: "another", As: "clerk", Do: "POST " + path + "/phone", Body: `{"phone":"+4930901821"}`, Events: []string{"user.human.phone.changed", "user.human.phone.code.added"}},
		testkit.Call{Name: "resend", As: "clerk", Do: "POST " + path + "/phone/resend", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"}, Events: []string{"user.human.phone.code.added"}},
		testkit.Call{Name: "remove", As: "clerk", Do: "DELETE " + path + "/phone", Events: []string{"user.human.phone.removed"}},
		testkit.Call{Name: "the code is void", As: "clerk", Do: "POST " + path + "/phone/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: gone},
		testkit.Call{Name: "a number", As: "clerk", Do: "POST " + path + "/phone", Body: `{"phone":"+49 30 901820","returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"}, Events: []string{"user.human.phone.changed", "user.human.phone.code.added"}},
	)
	s.Clock.Advance(time.Hour + time.Second)
	s.Run(t,
		testkit.Call{Name: "too late", As: "clerk", Do: "POST " + path + "/phone/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: gone},
		testkit.Call{Name: "a code", As: "clerk", Do: "POST " + path + "/phone/resend", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "verificationCode"}, Events: []string{"user.human.phone.code.added"}},
		testkit.Call{Name: "remove her", As: "clerk", Do: "DELETE " + path, Events: []string{"user.removed"}},
		testkit.Call{
			Name: "somebody else of this id", Do: "POST /v2/users/new", Body: `{"organizationId":"$other","userId":"ada","human":{` + adaWith("") + `}}`,
			Events: []string{"user.human.added", "user.human.email.code.added"},
		},
		testkit.Call{Name: "has not her code", Do: "POST " + path + "/phone/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: gone},
		testkit.Call{Name: "nor her administrator", As: "clerk", Do: "GET " + path, Status: 404, Want: noUser},
	)
}

// TestCodesAreUsedOnce: of many who use a code at once, one succeeds, and a code
// does not outlive five tries.
func TestCodesAreUsedOnce(t *testing.T) {
	t.Parallel()
	s := startPeople(t)
	s.Run(t, testkit.Call{
		Name: "add", As: "clerk", Do: "POST /v2/users/human", Body: `{"userId":"ada",` + adaWith(`,"returnCode":{}`) + `}`, Keep: map[string]string{"code": "emailCode"},
		Events: []string{"user.human.added", "user.human.email.code.added"},
	})
	verify := testkit.Call{As: "clerk", Do: "POST /v2/users/ada/email/verify", Body: `{"verificationCode":"$code"}`}
	var succeeded atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if s.Send(t, verify).Status == 200 {
				succeeded.Add(1)
			}
		})
	}
	all.Wait()
	if succeeded.Load() != 1 {
		t.Errorf("%d uses succeeded", succeeded.Load())
	}
	s.Run(t, testkit.Call{Name: "invite", As: "clerk", Do: "POST /v2/users/ada/invite_code", Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "inviteCode"}, Events: []string{"user.human.invite.code.added"}})
	for range 5 {
		s.Check(t, testkit.Call{As: "clerk", Do: "POST /v2/users/ada/invite_code/verify", Body: `{"verificationCode":"x"}`, Status: 400, Want: `{"code":3}`, Events: []string{"user.human.invite.check.failed"}})
	}
	s.Check(t, testkit.Call{As: "clerk", Do: "POST /v2/users/ada/invite_code/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: `{"details":[{"id":"USER-code-tries"}]}`})
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	s := startPeople(t)
	const path = "/v2/users/ada/invite_code"
	s.Run(t,
		testkit.Call{Name: "add", As: "clerk", Do: "POST /v2/users/human", Body: `{"userId":"ada",` + adaWith(``) + `}`, Events: []string{"user.human.added", "user.human.email.code.added"}},
		testkit.Call{Name: "none is open", As: "clerk", Do: "POST " + path + "/resend", Status: 400, Want: `{"code":9,"details":[{"id":"USER-not-invited"}]}`},
		testkit.Call{Name: "invite", As: "clerk", Do: "POST " + path, Body: `{"sendCode":{"urlTemplate":"https://app.example/{{.Code}}","applicationName":"Engine"}}`, Want: `{"inviteCode":null,"details":{"changeDate":"*"}}`, Events: []string{"user.human.invite.code.added"}},
		testkit.Call{Name: "again", As: "clerk", Do: "POST " + path + "/resend", Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.invite.code.added"}},
		testkit.Call{Name: "in the same words", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.human.invite.code.added"],"limit":1}`, Want: `{"events":[{"payload":{"applicationName":"Engine","urlTemplate":"https://app.example/{{.Code}}","code":null}}]}`},
		testkit.Call{Name: "return", As: "clerk", Do: "POST " + path, Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "inviteCode"}, Events: []string{"user.human.invite.code.added"}},
		testkit.Call{Name: "what was returned is not sent", As: "clerk", Do: "POST " + path + "/resend", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "not by strangers", As: "guest", Do: "POST " + path, Body: `{"returnCode":{}}`, Status: 404, Want: noUser},
		testkit.Call{Name: "a wrong code", As: "clerk", Do: "POST " + path + "/verify", Body: `{"verificationCode":"x"}`, Status: 400, Want: `{"code":3}`, Events: []string{"user.human.invite.check.failed"}},
		testkit.Call{Name: "accept", As: "clerk", Do: "POST " + path + "/verify", Body: `{"verificationCode":"$code"}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.invite.check.succeeded", "user.human.email.verified"}},
		testkit.Call{Name: "once", As: "clerk", Do: "POST " + path + "/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "none is open any more", As: "clerk", Do: "POST " + path + "/resend", Status: 400},
		testkit.Call{Name: "invite", As: "clerk", Do: "POST " + path, Body: `{"returnCode":{}}`, Keep: map[string]string{"code": "inviteCode"}, Events: []string{"user.human.invite.code.added"}},
		testkit.Call{Name: "another address", As: "clerk", Do: "POST /v2/users/ada/email", Body: `{"email":"b@example.com"}`, Events: []string{"user.human.email.changed", "user.human.email.code.added"}},
		testkit.Call{Name: "which the code does not prove", As: "clerk", Do: "POST " + path + "/verify", Body: `{"verificationCode":"$code"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "with a password", As: "clerk", Do: "POST /v2/users/human", Body: `{"userId":"bob","username":"bob",` + adaWith(``) + `,"password":{"password":"Secret-1234"}}`, Events: []string{"user.human.added", "user.human.email.code.added"}},
		testkit.Call{Name: "nobody needs an invitation", As: "clerk", Do: "POST /v2/users/bob/invite_code", Body: `{}`, Status: 400, Want: `{"code":9}`},
	)
}
