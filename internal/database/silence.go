//go:build !sabotage_deaf && !sabotage_impatient

package database

// silentAfter is for how many beats nothing must have come back before the database counts as silent.
// A slow one answers sooner: its way may take most of a second, there and back. The other builds
// of this number are there to show that the tests notice.
const silentAfter = 6
