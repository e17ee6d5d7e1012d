//go:build unix

// Package testkit gives tests a real server: on a database of its own (package
// testdb: SQLite, or PostgreSQL with DB=postgres), with a first instance, a
// listener and a clock that the test moves. When the test ends, the event log is
// replayed and must give the same tables.
//
// Most tests of the API are scenarios, see Call:
//
//	s := testkit.Start(t)
//	s.Run(t,
//		testkit.Call{Name: "add an organization", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`,
//			Want: `{"id":"*"}`, Keep: map[string]string{"acme": "id"}, Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"}},
//		testkit.Call{Name: "its policy is the default", Do: "GET /management/v1/policies/login", In: "$acme",
//			Want: `{"isDefault":true}`},
//		testkit.Call{Name: "nobody may read it", Do: "GET /management/v1/policies/login", As: "nobody", Status: 401},
//	)
//
// Scenarios live in package test, in a file per service; there every RPC that
// answers must succeed in one.
package testkit

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// Calls that fail are what many tests are about: only the server's own failures
// are news.
func init() { slog.SetLogLoggerLevel(slog.LevelError) }

// Server is a running Gatehouse that serves one test.
type Server struct {
	*server.Server
	// Created is the first instance, for the host localhost, with its first
	// organization and the owner of the instance with a token.
	flow.Created
	DB     *database.DB
	Vault  *crypto.Vault
	Clock  *Clock
	URL    string // "http://localhost:port"
	Client *http.Client

	Address string // where it listens
	config  database.Config
	trips   *atomic.Int64
	seen    *harvest
	vars    map[string]string
	tokens  map[string]string
}

// Start starts a server on a database of its own, with options as edited.
func Start(t testing.TB, edits ...func(*server.Options)) *Server {
	t.Helper()
	return StartOn(t, testdb.Config(t), edits...)
}

// StartOn is Start on a database that the test names.
func StartOn(t testing.TB, config database.Config, edits ...func(*server.Options)) *Server {
	t.Helper()
	trips := new(atomic.Int64)
	if config.Observe == nil {
		config.Observe = func(ctx context.Context, _ database.Trip) {
			if api.CallOf(ctx).RequestID != "" {
				trips.Add(1)
			}
		}
	}
	s := join(t, testdb.Connect(t, config), edits)
	s.config, s.trips = config, trips
	created, err := flow.Setup(context.Background(), s.Store, s.Vault, "Gatehouse", "localhost", nil, webKeys()...)
	if err != nil {
		t.Fatalf("first instance: %v", err)
	}
	s.know(created)
	t.Cleanup(func() {
		s.Verify(t)
		s.rest(t)
	})
	return s
}

func join(t testing.TB, db *database.DB, edits []func(*server.Options)) *Server {
	t.Helper()
	clock := &Clock{}
	v, err := crypto.OpenVault(context.Background(), db, masterKey())
	if err != nil {
		t.Fatalf("vault: %v", err)
	}
	o := server.Options{ExternalURL: "http://localhost", Clock: clock.Now, Vault: v}
	for _, edit := range edits {
		edit(&o)
	}
	inner, err := server.New(db, o)
	if err != nil {
		t.Fatalf("server: %v", err)
	}
	if err := inner.Begin(context.Background()); err != nil {
		t.Fatalf("clock: %v", err)
	}
	s := &Server{Server: inner, DB: db, Vault: o.Vault, Clock: clock, vars: map[string]string{}, tokens: map[string]string{"nobody": ""}}
	inner.API.Observe = observe
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s.Address = listener.Addr().String()
	_, port, _ := net.SplitHostPort(s.Address)
	s.URL = "http://localhost:" + port
	s.seen = newHarvest(&http.Transport{DialContext: s.Dial, MaxIdleConnsPerHost: 64})
	if o.Vault != nil && o.Vault.Watch == nil {
		o.Vault.Watch = s.seen.sealed
	}
	s.Client = &http.Client{Transport: s.seen}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- inner.Serve(ctx, listener) }()
	t.Cleanup(func() {
		s.Client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		*s = Server{} // The testing package keeps what cleanups know, of every test until the last has ended.
	})
	return s
}

