package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/flow"
)

func adminCommand() *cobra.Command {
	c := &cobra.Command{Use: "admin", Short: "Ways back in for who has the machine"}
	o := &resetOptions{}
	reset := command("reset", "Make a link by which a person owns an instance, or gets back in; or a token", func(s *session) error { return adminReset(s, o) })
	f := reset.Flags()
	f.StringVar(&o.instance, "instance", "", "id or domain of the instance; needed where there are several")
	f.StringVar(&o.user, "user", "", "user name or id of who owns the instance; without it a new owner is made")
	f.BoolVar(&o.token, "token", false, "make the new owner a machine user with a token, in place of a link for a person")
	f.StringVar(&o.file, "file", "", "new file for a token (default admin-reset.token in the data folder)")
	f.DurationVar(&o.valid, "valid", 24*time.Hour, "how long a token is valid; 0 for ever")
	f.String("external-url", "", "URL under which clients reach the server")
	c.AddCommand(reset)
	return c
}

type resetOptions struct {
	instance, user, file string
	token                bool
	valid                time.Duration
}

// adminReset is for who lost every way in. It may run beside a server.
func adminReset(s *session, o *resetOptions) error {
	if o.valid < 0 {
		return errors.New("--valid: the time must not be negative")
	}
	db, err := s.openExisting()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	store, err := s.ledger(db)
	if err != nil {
		return err
	}
	kept := false
	r := flow.Reset{Instance: o.instance, Owner: o.user, Token: o.token, Keep: func(token string) error {
		if err := o.place(s); err != nil {
			return err
		}
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
	s.tellReset(o, made)
	return nil
}

// place decides where the token goes.
func (o *resetOptions) place(s *session) error {
	if o.file != "" {
		return nil
	}
	o.file = s.path("admin-reset.token")
	return s.makeData()
}

func (s *session) tellReset(o *resetOptions, made flow.WasReset) {
	if made.Link == nil {
		fmt.Fprintf(s.out, "The token of user %s, an owner of instance %s, is in %s.\n", made.OwnerID, made.InstanceID, o.file)
		fmt.Fprintf(s.out, "The log of events says that %s made it. Remove the file when you are back in.\n", flow.ResetCreator)
		return
	}
	who := "one more person"
	if o.user != "" {
		who = o.user
	}
	fmt.Fprintf(s.out, `This link lets %s own instance %s and log in, once, within a day:

  %s
`, who, made.InstanceID, setupAddress(s.addressOf(made.Host), *made.Link))
}

// addressOf is where the instance of a host is reached: at the external URL, or as that says
// where the host is another one.
func (s *session) addressOf(host string) string {
	external := cmp.Or(strings.TrimSuffix(s.ExternalURL, "/"), s.localURL(s.Listen))
	u, err := url.Parse(external)
	if err != nil || u.Hostname() == host {
		return external
	}
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	return u.Scheme + "://" + host
}
