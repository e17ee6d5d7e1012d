package account

import (
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/web"
)

func overviewPages() []page { return []page{{path: "{$}", get: showOverview}} }

// overviewPage is what the page shows.
type overviewPage struct {
	User      *userpb.User
	Org       string
	LastLogin string
	// Console is where the visitor administers something; empty: they do nowhere.
	Console string
	Checks  []check
	Missing int // how many checks are open
}

// check is something that protects an account.
type check struct {
	Done       bool
	Text, Link string
}

// showOverview says who somebody is, what they can reach, and how well they are protected.
func showOverview(v *visit) error {
	own, err := v.factors()
	if err != nil {
		return err
	}
	home, err := org.ByID(v.Ctx, v.Store, v.Instance, v.Org)
	if err != nil {
		return err
	}
	p := overviewPage{User: v.me, Org: home.Name, LastLogin: v.lastLogin, Checks: v.checks(own)}
	for _, c := range p.Checks {
		if !c.Done {
			p.Missing++
		}
	}
	administered, err := call[*orgpb.ListOrganizationsResponse](v, &orgpb.ListOrganizationsRequest{Query: &objectpb.ListQuery{Limit: 1}})
	if err != nil {
		return err
	}
	if len(administered.GetResult()) > 0 {
		p.Console = web.Console
	}
	return v.show("overview", v.Texts.T("hello", displayName(v.me)), p)
}

// checks are what protects an account, done or not. What the login policy does not allow
// is not asked for.
func (v *visit) checks(own factors) []check {
	human := v.me.GetHuman()
	out := []check{{human.GetEmail().GetIsEmailVerified(), "check-email", "contact"}}
	if own.offers(kindPasskey) || own.counts(kindPasskey) {
		out = append(out, check{own.counts(kindPasskey), "check-passkey", "security"})
	}
	second, possible := false, false
	for _, kind := range []string{kindTOTP, kindU2F, kindMail, kindSMS} {
		second, possible = second || own.counts(kind), possible || own.offers(kind)
	}
	if second || possible {
		out = append(out, check{second || own.counts(kindPasskey), "check-second", "security"})
	}
	if own.offers(kindRecovery) || own.counts(kindRecovery) {
		out = append(out, check{own.counts(kindRecovery), "check-recovery", "security"})
	}
	for i := range out {
		if !out[i].Done {
			out[i].Text += "-missing"
		}
	}
	return out
}
