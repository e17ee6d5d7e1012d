package test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
	"github.com/gatehouse/gatehouse/internal/user"
)

// lockAfter sets the limits of the lockout policy.
func lockAfter(t *testing.T, s *testkit.Server, passwords, codes uint64) {
	t.Helper()
	err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := policy.Lockout.Set(tx, policy.Scope{Instance: s.InstanceID}, func(p *policy.LockoutPolicy) {
			p.MaxPasswordAttempts, p.MaxOTPAttempts = passwords, codes
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// guarded is a person whose secrets are tried.
type guarded struct {
	t        *testing.T
	s        *testkit.Server
	ctx      context.Context //nolint:containedctx // of a caller who may know everything
	ref      user.Ref
	compared atomic.Int64
}

func guard(t *testing.T, passwords, codes uint64) *guarded {
	t.Helper()
	s := testkit.Start(t)
	lockAfter(t, s, passwords, codes)
	addPerson(t, s, "$org", "ada", "")
	return &guarded{t: t, s: s, ctx: authz.AsSystem(t.Context(), s.InstanceID), ref: user.Ref{Instance: s.InstanceID, UserID: "ada"}}
}

// try makes a try that is right or wrong, and counts the comparison.
func (g *guarded) try(ctx context.Context, c user.Counter, right bool) error {
	return user.Guard(ctx, g.s.Store, g.ref, c, func(context.Context) (bool, error) {
		g.compared.Add(1)
		return right, nil
	})
}

// expect says with which error a try ends; "" is none.
func (g *guarded) expect(what string, err error, id string) {
	g.t.Helper()
	if id == "" && err != nil || id != "" && (err == nil || fault.Of(err).ID != id) {
		g.t.Errorf("%s: %v, want %q", what, err, id)
	}
}

// count is how many events of the type there are.
func (g *guarded) count(event string) (n int) {
	g.t.Helper()
	for _, name := range g.s.Events(g.t) {
		if name == event {
			n++
		}
	}
	return n
}

const (
	wrongSecret, wrongCode = "COMMAND-3M0fs", "USER-code-wrong"
	lockedOut, tooMany     = "USER-locked", "USER-trying"
)

// TestParallelGuesses: of 100 wrong passwords at once no more are compared than the
// policy allows. Then the user is locked, and the right one is not looked at.
func TestParallelGuesses(t *testing.T) {
	t.Parallel()
	g := guard(t, 5, 0)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := g.try(g.ctx, user.PasswordTries, false); !slices.Contains([]string{wrongSecret, lockedOut, tooMany}, fault.Of(err).ID) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := g.compared.Load(); n != 5 {
		t.Errorf("%d passwords were compared", n)
	}
	if n := g.count("user.locked"); n != 1 {
		t.Errorf("the user was locked %d times", n)
	}
	for range 5 {
		all.Go(func() { g.expect("the right one", g.try(g.ctx, user.PasswordTries, true), lockedOut) })
	}
	all.Wait()
	if n := g.compared.Load(); n != 5 {
		t.Errorf("%d passwords were compared in the end", n)
	}
}

// TestParallelGuessesOverTheAPI is the same with real passwords, of callers who may
// not know that the user is locked. It takes all places for hashes, so no other test
// may run beside it.
func TestParallelGuessesOverTheAPI(t *testing.T) {
	g := guard(t, 5, 0)
	addMachine(t, g.s, "$org", "guest", "")
	guess := func(password string) testkit.Reply {
		return g.s.Send(t, testkit.Call{As: "guest", Do: "POST /v2/users/ada/password", Body: `{"newPassword":{"password":"x"},"currentPassword":"` + password + `"}`})
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if r := guess("Wrong-Horse-1"); r.Status != http.StatusBadRequest && r.Status != http.StatusTooManyRequests {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
	all.Wait()
	for g.count("user.locked") == 0 { // Where the machine was too busy for five.
		if n := g.count(checkFailed); n >= 5 {
			t.Fatalf("%d passwords were compared", n)
		}
		guess("Wrong-Horse-1")
	}
	// One that found no place for its hash was taken back while the last one locked.
	if n := g.count(checkFailed); n > 5 || n == 0 {
		t.Errorf("%d passwords were compared", n)
	}
	for _, password := range []string{thePassword, "Wrong-Horse-1"} {
		if r := guess(password); r.Status != http.StatusBadRequest || !strings.Contains(string(r.Body), wrongSecret) {
			t.Errorf("%s of a locked user: %d %s", password, r.Status, r.Body)
		}
	}
}

// TestOneCounterForEveryName: whatever somebody is called by, and wherever, the tries of
// their password are counted together (T-39).
func TestOneCounterForEveryName(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	s.Set("ada", person(t, s, s.OrgID, "ada"))
	s.Run(t, newSession("own", with("ada"), checkedPassword...))
	lockAfter(t, s, 7, 0)
	failed := func() (n int) {
		for _, e := range s.Events(t) {
			if e == checkFailed {
				n++
			}
		}
		return n
	}
	call := func(c testkit.Call) func() { return func() { s.Send(t, c) } }
	session := func(user string) func() {
		return call(testkit.Call{As: "client", Do: "POST " + sessionsPath, Body: `{"checks":{"user":{` + user + `},"password":{"password":"Wrong-Horse-1"}}}`})
	}
	page := func(name string) func() {
		return func() {
			b := newBrowser(t, s)
			p := b.submit(t, b.open(t, "/ui/login/login?new=true").at(t, "login"), "login", "loginName", name)
			b.submit(t, p.at(t, "password"), "password", "proof", "Wrong-Horse-1")
		}
	}
	for n, try := range []func(){
		session(`"loginName":"ada"`), session(`"loginName":"ADA"`), session(`"userId":"$ada"`), page("Ada "), page("ADA@example.com"),
		call(testkit.Call{As: "own", Do: "PUT /auth/v1/users/me/password", Body: `{"oldPassword":"Wrong-Horse-1","newPassword":"` + password + `2"}`}),
		call(testkit.Call{As: "own", Do: "POST /v2/users/$ada/password", Body: `{"newPassword":{"password":"` + password + `2"},"currentPassword":"Wrong-Horse-1"}`}),
	} {
		if try(); failed() != n+1 {
			t.Fatalf("try %d: %d were counted", n+1, failed())
		}
	}
	if got := s.Events(t); got[len(got)-1] != "user.locked" {
		t.Errorf("events %v", got[len(got)-3:])
	}
}

// TestCodeTries: codes can be tried 100 times, whatever the policy allows, and all
// sorts of them together.
func TestCodeTries(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]struct{ policy, want uint64 }{"unlimited": {0, 100}, "more": {200, 100}, "fewer": {7, 7}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guard(t, 3, most.policy)
			var all sync.WaitGroup
			for range 150 {
				all.Go(func() { _ = g.try(g.ctx, user.CodeTries, false) })
			}
			all.Wait()
			if n := g.compared.Load(); n != int64(most.want) {
				t.Errorf("%d codes were compared", n)
			}
			g.expect("the right one", g.try(g.ctx, user.CodeTries, true), lockedOut)
		})
	}
}

// TestNoFreeTries: a dry run, a crash, a caller who hangs up: each counts as a try.
func TestNoFreeTries(t *testing.T) {
	t.Parallel()
	dry := func(ctx context.Context) context.Context {
		return eventstore.WithOrigin(ctx, eventstore.Origin{DryRun: true})
	}
	t.Run("dry run", func(t *testing.T) {
		t.Parallel()
		g := guard(t, 3, 0)
		for range 3 {
			g.expect("wrong", g.try(dry(g.ctx), user.PasswordTries, false), wrongSecret)
		}
		g.expect("the right one", g.try(g.ctx, user.PasswordTries, true), lockedOut)
	})
	t.Run("right in a dry run", func(t *testing.T) {
		t.Parallel()
		g := guard(t, 3, 0)
		for range 9 {
			g.expect("right", g.try(dry(g.ctx), user.PasswordTries, true), "")
		}
	})
	t.Run("hung up", func(t *testing.T) {
		t.Parallel()
		g := guard(t, 3, 0)
		for range 3 {
			ctx, hangUp := context.WithCancel(g.ctx)
			_ = user.Guard(ctx, g.s.Store, g.ref, user.PasswordTries, func(context.Context) (bool, error) {
				hangUp()
				return false, nil
			})
		}
		g.expect("the right one", g.try(g.ctx, user.PasswordTries, true), lockedOut)
	})
	t.Run("crash", func(t *testing.T) {
		t.Parallel()
		g := guard(t, 3, 0)
		crash := errors.New("the machine is gone")
		for range 3 {
			err := user.Guard(g.ctx, g.s.Store, g.ref, user.PasswordTries, func(context.Context) (bool, error) { return false, crash })
			if !errors.Is(err, crash) {
				t.Fatal(err)
			}
		}
		g.expect("while they may still run", g.try(g.ctx, user.PasswordTries, true), tooMany)
		g.s.Clock.Advance(time.Minute)
		g.expect("later", g.try(g.ctx, user.PasswordTries, true), lockedOut)
		if g.compared.Load() != 0 || g.count("user.locked") != 1 {
			t.Errorf("%d compared, %d times locked", g.compared.Load(), g.count("user.locked"))
		}
	})
	t.Run("not counted", func(t *testing.T) {
		t.Parallel()
		g := guard(t, 3, 0)
		gone, cancel := context.WithCancel(g.ctx)
		cancel()
		if err := g.try(gone, user.PasswordTries, true); err == nil || g.compared.Load() != 0 {
			t.Errorf("%d compared: %v", g.compared.Load(), err)
		}
	})
	t.Run("not compared", func(t *testing.T) {
		t.Parallel()
		g := guard(t, 3, 0)
		for range 9 {
			err := user.Guard(g.ctx, g.s.Store, g.ref, user.PasswordTries, func(context.Context) (bool, error) { return false, crypto.ErrBusy })
			g.expect("no place", err, "PASSWORD-busy")
		}
		g.expect("the right one", g.try(g.ctx, user.PasswordTries, true), "")
	})
}

// TestCountersStandApart: what one counter counts neither burdens nor relieves the
// other. To unlock a user resets both.
func TestCountersStandApart(t *testing.T) {
	t.Parallel()
	g := guard(t, 3, 3)
	wrong := func(c user.Counter, id string, times int) {
		t.Helper()
		for range times {
			g.expect("wrong "+string(c), g.try(g.ctx, c, false), id)
		}
	}
	wrong(user.PasswordTries, wrongSecret, 2)
	wrong(user.CodeTries, wrongCode, 2)
	g.expect("right password", g.try(g.ctx, user.PasswordTries, true), "")
	wrong(user.PasswordTries, wrongSecret, 2)
	g.expect("right code", g.try(g.ctx, user.CodeTries, true), "")
	wrong(user.CodeTries, wrongCode, 3)
	g.expect("right password of a locked user", g.try(g.ctx, user.PasswordTries, true), lockedOut)
	unlock := testkit.Call{Name: "unlock", Do: "POST /v2/users/ada/unlock", Body: `{}`, Events: []string{"user.unlocked"}}
	g.s.Run(t, unlock)
	wrong(user.PasswordTries, wrongSecret, 2)
	wrong(user.CodeTries, wrongCode, 2)
	g.expect("right password", g.try(g.ctx, user.PasswordTries, true), "")
	g.expect("right code", g.try(g.ctx, user.CodeTries, true), "")
}

// TestLockedMeanwhile: a right secret counts for nothing where the user was locked
// while it was looked at.
func TestLockedMeanwhile(t *testing.T) {
	t.Parallel()
	g := guard(t, 3, 3)
	err := user.Guard(g.ctx, g.s.Store, g.ref, user.PasswordTries, func(context.Context) (bool, error) {
		for range 2 {
			g.expect("wrong", g.try(g.ctx, user.PasswordTries, false), wrongSecret)
		}
		return true, nil
	})
	g.expect("right", err, lockedOut)
}

// TestCheckPassword: what is told to those who may know of the user, and to others.
func TestCheckPassword(t *testing.T) {
	t.Parallel()
	g := guard(t, 0, 0)
	s, stranger := g.s, t.Context()
	addPerson(t, s, "$org", "inactive", "")
	addPerson(t, s, "$org", "locked", "")
	s.Run(t,
		testkit.Call{Name: "deactivate", Do: "POST /v2/users/inactive/deactivate", Body: `{}`, Events: []string{"user.deactivated"}},
		testkit.Call{Name: "lock", Do: "POST /v2/users/locked/lock", Body: `{}`, Events: []string{"user.locked"}},
	)
	for who, known := range map[string]string{
		"ada": "", "inactive": "USER-inactive", "locked": lockedOut, s.OwnerID: "USER-no-password", "nobody": "USER-missing", "": "USER-missing",
	} {
		ref, others := user.Ref{Instance: s.InstanceID, UserID: who}, wrongSecret
		if known == "" {
			others = ""
		}
		g.expect(who+", who may be known", user.CheckPassword(g.ctx, s.Store, ref, thePassword), known)
		err := user.CheckPassword(stranger, s.Store, ref, thePassword)
		g.expect(who+", of a stranger", err, others)
		if f := fault.Of(err); err != nil && (f.Detail != nil || f.Message() != "The password is wrong.") {
			t.Errorf("%s, of a stranger: %v, %v", who, f.Detail, err)
		}
	}
	elsewhere := user.Ref{Instance: s.InstanceID, Org: "31415", UserID: "ada"}
	g.expect("of another organization", user.CheckPassword(g.ctx, s.Store, elsewhere, thePassword), "USER-missing")
	for range 20 {
		g.expect("without a limit", user.CheckPassword(g.ctx, s.Store, g.ref, "x"), wrongSecret)
	}
}

// TestEveryHashIsRenewed: a password of any scheme is right, and is stored in ours
// from then on, which nobody notices.
func TestEveryHashIsRenewed(t *testing.T) {
	t.Parallel()
	g := guard(t, 5, 0)
	file, err := os.ReadFile("../internal/crypto/testdata/hashes.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	password := lines[0]
	for i, line := range lines[1:] {
		scheme, hash, _ := strings.Cut(line, "\t")
		id := "person" + string(rune('a'+i))
		addPerson(t, g.s, "$org", id, hash)
		ref, before := user.Ref{Instance: g.s.InstanceID, UserID: id}, len(g.s.Events(t))
		g.expect(scheme+", wrong", user.CheckPassword(g.ctx, g.s.Store, ref, password+"!"), wrongSecret)
		for range 2 {
			g.expect(scheme, user.CheckPassword(g.ctx, g.s.Store, ref, password), "")
		}
		if got := g.s.Events(t)[before:]; !slices.Equal(got, []string{checkFailed, checkPassed, "user.human.password.hash.updated", checkPassed}) {
			t.Errorf("%s: %q", scheme, got)
		}
	}
}

// TestPasswordAge: a password is told to end in time, and ends.
func TestPasswordAge(t *testing.T) {
	t.Parallel()
	g := guard(t, 0, 0)
	scope := policy.Scope{Instance: g.s.InstanceID, Org: g.s.OrgID}
	state := func(id string, want user.PasswordState) {
		t.Helper()
		if got, err := user.PasswordStateOf(g.ctx, g.s.Store, scope, id); err != nil || got != want {
			t.Errorf("%+v, want %+v (%v)", got, want, err)
		}
	}
	state("ada", user.PasswordState{Set: true})
	if err := g.s.Store.Write(g.ctx, func(tx *eventstore.Tx) error {
		_, err := policy.PasswordAge.Change(tx, scope.Default(), func(p *policy.PasswordAgePolicy) { p.MaxAgeDays, p.ExpireWarnDays = 30, 5 })
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	state("ada", user.PasswordState{Set: true})
	g.s.Clock.Advance(27*day + time.Hour)
	state("ada", user.PasswordState{Set: true, Warn: true, ExpiresInDays: 3})
	g.s.Clock.Advance(3 * day)
	state("ada", user.PasswordState{Set: true, Expired: true})
	g.s.Run(t, testkit.Call{Name: "another one", Do: "POST /management/v1/users/ada/password", Body: `{"password":"Correct-Horse-2"}`, Events: []string{changed}})
	state("ada", user.PasswordState{Set: true, ChangeRequired: true})
	state("nobody", user.PasswordState{})
}

// TestPasswordMessages: what people are told, and where.
func TestPasswordMessages(t *testing.T) {
	t.Parallel()
	var vault *crypto.Vault
	s := testkit.Start(t, func(o *server.Options) { vault = o.Vault })
	addPerson(t, s, "$org", "ada", "")
	const link = "https://acme.example/{{.Code}}"
	queued := func(verb func(*eventstore.Tx) error) (m message.Message) {
		t.Helper()
		var payload []byte
		err := s.Store.Write(eventstore.WithOrigin(authz.AsSystem(t.Context(), s.InstanceID), eventstore.Origin{DryRun: true}), func(tx *eventstore.Tx) error {
			if err := verb(tx); err != nil {
				return err
			}
			return tx.Read(database.Query{SQL: "SELECT payload FROM jobs WHERE kind = ?", Args: []any{message.Job}, Row: func(scan database.Scan) error { return scan(&payload) }})
		})
		if err == nil {
			m, err = message.Open(t.Context(), vault, s.InstanceID, payload)
		}
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, c := range []struct {
		how  user.Delivery
		want message.Message
	}{
		{user.Delivery{}, message.Message{Channel: message.Email, Recipient: "ada@people.example"}},
		{user.Delivery{SMS: true, URLTemplate: link}, message.Message{Channel: message.SMS, Recipient: "+41790000000", URLTemplate: link}},
	} {
		var code string
		m := queued(func(tx *eventstore.Tx) (err error) {
			code, _, err = user.RequestPasswordReset(tx, vault, s.InstanceID, s.OrgID, "ada", c.how)
			return err
		})
		left := m.Expires.Sub(s.Clock.Now())
		c.want.Kind, c.want.Org, c.want.UserID, c.want.Code, c.want.Expires = message.PasswordReset, s.OrgID, "ada", code, m.Expires
		if len(code) != 6 || left > time.Hour || left < time.Hour-time.Minute || m.Recipient != c.want.Recipient || m.Channel != c.want.Channel ||
			m.Kind != c.want.Kind || m.Code != code || m.URLTemplate != c.want.URLTemplate || m.UserID != "ada" || m.Org != s.OrgID {
			t.Errorf("%+v, want %+v", m, c.want)
		}
	}
	m := queued(func(tx *eventstore.Tx) error {
		_, err := user.SetPassword(tx, vault, s.InstanceID, s.OrgID, "ada", user.Password{Hash: "x"})
		return err
	})
	if m.Kind != message.PasswordChange || m.Recipient != "ada@people.example" || m.Code != "" {
		t.Errorf("%+v", m)
	}
}

// TestReadsWhileLoginsQueue: 100 logins at once are worked off, or sent away to come
// again, in little memory, and reads wait for none of them. No other test may run beside it.
func TestReadsWhileLoginsQueue(t *testing.T) {
	testdb.Once(t)
	g := guard(t, 0, 0)
	held, release := make(chan struct{}), make(chan struct{})
	var logins sync.WaitGroup
	logins.Go(func() { // Until release nobody else changes ada.
		err := g.s.DB.Write(t.Context(), func(tx *database.Tx) error {
			row := database.From("id", "aggregates").Where("type = 'user'").Where("id = ?", "ada").Rows(func(database.Scan) error { return nil })
			err := tx.Read(row.ForUpdate())
			close(held)
			<-release
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	var shed, refused atomic.Int64
	for range 100 {
		logins.Go(func() {
			r := g.s.Send(t, testkit.Call{Do: "POST /v2/users/ada/password", Body: `{"newPassword":{"password":"x"},"currentPassword":"x"}`})
			switch {
			case r.Status == http.StatusTooManyRequests && r.Header.Get("Retry-After") != "":
				shed.Add(1)
			case r.Status != http.StatusBadRequest:
				t.Errorf("%d %s", r.Status, r.Body)
			default:
				refused.Add(1)
			}
		})
	}
	pool := g.s.DB.Pool()
	for most := pool.Max - pool.Max/4; g.s.DB.Dialect() == database.PostgreSQL && pool.Used < most; pool = g.s.DB.Pool() {
		time.Sleep(time.Millisecond) // More and more of them wait for ada.
	}
	var memory runtime.MemStats
	most := uint64(0)
	read := func() {
		if r := g.s.Send(t, testkit.Call{Do: "GET /management/v1/users/ada"}); r.Status != http.StatusOK {
			t.Errorf("a read while logins queue: %d %s", r.Status, r.Body)
		}
		runtime.ReadMemStats(&memory)
		most = max(most, memory.HeapAlloc>>20)
	}
	for range 20 {
		read()
	}
	if n := refused.Load(); n > 0 {
		t.Errorf("%d logins did not wait for ada", n)
	}
	close(release)
	done := make(chan struct{})
	go func() { logins.Wait(); close(done) }()
	for working := true; working; {
		select {
		case <-done:
			working = false
		default:
			read()
		}
	}
	t.Logf("%d logins were sent away; at most %d MiB", shed.Load(), most)
	if places := uint64(runtime.GOMAXPROCS(0)); most > (4*places+8)*19 {
		t.Errorf("the hashes took %d MiB", most)
	}
}
