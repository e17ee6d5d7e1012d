// Command gatehouse is the identity and access server.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	privateFiles()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends at once.
	err := root().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gatehouse:", err)
		os.Exit(1)
	}
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use: "gatehouse", Short: "Identity and access, self-hosted",
		SilenceErrors: true, SilenceUsage: true,
	}
	f := c.PersistentFlags()
	f.String("config", os.Getenv("GATEHOUSE_CONFIG"), "configuration file, in YAML")
	f.String("data", "", "folder for the embedded database and the first token (default gatehouse-data)")
	f.String("database", "", "postgres://… URL; without it the embedded database")
	c.AddCommand(startCommand(), setupCommand(), migrateCommand(), verifyCommand(), configCommand(), doctorCommand(),
		backupCommand(), restoreCommand(), adminCommand(), vaultCommand(), policyCommand(), versionCommand())
	return c
}

// command makes a command without arguments that runs with the configuration.
func command(use, short string, run func(*session) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		s, err := newSession(cmd)
		if err != nil {
			return err
		}
		return run(s)
	}}
}
