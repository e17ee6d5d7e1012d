package test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const outgrownSentence = "A newer version has changed the database, and this one cannot use it any more. Start the newer version on this node."

// TestOutgrown: a node that runs notices that a newer version has taken a step which it does not
// survive. From then on it is not ready, refuses every call, and leaves jobs to others.
func TestOutgrown(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ready := func() testkit.Reply { return s.Send(t, testkit.Call{As: "nobody", Do: "GET /debug/ready"}) }
	if r := ready(); r.Status != http.StatusOK {
		t.Fatalf("before: %d %s", r.Status, r.Body)
	}
	if err := s.DB.Write(t.Context(), func(tx *database.Tx) error {
		tx.Exec(database.Statement{SQL: "INSERT INTO migrations (version, name, digest, applied) VALUES (9998, 'more', '', 0), (9999, 'less_breaking', '', 0)"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for tries := 0; ready().Status == http.StatusOK; tries++ {
		if tries == 500 {
			t.Fatal("the node does not notice")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if r := ready(); r.Status != http.StatusServiceUnavailable || strings.TrimSpace(string(r.Body)) != "not ready: "+outgrownSentence {
		t.Errorf("readiness: %d %s", r.Status, r.Body)
	}
	for _, do := range []string{
		"GET /auth/v1/users/me", "POST /zitadel.org.v2.OrganizationService/ListOrganizations", "GET /.well-known/openid-configuration", "GET /oauth/v2/keys",
	} {
		r := s.Send(t, testkit.Call{Do: do, Body: map[bool]string{true: "{}"}[strings.HasPrefix(do, "POST")]})
		if r.Status != http.StatusServiceUnavailable || !strings.Contains(string(r.Body), outgrownSentence+" (SERVER-outgrown)") {
			t.Errorf("%s: %d %s", do, r.Status, r.Body)
		}
	}
	page := s.Send(t, testkit.Call{As: "nobody", Do: "GET /ui/login/", Header: map[string]string{"Accept": "text/html", "Accept-Language": "de"}})
	if page.Status != http.StatusServiceUnavailable || !strings.HasPrefix(string(page.Body), "Eine neuere Version hat die Datenbank verändert") {
		t.Errorf("a page: %d %s", page.Status, page.Body)
	}
	if r := s.Send(t, testkit.Call{As: "nobody", Do: "GET /debug/healthz"}); r.Status != http.StatusOK {
		t.Errorf("the process lives: %d", r.Status)
	}
	conn, err := grpc.NewClient(s.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("over gRPC: %v", err)
	}
	noWork(t, s)
}

// noWork leaves a job to a node that must not take it.
func noWork(t *testing.T, s *testkit.Server) {
	t.Helper()
	if err := s.DB.Write(t.Context(), func(tx *database.Tx) error {
		tx.Exec(database.Statement{SQL: "INSERT INTO jobs (instance_id, kind, payload, due, attempts, last_error) VALUES ('', 'message.send', '{}', 0, 0, '')"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.Store.WakeJobs()
	time.Sleep(200 * time.Millisecond)
	waits := false
	if err := s.DB.Read(t.Context(), database.One(&waits, "SELECT id FROM jobs WHERE due = 0", nil, new(int64))); err != nil || !waits {
		t.Errorf("the job does not wait: %v", err)
	}
}
