//go:build race

package test

func init() { racing = true }
