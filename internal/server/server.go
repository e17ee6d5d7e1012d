// Package server wires the rooms together and listens. It is the only package
// that knows everybody.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse/gatehouse/internal/account"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/api/admin"
	"github.com/gatehouse/gatehouse/internal/api/application"
	"github.com/gatehouse/gatehouse/internal/api/auth"
	"github.com/gatehouse/gatehouse/internal/api/authorization"
	"github.com/gatehouse/gatehouse/internal/api/feature"
	"github.com/gatehouse/gatehouse/internal/api/group"
	"github.com/gatehouse/gatehouse/internal/api/instance"
	"github.com/gatehouse/gatehouse/internal/api/management"
	loginpages "github.com/gatehouse/gatehouse/internal/api/oidc"
	"github.com/gatehouse/gatehouse/internal/api/org"
	"github.com/gatehouse/gatehouse/internal/api/permission"
	"github.com/gatehouse/gatehouse/internal/api/policy"
	"github.com/gatehouse/gatehouse/internal/api/project"
	"github.com/gatehouse/gatehouse/internal/api/session"
	"github.com/gatehouse/gatehouse/internal/api/settings"
	"github.com/gatehouse/gatehouse/internal/api/system"
	"github.com/gatehouse/gatehouse/internal/api/user"
	"github.com/gatehouse/gatehouse/internal/api/webkey"
	"github.com/gatehouse/gatehouse/internal/assets"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/console"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/doctor"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/login"
	"github.com/gatehouse/gatehouse/internal/notify"
	"github.com/gatehouse/gatehouse/internal/oidc"
	"github.com/gatehouse/gatehouse/internal/outbound"
	looks "github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/telemetry"
	"github.com/gatehouse/gatehouse/internal/web"
	keys "github.com/gatehouse/gatehouse/internal/webkey"
)

// Server is a running Gatehouse.
type Server struct {
	Store *eventstore.Store
	API   *api.Server
	// Outbound makes the requests to addresses that users chose.
	Outbound *outbound.Client
	edge     http.Handler
	calls    *admission
	jobs     *job.Runner
	clock    *database.Clock // nil: the time is the test's
	requests atomic.Int64
	outgrown atomic.Bool // a newer version has changed the database
	limits   Limits
	tls      *tls.Config
	vault    *crypto.Vault
}

// Options are what differs between installations. The zero value trusts no proxy
// and knows no system user.
type Options struct {
	// ExternalURL is under which clients reach the server: the audience of the
	// tokens of system users.
	ExternalURL string
	// LoginPage is where people log in whose instance and application name no other
	// page; empty: under the instance's own address.
	LoginPage      string
	SystemUsers    []flow.SystemUser
	TrustedProxies []netip.Prefix
	// AllowedNetworks are reached by requests to addresses that users chose, although
	// they are not public.
	AllowedNetworks []netip.Prefix
	// Roles replaces the permissions of roles, or adds roles.
	Roles map[string][]string
	// Clock is the time; nil for that by which all nodes on the database agree, which
	// rests on Machine, the clock of this machine; nil for the system's.
	Clock, Machine func() time.Time
	Limits         Limits
	// TLS is for the listener; nil for none. See TLS.
	TLS *tls.Config
	// Vault seals what the database keeps secret.
	Vault *crypto.Vault
	// Mailbox takes messages that nobody carries; nil for none. It is for development.
	Mailbox *notify.Mailbox
	// Installation is what the doctor looks at beside the instances, where its Config is
	// not nil.
	Installation doctor.Installation
	// Telemetry measures; nil for none.
	Telemetry *telemetry.Telemetry
}

