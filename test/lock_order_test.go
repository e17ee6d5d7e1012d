package test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
	"github.com/gatehouse/gatehouse/internal/user"
)

// TestNobodyWaitsInACircle: who makes users together with memberships holds first what the
// memberships are of. Of many at once, none has to begin anew.
func TestNobodyWaitsInACircle(t *testing.T) {
	t.Parallel()
	var again atomic.Int64
	c := testdb.Config(t)
	c.Observe = func(_ context.Context, trip database.Trip) {
		if errors.Is(trip.Err, database.ErrRetry) {
			again.Add(1)
		}
	}
	s := testkit.StartOn(t, c)
	ctx := authz.AsSystem(context.Background(), s.InstanceID)
	human := func(name string) user.Human {
		return user.Human{UserName: name, FirstName: "Ann", LastName: "Lee", Email: name}
	}
	for what, do := range map[string]func(i string) error{
		"a machine that owns the instance": func(string) error {
			_, err := flow.ResetAdmin(ctx, s.Store, flow.Reset{Token: true, Keep: func(string) error { return nil }})
			return err
		},
		"a person who owns the instance": func(i string) error {
			made, err := flow.ResetAdmin(ctx, s.Store, flow.Reset{})
			if err == nil {
				_, err = flow.SetUp(ctx, s.Store, nil, *made.Link, human("eve"+i+"@example.com"), "")
			}
			return err
		},
		"an organization with who owns it": func(i string) error {
			return s.Store.Write(ctx, func(tx *eventstore.Tx) error {
				_, _, err := flow.AddOrg(tx, nil, s.InstanceID, flow.NewOrg{Name: "Org " + i, Admins: []flow.Admin{{Human: &flow.NewHuman{Human: human("own" + i + "@example.com"), VerifyEmail: user.Verification{Vouched: true}}}}})
				return err
			})
		},
		"a human": func(i string) error {
			return s.Store.Write(ctx, func(tx *eventstore.Tx) error {
				_, _, _, err := flow.AddHuman(tx, nil, eventstore.Scope{Instance: s.InstanceID, Org: s.OrgID}, flow.NewHuman{Human: human("ann" + i + "@example.com"), VerifyEmail: user.Verification{Vouched: true}})
				return err
			})
		},
	} {
		again.Store(0)
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				if err := do(strconv.Itoa(i)); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		all.Wait()
		if n := again.Load(); n != 0 {
			t.Errorf("%s: %d transactions had to begin anew", what, n)
		}
	}
}
