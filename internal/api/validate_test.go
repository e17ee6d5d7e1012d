package api

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestEveryRuleIsKnown: each limit that the contract states is one that the
// server can check.
func TestEveryRuleIsKnown(t *testing.T) {
	t.Parallel()
	contract, err := Contract()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[protoreflect.FullName]bool{}
	limits := 0
	var walk func(d protoreflect.MessageDescriptor)
	walk = func(d protoreflect.MessageDescriptor) {
		if seen[d.FullName()] {
			return
		}
		seen[d.FullName()] = true
		rules, err := compile(d)
		if err != nil {
			t.Error(err)
		}
		limits += len(rules)
		for i := range d.Fields().Len() {
			if m := d.Fields().Get(i).Message(); m != nil {
				walk(m)
			}
		}
	}
	for _, m := range contract {
		walk(m.Descriptor.Input())
	}
	if limits < 500 {
		t.Errorf("only %d limits found", limits)
	}
}
