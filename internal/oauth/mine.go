package oauth

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

const (
	// maxListed is the most families that a list of a user's own shows.
	maxListed = 1000
	// endBatch is the most families that one transaction ends.
	endBatch = 100
)

var errNoRefresh = fault.NotFound("OIDC-refresh-missing", "You have no such refresh token.")

// Refreshable is a family that has a refresh token.
type Refreshable struct {
	Family
	Details eventstore.Details
}

// refreshable selects the families of a user that have a refresh token.
func refreshable(columns, instance, userID string) *database.Select {
	return database.From(columns, "oidc_sessions f JOIN users u ON u.instance_id = f.instance_id AND u.user_id = f.user_id AND u.created = f.user_since").
		Where("f.instance_id = ? AND f.user_id = ? AND f.refresh_family <> ''", instance, userID)
}

// RefreshableOf lists the families of a user of which the refresh token has not expired,
// the newest first.
func RefreshableOf(ctx context.Context, r database.Reader, instance, userID string, now time.Time) (database.Listing[Refreshable], error) {
	s := refreshable(FamilyColumns+", f.changed, f.sequence", instance, userID).Where("f.refresh_idle > ? AND f.refresh_expires > ?", now.UnixMicro(), now.UnixMicro())
	return database.List(ctx, r, s, database.Page{Limit: maxListed}, []string{"f.created", "f.family_id"}, func(scan database.Scan, out *Refreshable) error {
		var changed int64
		err := out.Read(func(dest ...any) error { return scan(append(dest, &changed, &out.Details.Sequence)...) })
		out.Details.Owner, out.Details.Created, out.Details.Changed = out.UserOrg, out.Created, time.UnixMicro(changed).UTC()
		return err
	})
}

// EndOf ends a family of a user that has a refresh token.
func EndOf(tx *eventstore.Tx, instance, userID, id string) (eventstore.Details, error) {
	f, err := lockFamily(tx, instance, id)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case f.UserID != userID || f.RefreshFamily == "":
		return eventstore.Details{}, errNoRefresh
	}
	return RefreshRevoked.Emit(tx, aggregate(instance, id, f.UserOrg), refreshRevoked{ReasonRevoked})
}

// EndAllOf ends the families of a user that have a refresh token, those whose token has
// expired too.
func EndAllOf(ctx context.Context, store *eventstore.Store, instance, userID string) error {
	var ids []string
	if err := store.Read(ctx, refreshable("f.family_id", instance, userID).Order("f.family_id").Rows(func(scan database.Scan) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})); err != nil {
		return err
	}
	for some := range slices.Chunk(ids, endBatch) {
		if err := store.Write(ctx, func(tx *eventstore.Tx) error {
			for _, id := range some {
				if err := End(tx, instance, id, ReasonRevoked); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
