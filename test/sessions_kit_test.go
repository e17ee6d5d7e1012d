package test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

const (
	sessionsPath  = "/v2/sessions"
	password      = "Correct-Horse-1"
	rightCode     = "123456" // of an authenticator app
	rightRecovery = "abcd-efgh"
)

var (
	errWrongPassword = fault.Invalid("COMMAND-3M0fs", "The password is wrong.")
	errWrongCode     = fault.Invalid("USER-code", "The code is wrong.")
)

// hash is that of password, made once.
var hash = sync.OnceValue(func() string {
	h, err := crypto.HashPassword(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return h
})

// proofs looks at what people prove in the tests of sessions: a password for real,
// codes and keys by what they are like.
func proofs(db func() *database.DB) flow.Checks {
	same := func(want string) func(context.Context, flow.Subject, string) error {
		return func(_ context.Context, s flow.Subject, code string) error {
			if s.UserID == "" || code != want {
				return errWrongCode
			}
			return nil
		}
	}
	return flow.Checks{
		Password: func(ctx context.Context, s flow.Subject, given string) error {
			found, stored := false, ""
			err := db().Read(ctx, database.One(&found, "SELECT password_hash FROM humans WHERE instance_id = ? AND user_id = ?", []any{s.Instance, s.UserID}, &stored))
			if err != nil {
				return err
			}
			if !found {
				stored = hash()
			}
			if m, err := crypto.PasswordMatches(ctx, stored, given); err != nil || !m.OK || !found {
				return errWrongPassword
			}
			return nil
		},
		TOTP: same(rightCode), RecoveryCode: same(rightRecovery),
		BeginAssertion: func(_ context.Context, _ flow.Subject, r flow.AssertionRequest) (options, state []byte, err error) {
			return fmt.Appendf(nil, `{"publicKey":{"challenge":"c","rpId":%q}}`, r.Domain), []byte("c"), nil
		},
		Assertion: func(_ context.Context, _ flow.Subject, state, credential []byte) (bool, error) {
			if string(state) != "c" || !strings.Contains(string(credential), "signed") {
				return false, errWrongCode
			}
			return strings.Contains(string(credential), "verified"), nil
		},
	}
}

// startSessions starts a server with a login client, whose token is kept as client.
// Nodes that nodes asks for share its database.
func startSessions(t *testing.T) (s *testkit.Server, node func() *testkit.Server) {
	t.Helper()
	checks := proofs(func() *database.DB { return s.DB })
	options := func(o *server.Options) { o.Checks = &checks }
	s = testkit.Start(t, options)
	addMachine(t, s, s.OrgID, "client", "")
	s.Run(t, testkit.Call{
		Name: "a login client", Do: "POST /admin/v1/members", Body: `{"userId":"$client","roles":["IAM_LOGIN_CLIENT"]}`, Events: []string{"instance.member.added"},
	})
	return s, func() *testkit.Server {
		other := s.Sibling(t, options)
		other.SetToken("client", s.TokenOf(t, "client"))
		return other
	}
}

// person makes a user who is one, with a password, and keeps the id under the name.
func person(t testing.TB, s *testkit.Server, orgID, name string) string {
	t.Helper()
	var id string
	ctx := authz.AsSystem(context.Background(), s.InstanceID)
	err := s.Store.Write(ctx, func(tx *eventstore.Tx) error {
		id = tx.NewID()
		h := user.Human{UserName: name, FirstName: name, LastName: "Example", Email: name + "@example.com", Phone: "+41791234567", PreferredLanguage: "de"}
		if _, err := user.AddHuman(tx, s.InstanceID, orgID, id, h, user.Password{Hash: hash()}); err != nil {
			return err
		}
		_, err := user.VerifyEmail(tx, s.InstanceID, orgID, id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(name, id)
	return id
}

// newSession is a call that makes a session of checks and keeps its id and token
// under the name.
func newSession(name, checks string, events ...string) testkit.Call {
	return testkit.Call{
		Name: name, As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{` + checks + `}}`, Status: 201,
		Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$instance"},"sessionId":"*","sessionToken":"*"}`,
		Keep: map[string]string{name: "sessionId", name + "Token": "sessionToken"}, Token: "sessionToken", KeepAs: name,
		Events: append(append([]string{"session.added"}, events...), "session.token.set"),
	}
}

// with is a newSession's checks of a person's password and more.
func with(name string, more ...string) string {
	return strings.Join(append([]string{`"user":{"loginName":"` + name + `"},"password":{"password":"` + password + `"}`}, more...), ",")
}

const (
	withTOTP     = `"totp":{"code":"` + rightCode + `"}`
	withRecovery = `"recoveryCode":{"code":"` + rightRecovery + `"}`
)
