package database

import (
	"context"
	"strings"
)

// OutgrownBy names the step that a newer version has taken and after which this one cannot use the
// database any more; empty where there is none. A version that starts finds out when it migrates.
func (db *DB) OutgrownBy(ctx context.Context) (step string, err error) {
	all, err := Migrations()
	if err != nil {
		return "", err
	}
	newest := all[len(all)-1].Version
	err = db.Read(ctx, Query{SQL: "SELECT name FROM migrations WHERE version > ? ORDER BY version", Args: []any{newest}, Row: func(scan Scan) error {
		var name string
		err := scan(&name)
		if strings.HasSuffix(name, breaking) {
			step = name
		}
		return err
	}})
	return step, err
}
