//go:build !sabotage_overload

package server

// bounded: slow clients hold up nobody.
const bounded = true