// masterKey is the one of every test.
var masterKey = sync.OnceValue(func() crypto.MasterKey {
	k, err := crypto.NewMasterKey()
	if err != nil {
		panic(err)
	}
	return k
})

// webKeys are the first ones of every test: to make them takes long.
var webKeys = sync.OnceValue(func() []webkey.Pair {
	pairs, err := webkey.FirstPairs(context.Background())
	if err != nil {
		panic(err)
	}
	return pairs
})

// Sibling starts one more server on the same database: a second node. It has connections
// of its own, but on the embedded database, whose process is one.
func (s *Server) Sibling(t testing.TB, edits ...func(*server.Options)) *Server {
	t.Helper()
	db := s.DB
	if testdb.Postgres() {
		db = testdb.Connect(t, s.config)
	}
	other := join(t, db, edits)
	other.know(s.Created)
	t.Cleanup(func() { s.seen.add(other.seen) })
	return other
}

// Lost is a node that has lost its database.
func (s *Server) Lost(t testing.TB) *Server {
	t.Helper()
	db := testdb.Scratch(t)
	lost := join(t, db, nil)
	lost.know(s.Created)
	if err := db.Close(); err != nil {
		t.Fatalf("close database: %v", err)
	}
	return lost
}

// Trips counts the exchanges with the database that requests have made, without those of jobs
// and of whatever else a node does by itself.
func (s *Server) Trips() int64 { return s.trips.Load() }

func (s *Server) know(c flow.Created) {
	s.Created = c
	s.vars["instance"], s.vars["org"], s.vars["owner"] = c.InstanceID, c.OrgID, c.OwnerID
	s.tokens["owner"] = c.Token
}

// Dial reaches the server whatever host a request names.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", s.Address)
}

// Settle waits until no job is due any more.
func (s *Server) Settle(t testing.TB) {
	t.Helper()
	for range 3000 {
		var due uint64
		// A job that runs is due at the end of its lease, a minute after it was taken,
		// which may be after the clock was read here; one that goes on is due at once.
		now, soon := s.Clock.Now().Add(100*time.Millisecond).UnixMicro(), s.Clock.Now().Add(2*time.Minute).UnixMicro()
		q := database.From("id", "jobs").Where("due < ? OR attempts > 0 AND due < ? AND last_error = ''", now, soon)
		if err := s.DB.Read(context.Background(), q.Count(&due)); err != nil {
			t.Fatalf("jobs: %v", err)
		}
		if due == 0 {
			return
		}
		s.Store.WakeJobs()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("jobs do not end")
}

// Verify replays the event log and compares it with every table.
func (s *Server) Verify(t testing.TB) {
	t.Helper()
	report, err := s.Store.Verify(context.Background(), testdb.Scratch(t), nil)
	if err != nil {
		t.Errorf("verify: %v", err)
	}
	for _, p := range report.Problems {
		t.Errorf("verify: %s", p)
	}
}

// Clock is the server's time: the real one, moved by the test.
type Clock struct{ offset atomic.Int64 }

// Now is the server's time.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) { c.offset.Add(int64(d)) }

var answered sync.Map

// Aside is the header of calls that are no scenario: that they succeed does not
// count.
const Aside = "X-Testkit-Aside"

// observe remembers the RPCs that succeeded at least once.
func observe(call *api.Call, err error) {
	if err == nil && call.Header.Get(Aside) == "" {
		answered.Store(call.Procedure, true)
	}
}

// Answered reports whether a call of the procedure succeeded in this test binary.
func Answered(procedure string) bool {
	_, ok := answered.Load(procedure)
	return ok
}
