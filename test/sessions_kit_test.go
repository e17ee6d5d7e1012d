package test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
	"github.com/gatehouse/gatehouse/internal/user"
)

const (
	sessionsPath = "/v2/sessions"
	password     = "Correct-Horse-1"
)

// hash is that of password, made once.
var hash = sync.OnceValue(func() string {
	h, err := crypto.HashPassword(context.Background(), password)
	if err != nil {
		panic(err)
	}
	return h
})

// startSessions starts a server with a login client, whose token is kept as client.
// Nodes that node makes share its database, and its time.
func startSessions(t *testing.T) (s *testkit.Server, node func() *testkit.Server) {
	t.Helper()
	return startSessionsOn(t, testdb.Config(t))
}

// startSessionsOn is startSessions on a database that the test names.
func startSessionsOn(t *testing.T, config database.Config) (s *testkit.Server, node func() *testkit.Server) {
	t.Helper()
	s = testkit.StartOn(t, config)
	addMachine(t, s, s.OrgID, "client", "")
	s.Run(t, testkit.Call{
		Name: "a login client", Do: "POST /admin/v1/members", Body: `{"userId":"$client","roles":["IAM_LOGIN_CLIENT"]}`, Events: []string{"instance.member.added"},
	})
	return s, func() *testkit.Server {
		other := s.Sibling(t)
		other.Clock.Advance(s.Clock.Now().Sub(other.Clock.Now()))
		other.SetToken("client", s.TokenOf(t, "client"))
		return other
	}
}

// equipment is what a person of the first organization proves themselves with
// besides the password.
type equipment struct {
	s            *testkit.Server
	secret       string // of the authenticator app
	passkey, key *device
	recovery     []string
}

// equip gives a person factors that need something to be kept, of these kinds, or of
// every kind. Afterwards the login policy is the default's again.
func equip(t *testing.T, s *testkit.Server, name string, kinds ...user.FactorKind) *equipment {
	t.Helper()
	if len(kinds) == 0 {
		kinds = []user.FactorKind{user.TOTP, user.Recovery, user.Passkey, user.U2F}
	}
	ownPolicy(t, s, "", "1,2,3,4,5", "1")
	e := &equipment{s: s, passkey: newDevice(), key: newDevice(), recovery: make([]string, 30)}
	e.key.Options.UserNotVerified = true
	ref := user.Ref{Instance: s.InstanceID, Org: s.OrgID, UserID: s.Var(name)}
	for _, kind := range kinds {
		if err := e.enrol(authz.AsSystem(context.Background(), s.InstanceID), t, ref, kind); err != nil {
			t.Fatal(err)
		}
	}
	s.Send(t, testkit.Call{Do: "DELETE " + loginPath})
	e.next(t)
	return e
}

func (e *equipment) enrol(ctx context.Context, t *testing.T, ref user.Ref, kind user.FactorKind) (err error) {
	t.Helper()
	if kind == user.TOTP {
		app, err := flow.RegisterTOTP(ctx, e.s.Store, e.s.Vault, ref, "localhost")
		if err == nil {
			e.secret = app.Secret
			_, err = user.VerifyTOTP(ctx, e.s.Store, e.s.Vault, ref, totpCode(t, e.secret, e.s.Clock.Now()))
		}
		return err
	}
	if kind == user.Recovery {
		e.recovery, _, err = user.GenerateRecoveryCodes(ctx, e.s.Store, ref, len(e.recovery))
		return err
	}
	d := map[user.FactorKind]*device{user.Passkey: e.passkey, user.U2F: e.key}[kind]
	begun, err := flow.RegisterKey(ctx, e.s.Store, ref, user.KeyRequest{Kind: kind, Domain: "localhost"})
	if err == nil {
		_, err = user.VerifyKey(ctx, e.s.Store, ref, kind, begun.ID, string(kind), []byte(d.create(t, string(begun.Options))))
	}
	return err
}

// next waits for a code of the authenticator app that was not used yet, and keeps it
// for withTOTP, and a recovery code, while there are any, for withRecovery.
func (e *equipment) next(t *testing.T) {
	t.Helper()
	e.s.Clock.Advance(crypto.TOTPPeriod)
	e.s.Set("totp", totpCode(t, e.secret, e.s.Clock.Now()))
	if len(e.recovery) > 0 {
		e.s.Set("recovery", e.recovery[0])
		e.recovery = e.recovery[1:]
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
		if _, err := user.AddHuman(tx, s.InstanceID, orgID, id, &h, user.Password{Hash: hash()}); err != nil {
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
		Events: slices.Concat(proved(events), []string{"session.added"}, events, []string{"session.token.set"}),
	}
}

// proved are the events of a user that come before those of a session: what is
// checked there is written down here too.
func proved(events []string) (out []string) {
	for _, e := range events {
		if of, ok := map[string]string{
			"session.password.checked": "user.human.password.check.succeeded", "session.totp.checked": "user.human.mfa.otp.check.succeeded",
			"session.recoveryCode.checked": "user.human.mfa.recoverycode.check.succeeded",
		}[e]; ok {
			out = append(out, of)
		}
	}
	return out
}

// with is a newSession's checks of a person's password and more.
func with(name string, more ...string) string {
	return strings.Join(append([]string{`"user":{"loginName":"` + name + `"},"password":{"password":"` + password + `"}`}, more...), ",")
}

// What a person proves with their equipment.
const (
	withTOTP     = `"totp":{"code":"$totp"}`
	withRecovery = `"recoveryCode":{"code":"$recovery"}`
)

// totpFailed is the event of a wrong code of an authenticator app.
const totpFailed = "user.human.mfa.otp.check.failed"
