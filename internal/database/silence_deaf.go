//go:build sabotage_deaf

package database

import "math"

// silentAfter never ends. No server is built like this: see make chaos-sabotage.
const silentAfter = math.MaxInt
