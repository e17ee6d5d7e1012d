package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Actor is who acts with the token for its user; nil: they do themselves.
func (b *Bearer) Actor() *oauth.Actor {
	if b.Family.Exchange == nil {
		return nil
	}
	return b.Family.Exchange.Actor
}

// basis is a basis of an exchange as it is now.
type basis struct {
	oauth.Basis
	Standing
	family oauth.Family
	issued time.Time // of a machine user's token
	held   bool      // the right is
	admin  bool      // and is for somebody who has roles of their own
}

// began is when the login was.
func (b *basis) began() time.Time {
	if b.Family == "" {
		return b.issued
	}
	return b.family.LoggedIn()
}

var (
	errBasis = fault.Precondition("OIDC-exchange-basis", "A token that this one was exchanged for does not stand any more.")
	errRight = fault.Precondition("OIDC-exchange-right", "Whoever acts with this token may not act for its user any more.")
)

// queries ask for everything that the basis rests on.
func (b *basis) queries(instance string) (out []database.Query) {
	src := source{
		sql: `SELECT t.instance_id, '' AS client_id, mu.user_id, mu.org_id AS user_org, mu.created AS user_since, '' AS session_id, '' AS scopes
			FROM access_tokens t JOIN users mu ON mu.instance_id = t.instance_id AND mu.user_id = t.user_id
			WHERE t.instance_id = ? AND t.user_id = ? AND t.token_id = ?`,
		args: []any{instance, b.UserID, b.Token},
	}
	if b.Family != "" {
		src = source{
			sql: `SELECT f.instance_id, f.client_id, f.user_id, f.user_org, f.user_since, f.session_id, '' AS scopes
				FROM oidc_sessions f WHERE f.instance_id = ? AND f.family_id = ? AND (CAST(? AS TEXT) = '' OR EXISTS (SELECT 1 FROM oidc_access_tokens t
				WHERE t.instance_id = f.instance_id AND t.family_id = f.family_id AND t.token_id = ?))`,
			args: []any{instance, b.Family, b.Token, b.Token},
		}
		out = append(out, oauth.FamilyByID(instance, b.Family, &b.family))
	} else {
		out = append(out, database.Query{
			SQL: "SELECT t.created FROM access_tokens t WHERE t.instance_id = ? AND t.user_id = ? AND t.token_id = ?", Args: src.args,
			Row: func(scan database.Scan) error {
				var issued int64
				err := scan(&issued)
				b.issued = since(issued)
				return err
			},
		})
	}
	if r := b.Right; r != nil {
		out = append(out, database.One(&b.held, "SELECT role FROM member_roles WHERE instance_id = ? AND user_id = ? AND kind = ? AND object_id = ? AND role = ?",
			[]any{instance, b.UserID, r.Kind, r.Object, r.Role}, new(string)), hasRoles(instance, r.For, &b.admin))
	}
	return append(out, b.Standing.queries(src)...)
}

// allowed reports whether an actor may still act for somebody, as far as that is asked.
func (b *basis) allowed(enabled bool) bool {
	return b.Right == nil || enabled && b.held && (b.Right.Admin || !b.admin)
}

// restsOn refuses a token that was exchanged for others, unless all of those stand now
// and whoever acts with it still may. It is one round trip, and none for
// a token that was not exchanged.
func restsOn(ctx context.Context, store *eventstore.Store, instance string, x *oauth.Exchange) error {
	if x == nil {
		return nil
	}
	var security policy.State[policy.SecurityPolicy]
	queries := []database.Query{policy.Security.Ask(instance, &security)}
	bases := make([]basis, len(x.Bases))
	for i := range bases {
		bases[i].Basis = x.Bases[i]
		queries = append(queries, bases[i].queries(instance)...)
	}
	if err := store.Read(ctx, queries...); err != nil {
		return err
	}
	now := store.Now()
	for i := range bases {
		b := &bases[i]
		if err := b.stands(now, b.began()); err != nil {
			return errBasis.Because(err)
		}
		if !b.allowed(security.Doc.EnableImpersonation) {
			return errRight
		}
	}
	return nil
}

// hasRoles asks whether a user administers anything.
func hasRoles(instance, userID string, has *bool) database.Query {
	return database.Query{
		SQL: "SELECT 1 FROM member_roles WHERE instance_id = ? AND user_id = ? LIMIT 1", Args: []any{instance, userID},
		Row: func(database.Scan) error { *has = true; return nil },
	}
}
