// Command gatehouse is the identity and access server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gatehouse:", err)
		os.Exit(1)
	}
}

// options are the flags; each can also be set as GATEHOUSE_NAME.
type options struct{ data, listen, external, database string }

func root() *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use: "gatehouse", Short: "Identity and access, self-hosted",
		SilenceErrors: true, SilenceUsage: true,
	}
	f := c.PersistentFlags()
	f.StringVar(&o.data, "data", env("DATA", "gatehouse-data"), "folder for the embedded database and the first token")
	f.StringVar(&o.database, "database", env("DATABASE", ""), "postgres://… URL; empty for the embedded database")
	start := &cobra.Command{Use: "start", Short: "Prepare what is missing and serve", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return start(cmd.Context(), cmd.OutOrStdout(), o) }}
	start.Flags().StringVar(&o.listen, "listen", env("LISTEN", "localhost:8080"), "address to listen on")
	start.Flags().StringVar(&o.external, "external-url", env("EXTERNAL_URL", ""), "URL under which clients reach the server (default http://localhost and the port)")
	c.AddCommand(start,
		&cobra.Command{Use: "migrate", Short: "Bring the database's schema up to date", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return migrate(cmd.Context(), cmd.OutOrStdout(), o) }},
		&cobra.Command{Use: "verify", Short: "Replay the event log and compare it with every table", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return verify(cmd.Context(), cmd.OutOrStdout(), o) }})
	return c
}

func env(name, fallback string) string {
	if v := os.Getenv("GATEHOUSE_" + name); v != "" {
		return v
	}
	return fallback
}

// open opens the database that the options name, and the data folder with it.
func open(ctx context.Context, o *options) (*database.DB, error) {
	if err := os.MkdirAll(o.data, 0o700); err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	dsn := o.database
	if dsn == "" {
		dsn = filepath.Join(o.data, "gatehouse.db")
	}
	return database.Open(ctx, database.Config{URL: dsn})
}

func start(ctx context.Context, out io.Writer, o *options) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	if o.external == "" {
		_, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return fmt.Errorf("--listen: %w", err)
		}
		o.external = "http://localhost:" + port
	}
	external, err := url.Parse(o.external)
	if err != nil || external.Hostname() == "" || external.Scheme != "http" && external.Scheme != "https" {
		return fmt.Errorf("--external-url: %q is not like https://id.example.com", o.external)
	}
	db, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	s, err := server.New(db, server.Options{ExternalURL: o.external})
	if err != nil {
		return err
	}
	token := filepath.Join(o.data, "admin.token")
	created, err := firstInstance(ctx, s.Store, external.Hostname(), token)
	if err != nil {
		return err
	}
	greet(out, o.external, token, created, db.Dialect())
	return s.Serve(ctx, listener)
}

// firstInstance makes the first instance where there is none, and reports
// whether it did.
func firstInstance(ctx context.Context, store *eventstore.Store, host, tokenFile string) (bool, error) {
	n, err := instance.Count(ctx, store)
	if err != nil || n > 0 {
		return false, err
	}
	// The file comes first: a token that cannot be kept must not be made.
	f, err := os.OpenFile(tokenFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return false, fmt.Errorf("token file: %w", err)
	}
	defer func() { _ = f.Close() }()
	created, err := flow.Setup(ctx, store, "Gatehouse", host)
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(created.Token + "\n")
	return true, errors.Join(err, f.Sync())
}

func greet(out io.Writer, external, token string, created bool, dialect database.Dialect) {
	fmt.Fprintf(out, "Gatehouse is ready at %s (%s)\n", external, dialect)
	if !created {
		return
	}
	fmt.Fprintf(out, `
The first administrator's token is in %[1]s. Try it:

  TOKEN=$(cat %[1]s)
  curl -H "Authorization: Bearer $TOKEN" %[2]s/management/v1/policies/login

Every call of the API: %[2]s/openapi
`, token, strings.TrimSuffix(external, "/"))
}

func migrate(ctx context.Context, out io.Writer, o *options) error {
	db, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	taken, err := db.Migrate(ctx)
	for _, m := range taken {
		fmt.Fprintf(out, "applied %d %s\n", m.Version, m.Name)
	}
	if err == nil && len(taken) == 0 {
		fmt.Fprintln(out, "The schema is up to date.")
	}
	return err
}

func verify(ctx context.Context, out io.Writer, o *options) error {
	db, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	dir, err := os.MkdirTemp("", "gatehouse-verify-")
	if err != nil {
		return fmt.Errorf("scratch folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	scratch, err := database.Open(ctx, database.Config{URL: filepath.Join(dir, "scratch.db")})
	if err != nil {
		return err
	}
	defer func() { _ = scratch.Close() }()
	if _, err := scratch.Migrate(ctx); err != nil {
		return err
	}
	report, err := eventstore.New(db, nil).Verify(ctx, scratch, func(done uint64) { fmt.Fprintf(out, "%d events replayed\n", done) })
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		fmt.Fprintln(out, "PROBLEM:", p)
	}
	if len(report.Problems) > 0 {
		return errors.New("the tables are not what the events say")
	}
	fmt.Fprintf(out, "Clean: %d events, %d tables.\n", report.Events, report.Tables)
	return nil
}
