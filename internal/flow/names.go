package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

func init() { policy.AroundNames(scopeNames) }

// scopeNames runs a change of a policy that says whether domains complete names,
// and lets the names of the users follow. Nobody is added to the scope meanwhile.
func scopeNames(tx *eventstore.Tx, s eventstore.Scope, change policy.Change) (eventstore.Details, error) {
	var before, after bool
	if !s.IsDefault() {
		tx.Ahead(eventstore.Share(s.Default())...)
	}
	if _, err := tx.Lock(s.Aggregate(), policy.NamesCompleted(s, &before)); err != nil {
		return eventstore.Details{}, err
	}
	d, err := change()
	if err == nil {
		err = tx.Read(policy.NamesCompleted(s, &after))
	}
	if err == nil && before != after {
		err = user.ScopeNames(tx, s, after)
	}
	return d, err
}

// claimBatch is the most users that one transaction renames.
const claimBatch = 200

// jobClaim is the job that renames those users who were too many for the
// transaction in which a domain was verified.
const jobClaim = "user.domain"

type claimedDomain struct {
	OrgID   string `json:"orgId"`
	Creator string `json:"creator"` // who verified the domain
}

// AddDomain gives the organization one more domain. Where it is verified at once,
// others lose the names that end in it.
func AddDomain(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, domain string) (eventstore.Details, error) {
	d, err := org.AddDomain(tx, s.Instance, s.Org, domain)
	if err == nil {
		err = claimNames(tx, v, s)
	}
	return d, err
}

// claimNames takes the names from users of other organizations that end in a
// verified domain of the organization. Names that its domains complete stay.
func claimNames(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope) error {
	more, err := claimSome(tx, v, s)
	if err == nil && more {
		err = tx.Job(s.Instance, jobClaim, claimedDomain{OrgID: s.Org, Creator: tx.Creator()}, tx.Now())
	}
	return err
}

// claimSome is claimNames for some users; it reports whether there may be more.
func claimSome(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope) (more bool, err error) {
	type loser struct{ id, org, domain string }
	var losers []loser
	if err := tx.Read(database.From("u.user_id, u.org_id, u.login_domain", "org_domains d JOIN users u ON u.instance_id = d.instance_id AND u.login_domain = d.domain").
		Where("d.instance_id = ? AND d.org_id = ? AND d.verified = 1 AND u.org_id <> ? AND u.login_scope = ''", s.Instance, s.Org, s.Org).
		Order("u.user_id").Page(0, claimBatch).Rows(func(scan database.Scan) error {
		var l loser
		err := scan(&l.id, &l.org, &l.domain)
		losers = append(losers, l)
		return err
	})); err != nil {
		return false, err
	}
	for _, l := range losers {
		if err := user.LoseDomain(tx, v, eventstore.Scope{Instance: s.Instance, Org: l.org}, l.id, l.domain); err != nil {
			return false, err
		}
	}
	return len(losers) == claimBatch, nil
}

// claimRest is the work of jobClaim.
func claimRest(store *eventstore.Store, v *crypto.Vault) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		var p claimedDomain
		if err := j.Into(&p); err != nil {
			return again, err
		}
		ctx = eventstore.WithOrigin(authz.AsSystem(ctx, j.Instance), eventstore.Origin{Creator: p.Creator})
		more := false
		err = store.Write(ctx, func(tx *eventstore.Tx) error {
			more, err = claimSome(tx, v, eventstore.Scope{Instance: j.Instance, Org: p.OrgID})
			return err
		})
		if more {
			again = store.Now()
		}
		return again, err
	}
}

// jobNames is the job that looks once whether the names of an instance that is
// older than their scopes are as its policies say. The migration records it.
const jobNames = "user.names"

// settleNames is the work of jobNames. Where plain names would clash, they stay
// completed until the policy is set anew.
func settleNames(store *eventstore.Store) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		ctx = authz.AsSystem(ctx, j.Instance)
		scopes := []eventstore.Scope{{Instance: j.Instance}}
		own, args := policy.NamesOwn(j.Instance)
		if err := store.Read(ctx, database.Query{SQL: own, Args: args, Row: func(scan database.Scan) error {
			s := eventstore.Scope{Instance: j.Instance}
			err := scan(&s.Org)
			scopes = append(scopes, s)
			return err
		}}); err != nil {
			return again, err
		}
		for _, s := range scopes {
			err := store.Write(ctx, func(tx *eventstore.Tx) error { return settleScope(tx, s) })
			if err != nil && fault.KindOf(err) != fault.KindFailedPrecondition {
				return again, err
			}
		}
		return again, nil
	}
}

func settleScope(tx *eventstore.Tx, s eventstore.Scope) error {
	var completed bool
	if !s.IsDefault() {
		tx.Ahead(eventstore.Share(s.Default())...)
	}
	if _, err := tx.Lock(s.Aggregate(), policy.NamesCompleted(s, &completed)); err != nil || completed {
		return err
	}
	return user.ScopeNames(tx, s, completed)
}
