package oauth

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Login is a login that a client can renew without its user, as the user sees it. It
// goes by the id of its family: refresh tokens come and go.
type Login struct {
	Family
	Details eventstore.Details
}

// LoginsOf lists the logins of a user that clients can renew, by when they were. The
// caller is that user: there is nothing to require.
func LoginsOf(ctx context.Context, store *eventstore.Store, instance, userID string, p database.Page) (database.Listing[Login], error) {
	now := store.Now().UnixMicro()
	q := database.From(FamilyColumns+", f.changed, f.sequence", `oidc_sessions f
		JOIN users u ON u.instance_id = f.instance_id AND u.user_id = f.user_id AND u.org_id = f.user_org AND u.created = f.user_since`).
		Where("f.instance_id = ? AND f.user_id = ? AND f.refresh_family <> '' AND f.refresh_idle > ? AND f.refresh_expires > ?", instance, userID, now, now)
	return database.List(ctx, store, q, p, []string{"f.created", "f.family_id"}, func(scan database.Scan, l *Login) error {
		var changed int64
		err := l.Read(func(dest ...any) error { return scan(append(dest, &changed, &l.Details.Sequence)...) })
		l.Details.Owner, l.Details.Created, l.Details.Changed = l.UserOrg, l.Created, time.UnixMicro(changed).UTC()
		return err
	})
}

var errNoLogin = fault.NotFound("OIDC-login", "There is no such refresh token of yours, or no longer.")

// EndLogin ends one of them with all its tokens.
func EndLogin(tx *eventstore.Tx, instance, userID, id string) (d eventstore.Details, err error) {
	f, err := lockFamily(tx, instance, id)
	switch {
	case err != nil:
		return d, err
	case f.UserID != userID || f.RefreshFamily == "":
		return d, errNoLogin
	}
	return RefreshRevoked.Emit(tx, aggregate(instance, id, f.UserOrg), refreshRevoked{ReasonRevoked})
}

// EndLogins ends all of them.
func EndLogins(tx *eventstore.Tx, instance, userID string) error {
	return endAll(tx, ReasonRevoked, instance, "f.user_id = ? AND f.refresh_family <> ''", userID)
}
