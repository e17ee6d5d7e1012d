package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/doctor"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/process"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/telemetry"
)

func startCommand() *cobra.Command {
	var dev bool
	c := command("start", "Prepare what is missing and serve", func(s *session) error { return start(s, dev) })
	c.Flags().String("listen", "", "address to listen on (default localhost:8080)")
	c.Flags().BoolVar(&dev, "dev", false, "show the messages that nobody carries on a page of this machine: not for production")
	c.Flags().String("external-url", "", "URL under which clients reach the server (default http://localhost and the port)")
	return c
}

func start(s *session, dev bool) error {
	process.Use("/")
	unlock, err := s.prepare()
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := s.listen("listen", s.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	external := cmp.Or(strings.TrimSuffix(s.ExternalURL, "/"), s.localURL(listener.Addr().String()))
	t, err := telemetry.New(s.ctx, telemetry.Options{Metrics: s.Metrics.Listen != "", Endpoint: s.Tracing.Endpoint, Sample: s.Tracing.Sample})
	if err != nil {
		return s.Errorf("tracing.endpoint", "%v", err)
	}
	o, err := s.serverOptions(external, t)
	if err != nil {
		return err
	}
	db, err := s.open(t)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Migrate(s.ctx); err != nil {
		return s.Errorf("database.url", "%s", oneLine(err))
	}
	t.WatchPool(db)
	if o.Vault, err = s.vault(db); err != nil {
		return err
	}
	mailbox, closeMailbox, err := s.mailbox(dev, &o)
	if err != nil {
		return err
	}
	defer closeMailbox()
	srv, err := server.New(db, o)
	if err != nil {
		return err
	}
	if err := srv.Begin(s.ctx); err != nil {
		return err
	}
	created, err := s.firstInstance(srv.Store, o.Vault, external)
	if err != nil {
		return err
	}
	operator, err := s.serveMetrics(t)
	if err != nil {
		return err
	}
	defer operator()
	link, err := s.setupLink(srv.Store, external)
	if err != nil {
		return err
	}
	s.greet(external, link, created)
	s.greetDeveloper(mailbox)
	debug.FreeOSMemory() // What only the start needed is more than what serving needs.
	err = srv.Serve(s.ctx, listener)
	last, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 5*time.Second)
	defer cancel()
	if terr := t.Close(last); terr != nil {
		slog.Warn("the last traces were not sent", "error", terr)
	}
	return err
}

// listen opens the address that the setting key holds.
func (s *session) listen(key, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(s.ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, s.Errorf(key, "another program listens on %s: stop it, or choose another address", address)
	case err != nil:
		return nil, s.Errorf(key, "%v", err)
	}
	return l, nil
}

// The schemes of URLs.
const (
	plain   = "http"
	secured = "https"
)

// localURL is where the server is reached from the machine itself.
func (s *session) localURL(address string) string {
	scheme := plain
	if s.TLS.CertFile != "" {
		scheme = secured
	}
	_, port, _ := net.SplitHostPort(address)
	return scheme + "://localhost:" + port
}

// serverOptions are what the server takes of the configuration.
func (s *session) serverOptions(external string, t *telemetry.Telemetry) (server.Options, error) {
	if err := doctor.Roles(s.Config); err != nil {
		return server.Options{}, err
	}
	secure, err := s.tls()
	return server.Options{
		ExternalURL: external, LoginPage: s.LoginURL, TrustedProxies: s.TrustedProxies, AllowedNetworks: s.AllowedNetworks, Roles: s.Roles, SystemUsers: s.systemUsers(),
		Limits: server.Limits(s.Limits), TLS: secure, Telemetry: t, Installation: s.installation(),
	}, err
}

func (s *session) tls() (*tls.Config, error) {
	if s.TLS.CertFile == "" {
		return nil, nil //nolint:nilnil // none is configured
	}
	c, err := server.TLS(s.TLS.CertFile, s.TLS.KeyFile)
	if err != nil {
		return nil, s.Errorf("tls.cert_file", "%v", err)
	}
	return c, nil
}

func (s *session) systemUsers() (out []flow.SystemUser) {
	targets := map[string]flow.SystemTarget{"system": flow.OnSystem, "instance": flow.OnInstance, "org": flow.OnOrg}
	for _, u := range s.SystemUsers {
		user := flow.SystemUser{Name: u.Name, Key: u.Key}
		for _, m := range u.Memberships {
			user.Memberships = append(user.Memberships, flow.SystemMembership{On: targets[m.On], ID: m.ID, Roles: m.Roles})
		}
		out = append(out, user)
	}
	return out
}

// serveMetrics opens the operator's listener, where one is configured, and gives
// what closes it.
func (s *session) serveMetrics(t *telemetry.Telemetry) (stop func(), err error) {
	if s.Metrics.Listen == "" {
		return func() {}, nil
	}
	l, err := s.listen("metrics.listen", s.Metrics.Listen)
	if err != nil {
		return nil, err
	}
	return s.serveAside(l, t.Handler()), nil
}

// serveAside answers with h on a listener of its own, and gives what closes it.
func (s *session) serveAside(l net.Listener, h http.Handler) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx)) // Until the last call has ended.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.ServeOperator(ctx, l, h); err != nil {
			slog.Error("a listener ended", "address", l.Addr(), "error", err)
		}
	}()
	return func() { cancel(); <-ended }
}

// greet says with one write that the server is ready: who waits for it sees all of it.
func (s *session) greet(external, setup string, created bool) {
	where := "embedded database in " + s.Data
	if !s.embedded() {
		where = "PostgreSQL"
	}
	out := fmt.Sprintf("Gatehouse is ready at %s (%s)\n", external, where)
	if setup != "" {
		out += fmt.Sprintf(`
Nobody administers it in the browser yet. This link lets one person begin, within a day:

  %s
`, setup)
	}
	if created {
		out += fmt.Sprintf(`
For programs, an administrator's token is in %[1]s. Try it:

  TOKEN=$(cat %[1]s)
  curl -H "Authorization: Bearer $TOKEN" %[2]s/management/v1/policies/login

Every call of the API: %[2]s/openapi
Whether all is well: gatehouse doctor. Ctrl-C stops the server.
`, s.path(tokenFile), external)
	}
	fmt.Fprint(s.out, out)
}

// setupLink is where the first person gets to administer the instance at the external URL;
// empty where somebody does.
func (s *session) setupLink(store *eventstore.Store, external string) (string, error) {
	code, err := flow.SetupCode(s.ctx, store, hostOf(external))
	if err != nil || code == "" {
		return "", err
	}
	return setupAddress(external, flow.SetupLink{Code: code}), nil
}

// setupAddress is where a link leads.
func setupAddress(external string, l flow.SetupLink) string {
	q := url.Values{"code": {l.Code}}
	if l.User != "" {
		q.Set("userID", l.User)
	}
	return external + "/ui/login/setup?" + q.Encode()
}

// hostOf is the host that a checked URL names.
func hostOf(external string) string {
	u, err := url.Parse(external)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
