package test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// codeSessions is a server whose login policy lists every factor, with ada, who has
// them all, in a session.
func codeSessions(t *testing.T) (*testkit.Server, *equipment) {
	t.Helper()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	e := equip(t, s, "ada")
	ownPolicy(t, s, `,"forceMfa":true`, "1,2,3,4,5", "1")
	s.Run(t, newSession("s", with("ada"), checkedPassword...))
	return s, e
}

func setSession(name, body string, events ...string) testkit.Call {
	return testkit.Call{
		Name: name, As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: body, Token: "sessionToken", KeepAs: "s",
		Events: slices.Concat(proved(events), events, []string{"session.token.set"}),
	}
}

// TestCodesOfSessions: a code is checked once, in its own session, within its time
// and five tries.
func TestCodesOfSessions(t *testing.T) {
	t.Parallel()
	s, _ := codeSessions(t)
	const path = "PATCH " + sessionsPath + "/$s"
	check := func(code string) string { return `{"checks":{"otpEmail":{"code":"` + code + `"}}}` }
	refused := func(name, body, id string) testkit.Call {
		return testkit.Call{Name: name, As: "client", Do: path, Body: body, Status: 400, Want: `{"details":[{"id":"` + id + `"}]}`}
	}
	asked := func(name string) testkit.Call {
		c := setSession(name, `{"challenges":{"otpEmail":{"returnCode":{}}}}`, "session.otp.email.challenged")
		c.Want, c.Keep = `{"challenges":{"otpEmail":"*","otpSms":null,"webAuthN":null}}`, map[string]string{"code": "challenges.otpEmail"}
		return c
	}
	s.Run(t,
		refused("no code yet", check("12345678"), "USER-code-gone"),
		asked("ask"), refused("a wrong code", check("x"), "USER-code-wrong"),
		setSession("the right one", check("$code"), "session.otp.email.checked"), me("is enough", "s", 200),
		refused("it works once", check("$code"), "USER-code-gone"),
		asked("ask again"), testkit.Call{Name: "the first", As: "client", Do: "GET " + sessionsPath + "/$s", Want: `{"session":{"factors":{"otpEmail":{"verifiedAt":"*"}}}}`},
		newSession("t", with("ada"), checkedPassword...),
		testkit.Call{Name: "in another session", As: "client", Do: "PATCH " + sessionsPath + "/$t", Body: check("$code"), Status: 400, Want: `{"details":[{"id":"USER-code-gone"}]}`},
	)
	for i := range 5 {
		s.Run(t, refused(fmt.Sprint("try ", i), check("x"), "USER-code-wrong"))
	}
	s.Run(t, refused("one try too many", check("$code"), "USER-code-tries"), asked("a new one"))
	s.Clock.Advance(5*time.Minute + time.Second)
	s.Run(t,
		refused("it is too old", check("$code"), "USER-code-gone"),
		refused("no verified phone", `{"challenges":{"otpSms":{}}}`, "SESSION-phone"),
		refused("a script", `{"challenges":{"otpEmail":{"sendCode":{"urlTemplate":"javascript:alert(1)"}}}}`, "MESSAGE-url"),
		refused("a placeholder", `{"challenges":{"otpEmail":{"sendCode":{"urlTemplate":"https://example.com/{{.Secret}}"}}}}`, "MESSAGE-url"),
		setSession("send", `{"challenges":{"otpEmail":{"sendCode":{"urlTemplate":"https://example.com/{{.Code}}"}}}}`, "session.otp.email.challenged"),
	)
	m := queued(t, s)
	if m.Kind != message.VerifyEmailOTP || m.Recipient != "ada@example.com" || m.SessionID != s.Var("s") || m.Language != "de" || m.URLTemplate == "" || len(m.Code) != 8 {
		t.Errorf("the message is %+v", m)
	}
	s.Set("code", m.Code)
	ownPolicy(t, s, "", "1", "1")
	s.Run(t, testkit.Call{Name: "no more", As: "client", Do: path, Body: check("$code"), Status: 400, Want: refusedFactor},
		testkit.Call{Name: "not asked either", As: "client", Do: path, Body: `{"challenges":{"otpEmail":{}}}`, Status: 400, Want: refusedFactor})
	ownPolicy(t, s, "", "3", "1")
	s.Run(t, setSession("again", check("$code"), "session.otp.email.checked"))
}

// queued is the newest message that waits to be sent.
func queued(t *testing.T, s *testkit.Server) message.Message {
	t.Helper()
	var payload string
	found := false
	err := s.DB.Read(t.Context(), database.One(&found, "SELECT payload FROM jobs WHERE kind = ? ORDER BY id DESC LIMIT 1", []any{message.Job}, &payload))
	if err != nil || !found {
		t.Fatalf("no message is queued: %v", err)
	}
	m, err := message.Open(context.Background(), s.Vault, s.InstanceID, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOneOfManyUsesACode: of fifty who send one code at once, one succeeds.
func TestOneOfManyUsesACode(t *testing.T) {
	t.Parallel()
	s, _ := codeSessions(t)
	ask := setSession("ask", `{"challenges":{"otpEmail":{"returnCode":{}}}}`, "session.otp.email.challenged")
	ask.Keep = map[string]string{"code": "challenges.otpEmail"}
	s.Run(t, ask)
	var succeeded atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			r := s.Send(t, testkit.Call{As: "client", Do: "PATCH " + sessionsPath + "/$s", Body: `{"checks":{"otpEmail":{"code":"$code"}}}`})
			if r.Status == http.StatusOK {
				succeeded.Add(1)
			}
		})
	}
	all.Wait()
	if n := succeeded.Load(); n != 1 {
		t.Errorf("the code was used %d times", n)
	}
	if n := strings.Count(strings.Join(s.Events(t), " "), "session.otp.email.checked"); n != 1 {
		t.Errorf("%d events", n)
	}
}

