//go:build !sabotage_policycache

package flow

import "github.com/gatehouse/gatehouse/internal/database"

// asked is the query for the rules. Every request makes it anew: rules that were
// remembered would let a factor count that another node has just removed. The other
// build of this function remembers them, and is there to show that the tests notice.
func (r *rules) asked(sql string, args ...any) database.Query {
	return database.Query{SQL: sql, Args: args, Row: r.read}
}
