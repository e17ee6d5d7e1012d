//go:build sabotage_deaf

package database

import "math"

// patience never ends. No server is built like this: see make chaos-sabotage.
const patience = math.MaxInt
