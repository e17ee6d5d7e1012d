//go:build !sabotage_policycache

package flow

import "github.com/gatehouse/gatehouse/internal/database"

// asked is the query for the rules, as it is. Every request makes it anew: rules that
// were remembered would let a factor count that another node has just removed. The other
// build of this function remembers them, and is there to show that the tests notice.
func (*rules) asked(q database.Query) database.Query { return q }
