package user

import (
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// The events of a human's picture, of which there is one at most.
var (
	AvatarAdded = eventstore.Declare("user.human.avatar.added", func(f *eventstore.Fold, e policy.AssetAdded) error {
		dropAvatar(f)
		policy.KeepAsset(f, f.Owner, f.ID, e)
		setHuman(f, eventstore.Cells{"avatar": e.Key})
		return nil
	}, "data")
	AvatarRemoved = eventstore.Declare("user.human.avatar.removed", func(f *eventstore.Fold, _ policy.AssetRemoved) error {
		dropAvatar(f)
		setHuman(f, eventstore.Cells{"avatar": ""})
		return nil
	})
)

func dropAvatar(f *eventstore.Fold) {
	f.Exec("DELETE FROM assets WHERE instance_id = ? AND user_id = ?", f.Instance, f.ID)
}

var errNoAvatar = fault.NotFound("USER-avatar", "The user has no picture.")

// SetAvatar gives a human a picture in place of the one they have. Users do so themselves.
func SetAvatar(tx *eventstore.Tx, s eventstore.Scope, id string, a policy.Asset) (eventstore.Details, error) {
	if _, err := lockHuman(tx, s, id, writeOrSelf); err != nil {
		return eventstore.Details{}, err
	}
	return AvatarAdded.Emit(tx, aggregate(s.Instance, s.Org, id), a.Added(s.Org+"\n"+id))
}

// RemoveAvatar takes the picture of a human away. Users may do so themselves.
func RemoveAvatar(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	h, err := lockHuman(tx, s, id, writeOrSelf)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case h.avatar == "":
		return eventstore.Details{}, errNoAvatar
	}
	return AvatarRemoved.Emit(tx, aggregate(s.Instance, s.Org, id), policy.AssetRemoved{Key: h.avatar})
}
