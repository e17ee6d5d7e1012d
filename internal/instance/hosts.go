package instance

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Host is a domain at which an instance is reached.
type Host struct {
	Instance, Domain string
	Primary          bool
}

// Hosts lists the domains of all instances, for the operator of the server.
func Hosts(ctx context.Context, r database.Reader) (out []Host, err error) {
	err = r.Read(ctx, database.From("instance_id, domain, is_primary", "instance_domains").
		Order("instance_id, is_primary DESC, domain").Rows(func(scan database.Scan) error {
		var h Host
		var primary int
		err := scan(&h.Instance, &h.Domain, &primary)
		h.Primary = primary == 1
		out = append(out, h)
		return err
	}))
	return out, err
}
