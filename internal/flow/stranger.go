package flow

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// WhoIs finds somebody by what they type to log in: their login name or, where the
// policy lets them, the address or the number that only they have. Of nobody the id is
// empty. How long it looks depends on what is typed, and not on whether it is somebody's.
// others are login names that are looked for too, after those.
func WhoIs(ctx context.Context, store *eventstore.Store, instance, typed string, others ...string) (who User, err error) {
	login, err := policy.Login.Resolve(ctx, store, policy.Scope{Instance: instance})
	if err != nil {
		return who, err
	}
	filters := []database.Filter{UserByLogin(database.EqualsFold, typed)}
	if !login.Doc.DisableLoginWithEmail && strings.Contains(typed, "@") {
		filters = append(filters, UserWithEmail(typed))
	}
	if !login.Doc.DisableLoginWithPhone && strings.HasPrefix(typed, "+") {
		filters = append(filters, UserByPhone(database.Equals, strings.ReplaceAll(typed, " ", "")))
	}
	for _, name := range others {
		filters = append(filters, UserByLogin(database.EqualsFold, name))
	}
	for _, f := range filters {
		found, err := Users(ctx, store, instance, database.Page{Limit: 2}, SortUserCreated, f)
		if err != nil {
			return User{}, err
		}
		if who.ID == "" && len(found.Rows) == 1 {
			who = found.Rows[0]
		}
	}
	return who, nil
}

// jobForgotten sends a code to set another password with.
const jobForgotten = "password.forgotten"

type forgotten struct {
	Typed   string   `json:"typed"`
	Others  []string `json:"others,omitempty"` // see WhoIs
	Creator string   `json:"creator"`
	Ticket  string   `json:"ticket,omitempty"` // of the browser, hashed; see BeganHere
}

// ForgotPassword has a code sent to whom a login name, or one of others, belongs, if to anybody. That is
// found out later: the answer, and the time that it takes, tell nothing.
func ForgotPassword(tx *eventstore.Tx, instance, typed string, others []string, creator, ticket string) error {
	return tx.Job(instance, jobForgotten, forgotten{typed, others, creator, ticket}, tx.Now())
}

// sendForgotten is the work of jobForgotten.
func sendForgotten(store *eventstore.Store, v *crypto.Vault) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		var f forgotten
		if err := j.Into(&f); err != nil {
			return again, err
		}
		ctx = eventstore.WithOrigin(authz.AsSystem(ctx, j.Instance), eventstore.Origin{Creator: f.Creator})
		who, err := WhoIs(ctx, store, j.Instance, f.Typed, f.Others...)
		if err != nil || who.ID == "" {
			return again, err
		}
		err = store.Write(ctx, func(tx *eventstore.Tx) error {
			keepTicket(tx, j.Instance, who.ID, f.Ticket)
			_, _, err := user.RequestPasswordReset(tx, v, j.Instance, who.OrgID, who.ID, user.Delivery{})
			return err
		})
		if k := fault.KindOf(err); k == fault.KindFailedPrecondition || k == fault.KindNotFound { // Locked, say.
			err = nil
		}
		return again, err
	}
}
