package test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// device is an authenticator with a key, in a browser on a page.
type device struct {
	virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
	page virtualwebauthn.RelyingParty
}

// newDevice makes one that verifies its user, on a page of localhost.
func newDevice() *device {
	return &device{
		Authenticator: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: true}),
		key:           newKey(),
		page:          virtualwebauthn.RelyingParty{ID: "localhost", Name: "localhost", Origin: "http://localhost:8080"},
	}
}

// newKey makes a key. The library writes coordinates without their leading zeros,
// which RFC 9053, section 7.1.1, forbids: such keys are passed over.
func newKey() virtualwebauthn.Credential {
	const whole = 77 // bytes of a P-256 key in COSE
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == whole {
			return c
		}
	}
}

// create answers the options of a registration.
func (d *device) create(t *testing.T, options string) string {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		t.Fatalf("%v: %s", err, options)
	}
	return virtualwebauthn.CreateAttestationResponse(d.page, d.Authenticator, d.key, *o)
}

// get answers the options of an assertion.
func (d *device) get(t *testing.T, options string) string {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		t.Fatalf("%v: %s", err, options)
	}
	return virtualwebauthn.CreateAssertionResponse(d.page, d.Authenticator, d.key, *o)
}

// begin makes a call that begins a registration and gives the options.
func begin(t *testing.T, s *testkit.Server, c testkit.Call) string {
	t.Helper()
	before := len(s.Events(t))
	reply := s.Send(t, c)
	if got := s.Events(t)[before:]; reply.Status != 200 || !slices.Equal(got, c.Events) {
		t.Fatalf("%s: status %d, events %q: %s", c.Do, reply.Status, got, reply.Body)
	}
	var out struct {
		PasskeyID, U2FID string
		Options          json.RawMessage `json:"publicKeyCredentialCreationOptions"`
		Key              struct{ PublicKey []byte }
	}
	if err := json.Unmarshal(reply.Body, &out); err != nil {
		t.Fatal(err)
	}
	s.Set("key", out.PasskeyID+out.U2FID)
	if out.Options == nil {
		return string(out.Key.PublicKey)
	}
	return string(out.Options)
}

const (
	passkeyEvents = "user.human.passwordless.token."
	u2fEvents     = "user.human.mfa.u2f.token."
	v2Ann         = "/v2/users/$ann"
)

func TestPasskeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inHouse(t, s)
	const path = v2Ann + "/passkeys"
	register := func(body string) testkit.Call {
		return testkit.Call{As: "ann", Do: "POST " + path, Body: body, Events: []string{passkeyEvents + "added"}}
	}
	verify := func(name, answer string, status int, want string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: "ann", Do: "POST " + path + "/$key", Body: `{"publicKeyCredential":` + answer + `,"passkeyName":"Phone"}`, Status: status, Want: want, Events: events}
	}
	s.Run(t,
		testkit.Call{Name: "not by guests", As: "guest", Do: "POST " + path, Body: `{}`, Status: 404, Want: noSuchOne},
		testkit.Call{Name: "of another domain", As: "ann", Do: "POST " + path, Body: `{"domain":"evil.example"}`, Status: 400, Want: `{"code":3,"details":[{"id":"USER-domain"}]}`},
		testkit.Call{Name: "with a port", As: "ann", Do: "POST " + path, Body: `{"domain":"localhost:8080"}`, Status: 400},
		testkit.Call{Name: "nothing began", As: "ann", Do: "POST " + path + "/1", Body: `{"publicKeyCredential":{},"passkeyName":"x"}`, Status: 400, Want: `{"code":9,"details":[{"id":"USER-key-begin"}]}`},
	)
	d := newDevice()
	void := d.create(t, begin(t, s, register(`{}`)))
	options := begin(t, s, register(`{"authenticator":"PASSKEY_AUTHENTICATOR_PLATFORM","domain":"LOCALHOST"}`))
	for _, part := range []string{`"userVerification":"required"`, `"residentKey":"required"`, `"authenticatorAttachment":"platform"`, `"attestation":"none"`, `"name":"ann"`} {
		if !strings.Contains(strings.ReplaceAll(options, `": `, `":`), part) {
			t.Errorf("the options lack %s: %s", part, options)
		}
	}
	careless, foreign, insecure, right := newDevice(), newDevice(), newDevice(), d.create(t, options)
	careless.Options.UserNotVerified = true
	foreign.page.Origin = "https://evil.example"
	insecure.page.Origin = "http://localhost.evil.example"
	s.Run(t,
		verify("what was begun before", void, 400, `{"code":3,"details":[{"id":"USER-key"}]}`),
		verify("nobody was verified", careless.create(t, options), 400, `{"code":3,"details":[{"id":"USER-key"}]}`),
		verify("a page elsewhere", foreign.create(t, options), 400, `{"code":3,"details":[{"id":"USER-origin"}]}`),
		verify("a page that looks like ours", insecure.create(t, options), 400, `{"code":3,"details":[{"id":"USER-origin"}]}`),
		verify("no answer at all", `{"id":"x"}`, 400, `{"code":3,"details":[{"id":"USER-key-form"}]}`),
		testkit.Call{Name: "not ready", As: "ann", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"result":null}`},
		testkit.Call{Name: "shown as such", As: "ann", Do: "POST /auth/v1/users/me/passwordless/_search", Want: `{"result":[{"id":"$key","state":"AUTH_FACTOR_STATE_NOT_READY"}]}`},
		verify("verify", right, 0, `{"details":{"resourceOwner":"$acme"}}`, passkeyEvents+"verified"),
		verify("again", right, 400, `{"code":9,"details":[{"id":"USER-key-begin"}]}`),
		testkit.Call{Name: "listed", As: "ann", Do: "POST " + path + "/_search", Body: `{}`, Want: `{"details":{"totalResult":"1"},"result":[{"id":"$key","state":"AUTH_FACTOR_STATE_READY","name":"Phone"}]}`},
		testkit.Call{Name: "to the owner", As: "boss", In: "$acme", Do: "POST /management/v1/users/$ann/passwordless/_search", Want: `{"result":[{"id":"$key","state":"AUTH_FACTOR_STATE_READY","name":"Phone"}]}`},
		testkit.Call{Name: "no second factor", As: "ann", Do: "POST /auth/v1/users/me/auth_factors/_search", Want: `{"result":null}`},
		testkit.Call{Name: "a method", As: "ann", Do: "GET " + v2Ann + "/authentication_methods?domainQuery.domain=localhost", Want: `{"authMethodTypes":["AUTHENTICATION_METHOD_TYPE_PASSWORD","AUTHENTICATION_METHOD_TYPE_PASSKEY"]}`},
		testkit.Call{Name: "of one domain", As: "ann", Do: "GET " + v2Ann + "/authentication_methods?domainQuery.domain=other.example", Want: `{"authMethodTypes":["AUTHENTICATION_METHOD_TYPE_PASSWORD"]}`},
	)
	if !strings.Contains(begin(t, s, register(`{}`)), base64.RawURLEncoding.EncodeToString(d.key.ID)) {
		t.Error("a key that is registered is not excluded")
	}
	human(t, s, "$acme", "eve")
	taken := begin(t, s, testkit.Call{As: "eve", Do: "POST /v2/users/$eve/passkeys", Body: `{}`, Events: []string{passkeyEvents + "added"}})
	s.Run(t,
		testkit.Call{
			Name: "the key of somebody else", As: "eve", Do: "POST /v2/users/$eve/passkeys/$key", Status: 409, Want: `{"details":[{"id":"USER-key-taken"}]}`,
			Body: `{"publicKeyCredential":` + d.create(t, taken) + `,"passkeyName":"x"}`,
		},
	)
	late := begin(t, s, register(`{}`))
	s.Clock.Advance(6 * time.Minute)
	s.Run(t,
		verify("too late", newDevice().create(t, late), 400, `{"code":9,"details":[{"id":"USER-key-begin"}]}`),
		testkit.Call{Name: "remove what was begun", As: "ann", Do: "DELETE " + path + "/$key", Events: []string{passkeyEvents + "removed"}},
		testkit.Call{Name: "nothing left of it", As: "ann", Do: "DELETE " + path + "/$key", Status: 404, Want: noFactor},
		testkit.Call{Name: "passkeys end", Do: "DELETE /admin/v1/policies/login/multi_factors/MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION", Events: []string{"instance.policy.login.multifactor.removed"}},
		testkit.Call{Name: "nobody registers one", As: "ann", Do: "POST " + path, Body: `{}`, Status: 400, Want: notListed},
	)
}

func TestSecurityKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inHouse(t, s)
	d := newDevice()
	d.Options.UserNotVerified = true
	options := begin(t, s, testkit.Call{As: "ann", Do: "POST " + v2Ann + "/u2f", Body: `{}`, Events: []string{u2fEvents + "added"}})
	s.Run(t,
		testkit.Call{Name: "not by guests", As: "guest", Do: "POST " + v2Ann + "/u2f", Body: `{}`, Status: 404, Want: noSuchOne},
		testkit.Call{
			Name: "verify", As: "ann", Do: "POST " + v2Ann + "/u2f/$key", Body: `{"publicKeyCredential":` + d.create(t, options) + `,"tokenName":"Key"}`,
			Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{u2fEvents + "verified"},
		},
		testkit.Call{Name: "listed", As: "boss", Do: "POST " + v2Ann + "/authentication_factors/_search?authFactors=U2F", Want: `{"result":[{"state":"AUTH_FACTOR_STATE_READY","u2f":{"id":"$key","name":"Key"}}]}`},
		testkit.Call{Name: "no passkey", As: "boss", Do: "DELETE " + v2Ann + "/passkeys/$key", Status: 404, Want: noFactor},
		testkit.Call{Name: "remove", As: "clerk", Do: "DELETE " + v2Ann + "/u2f/$key", Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{u2fEvents + "removed"}},
	)
	again := begin(t, s, testkit.Call{As: "ann", Do: "POST " + v2Ann + "/u2f", Body: `{}`, Events: []string{u2fEvents + "added"}})
	s.Run(t,
		testkit.Call{
			Name: "a key that was removed is free", As: "ann", Do: "POST " + v2Ann + "/u2f/$key", Body: `{"publicKeyCredential":` + d.create(t, again) + `,"tokenName":"Key"}`,
			Events: []string{u2fEvents + "verified"},
		},
		testkit.Call{Name: "remove by the owner", As: "boss", In: "$acme", Do: "DELETE /management/v1/users/$ann/auth_factors/u2f/$key", Events: []string{u2fEvents + "removed"}},
		testkit.Call{Name: "the factor ends", Do: "DELETE /admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_U2F", Events: []string{"instance.policy.login.secondfactor.removed"}},
		testkit.Call{Name: "nobody registers one", As: "ann", Do: "POST " + v2Ann + "/u2f", Body: `{}`, Status: 400, Want: notListed},
	)
}

func TestKeysOfVersion1(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inHouse(t, s)
	for _, c := range []struct{ path, list, event, managed string }{
		{"/auth/v1/users/me/auth_factors/u2f", "/auth/v1/users/me/auth_factors/_search", u2fEvents, "auth_factors/u2f"},
		{"/auth/v1/users/me/passwordless", "/auth/v1/users/me/passwordless/_search", passkeyEvents, "passwordless"},
	} {
		for _, remove := range []testkit.Call{
			{Name: "remove", As: "ann", Do: "DELETE " + c.path + "/$token", Want: `{"details":{"changeDate":"*"}}`},
			{Name: "remove by the owner", As: "boss", In: "$acme", Do: "DELETE /management/v1/users/$ann/" + c.managed + "/$token"},
		} {
			remove.Events = []string{c.event + "removed"}
			d := newDevice()
			options := begin(t, s, testkit.Call{As: "ann", Do: "POST " + c.path, Body: `{}`, Events: []string{c.event + "added"}})
			answer := base64.StdEncoding.EncodeToString([]byte(d.create(t, options)))
			keep := "result.0.id"
			if c.event == u2fEvents {
				keep = "result.0.u2f.id"
			}
			s.Run(t,
				testkit.Call{
					Name: "verify", As: "ann", Do: "POST " + c.path + "/_verify", Body: `{"verification":{"publicKeyCredential":"` + answer + `","tokenName":"Key"}}`,
					Want: `{"details":{"changeDate":"*","resourceOwner":"$acme"}}`, Events: []string{c.event + "verified"},
				},
				testkit.Call{Name: "list", As: "ann", Do: "POST " + c.list, Keep: map[string]string{"token": keep}},
				remove,
			)
		}
	}
}

func TestKeyAssertions(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ref := inHouse(t, s)
	ctx := context.Background()
	passkey, key := newDevice(), newDevice()
	passkey.key.Counter = 5
	enrol := func(d *device, path, event, name string) {
		options := begin(t, s, testkit.Call{As: "ann", Do: "POST " + v2Ann + path, Body: `{}`, Events: []string{event + "added"}})
		s.Check(t, testkit.Call{
			As: "ann", Do: "POST " + v2Ann + path + "/$key", Body: `{"publicKeyCredential":` + d.create(t, options) + `,"` + name + `":"Key"}`,
			Events: []string{event + "verified"},
		})
	}
	enrol(passkey, "/passkeys", passkeyEvents, "passkeyName")
	enrol(key, "/u2f", u2fEvents, "tokenName")
	try := func(name string, d *device, verification string, counter uint32, wantVerified bool, wantID string, events ...string) {
		t.Helper()
		options, state, err := user.BeginAssertion(ctx, s.Store, ref, "localhost", verification)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before := len(s.Events(t))
		d.key.Counter = counter
		verified, err := user.CheckAssertion(ctx, s.Store, ref, state, []byte(d.get(t, string(options))))
		id := ""
		if err != nil {
			id = fault.Of(err).ID
		}
		if got := s.Events(t)[before:]; verified != wantVerified || id != wantID || !slices.Equal(got, events) {
			t.Errorf("%s: verified %v, error %v, events %q", name, verified, err, got)
		}
	}
	checked, counted, failed := passkeyEvents+"check.succeeded", passkeyEvents+"signcount.changed", passkeyEvents+"check.failed"
	try("passkey", passkey, "required", 6, true, "", checked, counted)
	try("the same count", passkey, "required", 6, false, "USER-key-copied", failed)
	try("an older count", passkey, "required", 3, false, "USER-key-copied", failed)
	try("no count", passkey, "required", 0, false, "USER-key-copied", failed)
	try("a higher count", passkey, "required", 9, true, "", checked, counted)
	passkey.Options.BackupState = true
	try("there is a copy that may be", passkey, "preferred", 10, true, "", checked, counted)
	passkey.Options.UserNotVerified = true
	try("not verified", passkey, "required", 11, false, "USER-key", failed)
	try("as a second factor", passkey, "discouraged", 12, false, "", checked, counted)
	passkey.Options.UserNotVerified = false
	try("a second factor proves one thing", key, "discouraged", 0, false, "", u2fEvents+"check.succeeded")
	try("a key that was not asked", key, "required", 0, false, "USER-key", u2fEvents+"check.failed")
	stranger, foreign := newDevice(), *passkey
	foreign.page.Origin = "https://evil.example"
	try("a key that is not known", stranger, "discouraged", 1, false, "USER-no-key")
	try("a page elsewhere", &foreign, "required", 20, false, "USER-origin")
	if _, _, err := user.BeginAssertion(ctx, s.Store, ref, "evil.example", "required"); fault.Of(err).ID != "USER-domain" {
		t.Errorf("another domain: %v", err)
	}
	options, state, err := user.BeginAssertion(ctx, s.Store, ref, "localhost", "required")
	if err != nil {
		t.Fatal(err)
	}
	passkey.key.Counter = 30
	answer := []byte(passkey.get(t, string(options)))
	if passed := atOnce(20, func(int) error {
		_, err := user.CheckAssertion(ctx, s.Store, ref, state, answer)
		return err
	}); passed != 1 {
		t.Errorf("an answer passed %d times", passed)
	}
	s.Check(t, testkit.Call{Do: "DELETE /admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_U2F", Events: []string{"instance.policy.login.secondfactor.removed"}})
	try("the policy lists no U2F", key, "discouraged", 0, false, "USER-factor-policy")
	s.Check(t, testkit.Call{Do: "POST " + v2Ann + "/deactivate", Body: `{}`, Events: []string{"user.deactivated"}})
	if _, _, err := user.BeginAssertion(ctx, s.Store, ref, "localhost", "required"); fault.Of(err).ID != "USER-not-active" {
		t.Errorf("an inactive user: %v", err)
	}
	if _, err := user.CheckAssertion(ctx, s.Store, ref, state, answer); fault.Of(err).ID != "USER-not-active" {
		t.Errorf("an inactive user: %v", err)
	}
}

func TestPasskeyLinks(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ref := inHouse(t, s)
	const link, code = "user.human.passwordless.initialization.code.", `{"code":{"id":"$id","code":"$code"}}`
	add := testkit.Call{
		Name: "a code", As: "boss", Do: "POST " + v2Ann + "/passkeys/registration_link", In: "$acme", Body: `{"returnCode":{}}`,
		Want: `{"details":{"resourceOwner":"$acme"},"code":{"id":"*","code":"*"}}`, Keep: map[string]string{"id": "code.id", "code": "code.code"}, Events: []string{link + "requested"},
	}
	use := func(name, body string, status int, want string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: "clerk", Do: "POST " + v2Ann + "/passkeys", Body: body, Status: status, Want: want, Events: events}
	}
	send := func(name, body string, status int, want string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: "boss", Do: add.Do, In: "$acme", Body: body, Status: status, Want: want, Events: events}
	}
	first := add
	first.Keep = map[string]string{"oldID": "code.id", "old": "code.code"}
	s.Run(t,
		testkit.Call{Name: "not by herself", As: "ann", Do: add.Do, Body: add.Body, Status: 404},
		send("no verified address", `{"sendLink":{}}`, 400, `{"code":9,"details":[{"id":"USER-email-unverified"}]}`),
		first, add,
		use("the one from before", `{"code":{"id":"$oldID","code":"$old"}}`, 400, `{"code":9,"details":[{"id":"USER-code-gone"}]}`),
		use("a wrong one", `{"code":{"id":"$id","code":"x"}}`, 400, `{"code":3,"details":[{"id":"USER-code"}]}`, link+"check.failed"),
		use("register", code, 0, `{"passkeyId":"*","publicKeyCredentialCreationOptions":{"publicKey":{"challenge":"*"}}}`, link+"check.succeeded", passkeyEvents+"added"),
		use("again", code, 400, `{"code":9,"details":[{"id":"USER-code-gone"}]}`),
		add,
	)
	if passed := atOnce(50, func(int) error {
		if reply := s.Send(t, use("", code, 0, "")); reply.Status != 200 {
			return fmt.Errorf("%s", reply.Body)
		}
		return nil
	}); passed != 1 {
		t.Errorf("a code passed %d times", passed)
	}
	s.Check(t, add)
	s.Clock.Advance(time.Hour)
	verifyEmail(t, s, ref)
	const mine, managed = "/auth/v1/users/me/passwordless/", "/management/v1/users/$ann/passwordless/"
	s.Run(t,
		use("too late", code, 400, `{"code":9,"details":[{"id":"USER-code-gone"}]}`),
		send("a bad template", `{"sendLink":{"urlTemplate":"https://example.com/{{.Password}}"}}`, 400, `{"code":3,"details":[{"id":"MESSAGE-url"}]}`),
		send("a script", `{"sendLink":{"urlTemplate":"javascript:alert({{.Code}})"}}`, 400, `{"code":3,"details":[{"id":"MESSAGE-url"}]}`),
		send("send", `{"sendLink":{"urlTemplate":"https://example.com/?u={{.UserID}}&c={{.Code}}"}}`, 0, `{"details":{"resourceOwner":"$acme"},"code":null}`, link+"requested"),
		testkit.Call{Name: "send in version 1", As: "boss", In: "$acme", Do: "POST " + managed + "_send_link", Body: `{}`, Want: `{"details":{"creationDate":"*"}}`, Events: []string{link + "requested"}},
		testkit.Call{Name: "send to oneself", As: "ann", Do: "POST " + mine + "_send_link", Body: `{}`, Want: `{"details":{"creationDate":"*"}}`, Events: []string{link + "requested"}},
		testkit.Call{Name: "a link", As: "boss", In: "$acme", Do: "POST " + managed + "_link", Want: `{"link":"*","expiration":"3600s"}`, Events: []string{link + "added"}},
		testkit.Call{Name: "a link for oneself", As: "ann", Do: "POST " + mine + "_link", Body: `{}`, Want: `{"expiration":"3600s"}`, Keep: map[string]string{"link": "link"}, Events: []string{link + "added"}},
	)
	u, err := url.Parse(s.Var("link"))
	if err != nil || u.Scheme+"://"+u.Host != "http://localhost" || u.Query().Get("userId") != ref.UserID {
		t.Errorf("link %s", s.Var("link"))
	}
	s.Set("id", u.Query().Get("codeId"))
	s.Set("code", u.Query().Get("code"))
	s.Check(t, use("", code, 0, "", link+"check.succeeded", passkeyEvents+"added"))
	mails := messages(t, s)
	if len(mails) != 3 || mails[0].Recipient != "ann@example.com" || mails[0].Kind != message.PasswordlessRegistration || mails[0].Code == "" ||
		!strings.HasSuffix(mails[0].URLTemplate, "{{.Code}}") || mails[0].CodeID == mails[1].CodeID {
		t.Errorf("%d messages: %+v", len(mails), mails)
	}
}

// messages are those that wait to be sent.
func messages(t *testing.T, s *testkit.Server) (out []message.Message) {
	t.Helper()
	var jobs [][]byte
	if err := s.DB.Read(context.Background(), database.Query{
		SQL: "SELECT payload FROM jobs WHERE kind = ? ORDER BY id", Args: []any{message.Job},
		Row: func(scan database.Scan) error {
			var payload []byte
			err := scan(&payload)
			jobs = append(jobs, payload)
			return err
		},
	}); err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs {
		m, err := message.Open(context.Background(), s.Vault, s.InstanceID, job)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}
