package test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
	"github.com/gatehouse/gatehouse/internal/user"
)

// canary is in whatever these tests tell the log about people.
const canary = "Xanadu"

// telling counts the events whose payload has the text, by the ids of their aggregates.
func telling(t *testing.T, s *testkit.Server, text string) map[string]int {
	t.Helper()
	found := map[string]int{}
	err := s.DB.Read(t.Context(), database.From("aggregate_id, payload", "events").Rows(func(scan database.Scan) error {
		var id, payload string
		err := scan(&id, &payload)
		if strings.Contains(payload, text) {
			found[id]++
		}
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// later does what has to be done now, and what is for when no call of before can be
// under way any more.
func later(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Settle(t)
	for range 3 {
		s.Clock.Advance(time.Minute)
		s.Settle(t)
	}
}

// eraseOnRemoval has the policy set, and people of Acme of whom the log tells a lot.
func eraseOnRemoval(t *testing.T) *testkit.Server {
	t.Helper()
	s, _ := startSessions(t)
	inAll(t, s)
	acme := s.Var("acme")
	s.Run(t, testkit.Call{Name: "erase", Do: "PUT /gatehouse/v1/policies/erasure", Body: `{"mode":2}`, Events: []string{"instance.policy.erasure.set"}})
	for _, name := range []string{"ada", "bob"} {
		id := person(t, s, acme, name+canary)
		s.Set(name, id)
		s.Run(t,
			testkit.Call{Name: name + " is told about", Do: "POST /v2/users/$" + name + "/metadata", Body: `{"metadata":[{"key":"` + canary + `","value":"YQ=="}]}`, Events: []string{"user.metadata.set"}},
			newAgent(name+"Open"), newAgent(name+"Ended"),
			testkit.Call{Name: name + " leaves", As: "client", Do: "DELETE " + sessionsPath + "/$" + name + "Ended", Events: []string{"session.terminated"}},
		)
	}
	for _, name := range []string{"robot1", "robot2"} { // Of both, the log tells of what has a key of its own in a table.
		addMachine(t, s, "$acme", name, "")
		s.Run(t, testkit.Call{Name: name + " has a key", In: "$acme", Do: "POST /management/v1/users/$" + name + "/keys", Body: `{"type":"KEY_TYPE_JSON"}`, Events: []string{"user.machine.key.added"}})
	}
	return s
}

// newAgent is a call that makes a session in a program that the log tells about.
func newAgent(name string) testkit.Call {
	c := newSession(name, with(strings.TrimSuffix(strings.TrimSuffix(name, "Open"), "Ended")+canary), checkedPassword...)
	c.Body = `{"userAgent":{"fingerprintId":"` + canary + `","ip":"192.0.2.7","description":"` + canary + `"},"metadata":{"` + canary + `":"YQ=="},` + c.Body[1:]
	c.Events = append(append(append(proved(checkedPassword), "session.added"), checkedPassword...), "session.metadata.set", "session.token.set")
	return c
}

// TestErasure: of a user who is removed, where the policy says so, the log keeps that
// there were events and not what they told. All others stay, the chains hold, and the
// tables are what the log tells (the test kit replays it).
func TestErasure(t *testing.T) {
	t.Parallel()
	s := eraseOnRemoval(t)
	ada, bob := s.Var("ada"), s.Var("bob")
	before := telling(t, s, canary)
	if before[ada] < 2 || before[bob] < 2 || len(before) != 6 {
		t.Fatalf("the log tells %v: the test has become blind", before)
	}
	s.Run(t,
		testkit.Call{Name: "remove ada", Do: "DELETE /v2/users/$ada", Events: []string{"user.removed", "session.terminated"}},
		testkit.Call{Name: "remove a robot", Do: "DELETE /v2/users/$robot1", Events: []string{"user.removed"}},
		testkit.Call{Name: "remove the other", Do: "DELETE /v2/users/$robot2", Events: []string{"user.removed"}},
	)
	later(t, s)
	after := telling(t, s, canary)
	if len(after) != 3 || after[bob] != before[bob] || after[s.Var("bobOpen")] != before[s.Var("bobOpen")] || after[s.Var("bobEnded")] != before[s.Var("bobEnded")] {
		t.Errorf("the log tells %v, want what it told of bob alone: %v", after, before)
	}
	if n := len(telling(t, s, "robot1")) + len(telling(t, s, "robot2")); n != 0 {
		t.Errorf("%d streams name a machine user who is erased", n)
	}
	s.Run(t,
		testkit.Call{
			Name: "the search shows the events without what they told", Do: "POST /admin/v1/events/_search",
			Body: `{"aggregateId":"$ada","asc":true,"limit":1}`, Want: `{"events":[{"type":{"type":"user.human.added"},"sequence":"1","payload":{"firstName":null,"userName":null}}]}`,
		},
		testkit.Call{
			Name: "and the end without a name", Do: "POST /admin/v1/events/_search",
			Body: `{"aggregateId":"$ada","eventTypes":["user.removed"]}`, Want: `{"events":[{"payload":{"userName":null}}]}`,
		},
		testkit.Call{Name: "also of sessions", Do: "POST /admin/v1/events/_search", Body: `{"aggregateTypes":["session"],"limit":1000}`, Want: `{"events":"*"}`},
	)
}

// TestErasureReachesHistoriesAndBackups: what was erased is in no history of changes, not even in
// that of somebody who is made anew under the id, and in no backup that is made after.
func TestErasureReachesHistoriesAndBackups(t *testing.T) {
	t.Parallel()
	s := eraseOnRemoval(t)
	histories := func() (out string) {
		for _, do := range []string{"POST /management/v1/users/$ada/changes/_search", "POST /management/v1/orgs/me/changes/_search", "POST /admin/v1/events/_search"} {
			out += string(s.Send(t, testkit.Call{In: "$acme", Do: do, Body: `{"limit":1000}`}).Body)
		}
		return out
	}
	own := func(as string) string {
		r := s.Send(t, testkit.Call{As: as, Do: "POST /auth/v1/users/me/changes/_search", Body: `{"query":{"limit":1000}}`})
		if r.Status != http.StatusOK {
			t.Fatalf("the history of %s: %d %s", as, r.Status, r.Body)
		}
		return string(r.Body)
	}
	copied := func() string {
		if s.DB.Dialect() != database.SQLite {
			return ""
		}
		file := filepath.Join(t.TempDir(), "copy")
		if err := s.DB.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if text := histories(); !strings.Contains(text, canary) {
		t.Fatal("the histories name nobody: the test has become blind")
	}
	s.Run(t, testkit.Call{Name: "she edits herself", As: "adaOpen", Do: "PUT /auth/v1/users/me/profile", Body: `{"firstName":"Ada","lastName":"` + canary + `","displayName":"Ada ` + canary + `"}`, Events: []string{"user.human.profile.changed"}})
	if text := own("adaOpen"); !strings.Contains(text, canary) {
		t.Fatalf("her own history names nobody: the test has become blind: %s", text)
	}
	if text := copied(); text != "" && !strings.Contains(text, canary) {
		t.Fatal("the backup names nobody: the test has become blind")
	}
	for _, name := range []string{"ada", "bob"} {
		s.Run(t, testkit.Call{Name: "remove " + name, Do: "DELETE /v2/users/$" + name, Events: []string{"user.removed", "session.terminated"}})
	}
	later(t, s)
	s.Run(t,
		testkit.Call{Name: "the id again", In: "$acme", Do: "POST /management/v1/users/machine", Body: `{"userId":"$ada","userName":"again","name":"Again"}`, Events: []string{"user.machine.added"}},
		testkit.Call{Name: "a token", In: "$acme", Do: "POST /management/v1/users/$ada/pats", Body: `{}`, Token: "token", KeepAs: "again", Events: []string{"user.pat.added"}},
	)
	for where, text := range map[string]string{"the histories": histories(), "the backup": copied(), "the history of who came after": own("again")} {
		if at := strings.Index(text, canary); at >= 0 {
			t.Errorf("%s still hold %q", where, text[max(0, at-200):min(len(text), at+50)])
		}
	}
}

// TestErasureOfAnOrganization: its people are erased like those who are removed alone.
func TestErasureOfAnOrganization(t *testing.T) {
	t.Parallel()
	s := eraseOnRemoval(t)
	if r := s.Send(t, testkit.Call{Do: "DELETE /admin/v1/orgs/$acme"}); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	later(t, s)
	if left := telling(t, s, canary); len(left) != 0 {
		t.Errorf("the log still tells %v", left)
	}
}

// TestErasureOfALongLog: what is too much for one transaction is erased too.
func TestErasureOfALongLog(t *testing.T) {
	t.Parallel()
	s := eraseOnRemoval(t)
	ada := s.Var("ada")
	giveSessions(t, s, s.Var("acme"), ada, 700)
	var entries []string
	for i := range 20 {
		entries = append(entries, fmt.Sprintf(`{"key":"%s%d","value":"YQ=="}`, canary, i))
	}
	for range 120 {
		s.Send(t, testkit.Call{Do: "POST /v2/users/$ada/metadata", Body: `{"metadata":[` + strings.Join(entries, ",") + `]}`})
	}
	s.Send(t, testkit.Call{Do: "DELETE /v2/users/$ada"})
	later(t, s)
	if left := telling(t, s, canary); left[ada] != 0 {
		t.Errorf("the log still tells %v", left)
	}
	if left := telling(t, s, "192.0.2.7"); len(left) != 2 { // The sessions of bob.
		t.Errorf("%d sessions have their address still", len(left))
	}
}

// TestErasureIsAboutOnePerson: who gets the id of somebody who was erased is told about
// as ever, and nobody is erased where the policy does not say so.
func TestErasureIsAboutOnePerson(t *testing.T) {
	t.Parallel()
	s := eraseOnRemoval(t)
	ada, acme := s.Var("ada"), s.Var("acme")
	ctx := authz.AsSystem(t.Context(), s.InstanceID)
	s.Send(t, testkit.Call{Do: "DELETE /v2/users/$ada"})
	err := s.Store.Write(ctx, func(tx *eventstore.Tx) error {
		_, err := user.AddHuman(tx, s.InstanceID, acme, ada, &user.Human{UserName: "new" + canary, FirstName: "N", LastName: "N", Email: "n@example.com"}, user.Password{Hash: hash()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	later(t, s)
	if n := telling(t, s, canary)[ada]; n != 1 {
		t.Errorf("%d events tell of who has the id now, want one", n)
	}
	s.Run(t, testkit.Call{Name: "keep", Do: "PUT /gatehouse/v1/policies/erasure", Body: `{"mode":1}`, Events: []string{"instance.policy.erasure.set"}})
	before := telling(t, s, canary)[s.Var("bob")]
	s.Send(t, testkit.Call{Do: "DELETE /v2/users/$bob"})
	later(t, s)
	if n := telling(t, s, canary)[s.Var("bob")]; n != before+1 { // With the name in the last event.
		t.Errorf("%d events tell of bob, want %d", n, before+1)
	}
}

// TestWhatIsErasedLeavesTheDisk: where what was erased or deleted was in the file of the embedded
// database are zeros, and its log of writes is emptied once nobody writes.
func TestWhatIsErasedLeavesTheDisk(t *testing.T) {
	t.Parallel()
	config := testdb.SQLite(t)
	s := testkit.StartOn(t, config)
	s.Run(t, testkit.Call{Name: "erase", Do: "PUT /gatehouse/v1/policies/erasure", Body: `{"mode":2}`, Events: []string{"instance.policy.erasure.set"}})
	long := strings.Repeat(canary, 2000) // Takes pages of its own.
	s.Set("ada", person(t, s, s.OrgID, "ada"+canary))
	for _, value := range []string{canary, long} {
		r := s.Send(t, testkit.Call{Do: "POST /v2/users/$ada/metadata", Body: `{"metadata":[{"key":"k` + canary + `","value":"` + base64.StdEncoding.EncodeToString([]byte(value)) + `"}]}`})
		if r.Status != http.StatusOK {
			t.Fatalf("%d %s", r.Status, r.Body)
		}
	}
	needles := testkit.NewNeedles(map[string]string{"ada" + canary: "a name", strings.Repeat(canary, 4): "a value"})
	onDisk := func() (found []string) {
		for _, suffix := range []string{"", "-wal"} {
			data, err := os.ReadFile(config.URL + suffix)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, needles.In(data)...)
		}
		return found
	}
	if len(onDisk()) == 0 {
		t.Fatal("nothing is on the disk to begin with: the test has become blind")
	}
	s.Send(t, testkit.Call{Do: "DELETE /v2/users/$ada"})
	later(t, s)
	for range 60 { // The log is emptied five seconds after the last write.
		if len(onDisk()) == 0 {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("still on the disk: %q", onDisk())
}
