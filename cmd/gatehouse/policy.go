package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/policy"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "What policies mean for people"}
	o := &previewOptions{}
	preview := command("preview", "Show who would lose their factors by a change of a login policy", func(s *session) error { return policyPreview(s, o) })
	f := preview.Flags()
	f.StringVar(&o.instance, "instance", "", "id or domain of the instance; needed where there are several")
	f.StringVar(&o.org, "organization", "", "id of the organization; without it the instance's default policy is meant")
	f.StringSliceVar(&o.second, "remove-second-factor", nil, "second factors to take away: "+strings.Join(secondFactorNames, ", "))
	f.StringVar(&o.at, "at", "", "the day, such as 2030-01-31, by which plans shall have gone on")
	f.BoolVar(&o.passkeys, "remove-passkeys", false, "take the multi factor away")
	c.AddCommand(preview)
	return c
}

type previewOptions struct {
	instance, org string
	at            string
	second        []string
	passkeys      bool
}

// secondFactorNames are the names of the factors, in the order of their numbers,
// which begin at 1.
var secondFactorNames = []string{"otp", "u2f", "otp-email", "otp-sms", "recovery-codes"}

// shownUsers is how many of those who are affected are named.
const shownUsers = 20

func (o *previewOptions) change() (c flow.LoginChange, err error) {
	for _, name := range o.second {
		i := slices.Index(secondFactorNames, name)
		if i < 0 {
			return c, fmt.Errorf("--remove-second-factor: there is no factor %q, but %s", name, strings.Join(secondFactorNames, ", "))
		}
		c.RemoveSecond = append(c.RemoveSecond, policy.SecondFactor(i+1)) //nolint:gosec // a few
	}
	if o.passkeys {
		c.RemoveMulti = []policy.MultiFactor{policy.U2FWithVerification}
	}
	if o.at != "" {
		if c.At, err = time.Parse(time.DateOnly, o.at); err != nil {
			return c, fmt.Errorf("--at: %q is no day such as 2030-01-31", o.at)
		}
	}
	if len(c.RemoveSecond)+len(c.RemoveMulti) == 0 && c.At.IsZero() {
		err = errors.New("name what would be taken away: --remove-second-factor, --remove-passkeys, or --at for what is planned")
	}
	return c, err
}

func factorName(f policy.Factor) string {
	if f.Multi != 0 {
		return "passkeys"
	}
	return secondFactorNames[f.Second-1]
}

// policyPreview may run beside a server. It changes nothing.
func policyPreview(s *session, o *previewOptions) error {
	change, err := o.change()
	if err != nil {
		return err
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
	instance, err := flow.InstanceNamed(s.ctx, store, o.instance)
	if err != nil {
		return err
	}
	impact, err := flow.PreviewLogin(authz.AsSystem(s.ctx, instance), store, eventstore.Scope{Instance: instance, Org: o.org}, change,
		database.Page{Limit: shownUsers, Asc: true})
	if err != nil {
		return err
	}
	left := impact.LeftWithout
	fmt.Fprintf(s.out, "%d people have set up what would be taken away; %d of them would keep no listed factor, %d of these administrators.\n",
		impact.Enrolled, left.Total, impact.Administrators)
	fmt.Fprintf(s.out, "%d sessions would not be enough any more.\n", impact.Sessions)
	if impact.Demanded && left.Total > 0 {
		fmt.Fprintln(s.out, "A second factor is demanded: they would have to set up another one before they get in.")
	}
	for _, r := range impact.Retirements {
		fmt.Fprintf(s.out, "Planned: %s cannot be set up from %s, is announced from %s and off from %s.\n", factorName(r.Factor),
			r.Closed.Format(time.DateOnly), r.Announced.Format(time.DateOnly), r.Off.Format(time.DateOnly))
	}
	for _, a := range left.Rows {
		note := ""
		if a.Administrator {
			note = "  administrator"
		}
		fmt.Fprintf(s.out, "  %s  %s%s\n", a.LoginName, a.ID, note)
	}
	if more := left.Total - uint64(len(left.Rows)); more > 0 {
		fmt.Fprintf(s.out, "  and %d more\n", more)
	}
	return nil
}
