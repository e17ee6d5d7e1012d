package eventstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
)

// purges is the table of the instances that are gone.
const purges = "purges"

const (
	// purgeBatch is the most rows that one transaction of a purge deletes: others wait
	// for no longer than that takes.
	purgeBatch = 1000
	// purgeRun is the most transactions of one call of Purge.
	purgeRun = 200
)

// Purge says that the event's instance is gone. Whatever tables still hold of it
// counts for nothing from the commit on: Verify looks past it, and Store.Purge
// deletes it. The events stay.
func (f *Fold) Purge() {
	f.Exec("INSERT INTO purges (instance_id, created) VALUES (?, ?)", f.Instance, f.Micros())
}

// Purge deletes rows of an instance that is gone, in short transactions, and
// reports whether none is left. Otherwise there is more to do for another call.
func (s *Store) Purge(ctx context.Context, instance string) (done bool, err error) {
	left := purgeRun
	for _, t := range purged() {
		for n := purgeBatch; n == purgeBatch; left-- {
			if left == 0 {
				return false, nil
			}
			if n, err = s.purgeOnce(ctx, instance, t); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// purged lists the tables whose rows belong to instances.
func purged() []Table {
	var out []Table
	for _, t := range append(Tables(), transientTables...) {
		if t.perInstance() {
			out = append(out, t)
		}
	}
	return out
}

// perInstance reports whether the table's rows go with their instance.
func (t Table) perInstance() bool { return t.Name != purges }

func (s *Store) purgeOnce(ctx context.Context, instance string, t Table) (n int, err error) {
	key := strings.Join(t.Key, ", ")
	some := "SELECT " + key + " FROM " + t.Name + " WHERE instance_id = ? LIMIT ?"
	err = s.db.Write(ctx, func(tx *database.Tx) error {
		gone := false
		if err := tx.Read(
			database.Query{
				SQL: "SELECT instance_id FROM purges WHERE instance_id = ?", Args: []any{instance},
				Row: func(database.Scan) error { gone = true; return nil },
			},
			database.Query{
				SQL: "SELECT count(*) FROM (" + some + ") AS batch", Args: []any{instance, purgeBatch},
				Row: func(scan database.Scan) error { return scan(&n) },
			},
		); err != nil {
			return err
		}
		if !gone {
			return fmt.Errorf("purge: instance %q was not removed", instance)
		}
		if n > 0 {
			tx.Exec(database.Statement{
				SQL:  "DELETE FROM " + t.Name + " WHERE (" + key + ") IN (" + some + ")",
				Args: []any{instance, purgeBatch},
			})
		}
		return nil
	})
	return n, err
}
