package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
)

// GroupUser is a user who is in a group.
type GroupUser struct {
	Person
	GroupID string
	Added   time.Time
}

// The columns that users of groups are sorted by.
const (
	SortGroupUser      = "gu.user_id"
	SortGroup          = "gu.group_id"
	SortGroupUserAdded = "gu.created"
)

// The filters of a list of users of groups.
var (
	GroupUserAmong = func(ids ...string) database.Filter { return database.OneOf("gu.user_id", ids) }
	GroupAmong     = func(ids ...string) database.Filter { return database.OneOf("gu.group_id", ids) }
)

// GroupUsers lists who is in groups, as far as the caller may read that.
func GroupUsers(ctx context.Context, r database.Reader, p database.Page, by string, filters ...database.Filter) (database.Listing[GroupUser], error) {
	visible, args := authz.Where(ctx, "group.user.read", "g.org_id")
	q := database.From(personColumns+", gu.group_id, gu.created", `group_users gu
		JOIN user_groups g ON g.instance_id = gu.instance_id AND g.group_id = gu.group_id
		JOIN users u ON u.instance_id = gu.instance_id AND u.user_id = gu.user_id`+personJoins).
		Where("gu.instance_id = ?", authz.From(ctx).Instance).Where(visible, args...).Filter(filters...)
	return database.List(ctx, r, q, p, []string{by, SortGroup, SortGroupUser}, func(scan database.Scan, u *GroupUser) error {
		var added int64
		dest, done := personDest(&u.Person)
		if err := scan(append(dest, &u.GroupID, &added)...); err != nil {
			return err
		}
		u.Added = time.UnixMicro(added).UTC()
		_, err := done()
		return err
	})
}
