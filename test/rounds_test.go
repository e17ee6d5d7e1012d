package test

import "testing"

// racing says that the tests run with the race detector.
var racing bool

// rounds is how many of n rounds that are alike a test makes one after the other: all of them, but
// with -short and with the race detector, under which each takes many times as long, a tenth.
func rounds(n int) int {
	if racing || testing.Short() {
		return min(n, max(3, n/10))
	}
	return n
}
