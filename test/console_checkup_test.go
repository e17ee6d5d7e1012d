package test

import (
	"context"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/config"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/doctor"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// installed is an installation that is open to the network without TLS.
func installed(t *testing.T) doctor.Installation {
	t.Helper()
	c, err := config.Load(config.Input{Flags: map[string]string{"listen": ":8080", "data": "nowhere"}})
	if err != nil {
		t.Fatal(err)
	}
	return doctor.Installation{Config: c, MakeData: func() error { return nil }}
}

// failing leaves a job of an instance that failed.
func failing(t *testing.T, s *testkit.Server, instance, why string) {
	t.Helper()
	err := s.DB.Write(context.Background(), func(tx *database.Tx) error {
		tx.Exec(database.Statement{
			SQL:  "INSERT INTO jobs (instance_id, kind, payload, due, attempts, last_error) VALUES (?, 'test', '{}', ?, 3, ?)",
			Args: []any{instance, s.Clock.Now().AddDate(1, 0, 0).UnixMicro(), why},
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestConsoleCheckup shows an administrator what the doctor finds, in words that say what to
// do.
func TestConsoleCheckup(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER_VIEWER", func(o *server.Options) { o.Installation = installed(t) })
	failing(t, s, s.InstanceID, "the post has closed")
	w.open(t, "/ui/console/instance/checkup")
	w.sees(t, "is open to the network without TLS")
	w.sees(t, "nobody carries SMS")
	w.sees(t, "3 times in a row: the post has closed. Mend the cause")
	w.dark(t)
	w.open(t, "/ui/console/instance/checkup")
	w.sees(t, "localhost leads to one")
	w.phone(t)
	w.open(t, "/ui/console/instance/checkup")
	w.sees(t, "Check-up")
}

// TestCheckupOfOthers: who administers an instance sees nothing of another one, nor of the
// installation that they share.
func TestCheckupOfOthers(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	look := func() string {
		t.Helper()
		found, err := doctor.LookAt(t.Context(), installed(t), s.DB, s.InstanceID)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, f := range found {
			out.WriteString(f.About.String() + ": " + f.Says.String() + "\n")
		}
		return out.String()
	}
	if alone := look(); !strings.Contains(alone, "listener: ") || !strings.Contains(alone, "database: ") {
		t.Errorf("alone, an instance is shown\n%s", alone)
	}
	addInstance(t, s, tenant)
	failing(t, s, s.Expand("$"+tenant), "of the other one")
	failing(t, s, s.InstanceID, "of its own")
	shared := look()
	for _, hidden := range []string{"listener", "database", "of the other one", tenant, s.Expand("$" + tenant)} {
		if strings.Contains(shared, hidden) {
			t.Errorf("beside another, an instance is shown %s:\n%s", hidden, shared)
		}
	}
	if !strings.Contains(shared, "of its own") || !strings.Contains(shared, "nobody carries mail of the instance "+s.InstanceID+":") {
		t.Errorf("beside another, an instance is not shown its own:\n%s", shared)
	}
}
