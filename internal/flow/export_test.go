package flow

import (
	"errors"
	"strings"
	"testing"
)

// TestExportIsBounded: rows count until there is no room for more.
func TestExportIsBounded(t *testing.T) {
	e, value := &export{}, strings.Repeat("x", maxExportSize/4)
	for n := 1; n < 4; n++ {
		if err := e.weigh([]any{&value, new(int)}); err != nil {
			t.Fatalf("row %d: %v", n, err)
		}
	}
	if err := e.weigh([]any{&value}); !errors.Is(err, errExportSize) {
		t.Errorf("the row too many: %v", err)
	}
}