// New wires a server on an open, migrated database.
func New(db *database.DB, o Options) (*Server, error) {
	external, err := url.Parse(o.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	roles, err := authz.Builtin(o.Roles)
	if err != nil {
		return nil, err
	}
	var clock *database.Clock
	if o.Clock == nil {
		clock = database.NewClock(db, o.Machine)
		o.Clock = clock.Now
	}
	store := eventstore.New(db, o.Clock)
	out := &outbound.Client{Allow: o.AllowedNetworks}
	people := notify.New(store, o.Vault, out, external, o.Mailbox)
	work := flow.Work(store, o.Vault)
	maps.Copy(work, people.Work())
	outside := flow.Outside{TXT: out.TXT, Text: out.Text, Reach: out.Reach}
	gate, sessions := flow.NewGate(store, roles, o.ExternalURL, o.SystemUsers), flow.NewSessions(store, o.Vault)
	a, err := api.New(gate,
		admin.Service(store, o.Vault, people.TestMail), auth.Service(store, o.Vault, external), feature.Service(store), group.Service(store), instance.Service(store),
		management.Service(store, o.Vault, outside, external), loginpages.Service(store), org.Service(store, o.Vault, outside), permission.Service(store), policy.Service(store), project.Service(store),
		session.Service(store, sessions), settings.Service(store),
		system.Service(store, o.Vault, external.Hostname()), user.Service(store, o.Vault), webkey.Service(store, o.Vault),
		webkey.Rotation(store), authorization.Service(store), application.Service(store, outside), application.Claims(store))
	if err != nil {
		return nil, err
	}
	a.External = external
	provider, err := oidc.New(store, keys.NewSigner(store, o.Vault), roles, o.ExternalURL, o.LoginPage)
	if err != nil {
		return nil, err
	}
	maps.Copy(work, provider.Work(out))
	files := assets.New(store, gate, external)
	common := web.Common{Store: store, Gate: gate, External: external}
	calls := pageCalls{a, files, o.Installation, db}
	static, pages, admins, own := web.NewStatic(common), login.New(common, o.Vault, sessions), console.New(common, calls), account.New(common, calls)
	protocols := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case oidc.Serves(r.URL.Path):
			provider.ServeHTTP(w, r)
		case login.Serves(r.URL.Path):
			pages.ServeHTTP(w, r)
		case admins.Serves(r.URL.Path):
			admins.ServeHTTP(w, r)
		case own.Serves(r.URL.Path):
			own.ServeHTTP(w, r)
		case assets.Serves(r.URL.Path):
			files.ServeHTTP(w, r)
		case static.Serves(r.URL.Path):
			static.ServeHTTP(w, r)
		default:
			a.ServeHTTP(w, r)
		}
	})
	a.Limit(api.Limits{BodyBytes: o.Limits.BodyBytes, JSONBytes: o.Limits.JSONBytes, CallTimeout: o.Limits.CallTimeout})
	s := &Server{Store: store, API: a, Outbound: out, calls: newAdmission(), jobs: job.New(store, work), clock: clock, vault: o.Vault, limits: o.Limits, tls: o.TLS}
	edge := &api.Edge{Next: s.unlessOutgrown(s.calls.guard(protocols)), Ready: s.ready, TrustedProxies: o.TrustedProxies}
	if o.Telemetry != nil {
		edge.Begin, edge.End = o.Telemetry.Begin, o.Telemetry.End
	}
	s.edge = edge
	return s, nil
}

// pageCalls are what console and account make calls by.
type pageCalls struct {
	*api.Server
	files *assets.Server
	in    doctor.Installation
	db    *database.DB
}

func (c pageCalls) Look(ctx context.Context, instance string) ([]doctor.Finding, error) {
	return doctor.LookAt(ctx, c.in, c.db, instance)
}

func (c pageCalls) Upload(ctx context.Context, e api.Errand, of looks.LabelAsset, data []byte) error {
	return c.files.Upload(ctx, e, of, data)
}

func (c pageCalls) UploadAvatar(ctx context.Context, e api.Errand, data []byte) error {
	return c.files.UploadAvatar(ctx, e, data)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	e := watch(w, r)
	defer e.end()
	if s.API.Draining() {
		tellToLeave(e)
	}
	s.edge.ServeHTTP(e, r)
}

// restAfter is how long nobody must have called before memory is given back.
const restAfter = 20 * time.Second

// rest gives the memory that calls needed back to the machine, once nobody calls.
func (s *Server) rest(ctx context.Context) {
	ticker := time.NewTicker(restAfter)
	defer ticker.Stop()
	var before, rested int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := s.requests.Load()
		if now == before && now != rested {
			debug.FreeOSMemory()
			rested = now
		}
		before = now
	}
}

// Begin sets the time of the store to that by which all nodes go. It is for who writes before Serve,
// which begins by itself.
func (s *Server) Begin(ctx context.Context) error {
	if s.clock == nil {
		return nil
	}
	return BeginClock(ctx, s.Store, s.clock)
}

// BeginClock sets the clock of a store before anything is done by it.
func BeginClock(ctx context.Context, store *eventstore.Store, clock *database.Clock) error {
	_, written, err := store.LastEvent(ctx)
	if err != nil {
		return err
	}
	return clock.Begin(ctx, written)
}

// Serve answers on the listener, with TLS where it is configured, and does the
// jobs that calls leave behind, until ctx ends; then it finishes what is running.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var workers sync.WaitGroup
	if s.clock != nil {
		if err := s.Begin(ctx); err != nil {
			slog.WarnContext(ctx, "the clock of the database cannot be read", "error", err)
		}
		workers.Go(func() { s.clock.Follow(ctx) })
	}
	workers.Go(func() { s.Store.DB().Watch(ctx) })
	if s.vault != nil {
		workers.Go(func() { s.vault.Follow(ctx, crypto.FollowEvery) })
	}
	working, endWork := context.WithCancel(ctx)
	defer endWork()
	workers.Go(func() { s.watchSchema(ctx, endWork) })
	workers.Go(func() { s.jobs.Run(working) })
	workers.Go(func() { s.Store.Expire(working) })
	workers.Go(func() { s.rest(ctx) })
	defer func() {
		stop()
		workers.Wait()
	}()
	srv := newHTTP(s, s.limits)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(s.secure(l)) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	if err := s.drain(ctx, srv); err != nil {
		return err
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
