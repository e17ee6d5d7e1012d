package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func adminCommand() *cobra.Command {
	c := &cobra.Command{Use: "admin", Short: "Ways back in for who has the machine"}
	o := &resetOptions{}
	reset := command("reset", "Make a new owner of an instance, or a new token for one", func(s *session) error { return adminReset(s, o) })
	f := reset.Flags()
	f.StringVar(&o.instance, "instance", "", "id or domain of the instance; needed where there are several")
	f.StringVar(&o.user, "user", "", "user name or id of a machine user who owns the instance; without it a new one is made")
	f.StringVar(&o.file, "file", "", "new file for the token (default admin-reset.token in the data folder)")
	f.DurationVar(&o.valid, "valid", 24*time.Hour, "how long the token is valid; 0 for ever")
	c.AddCommand(reset)
	return c
}

type resetOptions struct {
	instance, user, file string
	valid                time.Duration
}

// adminReset is for who lost every token. It may run beside a server.
func adminReset(s *session, o *resetOptions) error {
	if o.valid < 0 {
		return errors.New("--valid: the time must not be negative")
	}
	if o.file == "" {
		if err := s.makeData(); err != nil {
			return err
		}
		o.file = s.path("admin-reset.token")
	}
	db, err := s.openExisting()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	store, kept := eventstore.New(db, nil), false
	r := flow.Reset{Instance: o.instance, Owner: o.user, Keep: func(token string) error {
		err := keepSecret(o.file, token)
		kept = err == nil
		return err
	}}
	if o.valid > 0 {
		r.Expires = store.Now().Add(o.valid)
	}
	made, err := flow.ResetAdmin(s.ctx, store, r)
	if err != nil {
		if kept {
			err = errors.Join(err, forget(o.file))
		}
		return err
	}
	fmt.Fprintf(s.out, "The token of user %s, an owner of instance %s, is in %s.\n", made.OwnerID, made.InstanceID, o.file)
	fmt.Fprintf(s.out, "The log of events says that %s made it. Remove the file when you are back in.\n", flow.ResetCreator)
	return nil
}
