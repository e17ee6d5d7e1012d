package test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// openSessions counts the sessions of a user that have not ended.
func openSessions(t *testing.T, s *testkit.Server, userID string) (n uint64) {
	t.Helper()
	q := database.From("session_id", "sessions").Where("instance_id = ? AND user_id = ? AND ended = 0", s.InstanceID, userID)
	if err := s.DB.Read(t.Context(), q.Count(&n)); err != nil {
		t.Fatal(err)
	}
	return n
}

// giveSessions gives a user so many sessions, made when the user was.
func giveSessions(t *testing.T, s *testkit.Server, org, userID string, n int) {
	t.Helper()
	ctx, since := authz.AsSystem(context.Background(), s.InstanceID), int64(0)
	if err := s.DB.Read(ctx, database.One(new(bool), "SELECT created FROM users WHERE instance_id = ? AND user_id = ?", []any{s.InstanceID, userID}, &since)); err != nil {
		t.Fatal(err)
	}
	err := s.Store.Write(ctx, func(tx *eventstore.Tx) error {
		for range n {
			one, err := session.Add(tx, s.InstanceID, &session.UserAgent{FingerprintID: "f", IP: "192.0.2.7"})
			if err == nil {
				err = one.CheckUser(tx, session.User{ID: userID, Org: org, Since: time.UnixMicro(since).UTC()})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSessionsOfARemovedUser: they end with the user, at once where they are few and
// by a job where they are many; those of others go on, and so do those of somebody
// who gets the id later.
func TestSessionsOfARemovedUser(t *testing.T) {
	t.Parallel()
	s := twoOrgs(t)
	ada, acme := s.Var("ada"), s.Var("acme")
	s.Run(t,
		testkit.Call{Name: "remove one with a session", Do: "DELETE /v2/users/$bob", Events: []string{"user.removed", "session.terminated"}},
		testkit.Call{Name: "it is gone", As: "client", Do: "GET " + sessionsPath + "/$b", Status: http.StatusNotFound},
		testkit.Call{Name: "to end it again is fine", As: "client", Do: "DELETE " + sessionsPath + "/$b"},
		me("others are let in", "s", http.StatusOK),
	)
	giveSessions(t, s, acme, ada, 450)
	if r := s.Send(t, testkit.Call{Do: "DELETE /v2/users/$ada"}); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	out(t, s, "s")
	s.Settle(t)
	if n := openSessions(t, s, ada); n != 0 {
		t.Errorf("%d sessions go on", n)
	}
	if got, want := countOf(s.Events(t), "session.terminated"), 452; got != want {
		t.Errorf("%d sessions ended, want %d", got, want)
	}
}

// TestSessionsThatComeLate: what a call writes that was let in before its user was
// removed ends too, and the sessions of somebody who gets the id then do not.
func TestSessionsThatComeLate(t *testing.T) {
	t.Parallel()
	s := twoOrgs(t)
	ada, acme := s.Var("ada"), s.Var("acme")
	s.Run(t, testkit.Call{Name: "remove", Do: "DELETE /v2/users/$ada", Events: []string{"user.removed", "session.terminated"}})
	comeLate(t, s, acme, ada)
	s.Clock.Advance(time.Second)
	err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := user.AddHuman(tx, s.InstanceID, acme, ada, &user.Human{UserName: "ada", FirstName: "Ada", LastName: "Anew", Email: "ada@example.com"}, user.Password{Hash: hash()})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	giveSessions(t, s, acme, ada, 1)
	s.Clock.Advance(2 * time.Minute)
	s.Settle(t)
	if n := openSessions(t, s, ada); n != 1 {
		t.Errorf("%d sessions go on, want that of the new user alone", n)
	}
}

// comeLate writes a session as a call does that was let in before its user was removed.
func comeLate(t *testing.T, s *testkit.Server, org, userID string) {
	t.Helper()
	err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		one, err := session.Add(tx, s.InstanceID, nil)
		if err == nil {
			err = one.CheckUser(tx, session.User{ID: userID, Org: org, Since: tx.Now().Add(-time.Hour)})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// out holds that a caller is not let in, while jobs may write events.
func out(t *testing.T, s *testkit.Server, as string) {
	t.Helper()
	if r := s.Send(t, testkit.Call{As: as, Do: "GET /auth/v1/users/me"}); r.Status != http.StatusUnauthorized {
		t.Errorf("%s is let in: %d %s", as, r.Status, r.Body)
	}
}

func countOf(list []string, what string) (n int) {
	for _, v := range list {
		if v == what {
			n++
		}
	}
	return n
}

// TestNothingIsLeftOfAnOrganization: once an organization is removed, and what had to
// be done is done, its id is nowhere but in the log and in the heads of its chains.
func TestNothingIsLeftOfAnOrganization(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	inAll(t, s)
	acme, other := s.Var("acme"), s.Var("other")
	fill(t, s, "boss", acme)
	for i := range 3 {
		name := fmt.Sprintf("ada%d", i)
		person(t, s, acme, name)
		giveSessions(t, s, acme, s.Var(name), 150)
	}
	s.Run(t,
		newSession("s", with("ada0"), checkedPassword...),
		testkit.Call{Name: "one that ended", As: "client", Do: "DELETE " + sessionsPath + "/$s", Events: []string{"session.terminated"}},
		newSession("s", with("ada0"), checkedPassword...),
		testkit.Call{
			Name: "a project of another", In: "$other", Do: "POST /management/v1/projects", Body: `{"name":"theirs"}`, Keep: map[string]string{"theirs": "id"},
			Events: []string{"project.added", "project.member.added"},
		},
		testkit.Call{
			Name: "is granted to it", In: "$other", Do: "POST /management/v1/projects/$theirs/grants", Body: `{"grantedOrgId":"$acme"}`,
			Events: []string{"project.grant.added"},
		},
		testkit.Call{
			Name: "one of its users is granted another's", In: "$other", Do: "POST /management/v1/users/$ada1/grants", Body: `{"projectId":"$theirs"}`,
			Events: []string{"user.grant.added"},
		},
		testkit.Call{
			Name: "a project of its own", As: "boss", Do: "POST /management/v1/projects", Body: `{"name":"ours"}`, Keep: map[string]string{"ours": "id"},
			Events: []string{"project.added", "project.member.added"},
		},
		testkit.Call{
			Name: "is granted to another's user", As: "boss", Do: "POST /management/v1/users/$guest/grants", Body: `{"projectId":"$ours"}`, Events: []string{"user.grant.added"},
		},
		testkit.Call{Name: "and administers another", In: "$other", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ada2","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}},
	)
	before := holding(t, s, acme)
	t.Logf("before: %v", before)
	for _, table := range []string{"orgs", "org_domains", "users", "sessions", "claims", "members", "member_roles", "policies", "projects", "project_grants", "user_grants", "user_groups", "metadata"} {
		if before[table] == 0 {
			t.Errorf("nothing in %s is of the organization: the test has become blind", table)
		}
	}
	if r := s.Send(t, testkit.Call{Do: "DELETE /admin/v1/orgs/$acme"}); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	out(t, s, "boss")
	s.Settle(t)
	comeLate(t, s, acme, s.Var("ada0"))
	anew := testkit.Call{Do: "POST /v2/organizations", Body: `{"name":"Acme","organizationId":"$acme"}`}
	if r := s.Send(t, anew); r.Status != http.StatusConflict || !strings.Contains(string(r.Body), "ORG-id-busy") {
		t.Errorf("the id is given again while a session of its people goes on: %d %s", r.Status, r.Body)
	}
	s.Clock.Advance(2 * time.Minute) // Until then, calls that were let in before may write.
	s.Settle(t)
	if after := holding(t, s, acme); len(after) != 0 {
		t.Errorf("the organization is still in %v", after)
	}
	if r := s.Send(t, anew); r.Status != http.StatusCreated {
		t.Errorf("the id is not given again: %d %s", r.Status, r.Body)
	}
	if len(holding(t, s, other)) == 0 {
		t.Error("nothing is found of another organization either")
	}
}

// fill makes all that the caller can make in an organization.
func fill(t *testing.T, s *testkit.Server, as, org string) {
	t.Helper()
	t.Cleanup(s.ForgetSecrets) // The same text is in every field.
	ids := map[string][]string{"org_id": {org}}
	for range 2 { // What is made second may need what was made first.
		for _, m := range builtMethods(t, s) {
			name := string(m.Descriptor.Name())
			if !slices.ContainsFunc([]string{"Add", "Create", "Generate", "Set", "Bulk", "Import", "List"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
				continue
			}
			for variant := range 3 {
				g := &generator{variant: variant, id: func(field string) string { return pick(ids, field, variant) }, text: "made"}
				if r := sendMessage(t, s, m, g.request(t, m), testkit.Call{As: as, In: org}); r.Status == http.StatusOK {
					collect(ids, r.JSON(t))
				}
			}
		}
	}
}

// holding counts, by their tables, the rows in which the text is, alone or in another one. The log
// and the heads of its chains do not count.
func holding(t *testing.T, s *testkit.Server, text string) map[string]uint64 {
	t.Helper()
	columns := testkit.Schema(t, s.DB)
	delete(columns, "events")
	delete(columns, "aggregates")
	found := map[string]uint64{}
	for table, has := range columns {
		var n uint64
		var holds []string
		for _, c := range has {
			holds = append(holds, "CAST("+c+" AS TEXT) LIKE '%"+text+"%'")
		}
		if err := s.DB.Read(t.Context(), database.From("1", table).Where("("+strings.Join(holds, " OR ")+")").Count(&n)); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		if n > 0 {
			found[table] = n
		}
	}
	return found
}
