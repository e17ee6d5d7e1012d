//go:build !sabotage_nolock

package database

// held is a text that holds the rows it asks for, where it says FOR UPDATE. The other build of
// this function does not, and is there to show that the tests notice.
func held(sql string) string { return sql }
