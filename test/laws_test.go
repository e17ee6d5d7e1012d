package test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var update = flag.Bool("update", false, "write the files that the tests compare with")

const module = "github.com/gatehouse/gatehouse/"

// The floors of the house, from the top. A room imports rooms of lower floors
// only; rooms of one floor do not know each other.
var floors = [][]string{
	{"cmd/gatehouse"},
	{"internal/server"},
	{"internal/api/*", "internal/oidc", "internal/login", "internal/assets", "internal/console", "internal/account", "internal/telemetry", "internal/notify"},
	{"internal/web"},
	{"internal/api", "internal/outbound"},
	{"internal/flow", "internal/doctor"},
	{"internal/assurance", "internal/instance", "internal/org", "internal/user", "internal/member", "internal/metadata", "internal/group", "internal/project", "internal/session", "internal/oauth", "internal/job", "internal/provider", "internal/webkey", "internal/authorization", "internal/application"},
	{"internal/message", "internal/policy", "internal/logout"},
	{"internal/authz", "internal/crypto", "internal/eventstore"},
	{"internal/database"},
	{"internal/config"},
	{"internal/fault", "internal/hostname", "internal/process"},
}

// Only rooms from this floor up may know the wire.
const protocolFloor = "internal/api"

// TestImportsPointDown holds every import of the program against the floors.
func TestImportsPointDown(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"internal/...", module+"cmd/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		room := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(room, "internal/testkit") {
			continue
		}
		from := floorOf(room)
		if from < 0 {
			t.Errorf("%s stands on no floor: add it to the table of this test and to docs/architecture.md", room)
			continue
		}
		for _, i := range p.Imports {
			wire := i == "net/http" || strings.HasPrefix(i, "connectrpc.com/") || strings.HasPrefix(i, module+"gen/")
			if wire && from > floorOf(protocolFloor) {
				t.Errorf("%s imports %s: only the protocol layer knows the wire", room, i)
			}
			target, ours := strings.CutPrefix(i, module)
			if !ours || strings.HasPrefix(target, "gen/") {
				continue
			}
			if to := floorOf(target); to <= from {
				t.Errorf("%s imports %s: imports point down only, and rooms of one floor do not know each other", room, target)
			}
		}
	}
}

func floorOf(room string) int {
	return slices.IndexFunc(floors, func(rooms []string) bool {
		return slices.ContainsFunc(rooms, func(r string) bool {
			folder, open := strings.CutSuffix(r, "/*")
			return r == room || open && strings.HasPrefix(room, folder+"/")
		})
	})
}

// publicMethods need no token.
var publicMethods = []string{
	"/zitadel.admin.v1.AdminService/Healthz",
	"/zitadel.auth.v1.AuthService/Healthz",
	"/zitadel.management.v1.ManagementService/GetOIDCInformation",
	"/zitadel.management.v1.ManagementService/Healthz",
	"/zitadel.system.v1.SystemService/Healthz",
}

// TestEveryMethodIsGuarded: each RPC of the contract has its permission option
// and, in the v1 services, a REST route.
func TestEveryMethodIsGuarded(t *testing.T) {
	t.Parallel()
	contract, err := api.Contract()
	if err != nil {
		t.Fatal(err)
	}
	own := len(slices.DeleteFunc(slices.Clone(contract), func(m *api.Method) bool { return strings.HasPrefix(m.Procedure, "/zitadel.") }))
	if len(contract)-own != 775 {
		t.Errorf("the contract has %d methods, want 775", len(contract)-own)
	}
	public := 0
	for _, m := range contract {
		if m.Permission == api.Public {
			public++
			if !slices.Contains(publicMethods, m.Procedure) {
				t.Errorf("%s needs no token: add it to the list of this test if that is right", m.Procedure)
			}
		}
		if len(m.Routes) == 0 && !strings.Contains(m.Procedure, "v2") {
			t.Errorf("%s has no REST route", m.Procedure)
		}
	}
	if public != len(publicMethods) {
		t.Errorf("%d methods need no token, the list of this test has %d", public, len(publicMethods))
	}
}

// TestEventNames: the names of events are visible to clients. The list changes
// only on purpose: go test ./test -run TestEventNames -update
func TestEventNames(t *testing.T) {
	t.Parallel()
	const file = "testdata/events.txt"
	got := strings.Join(eventstore.Kinds(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the events are not those of %s:\n%s", file, got)
	}
}

// TestEveryTableIsDeclared: a table is either the fold of events, and then
// compared after each test with all its columns, or said to be transient.
func TestEveryTableIsDeclared(t *testing.T) {
	t.Parallel()
	db := testdb.Scratch(t)
	declared := map[string][]string{}
	for _, table := range eventstore.Tables() {
		declared[table.Name] = append(slices.Clone(table.Key), table.Columns...)
	}
	columns := testkit.Schema(t, db)
	for table, has := range columns {
		if slices.Contains(eventstore.Transient(), table) {
			continue
		}
		slices.Sort(has)
		slices.Sort(declared[table])
		if !slices.Equal(has, declared[table]) {
			t.Errorf("table %s has the columns %q, declared are %q", table, has, declared[table])
		}
	}
}

// TestNoGoroutineIsLeft: the tests of every package end by looking for goroutines that
// nobody waits for (G-23).
func TestNoGoroutineIsLeft(t *testing.T) {
	t.Parallel()
	looks := map[string]bool{}
	for _, pattern := range []string{"*_test.go", "../internal/*/*_test.go", "../internal/api/*/*_test.go", "../cmd/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			room := filepath.Dir(file)
			looks[room] = looks[room] || strings.Contains(string(text), "leak.Main(m)") || strings.Contains(string(text), "code = leak.Check()")
		}
	}
	for room, does := range looks {
		if !does {
			t.Errorf("%s needs a TestMain with leak.Main: see internal/testkit/leak", room)
		}
	}
}
