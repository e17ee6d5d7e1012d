package group

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

const columns = "g.group_id, g.org_id, g.name, g.description, g.created, g.changed, g.sequence"

func scanGroup(scan database.Scan, g *Group) error {
	var created, changed int64
	err := scan(&g.ID, &g.Org, &g.Name, &g.Description, &created, &changed, &g.Details.Sequence)
	g.Details = eventstore.Details{
		Owner: g.Org, Sequence: g.Details.Sequence, Created: time.UnixMicro(created).UTC(), Changed: time.UnixMicro(changed).UTC(),
	}
	return err
}

// The columns that groups are sorted by.
const (
	SortID      = "g.group_id"
	SortName    = "g.name_lower"
	SortCreated = "g.created"
	SortChanged = "g.changed"
)

// The filters of a list of groups.
var (
	WithID = func(ids ...string) database.Filter { return database.OneOf("g.group_id", ids) }
	OfOrg  = func(id string) database.Filter { return database.Is("g.org_id", id) }
	ByName = database.Text{Exact: "g.name", Lower: "g.name_lower"}.Match
)

// List lists the groups that the caller may read.
func List(ctx context.Context, r database.Reader, p database.Page, by string, filters ...database.Filter) (database.Listing[Group], error) {
	visible, args := authz.Where(ctx, "group.read", "g.org_id")
	q := database.From(columns, "user_groups g").Where("g.instance_id = ?", authz.From(ctx).Instance).Where(visible, args...).Filter(filters...)
	return database.List(ctx, r, q, p, []string{by, SortID}, scanGroup)
}

// ByID gives a group that the caller may read.
func ByID(ctx context.Context, r database.Reader, id string) (Group, error) {
	found, err := List(ctx, r, database.Page{Limit: 1}, SortID, WithID(id))
	if err == nil && len(found.Rows) == 0 {
		err = errMissing
	}
	if err != nil {
		return Group{}, err
	}
	return found.Rows[0], nil
}
