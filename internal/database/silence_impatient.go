//go:build sabotage_impatient

package database

// silentAfter takes a slow database for one that is away. No server is built like this: see make
// chaos-sabotage.
const silentAfter = 2
