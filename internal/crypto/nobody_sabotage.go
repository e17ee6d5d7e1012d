//go:build sabotage_earlyreturn

package crypto

// hurries makes a check of nobody's password return at once. No server is built like this:
// see make timing-sabotage.
func hurries() bool { return true }
