//go:build sabotage_overload

package server

// bounded is off in a build that the tests of overload must notice: make overload-sabotage.
const bounded = false