// TestKeysOfSessions: a key answers a challenge of the session, once.
func TestKeysOfSessions(t *testing.T) {
	t.Parallel()
	s, e := codeSessions(t)
	const path = "PATCH " + sessionsPath + "/$s"
	answer := func(credential string) string {
		return `{"checks":{"webAuthN":{"credentialAssertionData":` + credential + `}}}`
	}
	refused := func(name, body, want string, events ...string) testkit.Call {
		return testkit.Call{Name: name, As: "client", Do: path, Body: body, Status: 400, Want: want, Events: events}
	}
	const gone = `{"details":[{"id":"USER-code-gone"}]}`
	asked := `{"challenges":{"webAuthN":{"domain":"localhost","userVerificationRequirement":1}}}`
	ask := setSession("ask", asked, "session.webAuthN.challenged")
	ask.Want = `{"challenges":{"webAuthN":{"publicKeyCredentialRequestOptions":{"publicKey":{"challenge":"*","rpId":"localhost","userVerification":"required"}}}}}`
	s.Run(t, ask)
	first := e.passkey.get(t, challenge(t, s.Send(t, testkit.Call{As: "client", Do: path, Body: asked})))
	s.Run(t,
		ask,
		refused("an answer to another challenge", answer(first), `{"details":[{"id":"USER-key"}]}`, passkeyEvents+"check.failed"),
		refused("ends the challenge", answer(first), gone),
	)
	stranger := newDevice().get(t, challenge(t, s.Send(t, testkit.Call{As: "client", Do: path, Body: asked})))
	s.Run(t, refused("somebody else's key", answer(stranger), `{"details":[{"id":"USER-no-key"}]}`))
	right := e.passkey.get(t, challenge(t, s.Send(t, testkit.Call{As: "client", Do: path, Body: asked})))
	checked := setSession("answer", answer(right), "session.webAuthN.checked")
	checked.Events = slices.Concat([]string{passkeyEvents + "check.succeeded"}, checked.Events)
	s.Run(t,
		checked,
		testkit.Call{Name: "shows", As: "client", Do: "GET " + sessionsPath + "/$s", Want: `{"session":{"factors":{"webAuthN":{"verifiedAt":"*","userVerified":true}}}}`},
		refused("the same answer again", answer(right), gone),
		refused("another's domain", `{"challenges":{"webAuthN":{"domain":"example.com","userVerificationRequirement":1}}}`, `{"details":[{"id":"USER-domain"}]}`),
		refused("no domain", `{"challenges":{"webAuthN":{"userVerificationRequirement":1}}}`, ""),
		refused("no requirement", `{"challenges":{"webAuthN":{"domain":"localhost"}}}`, ""),
	)
}

// challenge is what a session's reply asks of a key.
func challenge(t *testing.T, r testkit.Reply) string {
	t.Helper()
	var out struct {
		Challenges struct {
			WebAuthN struct {
				Options json.RawMessage `json:"publicKeyCredentialRequestOptions"`
			} `json:"webAuthN"`
		} `json:"challenges"`
	}
	if err := json.Unmarshal(r.Body, &out); err != nil || out.Challenges.WebAuthN.Options == nil {
		t.Fatalf("no challenge (%v): %s", err, r.Body)
	}
	return string(out.Challenges.WebAuthN.Options)
}

// TestSessionsKeepSecrets: neither the log nor the tables hold a code or a token.
func TestSessionsKeepSecrets(t *testing.T) {
	t.Parallel()
	s, _ := codeSessions(t)
	ask := setSession("ask", `{"challenges":{"otpEmail":{"returnCode":{}}}}`, "session.otp.email.challenged")
	ask.Keep = map[string]string{"code": "challenges.otpEmail", "token": "sessionToken"}
	s.Run(t, ask)
	if !strings.HasPrefix(s.Var("token"), "gatehouse_session_") {
		t.Errorf("the token is %s", s.Var("token"))
	}
	for _, secret := range []string{s.Var("code"), s.Var("token")} {
		for _, where := range []string{
			"SELECT count(*) FROM events WHERE payload LIKE ?", "SELECT count(*) FROM sessions WHERE token_hash LIKE ?",
			"SELECT count(*) FROM user_codes WHERE sealed LIKE ?", "SELECT count(*) FROM jobs WHERE payload LIKE ?",
		} {
			n, found := 0, false
			if err := s.DB.Read(t.Context(), database.One(&found, where, []any{"%" + secret + "%"}, &n)); err != nil || n > 0 {
				t.Errorf("%s: %d rows (%v)", where, n, err)
			}
		}
	}
	r := s.Send(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["session.token.set"]}`})
	var events struct {
		Events []struct {
			Payload map[string]any `json:"payload"`
		} `json:"events"`
	}
	if err := json.Unmarshal(r.Body, &events); err != nil || len(events.Events) == 0 {
		t.Fatalf("events: %s (%v)", r.Body, err)
	}
	for _, e := range events.Events {
		if _, leaks := e.Payload["hash"]; leaks || e.Payload["tokenID"] == nil {
			t.Errorf("payload %v", e.Payload)
		}
	}
}
