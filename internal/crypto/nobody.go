//go:build !sabotage_earlyreturn

package crypto

// hurries reports whether a check of nobody's password returns at once. It must not: how
// long it takes would tell who exists. The other build of this function does, and is there
// to show that the tests notice.
func hurries() bool { return false }
